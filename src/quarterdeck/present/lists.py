"""The columns of the lists on screens: fixed widths, so that a window of rows never moves a column.

The tables of the command line, which see all their rows, are in `columns`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from quarterdeck.model.instants import parse_instant
from quarterdeck.present import ages, columns, failure, glyphs, inert, table
from quarterdeck.present.table import Cell, Line, Look, text

Row = Mapping[str, Any]


class ListColumn(NamedTuple):
    """One column of a list on a screen, `width` columns wide with the blank behind it.

    `drop`: the highest goes first when there is no room (0: never goes). `grows`: it takes the room that is left.
    `middle`: what is too long loses its middle, not its end. `wide_from`: shown from this many columns on.
    """

    title: str
    cell: Callable[[Row, Look], Cell]
    width: int
    drop: int = 0
    grows: bool = False
    middle: bool = False
    wide_from: int = 0


class Layout(NamedTuple):
    """Which columns are shown how wide, in one or two lines."""

    shown: tuple[tuple[tuple[ListColumn, int], ...], ...]
    width: int

    def titles(self) -> Line:
        """Return the line of titles."""
        first = self.shown[0] if self.shown else ()
        return (Cell("  "), *(_padded(Cell(one.title, "dim"), size, one) for one, size in first))

    def cells(self, row: Row, look: Look, line: int) -> Line:
        """Return the cells of a row in its first or second line."""
        if line >= len(self.shown):
            return ()
        look = look.of(row)
        indent = (Cell("    "),) if line else ()
        found = [_padded(one.cell(row, look), size, one) for one, size in self.shown[line]]
        return (*indent, *found)


def fit(of: Sequence[ListColumn], wide: int, *, lines: int = 1) -> Layout:
    """Return the layout for a list `wide` columns wide; with two lines what is dropped stands in the second."""
    kept = [one for one in of if one.wide_from <= wide + 2]
    second: list[ListColumn] = []
    while sum(one.width for one in kept) > wide:
        going = max(kept, key=lambda one: one.drop)
        if not going.drop:
            break
        kept.remove(going)
        second.insert(0, going)
    first = _sized(kept, wide)
    if lines == 1:
        return Layout((first,), wide)
    room, below = wide - 4, list[tuple[ListColumn, int]]()
    for one in sorted(second, key=lambda one: one.drop):
        if one.width <= room:
            below.append((one, one.width))
            room -= one.width
    return Layout((first, tuple(below)), wide)


def _sized(kept: Sequence[ListColumn], wide: int) -> tuple[tuple[ListColumn, int], ...]:
    left = wide - sum(one.width for one in kept)
    sizes = []
    growing = [one for one in kept if one.grows]
    for one in kept:
        size = one.width
        if one.grows and left > 0:
            share = left // len(growing)
            size += share
        elif left < 0 and one.grows:
            size = max(8, one.width + left)
        sizes.append((one, size))
    return tuple(sizes)


def _padded(cell: Cell, size: int, column: ListColumn) -> Cell:
    most = size - 1
    shown = cell.text
    if table.width(shown) > most:
        shown = _middle(shown, most) if column.middle else table.cut(shown, most)
    return Cell(shown + " " * (size - table.width(shown)), cell.tone)


def _middle(shown: str, most: int) -> str:
    """Return the text without its middle in at most `most` columns (none: nothing)."""
    tail_room = max(0, (most - 1) // 3)
    tail = shown
    while table.width(tail) > tail_room:
        tail = tail[1:]
    head = table.cut(shown, most - table.width(tail))
    return head + tail


# --- cells


def short_age(at: str | None, look: Look) -> str:
    """Return `12 s`, `5 m`, `6 h`, `3 d`: an age where there is little room."""
    if at is None:
        return ""
    seconds = max(0.0, (look.now - parse_instant(at)).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def when(at: str | None, look: Look) -> str:
    """Return when it was, as everywhere; nothing for None."""
    return "" if at is None else ages.age(at, look.now)


def why(run: Row) -> Line:
    """Return what happened to a run that ended badly, and the next key."""
    if run.get("failure"):
        return failure.brief(run)
    return Cell(f"{run['reason']}. ", "bad"), Cell(inert.line(run.get("advice") or ""))


def off(row: Row) -> Line:
    """Return that the job's cluster takes no runs, and what to do; nothing where it does."""
    place = row.get("cluster")
    if not place:
        return ()
    told = f"Cluster {inert.line(place['name'])} is {place['status']}: no run can start"
    return (Cell(told, "bad"), Cell("; 6 shows why."))


def _last(row: Row, key: str) -> Any:
    return (row.get("last_run") or {}).get(key)


def _job_state(row: Row, look: Look) -> Cell:
    last = row.get("last_run")
    if last is None:
        return Cell("  never ran", "dim")
    return columns.state(last["state"], None, look)


def _reason(row: Row, _: Look) -> Cell:
    if place := row.get("cluster"):
        return Cell(
            f"{glyphs.FAILED} {place['status']}", "bad"
        )  # the cluster, before how the last run ended
    reason = _last(row, "reason")
    return Cell(inert.line(reason), "bad") if reason else Cell("-", "dim")


def _last_at(row: Row, look: Look) -> Cell:
    return Cell(when(_last(row, "ended_at") or _last(row, "started_at"), look), "dim")


def _run_reason(row: Row, _: Look) -> Cell:
    return Cell(inert.line(row["reason"]), "bad") if row["reason"] else Cell("-", "dim")


def _outcome(row: Row, _: Look) -> Cell:
    return Cell(row["outcome"], "bad" if row["outcome"] != "done" else "dim")


def _live(row: Row, _: Look) -> Cell:
    draft = f" {glyphs.DRAFT}" if row["draft_version"] else ""
    return Cell(f"v{row['live_version']}{draft}")


def _key(name: str, tone: str = "") -> Callable[[Row, Look], Cell]:
    return lambda row, _: text(row.get(name))._replace(tone=tone)


def _names(name: str) -> Callable[[Row, Look], Cell]:
    return lambda row, _: text(", ".join(row.get(name) or ()))


def _when(name: str) -> Callable[[Row, Look], Cell]:
    return lambda row, look: Cell(when(row.get(name), look), "dim")


def _took(row: Row, look: Look) -> Cell:
    start = row.get("started_at")
    if start is None:
        return Cell("")
    end = parse_instant(row["ended_at"]) if row.get("ended_at") else look.now
    return Cell(ages.span(max(0.0, (end - parse_instant(start)).total_seconds())))


def _job_name(row: Row, _: Look) -> Cell:
    return text(row["name"])


JOBS: Final = (
    ListColumn("JOB", _job_name, 22, grows=True, middle=True),
    ListColumn("STATE", _job_state, 14),
    ListColumn("LAST RUN", _last_at, 16, drop=1),
    ListColumn("REASON", _reason, 16, drop=2),
    ListColumn("LIVE", _live, 8, drop=4),
    ListColumn("TYPE", _key("type", "dim"), 7, drop=5, wide_from=90),
    ListColumn("OWNER", _key("team", "dim"), 16, drop=8, wide_from=100),
)  # fmt: skip
RUNS: Final = (
    ListColumn("JOB", _key("job"), 20, grows=True, middle=True),
    ListColumn("VER", lambda row, _: Cell(columns.version(row)), 6, drop=5),
    ListColumn("STATE", columns.run_state, 14),
    ListColumn("REASON", _run_reason, 16, drop=2),
    ListColumn("QUEUED", _when("queued_at"), 16, drop=1),
    ListColumn("TOOK", _took, 12, drop=4, wide_from=80),
    ListColumn("TRIGGER", _key("trigger", "dim"), 10, drop=6, wide_from=94),
    ListColumn("BY", _key("actor", "dim"), 12, drop=7, wide_from=106),
    ListColumn("RUN", _key("id", "dim"), 20, drop=8, wide_from=120),
)  # fmt: skip
JOB_RUNS: Final = (
    ListColumn("RUN", _key("id", "dim"), 18, drop=6, wide_from=70),
    ListColumn("VER", lambda row, _: Cell(columns.version(row)), 6),
    ListColumn("STATE", columns.run_state, 14, grows=True),
    ListColumn("REASON", _run_reason, 16, drop=2),
    ListColumn("QUEUED", _when("queued_at"), 16, drop=1),
    ListColumn("TOOK", _took, 10, drop=3),
    ListColumn("BY", _key("actor", "dim"), 10, drop=7, wide_from=100),
)  # fmt: skip
VERSIONS: Final = (
    ListColumn("V", lambda row, _: Cell(f"v{row['number']}"), 6),
    ListColumn("WHEN", _when("at"), 16),
    ListColumn("WHO", _key("author"), 10, drop=2),
    ListColumn("NOTE", _key("note"), 16, grows=True),
    ListColumn("STATE", lambda row, _: Cell("LIVE", "good") if row["live"] else Cell(row["state"], "dim"), 7),
    ListColumn("BASED", lambda row, _: Cell(f"v{row['based_on']}" if row["based_on"] else ""), 7, drop=3),
    ListColumn("CHANGED", _names("changed"), 20, drop=4, wide_from=80),
)  # fmt: skip
PROFILES: Final = (
    ListColumn("PROFILE", _key("name"), 20, grows=True, middle=True),
    ListColumn("MODE", _key("mode"), 12),
    ListColumn("REV", _key("revision"), 5),
    ListColumn("OWNER", _key("team", "dim"), 16, drop=2),
    ListColumn("EDITED", _when("at"), 16, drop=1),
    ListColumn("BY", _key("author", "dim"), 12, drop=3),
)  # fmt: skip
QUERIES: Final = (
    ListColumn("ID", _key("id"), 20, grows=True, middle=True),
    ListColumn("NAME", _key("name"), 18, drop=3),
    ListColumn("REV", _key("revision"), 5),
    ListColumn("OWNER", _key("team", "dim"), 14, drop=2),
    ListColumn("EDITED", _when("at"), 16, drop=1),
    ListColumn("BY", _key("author", "dim"), 10, drop=4, wide_from=90),
)  # fmt: skip
CLUSTERS: Final = (
    ListColumn("NAME", _key("name"), 20, grows=True, middle=True),
    ListColumn("WHAT", _key("what", "dim"), 9),
    ListColumn("KIND", _key("kind"), 13),
    ListColumn("STATUS", lambda row, _: _status(row), 14),
    ListColumn("CHECKED", _when("checked_at"), 16, drop=1),
)  # fmt: skip
TEAMS: Final = (
    ListColumn("TEAM", _key("name"), 20, grows=True, middle=True),
    ListColumn("MEMBERS", _names("members"), 34),
    ListColumn("EDITED", _when("at"), 16, drop=1),
)  # fmt: skip
AUDIT: Final = (
    ListColumn("WHEN", _when("at"), 16, drop=1),
    ListColumn("BY", _key("actor"), 12, drop=2),
    ListColumn("ACTION", _key("action"), 17),
    ListColumn("SUBJECT", lambda row, _: text(row["subject_name"] or row["subject"]), 15, grows=True, middle=True),
    ListColumn("TIMES", lambda row, _: text(row["times"] if row["times"] > 1 else None), 6, drop=4),
    ListColumn("OUTCOME", _outcome, 9, drop=3),
)  # fmt: skip


def _status(row: Row) -> Cell:
    status = row.get("status")
    if not status:
        return Cell("-", "dim")
    if status == "active":
        return Cell(f"{glyphs.SUCCEEDED} active", "good")
    return Cell(f"{glyphs.FAILED} {status}", "bad")
