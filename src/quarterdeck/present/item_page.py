"""One definition for a person: a cluster's status and checks first, then what it says; and columns of its uses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from quarterdeck.present import columns, glyphs, inert, tree
from quarterdeck.present.lists import ListColumn, when
from quarterdeck.present.table import Cell, Line, Look, text

Row = Mapping[str, Any]
KEPT_BESIDE: Final = frozenset(
    {"id", "rev", "revision", "author", "at", "status", "checked_at", "checks", "name"}
)
_MARKS: Final = {
    "ok": (glyphs.SUCCEEDED, "good"), "failed": (glyphs.FAILED, "bad"), "warning": (glyphs.STALE, "wait"),
}  # fmt: skip


def lines(kind: str, row: Row, look: Look) -> Iterator[Line]:
    """Yield the definition as `definitions.show` gave it."""
    if kind == "cluster":
        yield from checks(row, look)
        yield ()
    yield from tree.lines({"name": row["name"], **({"id": row["id"]} if kind == "query" else {})})
    yield from tree.lines({key: value for key, value in row.items() if key not in KEPT_BESIDE})
    if kind == "query":
        yield (Cell("length:", "head"), Cell(f" {len(row['text']):,} characters"))


def checks(row: Row, look: Look) -> Iterator[Line]:
    """Yield status, when it was looked at, and each check with what to do about it."""
    word = (
        Cell(f"{glyphs.SUCCEEDED} active", "good")
        if row["status"] == "active"
        else Cell(f"{glyphs.FAILED} {row['status']}", "bad")
    )
    at = columns.when(row["checked_at"], look)
    told = (Cell("  checked "), at) if row["checked_at"] else (Cell("  never checked", "wait"),)
    yield (Cell("status: ", "head"), word, *told)
    for one in row["checks"]:
        mark, tone = _MARKS[one["level"]]
        yield (
            Cell(f"  {mark} {inert.line(one['name'])}", tone),
            Cell(f"  {inert.line(one['message'])}"),
        )
        for seen in inert.block(_seen(one.get("evidence") or "")):
            if seen:
                yield (Cell(f"      Seen: {seen}", "dim"),)
        if one["advice"]:
            yield (Cell("      Next: "), Cell(inert.line(one["advice"]), "key"))


def _seen(evidence: str) -> str:
    """Return what was seen; facts that are kept for machines by their names."""
    try:
        facts = json.loads(evidence)
    except ValueError:
        return evidence
    if not isinstance(facts, Mapping):
        return evidence
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value)


def users(found: Row) -> str:
    """Return `5 jobs of 2 teams use it, and 2 that you may not see`."""
    jobs, hidden = len(found["jobs"]), found["hidden"]
    if not jobs and not hidden:
        return "no job uses it"
    teams = len({one["team"] for one in found["jobs"]})
    also = f", and {hidden} that you may not see" if hidden else ""
    plural = "" if jobs == 1 else "s"
    verb = "uses" if jobs == 1 else "use"
    return f"{jobs} job{plural} of {teams} team{'' if teams == 1 else 's'} {verb} it{also}"


def _key(name: str, tone: str = "") -> Any:
    return lambda row, _: text(row.get(name) or None)._replace(tone=tone)


def _runs(row: Row, _: Look) -> Cell:
    if not row.get("runs"):
        return Cell("-", "dim")
    going = f", {row['open']} now" if row["open"] else ""
    return Cell(f"{row['runs']}{going}")


def _last(row: Row, look: Look) -> Cell:
    last = row.get("last")
    if not last:
        return Cell("-", "dim")
    return Cell(f"{inert.line(last['job_name'])} {when(last['queued_at'], look)}")


USERS: Final = (
    ListColumn("JOB", _key("job"), 22, grows=True, middle=True),
    ListColumn("OWNER", _key("team", "dim"), 18, drop=1),
    ListColumn("USED BY", lambda row, _: text(", ".join(row["by"])), 14),
    ListColumn("QUEUED", _key("queued"), 8, drop=2),
    ListColumn("RUNNING", _key("running"), 8, drop=3),
)  # fmt: skip
REVISIONS: Final = (
    ListColumn("REV", lambda row, _: Cell(str(row["revision"])), 5),
    ListColumn("WHEN", lambda row, look: Cell(when(row["at"], look), "dim"), 14),
    ListColumn("WHO", _key("author"), 12, drop=3),
    ListColumn("RUNS", _runs, 11, drop=2),
    ListColumn("LAST RUN", _last, 28, grows=True, drop=1),
)  # fmt: skip
