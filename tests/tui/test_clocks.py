"""A clock that is set while the application is open: said in its header, and believed by no run that is shown."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from quarterdeck.model.observation import Phase
from quarterdeck.model.receipt import AttemptId
from quarterdeck.tui.place import Place
from tests.support.damage import CLOCK_ROW, spoil_row
from tests.support.quarterdeck import job
from tests.support.services import workspace
from tests.tui.pages import running


@pytest.mark.row("R6")
@pytest.mark.parametrize("read_only", [False, True])
async def test_a_step_is_in_the_header_with_its_size_until_the_clock_is_back(
    tmp_path: Path, read_only: bool
) -> None:
    services, ports = workspace(tmp_path)
    services.context.read_only = read_only
    async with running(services) as ui:
        await ui.until("schedules do not fire")
        assert "clock" not in ui.header
        ports.clock.step(3 * 3_600)
        await ui.until("! clock stepped +3 h 00 m")
        assert "fake" in ui.header
        ports.clock.step(-3 * 3_600)
        end_s = time.monotonic() + 10
        while "clock stepped" in ui.header and time.monotonic() < end_s:
            await ui.settle()
        assert "clock stepped" not in ui.header


@pytest.mark.row("R6", "F5", "G7")
@pytest.mark.parametrize("seconds", [3 * 3_600, -3 * 3_600])
async def test_a_run_on_the_screen_goes_on_with_true_ages(tmp_path: Path, seconds: float) -> None:
    services, ports = workspace(tmp_path)
    ports.fake.auto = False
    run = services.runs.dispatch(services.runs.start("daily")["id"])["id"]
    ports.fake.move(AttemptId(f"{run}-1"), Phase.RUNNING)
    services.runs.show(run)
    async with running(services, places=[Place("runs")], size=(130, 24)) as ui:
        await ui.until("running")
        ports.clock.tick(240)
        ports.clock.step(seconds)
        await ui.until("! clock stepped")
        await ui.until("4 min")  # so long it took till now
        assert "running" in ui.screen
        assert "4 m" in ui.screen  # its age
        assert services.runs.get(run).cancel is None


@pytest.mark.row("R6", "H8")
@pytest.mark.parametrize("how", CLOCK_ROW)
async def test_screens_hear_what_others_wrote_though_what_is_known_of_the_clock_is_damaged(
    tmp_path: Path, how: str
) -> None:
    services, ports = workspace(tmp_path, on_disk=True)
    services.clocks.notice()
    async with running(services, places=[Place("jobs")]) as ui:
        await ui.until("daily")
        spoil_row(tmp_path / "store", CLOCK_ROW[how])
        ports.clock.step(3 * 3_600)
        services.jobs.create([job("another")])
        await ui.until("another")
        assert "the store does not answer" not in ui.screen
