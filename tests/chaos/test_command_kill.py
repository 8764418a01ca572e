"""Commands killed (-9) while they write: what was acknowledged is there once, and the store is whole."""

import json
import os
import random
import signal
import subprocess
import time
from itertools import count
from pathlib import Path

import pytest

from tests.support.again import share
from tests.support.quarterdeck import Quarterdeck, job, sql

WRITERS = 4


def kill_commands(deck: Quarterdeck, wanted: int) -> None:
    """Start four creates at a time and kill most at random, until so many were killed before their end."""
    seed = random.Random(11)  # noqa: S311  # a test's seed
    acknowledged: set[str] = set()
    killed, took_s = 0, 1.6
    for number in count():
        if killed >= wanted:
            break
        started = {}
        begun = time.monotonic()
        for writer in range(WRITERS):
            name = f"job-{number}-{writer}"
            file = deck.folder / f"{name}.json"
            file.write_text(json.dumps(job(name)))
            started[name] = deck.start("job", "create", "-f", str(file), "--json")
        time.sleep(seed.uniform(0.0, took_s))
        for process in started.values():
            if seed.random() < 0.7 and process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
        for name, process in started.items():
            process.communicate(timeout=60)
            killed += process.returncode == -9
            assert process.returncode in (0, -9)
            if process.returncode == 0:
                acknowledged.add(name)
        if all(process.returncode == 0 for process in started.values()):
            took_s = min(took_s, time.monotonic() - begun)  # as fast as this machine is
        assert deck.ok("store", "verify") == {"ok": True, "findings": []}
    names = [one["name"] for one in deck.ok("job", "list")]
    assert len(names) == len(set(names))
    assert acknowledged <= set(names)
    assert all(len(deck.ok("job", "versions", name)) == 1 for name in names[:5])


@pytest.mark.row("R1", "H7")
def test_creates_killed_at_random_leave_a_whole_store(tmp_path: Path) -> None:
    kill_commands(Quarterdeck(tmp_path), 4)


@pytest.mark.long
@pytest.mark.row("R1")
def test_creates_killed_a_hundred_times(tmp_path: Path) -> None:
    kill_commands(Quarterdeck(tmp_path), share(100))


@pytest.mark.row("R2", "I47")
def test_of_two_commands_with_one_revision_one_wins(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path)
    deck.create("one")
    for number in range(4):
        rev = deck.ok("job", "show", "one")["rev"]
        started: list[subprocess.Popen[str]] = []
        for writer in range(2):
            file = deck.folder / f"{writer}.json"
            file.write_text(json.dumps({"description": f"{number} by {writer}"}))
            other = deck.as_actor("ana")
            args = ("job", "edit", "one", "-f", str(file), "--expect-rev", str(rev), "--json")
            started.append(other.start(*args))
        ended = [(process.communicate(timeout=60), process.returncode) for process in started]
        codes = sorted(code for _, code in ended)
        assert codes == [0, 5], ended
        refused = next(err for (_, err), code in ended if code == 5)
        conflict = json.loads(refused.splitlines()[-1])["error"]["conflict"]
        assert (conflict["actor"], conflict["rev"]) == ("ana", rev + 1)
        winner = next(json.loads(out) for (out, _), code in ended if code == 0)
        assert deck.ok("job", "show", "one")["description"] == winner["description"]


@pytest.mark.row("R1", "F-36")
def test_a_full_disk_refuses_the_save_and_writing_goes_on_afterwards(tmp_path: Path) -> None:
    """The store lies on a small file system of its own, which only root can mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount a small file system here")
    try:
        deck = Quarterdeck(folder)
        deck.create("one")
        filler = folder / "filler"
        filler.write_bytes(b"x" * _free(folder))
        text = json.dumps(job("two", source=sql("SELECT 1 -- " + "x" * 400_000)))
        answer = deck.json("job", "create", "-f", "-", text=text)
        assert answer.code == 1, answer.err
        assert "full" in answer.error["message"]
        filler.unlink()
        assert deck.ok("store", "verify")["ok"]
        assert [one["name"] for one in deck.ok("job", "list")] == ["one"]
        deck.ok("job", "create", "-f", "-", text=text)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)  # noqa: S607


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
