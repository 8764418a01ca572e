"""The line of queued runs: who gets a free place, and which place the others have. The rule: `lifecycle.line`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from quarterdeck.lifecycle import clocks, line
from quarterdeck.lifecycle.advance import advance
from quarterdeck.lifecycle.dispatching import ASKING
from quarterdeck.lifecycle.line import InLine
from quarterdeck.model.clock import Mark
from quarterdeck.model.codec import from_document
from quarterdeck.model.errors import DamagedDocumentError
from quarterdeck.model.instants import parse_instant
from quarterdeck.model.run import Line, Run, RunState, Waiting
from quarterdeck.model.states import TERMINAL
from quarterdeck.ports.store import Where
from quarterdeck.service import views
from quarterdeck.service.context import ALL, OPEN, Context

if TYPE_CHECKING:
    from quarterdeck.model.observation import Room
    from quarterdeck.ports.store import Documents, Row

QUEUED = Where("state", "=", RunState.QUEUED.value)


ASKS_FOR: Final = timedelta(seconds=60)
"""Whoever has not come further by then was ended, and asks for nobody."""


class Served(NamedTuple):
    """The runs that were given a place just now, and for the others that are ready what holds them."""

    claimed: list[Run]
    rooms: Mapping[str, Room]


class Queue:
    """The one line of a workspace. Any process may serve it; counting and claiming are one transaction."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def serve(self, youngest: str) -> Served:
        """Claim what fits, from the oldest run to the one with the id `youngest`.

        Where nothing fits, nothing is locked.
        """
        free, rooms = self._look(self._context.ports.store, youngest)
        if not free:
            return Served([], rooms)
        claimed: list[Run] = []
        damaged: set[str] = set()
        with self._context.transaction("claiming a run") as tx:
            free, rooms = self._look(tx, youngest)
            while free:
                for known in free:
                    try:
                        claimed.append(self._claim(tx, known))
                    except (
                        DamagedDocumentError
                    ):  # whoever looks at it is told; it holds up no other
                        damaged.add(known)
                if damaged.isdisjoint(free):
                    break
                free, rooms = self._look(tx, youngest, damaged)
        return Served(claimed, rooms)

    def _claim(self, tx: Documents, known: str) -> Run:
        kept = tx.runs.get(known)
        here, now = self._context.mark(), self._context.now_of(kept.value)
        run, _ = advance(clocks.aligned(kept.value, here), line.FREE, now)
        tx.runs.put(run, seen=kept.rev)
        return run

    def _look(
        self, at: Documents, youngest: str, damaged: Collection[str] = ()
    ) -> tuple[list[str], dict[str, Room]]:
        """Return which runs get a place, the oldest first, and what holds each of the others."""
        here = self._context.mark()
        rows = self._context.whole("runs", at.runs.rows(OPEN, limit=ALL, flawed=True))
        runs = [
            self._as_far_as_known(row, here)
            for row in rows
            if row.body.get("state") not in TERMINAL and row.id not in damaged
        ]
        most = self._context.workspace().value.ceilings["max_concurrent_runs"]
        found = line.places(runs, most)
        free = [known for known, room in found.items() if room.free and known <= youngest]
        return free, {known: room for known, room in found.items() if not room.free}

    def _as_far_as_known(self, row: Row, here: Mark) -> InLine:
        """Return a run's document as the line sees it; one that lost what that takes is given nothing.

        It keeps the place it has, if it is not queued, as far as its document still says where.
        """
        try:
            return _in_line(row.body, here)
        except (KeyError, TypeError, ValueError, AttributeError):
            if not self._context.is_damaged("runs", row.id):
                raise
            job, cluster, team = (str(row.body.get(name)) for name in ("job", "cluster", "team"))
            return InLine(
                id=row.id, job=job, draft=row.body.get("draft") is True, limit=None, cluster=cluster,
                team=team, profile="", now=here.at,
                is_queued=row.body.get("state") == RunState.QUEUED, is_ready=False, is_asking=False,
                waiting=None,
            )  # fmt: skip

    def position(self, run: Run) -> int | None:
        """Return the run's place among those that wait as it does, 1 for the next; None if it is in no line."""
        if run.state is not RunState.QUEUED or run.waiting is None or run.waiting.line is None:
            return None
        ahead = [QUEUED, Where("id", "<", run.id)]
        if run.waiting.line is Line.JOB:
            ahead += [Where("job", "=", run.job), Where("draft", "=", value=False)]
        elif run.waiting.line is Line.CLUSTER:
            ahead.append(Where("cluster", "=", run.cluster))
        return 1 + self._context.ports.store.runs.count(*ahead)


def _in_line(body: Mapping[str, Any], here: Mark) -> InLine:
    """Return a run's document as the line sees it."""
    now = views.now_of(body, here)
    spec, waiting, act = body["spec"], body["waiting"], body["act"]
    is_queued = body["state"] == RunState.QUEUED
    last = body["attempts"][-1] if body["attempts"] else None
    due = last["next_at"] if last is not None else None
    return InLine(
        id=body["id"], job=body["job"], draft=body["draft"],
        limit=spec["limits"]["max_concurrent_runs"],
        cluster=body["cluster"], team=body["team"], profile=spec["profile"], now=now,
        is_queued=is_queued,
        is_ready=is_queued
        and body["cancel"] is None
        and _is_in_time(body, now, here)
        and (due is None or now >= parse_instant(due)),
        is_asking=act is not None
        and act["kind"] in ASKING
        and last is not None
        and now - parse_instant(last["claimed_at"]) < ASKS_FOR,
        waiting=from_document(Waiting, waiting) if is_queued and waiting is not None else None,
    )  # fmt: skip


def _is_in_time(body: Mapping[str, Any], now: datetime, here: Mark) -> bool:
    """Whether the queue deadline has not passed; it moves on by as much as the machine slept since."""
    deadline = parse_instant(body["queue_deadline"])
    if now < deadline or not body.get("clock"):
        return now < deadline
    slept_s = clocks.slept(from_document(Mark, body["clock"]), here)
    return now < deadline + timedelta(seconds=slept_s)
