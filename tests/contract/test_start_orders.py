"""The service and the Kubernetes executor over a cluster in memory, in random orders of crashes and meddling."""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from quarterdeck.executors.kubernetes import ending
from quarterdeck.model.errors import QuarterdeckError
from quarterdeck.model.run import RunState
from quarterdeck.service.bundle import Services
from quarterdeck.service.context import ALL
from tests.support.again import ORDERS
from tests.support.fake_api import AwayError, FakeApi, RefusedError, an_executor
from tests.support.fakes import CrashError
from tests.support.quarterdeck import job
from tests.support.services import workspace

EVENTS = 50
RETRY = {"attempts": 3, "backoff": "1s", "on": ["preempted", "deleted_externally"]}


class Order:
    """A run or two, two processes that may be killed around any request, and others who use the API, too."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # a test's seed
        services, self.ports = workspace(folder)
        services.jobs.create([job("again", retry=RETRY)])
        self.api = FakeApi(self.ports.clock)
        self.ids: list[str] = []
        self.processes: list[Services] = []
        for _ in range(2):
            self.processes.append(self.process())
        self.start()

    def process(self) -> Services:
        """Return a process that remembers nothing."""
        self.ports.fake = an_executor(self.api, had_rights=True)  # type: ignore[assignment]  # a seam
        return Services(self.ports, "ana")

    def doing(self, act: Callable[[Services], object]) -> None:
        """Let one of the processes act; one that crashes is followed by another."""
        number = self.random.randrange(2)
        try:
            act(self.processes[number])
        except CrashError:
            self.processes[number] = self.process()
        except QuarterdeckError:
            pass  # refused or unreachable: it lives

    # --- what happens

    def start(self) -> None:
        if len(self.ids) < 2:
            name = self.random.choice(["daily", "again"])
            self.doing(lambda services: services.runs.start(name))
            self.ids = [kept.value.id for kept in self.ports.store.runs.page(limit=ALL)]

    def look(self) -> None:
        self.doing(lambda services: services.upkeep.reconcile_all())

    def dispatch(self) -> None:
        run = self.random.choice(self.ids)
        self.doing(lambda services: services.runs.dispatch(run))

    def cancel(self) -> None:
        run = self.random.choice(self.ids)
        self.doing(lambda services: services.runs.cancel(run))

    def wait(self) -> None:
        self.ports.clock.tick(self.random.choice([1, 5, 25, 61]))

    def go_wrong(self) -> None:
        """Let the Nth request from now be lost, refused, unanswered, or the last of its process."""
        left = self.random.randint(1, 8)
        error = self.random.choice([AwayError("gone"), CrashError("-9"), _forbidden()])
        is_after = self.random.random() < 0.5 and not isinstance(error, RefusedError)

        def count(_method: str, _path: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise error

        self.calm()
        if is_after:
            self.api.after = count
        else:
            self.api.amiss = count

    def calm(self) -> None:
        self.api.amiss = self.api.after = lambda _method, _path: None

    def suspend(self) -> None:
        jobs = [one for one in self.api.of("jobs") if not one["status"].get("conditions")]
        if jobs:
            one = self.random.choice(jobs)
            self.api.suspend(not one["spec"].get("suspend"), "kueue", one)

    def delete_pod(self) -> None:
        if pods := self.api.of("pods"):
            self.api.delete_pod(self.random.choice(pods)["metadata"]["name"])

    def delete_job(self) -> None:
        if jobs := self.api.of("jobs"):
            self.random.choice(jobs)["metadata"]["deletionTimestamp"] = "2026-11-22T06:00:00Z"
            self.api.work()

    def blind(self) -> None:
        """Let the controller, just restarted, make a pod beside the one that there is."""
        jobs = [one for one in self.api.of("jobs") if not one["spec"].get("suspend")]
        if jobs:
            self.api.make_another(self.random.choice(jobs))
            self.api.work()

    def rest(self) -> None:
        """Let the controllers stand still, or go on."""
        self.api.makes = not self.api.makes
        self.api.work()

    def end_pods(self) -> None:
        for pod in self.api.of("pods"):
            if pod["status"]["phase"] == "Running":
                self.api.end_pod(pod["metadata"]["name"], code=1)
        self.api.work()

    def happen(self) -> None:
        things = {
            self.look: 20, self.dispatch: 10, self.wait: 8, self.go_wrong: 8, self.suspend: 5,
            self.blind: 2, self.delete_pod: 2, self.delete_job: 0.5, self.cancel: 0.7,
            self.rest: 3, self.end_pods: 1.5, self.start: 2,
        }  # fmt: skip
        [thing] = self.random.choices([*things], [*things.values()])
        thing()
        assert set(self.api.starts.values()) <= {1}, self.api.starts

    def settle(self) -> None:
        """Let all come to its end."""
        self.calm()
        self.api.makes = True
        for one in self.api.of("jobs"):
            if (
                one["spec"].get("suspend")
                and "quarterdeck.dev/released" in (one["metadata"]["annotations"])
            ):
                self.api.suspend(False, "kueue", one)
        self.api.work()
        services = self.process()
        for _ in range(200):
            with contextlib.suppress(QuarterdeckError):
                services.upkeep.reconcile_all()
            self.end_pods()
            self.ports.clock.tick(20)
            if not any(kept.value.is_open for kept in self.ports.store.runs.page(limit=ALL)):
                break
        services.upkeep.sweep(lambda: False)


def _forbidden() -> RefusedError:
    text = 'pods is forbidden: User "ana" cannot patch resource "pods" in API group "" in the namespace "ns"'
    return RefusedError(403, "Forbidden", text)


def hold(seed: int) -> int:
    """Make one order and hold it against the promises; return how many attempts started."""
    with tempfile.TemporaryDirectory() as folder:
        order = Order(Path(folder), seed)
        for _ in range(EVENTS):
            order.happen()
        order.settle()
        assert set(order.api.starts.values()) <= {1}, (seed, order.api.starts)
        for kept in order.ports.store.runs.page(limit=ALL):
            run = kept.value
            assert run.is_terminal, (seed, run)
            assert not run.is_open, (seed, run)
            assert run.reason is not None or run.state is RunState.SUCCEEDED, (seed, run)
        assert not order.api.objects, (seed, order.api.objects)
        assert order.ports.store.verify() == []
        return len(order.api.starts)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait for a cluster that answers at once."""
    monkeypatch.setattr(ending, "POLL_S", 0.0)


@pytest.mark.row("F13", "F-3", "F-4", "F-5", "F7")
def test_with_the_real_executor_an_attempt_starts_once_whatever_the_order() -> None:
    assert sum(map(hold, range(40))) > 15


@pytest.mark.long
@pytest.mark.row("F13")
def test_two_thousand_orders_with_the_real_executor() -> None:
    """Or a tenth of what QUARTERDECK_TEST_ORDERS says."""
    count = ORDERS // 10
    assert sum(map(hold, range(count))) > count / 2
