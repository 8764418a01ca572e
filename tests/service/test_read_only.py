"""With `--read-only`, or over a damaged store, nothing is done that could not be kept: not at a cluster either."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from quarterdeck.model.errors import NotAllowedError, StoreRefusedError
from quarterdeck.model.observation import Phase
from quarterdeck.model.receipt import AttemptId
from quarterdeck.model.run import ActKind
from quarterdeck.scheduler.loop import Loop, this_process
from quarterdeck.service.bundle import Services
from quarterdeck.service.listing import RunFilter
from quarterdeck.service.upkeep import Leftover
from quarterdeck.store import head
from quarterdeck.store.open import open_store
from tests.support.fakes import CrashError
from tests.support.services import workspace
from tests.support.stores import contents

pytestmark = pytest.mark.row("Q4", "H8")

ACTS = {"check", "prepare", "release", "start", "cancel", "reap"}


class World:
    """Runs that others left with an act still to be done, and services that may not do it."""

    def __init__(self, folder: Path, *, damaged: bool) -> None:
        self.folder = folder
        services, self.ports = workspace(folder, on_disk=True)
        self.fake = self.ports.fake
        self.fake.auto, self.fake.obeys = False, set()
        run = self.ended = services.runs.dispatch(services.runs.start("daily")["id"])["id"]
        self.fake.say(AttemptId(f"{run}-1"), "hello")
        self.fake.end(AttemptId(f"{run}-1"))
        self._crash("logs", services.upkeep.reconcile_all)
        run = self.cancelling = services.runs.start("daily")["id"]
        self._crash("logs", lambda: services.runs.dispatch(run))
        self.fake.move(AttemptId(f"{run}-1"), Phase.RUNNING)
        self._crash("cancel", lambda: services.runs.cancel(run))
        run = self.starting = services.runs.start("daily")["id"]
        self._crash("start", lambda: services.runs.dispatch(run))
        acts = [services.runs.get(run).act for run in (self.ended, self.cancelling, run)]
        assert [act and act.kind for act in acts] == [
            ActKind.REAP, ActKind.CANCEL, ActKind.START,
        ]  # fmt: skip
        self.fake.work()
        if damaged:
            services.close()
            (folder / "store" / head.NAME).unlink()
            self.ports.store = open_store(folder / "store", self.ports.clock)
            assert self.ports.store.damage
        self.refusal = StoreRefusedError if damaged else NotAllowedError
        self.services = Services(self.ports, "ana", read_only=not damaged)
        self.before = self.seen()

    def _crash(self, call: str, act: Callable[[], object]) -> None:
        self.fake.fail(call)
        with contextlib.suppress(CrashError):
            act()

    def seen(self) -> object:
        """Return what was done at the cluster, and what is in the store and beside it."""
        self.fake.calls[:] = [one for one in self.fake.calls if one in ACTS]
        return list(self.fake.calls), self.ports.store.last_change(), contents(self.folder)


@pytest.fixture(params=["--read-only", "damaged"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(tmp_path, damaged=request.param == "damaged")


def check_late(world: World) -> object:
    world.ports.clock.tick(1_000)
    return world.services.upkeep.check_clusters()


REFUSED: dict[str, Callable[[World], object]] = {
    "start": lambda w: w.services.runs.start("daily"),
    "dispatch": lambda w: w.services.runs.dispatch(w.starting),
    "cancel what is cancelled": lambda w: w.services.runs.cancel(w.cancelling),
    "cancel what has ended": lambda w: w.services.runs.cancel(w.ended),
    "cancel what is to start": lambda w: w.services.runs.cancel(w.starting),
    "retry": lambda w: w.services.runs.retry(w.ended),
    "retry, the node is off": lambda w: w.services.runs.retry(w.starting, node_off=True),
    "rerun": lambda w: w.services.runs.rerun_exactly(w.ended),
    "reconcile": lambda w: w.services.upkeep.reconcile_all(),
    "scheduler": lambda w: Loop(
        w.services, this_process(w.services), lambda _: None, lambda _: None
    ).step(),
    "sweep": lambda w: w.services.upkeep.sweep(lambda: False),
    "leftovers": lambda w: w.services.upkeep.leftovers(remove=[Leftover("local", "x")]),
    "check": lambda w: w.services.clusters.check("local"),
    "checks": check_late,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_write_is_refused_before_anything_is_done(world: World, name: str) -> None:
    with pytest.raises(world.refusal) as caught:
        REFUSED[name](world)
    said = "--read-only" if world.refusal is NotAllowedError else "is damaged"
    assert said in caught.value.message
    assert world.seen() == world.before


LOOKS: dict[str, Callable[[World], object]] = {
    "run": lambda w: w.services.runs.show(w.cancelling),
    "a run on a screen": lambda w: w.services.runs.stored(w.starting),
    "rows": lambda w: w.services.runs.reconcile([w.ended, w.cancelling, w.starting]),
    "runs": lambda w: w.services.lists.runs(RunFilter()),
    "jobs": lambda w: w.services.lists.jobs(),
    "job": lambda w: w.services.jobs.show("daily"),
    "again": lambda w: w.services.runs.again(w.ended),
    "log": lambda w: list(w.services.logs.all(w.ended)),
    "log to keep": lambda w: w.services.logs.keep(w.ended),
    "tail": lambda w: w.services.logs.tail(w.ended, 10),
    "follow": lambda w: list(w.services.logs.follow(w.ended, wait=lambda _: None)),
    "parts": lambda w: w.services.parts.of(w.cancelling),
    "turn": lambda w: w.services.moving.turn(),
    "leftovers": lambda w: w.services.upkeep.leftovers(),
    "clock": lambda w: w.services.clocks.notice(),
    "header": lambda w: w.services.rights.header(),
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_does_nothing_besides(world: World, name: str) -> None:
    LOOKS[name](world)
    assert world.seen() == world.before
