"""Rooms for people: the terminal application over `service`. Rules and words live below, never here."""
