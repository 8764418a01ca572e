"""Widgets of our own; they know model and present, never service or screens."""
