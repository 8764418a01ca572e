"""The nouns: what users write (pydantic) and what we write (dataclasses). No I/O, no clock."""
