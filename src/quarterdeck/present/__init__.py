"""Words, marks, ages and columns for people; pure, the same for the command line and for screens."""
