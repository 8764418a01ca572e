"""The ladder of a cancel: each step harder than the one before, each with its time. Who climbs it: `advance`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from quarterdeck.lifecycle import steps
from quarterdeck.lifecycle.steps import Decision
from quarterdeck.model.run import Act, ActKind, Cancel, CancelStep, Run, RunState

STEP_S: Final = {
    CancelStep.ASK: 20.0,
    CancelStep.END: 10.0,
    CancelStep.DELETE: 10.0,
    CancelStep.FORCE: 20.0,
}
"""Seconds that each cancel step is given before the next; after the last the run is `lost`."""
NEXT_STEP: Final = {
    None: CancelStep.ASK,
    CancelStep.ASK: CancelStep.END,
    CancelStep.END: CancelStep.DELETE,
    CancelStep.DELETE: CancelStep.FORCE,
    CancelStep.FORCE: None,
}


def start(run: Run, now: datetime) -> Decision:
    """Begin the cancel that the run has: the first step is to ask."""
    cancel = run.cancel
    if cancel is None:
        raise AssertionError(f"{run.id} has no cancel")
    run = steps.enter(
        run, RunState.CANCELLING, now, f"{cancel.reason}, asked by {cancel.asked_by}"
    )
    return step(run, cancel, CancelStep.ASK, now)


def step(run: Run, cancel: Cancel, which: CancelStep, now: datetime) -> Decision:
    """Take a step, and give it its time."""
    at = now + timedelta(seconds=STEP_S[which])
    cancel = replace(cancel, step=which, next_step=NEXT_STEP[which], next_step_at=at)
    run = steps.wait(replace(run, cancel=cancel), "what is left to end", f"step {which}", now)
    return steps.pend(run, Act(ActKind.CANCEL, which))
