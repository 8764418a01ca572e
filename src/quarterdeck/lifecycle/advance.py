"""One pure function decides every transition and the next act; `service.advancing` saves, acts and observes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from quarterdeck.lifecycle import denied, dispatching, ladder, late, losses, nodes, observed, steps
from quarterdeck.lifecycle.classify import End, classify, ended_by
from quarterdeck.lifecycle.steps import Decision
from quarterdeck.model.failure import Failure, Reason
from quarterdeck.model.observation import (
    Denied,
    Fact,
    Observation,
    Phase,
    Reaped,
    Room,
    Silent,
    Stepped,
)
from quarterdeck.model.run import (
    Act,
    ActKind,
    Attempt,
    Cancel,
    Entered,
    Line,
    Reap,
    Run,
    RunState,
)

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
    if run.act is not None and run.act.kind is ActKind.NEXT_ATTEMPT:
        return _next_attempt(run, fact, now)
    if run.state is RunState.DISPATCHING:
        return dispatching.decide(run, fact, now)
    if run.state is RunState.CANCELLING:
        return _cancelling(run, fact, now)
    return _dispatched(run, fact, now)


# --- before anything executes -----------------------------------------------------------


def _queued(run: Run, fact: Fact | None, now: datetime) -> Decision:
    if run.cancel is not None:
        return steps.end(run, ended_by(run.cancel, "cancelled while queued"), now)
    if now >= run.queue_deadline:
        waiting = run.waiting
        evidence = [f"waited for {waiting.what if waiting else 'a place'}"]
        evidence += [waiting.last_fact] if waiting and waiting.line is Line.CLUSTER else []
        failure = Failure(Reason.QUOTA, "", tuple(filter(None, evidence)))
        return steps.end(run, End(RunState.REJECTED, "the queue deadline passed", failure), now)
    next_at = run.attempts[-1].next_at if run.attempts else None
    if next_at is not None and now < next_at:
        return steps.wait(run, "the next attempt", run.attempts[-1].rule, now), None
    if not isinstance(fact, Room):
        return run, None
    if not fact.free:
        known_at = fact.known_at or now
        return steps.wait(run, fact.what, fact.why, known_at, line=fact.line), None
    attempt = Attempt(number=len(run.attempts) + 1, claimed_at=now)
    # What its cluster said last stays, with its age, until the cluster says something else.
    is_suspect = run.waiting is not None and run.waiting.line is Line.CLUSTER
    waiting = run.waiting if is_suspect else None
    claimed = replace(run, attempts=(*run.attempts, attempt), waiting=waiting)
    claimed = steps.enter(
        claimed, RunState.DISPATCHING, now, f"claimed for attempt {attempt.number}"
    )
    kind = ActKind.FREEZE if run.frozen_sha256 is None else ActKind.CHECK
    return steps.pend(claimed, Act(kind))


# --- while it executes ------------------------------------------------------------------


def _dispatched(run: Run, fact: Fact | None, now: datetime) -> Decision:
    is_over = isinstance(fact, Observation) and fact.phase in (Phase.ENDED, Phase.GONE)
    # What an attempt left behind that ended by itself is swept at once: reaping comes next.
    if isinstance(fact, Observation) and is_over and (run.cancel is None or not fact.left):
        run = observed.told_by(run, fact, now)
        run = steps.tell(run, fact.happened, observed.ended_at(run, now))
        found = losses.explained(run, fact, classify(fact, run.cancel))
        return steps.end_attempt(run, found, now)
    if run.cancel is not None:
        return ladder.start(run, now)
    if isinstance(fact, Silent):
        return _silence(run, fact, now)
    if isinstance(fact, Observation):
        run = steps.tell(observed.seen(run, fact, now), fact.happened, now)
        if fact.failure is Reason.CONFIG_ERROR:  # it must not go on
            seen = Cancel(
                asked_by="what was seen", asked_at=now, reason=fact.failure, object=fact.object,
                evidence=(fact.because, *fact.evidence),
            )  # fmt: skip
            return ladder.start(replace(run, cancel=seen), now)
    overdue = _overdue(run, fact, now)
    if overdue is not None:
        due = Cancel(asked_by="deadline", asked_at=now, reason=overdue)
        if isinstance(fact, Observation) and fact.failure and overdue is not Reason.TIMEOUT:
            # What held it up says more than that it was late.
            due = replace(
                due, reason=fact.failure, object=fact.object,
                evidence=fact.evidence or (fact.because,),
            )  # fmt: skip
        return ladder.start(replace(run, cancel=due), now)
    return run, None


def _overdue(run: Run, fact: Fact | None, now: datetime) -> Reason | None:
    if run.state is RunState.RUNNING:
        return Reason.TIMEOUT if late.is_overdue(run, fact, now) else None
    due = steps.deadline(run)
    if due is None or now < due:
        return None
    return Reason.UNSCHEDULABLE if run.state is RunState.PENDING else Reason.ENGINE_START


def _silence(run: Run, fact: Silent, now: datetime) -> Decision:
    silent_since = run.silent_since or fact.since or now
    run = replace(denied.silent(run, now), silent_since=silent_since)
    since = fact.since or silent_since  # while nobody asked, before that, it was no silence
    attempt = run.attempt
    latest = (
        run.queued_at
        if attempt is None
        else (attempt.began_at or attempt.released_at or attempt.claimed_at)
    )
    bound = max(since, latest + timedelta(seconds=run.timeout_s)) + SILENCE
    if now < bound:
        return steps.wait(run, steps.SILENT, fact.why, now), None
    left = attempt.receipt.id if attempt is not None and attempt.receipt is not None else run.id
    where = f" ({run.placement})" if run.placement else ""
    silent = f"no answer since {since:%Y-%m-%d %H:%M:%S} UTC: {fact.why}"
    evidence = (f"{left}{where} may still run there; {silent}",)
    failure = Failure(Reason.LOST, left, evidence)
    return steps.end(run, End(RunState.LOST, "the cluster never answered again", failure), now)


# --- cancel -----------------------------------------------------------------------------


def _cancelling(run: Run, fact: Fact | None, now: datetime) -> Decision:
    run = observed.slept(run, fact)
    cancel = run.cancel
    if cancel is None or cancel.next_step_at is None:
        raise AssertionError(f"{run.id} is cancelling without a step")
    if isinstance(fact, Observation) and fact.phase in (Phase.ENDED, Phase.GONE) and not fact.left:
        run = observed.told_by(run, fact, now)
        return steps.end_attempt(run, _ended(run, fact, cancel), now)
    if isinstance(fact, Silent):  # a step that may not have arrived is not late
        return _silence(run, fact, now)
    if isinstance(fact, Denied) and (waits := _denied_step(run, cancel, fact, now)) is not None:
        return waits, None
    if isinstance(fact, (Denied, Stepped)):
        run = _stepped(run, cancel, fact, now)
    if isinstance(fact, Observation) and run.silent_since is not None and cancel.step is not None:
        cancel = replace(cancel, next_step_at=now + timedelta(seconds=ladder.STEP_S[cancel.step]))
        run = replace(run, cancel=cancel, silent_since=None)
    if isinstance(fact, Observation) and fact.left != cancel.left:
        cancel = replace(cancel, left=fact.left)
        run = replace(run, cancel=cancel, seen_at=now)
    if cancel.next_step_at is not None and now < cancel.next_step_at:
        return run, None if denied.is_early(run, now) else run.act
    if cancel.next_step is not None:
        return ladder.step(run, cancel, cancel.next_step, now)
    receipt = run.attempts[-1].receipt
    left = cancel.left or ((receipt.id,) if receipt is not None else ())
    failure = Failure(Reason.LOST, ", ".join(left), ("still there after the last cancel step",))
    return steps.end(
        run, End(RunState.LOST, "the last cancel step's deadline passed", failure), now
    )


def _ended(run: Run, fact: Observation, cancel: Cancel) -> End:
    """Return the end of what was cancelled; what may have begun was not refused."""
    found = losses.explained(run, fact, classify(fact, cancel))
    attempt = run.attempts[-1]
    has_begun = fact.began_at is not None or attempt.began_at is not None
    may_have_begun = has_begun or (attempt.released_at is None and run.chosen is not None)
    is_refused = found.state is RunState.REJECTED
    return replace(found, state=RunState.FAILED) if is_refused and may_have_begun else found


def _stepped(run: Run, cancel: Cancel, fact: Stepped | Denied, now: datetime) -> Run:
    refused = fact.refused if isinstance(fact, Stepped) else fact.refused.problems[0].message
    run = steps.wait(run, "what is left to end", refused or f"step {cancel.step}", now)
    return run if refused else replace(run, act=None, denied=None)


def _denied_step(run: Run, cancel: Cancel, fact: Denied, now: datetime) -> Run | None:
    """Return the run that asks for the step again, which is not late meanwhile; None: it is refused."""
    waits = denied.again(run, fact, now)
    if waits is None or waits.denied is None or cancel.step is None:
        return None
    later = waits.denied.ask_at + timedelta(seconds=ladder.STEP_S[cancel.step])
    return replace(waits, cancel=replace(cancel, next_step_at=later))


# --- the end ----------------------------------------------------------------------------


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
        failure = Failure(
            attempt.reason, attempt.object, attempt.evidence, attempt.headline, attempt.place
        )
        because = f"no next attempt: attempt {attempt.number} cannot be cleared away"
        return steps.end(run, End(attempt.state, because, failure), now)
    before = run.attempts[-2].next_at if len(run.attempts) > 1 else None
    patience = run.queue_deadline - (before or run.queued_at)
    queued = replace(
        run, act=None, silent_since=None, denied=None, phase="", last_word=None, waiting=None,
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
    found = tuple(dict.fromkeys((*run.reap.removed, *fact.report.removed, *_went(run, fact))))
    next_at = later[0] if later else None
    if fact.report.left and next_at is None and looks < len(REAP_AFTER):
        next_at = now + REAP_AFTER[1]
    reap = Reap(looks=looks, next_at=next_at, removed=found, left=fact.report.left)
    is_open = next_at is not None
    return replace(run, act=None, waiting=None, reap=reap, is_open=is_open), None


def _went(run: Run, fact: Reaped) -> list[str]:
    """Return what was left at the look before and is not there any more; of a lost node nobody knows it."""
    attempt = run.attempt
    if attempt is None or attempt.reason is Reason.NODE_LOST:
        return []
    return [name for name in run.reap.left if name not in fact.report.left]
