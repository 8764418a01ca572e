"""A lost node on the run's page: both attempts, what it waits for, and a person's word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quarterdeck.model.ids import RunId
from quarterdeck.model.observation import Phase
from quarterdeck.model.receipt import attempt_id
from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from tests.support.quarterdeck import job
from tests.support.services import FakePorts, workspace
from tests.tui.pages import running

RETRY: dict[str, Any] = {"attempts": 2, "backoff": "1s", "on": ["node_lost"]}


def lost(folder: Path) -> tuple[Services, FakePorts, RunId]:
    services, ports = workspace(folder)
    ports.fake.auto = False
    services.jobs.create([job("held", timeout="1h", retry=RETRY)])
    run = RunId(services.runs.dispatch(services.runs.start("held")["id"])["id"])
    name = attempt_id(run, 1)
    ports.fake.move(name, Phase.RUNNING)
    ports.fake.attempts[name].node = "n1"
    services.upkeep.reconcile_all()
    ports.fake.lose_node(name, "n1")
    services.upkeep.reconcile_all()
    return services, ports, run


@pytest.mark.row("F-22", "F-21")
async def test_the_page_waits_for_the_node_and_takes_a_persons_word(tmp_path: Path) -> None:
    services, ports, run = lost(tmp_path)
    async with running(services, places=[Place("run", run, "timeline")]) as ui:
        shown = await ui.until("node n1 to be back")
        assert "does not answer; the containers may run on" in shown
        await ui.press("colon")
        await ui.type("Node is off")
        await ui.press("enter")
        shown = await ui.until("Is the machine off?")
        assert "Attempt 1 may still run on node n1." in shown
        await ui.confirm("y")
        await ui.until("attempt 2")
        ports.clock.tick(5)
        services.upkeep.reconcile_all()
        ports.fake.end(attempt_id(run, 2))
        services.upkeep.reconcile_all()
        await ui.press("R")
        shown = await ui.until("SUCCEEDED")
        assert "attempt 1" in shown
        assert "attempt 2" in shown
    assert services.runs.get(run).attempts[0].cleared_by == "ana"
