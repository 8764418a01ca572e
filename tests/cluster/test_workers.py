"""Workers that die on a real cluster: named in the timeline, and the run's reason where it ends by it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.executors.kubernetes import names
from quarterdeck.executors.kubernetes.client import ApiError, Client
from tests.cluster.test_logs import WIDE, a_deck, scheduling
from tests.support import kubernetes
from tests.support.quarterdeck import Quarterdeck, python, sql

# What the engine does within a second of a worker's end differs from time to time: too much for each CI.
pytestmark = [pytest.mark.cluster, pytest.mark.long]

HOG = """
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf
spark = SparkSession.builder.getOrCreate()

@udf("long")
def hog(n):
    return len(bytearray(600 * 1024 * 1024))
print(spark.range(0, 8, 1, 2).select(hog("id").alias("n")).collect(), flush=True)
"""
PAUSES = """
import time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print("first", spark.range(0, 10, 1, 2).count(), flush=True)
time.sleep(12)
print("second", spark.range(0, 10, 1, 2).count(), flush=True)
"""


SLOW = """
import time
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf
spark = SparkSession.builder.getOrCreate()
print("first", spark.range(0, 10, 1, 2).count(), flush=True)

@udf("long")
def slow(n):
    import time
    time.sleep(1)
    return n
print("second", len(spark.range(0, 20, 1, 2).select(slow("id").alias("n")).collect()) - 10, flush=True)
"""


@pytest.fixture
def namespace(namespace: str) -> str:
    kubernetes.give_driver_rights(namespace)
    return namespace


def wide(folder: Path, namespace: str, text: str, **worker: Any) -> tuple[Quarterdeck, str]:
    """Make a workspace with a job on two workers; returns it with the job's name."""
    deck = a_deck(folder, namespace)
    profile = WIDE | {"team": deck.actor, "worker": WIDE["worker"] | worker}  # type: ignore[operator]
    deck.ok("profile", "create", "-f", "-", text=json.dumps(profile))
    deck.create("spread", cluster="kube", profile="wide", source=python(text), timeout="3m")
    return deck, "spread"


@contextmanager
def workers_kept(namespace: str) -> Iterator[None]:
    """Keep the objects of workers after their end, for the engine removes what it lost before a look comes by."""
    client, stopped = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT), threading.Event()
    path, holder = names.pods(namespace), "quarterdeck.test/kept"

    def each(finalizers: list[str]) -> None:
        for pod in client.get(path)["items"]:
            meta = pod["metadata"]
            if names.is_worker(pod) and (meta.get("finalizers") or []) != finalizers:
                patch = {"op": "add", "path": "/metadata/finalizers", "value": finalizers}
                with suppress(ApiError):
                    client.patch(f"{path}/{meta['name']}", [patch])

    def keep() -> None:
        while not stopped.wait(0.2):
            each([holder])

    keeper = threading.Thread(target=keep)
    keeper.start()
    try:
        yield
    finally:
        stopped.set()
        keeper.join()
        each([])
        client.close()


@pytest.mark.row("F-19")
def test_a_worker_over_its_memory_is_named_with_limit_and_field(
    tmp_path: Path, namespace: str
) -> None:
    deck, job = wide(tmp_path, namespace, HOG, memory="400Mi")
    with workers_kept(namespace):
        run = deck.run(job)
    assert (run["state"], run["reason"]) == ("failed", "oom_worker"), run
    assert run["object"].startswith("worker-")
    assert run["object"] in run["evidence"][0]
    said = " ".join(run["evidence"])
    assert "memory limit 400Mi" in said or "memory limit 419430400" in said, run["evidence"]
    assert "peak" in said
    assert "`worker.memory`" in run["advice"]
    assert any(run["object"] in one["because"] for one in run["timeline"])


@pytest.mark.row("F-26")
@pytest.mark.parametrize(
    "text",
    [pytest.param(SLOW, id="at work"), pytest.param(PAUSES, id="idle")],
)
def test_a_worker_that_dies_is_named_and_the_run_goes_as_its_engine_does(
    tmp_path: Path, namespace: str, text: str
) -> None:
    deck, job = wide(tmp_path, namespace, text)
    with scheduling(deck):
        run = deck.ok("run", job)["id"]
        assert kubernetes.eventually(lambda: "first 10" in deck.call("logs", run).out, 90)
        client = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
        path = names.pods(namespace)
        victim = next(pod for pod in client.get(path)["items"] if names.is_worker(pod))
        name = victim["metadata"]["name"]
        time.sleep(2.5)  # a look of the scheduler
        client.delete(f"{path}/{name}", {"gracePeriodSeconds": 0})
        client.close()
        ended = deck.until(run, deadline_s=150)
    told = [one for one in ended["timeline"] if name in one["because"]]
    assert len(told) == 1, ended["timeline"]
    assert told[0]["state"] == "running"
    log = deck.ok("logs", run)
    assert len([line for line in log if "gap" in line]) <= 1
    if ended["state"] == "succeeded":
        assert any(line.get("text") == "second 10" for line in log)
    else:
        # Where looks are far apart its engine had removed the others, too: then nobody saw who was first.
        known = {"deleted_externally": name, "engine_lost": "a worker"}
        assert known[ended["reason"]] in ended["object"], ended["evidence"]
    assert kubernetes.left(namespace) == []


@pytest.mark.row("F-23", "C9", "G7")
@pytest.mark.parametrize("how", ["followed", "looked at"])
def test_a_worker_without_a_node_is_waited_for_by_name_and_is_the_reason(
    tmp_path: Path, namespace: str, how: str
) -> None:
    deck, _ = wide(tmp_path, namespace, "pass", cpu=1.5)
    text = "SELECT sum(id) FROM range(0, 1000, 1, 200)"
    deck.create("starved", cluster="kube", profile="wide", source=sql(text), timeout="30s")
    if how == "followed":
        run = deck.run("starved")
    else:
        run = deck.ok("run", "starved")["id"]

        def waiting() -> Any:
            return (deck.ok("run-show", run)["waiting_for"] or {}).get("what", "")

        assert kubernetes.eventually(lambda: waiting().startswith("a node for worker-"), 60)
        shown = deck.ok("run-show", run)["waiting_for"]
        assert "nodes are available" in shown["last_fact"], shown
        run = deck.until(run, deadline_s=120)
    assert (run["state"], run["reason"]) == ("failed", "unschedulable"), run
    assert run["object"].startswith("worker-")
    assert "nodes are available" in run["evidence"][0]
    assert any("waits for a node" in one["because"] for one in run["timeline"])
    assert kubernetes.left(namespace) == []


@pytest.mark.row("F-19")
def test_a_worker_over_its_memory_is_the_reason_to_who_looks_now_and_then(
    tmp_path: Path, namespace: str
) -> None:
    deck, job = wide(tmp_path, namespace, HOG, memory="400Mi")
    with workers_kept(namespace):
        run = deck.ok("run", job)["id"]
        ended = deck.until(run, deadline_s=150)
    assert (ended["state"], ended["reason"]) == ("failed", "oom_worker"), ended


@pytest.mark.row("F-26", "G7")
def test_a_worker_that_was_deleted_with_grace_is_told_within_seconds(
    tmp_path: Path, namespace: str
) -> None:
    deck, job = wide(tmp_path, namespace, SLOW)
    run = deck.ok("run", job)["id"]
    assert kubernetes.eventually(lambda: "first 10" in deck.call("logs", run).out, 90)
    client = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
    path = names.pods(namespace)
    victim = next(pod for pod in client.get(path)["items"] if names.is_worker(pod))
    name = victim["metadata"]["name"]
    client.delete(f"{path}/{name}", {})
    client.close()
    deck.until(run, "running")  # a look before it is gone

    def is_told() -> bool:
        shown = deck.ok("run-show", run)
        waits = shown["waiting_for"] or {}
        return any(name in one["because"] for one in shown["timeline"]) and (
            waits.get("what") == "the engine to go on without a worker" or bool(shown["ended_at"])
        )

    assert kubernetes.eventually(is_told, 15)
    deck.ok("cancel", run)
    assert deck.until(run, deadline_s=120)
