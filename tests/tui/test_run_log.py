"""The live log from the keys: the end of wrapped lines, what matches as it comes, lines in pieces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from quarterdeck.ports.runlog import LogReader
from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from tests.support.services import FakePorts
from tests.tui.pages import running
from tests.tui.test_run import begin, deck, end, log

__all__ = ["deck"]


class Counted:
    """Services that count how often a log is looked into."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.looks = 0
        self.logs = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._services, name)

    def keep(self, run: str) -> bool:
        return self._services.logs.keep(run)

    def reader(self, run: str) -> LogReader:
        self.looks += 1
        return self._services.logs.reader(run)


@pytest.mark.row("G1")
async def test_the_end_is_followed_when_lines_are_wrapped(
    deck: tuple[Services, FakePorts],
) -> None:
    services, ports = deck
    run = begin(services, ports, *[f"line {n} " + "word " * 60 for n in range(30)])
    attempt = next(iter(ports.fake.attempts))
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until("FOLLOW line 30 of 30")
        await ui.press("w", "G")
        ports.fake.say(attempt, "the very last")
        await ui.until("the very last")
        await ui.press("k")
        assert "FOLLOW off" in ui.screen
        assert "the very last" in ui.screen


@pytest.mark.row("G1")
async def test_a_log_that_is_opened_at_its_begin_is_asked_for_once(
    deck: tuple[Services, FakePorts],
) -> None:
    services, ports = deck
    run = begin(services, ports, *[f"payload {n}" for n in range(500)])
    end(services, ports, run, "succeeded")
    counted = Counted(services)
    async with running(cast("Services", counted), places=[Place("run", run, "log")]) as ui:
        await ui.until("line 1 of 500")
        assert "payload 0" in ui.screen
        assert counted.looks == 1
        await ui.press("G")
        assert "payload 499" in ui.screen
        assert counted.looks == 1


@pytest.mark.row("G1")
async def test_lines_of_one_origin_are_shown_as_they_come(
    deck: tuple[Services, FakePorts],
) -> None:
    services, ports = deck
    run = begin(services, ports, *[f"payload {n}" for n in range(40)])
    attempt = next(iter(ports.fake.attempts))
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until("FOLLOW line 40 of 40")
        ports.fake.say(attempt, "from the engine", origin="engine")
        await ui.until("line 41 of 41")
        await ui.press("slash")
        await ui.type("engine")
        await ui.press("enter")
        await ui.until("match 1 of 1")
        await ui.press("ampersand")
        await ui.until("1 of 41 lines")
        assert "payload 39" not in ui.screen
        ports.fake.say(attempt, "no match", "one more of the engine", origin="engine")
        await ui.until("one more of the engine")
        assert "2 of 43 lines" in ui.screen
        assert "no match" not in ui.screen.split("\n", 6)[6].replace("of 43 lines", "")


@pytest.mark.row("G3")
async def test_a_line_in_pieces_opens_and_is_saved_whole(
    deck: tuple[Services, FakePorts], tmp_path: Path
) -> None:
    services, ports = deck
    run = begin(services, ports)
    lines = ports.fake.attempts[next(iter(ports.fake.attempts))].lines
    attempt = next(iter(ports.fake.attempts))
    ports.fake.say(attempt, "AAAA", "between", "BBBB")
    lines[-3] = replace(lines[-3], more=True)
    lines[-2] = replace(lines[-2], origin="engine")
    end(services, ports, run, "succeeded")
    target = tmp_path / "saved.log"
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until("line 1 of 3")
        await ui.press("G", "enter")
        await ui.until("AAAABBBB")
        assert "Line 3: 8 characters" in ui.screen
        await ui.press("escape", "S")
        await ui.listens()
        await ui.press("ctrl+u")
        await ui.type(str(target))
        await ui.press("enter")
        await ui.until("2 lines are in")
    assert target.read_bytes() == b"between\nAAAABBBB\n"


async def test_a_line_of_a_million_characters_does_not_hang(
    deck: tuple[Services, FakePorts],
) -> None:
    services, ports = deck
    run = begin(services, ports, "x" * 1_000_000, "short")
    end(services, ports, run, "succeeded")
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until("short")
        assert log(ui).total == 2
        await ui.press("right", "w")
        await ui.until("1,000,000 characters")
        await ui.press("enter")
        await ui.until("Line 1: 1,000,000 characters")
