"""Text of others made harmless: what could steer a terminal is written out instead. Widths: `table`."""

import re
from typing import Final

_ACTIVE: Final = (
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control characters and escapes, bidirectional controls, invisible ones, line separators, half surrogates."""
_BYTES: Final = range(0xDC80, 0xDD00)
"""Half surrogates that stand for bytes, from 0x80 on, which are no UTF-8."""
_FORMS: Final = (("x", 2), ("u", 4), ("U", 8))
_JOINS: Final = "[\u200c\u200d\ufe00-\ufe0f]"
"""What changes the width or shape of its neighbours."""
MARK: Final = "?"
"""Stands in `masked` text for one character that is not shown; drawn so that it differs from a typed one."""
_MASKED: Final = re.compile(f"(?!\t){_ACTIVE}|{_JOINS}")


def _written(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code in _BYTES:
        return f"\\x{code - _BYTES[0] + 0x80:02x}"
    short = {9: "\\t", 10: "\\n", 13: "\\r"}.get(code)
    if short is not None:
        return short
    sign, digits = next(one for one in _FORMS if code < 16 ** one[1])
    return f"\\{sign}{code:0{digits}x}"


def line(text: str) -> str:
    """Return `text` as one line that does nothing: an escape is written as backslash x1b."""
    return text if text.isprintable() else re.sub(_ACTIVE, _written, text)


def masked(text: str) -> str:
    """Return `text` with MARK in the place of each character that could steer a terminal; tabs stay."""
    return text if text.isascii() and text.isprintable() else _MASKED.sub(MARK, text)


def block(text: str) -> list[str]:
    """Return the lines of `text`, each inert; tabs become blanks."""
    return [line(one.expandtabs(4)) for one in text.split("\n")]
