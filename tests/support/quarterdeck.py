"""The command line as a process over a workspace of its own: what tests of rows drive."""

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
AHEAD = """
import sys
from datetime import timedelta
from quarterdeck import wiring
from quarterdeck.cli.main import main
real, by = wiring.clock, timedelta(seconds=float(sys.argv[1]))
wiring.clock = lambda: real() + by
sys.exit(main(sys.argv[2:]))
"""
ENDED = {"succeeded", "failed", "timed_out", "cancelled", "rejected", "lost"}


def outer_environ() -> dict[str, str]:
    """Return the environment without variables of ours: the commands refuse those that only tests know.

    Nor is the size of a terminal in it, which some worlds of tests bring along.
    """
    size = ("LINES", "COLUMNS")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("QUARTERDECK_") and name not in size
    }


@dataclass(frozen=True)
class Answer:
    """What a command said. `document` is standard output's; `error` the refusal on standard error."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err.splitlines()[-1])["error"]

    @property
    def words(self) -> str:
        """What was said, unfolded."""
        return " ".join(f"{self.out} {self.err}".split())

    @property
    def paths(self) -> list[str]:
        return [field["path"] for field in self.error["fields"]]


class Quarterdeck:
    """One workspace in a folder; `actor` may be another one than the admin who made it."""

    def __init__(self, folder: Path, *, actor: str = "ana", init: bool = True) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.actor = actor
        if init:
            shutil.copytree(_template(actor), self.store)

    def as_actor(self, actor: str) -> "Quarterdeck":
        return Quarterdeck(self.folder, actor=actor, init=False)

    def environ(self) -> dict[str, str]:
        home = {"HOME": str(self.folder), "TERM": "dumb", "COLUMNS": "80"}
        return {
            **outer_environ(),
            **home,
            "QUARTERDECK_STORE": str(self.store),
            "QUARTERDECK_ACTOR": self.actor,
        }

    def command(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "quarterdeck", *args]

    def call(self, *args: str, text: str | None = None, timeout_s: float = 120) -> Answer:
        """Run a command to its end; `text` is its standard input."""
        done = subprocess.run(  # our own command
            self.command(*args), env=self.environ(), input=text or "", capture_output=True,
            text=True, timeout=timeout_s, cwd=self.folder, check=False,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    def json(self, *args: str, text: str | None = None) -> Answer:
        """Run a command with `--json`."""
        return self.call(*args, "--json", text=text)

    def ok(self, *args: str, text: str | None = None) -> Any:
        """Run a command with `--json` that must succeed; returns its document."""
        answer = self.json(*args, text=text)
        assert answer.code == 0, answer.err
        return answer.document

    def ahead(self, seconds: float, *args: str) -> Any:
        """Run a command as a process whose wall clock is so much ahead; returns its document."""
        done = subprocess.run(  # our own command
            [sys.executable, "-c", AHEAD, str(seconds), *args, "--json"], env=self.environ(),
            capture_output=True, text=True, timeout=120, cwd=self.folder, check=False,
        )  # fmt: skip
        answer = Answer(done.returncode, done.stdout, done.stderr)
        assert answer.code == 0, answer.err
        return answer.document

    def start(self, *args: str) -> "subprocess.Popen[str]":
        """Start a command and go on; the caller ends it by its id."""
        return subprocess.Popen(  # our own command
            self.command(*args), env=self.environ(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder,
        )  # fmt: skip

    def create(self, name: str, **changes: Any) -> Any:
        """Create a job from JSON; `spec` is laid over an ordinary one."""
        return self.ok("job", "create", "-f", "-", text=json.dumps(job(name, **changes)))

    def edit(self, name: str, document: dict[str, Any], *args: str) -> Any:
        return self.ok("job", "edit", name, "-f", "-", *args, text=json.dumps(document))

    def run(self, name: str, *args: str) -> Any:
        """Run a job to its end, whatever that is, and return the run."""
        answer = self.json("run", name, "--wait", *args)
        assert answer.code in (0, 1), answer.err
        return answer.document

    def end(self) -> None:
        """End what a failed test left running: each runner by its process id, and so what it started."""
        for identity in (self.store / "work").glob("*/out/runner.json"):
            facts = json.loads(identity.read_text())
            if start_ticks(facts["pid"]) == facts["start_ticks"]:
                os.kill(facts["pid"], signal.SIGKILL)

    def until(self, run: str, *states: str, deadline_s: float = 60) -> Any:
        """Ask until the run is in one of the states (by default: ended)."""
        end = time.monotonic() + deadline_s
        shown = None
        while time.monotonic() < end:
            shown = self.ok("run-show", run)
            if shown["state"] in (states or ENDED):
                return shown
            time.sleep(0.1)
        raise AssertionError(f"{run} is not {states or 'ended'} but {shown}")


@cache
def _template(actor: str) -> Path:
    """Return a store that `init` made, to be copied: the command itself has tests of its own."""
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Quarterdeck(folder, actor=actor, init=False).ok("init")
    return folder / "store"


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def job(name: str, **changes: Any) -> dict[str, Any]:
    """Return a job's document; `source` and other spec keys may be given straight away."""
    spec: dict[str, Any] = {
        "source": {"kind": "snapshot", "text": "SELECT 1 AS v"},
        "profile": "small",
        "cluster": "local",
        "catalogs": ["main"],
    }
    document: dict[str, Any] = {"name": name, "spec": spec}
    for key, value in changes.items():
        if key in ("team", "shared_teams", "description", "schedule", "type"):
            document[key] = value
        else:
            spec[key] = value
    return document


def sql(text: str, **more: Any) -> dict[str, Any]:
    return {"kind": "snapshot", "text": text, **more}


def python(text: str, *args: str) -> dict[str, Any]:
    return {"kind": "py_file", "text": text, "args": list(args)}
