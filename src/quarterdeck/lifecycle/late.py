"""When a run that goes on is ended from outside: its runner should have done it, and is not heard any more."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from quarterdeck.lifecycle.nodes import RUNNER_GRACE
from quarterdeck.model.observation import Fact, Observation, Phase
from quarterdeck.model.run import Run

HEARD_S: Final = 60.0
"""A runner that says so often that it lives keeps the timeout itself."""


def is_late(run: Run, fact: Fact | None, now: datetime) -> bool:
    """Whether the runner should have ended the run by now: then it is worth asking whether it is heard."""
    attempt = run.attempt
    if (
        not isinstance(fact, Observation)
        or fact.phase in (Phase.ENDED, Phase.GONE)
        or attempt is None
    ):
        return False
    ran_s = fact.ran_s
    if ran_s is None:
        began = attempt.began_at or attempt.released_at or attempt.claimed_at
        ran_s = (now - began).total_seconds() - attempt.asleep_s
    return ran_s >= run.timeout_s + RUNNER_GRACE.total_seconds()


def is_overdue(run: Run, fact: Fact | None, now: datetime) -> bool:
    """Whether a run that is running is to be ended; a runner of an earlier version is never heard."""
    return is_late(run, fact, now) and isinstance(fact, Observation) and not fact.is_heard
