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
        await ui.until("line 1 of 2")
        await ui.press("enter")
        await ui.until("Line 1: 8 characters")
        assert "AAAABBBB" in ui.screen
        await ui.press("escape", "S")
        await ui.listens()
        await ui.press("ctrl+u")
        await ui.type(str(target))
        await ui.press("enter")
        await ui.until("2 lines are in")
    assert target.read_bytes() == b"between\nAAAABBBB\n"


@pytest.mark.row("G3")
async def test_a_log_is_saved_byte_for_byte_under_the_names_of_job_and_run(
    deck: tuple[Services, FakePorts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, ports = deck
    run = begin(services, ports, "from Windows\r", "caf\udce9 \x1b[31mü", "\r10%\r20%", "")
    pieces(ports, "no e", "nd")
    end(services, ports, run, "succeeded")
    monkeypatch.chdir(tmp_path)
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until("line 1 of 5")
        assert "caf\\xe9 \\x1b[31mü" in ui.screen
        await ui.press("S")
        await ui.listens()
        await ui.press("enter")
        await ui.until("5 lines are in")
        await ui.press("S")
        await ui.listens()
        await ui.press("enter")
        await ui.until("Name another file, or remove that one.")
    assert (tmp_path / f"daily-{run}.log").read_bytes() == (
        b"from Windows\r\ncaf\xe9 \x1b[31m\xc3\xbc\n\r10%\r20%\n\nno end"
    )
    assert not parts_in(tmp_path)


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


ENGINE_ENDS = (
    "[x INFO sail_cli::spark::server] Shutting down the Spark Connect server...",
    "[x WARN sail_common::actor] aborting 16 task(s) for SessionManagerActor",
)
SCRIPT = """\
warming up: Error: handled
Traceback (most recent call last):
  File "job.py", line 3, in f
KeyError: 'deep'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "job.py", line 9, in <module>
    raise RuntimeError("outer") from error
RuntimeError: outer
Exception ignored in: <function f at 0x7f>
Traceback (most recent call last):
  File "job.py", line 20, in f
ValueError: told at the end"""


@pytest.mark.row("T9")
@pytest.mark.parametrize(
    ("said", "word", "row"),
    [
        (SCRIPT.split("\n"), {
            "object": "payload", "message": "The payload ended with exit code 1: RuntimeError: outer",
            "evidence": ["KeyError: 'deep'", "ValueError: told at the end"],
        }, 98),
        (["Error: handled", '  File "job.py", line 2', "    if x", "        ^", "SyntaxError: no ':'"], {
            "object": "payload", "message": "The payload ended with exit code 1.",
            "evidence": ["SyntaxError: no ':'"],
        }, 92),
        (["rows: 3"], {
            "object": "statement 2 of 2", "message": "AnalysisException: no column nope",
        }, 94),
        (["Error: not what ended it"], {
            "object": "payload", "message": "The payload was ended by SIGKILL.",
        }, 94),
        (["[x ERROR sail] no space left"], {
            "reason": "engine_lost", "object": "engine", "message": "The engine ended.",
        }, 91),
    ],
    ids=["traceback", "syntax", "statement", "signal", "engine"],
)  # fmt: skip
async def test_a_failed_run_opens_at_the_error_that_ended_it(
    deck: tuple[Services, FakePorts], said: list[str], word: dict[str, object], row: int
) -> None:
    services, ports = deck
    word = {"reason": "user_error", "exit_code": 1} | word
    origin = "engine" if word["object"] == "engine" else "payload"
    run = begin(services, ports, *[f"fine {n}" for n in range(90)], origin="payload")
    attempt = next(iter(ports.fake.attempts))
    ports.fake.say(attempt, *said, origin=origin)
    ports.fake.say(attempt, *ENGINE_ENDS, origin="engine")
    told = f"failed ({word['reason']}): {word['message']}"
    ports.fake.say(attempt, told, origin="runner", stream="stderr")
    end(services, ports, run, "failed", **word)
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until(f"FOLLOW off line {row} of {93 + len(said)}")


def parts_in(folder: Path) -> list[Path]:
    return list(folder.glob(".*.part"))


def pieces(ports: FakePorts, *texts: str, origin: str = "payload") -> None:
    """Say pieces of a line whose end is to come."""
    attempt = next(iter(ports.fake.attempts))
    ports.fake.say(attempt, *texts, origin=origin)
    lines = ports.fake.attempts[attempt].lines
    for place in range(-len(texts), 0):
        lines[place] = replace(lines[place], more=True)


@pytest.mark.row("G1")
async def test_pieces_of_a_line_are_shown_as_they_come(
    deck: tuple[Services, FakePorts],
) -> None:
    services, ports = deck
    run = begin(services, ports, *[f"line {n}" for n in range(199)])
    attempt = next(iter(ports.fake.attempts))
    pieces(ports, "loading ..")
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until("loading ..")
        pieces(ports, "..")
        await ui.until("loading ....")
        assert "FOLLOW line 200 of 200" in ui.screen
        ports.fake.say(attempt, "from the engine", origin="engine")  # in the next window of rows
        await ui.until("line 201 of 201")
        ports.fake.say(attempt, ". done")
        await ui.until("loading ..... done")
        assert "line 201 of 201" in ui.screen


@pytest.mark.row("G1", "T6")
async def test_of_progress_that_is_written_over_the_last_state_is_shown(
    deck: tuple[Services, FakePorts],
) -> None:
    services, ports = deck
    run = begin(services, ports, "\r 10%\r 20%", "from Windows\r")
    attempt = next(iter(ports.fake.attempts))
    pieces(ports, "\r 1/9", "\r 2/9")
    async with running(services, places=[Place("run", run, "log")]) as ui:
        shown = await ui.until(" 2/9")
        assert "line 3 of 3" in shown
        assert "1/9" not in shown
        assert "10%" not in shown
        assert " 20%" in shown
        assert "\\r" not in shown
        ports.fake.say(attempt, "\r 9/9")
        assert " 2/9" not in await ui.until(" 9/9")
        await ui.press("enter")
        await ui.until("\\r 1/9\\r 2/9\\r 9/9")


@pytest.mark.row("G3")
async def test_a_word_across_two_pieces_is_found(deck: tuple[Services, FakePorts]) -> None:
    services, ports = deck
    run = begin(services, ports, "one")
    pieces(ports, "a nee", "dle in")
    ports.fake.say(next(iter(ports.fake.attempts)), " the hay", "more")
    end(services, ports, run, "succeeded")
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.until("a needle in the hay")
        await ui.press("slash")
        await ui.type("needle in the")
        await ui.press("enter")
        await ui.until("match 1 of 1")
        assert "line 2 of 3" in ui.screen
