"""A cluster that takes no runs: said in header and jobs list, explained on its page, checked by a key."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from quarterdeck.ports.executor import Check
from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from tests.support.services import FakePorts, workspace
from tests.tui.pages import running
from tests.tui.test_run import begin


@pytest.fixture
def fake(tmp_path: Path) -> tuple[Services, FakePorts]:
    return workspace(tmp_path)


@pytest.mark.row("A15")
async def test_a_cluster_that_stops_being_active_is_said_in_header_and_jobs_list(
    fake: tuple[Services, FakePorts],
) -> None:
    services, ports = fake
    services.clusters.check("local")
    async with running(services) as ui:
        assert "not active" not in ui.screen
        ports.fake.checks = [
            Check("engine", "failed", "pysail is not installed.", "Install it.", "looked in /opt")
        ]
        ports.clock.tick(400)
        [told] = services.upkeep.check_clusters()  # as the scheduler does
        assert told == {"cluster": "local", "before": "active", "status": "inactive"}
        shown = await ui.until("! cluster local inactive")
        shown = await ui.until("✗ inactive ")
        assert "Cluster local is inactive: no run can start; 6 shows why." in shown
        await ui.press("6", "enter")
        shown = await ui.until("Next: Install it.")
        assert "Seen: looked in /opt" in shown
        assert "checked" in shown
        ports.fake.checks = []
        await ui.press("c")
        await ui.until("cluster local is active")
        end_s = time.monotonic() + 10
        while "! cluster" in ui.header and time.monotonic() < end_s:
            await ui.settle()
            await asyncio.sleep(0.05)
        assert "! cluster" not in ui.header
        assert services.upkeep.check_clusters() == []


@pytest.mark.row("A15")
async def test_a_long_name_of_a_cluster_leaves_room_for_workspace_and_actor(
    fake: tuple[Services, FakePorts],
) -> None:
    services, ports = fake
    ports.fake.checks = [Check("engine", "failed", "pysail is not installed.", "Install it.", "")]
    name = "the-far-away-cluster-of-the-platform-team"
    services.definitions.create("cluster", {"name": name, "kind": "local"})
    services.clusters.check(name)
    async with running(services) as ui:
        await ui.until("! cluster the-far-away-")
        assert "… inactive" in ui.header
        assert "fake" in ui.header
        assert "ana" in ui.header


@pytest.mark.row("F-8")
async def test_while_a_cluster_is_silent_a_run_is_refused_and_a_cancel_waits_and_says_so(
    fake: tuple[Services, FakePorts],
) -> None:
    services, ports = fake
    services.clusters.check("local")
    run = begin(services, ports, "one")
    ports.fake.silence()
    ports.fake.checks = [
        Check("api", "failed", "It does not answer.", "Look.", "", code="unreachable")
    ]
    ports.clock.tick(400)
    services.upkeep.check_clusters()
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until("(no fact for over 30 s)")
        await ui.press("x")
        await ui.confirm("y")
        shown = await ui.until("the cluster to answer")
        assert "CANCELLING" in shown
        ports.clock.tick(600)
        services.runs.dispatch(run)
        assert services.runs.get(run).state == "cancelling"
        await ui.press("1")
        await ui.press("r")
        await ui.confirm("l")
        await ui.until("cluster local is unreachable")
        ports.fake.speak()
        await ui.until("⊘ cancelled")


@pytest.mark.row("F-9", "G6")
async def test_a_cluster_that_never_answers_again_ends_a_run_and_says_what_may_run_there(
    fake: tuple[Services, FakePorts],
) -> None:
    services, ports = fake
    run = begin(services, ports, "one")
    ports.fake.silence()
    for _ in range(89):  # its timeout of an hour, and half an hour in which it is asked
        ports.clock.tick(60)
        services.runs.dispatch(run)
        assert services.runs.get(run).state == "running"
    ports.clock.tick(90)
    services.runs.dispatch(run)
    async with running(services, places=[Place("run", run, "log")]) as ui:
        shown = await ui.until("✗ LOST")
        words = " ".join(shown.split())
        assert f"lost · {run}-1" in words, shown
        assert f"{run}-1 may still run there; no answer since 2026-11-22 06:00:00" in words, shown
