"""Each run goes by a clock of its own, set once in a boot: no step of the wall clock moves its times."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from quarterdeck.model.clock import Mark
from quarterdeck.model.observation import Fact, Observation, Silent
from quarterdeck.model.run import Run, RunState

SLEPT: Final = 5.0
"""Seconds of sleep that are worth a word; less is the time between two readings."""
JITTER: Final = timedelta(seconds=1)
"""Two clocks that are so close are the same one, read one after the other."""


def now(run: Run, here: Mark) -> datetime:
    """Return the time by the run's clock.

    In a boot in which nobody looked at it yet only the wall clock is there; it is not believed where it shows less
    than the run has seen already.
    """
    found = run.clock.reads(here.uptime) if run.clock is not None else None
    if found is not None:
        return found
    return max(here.at, run.timeline[-1].at) if run.timeline else here.at


def aligned(run: Run, here: Mark) -> Run:
    """Return the run with its clock set in this boot.

    While the machine sleeps nobody serves the line: a run that waits there has so much longer. Not so one that was
    prepared: its place was told then how long it has.
    """
    clock = run.clock
    if clock is None or clock.uptime.boot != here.uptime.boot:
        return replace(run, clock=Mark(now(run, here), here.uptime))
    slept_s = slept(clock, here)
    if not slept_s:
        return run
    woken = replace(run, clock=Mark(now(run, here), here.uptime))
    is_prepared = run.attempt is not None and run.attempt.receipt is not None
    if run.state is not RunState.QUEUED and (run.state is not RunState.DISPATCHING or is_prepared):
        return woken
    later = run.queue_deadline + timedelta(seconds=slept_s)
    return replace(woken, queue_deadline=later, asleep_s=run.asleep_s + slept_s)


def slept(clock: Mark, here: Mark) -> float:
    """Return for how many seconds the machine slept since; 0 for so few that they are none, or another boot."""
    if clock.uptime.boot != here.uptime.boot:
        return 0.0
    slept_s = here.uptime.asleep_s - clock.uptime.asleep_s
    return slept_s if slept_s >= SLEPT else 0.0


def told(fact: Fact | None, by: timedelta) -> Fact | None:
    """Return what was seen with its instants moved by as much: from the clock of who looked to the run's."""
    if abs(by) < JITTER:
        return fact
    if isinstance(fact, Silent):
        return replace(fact, since=fact.since + by if fact.since is not None else None)
    if not isinstance(fact, Observation):
        return fact
    began = fact.began_at + by if fact.began_at is not None else None
    happened = tuple(replace(one, at=one.at + by) for one in fact.happened)
    return replace(fact, at=fact.at + by, began_at=began, happened=happened)
