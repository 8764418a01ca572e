"""Every transition that `advance` decides, as tables and as random walks."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.lifecycle import nodes, retry
from quarterdeck.lifecycle.advance import advance
from quarterdeck.lifecycle.advice import ADVICE
from quarterdeck.lifecycle.ladder import NEXT_STEP, STEP_S
from quarterdeck.lifecycle.states import FOLLOWS, ORDER
from quarterdeck.lifecycle.steps import deadline
from quarterdeck.model.errors import Problem
from quarterdeck.model.failure import Reason
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
    Reaped,
    Refused,
    Released,
    Room,
    Silent,
    Started,
    Stepped,
)
from quarterdeck.model.receipt import Chosen, ReapReport
from quarterdeck.model.run import (
    TERMINAL,
    Act,
    ActKind,
    Attempt,
    Cancel,
    CancelStep,
    Line,
    Run,
    RunState,
)
from tests.support.builders import NOW, a_receipt, a_run, a_spec

FREE = Room(free=True)
CHOSEN = replace(a_receipt(), chosen=Chosen("pod p1", "u1", NOW))
DISPATCH: list[Fact] = [
    FREE,
    Frozen("ab" * 32, 3600.0),
    Checked(),
    Prepared(a_receipt()),
    Released(CHOSEN),
    Started(),
]


@pytest.mark.row("F-24", "F6")
def test_no_room_at_the_check_is_the_line_again_and_resolves_anew_later() -> None:
    run, act = after(FREE, *DISPATCH[1:2], PutBack("room", "there is none"))
    assert (run.state, act, run.attempts, run.frozen_sha256) == (RunState.QUEUED, None, (), None)
    assert [one.state for one in run.timeline] == [RunState.QUEUED]
    assert run.waiting is not None
    assert (run.waiting.what, run.waiting.last_fact) == ("room", "there is none")
    again, act = after(*DISPATCH, run=run)
    assert (again.state, len(again.attempts)) == (RunState.SUBMITTED, 1)
    late, _ = after(
        Room(free=False, what="room", why="there is none"), run=run, at=run.queue_deadline
    )
    assert (late.state, late.reason) == (RunState.REJECTED, Reason.QUOTA)
    assert late.evidence == ("waited for room", "there is none")


@pytest.mark.row("F-24", "F6")
def test_a_quota_full_after_the_release_has_until_the_queue_deadline() -> None:
    held = seen(Phase.WAITING, failure=Reason.QUOTA, object="Job j", evidence=("exceeded quota",))
    run, act = after(*DISPATCH, held)
    assert (run.state, act) == (RunState.SUBMITTED, None)
    assert deadline(run) == run.queue_deadline
    assert run.waiting is not None
    assert run.waiting.deadline == run.queue_deadline
    late, act = after(held, run=run, at=run.queue_deadline)
    assert (late.state, act) == (RunState.CANCELLING, Act(ActKind.CANCEL, CancelStep.ASK))
    gone, _ = after(seen(Phase.GONE), run=late, at=late.queue_deadline)
    assert (gone.state, gone.reason) == (RunState.REJECTED, Reason.QUOTA)
    assert "exceeded quota" in gone.evidence
    began, _ = after(
        seen(Phase.ENDED, last_word=word("cancelled", reason="cancelled", exit_code=143)), run=late,
        at=late.queue_deadline,
    )  # fmt: skip
    assert (began.state, began.reason) == (RunState.FAILED, Reason.QUOTA)


@pytest.mark.row("B13")
def test_what_must_not_go_on_is_ended_at_once() -> None:
    other = seen(
        Phase.STARTING, failure=Reason.CONFIG_ERROR, object="image x", evidence=("a", "b")
    )
    run, act = after(*DISPATCH, other)
    assert (run.state, act) == (RunState.CANCELLING, Act(ActKind.CANCEL, CancelStep.ASK))
    run, _ = after(seen(Phase.GONE), run=run)
    assert (run.state, run.reason, run.object) == (RunState.FAILED, Reason.CONFIG_ERROR, "image x")
    assert set(run.evidence) >= {"a", "b"}


def seen(phase: Phase, **facts: Any) -> Observation:
    return Observation(at=NOW, phase=phase, because=f"seen {phase}", **facts)


def word(state: str = "succeeded", **facts: Any) -> dict[str, Any]:
    return {"state": state, "reason": None, "exit_code": 0, "phase": "running", **facts}


def after(*facts: Fact, run: Run | None = None, at: datetime = NOW) -> tuple[Run, Act | None]:
    run, act = run or a_run(), None
    for fact in facts:
        run, act = advance(run, fact, at)
    return run, act


def test_tables_are_total() -> None:
    assert set(FOLLOWS) == set(RunState)
    assert set(ADVICE) == set(Reason)
    assert len(set(ADVICE.values())) == len(Reason)
    assert all(not FOLLOWS[state] for state in TERMINAL)
    assert set(STEP_S) == set(CancelStep)
    assert set(NEXT_STEP) == {None, *CancelStep}


@pytest.mark.parametrize(
    ("facts", "state", "act"),
    [
        (0, RunState.QUEUED, None),
        (1, RunState.DISPATCHING, ActKind.FREEZE),
        (2, RunState.DISPATCHING, ActKind.CHECK),
        (3, RunState.DISPATCHING, ActKind.PREPARE),
        (4, RunState.DISPATCHING, ActKind.RELEASE),
        (5, RunState.DISPATCHING, ActKind.START),
        (6, RunState.SUBMITTED, None),
    ],
)
def test_dispatch_goes_on_from_any_step_after_a_crash(
    facts: int, state: RunState, act: ActKind | None
) -> None:
    run, last = after(*DISPATCH[:facts])
    assert run.state is state
    assert (last.kind if last else None) is act
    again, repeated = advance(run, None, NOW)
    assert (again, repeated) == (run, last)


def test_an_answer_that_came_twice_changes_nothing() -> None:
    run, _ = after(*DISPATCH)
    for fact in DISPATCH[1:]:
        assert advance(run, fact, NOW)[0] == run


def test_the_receipt_is_kept_before_the_release() -> None:
    run, act = after(*DISPATCH[:4])
    assert run.attempt is not None
    assert run.attempt.receipt == a_receipt()
    assert act == Act(ActKind.RELEASE)
    assert run.attempt.released_at is None
    run, act = after(Released(CHOSEN), run=run)
    assert run.attempt is not None
    assert (run.attempt.receipt, act) == (CHOSEN, Act(ActKind.START))
    assert run.attempt.released_at is None


ENDS = [
    (seen(Phase.ENDED, last_word=word()), RunState.SUCCEEDED, None),
    (
        seen(Phase.ENDED, last_word=word("failed", reason="user_error", message="boom")),
        RunState.FAILED,
        Reason.USER_ERROR,
    ),
    (
        seen(Phase.ENDED, last_word=word("timed_out", reason="timeout")),
        RunState.TIMED_OUT,
        Reason.TIMEOUT,
    ),
    (seen(Phase.ENDED, last_word=word("failed", reason="lost")), RunState.LOST, Reason.LOST),
    (seen(Phase.ENDED), RunState.LOST, Reason.LOST),
    (seen(Phase.ENDED, exit_code=0), RunState.LOST, Reason.LOST),
    (seen(Phase.ENDED, failure=Reason.OOM_DRIVER), RunState.FAILED, Reason.OOM_DRIVER),
    (seen(Phase.GONE), RunState.FAILED, Reason.DELETED_EXTERNALLY),
]


@pytest.mark.row("G5")
def test_what_was_said_whole_is_not_said_again_cut() -> None:
    long = "ValueError: " + "no " * 200
    told = word(
        "failed", reason="user_error", message=f"Exit code 1: {long}",
        evidence=["  File a.py", long[:400], "a hint", "a hint"],
    )  # fmt: skip
    run, _ = after(*DISPATCH, seen(Phase.ENDED, last_word=told))
    assert run.evidence == (f"Exit code 1: {long}", "  File a.py", "a hint")


@pytest.mark.parametrize(("fact", "state", "reason"), ENDS)
def test_an_end_is_green_only_by_the_runners_word(
    fact: Observation, state: RunState, reason: Reason | None
) -> None:
    run, act = after(*DISPATCH, fact)
    assert (run.state, run.reason) == (state, reason)
    assert act == Act(ActKind.REAP)
    assert run.ended_at is not None
    assert run.attempts[-1].state is state


def test_unwatched_states_are_entered_at_the_runners_times() -> None:
    run, _ = after(*DISPATCH)
    began = int(NOW.timestamp() * 1000) + 1_000
    told = word(began_ms=began, running_ms=began + 2_000, ended_ms=began + 5_000)
    run, _ = advance(run, seen(Phase.ENDED, last_word=told), NOW + timedelta(hours=1))
    names = [one.state.value for one in run.timeline]
    assert names[-4:] == ["submitted", "starting", "running", "succeeded"]
    assert run.ended_at == NOW + timedelta(seconds=6)


def test_refused_before_the_start_lists_everything() -> None:
    problems = (Problem("spec.profile", "is gone"), Problem("spec.source.uri", "is gone"))
    run, act = after(FREE, Refused(Reason.CONFIG_ERROR, problems))
    assert (run.state, run.reason, act) == (RunState.REJECTED, Reason.CONFIG_ERROR, None)
    assert run.problems == problems
    assert not run.is_open


def test_what_is_not_ours_is_fenced() -> None:
    run, _ = after(*DISPATCH[:3], Fenced("another hash"))
    assert (run.state, run.reason) == (RunState.FAILED, Reason.START_FENCED)


def test_a_full_house_waits_until_its_deadline() -> None:
    run, act = after(Room(free=False, what="1 of 1 runs of the job", line=Line.JOB))
    assert (run.state, act) == (RunState.QUEUED, None)
    assert run.waiting is not None
    assert run.waiting.deadline == run.queue_deadline
    run, _ = advance(run, FREE, run.queue_deadline)
    assert (run.state, run.reason) == (RunState.REJECTED, Reason.QUOTA)


def asked(run: Run) -> Run:
    return replace(run, cancel=Cancel(asked_by="ana", asked_at=NOW))


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (0, RunState.CANCELLED),
        (1, RunState.CANCELLED),
        (2, RunState.CANCELLED),
        (3, RunState.DISPATCHING),  # what may have been prepared is found first
        (4, RunState.CANCELLING),
        (5, RunState.CANCELLING),
        (6, RunState.CANCELLING),
    ],
)
def test_cancel_from_every_step_of_the_dispatch(facts: int, state: RunState) -> None:
    run, _ = after(*DISPATCH[:facts])
    run, act = advance(asked(run), None, NOW)
    assert run.state is state
    if facts == 3:
        run, act = advance(run, Prepared(a_receipt()), NOW)
        assert run.state is RunState.CANCELLING
    if run.state is RunState.CANCELLING:
        assert act == Act(ActKind.CANCEL, CancelStep.ASK)


def test_cancel_climbs_the_ladder_and_ends_lost_by_name() -> None:
    run, act = advance(asked(after(*DISPATCH)[0]), None, NOW)
    steps, now = [], NOW
    while act is not None and act.kind is ActKind.CANCEL and act.step is not None:
        steps.append(act.step)
        run, _ = advance(run, Stepped(), now)
        stuck = seen(Phase.RUNNING, left=("pid 7 (sail)",))
        run, _ = advance(run, stuck, now)
        now += timedelta(seconds=STEP_S[act.step])
        run, act = advance(run, stuck, now)
    assert steps == list(CancelStep)
    assert (run.state, run.reason, run.object) == (RunState.LOST, Reason.LOST, "pid 7 (sail)")


def test_cancelled_only_when_nothing_is_left() -> None:
    run, _ = advance(asked(after(*DISPATCH)[0]), None, NOW)
    run, _ = advance(run, seen(Phase.ENDED, left=("pid 7 (sail)",)), NOW)
    assert run.state is RunState.CANCELLING
    run, _ = advance(run, seen(Phase.ENDED), NOW)
    assert (run.state, run.reason) == (RunState.CANCELLED, Reason.CANCELLED)


def test_a_run_that_ended_first_keeps_its_own_end() -> None:
    run, _ = after(*DISPATCH)
    run, _ = advance(asked(run), seen(Phase.ENDED, last_word=word()), NOW)
    assert run.state is RunState.SUCCEEDED
    run, _ = advance(asked(after(*DISPATCH)[0]), None, NOW)
    run, _ = advance(run, seen(Phase.ENDED, last_word=word()), NOW)
    assert run.state is RunState.SUCCEEDED


def test_a_runner_that_does_not_keep_the_timeout_is_ended_for_it() -> None:
    run, _ = after(*DISPATCH, seen(Phase.RUNNING, began_at=NOW))
    run, act = advance(run, seen(Phase.RUNNING), NOW + timedelta(seconds=3600 + 89))
    assert (run.state, act) == (RunState.RUNNING, None)
    run, act = advance(run, seen(Phase.RUNNING), NOW + timedelta(seconds=3600 + 90))
    assert (run.state, act) == (RunState.CANCELLING, Act(ActKind.CANCEL, CancelStep.ASK))
    run, _ = advance(run, seen(Phase.ENDED), NOW + timedelta(seconds=3700))
    assert (run.state, run.reason) == (RunState.TIMED_OUT, Reason.TIMEOUT)


@pytest.mark.row("F5", "R6")
@pytest.mark.parametrize(
    ("facts", "is_over"),
    [
        ({"ran_s": 3_690.0}, True),
        ({"ran_s": 3_690.0, "is_heard": False}, True),
        ({"ran_s": 3_690.0, "is_heard": True}, False),
        ({"ran_s": 3_689.0, "is_heard": False}, False),  # though ten hours passed by our clock
        ({"ran_s": 3_690.0, "phase": Phase.STARTING}, True),  # whatever is said of a run that runs
        ({}, True),  # nobody counts but we
    ],
)
def test_a_run_that_runs_is_ended_by_the_count_of_its_place_and_a_silent_runner(
    facts: dict[str, Any], is_over: bool
) -> None:
    run, _ = after(*DISPATCH, seen(Phase.RUNNING, began_at=NOW))
    phase = facts.get("phase", Phase.RUNNING)
    more = {name: value for name, value in facts.items() if name != "phase"}
    run, act = advance(run, seen(phase, **more), NOW + timedelta(hours=10))
    assert (act == Act(ActKind.CANCEL, CancelStep.ASK)) is is_over
    assert (run.state is RunState.CANCELLING) is is_over


@pytest.mark.row("R6")
def test_what_the_machine_slept_is_given_to_timeout_and_cancel_steps() -> None:
    run, _ = after(*DISPATCH, seen(Phase.RUNNING, began_at=NOW))
    before = deadline(run)
    assert before is not None
    run, _ = after(seen(Phase.RUNNING, asleep_s=28_800.0), run=run)
    assert deadline(run) == before + timedelta(hours=8)
    run, _ = after(seen(Phase.RUNNING, asleep_s=28_803.0), run=run)  # not worth a word
    assert deadline(run) == before + timedelta(hours=8)
    run, _ = advance(asked(run), None, NOW)
    assert run.cancel is not None
    step_at = run.cancel.next_step_at
    assert step_at is not None
    later = NOW + timedelta(hours=2)
    run, _ = advance(run, seen(Phase.RUNNING, asleep_s=36_000.0), later)
    assert run.cancel is not None
    assert (run.cancel.step, run.cancel.next_step_at) == (
        CancelStep.ASK,
        step_at + timedelta(hours=2),
    )


def test_what_held_a_start_up_is_its_reason_at_the_deadline() -> None:
    run, _ = after(*DISPATCH)
    held = seen(
        Phase.STARTING, failure=Reason.IMAGE_PULL, object="image x:1", evidence=("not found",)
    )
    run, act = after(held, run=run)
    assert act is None
    run, act = advance(run, held, NOW + timedelta(seconds=run.start_deadline_s))
    assert act == Act(ActKind.CANCEL, CancelStep.ASK)
    run, _ = advance(run, seen(Phase.GONE), NOW + timedelta(seconds=run.start_deadline_s + 1))
    assert (run.state, run.reason, run.object) == (
        RunState.FAILED, Reason.IMAGE_PULL, "image x:1",
    )  # fmt: skip
    assert "not found" in run.evidence


def test_an_engine_that_never_gets_ready_ends_by_the_start_deadline() -> None:
    run, _ = after(*DISPATCH, seen(Phase.STARTING, began_at=NOW))
    assert deadline(run) == NOW + timedelta(seconds=600)
    run, act = advance(run, seen(Phase.STARTING), NOW + timedelta(seconds=600))
    assert act == Act(ActKind.CANCEL, CancelStep.ASK)
    run, _ = advance(run, seen(Phase.ENDED), NOW + timedelta(seconds=601))
    assert (run.state, run.reason) == (RunState.FAILED, Reason.ENGINE_START)


def test_silence_is_no_end_until_timeout_and_half_an_hour() -> None:
    run, _ = after(*DISPATCH)
    silent = Silent(NOW, "no route")
    late = NOW + timedelta(seconds=3600, minutes=30)
    run, act = advance(run, silent, late - timedelta(seconds=1))
    assert (run.state, act) == (RunState.SUBMITTED, None)
    assert advance(run, seen(Phase.RUNNING), late)[0].silent_since is None
    run, _ = advance(run, silent, late)
    assert (run.state, run.reason, run.object) == (RunState.LOST, Reason.LOST, f"{run.id}-1")


@pytest.mark.row("G6")
def test_while_nobody_asks_it_is_no_silence() -> None:
    run, _ = after(*DISPATCH)
    run, _ = advance(run, Silent(NOW, "no route"), NOW)
    morning = NOW + timedelta(hours=9)  # this machine slept
    run, _ = advance(run, Silent(morning, "no route"), morning)
    assert (run.state, run.silent_since) == (RunState.SUBMITTED, NOW)
    late = morning + timedelta(minutes=30)
    run, _ = advance(run, Silent(morning, "no route"), late - timedelta(seconds=1))
    assert run.state is RunState.SUBMITTED
    run, _ = advance(run, Silent(morning, "no route"), late)
    assert (run.state, run.reason) == (RunState.LOST, Reason.LOST)


@pytest.mark.row("F-8", "G6")
def test_a_cancel_waits_for_a_cluster_that_does_not_answer() -> None:
    run, _ = after(*DISPATCH, seen(Phase.RUNNING, began_at=NOW))
    run, act = advance(asked(run), None, NOW)
    assert act == Act(ActKind.CANCEL, CancelStep.ASK)
    for minutes in range(20):
        run, act = advance(run, Silent(NOW, "no route"), NOW + timedelta(minutes=minutes))
        assert (run.state, act) == (RunState.CANCELLING, None)
        assert run.waiting is not None
        assert run.waiting.what == "the cluster to answer"
    back = NOW + timedelta(minutes=20)
    run, act = advance(run, seen(Phase.RUNNING), back)
    assert act == Act(ActKind.CANCEL, CancelStep.ASK)
    run, act = advance(run, Stepped(), back)
    assert (act, run.silent_since) == (None, None)
    run, _ = advance(run, seen(Phase.ENDED), back + timedelta(seconds=1))
    assert run.state is RunState.CANCELLED


def test_a_cancel_step_that_is_refused_gives_way_to_the_next() -> None:
    run, _ = after(*DISPATCH, seen(Phase.RUNNING, began_at=NOW))
    run, act = advance(asked(run), None, NOW)
    run, act = advance(run, Stepped("no right to delete pods"), NOW)
    assert act == Act(ActKind.CANCEL, CancelStep.ASK)
    assert run.waiting is not None
    assert run.waiting.last_fact == "no right to delete pods"
    run, act = advance(run, seen(Phase.RUNNING), NOW + timedelta(seconds=20))
    assert act == Act(ActKind.CANCEL, CancelStep.END)
    for seconds in (30, 40, 60):
        run, act = advance(run, seen(Phase.RUNNING), NOW + timedelta(seconds=seconds))
    assert (run.state, run.reason) == (RunState.LOST, Reason.LOST)


def test_reaping_looks_three_times_and_then_closes_the_run() -> None:
    run, _ = after(*DISPATCH, seen(Phase.ENDED, last_word=word()))
    looks = []
    for seconds in (0, 30, 60, 120, 300, 301):
        now = NOW + timedelta(seconds=seconds)
        run, act = advance(run, None, now)
        if act == Act(ActKind.REAP):
            looks.append(seconds)
            run, _ = advance(run, Reaped(ReapReport(removed=("pid 7",))), now)
    assert looks == [0, 60, 300]
    assert not run.is_open
    assert run.reap.removed == ("pid 7",)


@pytest.mark.row("F-27")
def test_what_was_still_there_at_one_look_and_is_not_at_the_next_was_removed() -> None:
    run, _ = after(*DISPATCH, seen(Phase.ENDED, last_word=word()))
    run, _ = advance(run, Reaped(ReapReport(("pod a",), ("pod b", "pod c"))), NOW)
    assert (run.reap.removed, run.reap.left) == (("pod a",), ("pod b", "pod c"))
    run, _ = advance(run, Reaped(ReapReport((), ("pod c",))), NOW + timedelta(minutes=1))
    assert (run.reap.removed, run.reap.left) == (("pod a", "pod b"), ("pod c",))


def test_one_look_is_enough_long_after_the_end() -> None:
    run, _ = after(*DISPATCH, seen(Phase.ENDED, last_word=word()))
    run, _ = advance(run, Reaped(ReapReport()), NOW + timedelta(hours=1))
    assert not run.is_open


POLICY = {"attempts": 3, "backoff": 30.0, "on": ["node_lost", "user_error"]}


@pytest.mark.parametrize(
    ("reason", "attempt", "seconds"),
    [
        (Reason.NODE_LOST, 1, 30),
        (Reason.NODE_LOST, 2, 60),
        (Reason.NODE_LOST, 3, None),
        (Reason.OOM_DRIVER, 1, None),
        (Reason.USER_ERROR, 1, None),
    ],
)
def test_only_listed_reasons_are_retried(
    reason: Reason, attempt: int, seconds: int | None
) -> None:
    at, rule = retry.next_at(POLICY, reason, attempt, NOW)
    assert at == (None if seconds is None else NOW + timedelta(seconds=seconds))
    assert rule


def test_a_next_attempt_keeps_the_frozen_spec_and_starts_after_its_wait() -> None:
    run = a_run(spec=a_spec(retry=POLICY))
    run, act = after(*DISPATCH, seen(Phase.ENDED, failure=Reason.NODE_LOST), run=run)
    assert act == Act(ActKind.NEXT_ATTEMPT)
    assert run.attempts[0].reason is Reason.NODE_LOST
    run, _ = advance(run, Reaped(ReapReport()), NOW)
    assert run.state is RunState.QUEUED
    assert advance(run, FREE, NOW + timedelta(seconds=29))[1] is None
    run, act = advance(run, FREE, NOW + timedelta(seconds=30))
    assert act == Act(ActKind.CHECK)
    assert len(run.attempts) == 2
    assert run.frozen_sha256 == "ab" * 32


def test_what_ends_a_run_that_waits_for_its_second_attempt_is_of_the_second() -> None:
    run = a_run(spec=a_spec(retry=POLICY | {"on": ["evicted"]}))
    run, _ = after(*DISPATCH, seen(Phase.ENDED, failure=Reason.EVICTED), run=run)
    run, _ = advance(run, Reaped(ReapReport()), NOW)
    run, _ = advance(asked(run), None, NOW)
    assert [(one.attempt, one.state) for one in run.timeline[-2:]] == [
        (2, RunState.QUEUED), (2, RunState.CANCELLED),
    ]  # fmt: skip


def test_a_next_attempt_has_a_queue_deadline_of_its_own() -> None:
    run = a_run(spec=a_spec(retry=POLICY))
    patience, late = run.queue_deadline - run.queued_at, NOW
    run, _ = after(*DISPATCH, run=run)
    for number in (1, 2):
        late += timedelta(days=2)
        told = word("failed", reason="node_lost", ended_ms=int(late.timestamp() * 1000))
        run, _ = advance(run, seen(Phase.ENDED, last_word=told), late)
        run, _ = advance(run, Reaped(ReapReport()), late)
        next_at = run.attempts[-1].next_at
        assert next_at is not None
        assert run.queue_deadline == next_at + patience
        run, _ = after(FREE, *DISPATCH[2:], run=run, at=next_at)
        assert (run.state, len(run.attempts)) == (RunState.SUBMITTED, number + 1)
    run, _ = advance(asked(run), None, late + timedelta(days=1))
    run, _ = advance(run, seen(Phase.ENDED), late + timedelta(days=1))
    assert (run.state, run.ended_at) == (RunState.CANCELLED, late + timedelta(days=1))


def test_no_next_attempt_while_the_last_one_cannot_be_cleared_away() -> None:
    run = a_run(spec=a_spec(retry=POLICY | {"on": ["evicted"]}))
    run, act = after(*DISPATCH, seen(Phase.ENDED, failure=Reason.EVICTED), run=run)
    run, act = advance(run, Silent(NOW, "no route"), NOW)
    assert act == Act(ActKind.NEXT_ATTEMPT)
    stuck = Reaped(ReapReport(left=("pid 7",)))
    run, act = advance(run, stuck, NOW + timedelta(minutes=29))
    assert (run.is_terminal, act) == (False, Act(ActKind.NEXT_ATTEMPT))
    run, act = advance(run, stuck, NOW + timedelta(minutes=30))
    assert (run.state, run.reason) == (RunState.FAILED, Reason.EVICTED)
    assert act == Act(ActKind.REAP)


def lost(**facts: Any) -> Attempt:
    kept: dict[str, Any] = {"reason": Reason.NODE_LOST, "ended_at": NOW + timedelta(minutes=10)}
    return Attempt(1, NOW, **(kept | {"began_at": NOW + timedelta(minutes=1)} | facts))


HELD = timedelta(seconds=3600 + 90)


@pytest.mark.row("F-22")
@pytest.mark.parametrize(
    ("attempt", "until"),
    [
        (lost(), timedelta(minutes=1) + HELD),
        (lost(began_at=None), timedelta(minutes=10) + HELD),  # it began before it was lost
        (lost(began_at=None, ended_at=None), HELD),
        (lost(cleared_by="the cluster"), None),
        (lost(cleared_by="ana"), None),
        *((lost(reason=reason), None) for reason in (None, Reason.EVICTED, Reason.LOST)),
    ],
)
def test_a_lost_node_holds_its_attempt_until_that_ones_own_deadline(
    attempt: Attempt, until: timedelta | None
) -> None:
    assert nodes.held_until(a_run(), attempt) == (None if until is None else NOW + until)
    if until is not None:
        assert nodes.is_held(a_run(), attempt, NOW + until - timedelta(seconds=1))
    assert not nodes.is_held(a_run(), attempt, NOW + (until or timedelta(0)))


GONE = Reaped(ReapReport(left=("node n1 is gone",)))


@pytest.mark.row("F-22")
@pytest.mark.parametrize(
    ("fact", "seconds", "is_next"),
    [
        (None, 60, False),
        (Silent(NOW, "no route"), 60, False),
        (GONE, 60, False),
        (GONE, 1_800, False),  # no other bound ends the wait
        (GONE, 3_689, False),
        (Reaped(ReapReport()), 60, True),  # the node is back, and nothing of it runs there
        (GONE, 3_690, True),
        (Silent(NOW, "no route"), 3_690, True),
        (None, 3_690, True),
    ],
)
def test_after_a_lost_node_the_next_attempt_waits(
    fact: Fact | None, seconds: int, is_next: bool
) -> None:
    run = a_run(spec=a_spec(retry=POLICY))
    end = seen(Phase.ENDED, failure=Reason.NODE_LOST, object="node n1", began_at=NOW)
    run, act = after(*DISPATCH, seen(Phase.RUNNING, began_at=NOW, node="n1"), end, run=run)
    assert run.attempts[0].node == "n1"
    run, act = advance(run, fact, NOW + timedelta(seconds=seconds))
    assert (run.state is RunState.QUEUED) is is_next
    if not is_next:
        assert act == Act(ActKind.NEXT_ATTEMPT)
        assert deadline(run) == NOW + HELD
    if fact is GONE and not is_next:
        assert run.waiting is not None
        assert run.waiting.what == "node n1 to be back"
        assert run.waiting.last_fact == "node n1 is gone"


@pytest.mark.row("F-22")
def test_a_person_who_says_that_the_machine_is_off_lets_the_next_attempt_start() -> None:
    run = a_run(spec=a_spec(retry=POLICY))
    run, _ = after(*DISPATCH, seen(Phase.ENDED, failure=Reason.NODE_LOST), GONE, run=run)
    assert run.state is not RunState.QUEUED
    run = replace(run, attempts=(replace(run.attempts[0], cleared_by="ana"),))
    run, _ = advance(run, None, NOW)
    assert run.state is RunState.QUEUED


def test_a_deadline_of_ours_gives_the_reason_though_the_runner_was_only_asked_to_end() -> None:
    run, _ = after(*DISPATCH, seen(Phase.STARTING, began_at=NOW))
    run, _ = advance(run, seen(Phase.STARTING), NOW + timedelta(seconds=600))
    told = word("cancelled", reason="cancelled", exit_code=143, message="The run was cancelled.")
    run, _ = advance(run, seen(Phase.ENDED, last_word=told), NOW + timedelta(seconds=601))
    assert (run.state, run.reason) == (RunState.FAILED, Reason.ENGINE_START)


@pytest.mark.parametrize("phase", [Phase.ENDED, Phase.GONE])
def test_what_an_ended_attempt_left_behind_is_swept_at_once(phase: Phase) -> None:
    run, act = after(*DISPATCH, seen(Phase.RUNNING), seen(phase, left=("pid 7",)))
    assert run.is_terminal
    assert act == Act(ActKind.REAP)


def test_silence_while_reaping_is_said_and_asked_again() -> None:
    run, _ = after(*DISPATCH, seen(Phase.ENDED, last_word=word()))
    run, act = advance(run, Silent(NOW, "no room for the log"), NOW)
    assert act == Act(ActKind.REAP)
    assert run.waiting is not None
    assert run.waiting.last_fact == "no room for the log"
    run, _ = advance(run, Reaped(ReapReport()), NOW)
    assert run.waiting is None


FACTS = st.sampled_from(
    [
        None,
        *DISPATCH,
        Room(free=False, what="full"),
        PutBack("the cluster to answer", "no route"),
        Refused(Reason.CONFIG_ERROR, (Problem("a", "b"),)),
        Denied("a right", Refused(Reason.CONFIG_ERROR, (Problem("a", "b"),))),
        Denied("a right", Refused(Reason.CONFIG_ERROR, (Problem("a", "b"),)), "not ready"),
        Released(a_receipt()),
        seen(Phase.WAITING, made=CHOSEN.chosen),
        Fenced("x"),
        Stepped(),
        Silent(NOW, "no route"),
        Reaped(ReapReport()),
        Reaped(ReapReport(left=("pid 7",))),
        *(seen(phase) for phase in Phase),
        seen(Phase.ENDED, left=("pid 7",)),
        *(fact for fact, _, _ in ENDS),
    ]
)
STEPS = st.tuples(FACTS, st.sampled_from([0, 1, 15, 60, 700, 4000, 30000]), st.booleans())


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=40), st.booleans())
def test_any_walk_keeps_the_order_and_never_leaves_an_end(
    steps: list[tuple[Fact | None, int, bool]], retried: bool
) -> None:
    spec = a_spec(retry={"attempts": 3, "backoff": 1.0, "on": ["lost", "node_lost"]})
    run, now = a_run(spec=spec if retried else a_spec()), NOW
    for fact, seconds, cancel in steps:
        now += timedelta(seconds=seconds)
        if cancel and run.cancel is None and not run.is_terminal:
            run = asked(run)
        before = run
        run, _ = advance(run, fact, now)
        if before.is_terminal:
            assert run.state is before.state
        for earlier, later in zip(run.timeline, run.timeline[1:], strict=False):
            assert later.at >= earlier.at
            assert later.attempt >= earlier.attempt
            if later.attempt == earlier.attempt:
                assert ORDER[later.state] > ORDER[earlier.state]
        assert not (run.state is RunState.SUCCEEDED and run.reason)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=12), st.booleans())
def test_every_run_comes_to_an_end_when_nothing_answers_any_more(
    steps: list[tuple[Fact | None, int, bool]], retried: bool
) -> None:
    spec = a_spec(retry={"attempts": 3, "backoff": 1.0, "on": ["lost", "node_lost"]})
    run, now = a_run(spec=spec if retried else a_spec()), NOW
    for fact, seconds, _ in steps:
        now += timedelta(seconds=seconds)
        run, _ = advance(run, fact, now)
    since = now
    for _ in range(6_000):
        if run.is_terminal:
            break
        now += timedelta(minutes=1)
        run, _ = advance(run, Silent(since, "no route"), now)
    assert run.is_terminal
    assert run.reason is not None
