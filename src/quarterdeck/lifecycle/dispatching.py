"""From the claim to the word to begin: which act follows which, what is waited for, and what refuses a run.

What may begin is kept before it has the word: no other thing of the attempt ever begins.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from quarterdeck.lifecycle import denied, ladder, steps
from quarterdeck.lifecycle.classify import End, classify, ended_by
from quarterdeck.lifecycle.steps import Decision
from quarterdeck.model.failure import Failure, Reason
from quarterdeck.model.observation import (
    Checked,
    Denied,
    Fact,
    Fenced,
    Frozen,
    Observation,
    Phase,
    Prepared,
    PutBack,
    Refused,
    Released,
    Silent,
    Started,
)
from quarterdeck.model.receipt import Receipt
from quarterdeck.model.run import Act, ActKind, Attempt, Cancel, Run, RunState

ASKING: Final = (ActKind.FREEZE, ActKind.CHECK)
"""Acts during which nothing of the run can exist at its cluster yet."""
BEFORE_THE_WORD: Final = (*ASKING, ActKind.PREPARE)
"""Acts of a dispatch that give nothing the word to begin."""


def decide(run: Run, fact: Fact | None, now: datetime) -> Decision:
    """Return the run as it stands after `fact`, and the next act."""
    act, attempt = run.act, run.attempt
    if act is None or attempt is None:
        raise AssertionError(f"{run.id} is dispatching without an act")
    if run.cancel is not None and act.kind is not ActKind.PREPARE:
        if attempt.receipt is not None:
            return ladder.start(run, now)
        return steps.end(run, ended_by(run.cancel, "cancelled before anything was prepared"), now)
    if isinstance(fact, Refused) and act.kind not in BEFORE_THE_WORD:
        return run, act  # what may begin already is ended, not refused
    if isinstance(fact, (Refused, Fenced, PutBack)):
        return _refused(run, fact, now)
    if isinstance(fact, Denied):
        return _denied(run, fact, now)
    if isinstance(fact, Silent):
        return _unanswered(denied.silent(run, now), fact, now)
    if fact is None and denied.is_early(run, now):
        return run, None
    return _go_on(run, act, attempt, fact, now)


def _go_on(run: Run, act: Act, attempt: Attempt, fact: Fact | None, now: datetime) -> Decision:
    """Go on to the act that follows the pending one, if that is done."""
    receipt = attempt.receipt
    if act.kind is ActKind.START and receipt is not None and receipt.chosen is None:
        return _unmade(run, attempt, receipt, fact, now)
    match fact:
        case Frozen() if act.kind is ActKind.FREEZE:
            frozen = replace(run, frozen_sha256=fact.sha256, timeout_s=fact.timeout_s)
            frozen = _noted(frozen, fact)
            return steps.pend(frozen, Act(ActKind.CHECK))
        case Checked() if act.kind is ActKind.CHECK:
            return steps.pend(_noted(replace(run, denied=None), fact), Act(ActKind.PREPARE))
        case Prepared() if act.kind is ActKind.PREPARE:
            kept = steps.with_attempt(run, replace(attempt, receipt=fact.receipt))
            kept = replace(kept, denied=None)
            return (
                ladder.start(kept, now) if run.cancel else steps.pend(kept, Act(ActKind.RELEASE))
            )
        case Released() if act.kind is ActKind.RELEASE:
            return _released(run, attempt, fact.receipt, now)
        case Started() if act.kind is ActKind.START:
            started = steps.with_attempt(run, replace(attempt, released_at=now))
            started = replace(
                started, act=None, denied=None, submitted_at=run.submitted_at or now, seen_at=now
            )
            started = steps.enter(started, RunState.SUBMITTED, now, "released")
            return steps.wait(started, "the runner", "released", now), None
        case _:
            return run, act


def _released(run: Run, attempt: Attempt, receipt: Receipt, now: datetime) -> Decision:
    """Keep what may begin, before it has the word to; without it, wait for it."""
    kept, act = steps.pend(
        steps.with_attempt(run, replace(attempt, receipt=receipt)), Act(ActKind.START)
    )
    kept = replace(kept, denied=None)
    if receipt.chosen is not None:
        return kept, act
    return steps.wait(kept, steps.MADE, "released; there is none yet", now), None


def _unmade(
    run: Run, attempt: Attempt, receipt: Receipt, fact: Fact | None, now: datetime
) -> Decision:
    """Wait for what may begin, at most until the queue deadline. Nothing of the attempt begins meanwhile."""
    if isinstance(fact, Released) and fact.receipt.chosen is not None:
        return _released(run, attempt, fact.receipt, now)
    if isinstance(fact, Observation):
        if fact.made is not None:
            return _released(run, attempt, replace(receipt, chosen=fact.made), now)
        if fact.phase in (Phase.ENDED, Phase.GONE):
            return steps.end_attempt(run, classify(fact, None), now)
        what = steps.HELD if fact.failure is Reason.QUOTA else steps.MADE
        run = steps.wait(run, what, fact.because, now)
    if now < run.queue_deadline:
        return run, None
    waits = run.waiting
    said = (f"waited for {waits.what}: {waits.last_fact}",) if waits is not None else ()
    late = Cancel(asked_by="deadline", asked_at=now, reason=Reason.QUOTA, evidence=said)
    if isinstance(fact, Observation):
        late = replace(late, object=fact.object, evidence=fact.evidence or said)
    return ladder.start(replace(run, cancel=late), now)


def _denied(run: Run, fact: Denied, now: datetime) -> Decision:
    """Ask again while the refusal may pass; after that nothing of the attempt may begin."""
    waits = denied.again(run, fact, now)
    if waits is not None:
        return waits, None
    if run.receipt is None:
        return _refused(run, fact.refused, now)
    reason, about = fact.refused.reason, fact.refused.object
    evidence = tuple(problem.message for problem in fact.refused.problems)
    if run.chosen is None:
        end = End(RunState.FAILED, "refused before the start", Failure(reason, about, evidence))
        return steps.end(run, end, now)
    # Another process may have given it the word: it is ended as what runs is.
    final = Cancel("what was refused", now, reason, object=about, evidence=evidence)
    return ladder.start(replace(run, cancel=final, denied=None), now)


def _noted(run: Run, fact: Frozen | Checked) -> Run:
    """Keep what was noted, each once: a run that waits for room is looked at again and again."""
    return replace(run, notes=tuple(dict.fromkeys((*run.notes, *fact.notes))))


def _refused(run: Run, fact: Refused | Fenced | PutBack, now: datetime) -> Decision:
    if isinstance(fact, PutBack):
        if run.act is None or run.act.kind not in ASKING:
            return run, run.act
        is_silent = fact.what == steps.SILENT
        return steps.put_back(denied.silent(run, now) if is_silent else run, fact, now)
    if isinstance(fact, Fenced):
        failure = Failure(Reason.START_FENCED, fact.detail)
        return steps.end(run, End(RunState.FAILED, fact.detail, failure), now)
    evidence = tuple(f"{p.path}: {p.message}" for p in fact.problems)
    failure = Failure(fact.reason, fact.object, evidence)
    end = End(RunState.REJECTED, "refused before the start", failure)
    return steps.end(replace(run, problems=fact.problems), end, now)


def _unanswered(run: Run, fact: Silent, now: datetime) -> Decision:
    """Wait for the cluster, at most until the queue deadline; what may have been prepared is named.

    What may have had the word to begin is ended as what runs is: by looking first.
    """
    if now < run.queue_deadline:
        return steps.wait(run, steps.SILENT, fact.why, now), None
    attempt, chosen = run.attempt, run.chosen
    if run.act == Act(ActKind.START) and chosen is not None:
        said = f"the cluster did not answer: {fact.why}"
        late = Cancel(
            asked_by="deadline", asked_at=now, reason=Reason.QUOTA, object=chosen.name,
            evidence=(said,),
        )  # fmt: skip
        return ladder.start(replace(run, cancel=late), now)
    prepared = run.act is not None and run.act.kind not in ASKING
    left = (
        f"attempt {attempt.number} may have been prepared"
        if prepared and attempt
        else "nothing was prepared"
    )
    failure = Failure(Reason.QUOTA, "", (f"the cluster did not answer: {fact.why}", left))
    state = RunState.FAILED if prepared else RunState.REJECTED
    return steps.end(run, End(state, "the queue deadline passed", failure), now)
