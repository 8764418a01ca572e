"""Three ways to start an attempt on a cluster, in random orders of crashes, lost and late answers, and meddling.

Pure: a cluster of one namespace in few lines, the project's own decisions (`lifecycle.advance`), and the calls of
each way. *job*: a suspended Job, released by UID. *gated job*: its pods carry a gate, taken from the one whose
UID is stored. *gated pod*: a pod with a gate, and no controller. What is counted: starts of one attempt.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

import pytest

from quarterdeck.lifecycle.advance import advance
from quarterdeck.model.failure import Reason
from quarterdeck.model.observation import (
    Checked,
    Fact,
    Fenced,
    Frozen,
    Observation,
    Phase,
    Prepared,
    Reaped,
    Released,
    Room,
    Silent,
    Started,
    Stepped,
)
from quarterdeck.model.receipt import Chosen, ReapReport, Receipt
from quarterdeck.model.run import Act, ActKind, Cancel, CancelStep, Run, RunState
from quarterdeck.ports.executor import FencedError
from tests.support.again import ORDERS
from tests.support.builders import NOW, a_run, a_spec

RETRY = {"attempts": 2, "backoff": 1.0, "on": ["preempted", "evicted", "deleted_externally"]}
EVENTS = 120  # of one order, before everything is let come to its end
HOLDERS = 2


@dataclass
class Pod:
    """`owner`: the UID of its Job, 0 for none. `why`: what took it away, if the cluster keeps that."""

    uid: int
    attempt: int
    owner: int
    is_gated: bool
    phase: str = "pending"  # running, ended


@dataclass
class Job:
    uid: int
    attempt: int
    is_gated: bool
    is_suspended: bool = True
    is_released: bool = False
    was_suspended: bool = False  # by others, since a pod was made
    failed: str = ""  # as its condition says
    is_complete: bool = False


@dataclass
class Cluster:
    """What stands in the namespace, and how often containers of each attempt began."""

    jobs: dict[int, Job] = field(default_factory=dict)  # by attempt: the name is made of that
    pods: list[Pod] = field(default_factory=list)
    starts: Counter[int] = field(default_factory=Counter)
    ends: dict[int, str] = field(default_factory=dict)  # of attempts, as it was
    uids: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    def of(self, attempt: int) -> list[Pod]:
        return [pod for pod in self.pods if pod.attempt == attempt]

    def make(self, job: Job) -> None:
        self.pods.append(Pod(next(self.uids), job.attempt, job.uid, job.is_gated))

    def sync(self, job: Job, *, is_blind: bool = False) -> None:
        """Let the Job's controller look; blind, it does not know yet which pods there are."""
        mine = [pod for pod in self.pods if pod.owner == job.uid]
        if job.failed or job.is_complete:
            return
        if job.is_suspended:
            for pod in mine:
                if pod.phase != "ended":
                    self.take(pod, "suspended")
        elif any(pod.phase == "ended" for pod in mine):
            job.is_complete = True
        elif not mine or is_blind:
            self.make(job)

    def take(self, pod: Pod, why: str) -> None:
        """Remove a pod; its Job keeps why unless it did that itself."""
        self.pods.remove(pod)
        if pod.phase == "running":
            self.ends.setdefault(pod.attempt, why)
        job = self.jobs.get(pod.attempt)
        if job is not None and job.uid == pod.owner:
            if why == "suspended":
                job.was_suspended = True
            elif not job.is_complete and not job.failed:
                job.failed = why

    def run(self, pod: Pod) -> None:
        """Let its node start it."""
        if not pod.is_gated and pod.phase == "pending":
            pod.phase = "running"
            self.starts[pod.attempt] += 1


class Way(Protocol):
    """The calls of one way, as the executor's port has them."""

    name: str

    def prepare(self, cluster: Cluster, attempt: int) -> Receipt: ...
    def release(self, cluster: Cluster, receipt: Receipt) -> Receipt: ...
    def start(self, cluster: Cluster, receipt: Receipt) -> None: ...
    def observe(self, cluster: Cluster, receipt: Receipt) -> Observation: ...


def receipt_of(attempt: int, uid: int) -> Receipt:
    return Receipt("kubernetes", a_run().id, attempt, {"uid": uid})


class OfJob:
    """What the two ways with a Job have in common."""

    is_gated = False

    def prepare(self, cluster: Cluster, attempt: int) -> Receipt:
        job = cluster.jobs.get(attempt)
        if job is None:
            job = cluster.jobs[attempt] = Job(next(cluster.uids), attempt, self.is_gated)
        return receipt_of(attempt, job.uid)

    def job(self, cluster: Cluster, receipt: Receipt) -> Job:
        job = cluster.jobs.get(receipt.attempt)
        if job is None or job.uid != receipt.facts["uid"]:
            raise FencedError("another, or none")
        return job

    def observe(self, cluster: Cluster, receipt: Receipt) -> Observation:
        left = tuple(str(pod.uid) for pod in cluster.of(receipt.attempt) if pod.phase != "ended")
        try:
            job = self.job(cluster, receipt)
        except FencedError:
            return Observation(NOW, Phase.GONE, "the Job is gone", left=left)
        pod = self.driver(cluster, receipt, job)
        if pod is not None:
            return observed(pod, left)
        found = self.without_pod(cluster, receipt, job)
        if found is not None:
            reason = Reason(found) if found != "complete" else None
            return Observation(NOW, Phase.ENDED, found, failure=reason, left=left)
        return self.waiting(cluster, job)

    def driver(self, cluster: Cluster, receipt: Receipt, job: Job) -> Pod | None:
        del receipt
        return next((pod for pod in cluster.pods if pod.owner == job.uid), None)

    def without_pod(self, cluster: Cluster, receipt: Receipt, job: Job) -> str | None:
        del cluster, receipt
        return job.failed or ("complete" if job.is_complete else None)

    def waiting(self, cluster: Cluster, job: Job) -> Observation:
        del cluster, job
        return Observation(NOW, Phase.WAITING, "no pod")


class SuspendedJob(OfJob):
    """Until now: whoever unsuspends it starts it."""

    name = "job"

    def release(self, cluster: Cluster, receipt: Receipt) -> Receipt:
        job = self.job(cluster, receipt)
        job.is_suspended = False
        return replace(receipt, chosen=Chosen("Job", str(job.uid)))

    def start(self, cluster: Cluster, receipt: Receipt) -> None:
        del cluster, receipt


class GatedJob(OfJob):
    """The gate is taken from the pod whose UID is stored."""

    name = "gated job"
    is_gated = True

    def release(self, cluster: Cluster, receipt: Receipt) -> Receipt:
        job = self.job(cluster, receipt)
        if not job.is_released:
            job.is_released, job.is_suspended = True, False
        return replace(receipt, chosen=self.made(cluster, job))

    def made(self, cluster: Cluster, job: Job) -> Chosen | None:
        mine = [pod for pod in cluster.pods if pod.owner == job.uid]
        return Chosen("pod", str(mine[0].uid)) if mine else None

    def start(self, cluster: Cluster, receipt: Receipt) -> None:
        take_gate(cluster, receipt)

    def driver(self, cluster: Cluster, receipt: Receipt, job: Job) -> Pod | None:
        del job
        chosen = receipt.chosen
        return next((p for p in cluster.pods if chosen and str(p.uid) == chosen.id), None)

    def without_pod(self, cluster: Cluster, receipt: Receipt, job: Job) -> str | None:
        is_suspended = job.is_suspended and not job.failed
        if receipt.chosen is not None and (job.was_suspended or is_suspended):
            return "preempted"
        if receipt.chosen is not None and self.made(cluster, job):
            return "deleted_externally"
        return super().without_pod(cluster, receipt, job)

    def waiting(self, cluster: Cluster, job: Job) -> Observation:
        return Observation(NOW, Phase.WAITING, "waits", made=self.made(cluster, job))


class GatedPod:
    """A pod that owns its inputs; nothing makes another."""

    name = "gated pod"

    def prepare(self, cluster: Cluster, attempt: int) -> Receipt:
        pod = next(iter(cluster.of(attempt)), None)
        if pod is None:
            pod = Pod(next(cluster.uids), attempt, 0, is_gated=True)
            cluster.pods.append(pod)
        return receipt_of(attempt, pod.uid)

    def release(self, cluster: Cluster, receipt: Receipt) -> Receipt:
        del cluster
        return replace(receipt, chosen=Chosen("pod", str(receipt.facts["uid"])))

    def start(self, cluster: Cluster, receipt: Receipt) -> None:
        take_gate(cluster, receipt)

    def observe(self, cluster: Cluster, receipt: Receipt) -> Observation:
        pod = next((one for one in cluster.pods if one.uid == receipt.facts["uid"]), None)
        if pod is None:
            return Observation(NOW, Phase.GONE, "the pod is gone")
        return observed(pod, () if pod.phase == "ended" else (str(pod.uid),))


def take_gate(cluster: Cluster, receipt: Receipt) -> None:
    for pod in cluster.pods:
        if receipt.chosen is not None and str(pod.uid) == receipt.chosen.id:
            pod.is_gated = False
            return
    raise FencedError("the pod is gone")


def observed(pod: Pod, left: tuple[str, ...]) -> Observation:
    if pod.phase == "ended":
        word = {"state": "succeeded", "exit_code": 0, "reason": None}
        return Observation(NOW, Phase.ENDED, "ended", last_word=word, exit_code=0, left=left)
    phase = Phase.RUNNING if pod.phase == "running" else Phase.WAITING
    return Observation(NOW, phase, pod.phase, began_at=NOW if phase is Phase.RUNNING else None)


WAYS: dict[str, Callable[[], Way]] = {
    way.name: way for way in (SuspendedJob, GatedJob, GatedPod)
}  # fmt: skip


def out(run: Run) -> Receipt | None:
    """Return the receipt of an attempt that is to be observed, as the service does."""
    attempt = run.attempt
    if attempt is None or attempt.receipt is None or run.is_terminal:
        return None
    if run.state in (RunState.QUEUED, RunState.DISPATCHING):
        is_unmade = run.act == Act(ActKind.START) and attempt.receipt.chosen is None
        return attempt.receipt if is_unmade else None
    return attempt.receipt


class Order:
    """One run, dispatched by processes that may be cut off between any two steps, in one random order."""

    def __init__(self, way: Way, seed: int) -> None:
        self.way = way
        self.cluster = Cluster()
        self.random = random.Random(seed)  # noqa: S311  # a test's seed
        self.now = NOW
        self.stored: Run = a_run(spec=a_spec(retry=RETRY))
        self.flying: list[Callable[[], Any]] = []  # requests whose senders gave up on them
        self.holders = [self.process() for _ in range(HOLDERS)]
        self.is_calm = False
        self.late_starts = 0

    # --- one process, a step at a time

    def process(self) -> Iterator[None]:
        """Look, decide, save, act: a yield is where others come in between, or it is killed."""
        seen = self.stored
        fact: Fact | None = None
        done: Act | None = None
        yield
        receipt = out(seen)
        if receipt is not None:
            fact = self.call(partial(self.way.observe, self.cluster, receipt))
            yield
        while True:
            said = fact if len(self.stored.attempts) == len(seen.attempts) else None
            if self.stored.state is RunState.QUEUED:
                said = Room(free=True)
            seen, act = advance(self.stored, said, self.now)
            self.stored = seen
            yield
            if act is None or act == done:
                return
            done, run = act, seen
            fact = self.call(partial(self.do, run, act))
            yield

    def call(self, request: Callable[[], Fact]) -> Fact:
        """Send a request: it may be answered, be lost, lose its answer, or arrive when nobody waits for it."""
        luck = 1.0 if self.is_calm else self.random.random()
        if luck < 0.05:
            return Silent(self.now, "lost")
        if luck < 0.1:
            self.flying.append(request)
            return Silent(self.now, "late")
        try:
            fact = request()
        except FencedError as error:
            fact = Fenced(str(error))
        return Silent(self.now, "no answer") if luck < 0.15 else fact

    def do(self, run: Run, act: Act) -> Fact:
        way, cluster, attempt = self.way, self.cluster, run.attempt
        assert attempt is not None
        match act.kind:
            case ActKind.FREEZE:
                return Frozen("ab" * 32, 3600.0)
            case ActKind.CHECK:
                return Checked()
            case ActKind.PREPARE:
                return Prepared(way.prepare(cluster, attempt.number))
            case ActKind.REAP | ActKind.NEXT_ATTEMPT:
                for one in run.attempts:
                    if one.receipt is not None:
                        self.remove(one.receipt, CancelStep.FORCE)
                return Reaped(ReapReport())
            case ActKind.RELEASE | ActKind.START | ActKind.CANCEL:
                assert attempt.receipt is not None
                return self.do_with(attempt.receipt, act)

    def do_with(self, receipt: Receipt, act: Act) -> Fact:
        way, cluster = self.way, self.cluster
        if act.kind is ActKind.CANCEL:
            self.remove(receipt, act.step)
            return Stepped()
        if act.kind is ActKind.RELEASE:
            return Released(way.release(cluster, receipt))
        before = [pod.is_gated for pod in cluster.pods]
        way.start(cluster, receipt)
        is_other = before != [pod.is_gated for pod in cluster.pods]
        self.late_starts += is_other and self.stored.is_terminal
        return Started()

    def remove(self, receipt: Receipt, step: CancelStep | None) -> None:
        """End what there is of an attempt: what never began at once, what runs when it is asked for."""
        for pod in self.cluster.of(receipt.attempt):
            if pod.is_gated or pod.phase != "running" or step is not CancelStep.ASK:
                self.cluster.take(pod, "deleted_externally")
        job = self.cluster.jobs.get(receipt.attempt)
        is_ours = job is not None and job.uid == receipt.facts["uid"]
        if is_ours and not self.cluster.of(receipt.attempt):
            del self.cluster.jobs[receipt.attempt]

    # --- what happens

    def happen(self) -> None:
        """Let one thing happen."""
        things = {
            self.step: 66, self.kill: 3, self.land: 4, self.work: 11, self.work_blindly: 1,
            self.wait: 4, self.suspend: 5, self.take_pod: 1, self.delete_job: 0.2, self.cancel: 0.2,
            self.finish: 2,
        }  # fmt: skip
        [thing] = self.random.choices([*things], [*things.values()])
        thing()

    def step(self) -> None:
        holder = self.random.randrange(HOLDERS)
        try:
            next(self.holders[holder])
        except StopIteration:
            self.holders[holder] = self.process()

    def kill(self) -> None:
        """`kill -9` of a process, and a new one."""
        self.holders[self.random.randrange(HOLDERS)] = self.process()

    def wait(self) -> None:
        self.now += timedelta(seconds=self.random.choice([1, 5, 30]))

    def suspend(self) -> None:
        """Let others suspend a Job, or resume it."""
        if jobs := [*self.cluster.jobs.values()]:
            job = self.random.choice(jobs)
            job.is_suspended = not job.is_suspended

    def take_pod(self) -> None:
        pods = [pod for pod in self.cluster.pods if pod.phase != "ended"]
        if pods:
            why = self.random.choice(["deleted_externally", "evicted"])
            self.cluster.take(self.random.choice(pods), why)

    def delete_job(self) -> None:
        if jobs := [*self.cluster.jobs.values()]:
            job = self.random.choice(jobs)
            for pod in self.cluster.of(job.attempt):
                self.cluster.take(pod, "deleted_externally")
            del self.cluster.jobs[job.attempt]

    def cancel(self) -> None:
        if not self.stored.is_terminal and self.stored.cancel is None:
            asked = Cancel(asked_by="ana", asked_at=self.now)
            self.stored = replace(self.stored, cancel=asked)

    def work(self, *, is_blind: bool = False) -> None:
        """Let the controller look at each Job, and each node start what it may."""
        for job in list(self.cluster.jobs.values()):
            self.cluster.sync(job, is_blind=is_blind)
        for pod in list(self.cluster.pods):
            self.cluster.run(pod)

    def work_blindly(self) -> None:
        """Let a controller look that was restarted and does not know its pods yet."""
        self.work(is_blind=True)

    def finish(self) -> None:
        """Let payloads come to their end."""
        for pod in self.cluster.pods:
            if pod.phase == "running":
                pod.phase = "ended"
                self.cluster.ends.setdefault(pod.attempt, "succeeded")

    def land(self) -> None:
        """Let a request arrive whose sender has given it up."""
        if self.flying:
            with suppress(FencedError):
                self.flying.pop(self.random.randrange(len(self.flying)))()

    def go(self) -> None:
        """Make the order, then let everything come to its end."""
        for _ in range(EVENTS):
            self.happen()
        self.is_calm = True
        for job in self.cluster.jobs.values():
            job.is_suspended = job.is_suspended and not job.is_released and self.way.name != "job"
        for _ in range(600):
            if not self.stored.is_open:
                break
            if self.stored.is_terminal:
                self.stored = replace(self.stored, archived=True)
            self.step()
            if self.random.random() < 0.3:
                self.work()
                self.finish()
                self.now += timedelta(seconds=20)
        while self.flying:
            self.land()
            self.work()
        assert not self.stored.is_open, self.stored


@dataclass
class Tally:
    """What came of many orders of one way."""

    orders: int = 0
    twice: int = 0  # orders with an attempt that started more than once
    late: int = 0  # starts after the run had ended
    started: int = 0  # attempts
    evicted: int = 0  # of them, and told as that: nobody of ours need have looked
    told: int = 0


def tally(way: str, orders: int) -> Tally:
    """Make so many orders of a way and count."""
    found = Tally(orders)
    for seed in range(orders):
        order = Order(WAYS[way](), seed)
        order.go()
        found.twice += any(count > 1 for count in order.cluster.starts.values())
        found.late += order.late_starts
        found.started += len(order.cluster.starts)
        for attempt in order.stored.attempts:
            if order.cluster.ends.get(attempt.number) == "evicted" and order.stored.cancel is None:
                found.evicted += 1
                found.told += attempt.reason is Reason.EVICTED
    return found


def test_the_way_until_now_starts_an_attempt_twice() -> None:
    assert tally("job", 500).twice > 0


@pytest.mark.row("F13")
@pytest.mark.parametrize("way", ["gated job", "gated pod"])
def test_whatever_the_order_an_attempt_starts_once(way: str) -> None:
    found = tally(way, 500)
    assert (found.twice, found.late) == (0, 0), found
    assert found.started > 0


@pytest.mark.long
@pytest.mark.row("F13")
def test_twenty_thousand_orders_of_each_way(capsys: pytest.CaptureFixture[str]) -> None:
    """Or as many as QUARTERDECK_TEST_ORDERS says."""
    found = {way: tally(way, ORDERS) for way in WAYS}
    with capsys.disabled():
        print(*(f"\n{way}: {one}" for way, one in found.items()))  # noqa: T201
    assert found["job"].twice > ORDERS / 20
    for way in ("gated job", "gated pod"):
        assert (found[way].twice, found[way].late) == (0, 0), found[way]
        assert found[way].started > ORDERS / 2
    assert found["gated job"].told > found["gated job"].evicted / 2
    assert found["gated pod"].told == 0
