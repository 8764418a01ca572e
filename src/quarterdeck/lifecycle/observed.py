"""What an observation of an attempt makes of its run: states entered, when and where. Ends are `advance`'s."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from quarterdeck.lifecycle import losses, steps
from quarterdeck.lifecycle.clocks import SLEPT
from quarterdeck.lifecycle.states import ORDER
from quarterdeck.model.failure import Reason
from quarterdeck.model.instants import from_epoch_ms
from quarterdeck.model.observation import Fact, Observation, Phase
from quarterdeck.model.run import Run, RunState

SEEN_EVERY: Final = timedelta(seconds=15)
_PHASES: Final = {
    Phase.PENDING: RunState.PENDING,
    Phase.STARTING: RunState.STARTING,
    Phase.RUNNING: RunState.RUNNING,
}


def seen(run: Run, fact: Observation, now: datetime) -> Run:
    """Enter the state that is seen, and say what is waited for."""
    run = slept(run, fact)
    attempt = run.attempt
    if attempt is not None and attempt.began_at is None and fact.began_at is not None:
        run = steps.with_attempt(run, replace(attempt, began_at=fact.began_at))
        run = replace(run, started_at=run.started_at or fact.began_at)
    state = _PHASES.get(fact.phase)
    if state is not None and ORDER[state] > ORDER[run.state]:
        at = fact.began_at if state is RunState.STARTING and fact.began_at else fact.at
        run = steps.enter(run, state, at, fact.because)
        run = replace(run, phase=state.value, seen_at=fact.at)
    if run.seen_at is None or now - run.seen_at >= SEEN_EVERY or run.silent_since is not None:
        run = replace(run, seen_at=fact.at, silent_since=None)
    if fact.placement and fact.placement != run.placement:
        run = replace(run, placement=fact.placement)
    run = losses.kept(_on_node(run, fact), fact)
    what = {
        RunState.SUBMITTED: "the runner",
        RunState.PENDING: "a place",
        RunState.STARTING: "the engine",
    }
    waits = what.get(run.state, "the end of the payload")
    if fact.failure is Reason.QUOTA:
        waits = steps.HELD
    because = fact.because
    if (lacks := losses.waited_for(run, now)) is not None:
        waits, because = lacks
    return steps.wait(run, waits, because, now)


def told_by(run: Run, fact: Observation, now: datetime) -> Run:
    """Enter the states that nobody watched, at the times that the runner's last word gives."""
    word, attempt = fact.last_word, run.attempt
    run = replace(run, seen_at=now, silent_since=None, placement=fact.placement or run.placement)
    run = losses.kept(_on_node(replace(run, last_word=word), fact), fact)
    if word is None or attempt is None or not word.get("began_ms"):
        return run
    began = attempt.began_at or fact.began_at or from_epoch_ms(word["began_ms"])
    asleep_s = max(attempt.asleep_s, word.get("asleep_s") or 0.0)
    run = steps.with_attempt(run, replace(run.attempts[-1], began_at=began, asleep_s=asleep_s))
    run = replace(run, started_at=run.started_at or began, phase=word.get("phase") or run.phase)
    for state, key in ((RunState.STARTING, "began_ms"), (RunState.RUNNING, "running_ms")):
        at = steps.word_at(run, key)
        if at and ORDER[state] > ORDER[run.state] and run.state is not RunState.CANCELLING:
            run = steps.enter(run, state, min(now, at), "told by the runner's last word")
    return run


def slept(run: Run, fact: Fact | None) -> Run:
    """Keep how long the attempt's machine slept; the next step of a cancel has so much longer, too."""
    attempt, cancel = run.attempt, run.cancel
    if not isinstance(fact, Observation) or attempt is None:
        return run
    more = fact.asleep_s - attempt.asleep_s
    if more < SLEPT:
        return run
    run = steps.with_attempt(run, replace(attempt, asleep_s=fact.asleep_s))
    if cancel is None or cancel.next_step_at is None:
        return run
    later = cancel.next_step_at + timedelta(seconds=more)
    return replace(run, cancel=replace(cancel, next_step_at=later))


def ended_at(run: Run, now: datetime) -> datetime:
    """Return when the runner ended by its own word, or now."""
    return min(now, steps.word_at(run, "ended_ms") or now)


def _on_node(run: Run, fact: Observation) -> Run:
    """Keep where the attempt runs: once its node is lost, nobody else says it."""
    attempt = run.attempt
    if attempt is None or not fact.node or fact.node == attempt.node:
        return run
    return steps.with_attempt(run, replace(attempt, node=fact.node))
