"""From a cold start to the answer: exactly these keys, counted, for each task of a night."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.service.bundle import Services
from tests.support.quarterdeck import job, sql
from tests.support.services import FakePorts, workspace
from tests.tui.pages import Ui, running
from tests.tui.test_run import end

FIND = ("slash", "o", "r", "d", "enter")


@pytest.fixture
def night(tmp_path: Path) -> tuple[Services, FakePorts, str]:
    """A workspace in which `orders` failed in the night; `daily` is fine."""
    services, ports = workspace(tmp_path)
    services.jobs.create([job("orders")])
    services.jobs.edit("orders", {"spec": {**job("orders")["spec"], "source": sql("SELECT 2")}})
    services.publishing.publish("orders", note="yesterday")
    ports.fake.auto = False
    run = begin_of(services, ports, "orders")
    end(services, ports, run, "failed", reason="user_error", exit_code=1, object="line 3")
    return services, ports, run


def begin_of(services: Services, ports: FakePorts, name: str) -> str:
    from quarterdeck.model.observation import Phase

    run = str(services.runs.start(name)["id"])
    for _ in range(4):
        services.runs.dispatch(run)
    attempt = next(one for one in ports.fake.attempts if one.startswith(run))
    ports.fake.move(attempt, Phase.RUNNING)
    ports.fake.say(attempt, "begins", "ValueError: bad day", "ends")
    services.runs.dispatch(run)
    services.logs.keep(run)
    return run


async def pressed(ui: Ui, *keys: str) -> int:
    """Press keys as a person does, who reads a dialog first; return how many."""
    for key in keys:
        if ui.app.screen is not ui.page:
            await ui.listens()
        await ui.press(key)
    return len(keys)


@pytest.mark.row("T9")
async def test_why_did_it_fail_in_one_key_or_six(night: tuple[Services, FakePorts, str]) -> None:
    services, _, run = night
    async with running(services) as ui:
        assert "▌ orders" in ui.screen
        assert "✗ The code failed: line 3." in ui.status
        assert "e edit" in ui.status
        assert await pressed(ui, "l") == 1
        shown = await ui.until("ValueError: bad day")
        assert f"run {run}" in shown
        assert "user_error · line 3" in shown
    async with running(services) as ui:
        assert await pressed(ui, *FIND, "l") == 6
        await ui.until("ValueError: bad day")


@pytest.mark.row("F7")
async def test_stop_it_in_two_keys_or_seven(night: tuple[Services, FakePorts, str]) -> None:
    services, ports, _ = night
    run = begin_of(services, ports, "orders")
    async with running(services) as ui:
        assert await pressed(ui, *FIND, "x", "y") == 7
        await ui.until("cancelled")
        assert services.runs.get(run).cancel is not None


@pytest.mark.row("T9")
@pytest.mark.row("B10")
async def test_yesterdays_version_back_in_nine_keys(
    night: tuple[Services, FakePorts, str],
) -> None:
    services, _, _ = night
    async with running(services) as ui:
        assert await pressed(ui, *FIND, "v", "j", "a", "y") == 9
        await ui.until("v1 is live")
        assert services.jobs.show("orders")["live_version"] == 1


async def test_which_runs_are_stuck_in_two_keys(night: tuple[Services, FakePorts, str]) -> None:
    services, ports, _ = night
    ports.fake.silence()
    services.runs.start("daily")
    async with running(services) as ui:
        assert await pressed(ui, "2", "exclamation_mark") == 2
        shown = await ui.until("◦ queued")
        assert "✗ failed" in shown


@pytest.mark.row("G1")
async def test_follow_a_running_log_in_six_keys(night: tuple[Services, FakePorts, str]) -> None:
    services, ports, _ = night
    begin_of(services, ports, "orders")
    async with running(services) as ui:
        assert await pressed(ui, *FIND, "l") == 6
        await ui.until("FOLLOW line 3 of 3")


async def test_who_changed_what_in_seven_keys(night: tuple[Services, FakePorts, str]) -> None:
    services, _, _ = night
    async with running(services) as ui:
        assert await pressed(ui, *FIND, "v", "j", "d") == 8
        assert "SELECT 2" in ui.dialog.text
        assert "ana" in ui.page.query_one("#versions").current["author"]  # type: ignore[attr-defined]


@pytest.mark.row("F3")
async def test_run_it_again_in_three_keys_or_eight(night: tuple[Services, FakePorts, str]) -> None:
    services, _, run = night
    async with running(services) as ui:
        assert await pressed(ui, *FIND, "l", "r", "enter") == 8
        await ui.until("retry by ana")
        assert services.runs.stored(ui.page.place().name)["retry_of"] == run


@pytest.mark.row("F1")
async def test_run_live_now_in_seven_keys(night: tuple[Services, FakePorts, str]) -> None:
    services, _, _ = night
    async with running(services) as ui:
        assert await pressed(ui, *FIND, "r", "enter") == 7
        await ui.until("manual by ana")
        assert services.runs.stored(ui.page.place().name)["version"] == 2


@pytest.mark.row("A15")
async def test_is_it_the_cluster_in_one_key(night: tuple[Services, FakePorts, str]) -> None:
    services, _, _ = night
    async with running(services) as ui:
        assert await pressed(ui, "6") == 1
        assert "✓ active" in await ui.until("local")


@pytest.mark.row("F10")
async def test_what_differs_from_the_last_good_run_in_seven_keys(
    night: tuple[Services, FakePorts, str],
) -> None:
    services, ports, bad = night
    good = begin_of(services, ports, "orders")
    end(services, ports, good, "succeeded")
    worse = begin_of(services, ports, "orders")
    end(services, ports, worse, "failed", reason="user_error", exit_code=1)
    async with running(services) as ui:
        assert await pressed(ui, *FIND, "l", "c") == 7
        await ui.until("parts are equal")
        assert good in ui.crumb
        assert bad not in ui.crumb


@pytest.mark.row("T8")
async def test_the_reason_for_a_ticket_in_seven_keys(
    night: tuple[Services, FakePorts, str],
) -> None:
    services, _, run = night
    async with running(services) as ui:
        assert await pressed(ui, *FIND, "l", "y") == 7
        assert "orders v2 run " + run in ui.app.clipboard
        assert "failed: The code failed: line 3." in ui.app.clipboard


@pytest.mark.row("G3")
async def test_save_the_whole_log_in_eight_keys(
    night: tuple[Services, FakePorts, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, _, run = night
    monkeypatch.chdir(tmp_path)
    async with running(services) as ui:
        assert await pressed(ui, *FIND, "l", "S", "enter") == 8
        await ui.until("3 lines are in")
    saved = tmp_path / f"orders-{run}.log"
    assert saved.read_text() == "begins\nValueError: bad day\nends\n"


@pytest.mark.row("C4")
async def test_what_breaks_if_i_edit_this_profile(night: tuple[Services, FakePorts, str]) -> None:
    services, _, _ = night
    async with running(services) as ui:
        await pressed(ui, "4", "slash", "s", "m", "a", "enter", "e")
        assert ui.page.opened.kind in ("new", "item")
        await ui.until("Mode")
