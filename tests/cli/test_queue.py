"""The line of queued runs, as commands serve it: a place goes to the oldest that nothing else holds back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.cli.main import main
from quarterdeck.config import Settings
from quarterdeck.executors.folder import AttemptFolder, Identity
from quarterdeck.model.receipt import AttemptId
from quarterdeck.model.run import RunState
from quarterdeck.ports.executor import Check
from quarterdeck.service.bundle import Services
from quarterdeck.wiring import open_services
from tests.support.again import again
from tests.support.fakes import FakeExecutor
from tests.support.kubernetes import eventually
from tests.support.quarterdeck import Quarterdeck, job, python
from tests.support.services import workspace


class Desk:
    """A workspace with one place, and commands over it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.services, self.ports = workspace(folder)
        self.ports.fake.auto = False
        self._capsys = capsys
        self.places(1)

    def places(self, count: int) -> None:
        self.services.workspaces.edit({"ceilings": {"max_concurrent_runs": count}})

    def create(self, name: str, **changes: Any) -> None:
        self.services.jobs.create([job(name, **changes)])

    def ok(self, *argv: str) -> Any:
        assert main([*argv, "--json"], self.ports) == 0, self._capsys.readouterr().err
        return json.loads(self._capsys.readouterr().out)

    def queued(self, name: str = "daily", **how: Any) -> str:
        """Make a run that nobody has looked at yet."""
        run: str = self.services.runs.start(name, **how)["id"]
        return run

    def going(self, name: str = "daily") -> str:
        """Make a run that has a place."""
        run: str = self.services.runs.dispatch(self.queued(name))["id"]
        assert self.state(run) == "submitted"
        return run

    def end(self, run: str, attempt: int = 1, state: str | None = "succeeded") -> None:
        self.ports.fake.end(AttemptId(f"{run}-{attempt}"), state)

    def state(self, run: str) -> str:
        return self.services.runs.get(run).state.value

    def states(self, *runs: str) -> list[str]:
        return [self.state(run) for run in runs]

    def far(self) -> FakeExecutor:
        """Make the cluster `far`, which does not answer."""
        far = self.ports.others["far"] = FakeExecutor(self.ports.clock)
        self.services.definitions.create("cluster", {"name": "far", "kind": "local"})
        far.silence()
        return far


@pytest.fixture
def desk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    monkeypatch.setenv("QUARTERDECK_ACTOR", "ana")
    return Desk(tmp_path, capsys)


@pytest.mark.row("F6")
def test_a_list_read_newest_first_begins_the_oldest(desk: Desk) -> None:
    first = desk.going()
    waiting = [desk.queued() for _ in range(3)]
    shown = desk.ok("runs", "--state", "queued")
    assert [run["id"] for run in shown] == waiting[::-1]
    assert [run["position"] for run in shown] == [3, 2, 1]
    assert {run["waiting_for"]["what"] for run in shown} == {"1 of 1 runs of the workspace"}
    assert [run["waiting_for"]["last_fact"] for run in shown] == [
        f"place {place} in the line" for place in (3, 2, 1)
    ]
    desk.end(first)
    shown = desk.ok("runs")
    assert desk.states(*waiting) == ["submitted", "queued", "queued"]
    assert [run["position"] for run in shown] == [2, 1, None, None]


@pytest.mark.row("F6")
@pytest.mark.parametrize("act", [("run-show",), ("runs",), ("scheduler", "--once")])
def test_whoever_looks_at_the_newest_begins_the_older_ones_first(
    desk: Desk, act: tuple[str, ...]
) -> None:
    first = desk.going()
    waiting = [desk.queued() for _ in range(3)]
    desk.end(first)
    desk.ok("run-show", first)  # it has ended: there is a place
    desk.ok(*act, *waiting[-1:] if act == ("run-show",) else ())
    assert desk.states(*waiting) == ["submitted", "queued", "queued"]


@pytest.mark.row("F6")
def test_a_new_run_starts_behind_those_that_wait(desk: Desk) -> None:
    first = desk.going()
    older = desk.queued()
    desk.end(first)
    desk.ok("run-show", first)
    run = desk.ok("run", "daily")
    assert (run["state"], run["position"]) == ("queued", 1)
    assert desk.state(older) == "submitted"


@pytest.mark.row("F6")
def test_a_younger_one_is_not_begun_by_who_looks_at_an_older_one(desk: Desk) -> None:
    desk.places(2)
    older, younger = desk.queued(), desk.queued()
    desk.ok("run-show", older)
    assert desk.states(older, younger) == ["submitted", "queued"]


@pytest.mark.row("F6")
def test_a_job_at_its_own_ceiling_is_passed_over_and_keeps_its_place(desk: Desk) -> None:
    desk.places(2)
    desk.create("single", limits={"max_concurrent_runs": 1})
    first = desk.going("single")
    held, waiting = desk.queued("single"), desk.queued()
    shown = {run["id"]: run for run in desk.ok("runs")}
    assert desk.states(held, waiting) == ["queued", "submitted"]
    assert shown[held]["waiting_for"]["what"] == "1 of 1 runs of the job"
    assert shown[held]["position"] == 1
    later = desk.queued()
    desk.end(first)  # now both have no ceiling but the workspace's
    desk.ok("runs")
    assert desk.states(held, later) == ["submitted", "queued"]


@pytest.mark.row("F6")
def test_drafts_take_a_place_of_the_workspace_and_none_of_their_job(desk: Desk) -> None:
    desk.places(2)
    desk.create("single", limits={"max_concurrent_runs": 1})
    desk.services.jobs.edit("single", {"spec": job("single")["spec"]})
    first = desk.going("single")
    draft, held, waiting = desk.queued("single", draft=True), desk.queued("single"), desk.queued()
    desk.ok("runs")
    assert desk.states(draft, held, waiting) == ["submitted", "queued", "queued"]
    desk.end(first)
    desk.ok("runs")
    assert desk.states(draft, held, waiting) == ["submitted", "submitted", "queued"]


@pytest.mark.row("F6", "F-1")
def test_a_cluster_that_does_not_answer_holds_up_nobody_else(desk: Desk) -> None:
    far = desk.far()
    desk.create("there", cluster="far")
    held, also, waiting = desk.queued("there"), desk.queued("there"), desk.queued()
    shown = {run["id"]: run for run in desk.ok("runs")}
    assert desk.states(held, also, waiting) == ["queued", "queued", "submitted"]
    for place, run in enumerate((held, also), 1):
        assert shown[run]["waiting_for"]["what"] == "the cluster to answer"
        assert "no answer" in shown[run]["waiting_for"]["last_fact"]
        assert shown[run]["position"] == place
        assert [one["state"] for one in desk.ok("run-show", run)["timeline"]] == ["queued"]
    asked = len(far.calls)
    desk.ok("runs")
    assert len(far.calls) == asked, "it was asked a moment ago, by another process"
    desk.ports.clock.tick(11)
    far.speak()
    desk.end(waiting)
    desk.ok("runs")
    assert desk.states(held, also) == ["submitted", "queued"]
    assert desk.ok("run-show", also)["waiting_for"]["what"] == "1 of 1 runs of the workspace"


@pytest.mark.row("F6")
def test_a_silent_cluster_is_asked_by_one_run_however_many_wait_for_it(desk: Desk) -> None:
    far = desk.far()
    desk.places(20)
    desk.create("there", cluster="far")
    held = [desk.queued("there") for _ in range(12)]
    desk.ok("runs")
    asked = len(far.calls)
    assert set(desk.states(*held)) == {"queued"}
    desk.ports.clock.tick(11)
    desk.ok("runs")
    assert len(far.calls) == asked + 1
    far.speak()
    desk.ports.clock.tick(11)
    desk.ok("runs")
    assert set(desk.states(*held)) == {"submitted"}


@pytest.mark.row("F6", "F-24")
def test_a_full_quota_holds_runs_of_that_size_alone(desk: Desk) -> None:
    desk.places(2)
    large = {"name": "large", "mode": "standalone", "driver": {"disk_gib": 1}}
    desk.services.definitions.create("profile", large)
    desk.create("wide", profile="large")
    desk.ports.fake.checks = [Check("quota", "failed", "exceeded quota: full", code="quota")]
    held, also = desk.queued("wide"), desk.queued("wide")
    desk.ok("runs")
    desk.ports.fake.checks = []
    waiting = desk.queued()
    shown = {run["id"]: run for run in desk.ok("runs")}
    assert desk.states(held, also, waiting) == ["queued", "queued", "submitted"]
    assert "exceeded quota: full" in shown[also]["waiting_for"]["what"]
    assert [shown[run]["position"] for run in (held, also)] == [1, 2]
    later = desk.queued()
    desk.ports.clock.tick(11)
    desk.ok("runs")
    assert desk.states(held, also, later) == ["submitted", "queued", "queued"]


@pytest.mark.row("F6")
def test_a_next_attempt_is_passed_over_until_its_time_and_keeps_the_place_of_its_run(
    desk: Desk,
) -> None:
    retry: dict[str, Any] = {"attempts": 2, "backoff": "60s", "on": ["lost"]}
    desk.create("again", retry=retry)
    held = desk.going("again")
    waiting = [desk.queued() for _ in range(2)]
    desk.end(held, state=None)
    desk.ok("runs")
    assert desk.states(held, *waiting) == ["queued", "submitted", "queued"]
    assert desk.ok("run-show", held)["waiting_for"]["what"] == "the next attempt"
    desk.ports.clock.tick(61)
    desk.end(waiting[0])
    desk.ok("runs")
    assert desk.states(held, waiting[1]) == ["submitted", "queued"]


@pytest.mark.row("F6")
def test_what_ends_before_it_starts_takes_no_place(desk: Desk) -> None:
    desk.create("wrong")
    first = desk.going()
    wrong = [desk.queued("wrong") for _ in range(3)]
    cancelled, waiting = desk.queued(), desk.queued()
    desk.ok("cancel", cancelled)
    for run in wrong:  # what they refer to is gone
        kept = desk.ports.store.runs.get(run)
        spec = {**kept.value.spec, "profile": "p-none"}
        with desk.ports.store.transaction("ana") as tx:
            tx.runs.put(replace(kept.value, spec=spec), seen=kept.rev)
    desk.end(first)
    desk.ok("runs")
    assert desk.states(*wrong) == ["rejected"] * 3
    assert desk.states(cancelled, waiting) == ["cancelled", "submitted"]


@pytest.mark.row("F6")
def test_nobody_refuses_what_others_wait_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who lacks a right lets an older run of another team wait, and does not end it for that."""
    desk.places(2)
    desk.services.definitions.create("team", {"name": "bi", "members": ["ben"]})
    bens = Services(desk.ports, "ben")
    bens.jobs.create([job("theirs", team="bi")])
    older = desk.queued()
    theirs = bens.runs.start("theirs")["id"]
    desk.ports.fake.checks = [Check("rights", "failed", "jobs may not be created")]
    monkeypatch.setenv("QUARTERDECK_ACTOR", "ben")
    assert desk.ok("run-show", theirs)["state"] == "rejected"
    assert desk.state(older) == "queued"
    desk.ports.fake.checks = []
    desk.ports.clock.tick(11)
    monkeypatch.setenv("QUARTERDECK_ACTOR", "ana")
    desk.ok("runs")
    assert desk.state(older) == "submitted"


def test_a_look_at_a_long_line_reads_it_a_few_times(desk: Desk) -> None:
    desk.places(10)
    waiting = [desk.queued() for _ in range(300)]
    reads = 0
    page = desk.ports.store.backend.page

    def counting(table: str, **how: Any) -> Any:
        nonlocal reads
        reads += table == "runs" and how.get("limit", 0) > 1_000
        return page(table, **how)

    desk.ports.store.backend.page = counting  # type: ignore[method-assign]  # to count
    desk.services.upkeep.reconcile_all()
    assert desk.states(*waiting) == ["submitted"] * 10 + ["queued"] * 290
    assert reads <= 6


# --- real processes


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Quarterdeck]:
    found = Quarterdeck(tmp_path)
    yield found
    found.end()


@pytest.mark.row("F6")
@again
def test_ten_processes_at_once_start_the_oldest_and_none_above_the_ceiling(
    deck: Quarterdeck, turn: int
) -> None:
    del turn
    services = open_services(Settings(deck.store, "test", deck.actor))
    services.workspaces.edit({"ceilings": {"max_concurrent_runs": 2}})
    services.jobs.create([job("waiter", source=python("import time\ntime.sleep(600)\n"))])
    runs: list[str] = [services.runs.start("waiter")["id"] for _ in range(6)]
    for run in runs[:2]:
        services.runs.dispatch(run)
        services.runs.cancel(run)
    assert eventually(lambda: not any(runner.is_alive for runner in _runners(deck)))
    assert [_is_going(services, run) for run in runs] == [True] * 2 + [False] * 4
    looks = [
        deck.start("runs") if one % 2 else deck.start("run-show", runs[5]) for one in range(10)
    ]
    for look in looks:
        _, error = look.communicate(timeout=60)
        assert look.returncode == 0, error
    assert [_is_going(services, run) for run in runs] == [False] * 2 + [True] * 2 + [False] * 2
    assert [len(services.runs.get(run).attempts) for run in runs] == [1, 1, 1, 1, 0, 0]
    assert eventually(lambda: {f"{run}-1" for run in runs[2:4]} <= _began(deck))
    assert not _began(deck) & {f"{run}-1" for run in runs[4:]}
    services.close()


def _is_going(services: Services, run: str) -> bool:
    shown = services.runs.get(run)
    return not shown.is_terminal and shown.state is not RunState.QUEUED


def _began(deck: Quarterdeck) -> set[str]:
    """Return the attempts whose runners were let go."""
    return {path.parent.parent.name for path in (deck.store / "work").glob("*/out/began")}


def _runners(deck: Quarterdeck) -> list[Identity]:
    folders = (AttemptFolder(path) for path in (deck.store / "work").glob("*-*") if path.is_dir())
    return [runner for folder in folders if (runner := folder.identity()) is not None]
