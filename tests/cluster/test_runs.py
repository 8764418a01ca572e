"""Runs on a real cluster through the command line, each in a namespace of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import kubernetes
from tests.support.quarterdeck import Quarterdeck, python, sql

pytestmark = pytest.mark.cluster


@pytest.fixture
def namespace() -> Iterator[str]:
    with kubernetes.namespace() as name:
        yield name


@pytest.fixture
def deck(tmp_path: Path, namespace: str) -> Quarterdeck:
    """Return a workspace with cluster `kube` in that namespace."""
    made = Quarterdeck(tmp_path)
    made.ok("cluster", "create", "-f", "-", text=json.dumps(definition(namespace)))
    return made


def definition(namespace: str, **more: Any) -> dict[str, Any]:
    return {"name": "kube", "kind": "kubernetes", **kubernetes.cluster(namespace, **more)}


def test_a_job_runs_on_the_cluster_and_leaves_its_log(deck: Quarterdeck, namespace: str) -> None:
    shown = deck.ok("cluster", "show", "kube")
    assert shown["status"] == "active"
    deck.create("daily", cluster="kube", source=sql("SELECT 1 AS v; SELECT 2 AS w"))
    run = deck.run("daily")
    assert run["state"] == "succeeded", run
    words = deck.call("logs", run["id"]).out
    assert "Starting the Spark Connect server" in words
    rows = deck.ok("run-show", run["id"])
    assert [one["state"] for one in rows["timeline"]][-1] == "succeeded"
    assert kubernetes.left(namespace) == []


def test_a_failing_statement_says_where(deck: Quarterdeck) -> None:
    deck.create("bad", cluster="kube", source=sql("SELECT 1;\nSELECT nope FROM nowhere"))
    run = deck.run("bad")
    assert (run["state"], run["reason"]) == ("failed", "user_error")
    assert "nowhere" in " ".join(run["evidence"])


def test_a_cancel_keeps_the_last_word_and_the_log(deck: Quarterdeck, namespace: str) -> None:
    text = "import time\nprint('it began', flush=True)\ntime.sleep(300)"
    deck.create("long", cluster="kube", source=python(text))
    run = deck.ok("run", "long")
    deck.until(run["id"], "running")
    deck.ok("cancel", run["id"])
    ended = deck.until(run["id"])
    assert (ended["state"], ended["reason"]) == ("cancelled", "cancelled")
    assert "it began" in deck.call("logs", run["id"]).out
    assert kubernetes.left(namespace) == []


def test_a_cluster_of_workers_answers_and_is_gone_at_the_end(
    deck: Quarterdeck, namespace: str
) -> None:
    kubernetes.give_driver_rights(namespace)
    profile = {
        "name": "wide", "mode": "cluster", "driver": {"disk_gib": 1},
        "worker": {
            "instance_type": "test.xlarge", "disk_gib": 1, "max_nodes": 2,
            "capacity_type": "spot", "cpu": 0.25,
        },
    }  # fmt: skip
    deck.ok("profile", "create", "-f", "-", text=json.dumps(profile | {"team": deck.actor}))
    text = (
        "SELECT count(*) AS n, sum(id % 7) AS s FROM range(0, 100000, 1, 2);"
        "SELECT count(*) AS workers FROM system.cluster.workers"
    )
    deck.create("spread", cluster="kube", profile="wide", source=sql(text))
    run = deck.run("spread")
    assert run["state"] == "succeeded", (run["evidence"], deck.call("logs", run["id"]).out)
    rows = [one["rows"] for one in run["result"]["statements"]]
    assert rows == [[[100000, sum(n % 7 for n in range(100000))]], [[2]]]
    assert kubernetes.left(namespace) == []
