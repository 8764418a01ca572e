"""What this machine's executor does at the edges: crashes of ours, reused ids, damaged files."""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quarterdeck import wiring
from quarterdeck.executors import environment, folder, processes
from quarterdeck.executors.local import LocalExecutor
from quarterdeck.executors.processes import Process
from quarterdeck.logs import FolderRunLogs
from quarterdeck.model import wire
from quarterdeck.model.clock import Uptime
from quarterdeck.model.codec import to_document
from quarterdeck.model.errors import PrerequisiteError, UnreachableError
from quarterdeck.model.logline import Cursor
from quarterdeck.model.observation import Observation, Phase
from quarterdeck.model.receipt import Receipt
from quarterdeck.ports.executor import FencedError, InputFile, Launch
from tests.contract.test_executor import a_launch, eventually
from tests.support.fakes import FakeClock


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[LocalExecutor]:
    one = an_executor(tmp_path)
    yield one
    for owned in one.owned():
        one.reap(owned.receipt)


def an_executor(root: Path, **more: Any) -> LocalExecutor:
    return LocalExecutor(root / "work", wiring.clock, wiring.uptime, **more)


def observe(executor: LocalExecutor, receipt: Receipt) -> Observation:
    seen = executor.observe([receipt])[receipt.id]
    assert isinstance(seen, Observation)
    return seen


def out_of(receipt: Receipt) -> Path:
    return Path(receipt.facts["folder"]) / "out"


def kill(receipt: Receipt) -> None:
    process = Process(receipt.facts["pid"], receipt.facts["start_ticks"])
    process.send(signal.SIGKILL)
    assert eventually(lambda: not process.is_alive, 5)


def test_inputs_are_private_and_read_only(executor: LocalExecutor, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        receipt = executor.prepare(a_launch("pass"))
    finally:
        os.umask(before)
    found = {
        str(path.relative_to(tmp_path / "work" / receipt.id)): stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "work" / receipt.id).rglob("*")
    }
    assert {found.pop(name) for name in ("in", "in/files", "in/runner")} == {0o500}
    assert found.pop("out") == 0o700
    assert {mode for name, mode in found.items() if name.startswith("in/")} == {0o400}
    assert {mode for name, mode in found.items() if name.startswith("out/")} == {0o600}
    assert stat.S_IMODE((tmp_path / "work").stat().st_mode) == 0o700


def named(name: str, text: str) -> Launch:
    """Return the launch of a script of this name."""
    launch, data = a_launch(), text.encode()
    digest = hashlib.sha256(data).hexdigest()
    source = {"kind": "py_file", "file": name, "sha256": digest, "args": []}
    frozen = json.dumps(json.loads(launch.frozen) | {"source": source}).encode()
    return replace(
        launch,
        frozen=frozen,
        frozen_sha256=hashlib.sha256(frozen).hexdigest(),
        files=(InputFile(name, digest, len(data), lambda: io.BytesIO(data)),),
    )


@pytest.mark.row("F13", "X2")
@pytest.mark.parametrize(
    "name", ["json.py", "email.py", "runner.py", "launch.json", "..", "a/b", ""]
)
def test_nothing_of_the_attempt_is_executed_before_the_word(
    executor: LocalExecutor, tmp_path: Path, name: str
) -> None:
    marks = tmp_path / "marks"
    launch = named(name, f"open({str(marks)!r}, 'a').write(__name__)")
    if name in ("..", "a/b", ""):
        with pytest.raises(FencedError, match="cannot be the name of an input"):
            executor.prepare(launch)
        return
    receipt = executor.prepare(launch)
    maps = Path(f"/proc/{receipt.facts['pid']}/maps")
    assert eventually(lambda: "pyarrow" in maps.read_text())  # the client is being imported
    assert not marks.exists()
    executor.start(executor.release(receipt))
    assert eventually(lambda: observe(executor, receipt).phase is Phase.ENDED)
    assert marks.read_text() == "__main__"


# What a runner of another version does, as far as who starts it must know.
OLD_RUNNER = """\
import json, os, pathlib, sys, time
inputs, out = map(pathlib.Path, sys.argv[1:])
ticks = int(pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
who = {"pid": int(os.readlink("/proc/self")), "start_ticks": ticks, "boot_id": boot}
(out / "runner.json.new").write_text(json.dumps(who))
(out / "runner.json.new").replace(out / "runner.json")
(out / "phase").write_text("waiting")
while not (out / "go").exists():
    time.sleep(0.01)
(out / "began").write_text(str(time.time() * 1000))
exec((inputs / "job.py").read_text())
launch = json.loads((inputs / "launch.json").read_text())
word = {"protocol": 1, "run": launch["run"], "attempt": 1, "state": "succeeded", "reason": None}
(out / "last_word").write_text(json.dumps(word | {"exit_code": 0, "ended_ms": time.time() * 1000}))
"""


@pytest.mark.row("F13")
def test_an_attempt_that_an_older_version_prepared_goes_on_with_the_runner_that_it_brought(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    launch = named("job.py", f"open({str(marks)!r}, 'a').write('began ')")
    first = executor.prepare(launch)
    kill(first)
    inputs = out_of(first).parent / "in"
    for each in (inputs, inputs / "files", inputs / "runner"):
        each.chmod(0o700)
    (inputs / "files" / "job.py").rename(inputs / "job.py")
    shutil.rmtree(inputs / "runner")
    (inputs / "runner.py").write_text(OLD_RUNNER)
    inputs.chmod(0o500)
    receipt = executor.prepare(launch)
    assert observe(executor, receipt).phase is Phase.WAITING
    assert not marks.exists()
    executor.start(executor.release(receipt))
    assert eventually(lambda: observe(executor, receipt).phase is Phase.ENDED)
    word = observe(executor, receipt).last_word
    assert word is not None
    assert (word["state"], marks.read_text()) == ("succeeded", "began ")
    assert executor.reap(receipt).left == ()
    assert not inputs.exists()


def test_the_users_own_packages_reach_the_runner_only_where_the_engine_is_one_of_them() -> None:
    users = "/home/ana/.local/lib/python3.11/site-packages"
    assert environment.isolating(Path("/srv/venv/lib/pysail/__init__.py"), users) == ["-I"]
    assert environment.isolating(Path(users, "pysail/__init__.py"), users) == ["-E", "-P"]


def test_a_runner_that_died_before_the_word_is_started_again(executor: LocalExecutor) -> None:
    launch = a_launch("pass")
    first = executor.prepare(launch)
    kill(first)
    assert observe(executor, first).phase is Phase.ENDED
    assert "nothing of the job was started" in observe(executor, first).because
    second = executor.prepare(launch)
    assert second.facts["pid"] != first.facts["pid"]
    with pytest.raises(FencedError, match=f"waits process {second.facts['pid']}"):
        executor.start(executor.release(first))
    assert not (out_of(second) / wire.WORD_FILE).exists()
    assert observe(executor, second).phase is Phase.WAITING


def test_one_that_began_is_never_started_again(executor: LocalExecutor) -> None:
    launch = a_launch("pass")
    receipt = executor.prepare(launch)
    kill(receipt)
    (out_of(receipt) / wire.BEGAN_FILE).write_text("1763791200000")
    assert executor.prepare(launch) == receipt
    seen = observe(executor, receipt)
    assert seen.phase is Phase.ENDED
    assert seen.began_at == datetime(2025, 11, 22, 6, tzinfo=UTC)
    assert "after it began" in seen.because


@pytest.mark.row("R6", "F5")
def test_how_long_it_ran_and_whether_it_is_heard_goes_by_no_clock_that_may_be_set(
    tmp_path: Path,
) -> None:
    """The fake clock is years away from the runner's; the uptime is the real one, and more."""
    clock, more_s, slept_s = FakeClock(), 0.0, 0.0

    def uptime() -> Uptime:
        here = wiring.uptime()
        return replace(here, up_s=here.up_s + more_s, asleep_s=here.asleep_s + slept_s)

    executor = LocalExecutor(tmp_path / "work", clock, uptime)
    receipt = executor.prepare(a_launch("import time; time.sleep(600)"))
    assert executor.is_heard(receipt, 60) is None
    executor.start(executor.release(receipt))
    assert eventually(lambda: observe(executor, receipt).phase is Phase.RUNNING)
    seen = observe(executor, receipt)
    assert seen.began_at is not None
    assert seen.ran_s is not None
    assert 0 <= seen.ran_s < 60
    assert abs(clock() - seen.began_at - timedelta(seconds=seen.ran_s)) < timedelta(seconds=1)
    assert executor.is_heard(receipt, 60) is True
    more_s = slept_s = 28_800.0
    seen = observe(executor, receipt)
    assert seen.ran_s is not None
    assert seen.ran_s < 60
    assert seen.asleep_s == pytest.approx(28_800, abs=1)
    assert executor.is_heard(receipt, 60) is True
    slept_s = 0.0
    assert observe(executor, receipt).ran_s == pytest.approx(28_800, abs=60)
    assert executor.is_heard(receipt, 60) is False
    assert executor.ahead_s() == 0
    executor.reap(receipt)


@pytest.mark.row("R6", "F5")
def test_a_runner_of_an_earlier_version_is_as_old_as_its_process(tmp_path: Path) -> None:
    clock = FakeClock()
    executor = LocalExecutor(tmp_path / "work", clock, wiring.uptime)
    receipt = executor.prepare(a_launch("import time; time.sleep(600)"))
    executor.start(executor.release(receipt))
    assert eventually(lambda: observe(executor, receipt).phase is Phase.RUNNING)
    (out_of(receipt) / wire.BEAT_FILE).unlink()
    seen = observe(executor, receipt)
    assert seen.ran_s is not None
    assert 0 <= seen.ran_s < 60
    assert executor.is_heard(receipt, 60) is None
    executor.reap(receipt)


def test_a_reused_id_or_another_boot_is_never_taken_for_the_run(executor: LocalExecutor) -> None:
    receipt = executor.prepare(a_launch("pass"))
    ours = processes.find(os.getpid())
    assert ours is not None
    for facts in (
        {"pid": ours.pid, "start_ticks": ours.start_ticks - 1},
        {"start_ticks": receipt.facts["start_ticks"] + 1},
        {"boot_id": "another"},
    ):
        other = replace(
            receipt, facts={**receipt.facts, **facts, "group": {"pid": ours.pid, "start_ticks": 1}}
        )
        assert observe(executor, other).phase is Phase.ENDED
        for step in ("ask", "end", "delete"):
            executor.cancel(other, step)  # type: ignore[arg-type]  # by value, as a store keeps it
    moved = replace(receipt, facts={**receipt.facts, "boot_id": "another"})
    assert "restarted" in observe(executor, moved).because
    assert observe(executor, receipt).phase is Phase.WAITING


def _prepare(root: str, launch: dict[str, Any], barrier: Any, answers: Any) -> None:
    barrier.wait()
    made = Launch(**launch, files=(_job(launch["frozen"]),))
    answers.put(an_executor(Path(root)).prepare(made).facts["pid"])


def _job(frozen: bytes) -> InputFile:
    return replace(a_launch("pass").files[0], sha256=json.loads(frozen)["source"]["sha256"])


def test_processes_that_prepare_at_once_start_one_runner(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    launch = a_launch("pass")
    names = (
        "workspace",
        "run",
        "attempt",
        "actor",
        "trigger",
        "tick",
        "frozen",
        "frozen_sha256",
        "wait_s",
    )
    plain = {name: getattr(launch, name) for name in names}
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(4), context.SimpleQueue()
    workers = [
        context.Process(target=_prepare, args=(str(tmp_path), plain, barrier, answers))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    found = {answers.get() for _ in workers}
    for worker in workers:
        worker.join()
        worker.close()
    assert len(found) == 1
    assert executor.prepare(launch).facts["pid"] in found


def test_one_of_us_killed_while_its_runner_starts_leaves_one_runner(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    launch = a_launch("pass")
    receipt = executor.prepare(launch)
    out = out_of(receipt)
    os.kill(receipt.facts["pid"], signal.SIGSTOP)  # as if it were slow to say who it is
    (out / wire.IDENTITY_FILE).rename(out / "hidden")
    try:
        assert not folder.AttemptFolder(out.parent).clear()
        assert (out / wire.PHASE_FILE).exists()
    finally:
        (out / "hidden").rename(out / wire.IDENTITY_FILE)
        os.kill(receipt.facts["pid"], signal.SIGCONT)
    assert an_executor(tmp_path).prepare(launch) == receipt


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no JSON"),
        (b'{"protocol": 1', "no JSON"),
        (b"[]", "protocol"),
        (b'{"protocol": 2}', "protocol"),
        (b'{"protocol": 1, "run": "other", "attempt": 1}', "is of other-1"),
        (b'{"protocol": 1, "run": "RUN", "attempt": 1, "state": "succeeded"}', "exit code"),
        (
            b'{"protocol": 1, "run": "RUN", "attempt": 1, "state": "green", "exit_code": 0}',
            "state",
        ),
        (
            b'{"protocol": 1, "run": "RUN", "attempt": 1, "state": "failed", "reason": "x", "exit_code": 1}',
            "reason",
        ),
    ],
)
def test_a_damaged_last_word_is_evidence_and_nothing_else(
    executor: LocalExecutor, content: bytes, words: str
) -> None:
    receipt = executor.prepare(a_launch("pass"))
    kill(receipt)
    (out_of(receipt) / wire.LAST_WORD_FILE).write_bytes(
        content.replace(b"RUN", receipt.run.encode())
    )
    seen = observe(executor, receipt)
    assert (seen.phase, seen.last_word) == (Phase.ENDED, None)
    assert words in seen.evidence[0]


def test_a_runner_that_lingers_after_its_last_word_has_ended(tmp_path: Path) -> None:
    clock = FakeClock()
    executor = LocalExecutor(tmp_path / "work", clock, clock.uptime)
    receipt = executor.prepare(a_launch("pass"))
    word = {
        "protocol": 1, "run": receipt.run, "attempt": 1, "state": "succeeded", "reason": None,
        "exit_code": 0, "ended_ms": int(clock().timestamp() * 1000),
    }  # fmt: skip
    (out_of(receipt) / wire.LAST_WORD_FILE).write_text(json.dumps(word))
    assert observe(executor, receipt).phase is Phase.WAITING
    clock.tick(6)
    seen = observe(executor, receipt)
    assert seen.phase is Phase.ENDED
    assert any(name.startswith(f"process {receipt.facts['pid']} ") for name in seen.left)
    assert executor.reap(receipt).left == ()


def test_a_removed_folder_is_gone_and_its_processes_are_found(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    receipt = executor.prepare(a_launch("pass"))
    folder.remove(tmp_path / "work" / receipt.id)
    assert observe(executor, receipt).phase is Phase.GONE
    seen = executor.owned()
    assert {one.name for one in seen} <= {
        receipt.id
    }  # the runner itself leaves when its folder does
    for one in seen:
        executor.reap(one.receipt)
    assert eventually(lambda: executor.owned() == [], 5)


def test_reaping_removes_what_a_payload_made_unreadable(executor: LocalExecutor) -> None:
    receipt = executor.prepare(a_launch("pass"))
    deep = out_of(receipt) / "scratch" / "deep"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (deep.parent / "link").symlink_to("/")
    deep.chmod(0)
    deep.parent.chmod(0)
    report = executor.reap(receipt)
    assert report.left == ()
    assert not out_of(receipt).exists()


def test_a_runner_that_cannot_start_is_named_with_what_it_said(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho no such interpreter >&2\nexit 3\n")
    script.chmod(0o700)
    executor = an_executor(tmp_path, python=str(script))
    with pytest.raises(PrerequisiteError, match="ended before it said who it is") as caught:
        executor.prepare(a_launch("pass"))
    assert caught.value.facts["evidence"] == ("no such interpreter",)
    for owned in executor.owned():
        executor.reap(owned.receipt)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_no_answer_and_said(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("in the way")
    one = an_executor(tmp_path)
    with pytest.raises(UnreachableError, match="cannot be written"):
        one.prepare(a_launch("pass"))


def test_an_input_that_changed_since_it_was_frozen_is_refused(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    launch = a_launch("pass")
    changed = replace(launch, files=(replace(launch.files[0], sha256="0" * 64),))
    with pytest.raises(FencedError, match=r"job\.py has the SHA-256"):
        executor.prepare(changed)
    assert executor.prepare(launch).run == launch.run


def test_damaged_lines_are_gaps_with_a_reason(executor: LocalExecutor, tmp_path: Path) -> None:
    receipt = executor.prepare(a_launch("pass"))
    path = out_of(receipt) / wire.LOG_FILE

    def a_line(number: int) -> str:
        return (
            json.dumps([number, 1_763_791_200_000, "payload", "stdout", 0, f"line {number}"])
            + "\n"
        )

    logs = FolderRunLogs(tmp_path / "logs", lambda: datetime(2026, 11, 22, tzinfo=UTC))

    def collect() -> list[tuple[int, str]]:
        with logs.writer(receipt.run) as writer:
            assert writer is not None
            for chunk in executor.logs(receipt, writer.cursor, follow=False):
                writer.append(chunk)
        return [(line.number, line.text) for line in logs.lines(receipt.run)]

    path.write_text(a_line(1) + "[2, torn\n\n" + '[3, 1, "x"]\n' + a_line(4) + "[5, 176")
    expected = [(1, "line 1"), (2, "damaged in the runner's file"), (4, "line 4")]
    assert collect() == collect() == expected
    with path.open("a") as file:
        file.write("\n")
    assert collect() == expected  # behind the damaged line nothing is whole yet
    kill(receipt)
    expected += [(5, "the runner ended while it wrote")]
    assert collect() == collect() == expected
    executor.reap(receipt)
    assert collect() == expected


def test_following_gives_lines_at_once_and_a_sign_of_life_each_second(
    executor: LocalExecutor,
) -> None:
    receipt = executor.prepare(a_launch("pass"))
    path = out_of(receipt) / wire.LOG_FILE
    chunks = executor.logs(receipt, Cursor(), follow=True)
    start = time.monotonic()
    assert next(chunks).lines == ()
    assert 0.8 < time.monotonic() - start < 5
    with path.open("a") as file:
        file.write('[1, 1, "payload", "stdout", 0, "hello"]\n')
    start = time.monotonic()
    assert [line.text for line in next(chunks).lines] == ["hello"]
    assert time.monotonic() - start < 0.9  # at once, not with the next sign of life
    kill(receipt)
    *_, last = chunks
    assert last.ended


def test_checks_say_versions_and_what_to_install(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {check.name: check for check in executor.check(None)}
    assert {check.level for check in found.values()} == {"ok"}
    assert found["pysail"].message == "0.7.2"
    assert "isolation" in found
    place = executor.place()
    assert (place.engine, place.client) == ("pysail 0.7.2", "pyspark-client 4.2.0")
    assert place.python.endswith(".".join(map(str, sys.version_info[:3])))

    frozen_place = {**to_document(place), "python": "CPython 2.7", "timezone_data": "old"}
    iceberg = {"name": "lake", "kind": "iceberg-rest"}
    launch = a_launch("pass", place=frozen_place, catalogs=[iceberg])
    asked = {c.name: c.level for c in executor.check(launch) if c.level != "ok"}
    assert asked == {"python": "failed", "timezone_data": "warning", "catalogs": "failed"}

    monkeypatch.setitem(environment._MODULES, environment.ENGINE, "nowhere_to_be_found")
    failed = [check for check in executor.check(launch) if check.level == "failed"]
    assert [(check.name, check.advice) for check in failed] == [
        ("pysail", "pip install 'quarterdeck[local]'.")
    ]
    with pytest.raises(PrerequisiteError, match="pysail cannot be found"):
        executor.place()
    (tmp_path / "file").write_text("")
    blocked = LocalExecutor(tmp_path / "file" / "work", wiring.clock, wiring.uptime)
    assert {c.name for c in blocked.check(None) if c.level == "failed"} == {"pysail", "folder"}


def test_a_stopped_process_that_prepares_does_not_hold_up_others_for_ever(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quarterdeck.executors.local.LOCK_S", 0.1)
    launch = a_launch("pass")
    (tmp_path / "work").mkdir()
    lock = tmp_path / "work" / f"{launch.run}-{launch.attempt}.prepare.lock"
    with folder.locked(lock), pytest.raises(UnreachableError, match="Another process"):
        executor.prepare(launch)
    executor.prepare(launch)


def test_a_runner_that_waited_too_long_leaves_no_line_in_the_log_of_the_next(
    executor: LocalExecutor,
) -> None:
    launch = replace(a_launch("pass"), wait_s=0.1)
    first = executor.prepare(launch)
    assert eventually((out_of(first) / wire.LAST_WORD_FILE).exists, 10)
    assert eventually(lambda: observe(executor, first).phase is Phase.ENDED, 10)
    before = (out_of(first) / wire.LOG_FILE).read_bytes()
    assert before
    second = executor.prepare(launch)
    assert not (out_of(second) / wire.LOG_FILE).read_bytes().startswith(before)


@pytest.mark.parametrize("name", [wire.IDENTITY_FILE, folder.FACTS_FILE])
def test_files_that_the_disk_lost_in_a_power_cut_are_as_if_never_written(
    executor: LocalExecutor, name: str
) -> None:
    launch = a_launch("pass")
    first = executor.prepare(launch)
    kill(first)
    (out_of(first) / name).write_bytes(b"")
    assert executor.prepare(launch).facts["pid"] != first.facts["pid"]


def test_inputs_that_the_disk_lost_in_a_power_cut_are_fenced(executor: LocalExecutor) -> None:
    launch = a_launch("pass")
    first = executor.prepare(launch)
    kill(first)
    file = out_of(first).parent / "in" / wire.LAUNCH_FILE
    file.chmod(0o600)
    file.write_bytes(b"")
    with pytest.raises(FencedError, match="cannot be read"):
        executor.prepare(launch)
