"""One run with its log."""
