"""What a repair of the store would do or did, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from quarterdeck.present import inert
from quarterdeck.present.ages import count
from quarterdeck.present.table import Cell, Line, text

NOT_NEEDED: Final = "The store is whole: there is nothing to repair."
_NAMED: Final = 20  # of what is lost; `--json` has all


def damage(what: str) -> list[Line]:
    """Return what a damaged store means for who opened it, and what to do."""
    told = (
        "What is left can be read; nothing is written.",
        "`quarterdeck store repair` keeps what is left, behind a copy.",
        "`quarterdeck store restore FILE` puts a backup in its place.",
    )
    return [(Cell(inert.line(what), "bad"),), (), *((text(line),) for line in told)]


def effect(report: Mapping[str, Any]) -> Iterator[Line]:
    """Yield what the repair would do, for the question."""
    copied = "Database, log and head are copied beside the store before anything is changed."
    for line in (*_saved(report), copied):
        yield (text(line),)


def lines(report: Mapping[str, Any]) -> Iterator[Line]:
    """Yield what was done, or would be."""
    for line in (*_saved(report), *_ended(report)):
        yield (text(line),)


def _ended(report: Mapping[str, Any]) -> Iterator[str]:
    if report["dry_run"]:
        yield "This was a look: nothing was changed."
        return
    head = report["head"]
    yield f"The old files lie in {report['copy']}; --store with that and --read-only reads them."
    yield f"Repaired: a new head begins at change {head['change']} of store {head['store']}."


def _saved(report: Mapping[str, Any]) -> Iterator[str]:
    kept = count(sum(report["kept"].values()), "document")
    yield f"{kept} can be kept." if report["dry_run"] else f"{kept} kept."
    if gone := report["missing_changes"]:
        what = count(gone, "acknowledged change")
        yield f"The last {what} (up to change {report['acknowledged']}) are gone."
    elif report["acknowledged"] is None:
        yield "No head says how far the store had come: changes may be missing."
    counts = ", ".join(f"{number} of {name}" for name, number in report["lost_counts"].items())
    yield from _named(f"Lost ({counts}):", report["lost"])
    yield from _named("Kept though it was changed; look at it:", report["changed"])
    for name in report["rebuilt"]:
        yield f"Made anew from what else there is: {name}"
    for one in report["logs_mended"]:
        yield f"The log of run {one['run']} {one['what']}; what is missing is shown as a gap."
    if runs := report["runs_ended"]:
        yield f"{count(len(runs), 'run')} waited for a start and may have run since: ended as lost."
        yield from (f"  {run}" for run in runs)


def _named(title: str, found: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if not found:
        return
    yield title
    for one in found[:_NAMED]:
        name = f" ({one['name']})" if one["name"] else ""
        yield f"  {one['where']}{name} {one['what']}"
    if len(found) > _NAMED:
        yield f"  and {len(found) - _NAMED} more; --json names all"
