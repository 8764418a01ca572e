"""What goes wrong around a run: two processes at its end, killed runners, folders that vanish."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_runs_rows import SLEEPER, log, marked, nothing_left
from tests.support.quarterdeck import Quarterdeck, python

HIDDEN_CHILD = (
    "import subprocess, sys\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
    + SLEEPER
)
COUNTS = "for n in range(20000):\n    print('line', n)\n"


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Quarterdeck]:
    made = Quarterdeck(tmp_path)
    yield made
    made.end()


class NoNamespace(Quarterdeck):
    """A machine on which PID namespaces cannot be made."""

    def environ(self) -> dict[str, str]:
        return {**super().environ(), "PATH": str(self.folder / "no-such-folder")}


@pytest.mark.row("F-7", "F15", "F16")
def test_what_the_payload_of_a_killed_runner_started_is_swept_by_the_next_command(
    tmp_path: Path,
) -> None:
    deck = NoNamespace(tmp_path)
    deck.create("hides", source=python(HIDDEN_CHILD))
    run = deck.ok("run", "hides")["id"]
    shown = deck.until(run, "running")
    assert shown["receipt"]["facts"]["isolation"] == "mark_and_sweep"
    end = time.monotonic() + 20
    while not any(line["text"] == "begun" for line in log(deck, run)):
        assert time.monotonic() < end
    os.kill(shown["receipt"]["facts"]["pid"], signal.SIGKILL)
    shown = deck.until(run, deadline_s=10)
    assert (shown["state"], shown["reason"]) == ("lost", "lost")
    assert any(name.startswith("process ") for name in shown["reap"]["removed"])
    nothing_left(deck, run)


@pytest.mark.row("F2", "F16", "G2", "F-33")
def test_processes_that_meet_at_the_end_of_a_run_agree_and_lose_no_line(deck: Quarterdeck) -> None:
    deck.create("counts", source=python(COUNTS))
    run = deck.ok("run", "counts")["id"]
    followers = [deck.start("logs", run, "-f", "--json") for _ in range(2)]
    end = time.monotonic() + 60
    while marked(run):
        assert time.monotonic() < end
        time.sleep(0.05)
    lookers = [deck.start("run-show", run, "--json") for _ in range(3)]
    states = [json.loads(one.communicate(timeout=60)[0])["state"] for one in lookers]
    assert states == ["succeeded"] * 3
    wanted = [f"line {n}" for n in range(20000)]
    told = [
        [json.loads(x) for x in one.communicate(timeout=60)[0].splitlines()] for one in followers
    ]
    for lines in (*told, log(deck, run)):
        assert not any("gap" in line for line in lines)
        assert [x["text"] for x in lines if x["origin"] == "payload"] == wanted
    nothing_left(deck, run)


@pytest.mark.long
@pytest.mark.row("G2")
def test_a_follower_of_a_talker_is_told_while_it_talks(deck: Quarterdeck) -> None:
    talk = "import time\nend = time.time() + 4\nwhile time.time() < end:\n    print('x' * 40)\n"
    deck.create("talks", source=python(talk))
    run = deck.ok("run", "talks")["id"]
    deck.until(run, "running")
    follower = deck.start("logs", run, "-f", "--json", "--origin", "payload")
    assert follower.stdout is not None
    follower.stdout.readline()
    assert marked(run)
    follower.kill()
    follower.communicate()
    deck.ok("cancel", run, "--wait") if marked(run) else deck.until(run)
    nothing_left(deck, run)


@pytest.mark.row("F7", "F16")
def test_a_run_whose_folder_was_removed_ends_and_leaves_nothing(deck: Quarterdeck) -> None:
    deck.create("sleeper", source=python(SLEEPER))
    ended: dict[str, Any] = {}
    for way in ("cancel", "run-show"):
        run = deck.ok("run", "sleeper")["id"]
        shown = deck.until(run, "running")
        shutil.rmtree(shown["receipt"]["facts"]["folder"], ignore_errors=True)
        deck.json(way, run)
        ended[way] = deck.until(run)
        nothing_left(deck, run)
    reasons = {way: (one["state"], one["reason"]) for way, one in ended.items()}
    assert reasons["run-show"] == ("failed", "deleted_externally")
    assert reasons["cancel"][1] in ("cancelled", "deleted_externally")
    assert ended["run-show"]["object"].endswith("-1")
