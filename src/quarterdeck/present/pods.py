"""The pods of a run and what the cluster says of them, as lines; of which run: `run_page`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from quarterdeck.present import ages, inert
from quarterdeck.present.lists import short_age
from quarterdeck.present.table import Cell, Column, Line, Look, lay_out, text

Document = Mapping[str, Any]

_PHASES: Final = {
    "Running": "good", "Succeeded": "dim", "Pending": "wait", "Terminating": "busy", "Failed": "bad",
    "Unknown": "bad",
}  # fmt: skip
EVENTS: Final = 50
ROOMY: Final = 100  # columns in which whole names stand beside the rest


def _phase(row: Document, _: Look) -> Cell:
    why = f" {inert.line(row['why'])}" if row["why"] else ""
    return Cell(inert.line(row["phase"]) + why, _PHASES.get(row["phase"], ""))


def _restarts(row: Document, _: Look) -> Cell:
    return Cell(str(row["restarts"]), "bad" if row["restarts"] else "dim")


_PODS: Final = (
    Column("ROLE", lambda row, _: Cell(inert.line(row["role"]), "head")),
    Column("PHASE", _phase),
    Column("NODE", lambda row, _: text(row["node"] or "none yet"), least=8),
    Column("RESTARTS", _restarts, right=True),
    Column("AGE", lambda row, look: Cell(short_age(row["made_at"], look), "dim"), right=True),
    Column("POD", lambda row, _: text(row["name"])._replace(tone="dim"), least=12),
)


def _briefly(pods: Sequence[Document], most: int | None) -> list[Document]:
    """Return the pods, where there is little room with the ends of their names: they begin alike."""
    first, last = min(one["name"] for one in pods), max(one["name"] for one in pods)
    alike = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    if most is None or most >= ROOMY or not alike:
        return list(pods)
    return [{**one, "name": f"…{one['name'][alike:]}"} for one in pods]


def lines(
    found: Document, look: Look, most: int | None, *, has_ended: bool, last_fact: str = ""
) -> Iterator[Line]:
    """Yield the phases of the pods, then their events with ages, the newest first."""
    look = look.of(found)
    if not found["has_pods"]:
        yield (Cell("This run is a process of this machine: it has no pods.", "dim"),)
        return
    if not found["pods"]:
        gone = "Its pods are gone: they are removed once its log is kept."
        text_ = gone if has_ended else "It has no pod yet."
        yield (Cell(text_, "dim"),)
        if last_fact:
            yield (Cell(inert.line(last_fact)),)
    else:
        yield from lay_out(_PODS, _briefly(found["pods"], most), look, most)
    yield ()
    events = found["events"]
    if not events:
        yield (Cell("The cluster has no events of it.", "dim"),)
        return
    latest = ages.age(events[0]["at"], look.now) if events[0]["at"] else "no time"
    yield (Cell("EVENTS", "head"), Cell(f"  the last one {latest}", "dim"))
    for one in events[:EVENTS]:
        times = f" x{one['count']}" if one["count"] > 1 else ""
        age = f"{short_age(one['at'], look):>5}"
        yield (
            Cell(f"{age}  ", "dim"),
            Cell(f"{inert.line(one['about']):<9} "),
            Cell(f"{inert.line(one['reason'])}{times}", "bad" if one["is_warning"] else "head"),
            Cell(f"  {inert.line(one['message'])}"),
        )
    if len(events) > EVENTS:
        yield (Cell(f"… {len(events) - EVENTS} older ones", "dim"),)
