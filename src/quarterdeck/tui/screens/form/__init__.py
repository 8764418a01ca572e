"""Forms: a new job, the settings sheet, definitions."""
