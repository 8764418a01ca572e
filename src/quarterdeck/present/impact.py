"""Whom an edit of a definition reaches, in words: the lines before its save, and one line for each job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quarterdeck.present import ages, inert, job_page, tree
from quarterdeck.present.table import Cell, Line, cut

Document = Mapping[str, Any]
MOST = 40  # columns of one value


def lines(kind: str, found: Document) -> Iterator[Line]:
    """Yield what `definitions.impact` gave for an edit: who takes it, what it is, and each job's part."""
    yield (Cell(taken(found), "key"),)
    yield (Cell(_left_alone(found), "dim"),)
    yield ()
    yield from job_page.differences(found["changed"])
    yield ()
    for one in found["jobs"]:
        name, team = inert.line(one["job"]), inert.line(one["team"])
        head = (Cell(name, "head"), Cell(f"  {team}", "dim"), _under_way(one))
        if all(effect["set_by"] != "job" for effect in one["changes"]):
            yield (*head, Cell("  all of this"))
        else:
            yield head
            yield from ((Cell("    "), *line) for line in changes(kind, one["changes"]))
    if found["hidden"]:
        yield (Cell(f"and {ages.count(found['hidden'], 'job')} that you may not see", "wait"),)


def taken(found: Document) -> str:
    """Return `Taken by the NEXT run of 12 jobs of 3 teams`."""
    jobs = len(found["jobs"]) + found["hidden"]
    teams = len({one["team"] for one in found["jobs"]})
    of = f" of {ages.count(teams, 'team')}" if teams else ""
    also = " and of teams out of your sight" if found["hidden"] else ""
    return f"Taken by the NEXT run of {ages.count(jobs, 'job')}{of}{also}."


def _left_alone(found: Document) -> str:
    queued, running = (sum(one[name] for one in found["jobs"]) for name in ("queued", "running"))
    now = f" ({running} under way)" if running else ""
    waiting = f" {ages.count(queued, 'run')} in the queue will take it." if queued else ""
    return f"Running runs keep revision {found['revision']}{now}.{waiting}"


def _under_way(one: Document) -> Cell:
    parts = [f"{one[name]} {name}" for name in ("queued", "running") if one[name]]
    by = " and ".join(inert.line(name) for name in one["by"])
    return Cell("  " + ", ".join([by, *parts]), "dim")


def changes(kind: str, effects: Sequence[Document]) -> Iterator[Line]:
    """Yield one line for each value: what becomes of it for this job, or why nothing does."""
    if not effects:
        yield (Cell("nothing changes there", "dim"),)
    for one in effects:
        path = Cell(f"{inert.line(one['path'])}: ")
        if one["set_by"] == "job":
            yield (path, Cell(f"none: the job sets {_value(one['path'], one['a'])} itself", "dim"))
        elif kind == "query" and one["path"] == "text":
            yield (path, Cell("the new one"))
        else:
            yield (
                path,
                Cell(f"{_value(one['path'], one['a'])} → {_value(one['path'], one['b'])}"),
            )


def brief(kind: str, effects: Sequence[Document]) -> str:
    """Return the same in one line, for a table."""
    return "; ".join("".join(cell.text for cell in line) for line in changes(kind, effects))


def _value(path: str, value: object) -> str:
    return "nothing" if value is None else cut(tree.written(path, value), MOST)
