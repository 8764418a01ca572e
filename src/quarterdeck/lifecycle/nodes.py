"""What a lost node may still run, and until when: before that no other attempt or retry of it starts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from quarterdeck.model.failure import Reason
from quarterdeck.model.run import Attempt, Run

RUNNER_GRACE: Final = timedelta(seconds=90)
"""How long past its timeout the runner may take to end a run."""


def held_until(run: Run, attempt: Attempt) -> datetime | None:
    """Return until when the attempt may still run on a lost node: nobody reaches it, its own deadline does.

    None: nothing is held, for its end was seen, its node has said that it ended, or a person says that the
    machine is off. A container whose start nobody saw started before its node was lost at the latest.
    """
    if attempt.reason is not Reason.NODE_LOST or attempt.cleared_by:
        return None
    lost = attempt.ended_at or attempt.claimed_at
    began = attempt.began_at or lost
    return began + timedelta(seconds=run.timeout_s) + RUNNER_GRACE


def is_held(run: Run, attempt: Attempt, now: datetime) -> bool:
    """Whether the attempt may still run on a lost node, if nobody who knows says otherwise."""
    until = held_until(run, attempt)
    return until is not None and now < until
