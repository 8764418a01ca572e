"""Three ways to start an attempt on a real cluster: what each costs, and what tells its end when nobody saw it.

`python -m tests.bench.start_ways [--runs N]` prints one JSON document. It needs the tests' cluster
(`QUARTERDECK_TEST_KUBECONFIG`). The same ways in random orders: `tests/contract/test_start_simulation.py`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from quarterdeck.executors.kubernetes import names
from quarterdeck.executors.kubernetes.client import ApiError, Client
from tests.bench.commands import show
from tests.support import kubernetes

Json = dict[str, Any]
GATE = {"name": names.GATE}


class Cluster:
    """One namespace, asked bare."""

    def __init__(self, namespace: str) -> None:
        self.client = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
        self.jobs, self.pods = names.jobs(namespace), names.pods(namespace)
        self.maps = names.config_maps(namespace)
        self.calls = 0

    def spec(self, *, is_gated: bool) -> Json:
        container = {"name": "runner", "image": kubernetes.IMAGE, "command": ["sleep", "600"]}
        spec: Json = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1}
        spec |= {"containers": [{**container, "imagePullPolicy": "Never"}]}
        return spec | ({"schedulingGates": [GATE]} if is_gated else {})

    def job(self, name: str, *, is_gated: bool) -> Json:
        disrupted = [{"type": "DisruptionTarget", "status": "True"}]
        spec = {
            "suspend": True, "backoffLimit": 0, "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": [{"action": "FailJob", "onPodConditions": disrupted}]},
            "template": {"metadata": {"labels": {"of": name}}, "spec": self.spec(is_gated=is_gated)},
        }  # fmt: skip
        return self.create(self.jobs, {"metadata": {"name": name}, "spec": spec})

    def create(self, path: str, document: Json) -> Json:
        self.calls += 1
        return self.client.create(path, document)

    def inputs(self, name: str, owner: Json, kind: str, version: str) -> None:
        """Make what the attempt reads, owned by it."""
        reference = {
            "apiVersion": version, "kind": kind, "name": name, "uid": owner["metadata"]["uid"],
        }  # fmt: skip
        meta = {"name": name, "ownerReferences": [reference]}
        self.create(self.maps, {"metadata": meta, "immutable": True, "data": {"x": "y" * 90_000}})

    def patch(self, path: str, uid: str, *operations: Json) -> None:
        self.calls += 1
        test = {"op": "test", "path": "/metadata/uid", "value": uid}
        self.client.patch(path, [test, *operations])

    def release(self, job: Json) -> None:
        path = f"{self.jobs}/{job['metadata']['name']}"
        release = {"op": "replace", "path": "/spec/suspend", "value": False}
        self.patch(path, job["metadata"]["uid"], release)

    def start(self, pod: Json) -> None:
        path = f"{self.pods}/{pod['metadata']['name']}"
        self.patch(
            path, pod["metadata"]["uid"],
            {"op": "test", "path": "/spec/schedulingGates/0/name", "value": names.GATE},
            {"op": "remove", "path": "/spec/schedulingGates/0"},
        )  # fmt: skip

    def pod_of(self, name: str) -> Json:
        """Wait for the Job's pod."""
        query = (("labelSelector", f"of={name}"),)
        while True:
            if items := self.client.get(self.pods, query)["items"]:
                return dict(items[0])


def job(cluster: Cluster, name: str) -> float:
    """Until now: a suspended Job, released."""
    made = cluster.job(name, is_gated=False)
    cluster.inputs(name, made, "Job", "batch/v1")
    cluster.release(made)
    return 0.0


def gated_job(cluster: Cluster, name: str) -> float:
    """A Job whose pods have a gate; returns how long its controller took to make the pod."""
    made = cluster.job(name, is_gated=True)
    cluster.inputs(name, made, "Job", "batch/v1")
    cluster.release(made)
    begun = time.perf_counter()
    pod = cluster.pod_of(name)
    waited_s = time.perf_counter() - begun
    cluster.start(pod)
    return waited_s


def gated_pod(cluster: Cluster, name: str) -> float:
    """A pod with a gate."""
    meta = {"name": name, "labels": {"of": name}}
    document = {"metadata": meta, "spec": cluster.spec(is_gated=True)}
    pod = cluster.create(cluster.pods, document)
    cluster.inputs(name, pod, "Pod", "v1")
    cluster.start(pod)
    return 0.0


WAYS: dict[str, Callable[[Cluster, str], float]] = {
    "job": job, "gated job": gated_job, "gated pod": gated_pod,
}  # fmt: skip


def delete(cluster: Cluster, pod: str) -> None:
    """Delete the pod, as a person does."""
    cluster.client.delete(pod, {})


def evict(cluster: Cluster, pod: str) -> None:
    """Evict the pod, as a drain does."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod.rpartition("/")[2]},
    }
    cluster.client.create(f"{pod}/eviction", body)


def told(cluster: Cluster, way: str, number: int, end: Callable[[Cluster, str], None]) -> str:
    """Return what the cluster says of an attempt whose pod went while nobody looked."""
    name = f"{way.replace(' ', '-')}-{end.__name__}-{number}"
    WAYS[way](cluster, name)
    path = f"{cluster.pods}/{cluster.pod_of(name)['metadata']['name']}"

    def runs() -> bool:
        return bool(cluster.client.get(path)["status"]["phase"] == "Running")

    def is_gone() -> bool:
        with suppress(ApiError):
            cluster.client.get(path)
            return False
        return True

    assert kubernetes.eventually(runs), name
    end(cluster, path)
    assert kubernetes.eventually(is_gone), name
    said = ["nothing"]

    def has_said() -> bool:
        with suppress(ApiError):
            found = cluster.client.get(f"{cluster.jobs}/{name}")["status"].get("conditions") or ()
            said[:] = [one["reason"] for one in found if one["type"] == "Failed"] or said
        return said != ["nothing"]

    kubernetes.eventually(has_said, 5)
    with suppress(ApiError):
        cluster.client.delete(f"{cluster.jobs}/{name}", {"propagationPolicy": "Background"})
    return said[0]


def measure(*, runs: int) -> dict[str, Any]:
    """Start so many attempts each way, in turn; return calls, seconds and what tells an unseen end."""
    with kubernetes.namespace() as namespace:
        cluster = Cluster(namespace)
        took: dict[str, list[float]] = {way: [] for way in WAYS}
        pods: list[float] = []
        calls = {}
        for number in range(runs):
            for way, begin in WAYS.items():
                cluster.calls = 0
                begun = time.perf_counter()
                waited_s = begin(cluster, f"{way.replace(' ', '-')}-{number}")
                took[way].append(time.perf_counter() - begun - waited_s)
                calls[way] = cluster.calls
                pods += [waited_s] if waited_s else []
            _clear(cluster)
        ends = {
            way: {end.__name__: told(cluster, way, 0, end) for end in (delete, evict)}
            for way in WAYS
        }
        return {
            "bench": "start_ways", "runs": runs, "calls": calls,
            "seconds": {way: round(statistics.median(each), 4) for way, each in took.items()},
            "pod_s": {"median": round(statistics.median(pods), 4), "most": round(max(pods), 4)},
            "an end that nobody saw": ends,
        }  # fmt: skip


def _clear(cluster: Cluster) -> None:
    for path in (cluster.jobs, cluster.pods):
        for name in _names(cluster, path):
            options = {"propagationPolicy": "Background", "gracePeriodSeconds": 0}
            with suppress(ApiError):
                cluster.client.delete(f"{path}/{name}", options)


def _names(cluster: Cluster, path: str) -> Iterator[str]:
    yield from (one["metadata"]["name"] for one in cluster.client.get(path)["items"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    asked = parser.parse_args()
    if kubernetes.VARIABLE not in os.environ:
        sys.exit(f"{kubernetes.VARIABLE} names no kubeconfig")
    show(measure(runs=asked.runs))
