"""Cells, their width on a terminal, and tables that fit it. Which columns a list has: `columns`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from quarterdeck.present import glyphs, inert

GAP: Final = 2
_NARROW: Final = frozenset(glyphs.PAIRS)
_WIDE_FROM: Final = "\u0300"  # below it every printable character is one column wide


class Cell(NamedTuple):
    """Inert text and its tone: good, bad, busy, dim, head, or none."""

    text: str
    tone: str = ""


Line = tuple[Cell, ...]


class Look(NamedTuple):
    """What a renderer knows of its reader: the time, and whether a person looks (ages and marks) or a script."""

    now: datetime
    person: bool = True

    def of(self, row: Mapping[str, Any]) -> Look:
        """Return the look at a row whose times are by another clock: their ages go by that one."""
        ahead_s = row.get("ahead_s")
        return self._replace(now=self.now + timedelta(seconds=ahead_s)) if ahead_s else self


class Column(NamedTuple):
    """One column of a list.

    `least`: it may be shortened to this width (0: never). `drop`: the highest goes first when even that is not
    enough (0: never goes). `optional`: left out while every row of it is empty.
    """

    title: str
    cell: Callable[[Mapping[str, Any], Look], Cell]
    right: bool = False
    least: int = 0
    drop: int = 0
    optional: bool = False


def text(value: object) -> Cell:
    """Return any value of a document as one inert cell; None is empty."""
    return Cell("" if value is None else inert.line(str(value)))


def width(shown: str) -> int:
    """Return how many columns of a terminal the inert text takes."""
    if shown.isascii() or all(one < _WIDE_FROM or one in _NARROW for one in shown):
        return len(shown)
    from wcwidth import wcswidth  # its tables load slowly

    return max(0, wcswidth(shown))


def cut(shown: str, most: int) -> str:
    """Return the text in at most `most` columns (none: nothing); what is cut ends in `…`."""
    if most <= 0:
        return ""
    if width(shown) <= most:
        return shown
    end = min(len(shown), most - 1)
    while end and width(shown[:end]) > most - 1:
        end -= 1
    return shown[:end] + "…"


def wrap(shown: str, most: int | None) -> list[str]:
    """Return inert text in lines of at most `most` columns, broken at blanks, the rest indented as its first.

    A word that is longer stays whole.
    """
    if most is None or width(shown) <= most:
        return [shown]
    deep = hanging(shown, most)
    pieces = [shown[begin:end] for begin, end in spans(shown, most, deep)]
    return [pieces[0], *(" " * deep + one for one in pieces[1:])]


def hanging(shown: str, most: int) -> int:
    """Return how far the second and further lines of a text are indented."""
    return min(len(shown) - len(shown.lstrip()) + 2, most // 2)


def spans(shown: str, most: int, deep: int, *, cuts_words: bool = False) -> list[tuple[int, int]]:
    """Return begin and end of the pieces of a text, the first of at most `most` columns, the rest of `deep` less.

    Pieces end at blanks, which are left out; a longer word is cut only if `cuts_words`.
    """
    is_even = width(shown) == len(shown)
    found, at, room, all_of_it = [], 0, most, len(shown)
    while at < all_of_it:
        end = at + room if is_even else _reach(shown, at, room)
        if end >= all_of_it:
            found.append((at, all_of_it))
            break
        word = at if shown[at] != " " else all_of_it - len(shown[at:].lstrip())
        cut_at = shown.rfind(" ", word, end + 1)
        if cut_at < 0 and cuts_words:
            cut_at = end
        elif cut_at < 0:
            cut_at = shown.find(" ", end)
            cut_at = all_of_it if cut_at < 0 else cut_at
        found.append((at, at + len(shown[at:cut_at].rstrip())))
        at, room = cut_at, max(1, most - deep)
        while at < all_of_it and shown[at] == " ":
            at += 1
    return found


def _reach(shown: str, at: int, room: int) -> int:
    """Return the end of what fits into so many columns, one character at least."""
    end, taken = at, 0
    while end < len(shown) and (taken := taken + width(shown[end])) <= room:
        end += 1
    return max(end, at + 1)


def lay_out(
    columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], look: Look, most: int | None
) -> list[Line]:
    """Return the lines of a table, head first, at most `most` columns wide (None: as wide as it is).

    Columns are shortened first, the widest first; what still does not fit is dropped by `drop`. The last column is
    never shortened below one readable word: a terminal too narrow for what may not go wraps.
    """
    cells = [[column.cell(row, look.of(row)) for column in columns] for row in rows]
    shown = [
        n
        for n, column in enumerate(columns)
        if not column.optional or any(line[n].text for line in cells)
    ]
    widths = {
        n: max([len(columns[n].title), *(width(line[n].text) for line in cells)]) for n in shown
    }
    if most is not None:
        widths = _fit(columns, widths, most)
    head = [Cell(columns[n].title, "head") for n in widths]
    table = [head, *([line[n] for n in widths] for line in cells)]
    sizes = list(widths.items())
    return [
        tuple(
            _pad(cell, size, right=columns[n].right, last=n == sizes[-1][0])
            for cell, (n, size) in zip(line, sizes, strict=True)
        )
        for line in table
    ]


def _fit(columns: Sequence[Column], widths: Mapping[int, int], most: int) -> dict[int, int]:
    found = dict(widths)

    def least(n: int) -> int:
        return (
            min(found[n], max(columns[n].least, len(columns[n].title)))
            if columns[n].least
            else found[n]
        )

    def total(sizes: list[int]) -> int:
        return sum(sizes) + GAP * (len(sizes) - 1)

    while total([least(n) for n in found]) > most:
        going = max(found, key=lambda n: columns[n].drop)
        if not columns[going].drop:
            break
        del found[going]
    while total(list(found.values())) > most:
        wide = [n for n in found if found[n] > least(n)]
        if not wide:
            break
        found[max(wide, key=lambda n: found[n])] -= 1
    return found


def _pad(cell: Cell, size: int, *, right: bool, last: bool) -> Cell:
    shown = cut(cell.text, size)
    space = " " * (size - width(shown))
    if right:
        return Cell(space + shown + ("" if last else " " * GAP), cell.tone)
    return Cell(shown if last else shown + space + " " * GAP, cell.tone)
