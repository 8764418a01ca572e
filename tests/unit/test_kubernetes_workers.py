"""What the pods of workers mean for a run: who died of what, and when that is the run's own end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quarterdeck.executors.kubernetes import names, workers
from quarterdeck.executors.kubernetes.observe import Seen, observation
from quarterdeck.lifecycle import steps
from quarterdeck.lifecycle.classify import classify
from quarterdeck.model.failure import Reason
from quarterdeck.model.observation import Happened, Observation
from quarterdeck.model.run import RunState
from tests.support.builders import a_run
from tests.unit.test_executors_kubernetes import NOW, RECEIPT, a_job, a_pod, ended, true, word

Json = dict[str, Any]
DIED = "2026-11-28T11:59:40Z"
LOST = "SparkRuntimeException: h2 protocol error: error reading a body from connection"


def a_worker(number: int, state: Json | None = None, *, status: Any = (), **meta: Any) -> Json:
    name = f"qd-rx0000000000-a1-w-abc-{number}"
    container = [{"name": "worker", "state": state or {"running": {"startedAt": DIED}}}]
    return {
        "metadata": {"name": name, "uid": name, "labels": {names.ROLE: names.WORKER}, **meta},
        "spec": {
            "nodeName": "n2", "activeDeadlineSeconds": 3600,
            "containers": [{"name": "worker", "resources": {"limits": {"memory": "400Mi"}}}],
        },
        "status": {"phase": "Running", "containerStatuses": container, **dict(status)},
    }  # fmt: skip


def killed(reason: str = "OOMKilled", code: int = 137) -> Json:
    return {"terminated": {"exitCode": code, "reason": reason, "finishedAt": DIED}}


RUNNING = {"running": {"startedAt": "2026-11-28T11:59:10Z"}}


def look(driver: Json, *there: Json, gone: tuple[Json, ...] = ()) -> Observation:
    driver["status"]["containerStatuses"][0]["started"] = True
    seen = Seen(a_job(), [driver, *there], gone)
    return workers.told(seen, observation(RECEIPT, seen, NOW))


def failed(message: str) -> Json:
    said = word("failed", "user_error", 1)
    return a_pod(ended(1, message=said[:-1] + f', "message": "{message}"}}'))


@pytest.mark.row("F-26")
def test_a_worker_that_dies_while_the_run_goes_on_is_told_once_with_its_time() -> None:
    seen = look(a_pod(RUNNING), a_worker(1, killed()), a_worker(2))
    [happened] = seen.happened
    assert happened.at == datetime(2026, 11, 28, 11, 59, 40, tzinfo=UTC)
    assert happened.what.startswith(
        "worker-1 (pod qd-rx0000000000-a1-w-abc-1 on n2) died: OOMKilled"
    )
    assert seen.failure is None


@pytest.mark.row("F-26")
def test_a_worker_whose_pod_vanishes_is_told_while_others_work() -> None:
    seen = look(a_pod(RUNNING), a_worker(2), gone=(a_worker(1),))
    assert [one.what for one in seen.happened] == [
        "worker-1 (pod qd-rx0000000000-a1-w-abc-1 on n2) is lost: its pod was deleted"
    ]


@pytest.mark.row("F-26")
def test_a_worker_that_is_forced_away_is_gone_and_none_that_the_engine_let_go_of() -> None:
    forced = a_worker(1, **GOING, deletionGracePeriodSeconds=0)
    [happened] = look(a_pod(RUNNING), a_worker(2), gone=(forced,)).happened
    assert happened.what.endswith("is lost: its pod was deleted")


GOING: Json = {"deletionTimestamp": "2026-11-28T12:00:05Z"}
SAID = "0/2 nodes are available: 2 Insufficient cpu."


def unplaced(number: int) -> Json:
    found = a_worker(number, status={"phase": "Pending", "containerStatuses": [], "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": SAID,
        "lastTransitionTime": DIED,
    }]})  # fmt: skip
    del found["spec"]["nodeName"]
    return found


@pytest.mark.row("F-23", "C9")
def test_a_worker_that_finds_no_node_is_told_in_the_schedulers_words() -> None:
    seen = look(a_pod(RUNNING), a_worker(1), unplaced(2))
    assert seen.failure is Reason.UNSCHEDULABLE
    assert seen.object == "worker-2 (pod qd-rx0000000000-a1-w-abc-2)"
    assert seen.evidence == (SAID,)
    [happened] = seen.happened
    assert happened.what == f"{seen.object} waits for a node"
    assert (happened.at.second, happened.failure) == (40, None)


@pytest.mark.row("F-23", "C9")
@pytest.mark.parametrize(
    "driver",
    [
        pytest.param(a_pod(ended(124, message=word("timed_out", "timeout", 124))), id="timeout"),
        pytest.param(failed("task scheduling timeout for job 1"), id="the engine's"),
    ],
)
def test_a_worker_that_found_no_node_is_the_reason_of_the_end(driver: Json) -> None:
    end = classify(look(driver, gone=(a_worker(1, **GOING), unplaced(2))), None)
    assert end.failure is not None
    assert (end.state, end.failure.reason) == (RunState.FAILED, Reason.UNSCHEDULABLE)
    assert end.failure.object == "worker-2 (pod qd-rx0000000000-a1-w-abc-2)"
    assert SAID in end.failure.evidence[0]
    placed = classify(look(driver, gone=(a_worker(1, **GOING), a_worker(2, **GOING))), None)
    assert placed.failure is not None
    assert placed.failure.reason is not Reason.UNSCHEDULABLE


def test_a_worker_that_was_given_up_for_one_with_a_node_is_not_waited_for_any_more() -> None:
    given_up = unplaced(2)
    given_up["metadata"]["creationTimestamp"] = "2026-11-28T11:50:00Z"
    other = a_worker(3, creationTimestamp="2026-11-28T11:56:00Z")
    assert look(a_pod(RUNNING), a_worker(1), other, gone=(given_up,)).failure is None
    late = a_pod(ended(124, message=word("timed_out", "timeout", 124)))
    end = classify(look(late, gone=(given_up, other)), None)
    assert end.failure is not None
    assert end.failure.reason is Reason.TIMEOUT


@pytest.mark.row("F-26")
@pytest.mark.parametrize("is_gone", [False, True])
def test_a_worker_that_alone_was_asked_to_go_was_not_asked_by_its_engine(is_gone: bool) -> None:
    asked = a_worker(
        1, deletionTimestamp="2026-11-28T11:59:58Z", deletionGracePeriodSeconds=5
    )  # fmt: skip
    there, gone = ((a_worker(2),), (asked,)) if is_gone else ((asked, a_worker(2)), ())
    [happened] = look(a_pod(RUNNING), *there, gone=gone).happened
    assert happened.what.startswith("worker-1")
    assert happened.what.endswith("is lost: its pod was deleted")


QUIET: list[tuple[str, tuple[Json, ...], tuple[Json, ...]]] = [
    ("completed", (a_worker(1, killed("Completed", 0)), a_worker(2)), ()),
    ("asked to go", (a_worker(1, killed("Error"), **GOING), a_worker(2)), ()),
    ("asked to go, gone", (a_worker(2),), (a_worker(1, **GOING),)),
    ("all let go of", (a_worker(2, **GOING),), (a_worker(1),)),
    ("completed, gone", (a_worker(2),), (a_worker(1, killed("Completed", 0)),)),
]


@pytest.mark.parametrize(("name", "there", "gone"), QUIET, ids=[one[0] for one in QUIET])
def test_workers_that_the_engine_lets_go_of_are_nothing_to_tell(
    name: str, there: tuple[Json, ...], gone: tuple[Json, ...]
) -> None:
    del name
    assert look(a_pod(RUNNING), *there, gone=gone).happened == ()


ENDS: list[tuple[str, tuple[Json, ...], tuple[Json, ...], Reason]] = [
    ("memory", (a_worker(1, killed()), a_worker(2, **GOING)), (), Reason.OOM_WORKER),
    ("memory, gone", (), (a_worker(2, **GOING), a_worker(1, killed())), Reason.OOM_WORKER),
    (
        "memory before another", (a_worker(1, killed("Error", 1)), a_worker(2, killed())), (),
        Reason.OOM_WORKER,
    ),
    ("crash", (a_worker(1, killed("Error", 139)),), (), Reason.ENGINE_LOST),
    (
        "drained",
        (a_worker(1, killed("Error"), status={
            "conditions": [true("DisruptionTarget", "EvictionByEvictionAPI")]}, **GOING),), (),
        Reason.EVICTED,
    ),
    (
        "preempted",
        (), (a_worker(1, status={"conditions": [true("DisruptionTarget", "PreemptionByScheduler")]}),),
        Reason.PREEMPTED,
    ),
    ("deleted", (a_worker(2, **GOING),), (a_worker(1),), Reason.DELETED_EXTERNALLY),
    ("nobody saw", (), (a_worker(1), a_worker(2)), Reason.ENGINE_LOST),
]  # fmt: skip


@pytest.mark.row("F-19")
@pytest.mark.parametrize(("name", "there", "gone", "reason"), ENDS, ids=[one[0] for one in ENDS])
def test_a_run_that_ends_by_a_lost_worker_has_the_workers_reason(
    name: str, there: tuple[Json, ...], gone: tuple[Json, ...], reason: Reason
) -> None:
    seen = look(failed(LOST), *there, gone=gone)
    end = classify(seen, None)
    assert end.failure is not None
    assert end.failure.reason is reason
    if name == "nobody saw":
        assert "nobody saw which" in " ".join(end.failure.evidence)
        return
    culprit = "worker-2" if name == "memory before another" else "worker-1"
    assert end.failure.object.startswith(culprit)
    assert culprit in " ".join(one.what for one in seen.happened)
    if reason is Reason.OOM_WORKER:
        said = " ".join(end.failure.evidence)
        assert "memory limit 400Mi" in said
        assert "peak" in said


@pytest.mark.row("F-26")
@pytest.mark.parametrize(
    "words",
    ["connection reset", "No route to host (os error 113)", "h2 protocol error: x"],
)
def test_who_looks_too_late_to_see_a_worker_still_says_that_one_was_lost(words: str) -> None:
    driver = failed(f"SparkRuntimeException: {words}")
    driver["spec"]["automountServiceAccountToken"] = True
    end = classify(look(driver), None)
    assert end.failure is not None
    assert (end.failure.reason, end.failure.object) == (Reason.ENGINE_LOST, "a worker")


@pytest.mark.parametrize("words", ["no table nowhere", "No such file or directory (os error 2)"])
def test_a_statement_that_fails_by_itself_keeps_its_reason(words: str) -> None:
    seen = look(failed(words), a_worker(1, killed()), a_worker(2))
    end = classify(seen, None)
    assert end.failure is not None
    assert end.failure.reason is Reason.USER_ERROR
    assert "worker-1" in seen.happened[0].what  # which the timeline has all the same


def test_a_run_in_one_pod_has_no_worker_to_blame() -> None:
    end = classify(look(failed(LOST)), None)
    assert end.failure is not None
    assert end.failure.reason is Reason.USER_ERROR


def test_what_happened_later_than_the_end_is_told_at_the_end() -> None:
    run = a_run()
    until = run.timeline[-1].at + timedelta(seconds=5)
    happened = (Happened(until + timedelta(seconds=9), "worker-1 died"),)
    told = steps.tell(run, happened, until)
    assert (told.timeline[-1].at, told.timeline[-1].because) == (until, "worker-1 died")
    assert told.state is run.state
    assert steps.tell(told, happened, until) == told
    assert replace(told, timeline=run.timeline) == run
