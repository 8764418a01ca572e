"""Runs of which nobody knows what became of them: their store lost what was written afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from quarterdeck.lifecycle import steps
from quarterdeck.lifecycle.classify import End
from quarterdeck.model.failure import Failure, Reason
from quarterdeck.model.run import ActKind, Run, RunState


def settled(run: Run, why: str, now: datetime) -> Run:
    """Return the run so that nothing of it is started that may have been started already.

    What waits for a start, of the first or of a next attempt, is lost: it may have run to its end meanwhile. What
    may begin was chosen: that goes on, for nothing else is ever chosen for it; but no other attempt follows.
    """
    if run.is_terminal:
        return run
    is_waiting = run.state is RunState.QUEUED or (
        run.state is RunState.DISPATCHING and run.chosen is None
    )
    if is_waiting or (run.act is not None and run.act.kind is ActKind.NEXT_ATTEMPT):
        end = End(RunState.LOST, why, Failure(Reason.LOST, run.id, (why,)))
        return steps.end(run, end, now)[0]
    return replace(run, unsure=why, notes=tuple(dict.fromkeys((*run.notes, why))))
