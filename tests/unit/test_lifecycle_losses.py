"""What one look saw of an attempt's parts, and another look's end: the reason is the same whoever looked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from quarterdeck.lifecycle.advance import advance
from quarterdeck.model.codec import from_document, to_document
from quarterdeck.model.failure import Failure, Reason
from quarterdeck.model.observation import Happened, Observation, Phase
from quarterdeck.model.run import Run, RunState
from tests.support.builders import NOW
from tests.unit.test_lifecycle import DISPATCH, after

T0 = NOW + timedelta(minutes=1)
SAID = "0/2 nodes are available: 2 Insufficient cpu."
WORKER = "worker-2 (pod w-2)"
MEMORY = Happened(
    T0, f"{WORKER} died: OOMKilled", "worker",
    Failure(Reason.OOM_WORKER, WORKER, (f"{WORKER} died: OOMKilled", "memory limit 400Mi")),
)  # fmt: skip
DELETED = Happened(
    T0, "worker-1 is lost", "worker",
    Failure(Reason.DELETED_EXTERNALLY, "worker-1", ("worker-1 is lost",)),
)  # fmt: skip
EVICTED = Happened(
    T0, "pod p1 has to go", "driver", Failure(Reason.EVICTED, "pod p1", ("EvictionByEvictionAPI",))
)
RUNNING = Observation(T0, Phase.RUNNING, "the payload has begun", began_at=T0)


def looked(*happened: Happened, **more: object) -> Run:
    """Return a running run as another process reads it, after a look that saw this."""
    seen = Observation(
        T0, Phase.RUNNING, "the payload has begun", began_at=T0, happened=happened, **more,  # type: ignore[arg-type]
    )  # fmt: skip
    run, _ = after(*DISPATCH, seen, at=T0)
    return from_document(Run, to_document(run))


def the_end(reason: str, unexplained: str = "", state: str = "failed") -> Observation:
    word = {
        "state": state, "reason": reason, "exit_code": 1, "message": "h2 protocol error",
        "object": "a worker", "evidence": [],
    }  # fmt: skip
    return Observation(T0, Phase.ENDED, "ended", last_word=word, unexplained=unexplained)


def ended(run: Run, fact: Observation) -> tuple[RunState, Reason | None, str, tuple[str, ...]]:
    run, _ = advance(run, fact, T0 + timedelta(seconds=30))
    return run.state, run.reason, run.object, run.evidence


@pytest.mark.row("F-19")
def test_what_was_seen_of_a_worker_is_the_reason_whoever_sees_the_end() -> None:
    run = looked(DELETED, MEMORY)
    state, reason, what, evidence = ended(run, the_end("engine_lost", "worker"))
    assert (state, reason, what) == (RunState.FAILED, Reason.OOM_WORKER, WORKER)
    assert evidence[:2] == (f"{WORKER} died: OOMKilled", "memory limit 400Mi")
    assert "h2 protocol error" in evidence


def test_what_befell_a_worker_is_not_the_reason_of_an_end_that_explains_itself() -> None:
    assert ended(looked(MEMORY), the_end("user_error"))[1] is Reason.USER_ERROR
    refused = the_end("config_error", "worker")  # its engine could start none
    assert ended(looked(DELETED), refused)[1] is Reason.CONFIG_ERROR


def test_what_was_seen_of_a_driver_is_the_reason_when_its_job_says_only_that_it_is_gone() -> None:
    gone = Observation(
        T0, Phase.ENDED, "BackoffLimitExceeded", failure=Reason.DELETED_EXTERNALLY, object="Job j",
        unexplained="driver",
    )  # fmt: skip
    assert ended(looked(EVICTED), gone)[1:3] == (Reason.EVICTED, "pod p1")
    assert ended(looked(MEMORY), gone)[1:3] == (Reason.DELETED_EXTERNALLY, "Job j")


@pytest.mark.row("F-23", "C9", "G7")
def test_a_worker_without_a_node_is_waited_for_and_is_the_reason_of_a_timeout() -> None:
    run = looked(failure=Reason.UNSCHEDULABLE, object=WORKER, evidence=(SAID,))
    assert run.waiting is not None
    assert (run.waiting.what, run.waiting.last_fact) == (f"a node for {WORKER}", SAID)
    late = the_end("timeout", state="timed_out")
    state, reason, what, evidence = ended(run, late)
    assert (state, reason, what) == (RunState.FAILED, Reason.UNSCHEDULABLE, WORKER)
    assert evidence[0] == SAID
    going, _ = advance(run, replace(RUNNING, is_whole=False), T0)  # its engine lets go of all
    assert ended(going, late)[1] is Reason.UNSCHEDULABLE
    placed, _ = advance(run, RUNNING, T0)
    assert placed.waiting is not None
    assert placed.waiting.what == "the end of the payload"
    assert ended(placed, late)[1] is Reason.TIMEOUT


@pytest.mark.row("F-26", "G7")
def test_the_engine_is_waited_for_after_a_loss_until_it_must_have_noticed() -> None:
    run = looked(DELETED)
    assert run.waiting is not None
    assert run.waiting.what == "the engine to go on without a worker"
    assert run.waiting.last_fact.startswith("worker-1 is lost")
    later, _ = advance(run, RUNNING, T0 + timedelta(minutes=4))
    assert later.waiting is not None
    assert later.waiting.what == "the end of the payload"
