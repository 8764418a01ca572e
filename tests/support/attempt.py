"""One attempt folder with a real runner process in it, for tests of what the runner does."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from quarterdeck.model import wire

RUNNER = Path(__file__).parents[2] / "src" / "quarterdeck" / "runner.py"
Json = dict[str, Any]
T = TypeVar("T")


class Line(NamedTuple):
    """One line of the log as the runner wrote it."""

    number: int
    at_ms: int
    origin: str
    stream: str
    more: int
    text: str


def sql(text: str) -> Json:
    """Return the source of a job that runs this text."""
    return {"kind": "snapshot", "text": text}


def carriers(marker: str) -> list[int]:
    """Return the processes that carry an attempt's marker."""
    needle = f"{wire.MARKER_ENV}={marker}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if needle in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


class Attempt:
    """Inputs and outputs of one attempt, and the runner that was started on them."""

    def __init__(self, folder: Path) -> None:
        self.inputs = folder / "in"
        self.out = folder / "out"
        (self.inputs / wire.FILES_FOLDER).mkdir(parents=True)
        self.out.mkdir()
        self.marker = f"rtest{os.getpid()}{time.monotonic_ns()}-1"
        self.launch: Json = {
            "protocol": wire.PROTOCOL,
            "run": "rtestrun0000",
            "attempt": 1,
            "marker": self.marker,
            "actor": "ana",
            "trigger": "manual",
            "tick": None,
            "wait_for_word": True,
            "wait_s": 30,
            "grace_s": 1,
            "engine_options": {},
            "isolation": "mark_and_sweep",
            "last_word_path": None,
            "payload_path": [],
        }
        self.flags = ["-I"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The runner started last."""
        assert self._process is not None
        return self._process

    def file(self, kind: str, name: str, data: bytes, **more: object) -> Json:
        """Put a file among the inputs; return the source that names it."""
        (self.inputs / wire.FILES_FOLDER / name).write_bytes(data)
        return {"kind": kind, "file": name, "sha256": hashlib.sha256(data).hexdigest()} | more

    def python(self, text: str, *args: str) -> Json:
        """Return the source of a Python job."""
        return self.file("py_file", "job.py", text.encode(), args=list(args))

    def start(
        self, source: Json, *, word: bool = True, wrap: Sequence[str] = (), **spec: object
    ) -> Attempt:
        """Write the inputs, start a runner, and give the word unless told not to."""
        frozen = json.dumps(
            {"format": 1, "job": "j", "version": 1, "source": source, "parameters": {}}
            | {"timeout_s": 60, "profile": {"mode": "standalone"}, "settings": [], "env": {}}
            | spec
        ).encode()
        (self.inputs / wire.FROZEN_FILE).write_bytes(frozen)
        launch = {"frozen_sha256": hashlib.sha256(frozen).hexdigest()} | self.launch
        (self.inputs / wire.LAUNCH_FILE).write_text(json.dumps(launch))
        self.run(wrap)
        if word:
            self.word()
        return self

    def run(self, wrap: Sequence[str] = ()) -> None:
        """Start a runner on this attempt."""
        command = [
            *wrap,
            sys.executable,
            *self.flags,
            str(RUNNER),
            str(self.inputs),
            str(self.out),
        ]
        with (self.out / wire.LOG_FILE).open("ab") as log, (self.out / "err").open("ab") as err:
            self._process = subprocess.Popen(  # the command is ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=err,
                start_new_session=True,
                env=os.environ | {wire.MARKER_ENV: self.marker},
            )

    def word(self) -> None:
        """Give the word to begin."""
        (self.out / wire.WORD_FILE).touch()

    def wait(self, limit_s: float = 30) -> Json:
        """Wait until the runner has left; return its last word, checked against its exit code."""
        code = self.process.wait(limit_s)
        word = self.last_word()
        assert word["exit_code"] == code
        return word

    def last_word(self) -> Json:
        """Return the last word; what the runner said on its standard error if there is none."""
        path = self.out / wire.LAST_WORD_FILE
        assert path.exists(), (self.out / "err").read_text()
        data = path.read_bytes()
        assert len(data) <= wire.LAST_WORD_LIMIT
        found: Json = json.loads(data)
        return found

    def lines(self) -> list[Line]:
        """Return the whole lines of the log; their numbers have no hole."""
        data = (self.out / wire.LOG_FILE).read_bytes()
        whole = data[: data.rfind(b"\n") + 1].decode().split("\n")[:-1]
        found = [Line(*json.loads(line)) for line in whole]
        assert [line.number for line in found] == list(range(1, len(found) + 1))
        return found

    def texts(self, origin: str, stream: str = "stdout") -> list[str]:
        """Return what one origin wrote, with the pieces of long lines put together."""
        found: list[str] = []
        more = 0
        for line in self.lines():
            if (line.origin, line.stream) == (origin, stream):
                if more:
                    found[-1] += line.text
                else:
                    found.append(line.text)
                more = line.more
        return found

    def events(self, name: str) -> list[Json]:
        """Return the events of one name."""
        found = [json.loads(text) for text in self.texts("runner", "event")]
        return [event for event in found if event["event"] == name]

    def results(self) -> dict[int, Json]:
        """Return what was kept of each statement's result, by its number."""
        found: dict[int, Json] = {}
        for text in self.texts("runner", "result"):
            part = json.loads(text)
            result = found.setdefault(part["number"], {"rows": []})
            result["rows"] += part.pop("rows", [])
            result.update(part)
        return found

    def until(self, ask: Callable[[], T], limit_s: float = 20) -> T:
        """Return the first true answer; fail at the limit."""
        end = time.monotonic() + limit_s
        while not (answer := ask()):
            assert time.monotonic() < end, (self.out / "err").read_text()
            time.sleep(0.02)
        return answer

    def alive(self) -> list[int]:
        """Return the processes that carry this attempt's marker."""
        return carriers(self.marker)

    def end(self) -> None:
        """Kill what is left of it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(5)
        for pid in self.alive():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
