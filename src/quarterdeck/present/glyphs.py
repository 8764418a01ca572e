"""The marks that are ours, each with its twin in ASCII: one table for screens and command line. Pure.

All are one column wide. `present` writes the first of each pair; who draws gives the twin where the terminal is to
get ASCII.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SUCCEEDED, FAILED, RUNNING, WAITING = "✓", "✗", "▸", "◦"
CANCELLING, CANCELLED = "⊗", "⊘"
PAUSED, STALE = "=", "?"
CURSOR, DRAFT, CRUMB, ARROW, BETWEEN, CUT, FOLDED = "▌", "•", "›", "→", "·", "…", "⋯"
BARS: Final = "▁▂▃▄▅▆▇█"

PAIRS: Final[Mapping[str, str]] = {
    SUCCEEDED: "+", FAILED: "!", RUNNING: ">", WAITING: "~", CANCELLING: "x", CANCELLED: "-",
    CURSOR: "|", DRAFT: "*", CRUMB: ">", ARROW: ">", BETWEEN: "|", CUT: "~", FOLDED: "~", "–": "-", "×": "x",
    **dict(zip(BARS, "_.:oO8@#", strict=True)),
    **dict.fromkeys("─━▔═", "-"), **dict.fromkeys("│┃║▏▕▊▎▐", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯", "+"), **dict.fromkeys("▀", "#"),
}  # fmt: skip
"""Each mark, and each piece of a frame, with what stands for it in ASCII."""
TWINS: Final = {ord(one): twin for one, twin in PAIRS.items()}
_WITHOUT: Final = ("linux", "vt100")  # terminals whose fonts lack them


def in_ascii(text: str) -> str:
    """Return the text with the twin of each of our marks; other characters stay."""
    return text if text.isascii() else text.translate(TWINS)


def draws_utf8(environ: Mapping[str, str], *, ascii: bool) -> bool:
    """Whether a terminal is to get our marks themselves: by its locale, unless `ascii` (of `config.toml`) is set.

    The first set of LC_ALL, LC_CTYPE, LANG decides; none is ASCII, as POSIX says. What Python makes of it is not
    asked: it says UTF-8 where the terminal may not.
    """
    named = next(filter(None, map(environ.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    is_utf8 = named.rpartition(".")[2].partition("@")[0].replace("-", "").lower() == "utf8"
    return is_utf8 and not ascii and environ.get("TERM") not in _WITHOUT
