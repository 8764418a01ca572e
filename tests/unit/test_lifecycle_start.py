"""From released to started: what may begin is kept first, is waited for, and a refusal is asked again or final."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from quarterdeck.lifecycle.advance import advance
from quarterdeck.lifecycle.steps import HELD, MADE, deadline
from quarterdeck.model.errors import Problem
from quarterdeck.model.failure import Reason
from quarterdeck.model.observation import (
    Denied,
    Fact,
    Fenced,
    Observation,
    Phase,
    Reaped,
    Refused,
    Released,
    Silent,
    Started,
    Stepped,
)
from quarterdeck.model.receipt import Chosen, ReapReport
from quarterdeck.model.run import Act, ActKind, Cancel, CancelStep, Run, RunState
from tests.support.builders import NOW, a_receipt, a_run, a_spec
from tests.unit.test_lifecycle import CHOSEN, DISPATCH, after, seen, word

ONE = Chosen("pod p1", "u1", NOW)
START = Act(ActKind.START)
PROBLEM = Problem(
    "spec.cluster", "The right to create jobs in namespace ns is missing for user ana."
)
REFUSED = Refused(Reason.CONFIG_ERROR, (PROBLEM,), "the right to create jobs")
DENIED = Denied("the right to create jobs", REFUSED)
DOUBTED = replace(DENIED, doubt="the API server is not ready")


def released(run: Run | None = None) -> Run:
    """Return a run whose place has not made what begins yet."""
    made, act = after(*DISPATCH[:4], Released(a_receipt()), run=run)
    assert act is None
    return made


def at(seconds: float) -> Any:
    return NOW + timedelta(seconds=seconds)


def has_chosen(run: Run) -> bool:
    assert run.attempt is not None
    assert run.attempt.receipt is not None
    return run.attempt.receipt.chosen is not None


@pytest.mark.row("F13", "F-4")
def test_what_may_begin_is_waited_for_and_kept_before_the_word() -> None:
    run = released()
    assert (run.state, run.act, deadline(run)) == (
        RunState.DISPATCHING, START, run.queue_deadline,
    )  # fmt: skip
    assert run.waiting is not None
    assert (run.waiting.what, run.waiting.deadline) == (MADE, run.queue_deadline)
    assert advance(run, None, NOW) == (run, None)  # nobody can do anything
    run, act = after(seen(Phase.WAITING), run=run)
    assert (act, has_chosen(run)) == (None, False)
    run, act = after(seen(Phase.WAITING, made=ONE), run=run)
    assert (act, has_chosen(run), run.state) == (START, True, RunState.DISPATCHING)
    assert run.attempt is not None
    assert run.attempt.released_at is None
    run, act = after(Started(), run=run)
    assert (act, run.state) == (None, RunState.SUBMITTED)
    assert deadline(run) == NOW + timedelta(seconds=run.start_deadline_s)


@pytest.mark.row("F13")
def test_what_was_chosen_is_never_another() -> None:
    other = Chosen("pod p2", "u2", NOW)
    for fact in (
        seen(Phase.WAITING, made=other), Released(replace(a_receipt(), chosen=other)),
    ):  # fmt: skip
        for run in (after(*DISPATCH[:5])[0], after(*DISPATCH)[0]):
            again, _ = after(fact, run=run)
            assert again.attempts[-1].receipt == CHOSEN


@pytest.mark.row("F-24", "F6")
def test_a_full_quota_behind_the_release_is_queueing_until_the_deadline() -> None:
    full = seen(Phase.WAITING, failure=Reason.QUOTA, object="Job j", evidence=("exceeded quota",))
    run, act = after(full, run=released())
    assert (run.state, act) == (RunState.DISPATCHING, None)
    assert run.waiting is not None
    assert run.waiting.what == HELD
    run, act = after(full, run=run, at=run.queue_deadline)
    assert (run.state, act) == (RunState.CANCELLING, Act(ActKind.CANCEL, CancelStep.ASK))
    run, _ = after(seen(Phase.GONE), run=run, at=run.queue_deadline)
    assert (run.state, run.reason) == (RunState.REJECTED, Reason.QUOTA)
    assert "exceeded quota" in run.evidence


@pytest.mark.row("F6")
def test_a_pod_that_nobody_makes_rejects_the_run_at_its_deadline_and_says_what_was_waited_for() -> (
    None
):
    held = replace(seen(Phase.WAITING), because="kueue suspended the Job at 06:00:00 UTC")
    run, _ = after(held, run=released())
    run, act = advance(run, None, run.queue_deadline)
    assert act == Act(ActKind.CANCEL, CancelStep.ASK)
    run, _ = after(seen(Phase.GONE), run=run, at=run.queue_deadline)
    assert (run.state, run.reason) == (RunState.REJECTED, Reason.QUOTA)
    assert run.evidence == (f"waited for {MADE}: kueue suspended the Job at 06:00:00 UTC",)


@pytest.mark.parametrize(
    ("fact", "state", "reason"),
    [
        (seen(Phase.GONE), RunState.FAILED, Reason.DELETED_EXTERNALLY),
        (seen(Phase.ENDED, failure=Reason.CONFIG_ERROR), RunState.FAILED, Reason.CONFIG_ERROR),
        (seen(Phase.ENDED, failure=Reason.TIMEOUT), RunState.TIMED_OUT, Reason.TIMEOUT),
        (seen(Phase.ENDED), RunState.LOST, Reason.LOST),
        (Fenced("another"), RunState.FAILED, Reason.START_FENCED),
    ],
)
@pytest.mark.row("F-25", "F-12")
def test_what_ends_before_anything_was_made_ends_the_run(
    fact: Fact, state: RunState, reason: Reason
) -> None:
    run, act = after(fact, run=released())
    assert (run.state, run.reason, act) == (state, reason, Act(ActKind.REAP))


@pytest.mark.row("F4")
def test_a_job_deleted_before_it_had_a_pod_is_followed_by_the_next_attempt() -> None:
    retry = {"attempts": 2, "backoff": 1.0, "on": ["deleted_externally"]}
    run = released(a_run(spec=a_spec(retry=retry)))
    run, act = after(seen(Phase.GONE), run=run)
    assert act == Act(ActKind.NEXT_ATTEMPT)
    run, _ = after(Reaped(ReapReport()), run=run)
    assert run.state is RunState.QUEUED
    run, _ = after(*DISPATCH, run=run, at=at(2))
    assert (run.state, len(run.attempts)) == (RunState.SUBMITTED, 2)


@pytest.mark.row("F13")
def test_what_was_chosen_and_is_gone_before_it_began_is_fenced_and_can_be_retried() -> None:
    run, act = after(*DISPATCH[:5], Fenced("pod p1 was gone"))
    assert (run.state, run.reason, run.object) == (
        RunState.FAILED, Reason.START_FENCED, "pod p1 was gone",
    )  # fmt: skip
    assert act == Act(ActKind.REAP)


@pytest.mark.row("F7")
def test_a_cancel_before_the_word_ends_what_was_made() -> None:
    for run in (released(), after(*DISPATCH[:5])[0]):
        asked = replace(run, cancel=Cancel(asked_by="ana", asked_at=NOW))
        going, act = advance(asked, None, NOW)
        assert (going.state, act) == (RunState.CANCELLING, Act(ActKind.CANCEL, CancelStep.ASK))
        going, _ = after(Stepped(), seen(Phase.GONE), run=going)
        assert going.state is RunState.CANCELLED


def test_at_the_deadline_what_may_have_begun_is_looked_at_first() -> None:
    run, _ = after(*DISPATCH[:5])
    run, act = after(Silent(NOW, "no route"), run=run, at=run.queue_deadline)
    assert (run.state, act) == (RunState.CANCELLING, Act(ActKind.CANCEL, CancelStep.ASK))
    run, _ = after(seen(Phase.ENDED, last_word=word()), run=run, at=run.queue_deadline)
    assert run.state is RunState.SUCCEEDED


def test_at_the_deadline_what_cannot_have_begun_ends_at_once() -> None:
    for run in (released(), after(*DISPATCH[:4])[0]):
        late, act = after(Silent(NOW, "no route"), run=run, at=run.queue_deadline)
        assert (late.state, late.reason, act) == (
            RunState.FAILED, Reason.QUOTA, Act(ActKind.REAP),
        )  # fmt: skip


# --- refusals


@pytest.mark.row("F-11")
def test_a_refusal_out_of_the_blue_is_final() -> None:
    run, act = after(*DISPATCH[:2], DENIED)
    assert (run.state, run.reason, act) == (RunState.REJECTED, Reason.CONFIG_ERROR, None)
    assert run.evidence == (f"spec.cluster: {PROBLEM.message}",)


def asked_until_it_ends(run: Run, fact: Denied) -> tuple[Run, list[float]]:
    """Look each half second; return the run as it ended and when it was asked again."""
    moments, seconds = [], 0.0
    while run.state is RunState.DISPATCHING:
        assert seconds < 200
        seconds += 0.5
        run, act = advance(run, None, at(seconds))
        if act is not None:
            moments.append(seconds)
            run, _ = advance(run, fact, at(seconds))
    return run, moments


@pytest.mark.row("F-11")
@pytest.mark.parametrize("steps", [2, 3])
def test_a_doubtful_refusal_is_asked_again_ever_more_seldom_for_two_minutes(steps: int) -> None:
    run, act = after(*DISPATCH[:steps], DOUBTED)
    assert (run.state, act) == (RunState.DISPATCHING, None)
    assert run.waiting is not None
    assert run.waiting.what == "the right to create jobs"
    assert run.waiting.last_fact == (
        f"asked again until 02:02:00 UTC: the API server is not ready; {PROBLEM.message}"
    )
    ended, moments = asked_until_it_ends(run, DENIED)  # it need not be doubted each time
    assert moments[:4] == [1, 3, 7, 15]
    assert len(moments) < 15
    assert moments[-1] == 120
    assert (ended.state, ended.reason) == (RunState.REJECTED, Reason.CONFIG_ERROR)
    assert PROBLEM.message in " ".join(ended.evidence)


@pytest.mark.row("F-11")
def test_a_refusal_within_two_minutes_of_a_silence_is_doubted() -> None:
    run, _ = after(*DISPATCH[:2], Silent(NOW, "no route"))
    assert run.silent_at == NOW
    again, act = advance(run, DENIED, at(120))
    assert (again.state, act) == (RunState.DISPATCHING, None)
    assert again.denied is not None
    final, _ = advance(run, DENIED, at(121))
    assert final.state is RunState.REJECTED
    gone_on, act = after(DISPATCH[2], run=again, at=at(121))
    assert (gone_on.denied, act) == (None, Act(ActKind.PREPARE))


def test_a_silence_is_kept_to_within_a_quarter_of_a_minute() -> None:
    run, _ = after(*DISPATCH[:2], Silent(NOW, "no route"))
    same, _ = after(Silent(NOW, "no route"), run=run, at=at(14))
    assert same == run
    later, _ = after(Silent(NOW, "no route"), run=run, at=at(15))
    assert later.silent_at == at(15)
    under_way, _ = after(*DISPATCH, Silent(NOW, "no route"))
    assert under_way.silent_at == NOW


@pytest.mark.row("F-11")
def test_a_lasting_refusal_of_the_word_ends_what_may_have_had_it() -> None:
    run, act = after(*DISPATCH[:5], DENIED)
    assert (run.state, act) == (RunState.CANCELLING, Act(ActKind.CANCEL, CancelStep.ASK))
    run, _ = after(Stepped(), seen(Phase.GONE), run=run)
    assert (run.state, run.reason, run.object) == (
        RunState.FAILED, Reason.CONFIG_ERROR, "the right to create jobs",
    )  # fmt: skip
    assert PROBLEM.message in run.evidence


@pytest.mark.row("F-11")
def test_a_lasting_refusal_of_the_release_ends_the_run_at_once() -> None:
    run, act = after(*DISPATCH[:4], DENIED)
    assert (run.state, run.reason, act) == (
        RunState.FAILED, Reason.CONFIG_ERROR, Act(ActKind.REAP),
    )  # fmt: skip


@pytest.mark.row("F-11", "F7")
def test_a_step_of_a_cancel_that_is_asked_again_is_not_late() -> None:
    run, _ = after(*DISPATCH)
    run, act = advance(replace(run, cancel=Cancel("ana", NOW)), None, NOW)
    seconds, asked, steps = 0.0, 0, [CancelStep.ASK]
    still = seen(Phase.RUNNING, left=("pod p",))
    while seconds < 119:
        if act is not None:
            asked += 1
            run, _ = advance(run, DOUBTED, at(seconds))
        seconds += 0.5
        run, act = advance(run, still, at(seconds))
        steps.append(run.cancel.step if run.cancel and run.cancel.step else CancelStep.ASK)
    assert (run.state, set(steps)) == (RunState.CANCELLING, {CancelStep.ASK})
    assert 5 < asked < 15
    run, _ = after(Stepped(), run=run, at=at(119))
    assert run.denied is None
    run, _ = after(seen(Phase.GONE), run=run, at=at(120))
    assert run.state is RunState.CANCELLED


@pytest.mark.row("F7")
def test_a_refused_cancel_climbs_on_and_ends_lost_by_name() -> None:
    run, _ = after(*DISPATCH)
    run, act = advance(replace(run, cancel=Cancel("ana", NOW)), None, NOW)
    seconds = 0.0
    still = seen(Phase.RUNNING, left=("pod p",))
    while run.state is RunState.CANCELLING and seconds < 300:
        if act is not None:
            run, _ = advance(run, DENIED, at(seconds))
        seconds += 0.5
        run, act = advance(run, still, at(seconds))
    assert (run.state, run.object) == (RunState.LOST, "pod p")
    assert seconds < 100


def test_a_clock_that_was_put_back_does_not_keep_it_from_asking() -> None:
    run, _ = after(*DISPATCH[:2], DOUBTED, at=at(0))
    run, act = advance(run, None, NOW - timedelta(hours=3))
    assert act == Act(ActKind.CHECK)


def test_observations_of_one_that_waits_may_come_late() -> None:
    started, _ = after(*DISPATCH)
    stale = Observation(NOW, Phase.WAITING, "pod p1 waits for the word", made=ONE)
    assert after(stale, run=started)[0].state is RunState.SUBMITTED
