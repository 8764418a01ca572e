"""Attempts on a real cluster that cost nothing: Jobs that stay suspended, pods that no node takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from quarterdeck.executors.kubernetes import KubernetesExecutor, names
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.model import wire
from quarterdeck.model.clock import Uptime
from quarterdeck.model.observation import Observation, Phase, Silent
from quarterdeck.model.receipt import Chosen, Receipt
from quarterdeck.wiring import clock, uptime
from tests.contract.test_executor import a_launch
from tests.support import kubernetes
from tests.support.proxy import Proxy

Json = dict[str, Any]


class World:
    """A namespace, a proxy before its API, an executor that asks through it, and a clock that can be moved."""

    def __init__(self, namespace: str, folder: Path) -> None:
        self.namespace = namespace
        self.admin = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
        self.proxy = Proxy(folder)
        self.moved = timedelta(0)
        self.executors: list[KubernetesExecutor] = []
        self.executor = self.another()

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.moved  # noqa: TID251  # its world is real

    def uptime(self) -> Uptime:
        """Return the machine's; as much as the clock was moved, it slept."""
        real = uptime()
        slept = self.moved.total_seconds()
        return replace(real, up_s=real.up_s + slept, asleep_s=real.asleep_s + slept)

    def another(self, kubeconfig: Path | None = None) -> KubernetesExecutor:
        """Return an executor as another process of ours would have it."""
        path = str(kubeconfig or self.proxy.kubeconfig)
        cluster = kubernetes.cluster(self.namespace, kubeconfig=path)
        made = KubernetesExecutor(cluster, "wtest", self.clock, self.uptime)
        self.executors.append(made)
        return made

    def close(self) -> None:
        self.proxy.close()
        for one in self.executors:
            one.close()
        self.admin.close()

    # --- attempts

    def prepared(self, executor: KubernetesExecutor | None = None) -> Receipt:
        return (executor or self.executor).prepare(a_launch("print(1)"))

    def running(self) -> Receipt:
        """Return an attempt whose pod says that it runs."""
        return self.give_pod(self.prepared())

    def give_pod(self, receipt: Receipt, workspace: str = "wtest") -> Receipt:
        """Make the attempt's pod and choose it; no node takes it, so it is and stays what it is told."""
        facts = receipt.facts
        owner = {
            "apiVersion": "batch/v1", "kind": "Job", "name": facts["name"], "uid": facts["uid"],
        }  # fmt: skip
        labels = {
            names.OWNER: names.PRODUCT, names.WORKSPACE: names.label(workspace), names.RUN: receipt.run,
            names.ATTEMPT: str(receipt.attempt), names.ROLE: names.DRIVER,
        }  # fmt: skip
        container = {"name": names.CONTAINER, "image": kubernetes.IMAGE}
        pod = {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": facts["name"], "labels": labels, "ownerReferences": [owner]},
            "spec": {"schedulingGates": [{"name": "test/stays"}], "containers": [container]},
        }  # fmt: skip
        made = self.admin.create(names.pods(self.namespace), pod)["metadata"]
        now = f"{clock():%Y-%m-%dT%H:%M:%SZ}"
        self.tell(receipt, "Running", {"running": {"startedAt": now}})
        return replace(receipt, chosen=Chosen(made["name"], made["uid"]))

    def end_pod(self, receipt: Receipt) -> None:
        """Let the pod say that it has ended, with the runner's last word."""
        word = {
            "protocol": wire.PROTOCOL, "run": receipt.run, "attempt": receipt.attempt,
            "state": "succeeded", "reason": None, "exit_code": 0,
        }  # fmt: skip
        state = {"exitCode": 0, "reason": "Completed", "message": json.dumps(word)}
        self.tell(receipt, "Succeeded", {"terminated": state})

    def tell(self, receipt: Receipt, phase: str, state: Mapping[str, Any]) -> None:
        container = {
            "name": names.CONTAINER, "image": kubernetes.IMAGE, "imageID": "", "ready": True,
            "restartCount": 0, "started": True, "state": state,
        }  # fmt: skip
        patch: list[Json] = [
            {"op": "add", "path": "/status/phase", "value": phase},
            {"op": "add", "path": "/status/containerStatuses", "value": [container]},
        ]
        self.admin.patch(f"{names.pods(self.namespace)}/{receipt.facts['name']}/status", patch)

    def remove_pod(self, receipt: Receipt) -> None:
        self._remove(f"{names.pods(self.namespace)}/{receipt.facts['name']}")

    def remove_job(self, receipt: Receipt) -> None:
        """Delete the Job with all that it owns, as its time to live does."""
        self._remove(f"{names.jobs(self.namespace)}/{receipt.facts['name']}")
        self.remove_pod(receipt)  # the collector comes when it comes

    def _remove(self, path: str) -> None:
        with suppress(ApiError):
            self.admin.delete(path, {"gracePeriodSeconds": 0, "propagationPolicy": "Background"})

        def is_gone() -> bool:
            with suppress(ApiError):
                self.admin.get(path)
                return False
            return True

        assert kubernetes.eventually(is_gone, 20), path

    # --- looks

    def look(
        self, receipt: Receipt, executor: KubernetesExecutor | None = None
    ) -> Observation | Silent:
        return (executor or self.executor).observe([receipt])[receipt.id]

    def seen(self, receipt: Receipt) -> Observation:
        found = self.look(receipt)
        assert isinstance(found, Observation), found
        return found

    def until(
        self, receipt: Receipt, what: Callable[[Observation | Silent], object], limit_s: float = 30
    ) -> Observation | Silent:
        """Return the first look that is so."""
        last: list[Observation | Silent] = []

        def is_so() -> bool:
            last[:] = [self.look(receipt)]
            return bool(what(last[0]))

        assert kubernetes.eventually(is_so, limit_s), last
        return last[0]

    def watch(self, receipt: Receipt) -> None:
        """Look until the watches answer: looks cost no request any more, and are no failure that is known."""

        def is_free() -> bool:
            before = len(self.proxy.asked)
            is_answered = isinstance(self.look(receipt), Observation)
            return is_answered and len(self.proxy.asked) == before

        self.seen(receipt)
        assert kubernetes.eventually(is_free, 10), self.proxy.counts()


def is_running(found: Observation | Silent) -> bool:
    return isinstance(found, Observation) and found.phase is Phase.RUNNING


def is_silent(found: Observation | Silent) -> bool:
    return isinstance(found, Silent)
