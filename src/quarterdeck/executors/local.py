"""Runs attempts on this machine: a folder and a runner process each, found again after any crash.

What lies in the folder: `folder`; processes: `processes`; the run itself: `runner.py`, in its own process.
"""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from quarterdeck.executors import beats, environment, locallog, localplan, processes, sail, start
from quarterdeck.executors import folder as folders
from quarterdeck.executors.folder import AttemptFolder, Identity
from quarterdeck.executors.lastword import DamagedWordError
from quarterdeck.executors.processes import Marked, Process
from quarterdeck.model import wire
from quarterdeck.model.clock import Uptimes
from quarterdeck.model.errors import PrerequisiteError, UnreachableError
from quarterdeck.model.ids import RunId
from quarterdeck.model.instants import Clock
from quarterdeck.model.logline import Cursor, LogChunk
from quarterdeck.model.observation import Observation, Phase, Silent
from quarterdeck.model.receipt import AttemptId, Owned, ReapReport, Receipt, attempt_id
from quarterdeck.model.run import CancelStep
from quarterdeck.ports.executor import Check, FencedError, Launch, Place

START_S: Final = 20.0  # until a runner listens
LOCK_S: Final = 5.0  # for another process that prepares the same attempt
GRACE_S: Final = 10  # between a payload's SIGTERM and its SIGKILL
LINGER_S: Final = 5.0  # a runner that said its last word is given this long to go
KILL_S: Final = 3.0
POLL_S: Final = 0.005

_ATTEMPT: Final = re.compile(r"([a-z][a-z0-9]*)-([1-9][0-9]*)")
_PHASES: Final = {
    "waiting": Phase.WAITING,
    "starting": Phase.STARTING,
    "running": Phase.RUNNING,
    "ending": Phase.RUNNING,
}


class LocalExecutor(processes.OneProcess):
    """One machine's attempts under `folder`, as port `Executor` says.

    `python` runs runner, engine and payload; it has to have the engine's packages.
    """

    kind = "local"

    def __init__(
        self, folder: Path, clock: Clock, uptime: Uptimes, python: str = sys.executable
    ) -> None:
        self._work = folder
        self._clock = clock
        self._uptime = uptime
        self._python = python
        self._children: set[int] = set()

    # --- what is there

    def check(self, launch: Launch | None) -> list[Check]:
        """Check engine, folder and isolation; for a launch also what its frozen spec asks of the place."""
        found = [*environment.engine_checks(), environment.folder_check(self._work)]
        found.append(environment.isolation_check())
        if launch is not None and not any(check.level == "failed" for check in found):
            found += environment.launch_checks(launch.frozen, self.place(), self.kind)
        return found

    def place(self) -> Place:
        """Return engine, client, Python, platform and time zone data; PrerequisiteError without engine."""
        return environment.place()

    # --- dispatch

    def plan(self, launch: Launch) -> list[Mapping[str, Any]]:
        """Return the process that would be started and the files that it is given."""
        name = attempt_id(launch.run, launch.attempt)
        told = self._launch_document(launch, name)
        return [localplan.document(launch, self._folder(name), told, self._python)]

    def prepare(self, launch: Launch) -> Receipt:
        """Lay down the inputs and start a runner that waits for the word; idempotent, also after a crash.

        FencedError if other inputs stand there; PrerequisiteError if the runner ends at once, and nothing is left;
        UnreachableError if it does not listen within 20 s, another process is at it, or the disk refuses.
        """
        self._collect_children()
        name = attempt_id(launch.run, launch.attempt)
        try:
            self._work.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._prepare(launch, name)
        except (PrerequisiteError, FencedError) as error:
            if isinstance(error, PrerequisiteError) or not self._folder(name).inputs.is_dir():
                self.reap(self._found_receipt(launch.run, launch.attempt))
            raise
        except BlockingIOError:
            raise UnreachableError(
                f"Another process has been preparing {name} for more than {LOCK_S:g} s.",
                advice="It may be stopped: let it go on, or end it.",
            ) from None
        except OSError as error:
            raise _refused_by_disk(error) from error

    def _prepare(self, launch: Launch, name: AttemptId) -> Receipt:
        with folders.locked(self._work / f"{name}.prepare.lock", wait_s=LOCK_S):
            folder = self._folder(name)
            folder.lay(launch, self._launch_document(launch, name))
            runner = folder.identity()
            if folder.began_ms() is None and not (runner and runner.is_alive):
                runner = self._start(folder, name)
            if runner is None:
                raise FencedError(f"{folder.path} began, and no runner says that it was it.")
            return self._receipt(launch, folder, runner)

    def start(self, receipt: Receipt) -> None:
        """Give the word; FencedError if the folder is gone or another runner waits in it."""
        folder = self._folder(receipt.id)
        runner = folder.identity() if folder.exists else None
        if runner is None:
            raise FencedError(f"{folder.path} is gone; nothing was started.")
        ours = _identity(receipt)
        if runner != ours and folder.began_ms() is None:
            raise FencedError(
                f"In {folder.path} waits process {runner.process.pid}, not {ours.process.pid}."
            )
        if not (folder.out / wire.WORD_FILE).exists():
            said = f"{ours.process.pid} {ours.process.start_ticks}\n"
            try:
                folder.write(wire.WORD_FILE, said.encode())
            except OSError as error:
                raise _refused_by_disk(error) from error

    # --- watching

    def observe(self, receipts: Collection[Receipt]) -> Mapping[AttemptId, Observation | Silent]:
        """Say of each attempt what folder and process table show now."""
        self._collect_children()
        carried = cache(lambda: processes.marked(self._work))  # once, and only if one has ended
        return {receipt.id: self._observe(receipt, carried) for receipt in receipts}

    def is_heard(self, receipt: Receipt, within_s: float) -> bool | None:
        """Say whether the runner wrote within so many seconds, this machine awake, that it lives."""
        silent_s = beats.silent_s(self._folder(receipt.id), self._uptime())
        return None if silent_s is None else silent_s <= within_s

    def logs(self, receipt: Receipt, cursor: Cursor, *, follow: bool) -> Iterator[LogChunk]:
        """Yield lines behind the cursor; following: a chunk, perhaps empty, each second until the end.

        An attempt that was reaped has no lines any more.
        """
        folder, runner = self._folder(receipt.id), _identity(receipt)
        path = folder.out / wire.LOG_FILE
        return locallog.read(
            path, receipt.id, cursor, is_alive=lambda: runner.is_alive, follow=follow
        )

    # --- ending

    def cancel(self, receipt: Receipt, step: CancelStep) -> None:
        """Take one step: ask the runner, ask it again (it hurries), kill it, kill all that it started."""
        folder, runner = self._folder(receipt.id), _identity(receipt)
        if step is CancelStep.FORCE:
            self._kill(receipt)
            return
        if not runner.is_alive:
            return
        if step is CancelStep.DELETE:
            for process in (runner.process, *processes.session_of(_group(receipt))):
                process.send(signal.SIGKILL)
        elif step is CancelStep.END or not (folder.out / folders.ASKED_FILE).exists():
            runner.process.send(signal.SIGTERM)
            with suppress(OSError):  # reaped meanwhile, or a full disk: a second asking hurries it
                folder.write(folders.ASKED_FILE, step.value.encode())

    def reap(self, receipt: Receipt) -> ReapReport:
        """Kill what carries the attempt's marker, remove its folder; a second call finds nothing."""
        found: dict[Process, str] = {}
        deadline = time.monotonic() + KILL_S
        while (left := self._kill(receipt)) and time.monotonic() < deadline:
            found |= left
            time.sleep(POLL_S)
        self._collect_children()
        removed = [name for process, name in found.items() if process not in left]
        if left:
            return ReapReport(tuple(removed), tuple(left.values()))
        folder = self._folder(receipt.id)
        if folder.exists:
            if not folders.remove(folder.path):
                return ReapReport(tuple(removed), (f"folder {folder.path}",))
            removed.append(f"folder {folder.path}")
        (self._work / f"{receipt.id}.prepare.lock").unlink(missing_ok=True)
        return ReapReport(tuple(removed))

    def owned(self) -> list[Owned]:
        """Return every attempt of this workspace that has a folder or a process."""
        carried = processes.marked(self._work)
        names = {path.name for path in self._work.iterdir()} if self._work.is_dir() else set()
        names |= {each.marker for each in carried if each.is_inside}
        alive = {each.marker for each in carried}
        found = []
        for name in sorted(names):
            if match := _ATTEMPT.fullmatch(name):
                receipt = self._found_receipt(RunId(match[1]), int(match[2]))
                found.append(Owned(name, receipt, name in alive))
        return found

    def rights(self, *, full: bool) -> list[Mapping[str, Any]]:
        """Refuse: whoever runs this program may run jobs on this machine."""
        del full
        raise PrerequisiteError(
            "A cluster of kind local needs no rights but yours on this machine.",
            advice="Name a cluster of kind kubernetes.",
        )

    def close(self) -> None:
        """Take the exits of runners that ended; those that live go on."""
        self._collect_children()

    # --- within

    def _folder(self, name: str) -> AttemptFolder:
        return AttemptFolder(self._work / name)

    def _launch_document(self, launch: Launch, name: AttemptId) -> dict[str, Any]:
        frozen = environment.parse_frozen(launch.frozen)
        return {
            "protocol": wire.PROTOCOL,
            "run": launch.run,
            "attempt": launch.attempt,
            "marker": name,
            "frozen_sha256": launch.frozen_sha256,
            "actor": launch.actor,
            "trigger": launch.trigger,
            "tick": launch.tick,
            "wait_for_word": True,
            "wait_s": launch.wait_s,
            "grace_s": GRACE_S,
            "engine_options": sail.engine_options(frozen, executor_kind=self.kind),
            "isolation": "pid_namespace" if start.namespace_command() else "mark_and_sweep",
            "last_word_path": None,
            "payload_path": [],
        }

    def _start(self, folder: AttemptFolder, name: AttemptId) -> Identity:
        """Start a runner, unless one lives that has not said who it is; return the one that listens."""
        pid: int | None = None
        deadline = time.monotonic() + START_S
        try:
            while time.monotonic() < deadline:
                # A dead one's last thread may hold its lock for a moment.
                if pid is None and folder.clear():
                    pid = self._spawn(folder, name)
                runner = folder.identity()
                if runner is not None and runner.is_alive and folder.is_listening():
                    return runner
                if pid is not None and start.failed(pid):
                    raise PrerequisiteError(
                        f"The runner of {name} ended before it said who it is.",
                        advice="Run `quarterdeck doctor`; what it said stands beside.",
                        evidence=folder.errors(),
                    )
                time.sleep(POLL_S)
        finally:
            if pid is not None:
                self._children.add(pid)
        raise UnreachableError(
            f"The runner of {name} does not listen after {START_S:g} s.",
            advice="The machine may be overloaded; try again.",
            evidence=folder.errors(),
        )

    def _spawn(self, folder: AttemptFolder, name: AttemptId) -> int:
        command = localplan.command(folder, folder.launch()["isolation"], self._python)
        env = {**os.environ, **localplan.variables(self._work, name)}
        return start.spawn(command, env, folder.out / wire.LOG_FILE, folder.out / folders.ERRORS)

    def _receipt(self, launch: Launch, folder: AttemptFolder, runner: Identity) -> Receipt:
        """Return the receipt of this runner; its facts are kept, for some cannot be seen after its end."""
        facts = folder.kept_facts()
        if facts is None or facts["pid"] != runner.process.pid:
            group = processes.leader_of(runner.process)
            facts = {
                "pid": runner.process.pid,
                "start_ticks": runner.process.start_ticks,
                "boot_id": runner.boot_id,
                "group": {"pid": group.pid, "start_ticks": group.start_ticks},
                "folder": str(folder.path),
                "isolation": folder.launch()["isolation"],
            }
            folder.write(folders.FACTS_FILE, json.dumps(facts).encode())
        return Receipt(self.kind, launch.run, launch.attempt, facts)

    def _found_receipt(self, run: RunId, attempt: int) -> Receipt:
        """Return a receipt that reaps, for what has none at hand: by name, and by runner if there was one."""
        folder = self._folder(attempt_id(run, attempt))
        facts = folder.kept_facts() or {"folder": str(folder.path)}
        return Receipt(self.kind, run, attempt, facts)

    def _observe(self, receipt: Receipt, carried: Callable[[], list[Marked]]) -> Observation:
        now, folder, runner = self._clock(), self._folder(receipt.id), _identity(receipt)
        is_alive = runner.is_alive  # asked first: what it wrote before it ended is seen below
        if not folder.exists:
            because = f"the folder {folder.path} was removed"
            left = _left(receipt, carried())
            return Observation(now, Phase.GONE, because, object=str(folder.path), left=left)
        word, evidence = None, folder.errors()
        try:
            word = folder.last_word(receipt.run, receipt.attempt)
        except DamagedWordError as error:
            evidence = (str(error), *evidence)
        began = beats.began(folder, runner, now, self._uptime())
        where = f"process {runner.process.pid} on {platform.node()}"
        if is_alive and not (word and beats.said_s(folder, word, now, self._uptime()) > LINGER_S):
            phase = folder.phase()
            because = f"the runner says {phase}"
            return Observation(now, _PHASES[phase], because, placement=where, **began._asdict())
        return Observation(
            now,
            Phase.ENDED,
            _why_ended(runner, word, is_begun=began.began_at is not None),
            last_word=word,
            evidence=evidence,
            exit_code=None if word is None else word["exit_code"],
            began_at=began.began_at,
            placement=where,
            left=_left(receipt, carried()),
        )

    def _kill(self, receipt: Receipt) -> dict[Process, str]:
        """Send SIGKILL to all of the attempt that lives; return it, by process."""
        found = {
            each.process: str(each)
            for each in processes.marked(self._work)
            if each.marker == receipt.id
        }
        if "group" in receipt.facts and _identity(receipt).boot_id == processes.boot_id():
            for process in processes.session_of(_group(receipt)):
                found.setdefault(process, f"process {process.pid} (of the runner's session)")
        for process in found:
            process.send(signal.SIGKILL)
        return found

    def _collect_children(self) -> None:
        """Take the exits of runners that this process started, so that none stays a zombie."""
        for pid in tuple(self._children):
            try:
                ended, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended = pid
            if ended:
                self._children.discard(pid)


def _refused_by_disk(error: OSError) -> UnreachableError:
    return UnreachableError(
        f"{error.filename or 'The work folder'} cannot be written: {error.strerror}.",
        advice="Make room on the disk, or see whose the folder is.",
    )


def _identity(receipt: Receipt) -> Identity:
    facts = receipt.facts
    process = Process(facts.get("pid", 0), facts.get("start_ticks", 0))
    return Identity(process, facts.get("boot_id", ""))


def _group(receipt: Receipt) -> Process:
    group = receipt.facts.get("group") or {"pid": 0, "start_ticks": 0}
    return Process(group["pid"], group["start_ticks"])


def _left(receipt: Receipt, carried: list[Marked]) -> tuple[str, ...]:
    """Return what still carries the marker; the namespace's frame is gone with what it held."""
    frame = _group(receipt)
    return tuple(str(e) for e in carried if e.marker == receipt.id and e.process != frame)


def _why_ended(runner: Identity, word: Mapping[str, Any] | None, *, is_begun: bool) -> str:
    if word is not None:
        return f"the runner ended; its last word is {word['state']}"
    when = (
        "after it began"
        if is_begun
        else "before the word to begin: nothing of the job was started"
    )
    if runner.boot_id != processes.boot_id():
        return f"this machine was restarted, {when}"
    return f"the runner was killed or ended without its last word, {when}"
