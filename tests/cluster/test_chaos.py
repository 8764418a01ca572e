"""Everything is killed at random moments while runs go on: nothing starts twice, all of it ends, nothing is left.

Alone on its cluster; the program of `QUARTERDECK_TEST_FAULT` kills and starts parts of it (docs/kubernetes.md).
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.executors.kubernetes import names
from quarterdeck.executors.kubernetes.client import ApiError
from quarterdeck.model.errors import UnreachableError
from quarterdeck.model.ids import RunId
from quarterdeck.model.receipt import Receipt
from tests.cluster.test_kills import Chaos
from tests.cluster.test_logs import WIDE
from tests.cluster.test_lost_node import KUBELET, NODE, is_ready
from tests.support import kubernetes
from tests.support.quarterdeck import ENDED, python
from tests.support.screen import Terminal

pytestmark = [pytest.mark.cluster, pytest.mark.long]

RUNS = int(os.environ.get("QUARTERDECK_TEST_CHAOS", "40"))
SLEEPS = "import time\nfor _ in range(20):\n    time.sleep(0.3)\n    print('on it', flush=True)"
SPREAD = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
import time
for _ in range(6):
    assert spark.range(0, 1000, 1, 2).count() == 1000
    time.sleep(1)
"""


class Disturbing:
    """One fault after the other, each at a random moment, while the runs go on; each is mended again."""

    def __init__(self, chaos: Chaos, seed: random.Random) -> None:
        self.chaos = chaos
        self.seed = seed
        self.done: Counter[str] = Counter()
        self.faults: list[Callable[[], bool]] = [
            self.scheduler, self.screen, self.api_server, self.kubelet, self.driver_process,
            self.driver_pod, self.worker,
        ]  # fmt: skip
        self._scheduler = chaos.deck.start("scheduler")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go)
        self._thread.start()

    def was_all(self) -> bool:
        """Whether each fault was made."""
        return all(self.done[fault.__name__] for fault in self.faults)

    def stop(self) -> None:
        """End it; the scheduler that is left stays."""
        self._stopped.set()
        self._thread.join()

    def close(self) -> None:
        self.stop()
        self._scheduler.kill()
        self._scheduler.communicate()

    def _go(self) -> None:
        while not self._stopped.wait(self.seed.uniform(0.5, 4)):
            fault = min(
                self.seed.sample(self.faults, len(self.faults)),
                key=lambda one: self.done[one.__name__],
            )
            with suppress(ApiError, UnreachableError):
                self.done[fault.__name__] += fault()

    # --- faults

    def scheduler(self) -> bool:
        self._scheduler.kill()
        self._scheduler.communicate()
        self._stopped.wait(self.seed.uniform(0, 3))
        self._scheduler = self.chaos.deck.start("scheduler")
        return True

    def screen(self) -> bool:
        """The application is opened on a run and killed."""
        command = [sys.executable, "-m", "quarterdeck", "--fresh"]
        environ = {**self.chaos.deck.environ(), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        with Terminal(command, environ) as terminal:
            terminal.until("| ")
            terminal.press("l")
            time.sleep(self.seed.uniform(0.2, 2))
            terminal.process.kill()
            terminal.process.wait()
        return True

    def api_server(self) -> bool:
        kubernetes.fault("kill", "kube-apiserver")
        time.sleep(self.seed.uniform(1, 15))
        kubernetes.fault("start", "kube-apiserver")
        return kubernetes.eventually(self._answers, 60)

    def kubelet(self) -> bool:
        kubernetes.fault("stop", KUBELET)
        time.sleep(self.seed.uniform(1, 20))
        kubernetes.fault("start", KUBELET)
        return True

    def driver_process(self) -> bool:
        pods = self._pods(names.is_driver)
        if pods:
            labels = self.seed.choice(pods)["metadata"]["labels"]
            run, attempt = RunId(labels[names.RUN]), int(labels[names.ATTEMPT])
            kubernetes.kill_runner(Receipt("kubernetes", run, attempt, {}))
        return bool(pods)

    def driver_pod(self) -> bool:
        return self._delete(names.is_driver)

    def worker(self) -> bool:
        end = time.monotonic() + 15
        while not self._pods(names.is_worker) and time.monotonic() < end:
            time.sleep(0.5)
        return self._delete(names.is_worker)

    def _delete(self, which: Callable[[Any], bool]) -> bool:
        pods = self._pods(which)
        if pods:
            name = self.seed.choice(pods)["metadata"]["name"]
            self.chaos.client.delete(f"{names.pods(self.chaos.namespace)}/{name}", {})
        return bool(pods)

    def _pods(self, which: Callable[[Any], bool]) -> list[Any]:
        found = self.chaos.client.get(names.pods(self.chaos.namespace))["items"]
        return [one for one in found if which(one) and one["status"]["phase"] == "Running"]

    def _answers(self) -> bool:
        with suppress(ApiError, UnreachableError):
            return bool(self.chaos.client.get("/version"))
        return False


@pytest.fixture
def chaos(tmp_path: Path, namespace: str) -> Iterator[Chaos]:
    kubernetes.demand_faults()
    kubernetes.give_driver_rights(namespace)
    made = Chaos(tmp_path, namespace, SLEEPS)
    made.deck.ok("profile", "create", "-f", "-", text=json.dumps(WIDE | {"team": made.deck.actor}))
    counted = made.deck.ok("job", "show", "counted")["spec"]["source"]["text"]
    text = counted.replace(SLEEPS, SPREAD)
    assert text != counted
    made.deck.create("spread", cluster="kube", profile="wide", source=python(text))
    yield made
    assert kubernetes.eventually(lambda: is_ready(made.client), 120), NODE
    made.close()


def start(chaos: Chaos, job: str, seed: random.Random) -> str:
    """Start a run in a process that may be killed at any of its steps; refused, it is tried again."""
    end = time.monotonic() + 240
    while True:
        moment = seed.choice([1_000, seed.randint(1, 30)])
        done = chaos.dispatcher(job, moment)
        words = done.stdout.split()
        if words:
            return words[0]
        assert "kube is unreachable" in done.stderr or done.returncode == -9, done.stderr
        assert time.monotonic() < end, done.stderr
        chaos.deck.json("cluster", "check", "kube")  # as its user would
        time.sleep(1)


@pytest.mark.row("F13", "G6", "F16")
def test_with_everything_killed_at_random_no_attempt_starts_twice_and_every_run_ends(
    chaos: Chaos,
) -> None:
    seed = random.Random(8)  # noqa: S311  # a test's seed
    disturbing = Disturbing(chaos, random.Random(64))  # noqa: S311
    runs: list[str] = []
    try:
        while len(runs) < RUNS or (not disturbing.was_all() and len(runs) < 2 * RUNS):
            runs.append(start(chaos, "spread" if len(runs) % 3 == 0 else "counted", seed))
            time.sleep(seed.uniform(0, 6))
        disturbing.stop()
        assert kubernetes.eventually(lambda: not set(chaos.runs().values()) - ENDED, 420), (
            chaos.runs()
        )
    finally:
        disturbing.close()
    states = chaos.runs()
    assert set(states) >= set(runs)
    told = {run: chaos.deck.ok("run-show", run) for run in states}
    print(disturbing.done, Counter((one["state"], one["reason"]) for one in told.values()))  # noqa: T201
    for one in told.values():
        if one["state"] != "succeeded":
            print(one["job"], one["reason"], one["object"], one["evidence"])  # noqa: T201
    assert disturbing.was_all(), disturbing.done
    assert set(chaos.counting.seen) <= {f"{run}-1" for run in states}
    assert set(chaos.counting.seen.values()) <= {1}, chaos.counting.seen
    for run, shown in told.items():
        if shown["state"] == "succeeded":
            assert chaos.counting.seen[f"{run}-1"] == 1, run
        else:
            assert shown["reason"], shown
            assert shown["advice"], shown
    assert "succeeded" in states.values()
    assert chaos.deck.ok("store", "verify") == {"ok": True, "findings": []}
    assert kubernetes.left(chaos.namespace, 120) == []
