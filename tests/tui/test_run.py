"""The run's page from the keys: why it ended, its log, its inputs, and what can be done with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.model.instants import format_instant
from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from quarterdeck.tui.widgets.log_view import LogView
from tests.support.services import FakePorts, workspace
from tests.tui.pages import Ui, running


@pytest.fixture
def deck(tmp_path: Path) -> tuple[Services, FakePorts]:
    return workspace(tmp_path)


def begin(services: Services, ports: FakePorts, *lines: str, origin: str = "payload") -> str:
    """Start a run that goes on, with these lines in its log."""
    ports.fake.auto = False
    run = str(services.runs.start("daily")["id"])
    for _ in range(4):
        services.runs.dispatch(run)
    attempt = next(one for one in ports.fake.attempts if one.startswith(run))
    from quarterdeck.model.observation import Phase

    ports.fake.move(attempt, Phase.RUNNING)
    ports.fake.say(attempt, *lines, origin=origin)
    services.runs.dispatch(run)
    services.logs.keep(run)
    return run


def end(services: Services, ports: FakePorts, run: str, state: str | None, **word: object) -> None:
    attempt = next(one for one in ports.fake.attempts if one.startswith(run))
    ports.fake.end(attempt, state, **word)
    for _ in range(3):
        services.runs.dispatch(run)


def log(ui: Ui) -> LogView:
    return ui.page.query_one(LogView)


@pytest.mark.row("G5")
@pytest.mark.row("T9")
async def test_a_failed_run_says_why_first_and_opens_at_its_first_error(
    deck: tuple[Services, FakePorts],
) -> None:
    services, ports = deck
    lines = [f"line {n}" for n in range(200)]
    lines[150] = "ValueError: no such column"
    run = begin(services, ports, *lines)
    end(services, ports, run, "failed", reason="user_error", exit_code=1, object="line 12")
    async with running(services) as ui:
        await ui.press("l")
        shown = await ui.until("ValueError: no such column")
        assert "✗ The code failed: line 12." in shown
        assert "user_error · line 12   e edit   r run again" in shown
        assert "Fix it in a draft" in shown
        assert log(ui).current is not None
        assert log(ui).current.text == "ValueError: no such column"  # type: ignore[union-attr]
        assert "FOLLOW off" in shown


@pytest.mark.row("F2")
async def test_the_timeline_adds_up_and_says_what_moved_it(
    deck: tuple[Services, FakePorts],
) -> None:
    services, ports = deck
    run = begin(services, ports, "one")
    ports.clock.tick(90)
    end(services, ports, run, "succeeded")
    async with running(services, places=[Place("run", run, "timeline")]) as ui:
        shown = await ui.until("BECAUSE")
        assert "running 1 min 30 s" in shown
        assert "sum 1 min 30 s" in shown
        assert "last word" in shown
        assert "attempt 1" in shown


@pytest.mark.row("B14")
@pytest.mark.row("A3")
async def test_inputs_show_everything_that_was_frozen(deck: tuple[Services, FakePorts]) -> None:
    services, ports = deck
    run = begin(services, ports, "one")
    sha = services.runs.stored(run)["frozen"]["sha256"]
    async with running(services, size=(100, 60), places=[Place("run", run, "inputs")]) as ui:
        shown = await ui.until("frozen spec")
        for word in (
            sha,
            "small revision 1",
            "pysail 0",
            "CPython 3",
            "tzdata 0",
            "SELECT 1 AS v",
        ):
            assert word in shown


@pytest.mark.row("G1")
async def test_a_running_log_is_followed_paused_and_resumed(
    deck: tuple[Services, FakePorts],
) -> None:
    services, ports = deck
    run = begin(services, ports, *[f"line {n}" for n in range(50)])
    attempt = next(iter(ports.fake.attempts))
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until("FOLLOW line 50 of 50")
        assert "line 49" in ui.screen
        ports.fake.say(attempt, "engine says hello", origin="engine")
        await ui.until("engine says hello")
        assert "engine  " in ui.screen
        await ui.press("k")
        assert "FOLLOW off" in ui.screen
        ports.fake.say(attempt, "new 1", "new 2")
        await ui.until("2 new")
        assert "new 2" not in ui.screen
        await ui.press("G")
        await ui.until("new 2")
        assert "FOLLOW line 53 of 53" in ui.screen


@pytest.mark.row("G3")
async def test_search_counts_goes_on_and_wraps(deck: tuple[Services, FakePorts]) -> None:
    services, ports = deck
    lines = [f"line {n}" for n in range(300)]
    lines[10], lines[250] = "Needle one", "needle two"
    run = begin(services, ports, *lines)
    end(services, ports, run, "succeeded")
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until("line 1 of 300")
        await ui.press("slash")
        await ui.type("needle")
        await ui.press("enter")
        await ui.until("match 1 of 2")
        assert "Needle one" in ui.screen
        await ui.press("n")
        await ui.until("match 2 of 2")
        await ui.press("n")
        await ui.until("from the beginning again")
        await ui.press("ampersand")
        await ui.until("2 of 300 lines")
        assert "line 11" not in ui.screen
        await ui.press("escape", "slash")
        await ui.type("Needle")
        await ui.press("enter")
        await ui.until("match 1 of 1")


@pytest.mark.row("G3")
async def test_a_search_without_hits_hides_nothing(deck: tuple[Services, FakePorts]) -> None:
    services, ports = deck
    run = begin(services, ports, "one", "two")
    end(services, ports, run, "succeeded")
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.press("slash")
        await ui.type("zzz")
        await ui.press("enter")
        await ui.until('0 of 2 lines match "zzz"')
        assert "one" in ui.screen


@pytest.mark.row("G2")
async def test_a_gap_is_a_line_of_its_own(deck: tuple[Services, FakePorts]) -> None:
    services, ports = deck
    run = begin(services, ports, "before")
    attempt = next(iter(ports.fake.attempts))
    from dataclasses import replace

    ports.fake.say(attempt, "after")
    lines = ports.fake.attempts[attempt].lines
    lines[-1] = replace(lines[-1], number=lines[-1].number + 14)
    services.logs.keep(run)
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until("gap: 14 lines lost")


@pytest.mark.row("T6")
async def test_a_hostile_log_does_nothing(deck: tuple[Services, FakePorts]) -> None:
    services, ports = deck
    run = begin(
        services, ports, "\x1b[2J\x1b]0;gone\x07 [red]x[/] \u202egnp", "漢字 " * 40, "x" * 3_000
    )
    async with running(services, places=[Place("run", run, "log")]) as ui:
        shown = await ui.until("\\x1b[2J")
        assert "\x1b" not in shown
        assert "[red]x[/]" in shown
        await ui.press("w", "j", "k", "right", "left", "enter")
        assert "3,000 characters" in ui.dialog.text or ui.dialog.text


@pytest.mark.row("F7")
@pytest.mark.row("T5")
async def test_cancel_asks_and_ends_it(deck: tuple[Services, FakePorts]) -> None:
    services, ports = deck
    run = begin(services, ports, "one")
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.press("x")
        assert f"Cancel run {run}?" in ui.dialog.text
        await ui.listens()
        await ui.press("x", "enter")
        assert services.runs.get(run).cancel is None
        await ui.press("x")
        await ui.confirm("y")
        await ui.until("cancelled")
        assert services.runs.get(run).cancel is not None


@pytest.mark.row("F3")
@pytest.mark.row("B13")
async def test_it_runs_again_the_same_version_or_exactly(deck: tuple[Services, FakePorts]) -> None:
    services, ports = deck
    run = begin(services, ports, "one")
    end(services, ports, run, "failed", reason="user_error", exit_code=1)
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.press("r")
        assert [one.label for one in ui.dialog.choices][1:] == ["Again", "Exactly", "Live instead"]
        await ui.confirm("e")
        await ui.until("exact by ana")
        new = ui.page.place().name
        assert new != run
        shown, old = services.runs.stored(new), services.runs.stored(run)
        assert shown["exact_of"] == run
        assert shown["frozen"]["sha256"] == old["frozen"]["sha256"]


@pytest.mark.row("F10")
async def test_what_differs_from_the_last_good_run(deck: tuple[Services, FakePorts]) -> None:
    services, ports = deck
    good = begin(services, ports, "one")
    end(services, ports, good, "succeeded")
    bad = begin(services, ports, "one")
    end(services, ports, bad, "failed", reason="user_error", exit_code=1)
    async with running(services, places=[Place("run", bad, "log")]) as ui:
        await ui.press("c")
        shown = await ui.until("state")
        assert good in ui.crumb
        assert "- succeeded" in shown
        assert "+ failed" in shown
        assert "parts are equal" in shown


@pytest.mark.row("G3")
async def test_the_whole_log_is_saved_as_it_was_written(
    deck: tuple[Services, FakePorts], tmp_path: Path
) -> None:
    services, ports = deck
    run = begin(services, ports, "one\ttab", "two \x1b[31mred")
    target = tmp_path / "saved.log"
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until("two")
        await ui.press("S")
        await ui.listens()
        await ui.press("ctrl+u")
        await ui.type(str(target))
        await ui.press("enter")
        await ui.until("2 lines are in")
    assert target.read_bytes() == b"one\ttab\ntwo \x1b[31mred\n"


@pytest.mark.row("G7")
async def test_a_waiting_run_says_for_what_and_until_when(
    deck: tuple[Services, FakePorts],
) -> None:
    services, ports = deck
    ports.fake.auto = False
    ports.fake.silence()
    run = str(services.runs.start("daily")["id"])
    services.runs.dispatch(run)
    async with running(services, places=[Place("run", run, "log")]) as ui:
        shown = await ui.until("waits for")
        assert "until" in shown


@pytest.mark.row("T7")
async def test_its_end_is_drawn_by_itself(deck: tuple[Services, FakePorts]) -> None:
    services, ports = deck
    run = begin(services, ports, "one")
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until("▸ RUNNING")
        end(services, ports, run, "succeeded")
        await ui.until("✓ SUCCEEDED", deadline_s=5)


async def test_times_are_local_utc_and_since_the_start(deck: tuple[Services, FakePorts]) -> None:
    services, ports = deck
    run = begin(services, ports, "one")
    at = format_instant(ports.clock())[11:19]
    async with running(services, places=[Place("run", run, "log")]) as ui:
        assert at in await ui.until("one")
        await ui.press("t")
        assert f"{at}Z" in ui.screen
        await ui.press("t")
        assert "0.0s" in ui.screen
        await ui.press("t")
        assert at not in ui.lines[-4]
