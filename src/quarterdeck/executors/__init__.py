"""Places where runs execute, one module or package each, behind `ports.executor`."""
