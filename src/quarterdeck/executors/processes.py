"""Processes of this machine by id *and* start time: found, asked, ended. Whose they are: `local`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from quarterdeck.model.parts import Parts
from quarterdeck.model.receipt import Chosen, Receipt
from quarterdeck.model.wire import MARKER_ENV

_PROC: Final = Path("/proc")
_DEAD: Final = "ZX"


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be mistaken for a later one with its id; `start_ticks` since the boot."""

    pid: int
    start_ticks: int

    @property
    def is_alive(self) -> bool:
        """Whether it is there and no zombie."""
        return find(self.pid) == self

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to it and no other; False if it is gone."""
        try:
            handle = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            if not self.is_alive:  # the id was another's when it was opened
                return False
            signal.pidfd_send_signal(handle, number)
        except OSError:
            return False
        finally:
            os.close(handle)
        return True


@dataclass(frozen=True, slots=True)
class Marked:
    """A process that an attempt started; `is_inside`: its environment names the folder asked for."""

    process: Process
    name: str
    marker: str
    is_inside: bool

    def __str__(self) -> str:
        return f"process {self.process.pid} ({self.name})"


class OneProcess:
    """An executor whose attempts are a process each: they have no parts that a cluster knows of.

    What begins is the process that `prepare` has started: release and start are one.
    """

    def release(self, receipt: Receipt, wait_s: float = 0.0) -> Receipt:
        """Return the receipt with the process that waits for the word."""
        del wait_s
        facts = receipt.facts
        known = [str(facts.get(key, "")) for key in ("boot_id", "pid", "start_ticks")]
        return replace(receipt, chosen=Chosen(f"process {facts.get('pid')}", ":".join(known)))

    def parts(self, receipt: Receipt) -> Parts:
        """Return nothing."""
        del receipt
        return Parts()

    def ask_now(self) -> None:
        """Nothing is waited for: this machine is always asked."""

    def ahead_s(self) -> float:
        """Return 0: this machine is the place."""
        return 0.0

    def may_run(self, *_: object) -> str:
        """Return nothing: this machine is the only node, and says itself what runs."""
        return ""


def boot_id() -> str:
    """Return the id of this boot of the machine: start times of another one mean nothing."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def find(pid: int) -> Process | None:
    """Return the process that has this id now, unless it is a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in _DEAD else Process(pid, int(fields[19]))


def leader_of(process: Process) -> Process:
    """Return the leader of its session, or itself if that is gone."""
    fields = _stat(process.pid)
    leader = find(int(fields[3])) if fields is not None else None
    return leader or process


def session_of(leader: Process) -> list[Process]:
    """Return what lives in the session that this process leads; nothing once it is gone.

    Without the leader the session's number may be another's by now.
    """
    if not leader.is_alive:
        return []
    found = []
    for pid in _pids():
        fields = _stat(pid)
        if fields is not None and int(fields[3]) == leader.pid and fields[0] not in _DEAD:
            found.append(Process(pid, int(fields[19])))
    return found


def marked(inside: Path) -> list[Marked]:
    """Return all that lives and carries any attempt's marker; what may not be read is not ours."""
    key, place = f"{MARKER_ENV}=".encode(), f"{inside}/".encode()
    found = []
    for pid in _pids():
        with suppress(OSError):
            environ = (_PROC / str(pid) / "environ").read_bytes()
            marker = next((e for e in environ.split(b"\0") if e.startswith(key)), None)
            process = find(pid)
            if marker is not None and process is not None:
                name = (_PROC / str(pid) / "comm").read_text(errors="replace").strip()
                text = marker.removeprefix(key).decode(errors="replace")
                found.append(Marked(process, name, text, place in environ))
    return found


def _pids() -> Iterator[int]:
    return (int(path.name) for path in _PROC.iterdir() if path.name.isdigit())


def _stat(pid: int) -> list[str] | None:
    """Return the fields behind the name: state, parent, group, session, …; [19] is the start."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
