"""What an API server refuses right after it was away ends no run; a right that is really gone does, by name.

A user with no more rights than `cluster rbac` prints: the admin's own certificate is refused nothing. Alone on the
cluster, for its API server is killed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from quarterdeck.executors.kubernetes import rbac
from quarterdeck.executors.kubernetes.client import Client
from tests.support import kubernetes
from tests.support.quarterdeck import ENDED, Quarterdeck, python

pytestmark = [pytest.mark.cluster, pytest.mark.row("F-11")]

SERVER = "kube-apiserver"
COUNT = "QUARTERDECK_TEST_RESTARTS"  # another number than 10 of the long count


class Bench(NamedTuple):
    """A workspace whose cluster's user has just the rights that are printed."""

    deck: Quarterdeck
    client: Client
    namespace: str

    def take(self, verb: str, resource: str) -> None:
        """Take one right away."""
        base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}/roles"
        path = f"{base}/quarterdeck-user"
        rules = self.client.get(path)["rules"]
        for rule in rules:
            if resource in rule["resources"]:
                rule["verbs"] = [one for one in rule["verbs"] if one != verb]
        self.client.patch(path, [{"op": "replace", "path": "/rules", "value": rules}])

    def run(self) -> Any:
        return self.deck.ok("run", "daily")


@pytest.fixture
def bench(tmp_path: Path, namespace: str) -> Iterator[Bench]:
    client = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
    rights = rbac.documents(namespace, ["default"], full=False)
    for one in rights:
        for subject in one.get("subjects", ()):
            if subject["kind"] == "Group":
                subject["name"] = "viewers"
    kubernetes.apply(client, rights)
    viewer = str(kubernetes.viewer_kubeconfig(tmp_path))
    deck = Quarterdeck(tmp_path)
    document = kubernetes.definition(namespace, kubeconfig=viewer)
    shown = deck.ok("cluster", "create", "-f", "-", text=json.dumps(document))
    assert shown["status"] == "active", shown["checks"]
    deck.create("daily", cluster="kube", source=python("print(1)"))
    yield Bench(deck, client, namespace)
    client.close()


def three_runs_around_a_restart(bench: Bench) -> None:
    """Kill the server, run three times, start it, and look without pause: nothing is rejected."""
    deck = bench.deck
    kubernetes.fault("kill", SERVER)
    try:
        runs = [bench.run()["id"] for _ in range(3)]
        stored = {row["id"]: row for row in deck.ok("runs")}
        for run in runs:
            assert stored[run]["state"] == "queued", stored[run]  # nothing of it can exist yet
            assert stored[run]["waiting_for"]["what"] == "the cluster to answer"
        starting = deck.start("scheduler")  # looks every two seconds, beside us
    finally:
        kubernetes.fault("start", SERVER)
    try:
        end = time.monotonic() + 240
        while True:
            states = {row["id"]: row["state"] for row in deck.ok("runs", "--limit", "100")}
            assert not {states[run] for run in runs} & (ENDED - {"succeeded"}), [
                deck.ok("run-show", run)["evidence"] for run in runs
            ]
            if all(states[run] == "succeeded" for run in runs):
                return
            assert time.monotonic() < end, deck.ok("runs")
    finally:
        starting.kill()
        starting.communicate()


@pytest.fixture
def faults() -> Iterator[None]:
    kubernetes.demand_faults()
    yield
    kubernetes.fault("start", SERVER)


def test_what_a_restarted_server_refuses_rejects_no_run(bench: Bench, faults: None) -> None:
    three_runs_around_a_restart(bench)


@pytest.mark.long
def test_ten_restarts_reject_no_run(bench: Bench, faults: None) -> None:
    for _ in range(int(os.environ.get(COUNT, "10"))):
        three_runs_around_a_restart(bench)
    assert kubernetes.left(bench.namespace, 60) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("verb", "resource", "state"), [("create", "jobs", "rejected"), ("patch", "pods", "rejected")]
)
def test_a_right_that_is_gone_ends_the_run_in_two_minutes_by_name(
    bench: Bench, verb: str, resource: str, state: str
) -> None:
    bench.take(verb, resource)
    begun = time.monotonic()
    run = bench.run()
    assert run["state"] == "dispatching", run
    what = f"the right to {verb} {resource} in namespace {bench.namespace}"
    assert run["waiting_for"]["what"] == what
    assert "it was there when the cluster was checked" in run["waiting_for"]["last_fact"]
    ended = bench.deck.until(run["id"], deadline_s=130)
    assert 110 < time.monotonic() - begun < 130
    assert (ended["state"], ended["reason"]) == (state, "config_error")
    said = " ".join(ended["evidence"])
    assert f"In namespace {bench.namespace} the right to {verb} {resource} is missing." in said
    assert "`quarterdeck cluster rbac` prints, and bind it to user viewer" in said
    assert "pod template" not in said + ended["advice"]
    assert kubernetes.left(bench.namespace) == []
    check = bench.deck.json("cluster", "check", "kube").document
    assert check["status"] == "inactive"
    [rights] = [one for one in check["checks"] if one["name"] == "rights"]
    assert rights["code"] == "prerequisite"
