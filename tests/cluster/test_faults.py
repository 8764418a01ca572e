"""Each way in which a cluster ends or holds up a run, made for real, and the reason that is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.executors.kubernetes import KubernetesExecutor, names
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.model.errors import UnreachableError
from quarterdeck.model.failure import Reason
from quarterdeck.model.logline import Cursor
from quarterdeck.model.observation import Observation, Phase, Silent
from quarterdeck.model.receipt import Receipt
from quarterdeck.model.run import CancelStep
from tests.contract.test_executor import a_launch
from tests.support import kubernetes

pytestmark = pytest.mark.cluster

WAITS = "import time; time.sleep(300)"
HOG = "held = bytearray(400 * 1024 * 1024); print(len(held))"
Json = dict[str, Any]


class Bench:
    """A namespace, and how to make and watch one attempt in it."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.client = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
        self._watching: KubernetesExecutor | None = None

    def start(
        self, payload: str = WAITS, *, profile: Json | None = None, **cluster: Any
    ) -> Receipt:
        """Release an attempt on a cluster that is defined so, and start it if a pod is made."""
        self._watching = executor = kubernetes.executor(self.namespace, **cluster)
        mode = {"mode": "standalone", **(profile or {})}
        receipt = executor.prepare(a_launch(payload, profile=mode))
        released = executor.release(receipt, 3)
        if released.chosen is not None:
            executor.start(released)
        return released

    def begin(self, receipt: Receipt) -> Receipt:
        """Start an attempt whose pod was made late."""
        seen = self.until(receipt, lambda seen: seen.made, 90)
        chosen = replace(receipt, chosen=seen.made)
        self.executor.start(chosen)
        return chosen

    @property
    def executor(self) -> KubernetesExecutor:
        assert self._watching is not None
        return self._watching

    def seen(self, receipt: Receipt) -> Observation:
        found = self.executor.observe([receipt])[receipt.id]
        assert isinstance(found, Observation)
        return found

    def until(
        self, receipt: Receipt, what: Callable[[Observation], object], limit_s: float = 60
    ) -> Observation:
        """Return the first observation that is so."""
        last: list[Observation] = []

        def is_so() -> bool:
            last[:] = [self.seen(receipt)]
            return bool(what(last[0]))

        assert kubernetes.eventually(is_so, limit_s), last
        return last[0]

    def running(self, receipt: Receipt) -> Json:
        """Wait until the payload runs; return its pod."""
        self.until(receipt, lambda seen: seen.phase is Phase.RUNNING)
        [pod] = self.client.get(names.pods(self.namespace))["items"]
        return dict(pod)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with kubernetes.namespace() as name:
        made = Bench(name)
        yield made
        for owned in made.executor.owned():
            with suppress(ApiError):
                made.executor.reap(owned.receipt)


HELD_UP: list[tuple[str, Mapping[str, Any], Reason, str]] = [
    ("image", {"image": "localhost/nothing:1"}, Reason.IMAGE_PULL, "localhost/nothing:1"),
    ("name", {"image": "UPPER//x"}, Reason.IMAGE_PULL, "InvalidImageName"),
    (
        "secret",
        {"pod_template": {"spec": {"containers": [
            {"name": "runner", "envFrom": [{"secretRef": {"name": "absent"}}]}]}}},
        Reason.CREATE_CONTAINER, "absent",
    ),
    (
        "volume",
        {"pod_template": {"spec": {
            "volumes": [{"name": "more", "secret": {"secretName": "missing"}}],
            "containers": [
                {"name": "runner", "volumeMounts": [{"name": "more", "mountPath": "/more"}]}]}}},
        Reason.VOLUME, "missing",
    ),
    ("selector", {"node_selector": {"no": "node"}}, Reason.UNSCHEDULABLE, "node"),
]  # fmt: skip


@pytest.mark.row("F-16", "F-17", "F-23")
@pytest.mark.parametrize(
    ("name", "cluster", "reason", "words"), HELD_UP, ids=[h[0] for h in HELD_UP]
)
def test_what_holds_a_start_up_is_named(
    bench: Bench, name: str, cluster: Mapping[str, Any], reason: Reason, words: str
) -> None:
    receipt = bench.start(**cluster)
    seen = bench.until(receipt, lambda seen: seen.failure)
    assert (seen.failure, seen.phase) in {
        (reason, Phase.PENDING if name == "selector" else Phase.STARTING)
    }
    assert words in " ".join((seen.because, seen.object, *seen.evidence))


def test_more_cpu_than_any_node_has_is_unschedulable(bench: Bench) -> None:
    receipt = bench.start(profile={"driver": {"cpu": 90, "disk_gib": 1}})
    seen = bench.until(receipt, lambda seen: seen.failure)
    assert (seen.failure, seen.phase) == (Reason.UNSCHEDULABLE, Phase.PENDING)
    assert "Insufficient cpu" in seen.because


@pytest.mark.row("F-18")
def test_a_payload_over_its_memory_is_out_of_memory(bench: Bench) -> None:
    receipt = bench.start(HOG, profile={"driver": {"memory": 420 * 1024 * 1024}})
    seen = bench.until(receipt, lambda seen: seen.phase is Phase.ENDED)
    reason = seen.failure if seen.last_word is None else seen.last_word["reason"]
    assert reason == Reason.OOM_DRIVER
    assert any("memory limit" in text for text in seen.evidence), seen


@pytest.mark.row("F-17")
def test_a_command_that_cannot_run_is_a_container_that_cannot_be_made(bench: Bench) -> None:
    receipt = bench.start(
        pod_template={"spec": {"securityContext": {"runAsUser": 0, "runAsNonRoot": True}}}
    )
    seen = bench.until(receipt, lambda seen: seen.failure)
    assert seen.failure is Reason.CREATE_CONTAINER
    assert "root" in seen.because


@pytest.mark.row("F-20")
def test_a_drained_pod_was_evicted(bench: Bench) -> None:
    receipt = bench.start()
    pod = bench.running(receipt)["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    bench.client.create(f"{names.pods(bench.namespace)}/{pod}/eviction", eviction)
    seen = bench.until(receipt, lambda seen: seen.phase is Phase.ENDED)
    assert _why(seen) is Reason.EVICTED
    assert "EvictionByEvictionAPI" in " ".join(seen.evidence)


@pytest.mark.row("F-25")
def test_a_deleted_pod_was_deleted_from_outside(bench: Bench) -> None:
    receipt = bench.start()
    pod = bench.running(receipt)["metadata"]["name"]
    bench.client.delete(f"{names.pods(bench.namespace)}/{pod}", {"gracePeriodSeconds": 5})
    seen = bench.until(receipt, lambda seen: seen.phase is Phase.ENDED)
    assert _why(seen) is Reason.DELETED_EXTERNALLY


def test_a_deleted_pod_that_nobody_saw_end_was_deleted_from_outside(bench: Bench) -> None:
    receipt = bench.start()
    pod = bench.running(receipt)["metadata"]["name"]
    bench.client.delete(f"{names.pods(bench.namespace)}/{pod}", {"gracePeriodSeconds": 0})

    def is_gone() -> bool:
        return not bench.client.get(names.pods(bench.namespace))["items"]

    assert kubernetes.eventually(is_gone)
    bench._watching = kubernetes.executor(bench.namespace)  # another process, which saw nothing
    seen = bench.until(receipt, lambda seen: seen.phase is Phase.ENDED)
    assert seen.failure is Reason.DELETED_EXTERNALLY


def test_a_deleted_job_is_gone(bench: Bench) -> None:
    receipt = bench.start()
    bench.running(receipt)
    path = f"{names.jobs(bench.namespace)}/{receipt.facts['name']}"
    bench._watching = kubernetes.executor(bench.namespace)
    bench.client.delete(path, {"propagationPolicy": "Background", "gracePeriodSeconds": 0})
    seen = bench.until(receipt, lambda seen: seen.phase in (Phase.GONE, Phase.ENDED))
    seen = bench.until(receipt, lambda seen: not seen.left)
    assert seen.phase is Phase.GONE or _why(seen) is Reason.DELETED_EXTERNALLY


@pytest.mark.row("F-24")
def test_a_full_quota_waits_for_room(bench: Bench) -> None:
    quota = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"},
        "spec": {"hard": {"pods": "0"}},
    }  # fmt: skip
    path = f"/api/v1/namespaces/{bench.namespace}/resourcequotas"
    bench.client.create(path, quota)
    assert kubernetes.eventually(
        lambda: "hard" in (bench.client.get(f"{path}/full").get("status") or {})
    )
    receipt = bench.start("print('there is room')")
    seen = bench.until(receipt, lambda seen: seen.failure)
    assert (seen.failure, seen.phase) == (Reason.QUOTA, Phase.WAITING)
    bench.client.delete(f"{path}/full", {})
    receipt = bench.begin(receipt)
    seen = bench.until(receipt, lambda seen: seen.phase is Phase.ENDED, 90)
    assert seen.last_word is not None
    assert seen.last_word["state"] == "succeeded"


@pytest.mark.row("F-13")
def test_a_pod_that_is_not_admitted_is_a_setting_to_mend(bench: Bench) -> None:
    path = f"/api/v1/namespaces/{bench.namespace}"
    label = "/metadata/labels/pod-security.kubernetes.io~1enforce"
    bench.client.patch(path, [{"op": "add", "path": label, "value": "restricted"}])
    allowed = bench.start("print('restricted')")
    ended = bench.until(allowed, lambda seen: seen.phase is Phase.ENDED)
    assert ended.last_word is not None  # ours is what the level takes
    privileged = {"spec": {"hostNetwork": True}}
    refused = bench.start(pod_template=privileged)
    seen = bench.until(refused, lambda seen: seen.phase is Phase.ENDED)
    assert seen.failure is Reason.CONFIG_ERROR
    assert "violates PodSecurity" in seen.because


@pytest.mark.row("F-50", "F-11")
def test_rights_taken_away_and_a_broken_kubeconfig_are_no_news(
    bench: Bench, tmp_path: Path
) -> None:
    receipt = bench.start()
    bench.running(receipt)
    path = kubernetes.viewer_kubeconfig(tmp_path)
    executor = kubernetes.executor(bench.namespace, kubeconfig=str(path))
    for words in ("is missing for user viewer", "cannot be read", "no kubeconfig"):
        seen = executor.observe([receipt])[receipt.id]
        assert isinstance(seen, Silent)
        assert words in seen.why
        for act in (
            lambda: executor.cancel(receipt, CancelStep.ASK),
            lambda: executor.release(receipt),
            lambda: executor.reap(receipt),
            lambda: list(executor.logs(receipt, Cursor(), follow=False)),
        ):
            with pytest.raises(UnreachableError, match=words):
                act()
        if "viewer" in words:
            path.write_text("clusters: [")
        else:
            path.unlink(missing_ok=True)
    path.write_text(Path(kubernetes.kubeconfig()).read_text())  # mended without a restart
    seen = executor.observe([receipt])[receipt.id]
    assert isinstance(seen, Observation)
    assert seen.phase is Phase.RUNNING


def _why(seen: Observation) -> Reason | None:
    """Return the reason: in the last word, if there is one."""
    return seen.failure if seen.last_word is None else Reason(seen.last_word["reason"])
