"""Checks on names and texts, and the folded name that finds look-alikes. SQL: `sqltext`."""

import difflib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from quarterdeck.model.limits import NAME_LENGTH

T = TypeVar("T")

_FLAW: Final = re.compile("[\0\ud800-\udfff]")
_BIDI: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_CONTROL: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BLANK: Final = frozenset(
    "\u115f\u1160\u2800\u3164\uffa0\U0001d159"
)  # letters and signs without ink
_NONCHARACTER: Final = re.compile(
    "[\ufdd0-\ufdef"
    + "".join(f"{chr(n << 16 | 0xFFFE)}{chr(n << 16 | 0xFFFF)}" for n in range(17))
    + "]"
)
_INKLESS: Final = frozenset(
    "CMZ"
)  # controls and format characters, marks, which need a letter, blanks
_SHOWN: Final = 60  # characters of a value that a message repeats

# Letters that look like Latin ones in either case, after case folding, each with its Latin one.
_ALIKE: Final = (
    "аa вb еe кk мm нh оo рp сc тt уy хx іi јj ѕs һh ԁd ԛq ԝw ѵv үy "  # noqa: RUF001
    "հh ոn սu օo "  # noqa: RUF001
    "αa βb εe ηn ιi κk μm νv οo ρp τt υy χx "  # noqa: RUF001
    "ıi ɑa ɡg"  # noqa: RUF001
)
_CONFUSABLE: Final = str.maketrans({pair[0]: pair[1] for pair in _ALIKE.split()})
_DASHES: Final = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-"))  # noqa: RUF001


class Folded(str):
    """A text whose line ends a definition file folded away: `>`, or a plain or quoted text of several lines."""

    __slots__ = ()


def name_key(name: str) -> str:
    """Return `name` folded so that names which look alike are equal: width, case, blanks, alphabets."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    seen = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    alike = unicodedata.normalize("NFKC", seen).translate(_CONFUSABLE).translate(_DASHES)
    return " ".join(alike.split())


def same_name(name: str) -> str:
    """Return `name` folded so that what is one name is equal: case and Unicode form do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def one_form(name: str) -> str:
    """Return `name` in the Unicode form in which names are looked up."""
    return unicodedata.normalize("NFC", name)


def named(found: Iterable[T], name: str, name_of: Callable[[T], str]) -> T | None:
    """Return the first of that exact name, else of that name in another Unicode form, else None."""
    wanted, other = one_form(name), None
    for one in found:
        if name_of(one) == name:
            return one
        if other is None and one_form(name_of(one)) == wanted:
            other = one
    return other


def name_flaw(name: str) -> str:
    """Return why `name` is no name, in words; empty if it is one."""
    allowed = f"1–{NAME_LENGTH} characters"
    if not name.strip():
        return f"is empty; a name has {allowed}"
    if found := control(name):
        return found
    if len(name) > NAME_LENGTH:
        return f"has {len(name):,} characters; a name has {allowed}"
    if odd := _NONCHARACTER.search(name):
        return f"holds U+{ord(odd.group()):04X} at position {odd.start() + 1}, which is no character; leave it out"
    if not any(map(_has_ink, name)):
        bare = "".join(name.split())
        return (
            f"holds nothing that can be seen: U+{ord(bare[0]):04X} at position {name.index(bare[0]) + 1};"
            " use letters or digits"
        )
    return ""


def _has_ink(char: str) -> bool:
    """Whether the character can be seen without another one; the unassigned and private ones count."""
    kind = unicodedata.category(char)
    return kind in ("Cn", "Co") or (kind[0] not in _INKLESS and char not in _BLANK)


def control(text: str) -> str:
    """Return which control character `text` holds and where (from 1), in words; empty if none."""
    for at, char in enumerate(text, 1):
        if unicodedata.category(char) in _CONTROL or char in _BIDI:
            return f"holds the control character U+{ord(char):04X} at position {at}; leave it out"
    return ""


def flaw(text: str) -> str:
    """Return what no text may hold (NUL, half a surrogate pair) and its byte offset; empty if none."""
    match = _FLAW.search(text)
    if match is None:
        return ""
    offset = len(text[: match.start()].encode("utf-8", "surrogatepass"))
    if match.group() == "\0":
        return f"holds NUL (U+0000) at byte {offset}; leave it out"
    return f"is not valid UTF-8: U+{ord(match.group()):04X} at byte {offset} is half a character"


def shown(value: object) -> str:
    """Return `value` for a message: cut, on one line, without control characters."""
    text = repr(value[:_SHOWN]) if isinstance(value, str) else json.dumps(value, default=str)
    cut = len(value) > _SHOWN if isinstance(value, str) else len(text) > _SHOWN
    return f"{text[: _SHOWN + 20]}…" if cut else text


def printable(path: str) -> str:
    """Return `path` with what no terminal should be sent escaped."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in path)


def nearest(word: str, known: Iterable[str], *, count: int = 1) -> list[str]:
    """Return those of `known` that `word` may have meant, best first."""
    by_lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(word[:NAME_LENGTH].lower(), by_lower, n=count)
    return [by_lower[one] for one in found]
