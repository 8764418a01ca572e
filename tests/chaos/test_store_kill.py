"""Writers killed at any moment: what was acknowledged is there, nothing is half done, nothing lost."""

from __future__ import annotations

import os
import random
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quarterdeck.model.ids import Rev
from quarterdeck.store import head
from quarterdeck.store.open import create_store, open_store
from tests.support.again import share
from tests.support.stores import Clock, a_job

ROOT = Path(__file__).parents[2]
WRITERS = 4
# One transaction: a version and the job's next number, with a record. Said only once it is done.
WRITE = """
import sys
from dataclasses import replace
from tests.support.stores import Clock, a_job, a_version
from quarterdeck.model.errors import StaleError
from quarterdeck.store.open import open_store
store = open_store(sys.argv[1], Clock())
while True:
    kept = store.jobs.get("j1")
    number = kept.value.next_number
    with store.transaction(sys.argv[2]) as tx:
        try:
            tx.jobs.put(replace(kept.value, next_number=number + 1), seen=kept.rev)
        except StaleError:
            continue
        tx.versions.put(a_version(kept.value, number), seen=None)
        tx.audit.append("publish", f"job/j1/{number}")
    print(number, flush=True)
"""
# Adds one to a document, as often as asked; a write over what another wrote must be refused.
COUNT = """
import sys
from quarterdeck.model.errors import StaleError
from tests.support.stores import Clock, a_job
from quarterdeck.store.open import open_store
store = open_store(sys.argv[1], Clock())
done = stale = 0
while done < int(sys.argv[3]):
    kept = store.jobs.get("j1")
    job = a_job(next_number=kept.value.next_number + 1, name=sys.argv[2])
    try:
        with store.transaction(sys.argv[2]) as tx:
            tx.jobs.put(job, seen=kept.rev)
        done += 1
    except StaleError as error:
        assert error.actor.startswith("writer"), error.actor
        stale += 1
print(done, stale)
"""


# The same, ended by itself at one of the moments around the head: behind the commit, in the middle of the slot,
# before the disk has it, before the acknowledgement.
STOP = """
import os, random, signal, sys
from dataclasses import replace
from pathlib import Path
from tests.support.stores import Clock, a_version
from quarterdeck.model.errors import StaleError
from quarterdeck.store import head
from quarterdeck.store.documents import DocumentStore
from quarterdeck.store.sqlite import SqliteBackend

chance = random.Random(int(sys.argv[3]) * 100 + int(sys.argv[2][-1]))

def perhaps():
    if chance.random() < 0.05:
        os.kill(os.getpid(), signal.SIGKILL)

class Stopping(head.Head):
    def write(self, mark):
        perhaps()
        super().write(mark)
        perhaps()

    def _put(self, handle, record, at):
        cut = chance.randrange(len(record))
        os.pwrite(handle, record[:cut], at)
        perhaps()
        os.pwrite(handle, record, at)
        perhaps()
        os.fdatasync(handle)

folder = Path(sys.argv[1])
backend = SqliteBackend(folder / "quarterdeck.db", head=Stopping(folder / "head"))
store = DocumentStore(backend, folder, Clock())
while True:
    kept = store.jobs.get("j1")
    number = kept.value.next_number
    try:
        with store.transaction(sys.argv[2]) as tx:
            tx.jobs.put(replace(kept.value, next_number=number + 1), seen=kept.rev)
            tx.versions.put(a_version(kept.value, number), seen=None)
            tx.audit.append("publish", f"job/j1/{number}")
    except StaleError:
        continue
    print(number, flush=True)
"""


@contextmanager
def processes(program: str, *arguments: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, arguments[0], f"writer{number}", *arguments[1:]],
            stdout=subprocess.PIPE, bufsize=0, cwd=ROOT,
        )
        for number in range(WRITERS)
    ]  # fmt: skip
    try:
        yield started
    finally:
        for one in started:
            one.kill()
            one.communicate()


def make(folder: Path) -> None:
    store = create_store(folder, Clock())
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(next_number=1, live_version=1), seen=None)
    store.close()


def acknowledged(writers: list[subprocess.Popen[bytes]], chance: random.Random) -> set[int]:
    """Let them write a while, kill one or all of them, and return what they said was done."""
    said = dict.fromkeys(writers, b"")
    with selectors.DefaultSelector() as ready:
        for one in writers:
            assert one.stdout is not None
            ready.register(one.stdout, selectors.EVENT_READ, one)
        until, limit = None, time.monotonic() + 60
        while until is None or time.monotonic() < until:
            assert time.monotonic() < limit, "no writer said anything"
            for key, _ in ready.select(timeout=0.01):
                said[key.data] += os.read(key.fd, 65536)
            if until is None and any(said.values()):
                until = time.monotonic() + chance.uniform(0, 0.15)
    if chance.random() < 0.5:
        chance.choice(writers).kill()
        time.sleep(chance.uniform(0, 0.05))  # the others go on over what it left
    for one in writers:
        one.kill()
    for one in writers:
        said[one] += one.communicate(timeout=30)[0]
    lines = [line for text in said.values() for line in text.splitlines(keepends=True)]
    return {int(line) for line in lines if line.endswith(b"\n")}


def rounds(folder: Path, count: int) -> None:
    make(folder)
    chance = random.Random(4711)  # noqa: S311  # the same every time
    said: set[int] = set()
    for number in range(count):
        with processes(WRITE, str(folder)) as writers:
            said |= acknowledged(writers, chance)
        store = open_store(folder, Clock())
        assert store.verify() == [], f"round {number}"
        last = store.jobs.get("j1").value.next_number - 1
        assert said <= set(range(1, last + 1)), f"round {number}"
        assert store.versions.count() == last
        assert store.audit.page(limit=1)[0].seq == last
        store.close()


def test_a_killed_writer_loses_nothing_acknowledged(tmp_path: Path) -> None:
    rounds(tmp_path / "store", 10)


@pytest.mark.long
def test_200_killed_writers_lose_nothing_acknowledged(tmp_path: Path) -> None:
    rounds(tmp_path / "store", share(200))


def ended_around_the_head(folder: Path, count: int) -> None:
    """Let four writers run until each has ended itself: never is that damage, and nothing acknowledged is gone."""
    make(folder)
    said: set[int] = set()
    for number in range(count):
        with processes(STOP, str(folder), str(number)) as writers:
            answers = [one.communicate(timeout=120)[0] for one in writers]
        assert [one.returncode for one in writers] == [-signal.SIGKILL] * WRITERS
        lines = [line for text in answers for line in text.splitlines(keepends=True)]
        said |= {int(line) for line in lines if line.endswith(b"\n")}
        before = (folder / "head").read_bytes()
        reading = open_store(folder, Clock(), read_only=True)
        assert (reading.damage, reading.verify()) == ("", []), f"round {number}"
        reading.close()
        assert (folder / "head").read_bytes() == before
        store = open_store(folder, Clock())
        assert (store.damage, store.verify()) == ("", []), f"round {number}"
        last = store.jobs.get("j1").value.next_number - 1
        assert said <= set(range(1, last + 1)), f"round {number}"
        mark = head.Head(folder / "head").read()
        assert mark is not None
        assert mark.seq == store.last_change()
        store.close()


@pytest.mark.row("R1", "F-38")
def test_who_is_ended_between_commit_and_acknowledgement_leaves_no_damage(tmp_path: Path) -> None:
    ended_around_the_head(tmp_path / "store", 8)


@pytest.mark.long
@pytest.mark.row("R1", "F-38")
def test_200_ended_between_commit_and_acknowledgement_leave_no_damage(tmp_path: Path) -> None:
    ended_around_the_head(tmp_path / "store", share(50))


def increments(folder: Path, each: int) -> None:
    make(folder)
    with processes(COUNT, str(folder), str(each)) as writers:
        answers = [one.communicate(timeout=300)[0].split() for one in writers]
    assert [int(done) for done, _ in answers] == [each] * WRITERS
    store = open_store(folder, Clock())
    kept = store.jobs.get("j1")
    assert kept.value.next_number == 1 + WRITERS * each
    assert kept.rev == Rev(1 + WRITERS * each)
    store.close()


def test_processes_lose_no_update(tmp_path: Path) -> None:
    increments(tmp_path / "store", 50)


@pytest.mark.long
def test_processes_lose_no_update_of_2000(tmp_path: Path) -> None:
    increments(tmp_path / "store", 500)
