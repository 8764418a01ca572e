"""A line of a run's log as people read it: time, origin, text; gaps as lines of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from quarterdeck.model.logline import ERRORS, UNCOUNTED, WARNING, last_state, whole_lines
from quarterdeck.present import inert, table
from quarterdeck.present.table import Cell, Line

if TYPE_CHECKING:
    from quarterdeck.model.logline import StoredLine

TIMES: Final = ("off", "local", "UTC", "since start")
ORIGIN_WIDTH: Final = 10
SAVED_SIZE: Final = (
    1 << 26
)  # characters of a line that is saved; one that is longer is cut by a newline
LONG: Final = 2_000  # characters of a line that are drawn; the whole of it opens with Enter
_ERROR: Final = re.compile("|".join(map(re.escape, ERRORS)))
_WARN: Final = re.compile(rf"\b{WARNING}")


class Way(NamedTuple):
    """How lines are shown: which times, what is searched for, when the run began."""

    times: str = "local"
    search: str = ""
    zone: datetime | None = None  # an instant in the zone of the terminal
    start: datetime | None = None


def tone(line: StoredLine) -> str:
    """Return the tone of the line's text."""
    if line.is_gap:
        return "gap"
    text = last_state(line.text)[:LONG]
    if _ERROR.search(text):
        return "error"
    return "warn" if _WARN.search(text) else ""


def cells(line: StoredLine, way: Way) -> Line:
    """Return time, origin and text; what is searched for stands out, a gap says how much is lost and why."""
    stamp = _time(line, way)
    if line.is_gap:
        lost = "the rest is lost"
        if line.upto:
            is_known = line.upto != UNCOUNTED
            lost = f"{line.upto - line.number + 1:,} lines lost" if is_known else "lines lost"
        whose = f" of {line.worker}" if line.worker else ""
        return (
            *([Cell(stamp, "dim")] if stamp else []),
            Cell(f"~~~~~~~~ gap{whose}: {lost} ({inert.line(line.text)}) ~~~~~~~~", "gap"),
        )
    shown = tone(line)
    stream = "!" if line.stream == "stderr" and line.origin == "payload" else " "
    text = last_state(line.text)
    size = ""
    if len(text) > LONG:
        size = f"[{len(text):,} characters, Enter shows all] "
        text = text[:LONG] + "…"
    return (
        *([Cell(stamp, "dim")] if stamp else []),
        Cell(f"{line.origin:<{ORIGIN_WIDTH - 2}}{stream} {size}", "dim"),
        *_marked(inert.line(text.expandtabs(8)), way.search, shown),
    )


def plain(line: StoredLine) -> str:
    """Return the line as it is copied."""
    if line.is_gap:
        return table_text(cells(line, Way(times="off")))
    return inert.line(last_state(line.text))


def table_text(shown: Sequence[Cell]) -> str:
    """Return cells as text."""
    return "".join(cell.text for cell in shown)


def _marked(text: str, search: str, shown: str) -> list[Cell]:
    if not search:
        return [Cell(text, shown)]
    wanted = inert.line(search)
    looked = text if wanted != wanted.lower() else text.lower()
    found, at = [], 0
    while (place := looked.find(wanted, at)) >= 0 and len(looked) == len(text):
        found += [Cell(text[at:place], shown), Cell(text[place : place + len(wanted)], "match")]
        at = place + len(wanted)
    return [cell for cell in (*found, Cell(text[at:], shown)) if cell.text]


def _time(line: StoredLine, way: Way) -> str:
    if way.times == "off":
        return ""
    if way.times == "UTC":
        return f"{line.at:%H:%M:%S}Z "
    if way.times == "since start" and way.start is not None:
        seconds = max(0.0, (line.at - way.start).total_seconds())
        return f"{seconds:>9.1f}s "
    zone = way.zone.tzinfo if way.zone is not None else None
    return f"{line.at.astimezone(zone):%H:%M:%S} "


def sideways(line: Line, by: int) -> Line:
    """Return the line without its first `by` columns."""
    if not by:
        return line
    found, left = [], by
    for cell in line:
        wide = table.width(cell.text)
        if left >= wide:
            left -= wide
            continue
        text = cell.text
        while left > 0 and text:
            left -= max(1, table.width(text[0]))
            text = text[1:]
        found.append(Cell(text, cell.tone))
    return tuple(found)


def joined(lines: Sequence[StoredLine], at: int) -> str:
    """Return the whole text of the line that the piece at place `at` is of; lines of others may stand between."""
    here = lines[at]
    if here.is_gap:
        return plain(here)
    own = [
        (n, one) for n, one in enumerate(lines)
        if _of(one) == _of(here) or (one.is_gap and one.source == here.source)
    ]  # fmt: skip
    begin = end = next(n for n, (where, _) in enumerate(own) if where == at)
    while begin and own[begin - 1][1].more:
        begin -= 1
    while own[end][1].more and end + 1 < len(own) and not own[end + 1][1].is_gap:
        end += 1
    return "".join(one.text for _, one in own[begin : end + 1])


def saved(lines: Iterable[StoredLine]) -> Iterator[bytes]:
    """Yield lines as a file holds them: pieces joined, byte for byte as they were written; a gap says what it is.

    A line that was left without its end gets none, unless others come behind it.
    """
    is_open = False
    for line in whole_lines(lines, size=SAVED_SIZE):
        text = table_text(cells(line, Way(times="off"))) if line.is_gap else line.text
        yield b"\n" * is_open + _bytes(text) + b"\n" * (not line.more)
        is_open = line.more


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half surrogates that stand for no bytes
        return text.encode("utf-8", "surrogatepass")


def _of(line: StoredLine) -> tuple[str, str, str]:
    return line.source, line.origin, line.stream
