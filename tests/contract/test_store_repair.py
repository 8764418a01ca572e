"""A repair keeps what can be read, names what cannot, and leaves a store that is whole."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.model.errors import ConflictError, StoreRefusedError
from quarterdeck.model.failure import Reason
from quarterdeck.model.ids import RunId
from quarterdeck.model.job import Draft
from quarterdeck.model.receipt import AttemptId
from quarterdeck.model.run import Act, ActKind, Attempt, Run, RunState
from quarterdeck.service.bundle import Services
from quarterdeck.store import guard, head, pages, repair, scan
from quarterdeck.store.documents import DocumentStore
from quarterdeck.store.open import create_store, open_store
from tests.support.again import share
from tests.support.damage import Documents, documents, findings, repaired, untold
from tests.support.fakes import CrashError, FakeExecutor
from tests.support.quarterdeck import job
from tests.support.services import FakePorts, workspace
from tests.support.stores import START, Clock, a_job, a_run, a_version, contents, old_store
from tests.support.wal import flip, written_and_killed

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def real(tmp_path: Path, clock: Clock) -> Path:
    """Return a store that was used: definitions, jobs, versions, a draft, runs with logs and results."""
    folder = old_store(tmp_path / "store")
    open_store(folder, clock).close()
    return folder


@pytest.fixture
def many(tmp_path: Path, clock: Clock) -> Path:
    """Return a store of 200 jobs, whose last 15 are in the write-ahead log alone."""
    store = create_store(tmp_path / "store", clock)
    with store.transaction("ann") as tx:
        for number in range(100, 285):
            job = a_job(number, description="x" * 500)
            tx.jobs.put(job, seen=None)
            tx.versions.put(a_version(job), seen=None)
            tx.audit.append("job.create", f"job/{job.id}")
    store.close()
    assert len(written_and_killed(tmp_path / "store")) == 15
    return tmp_path / "store"


def database(folder: Path) -> Path:
    return folder / guard.DATABASE


def log(folder: Path) -> Path:
    return folder / f"{guard.DATABASE}-wal"


def changed(folder: Path, sql: str) -> None:
    with closing(sqlite3.connect(database(folder))) as connection, connection:
        connection.execute(sql)


def spoilt(folder: Path, old: bytes, new: bytes) -> None:
    """Change bytes of the file, wherever they are."""
    content = database(folder).read_bytes()
    assert old in content
    assert len(old) == len(new)
    database(folder).write_bytes(content.replace(old, new))


def is_whole(folder: Path, clock: Clock) -> bool:
    """Whether nothing is wrong any more, and the store takes writes."""
    store = open_store(folder, clock)
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(999), seen=None)
        tx.versions.put(a_version(a_job(999)), seen=None)
    store.close()
    return findings(folder, clock) == []


# --- the log


@pytest.mark.row("H8", "F-38")
def test_a_flipped_bit_of_the_log_loses_nothing_that_can_be_read(many: Path, clock: Clock) -> None:
    shutil.copytree(many, many.parent / "whole")
    before = documents(many.parent / "whole", clock)
    size = log(many).stat().st_size
    chance = random.Random(1)  # noqa: S311  # the same every time
    for number in range(12):
        copy = many.parent / f"copy{number}"
        shutil.copytree(many, copy)
        (copy / f"{guard.DATABASE}-shm").unlink()
        flip(log(copy), chance.randrange(64, size), number % 8)
        report = repaired(copy, clock)
        assert report["missing_changes"] == 0
        assert untold(before, documents(copy, clock), report) == []
        assert len(report["lost"]) <= 40  # a page at most
        assert is_whole(copy, clock)


@pytest.mark.row("H8", "F-38")
def test_what_was_acknowledged_and_is_gone_is_counted(many: Path, clock: Clock) -> None:
    log(many).unlink()
    report = repaired(many, clock)
    assert report["missing_changes"] == 15 * 4
    assert report["acknowledged"] == report["change"] + 60
    assert report["kept"]["jobs"] == 185
    store = open_store(many, clock)
    assert (store.damage, store.verify()) == ("", [])
    assert store.last_change() > report["acknowledged"]  # no number is given twice
    (record,) = store.audit.page(limit=1)
    assert (record.action, record.actor, record.seq) == ("store.repair", "ana", 186)
    store.close()


# --- pages and rows


def cut_by_100(folder: Path) -> None:
    os.truncate(database(folder), database(folder).stat().st_size - 100)


def cut_by_half(folder: Path) -> None:
    os.truncate(database(folder), database(folder).stat().st_size // 2)


def header(folder: Path) -> None:
    with database(folder).open("r+b") as file:
        file.write(random.Random(2).randbytes(100))  # noqa: S311  # the same every time


def root_of(table: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        with closing(sqlite3.connect(database(folder))) as connection:
            sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
            (page,) = connection.execute(sql, (table,)).fetchone()
        with database(folder).open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"\xa5" * 4096)

    return spoil


DAMAGE: dict[str, Callable[[Path], None]] = {
    "cut by 100 bytes": cut_by_100,
    "cut by half": cut_by_half,
    "header": header,
    "jobs": root_of("t_jobs"),
    "versions": root_of("t_versions"),
    "their ids": root_of("sqlite_autoindex_t_versions_1"),
    "their changes": root_of("t_versions_seq"),
    "standings": root_of("t_standings"),
    "audit": root_of("t_audit"),
    "sums": root_of("totals"),
    "deletions": root_of("gone"),
}


@pytest.mark.row("H8", "F-38")
@pytest.mark.parametrize("what", DAMAGE)
def test_what_can_be_read_is_kept_and_what_cannot_is_named(
    many: Path, clock: Clock, what: str
) -> None:
    open_store(many, clock).close()  # the log is in the database now
    before = documents(many, clock)
    DAMAGE[what](many)
    assert findings(many, clock) != []
    report = repaired(many, clock)
    after = documents(many, clock)
    assert untold(before, after, report) == []
    if what != "cut by half":
        assert len(report["lost"]) <= 20
    assert report["lost_counts"] == {
        table: sum(one["where"].startswith(f"{table}/") for one in report["lost"])
        for table in report["lost_counts"]
    }
    kept = Path(report["copy"])
    assert {path.name for path in kept.iterdir()} >= {guard.DATABASE, head.NAME}
    left = [one for one in findings(many, clock) if "was lost in a repair" not in one.what]
    assert left == []


@pytest.mark.row("H8")
def test_the_copy_is_the_store_as_it_was(many: Path, clock: Clock) -> None:
    flip(log(many), log(many).stat().st_size // 2)
    before = {
        path.name: path.read_bytes() for path in (database(many), log(many), many / head.NAME)
    }
    report = repaired(many, clock)
    copy = Path(report["copy"])
    assert copy.parent == many.parent
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert copy.stat().st_mode & 0o077 == 0


@pytest.mark.row("H8")
def test_a_look_changes_nothing_and_says_what_the_repair_says(many: Path, clock: Clock) -> None:
    open_store(many, clock).close()
    root_of("t_jobs")(many)
    before, names = contents(many), sorted(path.name for path in many.parent.iterdir())
    look = repaired(many, clock, only_look=True)
    assert (look["dry_run"], look["copy"], look["head"]) == (True, None, None)
    assert contents(many) == before
    assert sorted(path.name for path in many.parent.iterdir()) == names
    done = repaired(many, clock)
    for name in ("change", "missing_changes", "lost", "changed", "rebuilt", "lost_counts"):
        assert done[name] == look[name], name


@pytest.mark.row("H8", "F-38")
@pytest.mark.parametrize("seed", range(4))
def test_no_bit_of_the_database_is_lost_unnoticed_nor_unnamed(
    real: Path, clock: Clock, seed: int
) -> None:
    sweep(real, clock, seed, 40)


@pytest.mark.long
@pytest.mark.row("H8", "F-38")
def test_no_bit_of_2000_is_lost_unnoticed_nor_unnamed(real: Path, clock: Clock) -> None:
    sweep(real, clock, 99, share(2_000))


@contextlib.contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    """Break off what goes on for longer."""

    def broken_off(*_: object) -> None:
        raise AssertionError(f"it did not end within {seconds} s")

    before = signal.signal(signal.SIGALRM, broken_off)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def hold(
    folder: Path, clock: Clock, before: Documents, spoil: Callable[[Path], object], *,
    may_be_nothing: bool = False,
) -> None:  # fmt: skip
    """Spoil a copy's database: it is found and repaired, nothing is lost untold; or nothing is another."""
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy)
    spoil(database(copy))
    with ends_within(60):
        if findings(copy, clock):
            report = repaired(copy, clock)
            assert untold(before, documents(copy, clock), report) == [], spoil
            assert is_whole(copy, clock), spoil
        else:
            assert may_be_nothing, spoil
            assert documents(copy, clock) == before, spoil
    for one in folder.parent.glob("copy*"):
        shutil.rmtree(one)


def sweep(folder: Path, clock: Clock, seed: int, count: int) -> None:
    """Flip one bit in each of so many copies."""
    before = documents(folder, clock)
    used = [
        place
        for place, byte in enumerate(database(folder).read_bytes())
        if byte or place < 4096  # most of the rest is room for what is still to come
    ]
    chance = random.Random(seed)  # noqa: S311  # the same every time
    for _ in range(count):
        place, bit = chance.choice(used), chance.randrange(8)
        hold(folder, clock, before, partial(flip, at=place, bit=bit), may_be_nothing=True)


@pytest.mark.row("H8", "F-38")
@pytest.mark.parametrize("at", [1, 2], ids=["an id", "a row number"])
def test_a_repair_ends_though_an_index_has_a_number_where_there_was_none(
    real: Path, clock: Clock, at: int
) -> None:
    before, content = documents(real, clock), database(real).read_bytes()
    for id_ in sorted(before["versions"]):
        # A record of the index by id: length of its head, kind of the id, kind of the row's number, the id.
        entry = re.compile(
            bytes([3, 13 + 2 * len(id_)]) + b"[\x00-\x09]" + re.escape(id_.encode())
        )
        (found,) = entry.finditer(content)
        place, eight_byte_integer = found.start() + at, 6
        other = content[:place] + bytes([eight_byte_integer]) + content[place + 1 :]
        hold(real, clock, before, partial(Path.write_bytes, data=other))


@pytest.mark.row("H8", "F-38")
def test_a_key_of_an_index_that_was_changed_is_told_and_mended(real: Path, clock: Clock) -> None:
    before, content, index_leaf = documents(real, clock), database(real).read_bytes(), 10
    keys = [
        found.start()
        for id_ in sorted(before["jobs"])
        for found in re.finditer(id_.encode(), content)
        if content[found.start() // pages.SIZE * pages.SIZE] == index_leaf
    ]
    assert len(keys) > 20
    for place in keys:
        hold(real, clock, before, partial(flip, at=place))


@pytest.mark.row("H8", "F-38")
def test_a_run_of_which_a_byte_was_changed_is_told_wherever_it_is(
    real: Path, clock: Clock
) -> None:
    content, copy = database(real).read_bytes(), real.parent / "copy"
    text = content.index(b'"archived"')
    for place in range(text - 60, text + 30):
        shutil.copytree(real, copy)
        flip(database(copy), place)
        assert any(one.where.startswith("runs/") for one in findings(copy, clock)), place
        shutil.rmtree(copy)


@pytest.mark.row("H8", "F-38")
def test_a_run_whose_text_is_none_any_more_is_told(real: Path, clock: Clock) -> None:
    before = documents(real, clock)
    lax = "replace(sql, 'body TEXT NOT NULL', 'body TEXT')"
    with closing(sqlite3.connect(database(real))) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(f"UPDATE sqlite_schema SET sql = {lax} WHERE name = 't_runs'")  # noqa: S608
    run = min(before["runs"])
    changed(real, f"UPDATE t_runs SET body = NULL WHERE id = '{run}'")  # noqa: S608
    assert any(one.where == f"runs/{run}" for one in findings(real, clock))
    report = repaired(real, clock)
    assert {one["where"] for one in report["lost"]} == {f"runs/{run}"}
    assert is_whole(real, clock)


@pytest.mark.row("H8", "F-38")
def test_a_table_that_the_list_of_tables_tells_wrongly_is_found_all_the_same(
    real: Path, clock: Clock
) -> None:
    before, content = documents(real, clock), database(real).read_bytes()
    for name in ("gone", "totals", "t_audit", "t_drafts", "t_runs"):
        told = re.search(rb"table" + 2 * name.encode() + b".CREATE TABLE", content, re.DOTALL)
        assert told
        # The head, the word of its kind, both names, where it begins.
        for place in range(told.start() - 6, told.end() - len("CREATE TABLE")):
            hold(real, clock, before, partial(flip, at=place, bit=1))


@pytest.mark.row("H8", "F-38")
def test_a_row_that_goes_on_nowhere_keeps_no_other_from_being_found(
    tmp_path: Path, clock: Clock
) -> None:
    store = create_store(tmp_path / "store", clock)
    with store.transaction("ann") as tx:
        for number in (101, 102, 103):
            job = a_job(number, description="x" * 6_000)
            tx.jobs.put(job, seen=None)
            tx.versions.put(a_version(job), seen=None)
            tx.audit.append("job.create", f"job/{job.id}")
    store.close()
    before = documents(tmp_path / "store", clock)
    content = database(tmp_path / "store").read_bytes()
    last = next(
        number
        for number in range(len(content) // pages.SIZE)
        if content[number * pages.SIZE :][:8] == b"\0\0\0\0xxxx"
    )
    following = b"x" + struct.pack(">I", last + 1)
    assert content.count(following) == 1
    content = content.replace(following, b"x\0\0\0\0")
    database(tmp_path / "store").write_bytes(content)
    flip(database(tmp_path / "store"), content.index(b"tablet_jobst_jobs") - 4, bit=1)
    report = repaired(tmp_path / "store", clock)
    assert untold(before, documents(tmp_path / "store", clock), report) == []
    named = {*(one["where"] for one in report["lost"]), *report["rebuilt"]}
    assert len([one for one in named if one.startswith("jobs/")]) == 1, named


@pytest.mark.row("H8", "F-38")
def test_no_byte_of_the_header_is_lost_unnoticed(real: Path, clock: Clock) -> None:
    before = documents(real, clock)
    format_ = range(60, 64)  # another one may be a newer one
    for place, bit in ((at, bit) for at in range(100) if at not in format_ for bit in (0, 2)):
        hold(real, clock, before, partial(flip, at=place, bit=bit), may_be_nothing=True)


@pytest.mark.row("H8", "F-38")
def test_a_look_ends_though_rows_lie_out_of_order(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "store"
    store = create_store(folder, clock)
    with store.transaction("ann") as tx:
        for number in range(2 * scan.BATCH):
            tx.audit.append("job.edit", f"job/j{number}")
    store.close()
    before = documents(folder, clock)
    content = database(folder).read_bytes()
    last = scan.BATCH  # of a batch: what is asked for behind it is asked for again and again
    record = content.index(f'"subject":"job/j{last - 1}"'.encode())
    varint = bytes([0x80 | last >> 7, last & 0x7F])  # of the row's number: high bits first
    place = content.rindex(varint, 0, record)
    database(folder).write_bytes(content[:place] + b"\x80\x00" + content[place + 2 :])
    with ends_within(30):
        found = findings(folder, clock)
        assert any("out of order" in one.what for one in found), found
        report = repaired(folder, clock)
    assert untold(before, documents(folder, clock), report) == []
    assert is_whole(folder, clock)


@pytest.mark.row("H8", "F-38")
def test_a_repair_of_an_old_store_ends_though_the_number_of_a_record_was_changed(
    tmp_path: Path, clock: Clock
) -> None:
    folder = old_store(tmp_path / "store")  # its rows carry no hash
    changed(folder, "UPDATE t_audit SET id = '9' || substr(id, 2) WHERE id LIKE '%2'")
    with ends_within(30):
        report = repaired(folder, clock)
    told = {one["where"] for one in report["lost"] if one["where"].startswith("audit/")}
    assert told == {f"audit/{first}000000000{last}" for first in "09" for last in ("02", "12")}
    assert is_whole(folder, clock)


@pytest.mark.row("H8", "F-38")
@pytest.mark.parametrize("body", ["'[1]'", """replace(body, '"id":', '"ie":')"""])
def test_a_row_of_an_old_store_that_is_no_document_is_named(
    tmp_path: Path, clock: Clock, body: str
) -> None:
    folder = old_store(tmp_path / "store")  # its rows carry no hash
    changed(folder, f"UPDATE t_audit SET body = {body} WHERE id = '000000000003'")  # noqa: S608
    report = repaired(folder, clock)
    assert "audit/000000000003" in {one["where"] for one in report["lost"]}
    assert is_whole(folder, clock)


@pytest.mark.row("H8")
def test_a_text_of_which_a_byte_was_changed_is_kept_and_does_not_run(
    real: Path, clock: Clock
) -> None:
    changed(real, "UPDATE t_drafts SET body = replace(body, 'SELECT 2', 'SELECT 3')")
    changed(real, "UPDATE t_definitions SET body = replace(body, 'SELECT 7', 'SELECT 8')")
    report = repaired(real, clock)
    assert report["lost"] == []
    names = {one["name"] for one in report["changed"]}
    assert names == {"the draft of sales", "query Daily sales"}
    store = open_store(real, clock)
    draft = store.drafts.page()[0].value
    assert "SELECT 3" in json.dumps(draft.spec)
    assert "though it was changed" in draft.doubt
    assert store.verify() == []
    store.close()


@pytest.mark.row("H8")
def test_a_job_whose_document_is_lost_is_made_of_what_its_list_keeps(
    many: Path, clock: Clock
) -> None:
    open_store(many, clock).close()
    before = documents(many, clock)["jobs"]["j150"][1]
    changed(many, "UPDATE t_jobs SET body = replace(body, 'xx', 'yy') WHERE id = 'j150'")
    report = repaired(many, clock)
    assert report["rebuilt"] == ["jobs/j150", "workspace/workspace"]
    assert report["lost"] == []
    after = documents(many, clock)["jobs"]["j150"][1]
    for name in (
        "name",
        "team",
        "description",
        "live_version",
        "next_number",
        "schedule",
        "paused",
    ):
        assert after[name] == before[name]
    assert after["activations"][0]["number"] == before["live_version"]


@pytest.mark.row("H8")
def test_a_live_version_that_cannot_be_read_has_a_stand_in(real: Path, clock: Clock) -> None:
    """Else its job could not even be edited."""
    spoilt(real, b'/000000002","job":', b'/000000002"["job":')
    report = repaired(real, clock)
    (stand_in,) = report["changed"]
    assert stand_in["name"] == "version 2 of sales"
    assert "what stands there is what run" in stand_in["what"]
    store = open_store(real, clock)
    version = store.versions.get(stand_in["where"].partition("/")[2]).value
    assert "no_such" in json.dumps(version.spec)
    assert version.doubt
    store.close()


# --- what hangs on it


def opened(folder: Path, clock: Clock) -> DocumentStore:
    store = open_store(folder, clock)
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(), seen=None)
        tx.versions.put(a_version(a_job()), seen=None)
    return store


def made(folder: Path, clock: Clock) -> DocumentStore:
    create_store(folder, clock).close()
    return opened(folder, clock)


@pytest.mark.row("H8", "F-38")
def test_nothing_starts_that_may_have_been_started_since(tmp_path: Path, clock: Clock) -> None:
    store = made(tmp_path / "store", clock)
    receipt: Any = None
    runs = [
        a_run(1),
        a_run(2, state=RunState.DISPATCHING, act=Act(ActKind.FREEZE), attempts=(Attempt(1, START),)),
        a_run(3, state=RunState.RUNNING, attempts=(Attempt(1, START, receipt),)),
        a_run(4, state=RunState.RUNNING, act=Act(ActKind.NEXT_ATTEMPT), attempts=(Attempt(1, START),)),
        a_run(5, state=RunState.SUCCEEDED, is_open=False, archived=True),
    ]  # fmt: skip
    with store.transaction("ann") as tx:
        for run in runs:
            tx.runs.put(run, seen=None)
    store.close()
    shutil.copyfile(database(tmp_path / "store"), tmp_path / "older")
    store = open_store(tmp_path / "store", clock)
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(2), seen=None)
        tx.versions.put(a_version(a_job(2)), seen=None)
    store.close()
    shutil.copyfile(tmp_path / "older", database(tmp_path / "store"))
    report = repaired(tmp_path / "store", clock)
    assert report["runs_ended"] == ["r000000001", "r000000002", "r000000004"]
    assert report["missing_changes"] == 3
    store = open_store(tmp_path / "store", clock)
    states = {kept.value.id: kept.value for kept in store.runs.page()}
    for run in report["runs_ended"]:
        assert states[RunId(run)].state is RunState.LOST
        assert "its last 3 changes" in states[RunId(run)].evidence[0]
    assert states[RunId("r000000003")].state is RunState.RUNNING
    assert states[RunId("r000000003")].unsure  # no other attempt follows
    assert states[RunId("r000000005")] == runs[4]
    store.close()


def held_at(services: Services, fake: FakeExecutor, act: ActKind, *, is_chosen: bool) -> Run:
    """Return a run that is dispatching, whose process was killed at this act."""
    fake.makes = is_chosen
    fake.fail(act.value)
    known = services.runs.start("daily")["id"]
    with contextlib.suppress(CrashError):
        services.runs.dispatch(known)
    fake.work()
    run = services.runs.get(known)
    assert run.attempt is not None
    assert run.attempt.receipt is not None
    assert (run.state, run.act) == (RunState.DISPATCHING, Act(act))
    assert (run.attempt.receipt.chosen is not None) is is_chosen
    return run


def go_on(ports: FakePorts, run: Run, *, begins: bool) -> None:
    """Write what will be lost: something, and perhaps that the run began."""
    ports.store = open_store(Path(ports.store.folder), ports.clock)
    services, fake, name = Services(ports, "ana"), ports.fake, AttemptId(f"{run.id}-1")
    services.jobs.create([job("later")])
    if begins:
        fake.makes = True
        services.runs.dispatch(run.id)
        fake.make(name)
        services.runs.dispatch(run.id)
        assert fake.starts == {name: 1}
    ports.store.close()


@pytest.mark.row("H8", "F-38", "F13")
@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize("is_replaced", [False, True])
@pytest.mark.parametrize(
    ("act", "is_chosen"),
    [(ActKind.RELEASE, False), (ActKind.START, False), (ActKind.START, True)],
)
def test_only_what_was_chosen_before_the_loss_is_started_after_it(
    tmp_path: Path, act: ActKind, is_chosen: bool, is_replaced: bool, has_begun: bool
) -> None:
    """What was written since is lost: that the run was let go, and perhaps began."""
    folder, older = tmp_path / "store", tmp_path / "older"
    services, ports = workspace(tmp_path, on_disk=True)
    fake = ports.fake
    fake.auto = False
    run = held_at(services, fake, act, is_chosen=is_chosen)
    name = AttemptId(f"{run.id}-1")
    services.close()
    shutil.copyfile(database(folder), older)
    go_on(ports, run, begins=has_begun)
    shutil.copyfile(older, database(folder))
    if is_replaced:  # while nobody looked
        fake.make_another(name)
    report = repaired(folder, ports.clock)
    assert report["runs_ended"] == ([] if is_chosen else [run.id])

    fake.makes = True
    ports.store = open_store(folder, ports.clock)
    services = Services(ports, "ana")
    for after in (0, 5, 60, 300):
        ports.clock.tick(after)
        services.upkeep.reconcile_all()
    ended = services.runs.get(run.id)
    begins = is_chosen and not is_replaced
    assert fake.starts == ({name: 1} if has_begun or begins else {})
    assert len(ended.attempts) == 1
    if begins:
        assert ended.state is RunState.STARTING
        assert ended.unsure
        assert fake.attempts[name].begun == run.attempt.receipt.chosen  # type: ignore[union-attr]  # held_at saw it
    else:
        fenced = RunState.FAILED, Reason.START_FENCED
        assert (ended.state, ended.reason) == (
            fenced if is_chosen else (RunState.LOST, Reason.LOST)
        )
        assert not fake.attempts
    ports.store.close()


@pytest.mark.row("H8")
def test_runs_wait_on_where_all_that_happened_is_known(tmp_path: Path, clock: Clock) -> None:
    store = made(tmp_path / "store", clock)
    with store.transaction("ann") as tx:
        tx.runs.put(a_run(1), seen=None)
        tx.drafts.put(Draft(a_job().id, {}, 1, "ann", START), seen=None)
    store.close()
    changed(tmp_path / "store", "UPDATE t_versions SET body = replace(body, 'ann', 'bob')")
    report = repaired(tmp_path / "store", clock)
    assert report["runs_ended"] == []
    store = open_store(tmp_path / "store", clock)
    assert store.runs.get("r000000001").value == a_run(1)
    store.close()


@pytest.mark.row("H8")
def test_damaged_logs_and_files_are_put_right_behind_a_copy(real: Path, clock: Clock) -> None:
    folder = next((real / "logs").iterdir())
    shutil.copytree(folder, real.parent / "log")
    os.truncate(folder / "lines", 5_000)
    artifact = next(path for path in (real / "artifacts").rglob("*") if path.is_file())
    artifact.write_bytes(b"changed")
    assert len(findings(real, clock)) >= 2
    report = repaired(real, clock)
    (mended,) = report["logs_mended"]
    assert mended["run"] == folder.name
    assert [one["where"] for one in report["lost"]] == [
        f"artifacts/{artifact.parent.name}/{artifact.name}"
    ]
    copy = Path(report["copy"])
    assert (copy / "logs" / folder.name / "lines").stat().st_size == 5_000
    assert (copy / "artifacts" / artifact.parent.name / artifact.name).read_bytes() == b"changed"
    assert not artifact.exists()
    assert findings(real, clock) == []


@pytest.mark.row("H8", "F-38")
def test_a_run_of_which_only_the_log_is_left_is_named(real: Path, clock: Clock) -> None:
    run = next((real / "logs").iterdir()).name
    changed(real, f"DELETE FROM t_runs WHERE id = '{run}'")  # noqa: S608
    assert any(one.where == f"logs/{run}" for one in findings(real, clock))
    report = repaired(real, clock)
    assert f"runs/{run}" in {one["where"] for one in report["lost"]}
    assert findings(real, clock) == []
    assert (real / "logs" / run / "lines").exists()


@pytest.mark.row("H8", "R1")
def test_the_chain_of_records_goes_on_over_what_is_lost(many: Path, clock: Clock) -> None:
    open_store(many, clock).close()
    changed(many, "DELETE FROM t_audit WHERE id = '000000000050'")
    changed(
        many, "UPDATE t_audit SET body = replace(body, 'ann', 'bob') WHERE id = '000000000120'"
    )
    report = repaired(many, clock)
    assert [one["where"][-3:] for one in report["lost"]] == ["120", "050"]
    assert findings(many, clock) == []
    changed(many, "DELETE FROM t_audit WHERE id = '000000000130'")
    assert any("130" in one.where or "131" in one.where for one in findings(many, clock))


@pytest.mark.row("H8")
def test_a_second_repair_finds_its_own_store_whole(many: Path, clock: Clock) -> None:
    root_of("t_versions")(many)
    first = repaired(many, clock)
    before = documents(many, clock)
    again = repaired(many, clock)
    assert (again["lost"], again["changed"], again["rebuilt"]) == ([], [], [])
    assert again["head"]["store"] != first["head"]["store"]
    after = documents(many, clock)
    assert {**after, "audit": {}} == {**before, "audit": {}}
    assert is_whole(many, clock)


# --- who may, and what is in the way


@pytest.mark.row("H8")
def test_what_is_no_store_or_holds_nothing_is_left_alone(tmp_path: Path, clock: Clock) -> None:
    store = made(tmp_path / "store", clock)
    store.close()
    cases: dict[str, Callable[[Path], object]] = {
        "empty": lambda folder: database(folder).write_bytes(b""),
        "missing": lambda folder: database(folder).unlink(),
        "zeros": lambda folder: database(folder).write_bytes(bytes(100_000)),
        "newer": lambda folder: changed(folder, "PRAGMA user_version = 99"),
    }
    for name, spoil in cases.items():
        folder = tmp_path / name
        shutil.copytree(tmp_path / "store", folder)
        spoil(folder)
        before = contents(folder)
        with pytest.raises(StoreRefusedError):
            repaired(folder, clock)
        assert contents(folder) == before
        assert not list(tmp_path.glob("*before-repair*"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").touch()
    for path in (tmp_path / "home", tmp_path / "none"):
        with pytest.raises(StoreRefusedError):
            repaired(path, clock)


@pytest.mark.row("H8")
def test_who_has_the_damaged_store_open_writes_nothing_more(many: Path, clock: Clock) -> None:
    open_store(many, clock).close()
    held = open_store(many, clock)  # it does not know of the damage
    root_of("t_versions")(many)
    repaired(many, clock)
    with pytest.raises(StoreRefusedError, match="exchanged"), held.transaction("ann"):
        pass
    held.close()
    assert is_whole(many, clock)
    assert documents(many, clock)["jobs"].keys() >= {"j1", "j15", "j284"}


HELD = """
import sys
from pathlib import Path
from quarterdeck.store import artifacts, repair
from tests.support.stores import Clock
with repair.begin(Path(sys.argv[1]), Clock(), by="bob", only_look=False):
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.mark.row("H8")
def test_two_do_not_repair_at_once_and_nobody_writes_meanwhile(
    many: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair, "LOCK_WAIT_S", 0.2)
    open_store(many, clock).close()
    writer = open_store(many, clock)
    with subprocess.Popen(
        [sys.executable, "-c", HELD, str(many)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as first:  # fmt: skip
        assert first.stdout is not None
        assert first.stdout.readline() == b"begun\n"
        with pytest.raises(ConflictError, match="being made or repaired by another process"):
            repaired(many, clock)
        with pytest.raises(ConflictError, match="is being written by"), writer.transaction("ann"):
            pass
        first.communicate(timeout=30)
    with writer.transaction("ann") as tx:  # it was given up
        tx.jobs.put(a_job(998), seen=None)
    writer.close()


CUT_OFF = """
import os, signal, sys
from pathlib import Path
from quarterdeck.store import artifacts, migrations, repair
from tests.support.damage import repaired
from tests.support.stores import Clock

def stop(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

moment, real_unlink, real_replace = sys.argv[2], Path.unlink, Path.replace
if moment == "marker":
    before = artifacts.write_file
    artifacts.write_file = lambda path, *a, **k: (before(path, *a, **k), path.name == "repairing" and stop())
elif moment == "log":
    Path.unlink = lambda path, **k: (real_unlink(path, **k), path.name.endswith("-wal") and stop())
elif moment == "database":
    Path.replace = lambda path, to: (real_replace(path, to), str(to).endswith("quarterdeck.db") and stop())
elif moment == "head":
    before_head = migrations.write_head
    migrations.write_head = lambda *a, **k: (before_head(*a, **k), stop())
elif moment == "copy":
    repair._copy = stop
repaired(Path(sys.argv[1]), Clock())
"""


@pytest.mark.row("H8", "F-38")
@pytest.mark.parametrize("moment", ["copy", "marker", "log", "database", "head"])
def test_a_repair_that_was_cut_off_begins_again_from_its_copy(
    many: Path, clock: Clock, moment: str
) -> None:
    shutil.copytree(many, many.parent / "whole")
    before = documents(many.parent / "whole", clock)
    flip(log(many), log(many).stat().st_size // 2)
    done = subprocess.run(
        [sys.executable, "-c", CUT_OFF, str(many), moment], cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    store = open_store(many, clock)
    if moment != "copy":
        assert "a repair of it was cut off" in store.damage
    assert store.damage
    store.close()
    clock.tick(60)
    report = repaired(many, clock)
    assert untold(before, documents(many, clock), report) == []
    assert is_whole(many, clock)
    assert not list(many.glob(".repair-*"))


@pytest.mark.row("H8", "R4")
def test_a_damaged_store_of_an_older_format_is_repaired_to_the_new_one(
    tmp_path: Path, clock: Clock
) -> None:
    folder = old_store(tmp_path / "store")
    before = documents(folder, clock)
    root_of("t_versions")(folder)
    report = repaired(folder, clock)
    assert untold(before, documents(folder, clock), report) == []
    assert findings(folder, clock) == []
    store = open_store(folder, clock)
    assert store.notices == ()
    store.close()
