"""Quarterdeck: define, version, run and watch SQL and Python jobs on Sail. Imports nothing."""

__version__ = "0.1.0"
