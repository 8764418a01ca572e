"""What a run would make, looked at from the keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.ports.executor import Check
from quarterdeck.tui.place import Place
from tests.support.quarterdeck import job, sql
from tests.support.services import workspace
from tests.tui.pages import running

JOB = Place("job", "daily")
DRAFT = Place("draft", "daily")


@pytest.mark.row("X3", "C8")
async def test_the_plan_opens_from_the_job_and_from_the_palette(tmp_path: Path) -> None:
    services, ports = workspace(tmp_path)
    long = [Check(f"check {number}", "ok", "is well") for number in range(40)]
    ports.fake.checks = [
        Check("nodes", "warning", "no known node has the label pool=compute", "Add one."),
        Check("quota", "failed", "exceeded quota: full", code="quota"),
        *long,
    ]
    async with running(services, places=[JOB]) as ui:
        await ui.press("P")
        shown = await ui.until("PREFLIGHT")
        assert "Plan of daily" in shown
        assert "A run would be queued: there is no room for it now. Nothing" in shown
        assert "? nodes: no known node has the label pool=compute" in shown
        assert "✗ quota: exceeded quota: full" in shown
        assert "kind: Fake" in ui.dialog.text
        await ui.press("G")
        assert "rplan0000000 stands for the id of the run." in ui.screen
        assert "Esc closes, j k scroll" in ui.screen
        await ui.press("escape")
        assert "Plan of daily" not in ui.screen
        await ui.press("colon")
        await ui.type("what a run would make")
        await ui.press("enter")
        await ui.until("Plan of daily")
    assert ports.fake.attempts == {}
    assert ports.store.runs.count() == 0


@pytest.mark.row("X3")
async def test_the_editor_plans_its_draft_with_what_is_typed(tmp_path: Path) -> None:
    services, ports = workspace(tmp_path)
    services.jobs.edit("daily", {"spec": {**job("daily")["spec"], "source": sql("SELECT 2")}})
    live = services.planning.plan("daily")["frozen_sha256"]
    async with running(services, places=[DRAFT]) as ui:
        await ui.type("-- new\n")
        await ui.press("f9")
        await ui.until("FROZEN SPEC")
        assert "daily draft on local" in ui.dialog.text
        planned = services.planning.plan("daily", draft=True)
        assert "-- new" in planned["frozen"]["source"]["text"]
        assert planned["frozen_sha256"] in ui.dialog.text
        assert planned["frozen_sha256"] != live
    assert ports.fake.attempts == {}


@pytest.mark.row("X3")
async def test_a_plan_that_is_refused_says_why_and_what_does_not_answer_too(
    tmp_path: Path,
) -> None:
    services, ports = workspace(tmp_path)
    env = {"TOKEN": "secret://db/token"}
    services.jobs.create([job("secret", settings={"env": env, "sail": {}})])
    async with running(services, places=[Place("job", "secret")]) as ui:
        await ui.press("P")
        shown = await ui.until("Plan of secret")
        assert "A run would be refused." in shown
        assert "secret://db/token of TOKEN" in shown
        await ui.press("escape")
    ports.fake.silence()
    async with running(services, places=[JOB]) as ui:
        await ui.press("P")
        await ui.until("Plan of daily")
        assert "A run would wait for the cluster, which does not answer." in ui.screen
        assert "✗ reachable: " in ui.screen
