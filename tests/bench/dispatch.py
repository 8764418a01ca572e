"""What a dispatch to a cluster costs beside its own API calls, in a process that is warm.

`python -m tests.bench.dispatch [--small] [--runs N]` prints one JSON document. It needs the tests' cluster
(`QUARTERDECK_TEST_KUBECONFIG`). Each run is dispatched by the service in this process; right after it the calls
that it made are made once more, bare: the same documents under another name, over one open connection. How long
the Job's controller takes to make the pod is neither's, and told by itself (`pod_s`).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock
from urllib.parse import urlencode

from quarterdeck import config
from quarterdeck.executors.kubernetes import client as api
from quarterdeck.executors.kubernetes import names
from quarterdeck.model.ids import RunId
from quarterdeck.model.run import RunState
from quarterdeck.wiring import open_services
from tests.bench.commands import show
from tests.support import kubernetes
from tests.support.quarterdeck import Quarterdeck, python

GOAL_RATIO = 1.5
GOAL_S = 0.3
WARM = 2  # runs before the first that counts
OTHER = "rbare"  # the begin of the bare calls' run ids, as long as it replaces


class Call(NamedTuple):
    """One call of the API as it was made, and when it was answered."""

    method: str
    path: str
    query: api.Query
    body: Any
    content: str
    answered: float

    @property
    def is_look(self) -> bool:
        """Whether it looks for the pod."""
        return self.method == "GET" and self.path.endswith("/pods")

    @property
    def is_of_pod(self) -> bool:
        """Whether it is the word to begin."""
        return self.method == "PATCH" and "/pods/" in self.path


class Recorded:
    """Every call that a `Client` of this process makes."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note them in the block."""
        request = api.Client._request

        def noted(client: api.Client, *given: Any) -> Any:
            answer = request(client, *given)
            method, path, query, body, content = given[:5]
            self.calls.append(Call(method, path, query, body, content, time.perf_counter()))
            return answer

        with mock.patch.object(api.Client, "_request", noted):
            yield

    def pod_s(self) -> float:
        """Return how long it took from the release to the look that found the pod."""
        [released] = [one.answered for one in self.calls if is_release(one)]
        return max(one.answered for one in self.calls if one.is_look) - released


def is_release(call: Call) -> bool:
    """Whether the call lets the Job make its pod."""
    return call.method == "PATCH" and "/jobs/" in call.path


class Bare:
    """The same API over one connection, and nothing in between."""

    def __init__(self) -> None:
        import urllib3  # which comes with the package for clusters

        client = api.Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
        found = client._ready().configuration
        self._host = found.host
        self._pool = urllib3.PoolManager(
            ca_certs=found.ssl_ca_cert, cert_file=found.cert_file, key_file=found.key_file
        )
        self._client = client

    def again(self, calls: list[Call], run: str) -> float:
        """Make the calls of a run's dispatch once more under another run's name; return the seconds."""
        was, now, took_s = "", "", 0.0
        other = OTHER + run[len(OTHER) :]
        for call in calls:
            if call.is_look:
                continue
            body = None if call.body is None else json.dumps(call.body).replace(run, other)
            path, headers = call.path.replace(run, other), {"Accept": "application/json"}
            if call.is_of_pod:
                path, uid = self._pod(path)
                body = json.dumps([{**call.body[0], "value": uid}, *call.body[1:]])
            if body is not None:
                headers["Content-Type"] = call.content
                body = body.replace(was, now) if was else body
            url = self._host + path + (f"?{urlencode(call.query)}" if call.query else "")
            begun = time.perf_counter()
            answer = self._pool.request(call.method, url, body=body, headers=headers)
            took_s += time.perf_counter() - begun
            assert answer.status < 300, (call.method, path, answer.data[:300])
            if call.method == "POST" and path.endswith("/jobs") and not call.query[1:]:
                now = answer.json()["metadata"]["uid"]
                was = next(one.body[0]["value"] for one in calls if is_release(one))
        return took_s

    def _pod(self, path: str) -> tuple[str, str]:
        """Wait for the pod of the bare calls' Job; return its path and UID."""
        folder, _, name = path.rpartition("/")
        job = name.rpartition("-")[0]
        while True:
            for pod in self._client.get(folder)["items"]:
                if pod["metadata"]["name"].startswith(f"{job}-"):
                    return f"{folder}/{pod['metadata']['name']}", pod["metadata"]["uid"]

    def close(self) -> None:
        self._pool.clear()
        self._client.close()


def measure(*, runs: int) -> dict[str, Any]:
    """Dispatch so many runs; return times from `dispatching` to `submitted` beside the bare calls'."""
    with tempfile.TemporaryDirectory() as folder, kubernetes.namespace() as namespace:
        deck = Quarterdeck(Path(folder))
        document = kubernetes.definition(namespace)
        deck.ok("cluster", "create", "-f", "-", text=json.dumps(document))
        deck.create("quick", cluster="kube", source=python("print(1)"))
        services = open_services(
            config.load({"store": str(deck.store)}, {"QUARTERDECK_ACTOR": deck.actor})
        )
        bare, took, beside, pods, calls = Bare(), [], [], [], 0
        try:
            for number in range(WARM + runs):
                recorded = Recorded()
                with recorded.listening():
                    run = services.runs.start("quick")["id"]
                    shown = services.runs.dispatch(run)
                assert shown["state"] == "submitted", shown
                at = {one.state: one.at for one in services.runs.get(run).timeline}
                bare_s = bare.again(recorded.calls, run)
                if number >= WARM:
                    whole = at[RunState.SUBMITTED] - at[RunState.DISPATCHING]
                    pods.append(recorded.pod_s())
                    took.append(whole.total_seconds() - pods[-1])
                    beside.append(bare_s)
                    calls = sum(not one.is_look for one in recorded.calls)
                _let_end(services, bare, namespace, run)
        finally:
            bare.close()
            services.close()
        ratios = [one / other for one, other in zip(took, beside, strict=True)]
        return {
            "bench": "dispatch", "runs": runs, "calls": calls,
            "dispatch_s": _spread(took), "pod_s": _spread(pods),
            "bare_calls_s": _spread(beside), "ratio": _spread(ratios),
            "goal_ratio": GOAL_RATIO, "goal_s": GOAL_S,
            "met": statistics.median(ratios) <= GOAL_RATIO and max(took) <= GOAL_S,
        }  # fmt: skip


def _let_end(services: Any, bare: Bare, namespace: str, run: str) -> None:
    """Wait for the run's end, that the next one's times are its own; the bare calls' Job goes, too."""
    other = names.k8s_job(RunId(OTHER + run[len(OTHER) :]), 1)
    options = {"propagationPolicy": "Background"}
    bare._client.delete(f"{names.jobs(namespace)}/{other}", options)
    end = time.monotonic() + 60
    while services.runs.reconcile([run])[0]["state"] != "succeeded":
        assert time.monotonic() < end, services.runs.stored(run)
        time.sleep(0.2)


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "least": round(min(values), 4), "median": round(statistics.median(values), 4),
        "most": round(max(values), 4),
    }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--runs", type=int, default=20)
    asked = parser.parse_args()
    if kubernetes.VARIABLE not in os.environ:
        sys.exit(f"{kubernetes.VARIABLE} names no kubeconfig")
    show(measure(runs=2 if asked.small else asked.runs))
