"""Run the sample jobs, a few at a time: all of them, beside what each name promises, or enough to look at."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.demo.samples import VERSIONED, Sample
from quarterdeck.model.instants import parse_instant, seconds_between
from quarterdeck.model.run import TERMINAL, RunState
from quarterdeck.present import failure

if TYPE_CHECKING:
    from quarterdeck.service.bundle import Services

AT_ONCE: Final = 2
LOOK_S: Final = 0.2
SHOWN: Final = 60  # characters of a first result
LONG: Final = "slow-to-cancel"
LOOKED_AT: Final = ("revenue-by-quarter", "order-report.py", "fails-in-sql")
_TERMINAL: Final = {state.value for state in TERMINAL}
_UNDER_WAY: Final = {*_TERMINAL, RunState.RUNNING.value}
_FIRST: Final = (LONG, "shipping-priority")  # the longest, so that nothing waits for them

Row = dict[str, Any]
Tell = Callable[[str, str], object]


@dataclass(slots=True)
class _Going:
    """A sample's run under way."""

    sample: Sample
    draft: bool
    run: str
    state: str = ""
    is_cancelled: bool = field(default=False)

    @property
    def label(self) -> str:
        return f"{self.sample.name} (draft)" if self.draft else self.sample.name


def run_all(services: Services, samples: list[Sample], tell: Tell) -> list[Row]:
    """Run every sample's job, and the draft of the one that has one; return a row for each, in order.

    `tell` is given a label and its new state as it happens. A row's `ok` says whether it ended as promised;
    `seconds` are from its start to its end.
    """
    known = {job["name"]: job for job in services.lists.jobs()}
    rows: dict[str, Row] = {}
    for one in samples:
        if one.name not in known:
            tell(one.name, "deleted")
            rows[one.name] = _absent(one)
    waiting = _in_order(services, [one for one in samples if one.name in known], known)
    for ended in _to_their_end(services, waiting, tell):
        rows[ended.label] = _row(services, ended)
    labels = [name for one in samples for name in (one.name, f"{one.name} (draft)")]
    return [rows[label] for label in labels if label in rows]


def run_some(services: Services, samples: list[Sample], tell: Tell) -> None:
    """Run a few samples to their end, good and bad, and leave the long one running; deleted ones are left out."""
    known = {job["name"] for job in services.lists.jobs()}
    wanted = [one for one in samples if one.name in known]
    waiting = (
        _Going(one, draft=False, run=services.runs.start(one.name)["id"])
        for one in wanted
        if one.name in LOOKED_AT
    )
    for _ in _to_their_end(services, waiting, tell):
        pass
    for one in wanted:
        if one.name == LONG:
            run = services.runs.start(one.name)["id"]
            while (state := services.runs.dispatch(run)["state"]) not in _UNDER_WAY:
                time.sleep(LOOK_S)
            tell(one.name, state)


def _to_their_end(services: Services, waiting: Iterator[_Going], tell: Tell) -> Iterator[_Going]:
    """Yield each run when it has ended; the next is started when there is room for it."""
    going: list[_Going] = []
    while True:
        while len(going) < AT_ONCE and (new := next(waiting, None)) is not None:
            going.append(new)
        if not going:
            break
        for under_way in list(going):
            if _look(services, under_way, tell):
                going.remove(under_way)
                yield under_way
        time.sleep(LOOK_S)


def _in_order(
    services: Services, samples: list[Sample], known: dict[str, Row]
) -> Iterator[_Going]:
    """Start one run after the other, each when it is asked for."""
    first = [one for one in samples if one.name in _FIRST]
    for one in [*first, *(one for one in samples if one not in first)]:
        yield _Going(one, draft=False, run=services.runs.start(one.name)["id"])
        if one.name == VERSIONED and known[one.name]["draft_version"] is not None:
            yield _Going(one, draft=True, run=services.runs.start(one.name, draft=True)["id"])


def _look(services: Services, one: _Going, tell: Tell) -> bool:
    """Move the run on, tell a new state, cancel what is to be cancelled; return whether it has ended."""
    state = services.runs.dispatch(one.run)["state"]
    if state != one.state:
        one.state = state
        tell(one.label, state)
    if state == RunState.RUNNING and one.sample.expected == "cancelled" and not one.is_cancelled:
        one.is_cancelled = _is_at_work(services, one.run)
        if one.is_cancelled:
            services.runs.cancel(one.run)
    return state in _TERMINAL


def _is_at_work(services: Services, run: str) -> bool:
    """Whether the payload has said something: it is seen running before it is cancelled."""
    return any(line.get("origin") == "payload" for line in services.logs.tail(run, 20))


def _row(services: Services, one: _Going) -> Row:
    shown = services.runs.show(one.run)
    start, end = parse_instant(shown["queued_at"]), parse_instant(shown["ended_at"])
    return {
        "job": one.sample.name, "draft": one.draft, "run": one.run,
        "expected": one.sample.expected, "state": shown["state"], "reason": shown["reason"],
        "seconds": round(seconds_between(start, end), 3),
        "first_result": _first_result(services, shown),
        "ok": shown["state"] == one.sample.expected,
    }  # fmt: skip


def _absent(one: Sample) -> Row:
    return {
        "job": one.name, "draft": False, "run": None, "expected": one.expected, "state": None,
        "reason": None, "seconds": None, "first_result": "the job was deleted", "ok": False,
    }  # fmt: skip


def _first_result(services: Services, shown: Row) -> str:
    """Return one line of what came out: a row, why it failed, or what the payload said first."""
    if shown["reason"] is not None:
        return failure.told(shown)[:SHOWN]
    for statement in reversed((shown["result"] or {"statements": []})["statements"]):
        if statement["row_count"] and statement["rows"]:
            names = [column["name"] for column in statement["columns"]]
            pairs = zip(names, statement["rows"][0], strict=True)
            return ", ".join(f"{name} {value}" for name, value in pairs)[:SHOWN]
    lines = services.logs.window(shown["id"], origin="payload")
    return next((line["text"] for line in lines if line.get("text")), "")[:SHOWN]
