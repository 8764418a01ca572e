"""What an observation of an attempt makes of its run: states entered, when and where. Ends are `advance`'s."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from quarterdeck.lifecycle import steps
from quarterdeck.lifecycle.states import ORDER
from quarterdeck.model.failure import Reason
from quarterdeck.model.instants import from_epoch_ms
from quarterdeck.model.observation import Observation, Phase
from quarterdeck.model.run import Run, RunState

SEEN_EVERY: Final = timedelta(seconds=15)
_PHASES: Final = {
    Phase.PENDING: RunState.PENDING,
    Phase.STARTING: RunState.STARTING,
    Phase.RUNNING: RunState.RUNNING,
}


def seen(run: Run, fact: Observation, now: datetime) -> Run:
    """Enter the state that is seen, and say what is waited for."""
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
    run = _on_node(run, fact)
    what = {
        RunState.SUBMITTED: "the runner",
        RunState.PENDING: "a place",
        RunState.STARTING: "the engine",
    }
    waits = what.get(run.state, "the end of the payload")
    if fact.failure is Reason.QUOTA:
        waits = steps.HELD
    return steps.wait(run, waits, fact.because, now)


def told_by(run: Run, fact: Observation, now: datetime) -> Run:
    """Enter the states that nobody watched, at the times that the runner's last word gives."""
    word, attempt = fact.last_word, run.attempt
    run = replace(run, seen_at=now, silent_since=None, placement=fact.placement or run.placement)
    run = _on_node(replace(run, last_word=word), fact)
    if word is None or attempt is None or not word.get("began_ms"):
        return run
    began = from_epoch_ms(word["began_ms"])
    run = steps.with_attempt(run, replace(attempt, began_at=attempt.began_at or began))
    run = replace(run, started_at=run.started_at or began, phase=word.get("phase") or run.phase)
    for state, epoch_ms in (
        (RunState.STARTING, word["began_ms"]),
        (RunState.RUNNING, word.get("running_ms")),
    ):
        if epoch_ms and ORDER[state] > ORDER[run.state] and run.state is not RunState.CANCELLING:
            at = min(now, from_epoch_ms(epoch_ms))
            run = steps.enter(run, state, at, "told by the runner's last word")
    return run


def ended_at(fact: Observation, now: datetime) -> datetime:
    """Return when the runner ended by its own word, or now."""
    ended_ms = (fact.last_word or {}).get("ended_ms")
    return min(now, from_epoch_ms(ended_ms)) if ended_ms else now


def _on_node(run: Run, fact: Observation) -> Run:
    """Keep where the attempt runs: once its node is lost, nobody else says it."""
    attempt = run.attempt
    if attempt is None or not fact.node or fact.node == attempt.node:
        return run
    return steps.with_attempt(run, replace(attempt, node=fact.node))
