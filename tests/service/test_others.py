"""Two who look at one run: what one of them is told late, or lacks, ends nothing that the other began."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.model.ids import RunId
from quarterdeck.model.observation import Phase
from quarterdeck.model.receipt import AttemptId
from quarterdeck.model.run import Act, ActKind, CancelStep, RunState
from quarterdeck.ports.executor import Check
from quarterdeck.service.bundle import Services
from tests.support.fakes import CrashError
from tests.support.quarterdeck import job
from tests.support.services import FakePorts, workspace

HOOK = Check("dry run", "failed", "a hook did not answer.", "Fix the hook.")
RIGHT = Check(
    "rights", "failed", "jobs may not be created", "", "", "denied", "the right to create jobs"
)


class World:
    """Two processes on one store and one cluster; the second is another user's."""

    def __init__(self, folder: Path) -> None:
        self.ana, self.ports = workspace(folder)
        self.ports.fake.auto = False
        self.other: FakePorts = copy(self.ports)
        self.other.fake = self.ports.fake.seen_by(self.ports.clock)
        self.other.fake._faults = {}

    def another(self, actor: str) -> Services:
        return Services(self.other, actor)

    def run(self) -> str:
        return str(self.ana.runs.start("daily")["id"])

    def answers_late(self, found: Check, meanwhile: Callable[[], object]) -> None:
        """Let the first process hear from its check once the other has gone on."""

        def check(_: Any) -> list[Check]:
            meanwhile()
            return [found]

        self.ports.fake.check = check  # type: ignore[method-assign,assignment]  # what it is told comes late


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.row("F13", "F-4")
@pytest.mark.parametrize("found", [HOOK, RIGHT], ids=["refused", "denied"])
@pytest.mark.parametrize("is_killed", [True, False])
def test_a_late_answer_of_an_earlier_act_ends_nothing_that_began(
    world: World, found: Check, is_killed: bool
) -> None:
    other = world.another("ana")

    def meanwhile() -> None:
        if is_killed:  # behind the word, before that is saved
            world.other.fake.fail("start", when="after")
        with suppress(CrashError):
            other.upkeep.reconcile_all()

    world.answers_late(found, meanwhile)
    run = world.run()
    assert world.ana.runs.dispatch(run)["state"] == "submitted"
    assert dict(world.ports.fake.starts) == {f"{run}-1": 1}


@pytest.mark.row("F13", "F-4")
def test_a_late_answer_refuses_no_run_that_waits_for_its_pod(world: World) -> None:
    other = world.another("ana")
    world.other.fake.makes = world.ports.fake.makes = False
    world.answers_late(HOOK, other.upkeep.reconcile_all)
    run = world.run()
    assert world.ana.runs.dispatch(run)["state"] == "dispatching"
    assert world.ana.runs.get(run).act == Act(ActKind.START)


@pytest.mark.row("F6", "F13")
def test_an_answer_about_an_earlier_claim_says_nothing_of_the_next(world: World) -> None:
    other = world.another("ana")

    def meanwhile() -> None:
        world.other.fake.silence()
        other.upkeep.reconcile_all()  # goes back into the line
        world.other.fake.speak()
        world.ports.clock.tick(11)
        other.upkeep.reconcile_all()

    world.answers_late(HOOK, meanwhile)
    run = world.run()
    assert world.ana.runs.dispatch(run)["state"] == "submitted"
    assert dict(world.ports.fake.starts) == {f"{run}-1": 1}


@pytest.mark.row("F6", "F-11")
@pytest.mark.parametrize("found", [HOOK, RIGHT], ids=["refused", "denied"])
@pytest.mark.parametrize("look", ["step", "reconcile_all"])
def test_what_who_looks_lacks_refuses_no_run_of_others(
    world: World, found: Check, look: str
) -> None:
    world.ana.definitions.create("team", {"name": "bi", "members": ["ben"]})
    ben = world.another("ben")
    ben.jobs.create([job("theirs", team="bi")])
    older, theirs = world.run(), str(ben.runs.start("theirs")["id"])
    world.other.fake.checks = [found]
    if look == "step":
        ben.runs.advancing.step(RunId(theirs))
    else:
        ben.upkeep.reconcile_all()
    assert world.ana.runs.get(older).state is RunState.QUEUED
    assert world.ana.runs.get(theirs).state is RunState.REJECTED
    world.ports.clock.tick(11)
    assert world.ana.runs.dispatch(older)["state"] == "submitted"


@pytest.mark.row("F6", "F-11")
def test_a_claimed_run_is_refused_by_nobody_for_whom_it_does_not_exist(world: World) -> None:
    world.ana.definitions.create("team", {"name": "bi", "members": ["ben"]})
    world.ports.fake.fail("check")  # its process is ended there
    run = world.run()
    with pytest.raises(CrashError):
        world.ana.runs.dispatch(run)
    world.other.fake.checks = [HOOK]
    world.another("ben").upkeep.reconcile_all()
    assert world.ana.runs.get(run).state is RunState.QUEUED
    world.ports.clock.tick(11)
    assert world.ana.runs.dispatch(run)["state"] == "submitted"


@pytest.mark.row("F13", "F-11")
def test_code_that_began_was_not_refused_though_nobody_heard_of_it(world: World) -> None:
    fake = world.ports.fake
    fake.obeys = {CancelStep.DELETE}
    run = world.run()
    fake.lose_answer("start")
    world.ana.runs.dispatch(run)
    fake.silence()
    for _ in range(13):
        world.ana.upkeep.reconcile_all()
        world.ports.clock.tick(1800)
    fake.speak()
    fake.move(AttemptId(f"{run}-1"), Phase.RUNNING)
    for _ in range(40):
        world.ana.upkeep.reconcile_all()
        world.ports.clock.tick(5)
    found = world.ana.runs.get(run)
    assert (found.state, found.reason) == (RunState.FAILED, "quota")
    assert dict(fake.starts) == {f"{run}-1": 1}


@pytest.mark.row("F6", "R6")
def test_after_a_sleep_the_oldest_still_starts_first(world: World) -> None:
    world.ana.workspaces.edit({"ceilings": {"max_concurrent_runs": 1}})
    first = world.run()
    world.ana.runs.dispatch(first)
    older = world.run()
    world.ana.runs.dispatch(older)
    world.ports.clock.sleep(40 * 3600)
    younger = world.run()
    world.ports.fake.move(AttemptId(f"{first}-1"), Phase.RUNNING)
    world.ana.runs.cancel(first)
    for _ in range(20):
        world.ana.upkeep.reconcile_all()
        world.ports.clock.tick(5)
    assert world.ana.runs.get(older).state is not RunState.QUEUED
    assert world.ana.runs.get(younger).state is RunState.QUEUED


@pytest.mark.row("R6", "F-5")
def test_a_place_that_was_told_how_long_it_has_is_given_no_more_for_a_sleep(world: World) -> None:
    world.ports.fake.makes = False
    run = world.run()
    world.ana.runs.dispatch(run)
    deadline = world.ana.runs.get(run).queue_deadline
    world.ports.clock.sleep(8 * 3600)
    world.ana.upkeep.reconcile_all()
    found = world.ana.runs.get(run)
    assert found.queue_deadline == deadline
    assert found.state is RunState.CANCELLING


@pytest.mark.row("F6", "F-4")
def test_a_process_that_was_ended_while_it_asked_holds_up_the_line_for_a_minute(
    world: World,
) -> None:
    fake = world.ports.fake
    fake.silence()
    first, second = world.run(), world.run()
    for run in (first, second):
        world.ana.runs.dispatch(run)
    world.ports.clock.tick(60)
    fake.speak()
    fake.fail("place")
    with pytest.raises(CrashError):
        world.ana.runs.dispatch(first)
    assert world.ana.runs.dispatch(second)["state"] == "queued"
    world.ports.clock.tick(61)
    assert world.ana.runs.dispatch(second)["state"] == "submitted"
