"""Where there is no workspace yet."""
