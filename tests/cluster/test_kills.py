"""`kill -9` of whoever dispatches to a cluster: each attempt's code starts at most once, every run ends."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.executors.kubernetes import names, podfacts
from quarterdeck.executors.kubernetes.client import Client
from tests.support import kubernetes
from tests.support.quarterdeck import ENDED, ROOT, Quarterdeck, python

pytestmark = pytest.mark.cluster

COUNTED = """
import os, urllib.request
urllib.request.urlopen("{address}/" + os.environ["QUARTERDECK_ATTEMPT"], timeout=20).read()
{then}
"""
COUNT = "QUARTERDECK_TEST_KILLS"  # another number of runs of the long count
WAVE = 10  # runs at once
STEPS_MOST = 30  # of a dispatch, both sides of each


class Chaos:
    """A workspace on the cluster, a job that counts its starts on this machine, and processes to be killed."""

    def __init__(self, folder: Path, namespace: str, then: str = "") -> None:
        self.namespace = namespace
        self.client = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
        self.counting = kubernetes.Counting()
        self.deck = Quarterdeck(folder)
        document = kubernetes.definition(namespace)
        self.deck.ok("cluster", "create", "-f", "-", text=json.dumps(document))
        text = COUNTED.format(address=self.counting.address, then=then)
        self.deck.create("counted", cluster="kube", source=python(text))

    def close(self) -> None:
        self.counting.close()
        self.client.close()

    def dispatcher(self, what: str, moment: object) -> subprocess.CompletedProcess[str]:
        """Start a run, or go on with one, in a process that kills itself at that moment."""
        command = [sys.executable, "-m", "tests.chaos.dispatcher", str(self.deck.store), what]
        return subprocess.run(  # our own command
            [*command, str(moment)], env=self.deck.environ(), capture_output=True, text=True,
            timeout=120, cwd=ROOT, check=False,
        )  # fmt: skip

    def dispatch(self, what: str, moment: object) -> str | None:
        """Let a dispatcher do it; returns the new run's id."""
        done = self.dispatcher(what, moment)
        assert done.returncode in (0, -9), done.stderr
        words = done.stdout.split()
        return words[0] if words and words[0] != "done" else None

    def runs(self) -> dict[str, str]:
        rows = self.deck.ok("runs", "--limit", "1000")
        return {row["id"]: row["state"] for row in rows}

    def k8s_jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get(names.jobs(self.namespace))["items"]
        return found

    def pods(self) -> list[dict[str, Any]]:
        found = self.client.get(names.pods(self.namespace))["items"]
        return [pod for pod in found if names.is_driver(pod)]

    def take_up(self, seed: random.Random | None, limit_s: float) -> None:
        """Let schedulers follow each other until every run has ended; with a seed each is killed at random."""
        end = time.monotonic() + limit_s
        while set(self.runs().values()) - ENDED:
            assert time.monotonic() < end, self.runs()
            scheduler = self.deck.start("scheduler")
            try:
                scheduler.wait(seed.uniform(1, 6) if seed else 5)
            except subprocess.TimeoutExpired:
                pass
            finally:
                scheduler.kill()
                scheduler.communicate()


def killed_at_random(folder: Path, namespace: str, count: int) -> None:
    """Dispatch so many runs, kill every process that moves them on at random, and hold all against what ran."""
    chaos = Chaos(folder, namespace)
    seed = random.Random(8)  # noqa: S311  # a test's seed
    made: list[str | None] = []
    try:
        while len(made) < count:
            moments = [seed.randint(1, STEPS_MOST) for _ in range(min(WAVE, count - len(made)))]
            with ThreadPoolExecutor(2) as pool:
                runs = list(pool.map(lambda moment: chaos.dispatch("counted", moment), moments))
                again = [(run, seed.randint(1, STEPS_MOST)) for run in runs if run is not None]
                list(pool.map(lambda one: chaos.dispatch(*one), again))
            chaos.take_up(seed, 240)
            made += runs
        assert None not in made
        assert chaos.runs() == dict.fromkeys(made, "succeeded")
        assert chaos.counting.seen == {f"{run}-1": 1 for run in made}
        assert chaos.deck.ok("store", "verify") == {"ok": True, "findings": []}
    finally:
        chaos.close()
    assert kubernetes.left(namespace, 120) == []


@pytest.mark.row("F13", "H7", "F-6")
def test_ten_runs_whose_dispatchers_are_killed_at_random(tmp_path: Path, namespace: str) -> None:
    killed_at_random(tmp_path, namespace, 10)


@pytest.mark.long
@pytest.mark.row("F13")
def test_two_hundred_runs_whose_dispatchers_are_killed_at_random(
    tmp_path: Path, namespace: str
) -> None:
    killed_at_random(tmp_path, namespace, int(os.environ.get(COUNT, "200")))


@pytest.fixture
def chaos(tmp_path: Path, namespace: str) -> Iterator[Chaos]:
    made = Chaos(tmp_path, namespace)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("moment", "is_made", "is_released", "is_started"),
    [
        pytest.param("before:prepare", False, False, False, marks=pytest.mark.row("F-2")),
        pytest.param("after:prepare", True, False, False, marks=pytest.mark.row("F-3")),
        pytest.param("before:release", True, False, False, marks=pytest.mark.row("F-4")),
        pytest.param("after:release", True, True, False, marks=pytest.mark.row("F-4")),
        pytest.param("before:start", True, True, False, marks=pytest.mark.row("F-4")),
        pytest.param("after:start", True, True, True, marks=pytest.mark.row("F-5")),
    ],
)
def test_killed_at_a_step_the_next_holder_goes_on_there(
    chaos: Chaos, moment: str, is_made: bool, is_released: bool, is_started: bool
) -> None:
    run = chaos.dispatch("counted", moment)
    assert run is not None
    before, pods = chaos.k8s_jobs(), chaos.pods()
    assert [podfacts.is_gated(pod) for pod in pods] == ([not is_started] if is_released else [])
    stored = chaos.deck.ok("runs")[0]
    assert (stored["id"], stored["state"]) == (run, "submitted")  # the list itself took it up
    after = chaos.k8s_jobs()
    assert len(after) == 1
    if is_made:
        assert [job["metadata"]["uid"] for job in before] == [after[0]["metadata"]["uid"]]
        assert before[0]["spec"]["suspend"] is not is_released
    else:
        assert before == []
    shown = chaos.deck.until(run)
    assert shown["state"] == "succeeded"
    assert shown["receipt"]["facts"]["uid"] == after[0]["metadata"]["uid"]
    if pods:
        assert shown["receipt"]["chosen"]["id"] == pods[0]["metadata"]["uid"]
    assert chaos.counting.seen == {f"{run}-1": 1}


@pytest.mark.row("F-6")
def test_a_run_goes_on_undisturbed_while_nobody_watches(tmp_path: Path, namespace: str) -> None:
    chaos = Chaos(tmp_path, namespace, "import time; print('on it', flush=True); time.sleep(6)")
    try:
        run = chaos.dispatch("counted", 1_000)
        assert run is not None
        scheduler = chaos.deck.start("scheduler")
        assert kubernetes.eventually(lambda: chaos.counting.seen[f"{run}-1"] == 1)
        scheduler.kill()
        scheduler.communicate()
        time.sleep(1)
        shown = chaos.deck.ok("run-show", run)  # the next start
        assert shown["state"] == "running"
        assert chaos.deck.until(run)["state"] == "succeeded"
        assert "on it" in chaos.deck.call("logs", run).out
        assert chaos.counting.seen == {f"{run}-1": 1}
    finally:
        chaos.close()
