"""The dispatch over the real service and store, crashed, cut off and overtaken between any two calls."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quarterdeck.lifecycle.states import FOLLOWS
from quarterdeck.model.errors import QuarterdeckError, UnreachableError
from quarterdeck.model.failure import Reason
from quarterdeck.model.ids import RunId
from quarterdeck.model.observation import Phase
from quarterdeck.model.receipt import AttemptId, Receipt, attempt_id
from quarterdeck.model.run import TERMINAL, Attempt, CancelStep, Entered, Run, RunState
from quarterdeck.service.bundle import Services
from quarterdeck.service.context import ALL
from tests.support.again import ORDERS
from tests.support.fakes import CrashError
from tests.support.quarterdeck import job
from tests.support.services import workspace

CALLS = ("place", "check", "prepare", "release", "start", "logs", "cancel", "reap")
HOLDERS = ("ana", "ben")
RETRY: dict[str, Any] = {
    "attempts": 3, "backoff": "1s", "on": ["lost", "preempted", "deleted_externally", "node_lost"],
}  # fmt: skip
MOMENTS = st.integers(1, 16)
JOBS = st.sampled_from(["again", "again", "daily", "single"])
BOUND_S = 4 * 3600  # longer than any bound but the queue deadline, which faults alone do not reach


class Interruption:
    """What happens at the Nth moment from now; a moment lies before and after each call and transaction."""

    def __init__(self) -> None:
        self.left = 0
        self.act: Callable[[], None] = lambda: None

    def set(self, moments: int, act: Callable[[], None]) -> None:
        self.left, self.act = moments, act

    def pass_one(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.act()


def crash() -> None:
    raise CrashError("between two calls")


class Dispatching(RuleBasedStateMachine):
    """Two holders over one store and one world; each crash gives the holder a new process."""

    @initialize(first=JOBS)
    def start(self, first: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        services, self.ports = workspace(Path(self.folder.name))
        services.jobs.create([job("again", retry=RETRY)])
        services.jobs.create([job("single", limits={"max_concurrent_runs": 1})])
        self.interruption = Interruption()
        self.ports.fake.between = self.interruption.pass_one
        self.ports.fake.auto = False  # the rules move the world
        begin = self.ports.store.transaction

        @contextlib.contextmanager
        def transaction(actor: Any) -> Iterator[Any]:
            self.interruption.pass_one()
            with begin(actor) as tx:
                yield tx
            self.interruption.pass_one()

        self.ports.store.transaction = transaction  # type: ignore[method-assign]  # a seam
        self.processes = {who: Services(self.ports, "ana") for who in HOLDERS}
        self.before: dict[RunId, Run] = {}
        self.ids: list[RunId] = []
        self.lost: dict[AttemptId, str] = {}  # attempts that run on, unseen, and their nodes
        self.run("ana", first)

    def teardown(self) -> None:
        if not hasattr(self, "processes"):
            return
        try:
            self.settle()
        finally:
            self.folder.cleanup()

    def doing(self, who: str, act: Callable[[Services], Any]) -> None:
        """Let a holder's process act; one that crashes is followed by a new one."""
        try:
            act(self.processes[who])
        except CrashError:
            self.processes[who] = Services(self.ports, "ana")
        except QuarterdeckError:
            pass  # refused, or unreachable: the process lives

    # --- what people and holders do

    @rule(who=st.sampled_from(HOLDERS), name=JOBS)
    def run(self, who: str, name: str) -> None:
        if len(self.ids) < 4:
            self.doing(who, lambda services: services.runs.start(name))
            self.ids = [kept.value.id for kept in self.ports.store.runs.page(limit=ALL)]

    @rule(
        who=st.sampled_from(HOLDERS), times=st.integers(1, 6), seconds=st.sampled_from([0, 2, 70])
    )
    def turn(self, who: str, times: int, seconds: float) -> None:
        for _ in range(times):
            self.doing(who, lambda services: services.upkeep.reconcile_all())
            self.ports.clock.tick(seconds)
        self.ports.fake.speak()

    @precondition(lambda self: self.ids)
    @rule(who=st.sampled_from(HOLDERS), nth=st.integers(0, 3))
    def dispatch(self, who: str, nth: int) -> None:
        run = self.ids[nth % len(self.ids)]
        self.doing(who, lambda services: services.runs.dispatch(run))

    @precondition(lambda self: self.ids)
    @rule(who=st.sampled_from(HOLDERS), nth=st.integers(0, 3))
    def cancel(self, who: str, nth: int) -> None:
        run = self.ids[nth % len(self.ids)]
        self.doing(who, lambda services: services.runs.cancel(run))

    @precondition(lambda self: self.ids)
    @rule(who=st.sampled_from(HOLDERS), nth=st.integers(0, 3))
    def retry(self, who: str, nth: int) -> None:
        run = self.ids[nth % len(self.ids)]
        if len(self.ids) < 4:
            self.doing(who, lambda services: services.runs.retry(run))
            self.ids = [kept.value.id for kept in self.ports.store.runs.page(limit=ALL)]

    @rule(seconds=st.sampled_from([1, 5, 20, 61, 301, 700]))
    def wait(self, seconds: float) -> None:
        self.ports.clock.tick(seconds)

    # --- what goes wrong

    @rule(moments=MOMENTS)
    def crash(self, moments: int) -> None:
        self.interruption.set(moments, crash)

    @rule(moments=MOMENTS, rounds=st.sampled_from([1, 1, 2, 8, 40]), then=st.booleans())
    def overtake(self, moments: int, rounds: int, *, then: bool) -> None:
        """Let another holder make whole rounds in between; then the first one goes on, or crashes."""

        def act() -> None:
            for _ in range(rounds):
                Services(self.ports, "ana").upkeep.reconcile_all()
                self.ports.clock.tick(0 if rounds == 1 else 70)
            if then:
                crash()

        self.interruption.set(moments, act)

    @rule(call=st.sampled_from(CALLS))
    def lose_the_answer(self, call: str) -> None:
        self.ports.fake.lose_answer(call)

    @rule(call=st.sampled_from([*CALLS, "observe"]))
    def refuse(self, call: str) -> None:
        self.ports.fake.fail(call, UnreachableError(f"{call}: no route."))

    @rule()
    def silence(self) -> None:
        """Let the cluster not answer until the end of the next turn."""
        self.ports.fake.silence()

    @rule(obeys=st.sets(st.sampled_from(list(CancelStep))))
    def harden(self, obeys: set[CancelStep]) -> None:
        self.ports.fake.obeys = obeys

    @rule(nth=st.integers(0, 3))
    def begin(self, nth: int) -> None:
        """Let a payload begin."""
        if alive := self.alive():
            self.ports.fake.move(alive[nth % len(alive)], Phase.RUNNING)

    @rule(nth=st.integers(0, 3), outcome=st.sampled_from(["succeeded", "failed", None, "gone"]))
    def end(self, nth: int, outcome: str | None) -> None:
        """Let the world end a released attempt."""
        alive = self.alive()
        if not alive:
            return
        name = alive[nth % len(alive)]
        if outcome == "gone":
            self.ports.fake.vanish(name)
        else:
            reason = {"reason": "user_error", "exit_code": 1} if outcome == "failed" else {}
            self.ports.fake.end(name, outcome, **reason)

    @rule(nth=st.integers(0, 3))
    def lose_a_node(self, nth: int) -> None:
        if alive := self.alive():
            name = alive[nth % len(alive)]
            self.lost[name] = f"node-of-{name}"
            self.ports.fake.lose_node(name, self.lost[name])

    @precondition(lambda self: self.lost)
    @rule(nth=st.integers(0, 3))
    def bring_a_node_back(self, nth: int) -> None:
        name = sorted(self.lost)[nth % len(self.lost)]
        self.ports.fake.nodes[self.lost.pop(name)] = ""

    @precondition(lambda self: self.lost)
    @rule(nth=st.integers(0, 3), who=st.sampled_from(HOLDERS))
    def say_off(self, nth: int, who: str) -> None:
        name = sorted(self.lost)[nth % len(self.lost)]
        run = name.rpartition("-")[0]
        if len(self.ids) < 4:
            self.doing(who, lambda services: services.runs.retry(run, node_off=True))
            self.ids = [kept.value.id for kept in self.ports.store.runs.page(limit=ALL)]
            said = next(a for a in self.ports.store.runs.get(RunId(run)).value.attempts
                        if name.endswith(f"-{a.number}"))  # fmt: skip
            if said.cleared_by:
                del self.lost[name]

    def alive(self) -> list[AttemptId]:
        return [name for name, one in self.world() if one.begun is not None and one.is_alive]

    @rule(makes=st.booleans())
    def hold_back(self, *, makes: bool) -> None:
        """Let the place make what begins at once, or only when it gets to it."""
        self.ports.fake.makes = makes

    @rule(nth=st.integers(0, 3))
    def make(self, nth: int) -> None:
        """Let the place get to it."""
        if self.world():
            self.ports.fake.make(self.world()[nth % len(self.world())][0])

    @rule(nth=st.integers(0, 3))
    def meddle(self, nth: int) -> None:
        """Let others suspend and resume what the place keeps going: another of it stands there."""
        if self.world():
            self.ports.fake.make_another(self.world()[nth % len(self.world())][0])

    def world(self) -> list[tuple[AttemptId, Any]]:
        return list(self.ports.fake.attempts.items())

    # --- what holds

    @invariant()
    def each_payload_starts_at_most_once(self) -> None:
        if hasattr(self, "processes"):
            assert set(self.ports.fake.starts.values()) <= {1}, self.ports.fake.starts

    @invariant()
    def what_was_said_is_not_taken_back(self) -> None:
        for run in self.runs():
            before = self.before.get(run.id)
            self.before[run.id] = run
            adds_up(run)
            if before is None:
                continue
            timeline, attempts = for_good(before)
            assert run.timeline[: len(timeline)] == timeline
            assert len(run.attempts) >= len(attempts)
            for old, new in zip(attempts, run.attempts, strict=False):
                assert old.receipt is None or is_kept(old.receipt, new.receipt)
                assert old.state in (None, new.state)
            if before.is_terminal:
                assert (run.state, run.reason, run.ended_at) == (
                    before.state, before.reason, before.ended_at,
                )  # fmt: skip
            assert before.is_open or not run.is_open

    @invariant()
    def what_began_had_been_kept_as_the_one_that_may(self) -> None:
        if not hasattr(self, "processes"):
            return
        kept = {
            attempt.receipt.id: attempt.receipt.chosen
            for run in self.runs()
            for attempt in run.attempts
            if attempt.receipt is not None
        }
        for name, one in self.world():
            assert one.begun in (None, kept.get(name)), name

    @invariant()
    def no_job_has_more_runs_than_its_ceiling(self) -> None:
        waits = {RunState.QUEUED, *TERMINAL}
        going = [r for r in self.runs() if r.job_name == "single" and r.state not in waits]
        assert len(going) <= 1

    @invariant()
    def nothing_starts_beside_what_a_lost_node_may_run(self) -> None:
        for name in getattr(self, "lost", ()):
            run = self.ports.store.runs.get(RunId(name.rpartition("-")[0])).value
            lost = run.attempts[int(name.rpartition("-")[2]) - 1]
            # A container whose start nobody saw started before its node was lost at the latest.
            began = lost.began_at or lost.ended_at or self.ports.clock()
            if lost.reason is not Reason.NODE_LOST or self.ports.clock() >= began + timedelta(
                seconds=run.timeout_s
            ):
                continue
            assert lost is run.attempts[-1]
            assert not run.retried_by

    @invariant()
    def every_attempt_has_its_run(self) -> None:
        if not hasattr(self, "processes"):
            return
        claimed = {
            attempt_id(run.id, attempt.number) for run in self.runs() for attempt in run.attempts
        }
        assert {name for name, _ in self.world()} <= claimed

    def runs(self) -> list[Run]:
        if not hasattr(self, "processes"):
            return []
        return [kept.value for kept in self.ports.store.runs.page(limit=ALL)]

    def settle(self) -> None:
        """Let the faults end: every run ends in bounded time, and nothing is left."""
        self.interruption.left = 0
        fake = self.ports.fake
        fake.work()
        fake.obeys = set(CancelStep)
        fake.auto = fake.makes = True
        for name, _ in self.world():
            fake.make(name)
        fake.nodes.clear()
        self.lost.clear()
        for turn in range(BOUND_S // 20):
            self.doing(HOLDERS[turn % 2], lambda services: services.upkeep.reconcile_all())
            self.what_was_said_is_not_taken_back()
            self.each_payload_starts_at_most_once()
            if not any(run.is_open for run in self.runs()):
                break
            self.ports.clock.tick(20)
        self.processes[HOLDERS[0]].upkeep.sweep(
            lambda: False
        )  # what a process prepared late before it crashed
        for run in self.runs():
            assert run.is_terminal, run
            assert run.reason is not None or run.state is RunState.SUCCEEDED
            assert not run.is_open
            for attempt in run.attempts:
                assert attempt.state is not None, run
        assert not fake.attempts, fake.attempts
        assert self.ports.store.verify() == []


def is_kept(old: Receipt, new: Receipt | None) -> bool:
    """Whether a receipt is what it was but for what was chosen since; that is never another."""
    return new in (old, replace(old, chosen=new.chosen if new is not None else None)) and (
        old.chosen is None or old == new
    )


def for_good(run: Run) -> tuple[tuple[Entered, ...], tuple[Attempt, ...]]:
    """Return timeline and attempts without a claim that may still be undone: nothing of it was prepared."""
    attempt = run.attempt
    is_claim = run.state is RunState.DISPATCHING and attempt is not None and not attempt.receipt
    return (run.timeline[:-1], run.attempts[:-1]) if is_claim else (run.timeline, run.attempts)


def adds_up(run: Run) -> None:
    """Hold the timeline against the table of states, the clock and the run itself."""
    entered = run.timeline
    assert (entered[0].state, entered[0].at) == (RunState.QUEUED, run.queued_at)
    assert entered[-1].state is run.state
    for one, after in pairwise(entered):
        assert after.state in FOLLOWS[one.state], entered
        assert after.at >= one.at, entered
        assert after.attempt >= one.attempt, entered
    if run.is_terminal:
        assert run.ended_at == entered[-1].at


TestDispatching = pytest.mark.row("F13", "F16", "G6", "H7")(Dispatching.TestCase)
TestDispatching.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class LongDispatching(Dispatching):
    """The same, more often: a tenth of QUARTERDECK_TEST_ORDERS times."""


TestLongDispatching = pytest.mark.long(LongDispatching.TestCase)
TestLongDispatching.settings = settings(
    max_examples=ORDERS // 10,
    stateful_step_count=60,
    deadline=None,
)
