"""The small steps that `advance` is made of: enter a state, wait, end a run. No rule of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from quarterdeck.lifecycle import nodes, retry
from quarterdeck.lifecycle.classify import End
from quarterdeck.lifecycle.states import FOLLOWS
from quarterdeck.model.failure import Failure
from quarterdeck.model.instants import from_epoch_ms
from quarterdeck.model.observation import Happened, PutBack
from quarterdeck.model.run import (
    Act,
    ActKind,
    Attempt,
    Entered,
    Line,
    Reap,
    Run,
    RunState,
    Waiting,
)

Decision = tuple[Run, Act | None]
HELD: Final = "room in the namespace's quota"
"""What a run waits for that was released and gets no pod: that is queueing still, not starting."""
MADE: Final = "the cluster to make the pod"
"""What a run waits for that was released, until there is one thing of it that may begin."""
SILENT: Final = "the cluster to answer"
APART: Final = timedelta(seconds=5)
"""A runner begins that soon after its container; clocks that are further apart are different ones."""


def deadline(run: Run) -> datetime | None:
    """Return the instant at which the clock that runs now runs out, or None after the end."""
    attempt = run.attempt
    if run.is_terminal:
        return None
    if attempt is not None and attempt.state is not None and run.state is not RunState.QUEUED:
        return nodes.held_until(run, attempt)  # between two attempts
    if run.state is RunState.QUEUED or attempt is None or attempt.released_at is None:
        return run.queue_deadline
    asleep = timedelta(seconds=attempt.asleep_s)
    if attempt.began_at is not None and run.state is not RunState.STARTING:
        return attempt.began_at + timedelta(seconds=run.timeout_s) + asleep
    is_held = run.waiting is not None and run.waiting.what == HELD
    if run.state is RunState.PENDING or (run.state is RunState.SUBMITTED and is_held):
        return run.queue_deadline
    return attempt.released_at + timedelta(seconds=run.start_deadline_s) + asleep


def enter(run: Run, state: RunState, at: datetime, because: str) -> Run:
    """Return the run in `state`, its timeline one line longer and never running backwards."""
    if state not in FOLLOWS[run.state]:
        raise AssertionError(f"{run.id}: {run.state} is never followed by {state}")
    number = max(1, len(run.attempts))
    if run.timeline:
        at = max(at, run.timeline[-1].at)
        number = max(number, run.timeline[-1].attempt)  # queued for the next one already
    entered = Entered(attempt=number, state=state, at=at, because=because)
    return replace(run, state=state, timeline=(*run.timeline, entered))


def tell(run: Run, happened: tuple[Happened, ...], until: datetime) -> Run:
    """Return the run with what befell parts of it until then in its timeline, each once; its state stays."""
    known = {one.because for one in run.timeline}
    number = max(1, len(run.attempts))
    for one in happened:
        if one.what not in known:
            at = max(min(one.at, until), run.timeline[-1].at)
            told = Entered(attempt=number, state=run.state, at=at, because=one.what)
            run = replace(run, timeline=(*run.timeline, told))
    return run


def word_at(run: Run, key: str) -> datetime | None:
    """Return an instant of the runner's last word by the run's clock; None if it does not say that.

    Where the runner's clock shows that it is another one, what counts is how long after its first line that was.
    """
    word, attempt = run.last_word, run.attempt
    if word is None or not word.get(key):
        return None
    at = from_epoch_ms(word[key])
    began_at = attempt.began_at if attempt is not None else None
    if began_at is None or not word.get("began_ms"):
        return at
    ahead = from_epoch_ms(word["began_ms"]) - began_at
    return at - ahead if abs(ahead) > APART else at


def wait(run: Run, what: str, last_fact: str, now: datetime, *, line: Line | None = None) -> Run:
    """Return the run waiting for `what`; `since` stays as long as that does."""
    before = run.waiting
    since = before.since if before is not None and before.what == what else now
    waiting = Waiting(what, since, last_fact, now, None, line)
    waiting = replace(waiting, deadline=deadline(replace(run, waiting=waiting)))
    is_known = before is not None and replace(before, last_fact_at=now) == waiting
    return run if is_known else replace(run, waiting=waiting)


def put_back(run: Run, fact: PutBack, now: datetime) -> Decision:
    """Put the run back into the line as if nobody had claimed it: nothing of this attempt exists.

    What the first attempt refers to is resolved anew when there is room.
    """
    attempts = run.attempts[:-1]
    is_fixed = bool(attempts) or run.exact_of is not None
    queued = replace(
        run, state=RunState.QUEUED, act=None, attempts=attempts, timeline=run.timeline[:-1],
        frozen_sha256=run.frozen_sha256 if is_fixed else None, denied=None,
    )  # fmt: skip
    queued = wait(queued, fact.what, fact.why, now, line=Line.CLUSTER)
    asked = replace(queued.waiting, last_fact_at=now) if queued.waiting else None
    return replace(queued, waiting=asked), None


def with_attempt(run: Run, attempt: Attempt) -> Run:
    """Return the run with its last attempt replaced."""
    return replace(run, attempts=(*run.attempts[:-1], attempt))


def pend(run: Run, act: Act) -> Decision:
    """Return the run with the act that is to be done next."""
    return replace(run, act=act), act


def closed(attempt: Attempt, end: End, now: datetime) -> Attempt:
    """Return the attempt as ended."""
    return replace(attempt, ended_at=now, state=end.state, **_why(end.failure))


def _why(failure: Failure | None) -> dict[str, Any]:
    """Return what an attempt and its run keep of a failure; nothing of none."""
    if failure is None:
        return {"reason": None, "object": "", "evidence": (), "headline": "", "place": None}
    return {name: getattr(failure, name) for name in Failure.__slots__}


def end(run: Run, end: End, now: datetime) -> Decision:
    """End the run: reason and evidence from `end`, then clean-up if anything was ever prepared."""
    at = min(now, word_at(run, "ended_ms") or now)
    if run.attempts and run.attempts[-1].state is None:
        run = with_attempt(run, closed(run.attempts[-1], end, at))
    run = enter(run, end.state, at, end.because)
    run = replace(run, act=None, waiting=None, ended_at=run.timeline[-1].at, **_why(end.failure))
    if not any(attempt.receipt for attempt in run.attempts):
        return replace(run, archived=True, is_open=False), None
    return pend(replace(run, reap=Reap(next_at=now)), Act(ActKind.REAP))


def end_attempt(run: Run, outcome: End, now: datetime) -> Decision:
    """End the attempt; the run ends with it unless the retry policy makes another."""
    attempt, failure = run.attempt, outcome.failure
    if attempt is None or failure is None or run.cancel is not None or run.unsure:
        return end(run, outcome, now)
    next_at, rule = retry.next_at(run.spec["retry"], failure.reason, attempt.number, now)
    attempt = replace(attempt, rule=rule, next_at=next_at)
    run = with_attempt(run, attempt)
    if next_at is None:
        return end(run, outcome, now)
    run = with_attempt(run, closed(attempt, outcome, now))
    return pend(run, Act(ActKind.NEXT_ATTEMPT))
