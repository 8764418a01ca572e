"""`kill -9` of the dispatching process between any two steps: no payload starts twice, every run ends."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.again import share
from tests.support.quarterdeck import outer_environ

ROOT = Path(__file__).resolve().parents[2]
PAYLOAD = """
import sys, os
with open(sys.argv[1], "a") as seen:
    seen.write(os.environ["QUARTERDECK_ATTEMPT"] + "\\n")
"""


class Workspace:
    def __init__(self, folder: Path) -> None:
        self.store = folder / "store"
        self.seen = folder / "seen"
        self.environ = {**outer_environ(), "QUARTERDECK_STORE": str(self.store)}
        self.quarterdeck("init")
        spec = {
            "source": {"kind": "py_file", "text": PAYLOAD, "args": [str(self.seen)]},
            "profile": "small",
            "cluster": "local",
            "catalogs": ["main"],
        }
        text = json.dumps({"name": "counted", "spec": spec})
        self.quarterdeck("job", "create", "-f", "-", text=text)

    def quarterdeck(self, *args: str, text: str | None = None) -> Any:
        command = [sys.executable, "-m", "quarterdeck", *args, "--json"]
        done = subprocess.run(  # our own command
            command, env=self.environ, input=text, capture_output=True, text=True, timeout=120,
            cwd=ROOT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def dispatch(self, what: str, nth: int) -> tuple[str | None, bool]:
        """Return the run's id, if it was printed, and whether the process lived to the end."""
        command = [sys.executable, "-m", "tests.chaos.dispatcher", str(self.store), what, str(nth)]
        done = subprocess.run(  # our own command
            command, env=self.environ, capture_output=True, text=True, timeout=120, cwd=ROOT,
            check=False,
        )  # fmt: skip
        assert done.returncode in (0, -9), done.stderr
        words = done.stdout.split()
        found = words[0] if words and words[0] != "done" else None
        return found, done.returncode == 0

    def settle(self, deadline_s: float = 120.0) -> dict[str, str]:
        """Let `scheduler --once` take up what is open until every run has ended; states by run."""
        end = time.monotonic() + deadline_s
        states: dict[str, str] = {}
        while time.monotonic() < end:
            self.quarterdeck("scheduler", "--once")
            states = {
                run["id"]: run["state"] for run in self.quarterdeck("runs", "--limit", "1000")
            }
            if set(states.values()) <= {"succeeded"}:
                return states
            time.sleep(0.3)
        raise AssertionError(f"not all ended well: {states}")

    def starts(self) -> Counter[str]:
        return Counter(self.seen.read_text().split()) if self.seen.exists() else Counter()


def kill_at(workspace: Workspace, steps: list[int]) -> None:
    """Kill a dispatch at each step, kill whoever goes on once more at random, and let the rest go on."""
    seed = random.Random(7)  # noqa: S311  # a test's seed
    runs = []
    for nth in steps:
        run, _ = workspace.dispatch("counted", nth)
        assert run is not None
        runs.append(run)
        workspace.dispatch(run, seed.randint(1, 18))
    states = workspace.settle()
    assert set(runs) <= set(states)
    starts = workspace.starts()
    assert set(starts.values()) == {1}, starts
    assert set(starts) == {f"{run}-1" for run in runs}


@pytest.mark.row("F13", "F-1", "F-2", "F-3", "F-4", "F-5", "H7")
def test_killed_at_each_step_of_a_dispatch_once(tmp_path: Path) -> None:
    kill_at(Workspace(tmp_path), [1, 2, 3, 6, 9, 12, 15, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26])


@pytest.mark.long
@pytest.mark.row("F13")
def test_killed_a_hundred_times(tmp_path: Path) -> None:
    kill_at(Workspace(tmp_path), [1 + n % 26 for n in range(share(100))])
