"""One start of each attempt, whoever suspends, resumes, deletes or restarts what while nobody of ours looks.

Starts are counted by what payloads tell a server on this machine. The full count carries the marker `long`.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.executors.kubernetes import names, podfacts
from quarterdeck.executors.kubernetes.client import ApiError
from quarterdeck.model.ids import RunId
from tests.cluster.test_kills import Chaos
from tests.support import kubernetes

pytestmark = [pytest.mark.cluster, pytest.mark.row("F13")]

COUNT = "QUARTERDECK_TEST_STARTS"  # another number than 50 of the long count
WAVE = 5  # runs at once
STARTS_WITHIN_S = 4.0  # a pod that may start does so within two seconds
SLEEPS = "import time; time.sleep(8)"
CONTROLLER = "kube-controller-manager"
SOMEBODY = "kubectl-patch"
ONE_AT_A_TIME = threading.Lock()  # who dispatches begins the older ones in the line, too
Json = dict[str, Any]


@pytest.fixture
def chaos(tmp_path: Path, namespace: str) -> Iterator[Chaos]:
    made = Chaos(tmp_path, namespace, SLEEPS)
    yield made
    made.close()


# --- what others do


class Job:
    """One run's Job, as others see it who use the API directly."""

    def __init__(self, chaos: Chaos, run: str) -> None:
        self.chaos, self.run = chaos, run
        self.path = f"{names.jobs(chaos.namespace)}/{names.k8s_job(RunId(run), 1)}"

    @property
    def starts(self) -> int:
        return self.chaos.counting.seen[f"{self.run}-1"]

    def pods(self) -> list[Json]:
        return [
            pod for pod in self.chaos.pods() if pod["metadata"]["labels"][names.RUN] == self.run
        ]

    def started(self) -> None:
        """Wait until its payload has begun."""
        assert kubernetes.eventually(lambda: self.starts == 1), self.run

    def suspend(self, value: bool) -> None:
        patch = [{"op": "replace", "path": "/spec/suspend", "value": value}]
        self.chaos.client._call(
            "PATCH", self.path, (("fieldManager", SOMEBODY),), body=patch,
            content="application/json-patch+json",
        )  # fmt: skip

    def suspend_and_resume(self) -> None:
        """Suspend it, wait until its pod is gone, resume it, and wait for the next pod."""
        before = {pod["metadata"]["uid"] for pod in self.pods()}
        self.suspend(True)
        assert kubernetes.eventually(lambda: not self.pods()), self.pods()
        self.suspend(False)
        assert kubernetes.eventually(
            lambda: any(pod["metadata"]["uid"] not in before for pod in self.pods())
        )

    def delete_pod(self) -> None:
        assert kubernetes.eventually(lambda: bool(self.pods()))
        name = self.pods()[0]["metadata"]["name"]
        self.chaos.client.delete(f"{names.pods(self.chaos.namespace)}/{name}", {})

    def lose_sight(self) -> None:
        """Let its controller lose sight of its pod, which runs on, and make another."""
        [pod] = self.pods()
        meta = pod["metadata"]
        patch = [
            {"op": "remove", "path": f"/metadata/labels/{key.replace('/', '~1')}"}
            for key in meta["labels"]
            if key.endswith("controller-uid")
        ]
        self.chaos.client.patch(f"{names.pods(self.chaos.namespace)}/{meta['name']}", patch)
        assert kubernetes.eventually(lambda: len(self.pods()) == 2), self.pods()


def dispatched(chaos: Chaos, moment: object = 1_000) -> Job:
    """Dispatch a run in a process that is killed at that moment, or has ended: nobody of ours looks on."""
    with ONE_AT_A_TIME:
        run = chaos.dispatch("counted", moment)
    assert run is not None
    return Job(chaos, run)


# --- each way to meddle, and how the run may end


def after_it_began(chaos: Chaos) -> Job:
    job = dispatched(chaos)
    job.started()
    job.suspend_and_resume()
    return job


def right_after_the_word(chaos: Chaos) -> Job:
    job = dispatched(chaos)
    job.suspend_and_resume()
    return job


def before_a_pod_was_chosen(chaos: Chaos) -> Job:
    job = dispatched(chaos, "after:release")
    job.suspend_and_resume()
    return job


def before_the_word(chaos: Chaos) -> Job:
    job = dispatched(chaos, "before:start")
    job.suspend_and_resume()
    return job


def word_without_an_answer(chaos: Chaos) -> Job:
    job = dispatched(chaos, "after:start")
    job.started()
    job.suspend_and_resume()
    return job


def pod_deleted_after_the_release(chaos: Chaos) -> Job:
    job = dispatched(chaos, "after:release")
    job.delete_pod()
    return job


def pod_deleted_before_the_word(chaos: Chaos) -> Job:
    job = dispatched(chaos, "before:start")
    job.delete_pod()
    return job


def pod_deleted_after_the_word(chaos: Chaos) -> Job:
    job = dispatched(chaos)
    job.delete_pod()
    return job


def another_pod_beside_it(chaos: Chaos) -> Job:
    job = dispatched(chaos)
    job.started()
    job.lose_sight()
    return job


def left_alone(chaos: Chaos) -> Job:
    return dispatched(chaos)


Ends = set[tuple[str, str | None]]
MEDDLING: dict[Callable[[Chaos], Job], tuple[Ends, set[int]]] = {
    left_alone: ({("succeeded", None)}, {1}),
    after_it_began: ({("failed", "preempted")}, {1}),
    right_after_the_word: ({("failed", "preempted")}, {0, 1}),
    before_a_pod_was_chosen: ({("succeeded", None)}, {1}),
    before_the_word: ({("failed", "start_fenced")}, {0}),
    word_without_an_answer: ({("failed", "start_fenced")}, {1}),
    pod_deleted_after_the_release: ({("failed", "deleted_externally")}, {0}),
    pod_deleted_before_the_word: ({("failed", "start_fenced")}, {0}),
    # it may be over before its grace is, and its last word gone with the pod before anybody looks
    pod_deleted_after_the_word: (
        {("failed", "deleted_externally"), ("succeeded", None), ("lost", "lost")},
        {0, 1},
    ),
    another_pod_beside_it: ({("succeeded", None)}, {1}),
}


def look(job: Job, meddling: Callable[[Chaos], Job]) -> Json:
    """Let one command after the other take the run up until it has ended, and hold it against what it did."""
    shown: Json = job.chaos.deck.until(job.run, deadline_s=90)
    ends, starts = MEDDLING[meddling]
    assert (shown["state"], shown["reason"]) in ends, (meddling.__name__, shown)
    assert job.starts in starts, (meddling.__name__, job.starts, shown)
    return shown


@pytest.mark.parametrize("meddling", MEDDLING, ids=[one.__name__ for one in MEDDLING])
def test_whatever_others_do_while_nobody_looks_it_starts_once(
    chaos: Chaos, meddling: Callable[[Chaos], Job]
) -> None:
    job = meddling(chaos)
    time.sleep(STARTS_WITHIN_S)
    shown = look(job, meddling)
    if shown["reason"] == "preempted":
        assert shown["object"] == f"Job {names.k8s_job(RunId(job.run), 1)}"
        assert f"was last set by {SOMEBODY}" in " ".join(shown["evidence"])
    if shown["reason"] == "lost":
        assert "is complete and its pod is gone" in shown["timeline"][-1]["because"]
        assert job.starts == 1
    chosen = shown["receipt"]["chosen"]
    assert (chosen is not None) is (meddling is not pod_deleted_after_the_release)
    assert kubernetes.left(chaos.namespace) == []
    assert chaos.deck.ok("store", "verify") == {"ok": True, "findings": []}


def test_the_gated_pod_of_a_resumed_job_is_shown_as_what_it_is_and_goes(chaos: Chaos) -> None:
    job = after_it_began(chaos)
    [pod] = job.pods()
    assert podfacts.is_gated(pod)
    assert pod["status"]["phase"] == "Pending"
    assert look(job, after_it_began)["state"] == "failed"
    assert kubernetes.left(chaos.namespace) == []


@pytest.mark.row("F7")
@pytest.mark.parametrize("moment", ["after:release", "before:start"])
def test_a_cancel_between_release_and_start_leaves_nothing_that_begins(
    chaos: Chaos, moment: str
) -> None:
    job = dispatched(chaos, moment)
    assert kubernetes.eventually(lambda: bool(job.pods()))
    shown = chaos.deck.json("cancel", job.run, "--wait").document
    assert (shown["state"], shown["reason"]) == ("cancelled", "cancelled")
    assert kubernetes.left(chaos.namespace) == []
    assert chaos.counting.seen == {}


def test_a_queue_that_owns_suspend_decides_when_it_begins(chaos: Chaos) -> None:
    """What a queueing system does: it suspends again what it has not admitted, and lets go when it has."""
    job = dispatched(chaos, "after:release")
    job.suspend(True)
    assert kubernetes.eventually(lambda: not job.pods())
    chaos.deck.ok("run-show", job.run)  # it finds that the Job was released
    shown = chaos.deck.ok("run-show", job.run)
    assert (shown["state"], shown["waiting_for"]["what"]) == (
        "dispatching", "the cluster to make the pod",
    )  # fmt: skip
    assert f"{SOMEBODY} suspended the Job at" in shown["waiting_for"]["last_fact"]
    assert job.starts == 0
    job.suspend(False)
    assert chaos.deck.until(job.run)["state"] == "succeeded"
    assert job.starts == 1
    assert kubernetes.left(chaos.namespace) == []


# --- alone on the cluster: its controllers are killed


@pytest.fixture
def faults() -> Iterator[None]:
    kubernetes.demand_faults()
    yield
    kubernetes.fault("start", CONTROLLER)


@pytest.mark.row("F-4")
def test_while_nobody_makes_the_pod_the_run_waits_and_any_command_starts_it(
    chaos: Chaos, faults: None
) -> None:
    kubernetes.fault("kill", CONTROLLER)
    begun = time.monotonic()
    answer = chaos.deck.call("run", "counted")
    assert answer.code == 0, answer.err
    assert 5 <= time.monotonic() - begun < 20
    assert "is dispatching" in answer.out
    words = "It waits for the cluster to make the pod; a command or the scheduler starts it."
    assert words in answer.out
    [run] = chaos.runs()
    kubernetes.fault("start", CONTROLLER)
    job = Job(chaos, run)
    assert kubernetes.eventually(lambda: bool(job.pods()), 90)  # nobody of ours is there
    assert podfacts.is_gated(job.pods()[0])
    assert chaos.runs() == {run: "submitted"}
    assert chaos.deck.until(run)["state"] == "succeeded"
    assert job.starts == 1
    assert kubernetes.left(chaos.namespace) == []


def test_controllers_that_are_killed_and_started_again_start_nothing(
    chaos: Chaos, faults: None
) -> None:
    job = dispatched(chaos)
    job.started()
    kubernetes.fault("kill", CONTROLLER)
    kubernetes.fault("start", CONTROLLER)
    assert chaos.deck.until(job.run)["state"] == "succeeded"
    assert chaos.counting.seen == {f"{job.run}-1": 1}
    assert kubernetes.left(chaos.namespace, 60) == []


@pytest.mark.long
def test_fifty_runs_with_all_of_it_at_random_start_once_each(chaos: Chaos, faults: None) -> None:
    seed = random.Random(13)  # noqa: S311  # a test's seed
    count = int(os.environ.get(COUNT, "50"))
    told: Counter[tuple[str, str, str]] = Counter()
    while sum(told.values()) < count:
        ways = [seed.choice(list(MEDDLING)) for _ in range(min(WAVE, count - sum(told.values())))]
        with ThreadPoolExecutor(2) as pool:
            jobs = list(pool.map(lambda way: way(chaos), ways))
        if seed.random() < 0.4:
            kubernetes.fault("kill", CONTROLLER)
            time.sleep(seed.uniform(0, 3))
            kubernetes.fault("start", CONTROLLER)
        time.sleep(STARTS_WITHIN_S)
        for job, way in zip(jobs, ways, strict=True):
            shown = look(job, way)
            told[way.__name__, shown["state"], shown["reason"] or ""] += 1
        with suppress(ApiError):
            chaos.client.get("/version")
    print(told)  # noqa: T201
    assert set(chaos.counting.seen.values()) == {1}
    assert chaos.deck.ok("store", "verify") == {"ok": True, "findings": []}
    assert kubernetes.left(chaos.namespace, 120) == []
