"""Clocks with real runners: a process that is shown another time, a stopped runner, a machine that slept."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quarterdeck import wiring
from quarterdeck.cli.main import main
from quarterdeck.executors.folder import AttemptFolder
from quarterdeck.model.clock import Uptime
from quarterdeck.model.instants import parse_instant
from quarterdeck.store.open import open_store
from tests.support.kubernetes import eventually
from tests.support.quarterdeck import Quarterdeck, python, start_ticks

WAITS = """
import pathlib, sys, time
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.05)
"""


class Deck(Quarterdeck):
    """Commands over runs that wait for a word of the test."""

    def waiting(self, **changes: Any) -> tuple[str, Path]:
        """Start a payload that runs until the file is there, and return its run once it runs."""
        go = self.folder / "go"
        self.create("waiter", source=python(WAITS, str(go)), **changes)
        run = self.ok("run", "waiter")["id"]
        self.until(run, "running")
        return run, go

    def runner(self, run: str) -> int:
        """Return the process id of its runner."""
        runner = AttemptFolder(self.store / "work" / f"{run}-1").identity()
        assert runner is not None
        return runner.process.pid


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Deck]:
    found = Deck(tmp_path)
    yield found
    found.end()


@pytest.mark.row("R6", "F-42", "F5")
def test_a_look_of_a_process_three_hours_ahead_or_behind_ends_no_run(deck: Deck) -> None:
    run, go = deck.waiting(timeout="5m")
    for seconds in (3 * 3_600, -3 * 3_600):
        for look in (("run-show", run), ("runs",), ("scheduler", "--once")):
            deck.ahead(seconds, *look)
        shown = deck.ahead(seconds, "run-show", run)
        assert (shown["state"], shown["cancel"], shown["stale"]) == ("running", None, False)
        assert abs(shown["ahead_s"] + seconds) < 1
        assert deck.ahead(seconds, "doctor")["clock"]["step_s"] == pytest.approx(seconds, abs=1)
    go.write_text("")
    shown = deck.until(run)
    assert (shown["state"], "ahead_s" in shown) == ("succeeded", False)
    assert all(0 <= one["seconds"] < 60 for one in shown["timeline"])


@pytest.mark.row("R6", "F-42")
def test_a_run_that_a_process_three_hours_ahead_made_goes_its_way(deck: Deck) -> None:
    deck.create("quick")
    run = deck.ahead(3 * 3_600, "run", "quick")["id"]
    shown = deck.until(run)
    assert (shown["state"], shown["ahead_s"]) == ("succeeded", pytest.approx(3 * 3_600, abs=1))
    assert all(0 <= one["seconds"] < 60 for one in shown["timeline"])


def _main(
    deck: Deck, capsys: pytest.CaptureFixture[str], more_s: float, *argv: str, asleep: bool = False
) -> dict[str, Any]:
    """Run a command here, on the real store and processes, as if so much more time had passed since they began."""

    def uptime() -> Uptime:
        here = wiring.uptime()
        slept_s = here.asleep_s + more_s * asleep
        return replace(here, up_s=here.up_s + more_s, asleep_s=slept_s)

    store = open_store(deck.store, wiring.clock)
    try:
        ports = wiring.RealPorts(store, deck.store, wiring.clock, uptime)
        assert main([*argv, "--json"], ports) == 0
    finally:
        store.close()
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.row("F5", "G6", "R6")
def test_a_stopped_runner_ends_once_deadline_and_grace_have_passed_without_a_word(
    deck: Deck, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARTERDECK_ACTOR", deck.actor)
    run, _ = deck.waiting(timeout="5m")
    pid = deck.runner(run)
    ticks = start_ticks(pid)
    os.kill(pid, signal.SIGSTOP)
    assert _main(deck, capsys, 300 + 80, "run-show", run)["state"] == "running"
    shown = _main(deck, capsys, 300 + 95, "run-show", run)
    assert (shown["state"], shown["cancel"]["step"]) == ("cancelling", "ask")
    for more_s in (20, 30):
        shown = _main(deck, capsys, 300 + 95 + more_s + 1, "run-show", run)
        assert shown["state"] == "cancelling"
    assert eventually(lambda: start_ticks(pid) != ticks)
    shown = _main(deck, capsys, 300 + 95 + 32, "run-show", run)
    assert (shown["state"], shown["reason"]) == ("timed_out", "timeout")


@pytest.mark.long
@pytest.mark.row("F5", "G6", "R6")
def test_a_runner_that_is_really_stopped_ends_in_real_time(deck: Deck) -> None:
    run, _ = deck.waiting(timeout="20s")
    os.kill(deck.runner(run), signal.SIGSTOP)
    shown = deck.until(run, deadline_s=20 + 90 + 60)
    assert (shown["state"], shown["reason"]) == ("timed_out", "timeout")


@pytest.mark.row("R6", "F5")
def test_after_eight_hours_of_sleep_a_run_goes_on_and_says_so(
    deck: Deck, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARTERDECK_ACTOR", deck.actor)
    run, go = deck.waiting(timeout="5m")
    before = deck.ok("run-show", run)["deadline"]
    shown = _main(deck, capsys, 28_800, "run-show", run, asleep=True)
    assert (shown["state"], shown["cancel"]) == ("running", None)
    assert "its machine slept for 8 h" in shown["notes"][0]
    later = parse_instant(shown["deadline"]) - parse_instant(before)
    assert later.total_seconds() == pytest.approx(28_800, abs=1)
    go.write_text("")
    assert deck.until(run)["state"] == "succeeded"
