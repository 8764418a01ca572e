"""One pure function decides every transition and the next act; `service.advancing` saves, acts and observes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from quarterdeck.lifecycle import nodes, observed, retry, steps
from quarterdeck.lifecycle.classify import End, classify, ended_by
from quarterdeck.lifecycle.steps import Decision
from quarterdeck.model.failure import Failure, Reason
from quarterdeck.model.observation import (
    Checked,
    Fact,
    Fenced,
    Frozen,
    Observation,
    Phase,
    Prepared,
    Reaped,
    Refused,
    Released,
    Room,
    Silent,
    Stepped,
)
from quarterdeck.model.run import (
    Act,
    ActKind,
    Attempt,
    Cancel,
    CancelStep,
    Entered,
    Reap,
    Run,
    RunState,
)

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
REAP_AFTER: Final = (timedelta(0), timedelta(seconds=60), timedelta(minutes=5))
SILENCE: Final = timedelta(minutes=30)


def advance(run: Run, fact: Fact | None, now: datetime) -> Decision:
    """Return the run as it stands after `fact`, and what to do next (None: look again later).

    A fact that does not fit the run's state (an answer that came late, an act done twice) changes nothing. With no
    fact the pending act is returned again, so that a crash repeats an act and never invents a state.
    """
    if run.is_terminal:
        return _after_the_end(run, fact, now)
    if run.state is RunState.QUEUED:
        return _queued(run, fact, now)
    if run.state is RunState.DISPATCHING:
        return _dispatching(run, fact, now)
    if run.act is not None and run.act.kind is ActKind.NEXT_ATTEMPT:
        return _next_attempt(run, fact, now)
    if run.state is RunState.CANCELLING:
        return _cancelling(run, fact, now)
    return _dispatched(run, fact, now)


# --- before anything executes -----------------------------------------------------------


def _queued(run: Run, fact: Fact | None, now: datetime) -> Decision:
    if run.cancel is not None:
        return steps.end(run, ended_by(run.cancel, "cancelled while queued"), now)
    if now >= run.queue_deadline:
        what = run.waiting.what if run.waiting else "a place"
        failure = Failure(Reason.QUOTA, "", (f"waited for {what}",))
        return steps.end(run, End(RunState.REJECTED, "the queue deadline passed", failure), now)
    next_at = run.attempts[-1].next_at if run.attempts else None
    if next_at is not None and now < next_at:
        return steps.wait(run, "the next attempt", run.attempts[-1].rule, now), None
    if not isinstance(fact, Room):
        return run, None
    if not fact.free:
        return steps.wait(run, fact.what, f"place {fact.position} in the line", now), None
    attempt = Attempt(number=len(run.attempts) + 1, claimed_at=now)
    claimed = replace(run, attempts=(*run.attempts, attempt), waiting=None)
    claimed = steps.enter(
        claimed, RunState.DISPATCHING, now, f"claimed for attempt {attempt.number}"
    )
    kind = ActKind.FREEZE if run.frozen_sha256 is None else ActKind.CHECK
    return steps.pend(claimed, Act(kind))


def _dispatching(run: Run, fact: Fact | None, now: datetime) -> Decision:
    act, attempt = run.act, run.attempt
    if act is None or attempt is None:
        raise AssertionError(f"{run.id} is dispatching without an act")
    if run.cancel is not None and act.kind is not ActKind.PREPARE:
        if attempt.receipt is not None:
            return _start_cancel(run, now)
        return steps.end(run, ended_by(run.cancel, "cancelled before anything was prepared"), now)
    if isinstance(fact, (Refused, Fenced, Room)):
        return _refused(run, fact, now)
    match fact:
        case Frozen() if act.kind is ActKind.FREEZE:
            frozen = replace(run, frozen_sha256=fact.sha256, timeout_s=fact.timeout_s)
            frozen = _noted(frozen, fact)
            return steps.pend(frozen, Act(ActKind.CHECK))
        case Checked() if act.kind is ActKind.CHECK:
            return steps.pend(_noted(run, fact), Act(ActKind.PREPARE))
        case Prepared() if act.kind is ActKind.PREPARE:
            kept = steps.with_attempt(run, replace(attempt, receipt=fact.receipt))
            return (
                _start_cancel(kept, now) if run.cancel else steps.pend(kept, Act(ActKind.RELEASE))
            )
        case Released() if act.kind is ActKind.RELEASE:
            released = steps.with_attempt(run, replace(attempt, released_at=now))
            released = replace(
                released, act=None, submitted_at=run.submitted_at or now, seen_at=now
            )
            released = steps.enter(released, RunState.SUBMITTED, now, "released")
            return steps.wait(released, "the runner", "released", now), None
        case Silent():
            return _unanswered(run, fact, now)
        case _:
            return run, act


def _noted(run: Run, fact: Frozen | Checked) -> Run:
    """Keep what was noted, each once: a run that waits for room is looked at again and again."""
    return replace(run, notes=tuple(dict.fromkeys((*run.notes, *fact.notes))))


def _refused(run: Run, fact: Refused | Fenced | Room, now: datetime) -> Decision:
    if isinstance(fact, Room):
        is_asked = run.act is not None and run.act.kind is ActKind.CHECK
        return steps.unclaim(run, fact, now) if is_asked and not fact.free else (run, run.act)
    if isinstance(fact, Fenced):
        failure = Failure(Reason.START_FENCED, fact.detail)
        return steps.end(run, End(RunState.FAILED, fact.detail, failure), now)
    evidence = tuple(f"{p.path}: {p.message}" for p in fact.problems)
    failure = Failure(fact.reason, fact.object, evidence)
    end = End(RunState.REJECTED, "refused before the start", failure)
    return steps.end(replace(run, problems=fact.problems), end, now)


def _unanswered(run: Run, fact: Silent, now: datetime) -> Decision:
    """Wait for the cluster, at most until the queue deadline; what may have been prepared is named."""
    if now < run.queue_deadline:
        return steps.wait(run, "the cluster to answer", fact.why, now), None
    attempt = run.attempt
    prepared = run.act is not None and run.act.kind in (ActKind.PREPARE, ActKind.RELEASE)
    left = (
        f"attempt {attempt.number} may have been prepared"
        if prepared and attempt
        else "nothing was prepared"
    )
    failure = Failure(Reason.QUOTA, "", (f"the cluster did not answer: {fact.why}", left))
    state = RunState.FAILED if prepared else RunState.REJECTED
    return steps.end(run, End(state, "the queue deadline passed", failure), now)


# --- while it executes ------------------------------------------------------------------


def _dispatched(run: Run, fact: Fact | None, now: datetime) -> Decision:
    is_over = isinstance(fact, Observation) and fact.phase in (Phase.ENDED, Phase.GONE)
    # What an attempt left behind that ended by itself is swept at once: reaping comes next.
    if isinstance(fact, Observation) and is_over and (run.cancel is None or not fact.left):
        run = steps.tell(
            observed.told_by(run, fact, now), fact.happened, observed.ended_at(fact, now)
        )
        return _end_attempt(run, classify(fact, run.cancel), now)
    if run.cancel is not None:
        return _start_cancel(run, now)
    if isinstance(fact, Silent):
        return _silence(run, fact, now)
    if isinstance(fact, Observation):
        run = steps.tell(observed.seen(run, fact, now), fact.happened, now)
        if fact.failure is Reason.CONFIG_ERROR:  # it must not go on
            seen = Cancel(
                asked_by="what was seen", asked_at=now, reason=fact.failure, object=fact.object,
                evidence=(fact.because, *fact.evidence),
            )  # fmt: skip
            return _start_cancel(replace(run, cancel=seen), now)
    overdue = _overdue(run, now)
    if overdue is not None:
        due = Cancel(asked_by="deadline", asked_at=now, reason=overdue)
        if isinstance(fact, Observation) and fact.failure and overdue is not Reason.TIMEOUT:
            # What held it up says more than that it was late.
            due = replace(
                due, reason=fact.failure, object=fact.object,
                evidence=fact.evidence or (fact.because,),
            )  # fmt: skip
        return _start_cancel(replace(run, cancel=due), now)
    return run, None


def _overdue(run: Run, now: datetime) -> Reason | None:
    due = steps.deadline(run)
    if due is None:
        return None
    if run.state is RunState.RUNNING:
        return Reason.TIMEOUT if now >= due + nodes.RUNNER_GRACE else None
    if now < due:
        return None
    return Reason.UNSCHEDULABLE if run.state is RunState.PENDING else Reason.ENGINE_START


def _silence(run: Run, fact: Silent, now: datetime) -> Decision:
    run = replace(run, silent_since=run.silent_since or fact.since)
    since = fact.since  # while nobody asked, before that, it was no silence
    attempt = run.attempt
    latest = (
        run.queued_at
        if attempt is None
        else (attempt.began_at or attempt.released_at or attempt.claimed_at)
    )
    bound = max(since, latest + timedelta(seconds=run.timeout_s)) + SILENCE
    if now < bound:
        return steps.wait(run, "the cluster to answer", fact.why, now), None
    left = attempt.receipt.id if attempt is not None and attempt.receipt is not None else run.id
    where = f" ({run.placement})" if run.placement else ""
    silent = f"no answer since {since:%Y-%m-%d %H:%M:%S} UTC: {fact.why}"
    evidence = (f"{left}{where} may still run there; {silent}",)
    failure = Failure(Reason.LOST, left, evidence)
    return steps.end(run, End(RunState.LOST, "the cluster never answered again", failure), now)


# --- cancel -----------------------------------------------------------------------------


def _start_cancel(run: Run, now: datetime) -> Decision:
    cancel = run.cancel
    if cancel is None:
        raise AssertionError(f"{run.id} has no cancel")
    run = steps.enter(
        run, RunState.CANCELLING, now, f"{cancel.reason}, asked by {cancel.asked_by}"
    )
    return _step(run, cancel, CancelStep.ASK, now)


def _step(run: Run, cancel: Cancel, step: CancelStep, now: datetime) -> Decision:
    at = now + timedelta(seconds=STEP_S[step])
    cancel = replace(cancel, step=step, next_step=NEXT_STEP[step], next_step_at=at)
    run = steps.wait(replace(run, cancel=cancel), "what is left to end", f"step {step}", now)
    return steps.pend(run, Act(ActKind.CANCEL, step))


def _cancelling(run: Run, fact: Fact | None, now: datetime) -> Decision:
    cancel = run.cancel
    if cancel is None or cancel.next_step_at is None:
        raise AssertionError(f"{run.id} is cancelling without a step")
    if isinstance(fact, Observation) and fact.phase in (Phase.ENDED, Phase.GONE) and not fact.left:
        return _end_attempt(observed.told_by(run, fact, now), classify(fact, cancel), now)
    if isinstance(fact, Silent):  # a step that may not have arrived is not late
        return _silence(run, fact, now)
    if isinstance(fact, Stepped):
        run = steps.wait(run, "what is left to end", fact.refused or f"step {cancel.step}", now)
        run = run if fact.refused else replace(run, act=None)
    if isinstance(fact, Observation) and run.silent_since is not None and cancel.step is not None:
        cancel = replace(cancel, next_step_at=now + timedelta(seconds=STEP_S[cancel.step]))
        run = replace(run, cancel=cancel, silent_since=None)
    if isinstance(fact, Observation) and fact.left != cancel.left:
        cancel = replace(cancel, left=fact.left)
        run = replace(run, cancel=cancel, seen_at=now)
    if cancel.next_step_at is not None and now < cancel.next_step_at:
        return run, run.act
    if cancel.next_step is not None:
        return _step(run, cancel, cancel.next_step, now)
    receipt = run.attempts[-1].receipt
    left = cancel.left or ((receipt.id,) if receipt is not None else ())
    failure = Failure(Reason.LOST, ", ".join(left), ("still there after the last cancel step",))
    return steps.end(
        run, End(RunState.LOST, "the last cancel step's deadline passed", failure), now
    )


# --- the end ----------------------------------------------------------------------------


def _end_attempt(run: Run, end: End, now: datetime) -> Decision:
    """End the attempt; the run ends with it unless the retry policy makes another."""
    attempt, failure = run.attempt, end.failure
    if attempt is None or failure is None or run.cancel is not None or run.unsure:
        return steps.end(run, end, now)
    next_at, rule = retry.next_at(run.spec["retry"], failure.reason, attempt.number, now)
    attempt = replace(attempt, rule=rule, next_at=next_at)
    run = steps.with_attempt(run, attempt)
    if next_at is None:
        return steps.end(run, end, now)
    run = steps.with_attempt(run, steps.closed(attempt, end, now))
    return steps.pend(run, Act(ActKind.NEXT_ATTEMPT))


def _next_attempt(run: Run, fact: Fact | None, now: datetime) -> Decision:
    """Queue the next attempt once nothing of the last one is left; if that takes too long there is none."""
    attempt, cancel = run.attempts[-1], run.cancel
    if cancel is not None:
        end = ended_by(cancel, "cancelled between two attempts")
        return steps.end(replace(run, last_word=None), end, now)
    is_clear = isinstance(fact, Reaped) and not fact.report.left
    if attempt.reason is Reason.NODE_LOST:
        if is_clear and not attempt.cleared_by:
            attempt = replace(attempt, cleared_by="the cluster")
            run = steps.with_attempt(run, attempt)
        if nodes.is_held(run, attempt, now):
            why = fact.why if isinstance(fact, Silent) else ""
            if isinstance(fact, Reaped):
                why = ", ".join(fact.report.left)
            run = steps.wait(run, f"{attempt.object} to be back", why, now) if why else run
            return run, run.act
    elif not is_clear:
        if isinstance(fact, Silent):
            run = steps.wait(run, "the clean-up of the last attempt", fact.why, now)
        ended = attempt.ended_at or now
        if now < ended + SILENCE or attempt.state is None or attempt.reason is None:
            return run, run.act
        failure = Failure(attempt.reason, attempt.object, attempt.evidence)
        because = f"no next attempt: attempt {attempt.number} cannot be cleared away"
        return steps.end(run, End(attempt.state, because, failure), now)
    before = run.attempts[-2].next_at if len(run.attempts) > 1 else None
    patience = run.queue_deadline - (before or run.queued_at)
    queued = replace(
        run, act=None, silent_since=None, phase="", last_word=None, waiting=None,
        queue_deadline=(attempt.next_at or now) + patience,
    )  # fmt: skip
    entered = Entered(len(run.attempts) + 1, RunState.QUEUED, now, attempt.rule)
    return replace(queued, state=RunState.QUEUED, timeline=(*run.timeline, entered)), None


def _after_the_end(run: Run, fact: Fact | None, now: datetime) -> Decision:
    """Look for what is left: at the end, after one minute and after five, or once if that is past."""
    if run.reap.next_at is None or run.ended_at is None:
        return run, None
    if not isinstance(fact, Reaped):
        if now < run.reap.next_at:
            return run, None
        if isinstance(fact, Silent):
            return steps.wait(run, "the clean-up", fact.why, now), run.act
        return (run, run.act) if run.act is not None else steps.pend(run, Act(ActKind.REAP))
    looks = run.reap.looks + 1
    due = [run.ended_at + after for after in REAP_AFTER]
    later = [at for at in due if at > now]
    found = (
        *run.reap.removed,
        *(name for name in fact.report.removed if name not in run.reap.removed),
    )
    next_at = later[0] if later else None
    if fact.report.left and next_at is None and looks < len(REAP_AFTER):
        next_at = now + REAP_AFTER[1]
    reap = Reap(looks=looks, next_at=next_at, removed=found, left=fact.report.left)
    is_open = next_at is not None
    return replace(run, act=None, waiting=None, reap=reap, is_open=is_open), None
