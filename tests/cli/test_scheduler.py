"""The scheduler as a process: it moves runs on while nobody looks, and one at a time does."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.quarterdeck import Quarterdeck, python


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Quarterdeck]:
    found = Quarterdeck(tmp_path)
    yield found
    found.end()


def says(scheduler: subprocess.Popen[str], words: str) -> str:
    """Read what it says up to a line with these words."""
    assert scheduler.stdout is not None
    for line in scheduler.stdout:
        if words in line:
            return line
    assert scheduler.stderr is not None
    raise AssertionError(f"it ended without {words!r}: {scheduler.stderr.read()}")


def test_it_takes_runs_to_their_end_while_nobody_looks(deck: Quarterdeck) -> None:
    deck.create("sleeper", source=python("import time\ntime.sleep(2)\nprint('done')\n"))
    with deck.start("scheduler") as scheduler:
        says(scheduler, "holds the lease")
        run = deck.ok("run", "sleeper")["id"]
        assert f"run {run} of sleeper: " in says(scheduler, "-> succeeded")
        assert deck.call("--read-only", "run-show", run, "--json").document["state"] == "succeeded"
        scheduler.send_signal(signal.SIGTERM)
        assert scheduler.wait(20) == 0
        assert scheduler.stderr is not None
        assert "given back" in scheduler.stderr.read()


def test_a_second_one_waits_says_for_whom_and_takes_over(deck: Quarterdeck) -> None:
    with deck.start("scheduler") as first:
        says(first, "holds the lease")
        refused = deck.json("scheduler", "--once")
        assert refused.code == 5
        assert f"process {first.pid} on {os.uname().nodename}" in refused.error["message"]
        assert "last heard" in refused.error["message"]
        with deck.start("scheduler") as second:
            assert f"process {first.pid}" in says(second, "waits: the lease is held by")
            first.kill()
            first.wait(10)
            says(second, "holds the lease")
            second.send_signal(signal.SIGINT)
            assert second.wait(20) == 0
    assert deck.ok("scheduler", "--once")["reconciled"] == []
