"""An attempt's folder on this machine: inputs laid down once, and what the runner wrote, read back.

Who starts the runner and what it all means: `local`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from quarterdeck.executors import lastword, processes
from quarterdeck.executors.processes import Process
from quarterdeck.model import wire
from quarterdeck.ports.executor import FencedError, InputFile, Launch

INPUTS: Final = "in"
OUTPUTS: Final = "out"
RUNNER: Final = "runner/runner.py"  # among the inputs, in a folder of its own
OLD_RUNNER: Final = "runner.py"  # of attempts that a version before 2026-11-30 prepared
ERRORS: Final = "runner.err"  # what the runner or its interpreter says besides the log
ASKED_FILE: Final = "asked"  # the runner was asked to end; a second signal would be an order
FACTS_FILE: Final = "receipt"  # facts of the receipt that was given for the runner
TAIL_BYTES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Identity:
    """The runner as it named itself: process and boot."""

    process: Process
    boot_id: str

    @property
    def is_alive(self) -> bool:
        """Whether it is there, of this boot."""
        return self.boot_id == processes.boot_id() and self.process.is_alive


class AttemptFolder:
    """The folder of one attempt; every read says what is there now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.inputs = path / INPUTS
        self.out = path / OUTPUTS

    @property
    def exists(self) -> bool:
        """Whether the folder is there."""
        return self.path.is_dir()

    # --- inputs

    def lay(self, launch: Launch, document: Mapping[str, Any]) -> None:
        """Put the inputs there, whole or not at all; FencedError if others are there already."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        self.out.mkdir(mode=0o700, exist_ok=True)
        if self.inputs.is_dir():
            try:
                found = self.launch()["frozen_sha256"]
            except (OSError, ValueError):  # the machine stopped before the disk had it
                found = "of inputs that cannot be read"
            if found != launch.frozen_sha256:
                raise FencedError(
                    f"{self.path} holds the frozen spec {found}, not {launch.frozen_sha256}."
                )
            return
        fresh = self.path / f"{INPUTS}.new"
        remove(fresh)
        files, runner = fresh / wire.FILES_FOLDER, fresh / RUNNER
        for folder in (fresh, files, runner.parent):
            folder.mkdir(mode=0o700)
        _put(fresh / wire.FROZEN_FILE, launch.frozen)
        _put(runner, runner_source())
        for file in launch.files:
            _copy(file, files)
        _put(fresh / wire.LAUNCH_FILE, json.dumps(document).encode())
        for folder in (runner.parent, files, fresh):
            folder.chmod(0o500)
        fresh.rename(self.inputs)

    @property
    def runner(self) -> Path:
        """The runner's file: inputs that are there keep the runner that they were laid with."""
        old = self.inputs / OLD_RUNNER
        return old if old.is_file() else self.inputs / RUNNER

    def launch(self) -> dict[str, Any]:
        """Return what the runner was told."""
        document: dict[str, Any] = json.loads((self.inputs / wire.LAUNCH_FILE).read_bytes())
        return document

    # --- what the runner wrote

    def identity(self) -> Identity | None:
        """Return the runner as it named itself, or None before it did."""
        content = self._read(wire.IDENTITY_FILE)
        if not content:  # empty: the machine stopped before the disk had it
            return None
        said = json.loads(content)
        return Identity(Process(said["pid"], said["start_ticks"]), said["boot_id"])

    def kept_facts(self) -> dict[str, Any] | None:
        """Return the facts of the receipt that was given last, or None."""
        content = self._read(FACTS_FILE)
        if not content:
            return None
        facts: dict[str, Any] = json.loads(content)
        return facts

    def clear(self) -> bool:
        """Remove what a runner that ended before the word left; False, and nothing done, if one lives."""
        try:
            with locked(self.out / wire.LOCK_FILE):
                for name in (wire.IDENTITY_FILE, wire.PHASE_FILE, ASKED_FILE, FACTS_FILE):
                    (self.out / name).unlink(missing_ok=True)
                # Numbers begin anew with the next runner; one that is only just starting keeps its file.
                with suppress(FileNotFoundError):
                    os.truncate(self.out / wire.LOG_FILE, 0)
        except BlockingIOError:
            return False
        return True

    def is_listening(self) -> bool:
        """Whether the runner is so far that it obeys signals."""
        return (self.out / wire.PHASE_FILE).exists()

    def phase(self) -> str:
        """Return the runner's phase; `waiting` before it said any."""
        return (self._read(wire.PHASE_FILE) or b"waiting").decode()

    def began_ms(self) -> float | None:
        """Return when the attempt began, in milliseconds since 1970, or None if it did not."""
        path = self.out / wire.BEGAN_FILE
        with suppress(FileNotFoundError):
            content = path.read_bytes()
            return float(content) if content else path.stat().st_mtime * 1000
        return None

    def beat(self) -> dict[str, Any] | None:
        """Return what the runner said last of its uptime; None: it has not begun, or is of an earlier version."""
        for _ in range(2):  # it is written in place: a look may come in between
            with suppress(ValueError):
                said: dict[str, Any] = json.loads(self._read(wire.BEAT_FILE) or b"")
                return said
        return None

    def last_word(self, run: str, attempt: int) -> dict[str, Any] | None:
        """Return the runner's last word, or None before it; DamagedWordError if it is not to be believed."""
        content = self._read(wire.LAST_WORD_FILE)
        if content is None:
            return None
        return lastword.parse(content, run, attempt)

    def errors(self) -> tuple[str, ...]:
        """Return the last lines of what the runner's interpreter said besides the log."""
        content = self._read(ERRORS) or b""
        return tuple(content[-TAIL_BYTES:].decode(errors="replace").splitlines()[-10:])

    def write(self, name: str, content: bytes) -> None:
        """Put a small file among the outputs in one step."""
        fresh = self.out / f"{name}.new"
        fresh.unlink(missing_ok=True)
        _put(fresh, content, mode=0o600)
        fresh.replace(self.out / name)

    def _read(self, name: str) -> bytes | None:
        try:
            return (self.out / name).read_bytes()
        except FileNotFoundError:
            return None


@contextmanager
def locked(path: Path, *, wait_s: float = 0) -> Iterator[None]:
    """Hold the lock file; others get BlockingIOError after `wait_s`. What is started meanwhile does not."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + wait_s
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
                time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def remove(path: Path) -> bool:
    """Remove a tree, also one whose folders forbid it; return whether it is gone."""
    _open_up(path)
    for folder, below, _ in os.walk(path):
        for name in below:
            _open_up(Path(folder, name))
    shutil.rmtree(path, ignore_errors=True)
    return not path.exists()


def _open_up(folder: Path) -> None:
    with suppress(OSError):
        if not folder.is_symlink():
            folder.chmod(stat.S_IRWXU)


def runner_source() -> bytes:
    """Return the runner's text."""
    return resources.files("quarterdeck").joinpath("runner.py").read_bytes()


def demand_plain(name: str) -> str:
    """Return the name of an input if it is that of a file in a folder; FencedError if it is a path."""
    if name in {"", ".", ".."} or {"/", "\0"} & set(name):
        raise FencedError(f"{name!r} cannot be the name of an input: it is no file in a folder.")
    return name


def _put(path: Path, content: bytes, mode: int = 0o400) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)


def _copy(file: InputFile, folder: Path) -> None:
    """Copy an input and hold it against its hash: it may have changed since it was frozen."""
    digest = hashlib.sha256()
    path = folder / demand_plain(file.name)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(target, "wb") as copy, file.open() as content:
        while block := content.read(1024 * 1024):
            digest.update(block)
            copy.write(block)
    if digest.hexdigest() != file.sha256:
        raise FencedError(f"{file.name} has the SHA-256 {digest.hexdigest()}, not {file.sha256}.")
