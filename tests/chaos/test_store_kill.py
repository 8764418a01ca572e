"""Writers killed at any moment: what was acknowledged is there, nothing is half done, nothing lost."""

from __future__ import annotations

import os
import random
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quarterdeck.model.ids import Rev
from quarterdeck.store.open import create_store, open_store
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
    rounds(tmp_path / "store", 200)


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
