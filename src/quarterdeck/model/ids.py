"""Typed identifiers. They are made outside (ports.new_id) and become Kubernetes names."""

import re
from typing import Final, NewType

TeamId = NewType("TeamId", str)
DefinitionId = NewType("DefinitionId", str)
JobId = NewType("JobId", str)
RunId = NewType("RunId", str)
Rev = NewType("Rev", int)  # the store's counter on a document; 1 is the first

RUN_ID: Final = re.compile(r"[a-z][a-z0-9]{11,19}")
DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def format_base36(number: int, width: int) -> str:
    """Return `number` in base 36, padded with zeros to `width` characters."""
    found = ""
    while number:
        number, digit = divmod(number, 36)
        found = DIGITS[digit] + found
    return found.rjust(width, "0")


def make_id(prefix: str, epoch_ms: int, noise: int) -> str:
    """Return an id of 17 characters that sorts by time: prefix, 9 of time, 7 of noise."""
    return prefix + format_base36(epoch_ms, 9) + format_base36(noise % 36**7, 7)


def behind(known: str, made: str) -> str:
    """Return an id behind the newest known one: the one that was made, unless the clock was set back."""
    if made > known or len(made) != len(known):
        return made
    epoch_ms = int(known[1:10], len(DIGITS)) + 1
    return known[0] + format_base36(epoch_ms, 9) + made[10:]
