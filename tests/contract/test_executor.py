"""What every executor promises, over the fake, this machine and a cluster with the real runner."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from quarterdeck import wiring
from quarterdeck.executors import processes, start
from quarterdeck.executors.local import LocalExecutor
from quarterdeck.model import wire
from quarterdeck.model.ids import RunId
from quarterdeck.model.logline import Cursor, LogLine
from quarterdeck.model.observation import Observation, Phase
from quarterdeck.model.receipt import Receipt
from quarterdeck.model.run import CancelStep
from quarterdeck.ports.executor import Executor, FencedError, InputFile, Launch
from tests.support import kubernetes
from tests.support.fakes import CrashError, FakeClock, FakeExecutor

LIMIT_S = 40.0
names = (RunId(f"rx{os.getpid() % 10**6:06}{n:06}") for n in itertools.count())


def a_launch(payload: str = "", *args: str, run: RunId | None = None, **more: Any) -> Launch:
    """Return the launch of a Python job with this text."""
    text = payload.encode()
    file = InputFile(
        "job.py", hashlib.sha256(text).hexdigest(), len(text), lambda: io.BytesIO(text)
    )
    source = {"kind": "py_file", "file": "job.py", "sha256": file.sha256, "args": list(args)}
    spec = {
        "format": 1, "job": "j", "version": 1, "source": source, "parameters": {}, "timeout_s": 60,
        "profile": {"mode": "standalone"}, "settings": [], "env": {}, "catalogs": [],
    }  # fmt: skip
    frozen = json.dumps(spec | more).encode()
    digest = hashlib.sha256(frozen).hexdigest()
    return Launch("w", run or next(names), 1, "ana", "manual", None, frozen, digest, 60, (file,))


def eventually(what: Callable[[], bool], limit_s: float = LIMIT_S) -> bool:
    """Wait until it is true; False at the limit."""
    deadline = time.monotonic() + limit_s
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Bench(Protocol):
    """An implementation under test, and what only it can arrange."""

    def executor(self) -> Executor:
        """Return an executor as another process of ours would have it: it remembers nothing."""

    def counting(self, *, then: str) -> Launch:
        """Return a launch whose starts can be counted; it ends at once or `waits`."""

    def starts(self, receipt: Receipt) -> int:
        """Return how often its payload really began."""

    def go_on(self, receipt: Receipt, phase: Phase) -> None:
        """Let it come to this phase, or wait until it has."""

    def kill(self, receipt: Receipt) -> None:
        """End its runner with SIGKILL."""

    def alive(self, receipt: Receipt) -> int:
        """Return how many processes (or the like) of it there are."""


class FakeBench:
    """The fake: nothing happens unless it is told."""

    def __init__(self, _folder: Path) -> None:
        self.fake = FakeExecutor(FakeClock())

    def executor(self) -> Executor:
        return self.fake

    def counting(self, *, then: str) -> Launch:
        return a_launch(then)

    def starts(self, receipt: Receipt) -> int:
        return self.fake.attempts[receipt.id].began

    def go_on(self, receipt: Receipt, phase: Phase) -> None:
        if phase is not Phase.ENDED:
            self.fake.move(receipt.id, phase)
            self.fake.say(receipt.id, *(f"line {n}" for n in range(1, 31)))
        elif self.fake.attempts[receipt.id].is_alive:
            self.fake.end(receipt.id)

    def kill(self, receipt: Receipt) -> None:
        self.fake.end(receipt.id, None)

    def alive(self, receipt: Receipt) -> int:
        one = self.fake.attempts.get(receipt.id)
        return int(one is not None and one.is_alive)


PAYLOAD = """
import subprocess, sys, time
with open(sys.argv[1], "a") as file:
    file.write("began\\n")
for n in range(1, 31):
    print("line", n)
if sys.argv[2] == "waits":
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
    time.sleep(300)
"""


class LocalBench:
    """This machine, with the real runner and engine."""

    isolation = "pid_namespace"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def executor(self) -> LocalExecutor:
        return LocalExecutor(self.folder / "work", wiring.clock, wiring.uptime)

    def counting(self, *, then: str) -> Launch:
        return a_launch(PAYLOAD, str(self.folder / "starts"), then)

    def starts(self, receipt: Receipt) -> int:
        path = self.folder / "starts"
        return path.read_text().count("began") if path.exists() else 0

    def go_on(self, receipt: Receipt, phase: Phase) -> None:
        def is_there() -> bool:
            seen = observe(self.executor(), receipt)
            is_begun = phase is not Phase.RUNNING or "line 30" in self.log(receipt)
            return seen.phase is phase and is_begun

        assert eventually(is_there), (observe(self.executor(), receipt), self.log(receipt))

    def log(self, receipt: Receipt) -> str:
        return (self.folder / "work" / receipt.id / "out" / wire.LOG_FILE).read_text()

    def kill(self, receipt: Receipt) -> None:
        os.kill(receipt.facts["pid"], signal.SIGKILL)

    def alive(self, receipt: Receipt) -> int:
        return sum(each.marker == receipt.id for each in processes.marked(self.folder))


class SweepingBench(LocalBench):
    """This machine where PID namespaces are not to be had."""

    isolation = "mark_and_sweep"


POD_PAYLOAD = """
import subprocess, sys, time, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=10).read()
for n in range(1, 31):
    print("line", n)
if sys.argv[2] == "waits":
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
    time.sleep(300)
"""


class KubernetesBench:
    """A real cluster, in a namespace of its own."""

    def __init__(self, _folder: Path) -> None:
        self._counting = kubernetes.Counting()
        self._namespace = kubernetes.namespace()
        self.namespace = self._namespace.__enter__()

    def executor(self) -> Executor:
        return kubernetes.executor(self.namespace)

    def counting(self, *, then: str) -> Launch:
        run = next(names)
        address = f"{self._counting.address}/{run}"
        return a_launch(POD_PAYLOAD, address, then, run=run)

    def starts(self, receipt: Receipt) -> int:
        return self._counting.seen[receipt.run]

    def go_on(self, receipt: Receipt, phase: Phase) -> None:
        executor = self.executor()

        def is_there() -> bool:
            seen = observe(executor, receipt)
            if phase is not Phase.RUNNING:
                return seen.phase is phase or (phase is Phase.ENDED and seen.phase is Phase.GONE)
            lines = read(executor, receipt, Cursor())[0]
            return seen.phase is phase and any(line.text == "line 30" for line in lines)

        assert eventually(is_there), observe(executor, receipt)

    def kill(self, receipt: Receipt) -> None:
        kubernetes.kill_runner(receipt)

    def alive(self, receipt: Receipt) -> int:
        return len(kubernetes.processes_of(receipt))

    def close(self) -> None:
        self._counting.close()
        self._namespace.__exit__(None, None, None)


BENCHES: dict[str, Callable[[Path], Bench]] = {
    "fake": FakeBench, "local": LocalBench, "sweeping": SweepingBench,
    "kubernetes": KubernetesBench,
}  # fmt: skip


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.cluster if name == "kubernetes" else ())
        for name in BENCHES
    ]
)
def bench(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    one = BENCHES[request.param](tmp_path)
    if isinstance(one, SweepingBench):
        monkeypatch.setattr(start, "namespace_command", lambda: ())
    yield one
    for owned in one.executor().owned():
        one.executor().reap(owned.receipt)
    if isinstance(one, KubernetesBench):
        one.close()


def begin(executor: Executor, receipt: Receipt) -> Receipt:
    """Release what was prepared, start what is made of it, and return the receipt that names that."""
    chosen = executor.release(receipt, 10)
    assert chosen.chosen is not None
    executor.start(chosen)
    return chosen


def observe(executor: Executor, receipt: Receipt) -> Observation:
    seen = executor.observe([receipt])[receipt.id]
    assert isinstance(seen, Observation)
    return seen


def read(
    executor: Executor, receipt: Receipt, cursor: Cursor
) -> tuple[list[LogLine], Cursor, bool]:
    """Return what is behind the cursor now, the cursor behind that, and whether it has ended."""
    lines: list[LogLine] = []
    ended = False
    for chunk in executor.logs(receipt, cursor, follow=False):
        assert len(chunk.lines) <= 1_000
        lines += chunk.lines
        cursor, ended = chunk.cursor, chunk.ended
    return lines, cursor, ended


def test_whole_life(bench: Bench) -> None:
    executor = bench.executor()
    launch = bench.counting(then="ends")
    receipt = executor.prepare(launch)
    assert observe(executor, receipt).phase is Phase.WAITING
    assert bench.executor().prepare(launch) == receipt  # twice, also by another process
    assert bench.starts(receipt) == 0
    chosen = executor.release(receipt, 10)
    assert chosen == replace(receipt, chosen=chosen.chosen)
    assert chosen.chosen is not None
    assert bench.executor().release(receipt, 10) == chosen
    assert observe(executor, chosen).phase is Phase.WAITING
    assert bench.starts(receipt) == 0
    executor.start(chosen)
    bench.executor().start(chosen)
    bench.go_on(chosen, Phase.ENDED)
    assert bench.executor().prepare(launch) == receipt  # it began: never again
    assert begin(executor, receipt) == chosen
    receipt = chosen
    seen = observe(executor, receipt)
    assert (seen.phase, seen.exit_code, seen.left) == (Phase.ENDED, 0, ())
    assert seen.last_word is not None
    assert (seen.last_word["state"], seen.last_word["run"]) == ("succeeded", receipt.run)
    assert seen.began_at is not None
    assert bench.starts(receipt) == 1
    assert eventually(
        lambda: bench.alive(receipt) == 0
    )  # a namespace's frame goes a moment after what it held
    [owned] = executor.owned()
    assert (owned.name, owned.receipt.id, owned.alive) == (receipt.id, receipt.id, False)
    assert executor.reap(receipt).removed
    assert not executor.reap(receipt).removed
    assert executor.owned() == []
    gone = observe(executor, receipt)
    assert (gone.phase, gone.last_word) == (Phase.GONE, None)
    lines, _, ended = read(executor, receipt, Cursor({receipt.id: 10}))
    assert (lines, ended) == ([], True)


def test_a_plan_names_what_would_be_made_and_makes_nothing(bench: Bench) -> None:
    executor = bench.executor()
    launch = bench.counting(then="ends")
    documents = executor.plan(launch)
    assert documents
    assert all(document["kind"] for document in documents)
    assert launch.run in json.dumps(documents)
    assert executor.owned() == []
    receipt = executor.prepare(launch)
    assert executor.plan(launch) == documents
    executor.reap(receipt)


@pytest.mark.row("F-12", "F-13")
def test_what_is_not_ours_is_fenced(bench: Bench) -> None:
    executor = bench.executor()
    launch = bench.counting(then="ends")
    receipt = executor.prepare(launch)
    with pytest.raises(FencedError):
        executor.prepare(a_launch("other", run=launch.run))
    other = replace(receipt, facts={**receipt.facts, "pid": 1, "start_ticks": 7, "uid": "other"})
    with pytest.raises(FencedError):
        begin(executor, other)
    chosen = executor.release(receipt, 10)
    assert chosen.chosen is not None
    with pytest.raises(FencedError):
        executor.start(replace(chosen, facts=other.facts, chosen=replace(chosen.chosen, id="x")))
    assert bench.starts(receipt) == 0
    executor.reap(receipt)
    with pytest.raises(FencedError):
        begin(executor, receipt)
    with pytest.raises(FencedError):
        executor.start(chosen)


def test_asked_before_the_word_nothing_starts(bench: Bench) -> None:
    executor = bench.executor()
    receipt = executor.prepare(bench.counting(then="ends"))
    executor.cancel(receipt, CancelStep.ASK)
    bench.go_on(receipt, Phase.ENDED)
    executor.cancel(receipt, CancelStep.ASK)
    seen = observe(executor, receipt)
    if isinstance(bench, KubernetesBench):  # there was no pod, so nobody who could say a word
        assert (seen.phase, seen.last_word, seen.left) == (Phase.GONE, None, ())
        with pytest.raises(FencedError):
            begin(executor, receipt)
    else:
        assert seen.last_word is not None
        assert seen.last_word["state"] == "cancelled"
    assert bench.starts(receipt) == 0


@pytest.mark.parametrize("step", CancelStep)
def test_each_step_of_a_cancel_ends_everything(bench: Bench, step: CancelStep) -> None:
    executor = bench.executor()
    receipt = begin(executor, executor.prepare(bench.counting(then="waits")))
    bench.go_on(receipt, Phase.RUNNING)
    assert bench.alive(receipt) > 0
    for _ in range(2):
        executor.cancel(receipt, step)
    over = {Phase.ENDED}
    if isinstance(bench, KubernetesBench) and step is CancelStep.FORCE:
        over.add(Phase.GONE)  # nobody waits for the node's word
    assert eventually(lambda: observe(executor, receipt).phase in over)
    word = observe(executor, receipt).last_word
    if step in (CancelStep.ASK, CancelStep.END):
        assert word is not None
        assert (word["state"], word["exit_code"]) == ("cancelled", wire.EXIT_CANCELLED)
    elif not isinstance(bench, KubernetesBench):  # there SIGTERM comes before SIGKILL, always
        assert word is None
    if step is CancelStep.DELETE and isinstance(bench, SweepingBench):
        executor.reap(receipt)  # what left the runner's session is found by its mark
    assert eventually(lambda: bench.alive(receipt) == 0, 5)
    executor.cancel(receipt, step)


def test_a_killed_runner_takes_everything_with_it(bench: Bench) -> None:
    executor = bench.executor()
    receipt = begin(executor, executor.prepare(bench.counting(then="waits")))
    bench.go_on(receipt, Phase.RUNNING)
    bench.kill(receipt)
    assert eventually(lambda: observe(executor, receipt).phase is Phase.ENDED, 5)
    seen = observe(executor, receipt)
    assert seen.last_word is None
    assert "killed" in seen.because, seen
    assert bench.starts(receipt) == 1
    executor.reap(receipt)
    assert bench.alive(receipt) == 0


def test_logs_resume_from_any_cursor(bench: Bench) -> None:
    executor = bench.executor()
    receipt = begin(executor, executor.prepare(bench.counting(then="waits")))
    bench.go_on(receipt, Phase.RUNNING)
    lines, cursor, ended = read(executor, receipt, Cursor({"other": 3}))
    assert not ended
    assert cursor.positions["other"] == 3
    texts = [line.text for line in lines if line.origin == "payload"]
    assert texts == [f"line {n}" for n in range(1, 31)]
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    executor.cancel(receipt, CancelStep.END)
    bench.go_on(receipt, Phase.ENDED)
    whole, end, ended = read(bench.executor(), receipt, Cursor())
    rest, same, _ = read(executor, receipt, cursor)
    assert ended
    assert (lines + rest, same.positions[receipt.id]) == (whole, end.positions[receipt.id])
    assert read(executor, receipt, end) == ([], end, True)
    *_, last = executor.logs(receipt, end, follow=True)
    assert last.ended


def test_faults_of_the_fake_leave_what_a_crash_would() -> None:
    clock = FakeClock()
    fake = FakeExecutor(clock, auto=True)
    launch = a_launch()
    fake.fail("prepare", when="after")
    with pytest.raises(CrashError):
        fake.prepare(launch)
    receipt = fake.prepare(launch)
    assert len(fake.attempts) == 1
    fake.lose_answer("release")
    with suppress(Exception):
        fake.release(receipt)
    receipt = fake.release(receipt)
    fake.lose_answer("start")
    with suppress(Exception):
        fake.start(receipt)
    fake.start(receipt)
    assert fake.attempts[receipt.id].began == 1
    phases = [observe(fake, receipt).phase for _ in range(2)]
    assert phases == [Phase.RUNNING, Phase.ENDED]
