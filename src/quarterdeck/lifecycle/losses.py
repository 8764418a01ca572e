"""What befell the parts of an attempt, kept from look to look, and where it is the reason of the attempt's end.

Who sees a run end may have seen none of its pods: whoever saw them before wrote down what they said.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from quarterdeck.lifecycle import steps
from quarterdeck.lifecycle.classify import End, state_of
from quarterdeck.model.failure import Failure, Reason
from quarterdeck.model.observation import Observation, Phase
from quarterdeck.model.run import Attempt, Loss, Run

TOLD_FOR: Final = timedelta(minutes=3)
"""How long a run waits for its engine to go on without a part: the engine itself notices within two minutes."""
_WORKER: Final = "worker"
_UNSEEN: Final = (Reason.ENGINE_LOST, Reason.DELETED_EXTERNALLY, Reason.EVICTED)
_PLACED: Final = (Phase.STARTING, Phase.RUNNING)


def kept(run: Run, fact: Observation) -> Run:
    """Return the run with what befell parts of its attempt, and with what keeps one of them from its place."""
    attempt = run.attempt
    if attempt is None:
        return run
    held = attempt.held
    if fact.phase in _PLACED and fact.failure is Reason.UNSCHEDULABLE:
        held = Failure(fact.failure, fact.object, fact.evidence)
    elif fact.phase in _PLACED and fact.is_whole:  # else its parts may be going, at its end
        held = None
    known = {(one.failure.reason, one.failure.object) for one in attempt.losses}
    new = [
        Loss(one.at, one.part, one.failure)
        for one in fact.happened
        if one.failure is not None and (one.failure.reason, one.failure.object) not in known
    ]
    if held == attempt.held and not new:
        return run
    return steps.with_attempt(run, replace(attempt, held=held, losses=(*attempt.losses, *new)))


def waited_for(run: Run, now: datetime) -> tuple[str, str] | None:
    """Return what a run waits for whose attempt lacks a part, and the fact; None if it lacks none."""
    attempt = run.attempt
    if attempt is None:
        return None
    if attempt.held is not None:
        return f"a node for {attempt.held.object}", " ".join(attempt.held.evidence[:1])
    last = attempt.losses[-1] if attempt.losses else None
    if last is None or last.part != _WORKER or now - last.at > TOLD_FOR:
        return None
    said = " ".join(last.failure.evidence[:1])
    return "the engine to go on without a worker", f"{said}; the engine notices within 2 minutes"


def explained(run: Run, fact: Observation, found: End) -> End:
    """Return the end with the reason that an earlier look saw, where this one says only that a part is gone."""
    attempt, failure = run.attempt, found.failure
    if attempt is None or failure is None:
        return found
    lacks_workers = failure.reason is Reason.TIMEOUT or fact.unexplained == _WORKER
    if attempt.held is not None and lacks_workers:
        return _with(found, failure, attempt.held)
    loss = _decisive(attempt, fact.unexplained) if failure.reason in _UNSEEN else None
    return found if loss is None else _with(found, failure, loss.failure)


def _decisive(attempt: Attempt, part: str) -> Loss | None:
    """Return the loss that tells most: memory before all, then the first."""
    of_it = [one for one in attempt.losses if part and one.part == part]
    by_memory = [one for one in of_it if one.failure.reason is Reason.OOM_WORKER]
    return next(iter(by_memory or of_it), None)


def _with(found: End, failure: Failure, seen: Failure) -> End:
    evidence = tuple(dict.fromkeys((*seen.evidence, *failure.evidence)))
    return End(state_of(seen.reason), found.because, replace(seen, evidence=evidence))
