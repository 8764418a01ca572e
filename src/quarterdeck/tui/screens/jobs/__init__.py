"""The jobs list."""
