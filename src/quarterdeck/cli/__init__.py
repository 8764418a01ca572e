"""The front door: commands over `service`, their output and exit codes. It decides nothing itself."""
