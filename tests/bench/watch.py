"""What it costs to keep up with runs on a cluster: requests, processor and memory of an idle scheduler.

`python -m tests.bench.watch [--small] [--known N] [--active N] [--seconds S]` prints one JSON document. It needs
the tests' cluster (`QUARTERDECK_TEST_KUBECONFIG`). The scheduler is a process of its own; it asks the real API
through a proxy that counts. `known` runs are in the store; `active` of them run, with a pod whose log the proxy
keeps open, and beside their Jobs stand as many of another workspace as runs have ended.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from quarterdeck import config
from quarterdeck.executors.kubernetes import KubernetesExecutor, names
from quarterdeck.model.failure import Reason
from quarterdeck.model.ids import RunId
from quarterdeck.model.receipt import Receipt
from quarterdeck.model.run import Attempt, Run, RunState
from quarterdeck.wiring import clock, open_services
from tests.bench.commands import show
from tests.contract.test_executor import a_launch
from tests.support import kubernetes
from tests.support.builders import a_run
from tests.support.proxy import Quiet, kinds
from tests.support.quarterdeck import Quarterdeck
from tests.support.watched import World

GOAL_CPU = 2.0  # percent of one processor
SETTLE_S = 8.0
TICKS_S = os.sysconf("SC_CLK_TCK")


@contextmanager
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder, kubernetes.namespace() as namespace:
        made = World(namespace, Path(folder))
        try:
            yield made
        finally:
            made.close()


def fill(here: World, deck: Quarterdeck, known: int, active: int) -> list[Receipt]:
    """Put the runs into store and namespace; return the receipts of the active ones."""
    definition = kubernetes.definition(here.namespace) | {"kubeconfig": str(here.proxy.kubeconfig)}
    deck.ok("cluster", "create", "-f", "-", text=json.dumps(definition))
    services = open_services(
        config.load({"store": str(deck.store)}, {"QUARTERDECK_ACTOR": deck.actor})
    )
    [cluster] = [
        kept.value for kept in services.context.definitions("cluster") if kept.value.name == "kube"
    ]
    executor = services.ports.executor(cluster)
    assert isinstance(executor, KubernetesExecutor)
    running = []
    runs: list[Run] = []
    for number in range(known):
        at = clock() - timedelta(seconds=known - number)
        run = a_run(id=RunId(f"rw{number:014}"), cluster=cluster.id, queued_at=at)
        if number < known - active:
            job_of_others(here, run.id)
            ended = replace(run, state=RunState.FAILED, reason=Reason.USER_ERROR, ended_at=at)
            runs.append(replace(ended, is_open=False))
            continue
        receipt = executor.prepare(a_launch("print(1)", run=run.id))
        receipt = here.give_pod(receipt, executor._workspace)
        attempt = Attempt(1, at, receipt=receipt, released_at=at, began_at=at)
        runs.append(replace(run, state=RunState.RUNNING, attempts=(attempt,), submitted_at=at))
        running.append(receipt)
    with services.context.transaction("filling") as tx:
        for run in runs:
            tx.runs.put(run, seen=None)
    services.close()
    return running


def job_of_others(here: World, run: RunId) -> None:
    """Make a Job of another workspace: ours are removed at the end of their runs."""
    labels = {
        names.OWNER: names.PRODUCT,
        names.WORKSPACE: "wother",
        names.RUN: run,
        names.ATTEMPT: "1",
    }
    container = {"name": names.CONTAINER, "image": kubernetes.IMAGE}
    spec = {"containers": [container], "restartPolicy": "Never"}
    job = {
        "metadata": {"name": names.k8s_job(run, 1), "labels": labels},
        "spec": {"suspend": True, "template": {"spec": spec}},
    }
    here.admin.create(names.jobs(here.namespace), job)


def used_s(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def measure(*, known: int, active: int, seconds: float) -> dict[str, Any]:
    """Let a scheduler look after them, and count for so long."""
    with world() as here, tempfile.TemporaryDirectory() as folder:
        deck = Quarterdeck(Path(folder))
        running = fill(here, deck, known, active)
        here.proxy.forget()
        here.proxy.amiss = lambda asked: Quiet() if "follow" in asked.query else None
        scheduler = deck.start("scheduler")
        try:
            time.sleep(SETTLE_S)
            beginning = here.proxy.counts()
            here.proxy.forget()
            connections, before, began = here.proxy.connections, used_s(scheduler.pid), clock()
            time.sleep(seconds)
            lasted_s = (clock() - began).total_seconds()
            percent = 100 * (used_s(scheduler.pid) - before) / lasted_s
            found = here.proxy.counts()
            opened = here.proxy.connections - connections
            memory = resident_mib(scheduler.pid)
            states = {deck.ok("run-show", running[0].run)["state"]} if running else set()
        finally:
            scheduler.terminate()
            _, said = scheduler.communicate(timeout=30)
        return {
            "bench": "watch", "known": known, "active": active, "seconds": round(lasted_s, 1),
            "state": sorted(states),
            "first_requests": dict(beginning),
            "requests_a_minute": {k: round(n * 60 / lasted_s, 1) for k, n in found.items()},
            "lists_and_gets": kinds(found, "list", "get"),
            "open_watches": kinds(beginning, "watch"),
            "connections_opened": opened,
            "cpu_percent": round(percent, 2), "goal_cpu_percent": GOAL_CPU,
            "resident_mib": round(memory, 1), "exit": scheduler.returncode, "said": said,
        }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--known", type=int, default=1_000)
    parser.add_argument("--active", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    if asked.small:
        asked.known, asked.active, asked.seconds = 20, 5, 10.0
    if kubernetes.VARIABLE not in os.environ:
        sys.exit(f"{kubernetes.VARIABLE} names no kubeconfig")
    show(measure(known=asked.known, active=asked.active, seconds=asked.seconds))
