"""Logs from a real cluster: of every worker, after a pod's end, and through cut connections."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.executors.kubernetes import names
from quarterdeck.executors.kubernetes.client import Client
from quarterdeck.executors.kubernetes.sources import ROTATED
from tests.cluster.test_lost_node import KUBELET, NODE
from tests.support import kubernetes
from tests.support.cutting import Cutting
from tests.support.quarterdeck import Quarterdeck, python

pytestmark = pytest.mark.cluster

WIDE = {
    "name": "wide", "mode": "cluster", "driver": {"disk_gib": 1},
    "worker": {
        "instance_type": "test.xlarge", "disk_gib": 1, "max_nodes": 2, "capacity_type": "spot",
        "cpu": 0.25,
    },
}  # fmt: skip
TALKS = """
import os, sys, time
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf
spark = SparkSession.builder.getOrCreate()

@udf("long")
def say(n):
    import os
    if n % 100 == 0:
        os.write(1, b"worker says %d\\n" % n)
    return n
print(spark.range(0, 4000, 1, 4).select(say("id").alias("n")).count(), flush=True)
print(len(spark.range(0, 4000, 1, 4).select(say("id").alias("n")).collect()), flush=True)
time.sleep(1)
"""


@pytest.fixture
def deck(tmp_path: Path, namespace: str) -> Quarterdeck:
    return a_deck(tmp_path, namespace)


def a_deck(folder: Path, namespace: str, **more: Any) -> Quarterdeck:
    made = Quarterdeck(folder)
    document = kubernetes.definition(namespace, **more)
    made.ok("cluster", "create", "-f", "-", text=json.dumps(document))
    return made


@contextmanager
def scheduling(deck: Quarterdeck) -> Iterator[None]:
    """Let a scheduler run."""
    with deck.start("scheduler") as scheduler:
        try:
            yield
        finally:
            scheduler.send_signal(signal.SIGTERM)
            scheduler.communicate(timeout=30)


def texts(lines: list[Mapping[str, Any]], origin: str = "payload") -> list[str]:
    return [line["text"] for line in lines if line.get("origin") == origin]


def gaps(lines: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [line["gap"] for line in lines if "gap" in line]


def kept(deck: Quarterdeck, run: str, *more: str) -> list[Mapping[str, Any]]:
    """Return the log as it is kept, without asking the cluster."""
    found: list[Mapping[str, Any]] = deck.ok("--read-only", "logs", run, *more)
    return found


@pytest.mark.row("G1")
def test_lines_of_every_worker_come_marked_with_their_origin(
    deck: Quarterdeck, namespace: str
) -> None:
    kubernetes.give_driver_rights(namespace)
    deck.ok("profile", "create", "-f", "-", text=json.dumps(WIDE | {"team": deck.actor}))
    deck.create("talks", cluster="kube", profile="wide", source=python(TALKS))
    run = deck.run("talks")
    assert run["state"] == "succeeded", (run["evidence"], deck.call("logs", run["id"]).out)
    lines = deck.ok("logs", run["id"])
    assert gaps(lines) == []
    for worker in ("worker-1", "worker-2"):
        of_it = deck.ok("logs", run["id"], "--origin", worker)
        assert {line["origin"] for line in of_it} == {worker}
        assert any(line["stream"] == "stderr" and "sail" in line["text"] for line in of_it), of_it
    said = [text for text in texts(deck.ok("logs", run["id"], "--origin", "worker")) if text]
    of_all = [line["text"] for line in lines if line.get("origin", "").startswith("worker-")]
    assert sorted(text for text in of_all if "worker says" in text) == sorted(
        f"worker says {n}" for n in range(0, 4000, 100)
    ), said
    assert kubernetes.left(namespace) == []


@pytest.mark.row("G2")
def test_a_pod_that_is_deleted_under_a_scheduler_leaves_its_log(
    deck: Quarterdeck, namespace: str
) -> None:
    text = "import time\nfor n in range(10**6):\n    print('line', n, flush=True)\n    time.sleep(0.01)"
    deck.create("talks", cluster="kube", source=python(text))
    with scheduling(deck):
        run = deck.ok("run", "talks")["id"]
        deck.until(run, "running")
        time.sleep(5)  # of lines
        client = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
        [pod] = client.get(names.pods(namespace))["items"]
        before = kept(deck, run)
        client.delete(
            f"{names.pods(namespace)}/{pod['metadata']['name']}", {"gracePeriodSeconds": 0}
        )
        client.close()
        ended = deck.until(run)
        assert (ended["state"], ended["reason"]) == ("failed", "deleted_externally")
        viewers = [deck.start("logs", run, "-f", "--json") for _ in range(2)]
        seen = [viewer.communicate(timeout=60)[0].splitlines() for viewer in viewers]
    lines = kept(deck, run)
    assert len(texts(before)) > 200
    said = texts(lines)
    assert said == [f"line {n}" for n in range(len(said))]
    assert len(said) >= len(texts(before))
    assert len(gaps(lines)) <= 1, gaps(lines)
    assert [[json.loads(line) for line in one] for one in seen] == [lines, lines]
    assert kubernetes.left(namespace) == []


@pytest.mark.row("G2")
def test_two_viewers_and_a_scheduler_double_nothing(deck: Quarterdeck, namespace: str) -> None:
    text = "import time\nfor n in range(2000):\n    print('line', n, flush=True)\n    time.sleep(0.002)"
    deck.create("talks", cluster="kube", source=python(text))
    with scheduling(deck):
        run = deck.ok("run", "talks")["id"]
        viewers = [deck.start("logs", run, "-f", "--json") for _ in range(2)]
        seen = [viewer.communicate(timeout=120)[0].splitlines() for viewer in viewers]
        assert deck.until(run)["state"] == "succeeded"
    lines = kept(deck, run)
    assert texts(lines) == [f"line {n}" for n in range(2000)]
    assert gaps(lines) == []
    assert [[json.loads(line) for line in one] for one in seen] == [lines, lines]
    assert kubernetes.left(namespace) == []


FLOOD = """
import sys, time
each, rate = 100, 5000
begun = time.monotonic()
for first in range(0, {count}, each):
    out = "".join("line %d %s\\n" % (n, "x" * 30) for n in range(first, first + each))
    sys.stdout.write(out)
    sys.stdout.flush()
    ahead = begun + (first + each) / rate - time.monotonic()
    if ahead > 0:
        time.sleep(ahead)
"""


@pytest.mark.row("F-48")
@pytest.mark.parametrize(
    ("count", "cuts"),
    [(20_000, 1), pytest.param(200_000, 3, marks=pytest.mark.long)],
)
def test_a_fast_log_comes_whole_through_cut_connections(
    tmp_path: Path, namespace: str, count: int, cuts: int
) -> None:
    proxy = Cutting(tmp_path)
    deck = a_deck(tmp_path, namespace, kubeconfig=str(proxy.kubeconfig))
    deck.create("flood", cluster="kube", source=python(FLOOD.format(count=count)), timeout="10m")
    run = deck.ok("run", "flood")["id"]
    seconds = count / 5000
    lags: list[float] = []
    lines: list[Mapping[str, Any]] = []
    began = threading.Event()

    def cut() -> None:
        began.wait(120)
        for _ in range(cuts):
            time.sleep(seconds / (cuts + 1))
            proxy.cut()

    cutter = threading.Thread(target=cut)
    cutter.start()
    with deck.start("logs", run, "-f", "--json") as viewer:
        assert viewer.stdout is not None
        for raw in viewer.stdout:
            now = datetime.now(UTC)  # noqa: TID251  # its world is real
            line = json.loads(raw)
            lines.append(line)
            if line.get("origin") == "payload":
                began.set()
                lags.append((now - datetime.fromisoformat(line["at"])).total_seconds())
        assert viewer.wait(60) == 0
    cutter.join()
    assert proxy.cuts == cuts
    assert deck.until(run)["state"] == "succeeded"
    numbers = [int(text.split()[1]) for text in texts(lines)]
    repeated, missing = len(numbers) - len(set(numbers)), count - len(set(numbers))
    found = gaps(lines)
    lags.sort()
    figures = (
        f"{len(numbers):,} lines, {cuts} cuts: {repeated} repeated, {missing} missing, {len(found)} gaps,"
        f" lag median {lags[len(lags) // 2]:.2f} s, most {lags[-1]:.2f} s"
    )
    print(figures)  # noqa: T201  # what was measured
    in_gaps = sum((gap["to"] or 0) - gap["from"] + 1 for gap in found)
    assert (repeated, missing) == (0, in_gaps), figures
    # Nothing is lost but what was rotated away while a connection was cut.
    assert all(gap["why"] == ROTATED for gap in found), figures
    assert count > 100_000 or not found, figures  # which is written long before 10 MiB are
    assert lags[-1] <= 3, figures  # G1's bound
    proxy.close()


ROTATES = """
import sys, time
for first in range(0, 160_000, 1000):
    sys.stdout.write("".join("line %d %s\\n" % (n, "x" * 60) for n in range(first, first + 1000)))
    sys.stdout.flush()
    time.sleep(0.05)
time.sleep(8)
print("the end", flush=True)
"""


@pytest.mark.row("F-48")
def test_what_was_rotated_away_while_nobody_looked_is_one_named_gap(
    deck: Quarterdeck, namespace: str
) -> None:
    deck.create("flood", cluster="kube", source=python(ROTATES))
    run = deck.ok("run", "flood")["id"]
    assert deck.until(run, deadline_s=120)["state"] == "succeeded"
    lines = deck.ok("logs", run)
    [gap] = gaps(lines)
    assert gap["why"] == ROTATED
    said = [text for text in texts(lines) if text.startswith("line ")]
    numbers = [int(text.split()[1]) for text in said]
    first = 160_000 - len(numbers)  # none, if the node rotated once more behind them
    assert numbers == list(range(first, 160_000))
    assert first > 1_000
    assert gap["from"] == 1
    assert gap["to"] > first  # the runner's and the engine's own lines were before them
    assert texts(lines)[-1] == "the end"
    assert kubernetes.left(namespace) == []


@pytest.mark.long
@pytest.mark.row("F-48")
def test_a_log_goes_on_where_it_was_when_its_kubelet_was_away(
    tmp_path: Path, namespace: str
) -> None:
    kubernetes.demand_faults()
    deck = a_deck(tmp_path, namespace, node_selector={"kubernetes.io/hostname": NODE})
    text = (
        "import time\nfor n in range(600):\n    print('line', n, flush=True)\n    time.sleep(0.05)"
    )
    deck.create("talks", cluster="kube", source=python(text))
    run = deck.ok("run", "talks")["id"]
    follower = deck.start("logs", run, "-f")
    assert kubernetes.eventually(lambda: "line 50" in deck.call("logs", run).out)
    kubernetes.fault("stop", KUBELET)
    try:
        time.sleep(12)
    finally:
        kubernetes.fault("start", KUBELET)
    ended = deck.until(run, deadline_s=180)
    assert ended["state"] == "succeeded", ended
    said, _ = follower.communicate(timeout=90)
    kept = deck.ok("logs", run)
    wanted = [f"line {number}" for number in range(600)]
    assert re.findall(r"line \d+$", said, re.M) == wanted
    assert [line["text"] for line in kept if line.get("text", "").startswith("line ")] == wanted
    assert not [line for line in kept if "gap" in line]
