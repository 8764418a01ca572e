"""When a refusal is asked again: right after a silence, or when the place doubts it itself; then it is final.

An authorizer that is still filling its caches says no to what it allows a moment later.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from quarterdeck.lifecycle import steps
from quarterdeck.model.instants import format_instant
from quarterdeck.model.observation import Denied
from quarterdeck.model.run import Denial, Run, RunState

PATIENCE: Final = timedelta(seconds=120)
"""How long after a silence a refusal is doubted, and how long it is asked again from the first on."""
LONGEST: Final = timedelta(seconds=15)
KEPT_EVERY: Final = timedelta(seconds=15)


def again(run: Run, fact: Denied, now: datetime) -> Run | None:
    """Return the run as it waits to ask again, or None: the refusal is final."""
    before = run.denied
    doubt = fact.doubt
    if not doubt and run.silent_at is not None and now - run.silent_at <= PATIENCE:
        doubt = f"the cluster did not answer at {format_instant(run.silent_at)}"
    if before is None and not doubt:
        return None
    since, times = (now, 0) if before is None else (before.since, before.times)
    until = since + PATIENCE
    if now >= until or (run.state is RunState.DISPATCHING and now >= run.queue_deadline):
        return None
    pause = min(LONGEST, timedelta(seconds=2**times))
    denied = Denial(since, times + 1, min(now + pause, until))
    said = [doubt, *(problem.message for problem in fact.refused.problems)]
    why = "; ".join(filter(None, said))
    why = f"asked again until {until:%H:%M:%S} UTC: {why}"
    return steps.wait(replace(run, denied=denied), fact.what, why, now)


def is_early(run: Run, now: datetime) -> bool:
    """Whether what was refused is not to be asked again yet."""
    denied = run.denied
    return denied is not None and denied.since <= now < denied.ask_at


def silent(run: Run, now: datetime) -> Run:
    """Return the run with this silence kept: whoever answers next may not know everything yet."""
    if run.silent_at is not None and timedelta(0) <= now - run.silent_at < KEPT_EVERY:
        return run
    return replace(run, silent_at=now, denied=None)
