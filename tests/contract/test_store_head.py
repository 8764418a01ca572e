"""What was acknowledged is there, or its loss is named, whatever happened to database and head."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from quarterdeck.model.errors import (
    DamagedDocumentError,
    StoreFaultError,
    StoreRefusedError,
)
from quarterdeck.model.ids import Rev
from quarterdeck.store import guard, head
from quarterdeck.store.documents import DocumentStore
from quarterdeck.store.open import create_store, open_store
from quarterdeck.store.sqlite import SqliteBackend
from tests.support.stores import Clock, a_job, a_version, contents
from tests.support.wal import flip, written_and_killed

ROOT = Path(__file__).parents[2]
CLOCK = Clock()
MARK = head.Mark("a" * 32, 7, "b" * 64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a closed store with one job."""
    store = create_store(tmp_path / "store", CLOCK)
    write(store)
    store.close()
    return tmp_path / "store"


def write(store: DocumentStore, number: int = 100) -> None:
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(number), seen=None)
        tx.versions.put(a_version(a_job(number)), seen=None)


def database(folder: Path) -> Path:
    return folder / guard.DATABASE


def log(folder: Path) -> Path:
    return folder / f"{guard.DATABASE}-wal"


def change(folder: Path) -> int:
    with closing(sqlite3.connect(database(folder).as_uri() + "?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT seq FROM totals").fetchone()[0])


def damage(folder: Path) -> str:
    """Return what is wrong with the store as it is opened, after a look that it is refused for writing."""
    store = open_store(folder, CLOCK)
    try:
        if store.damage:
            assert store.read_only
            assert store.verify()[0] == ("database", store.damage)
            with pytest.raises(StoreRefusedError) as caught, store.transaction("ann"):
                pass
            assert store.damage in caught.value.message
            assert "quarterdeck store repair" in caught.value.advice
            with pytest.raises(StoreRefusedError):
                store.artifact_put(b"x")
        return store.damage
    finally:
        store.close()


# --- what is lost


@pytest.mark.row("F-38", "R1")
def test_a_log_that_was_deleted_is_noticed_with_both_numbers(folder: Path) -> None:
    before = change(folder)
    assert written_and_killed(folder) == list(range(1, 16))
    acknowledged = change(folder)
    log(folder).unlink()
    found = damage(folder)
    assert f"ends at change {before}, but {acknowledged} were acknowledged" in found
    assert f"the last {acknowledged - before} are missing" in found
    reading = open_store(folder, CLOCK, read_only=True)
    assert reading.damage == found
    assert [kept.value.id for kept in reading.jobs.page()] == ["j100"]  # what is left can be read
    reading.close()


@pytest.mark.row("F-38", "R1")
def test_one_change_that_is_missing_is_enough(folder: Path) -> None:
    assert written_and_killed(folder, 1, 2) == [1]
    os.truncate(log(folder), log(folder).stat().st_size - 1)
    assert "the last 4 are missing" in damage(folder)  # a job, its standing, version and record


@pytest.mark.row("F-38", "R1")
def test_a_bit_of_the_log_is_never_flipped_unnoticed(folder: Path, tmp_path: Path) -> None:
    written_and_killed(folder, 1, 6)
    size = log(folder).stat().st_size
    places = [*range(0, 64, 5), *range(64, size, size // 60)]
    for number, place in enumerate(places):
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy)
        (copy / f"{guard.DATABASE}-shm").unlink()
        flip(log(copy), place, number % 8)
        store = open_store(copy, CLOCK)
        jobs = {kept.value.id for kept in store.jobs.page()}
        if not store.damage:  # a byte that SQLite does not read, as the counter of checkpoints
            assert jobs == {"j100", *(f"j{one}" for one in range(1, 6))}, place
            assert store.verify() == [], place
        store.close()
        if store.damage:
            assert log(copy).stat().st_size == size, place  # what a repair may need of it is kept
        shutil.rmtree(copy)


@pytest.mark.row("F-38")
def test_an_older_database_is_noticed(folder: Path, tmp_path: Path) -> None:
    shutil.copyfile(database(folder), tmp_path / "older")
    older = change(folder)
    store = open_store(folder, CLOCK)
    write(store, 1)
    store.close()
    newer = change(folder)
    shutil.copyfile(tmp_path / "older", database(folder))
    assert f"ends at change {older}, but {newer} were acknowledged" in damage(folder)


@pytest.mark.row("F-38")
def test_a_database_of_another_history_is_noticed(folder: Path, tmp_path: Path) -> None:
    """A copy went on elsewhere, and its database came back without its head."""
    shutil.copytree(folder, tmp_path / "elsewhere")
    for place, number in ((folder, 1), (tmp_path / "elsewhere", 2)):
        store = open_store(place, CLOCK)
        write(store, number)
        store.close()
    shutil.copyfile(database(tmp_path / "elsewhere"), database(folder))
    assert "is not the one that was acknowledged" in damage(folder)
    store = open_store(tmp_path / "elsewhere", CLOCK)
    write(store, 3)
    store.close()
    shutil.copyfile(database(tmp_path / "elsewhere"), database(folder))
    assert "is not the one that was acknowledged" in damage(folder)


# --- the head itself


@pytest.mark.row("F-38")
def test_a_head_that_was_removed_is_noticed(folder: Path) -> None:
    (folder / head.NAME).unlink()
    assert "head beside it (head) is missing" in damage(folder)
    assert not (folder / head.NAME).exists()


@pytest.mark.row("F-38")
def test_the_head_of_another_store_is_noticed(folder: Path, tmp_path: Path) -> None:
    create_store(tmp_path / "other", CLOCK).close()
    shutil.copyfile(tmp_path / "other" / head.NAME, folder / head.NAME)
    assert "belongs to another store" in damage(folder)


@pytest.mark.row("F-38")
def test_a_head_with_two_damaged_slots_is_noticed_and_one_is_enough(folder: Path) -> None:
    kept = (folder / head.NAME).read_bytes()
    for slot in (0, 4096):
        flip(folder / head.NAME, slot + 40)
        assert damage(folder) == ""  # it is behind now, and was brought up to date
        store = open_store(folder, CLOCK)
        assert store.verify() == []
        store.close()
        (folder / head.NAME).write_bytes(kept)
    for slot in (0, 4096):
        flip(folder / head.NAME, slot + 40)
    assert "both slots of" in damage(folder)
    (folder / head.NAME).write_bytes(b"")
    assert "both slots of" in damage(folder)


@pytest.mark.row("F-38")
def test_no_bit_of_the_head_can_make_it_tell_of_less(folder: Path) -> None:
    whole = (folder / head.NAME).read_bytes()
    last = head.Head(folder / head.NAME).read()
    assert last is not None
    for place in range(190):
        for bit in range(8):
            slot = bytearray(whole[:192])
            slot[place] ^= 1 << bit
            assert head.decode(bytes(slot)) in (None, head.decode(whole[:192])), (place, bit)


def test_a_mark_is_read_as_it_was_written() -> None:
    assert head.decode(head.encode(MARK)) == MARK
    assert head.decode(b" " * 192) is None
    assert len(head.encode(MARK._replace(seq=10**19))) == 192


# --- what is in order


@pytest.mark.row("R1")
def test_a_head_that_is_behind_is_brought_up_to_date(folder: Path) -> None:
    behind = (folder / head.NAME).read_bytes()
    store = open_store(folder, CLOCK)
    for number in range(1, 4):
        write(store, number)
    store.close()
    (folder / head.NAME).write_bytes(behind)
    reading = open_store(folder, CLOCK, read_only=True)
    assert (reading.damage, reading.verify()) == ("", [])
    reading.close()
    assert (folder / head.NAME).read_bytes() == behind  # who only reads writes nothing
    assert damage(folder) == ""
    mark = head.Head(folder / head.NAME).read()
    assert mark is not None
    assert mark.seq == change(folder)


@pytest.mark.row("R1")
def test_the_log_that_sqlite_removes_at_the_last_close_is_no_damage(folder: Path) -> None:
    assert not log(folder).exists()
    assert damage(folder) == ""


@pytest.mark.row("R1")
def test_a_killed_writer_leaves_no_damage(folder: Path) -> None:
    written_and_killed(folder)
    store = open_store(folder, CLOCK)
    assert (store.damage, store.verify()) == ("", [])
    assert store.jobs.count() == 16
    store.close()


def test_a_copy_that_is_taken_while_nobody_writes_opens(folder: Path, tmp_path: Path) -> None:
    store = open_store(folder, CLOCK)
    write(store, 1)
    shutil.copytree(folder, tmp_path / "copy")  # database, log and head
    store.close()
    assert damage(tmp_path / "copy") == ""


WRITER = """
import sys
from pathlib import Path
from tests.support.stores import Clock, a_job, a_version
from quarterdeck.store.open import open_store
store = open_store(Path(sys.argv[1]), Clock())
number = 1
while True:
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(number), seen=None)
        tx.versions.put(a_version(a_job(number)), seen=None)
    print(number, flush=True)
    number += 1
"""


@pytest.mark.row("F-38")
def test_a_copy_that_is_taken_while_others_write_is_whole_or_named(
    folder: Path, tmp_path: Path
) -> None:
    """If it opens without a word, all is in it that was acknowledged before it was begun."""
    command = [sys.executable, "-c", WRITER, str(folder)]
    said = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as writer:
        assert writer.stdout is not None
        for number in range(12):
            said.append(int(writer.stdout.readline()))
            shutil.copytree(folder, tmp_path / f"copy{number}")
        writer.kill()
    for number, last in enumerate(said):
        try:
            store = open_store(tmp_path / f"copy{number}", CLOCK)
        except StoreRefusedError:
            continue  # what is wrong is said
        if not store.damage and not store.verify():
            assert store.jobs.count() > last
        store.close()
    assert damage(folder) == ""


def test_the_head_is_not_moved_back(tmp_path: Path) -> None:
    path = tmp_path / "head"
    path.write_bytes(head.content(MARK))
    one, two = head.Head(path), head.Head(path)
    one.write(MARK._replace(seq=9))
    two.write(MARK._replace(seq=8))  # another process was slower
    assert one.read() == MARK._replace(seq=9)
    two.write(MARK._replace(seq=10))
    one.write(MARK._replace(seq=11))
    assert two.read() == MARK._replace(seq=11)
    with pytest.raises(head.HeadError, match="another change 11"):
        one.write(MARK._replace(seq=11, chain="c" * 64))
    with pytest.raises(head.HeadError, match="another store"):
        one.write(MARK._replace(seq=12, store="c" * 32))
    one.close()
    two.close()


# --- while it is written


class Watched(head.Head):
    """A head whose disk can fail, and that tells what the database has when it is written."""

    def __init__(self, path: Path, of: Path) -> None:
        super().__init__(path)
        self.of = of
        self.error: OSError | None = None
        self.seen: list[tuple[int, int]] = []

    def write(self, mark: head.Mark) -> None:
        self.seen.append((mark.seq, change(self.of)))
        super().write(mark)

    def _put(self, handle: int, record: bytes, at: int) -> None:
        if self.error is not None:
            raise self.error
        super()._put(handle, record, at)


def watched(folder: Path) -> tuple[DocumentStore, Watched]:
    kept = Watched(folder / head.NAME, folder)
    backend = SqliteBackend(database(folder), head=kept)
    return DocumentStore(backend, folder, CLOCK), kept


@pytest.mark.row("R1")
def test_the_commit_is_durable_before_the_head_tells_of_it(folder: Path) -> None:
    store, kept = watched(folder)
    write(store, 1)
    assert kept.seen[-1] == (change(folder), change(folder))
    mark = kept.read()
    assert mark is not None
    assert mark.seq == change(folder)
    with pytest.raises(ValueError, match="given up"), store.transaction("ann") as tx:  # noqa: PT012
        tx.jobs.put(a_job(2), seen=None)
        raise ValueError("given up")
    assert len(kept.seen) == 2  # at opening, and with the first write
    store.close()


@pytest.mark.row("F-37")
def test_a_head_that_cannot_be_synced_acknowledges_nothing_and_ends_all_writing(
    folder: Path,
) -> None:
    store, kept = watched(folder)
    kept.error = OSError(errno.EIO, "Input/output error")
    with pytest.raises(StoreFaultError, match="is not confirmed") as caught:
        write(store, 1)
    assert "read what is there" in caught.value.advice
    kept.error = None
    with pytest.raises(StoreFaultError, match="may be lost"):
        write(store, 2)
    assert store.jobs.count() == 2  # it is there; nobody was told so
    store.close()
    assert damage(folder) == ""  # opened again, and held against each other
    again = open_store(folder, CLOCK)
    write(again, 2)
    assert again.verify() == []
    again.close()


@pytest.mark.row("F-36")
def test_a_head_for_which_there_is_no_room_is_written_before_anything_else_is(
    folder: Path,
) -> None:
    store, kept = watched(folder)
    kept.error = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StoreFaultError, match="is not confirmed"):
        write(store, 1)
    with pytest.raises(StoreFaultError, match="is not confirmed"):
        write(store, 2)
    assert store.jobs.count() == 2
    kept.error = None  # writing resumes without a restart
    write(store, 2)
    assert store.jobs.count() == 3
    mark = kept.read()
    assert mark is not None
    assert mark.seq == change(folder)
    store.close()


@pytest.mark.row("F-37")
def test_a_head_that_cannot_be_written_at_the_opening_opens_for_reading(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = (folder / head.NAME).read_bytes()
    store = open_store(folder, CLOCK)
    write(store, 1)
    store.close()
    (folder / head.NAME).write_bytes(behind)

    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(head.Head, "_put", fails)
    store = open_store(folder, CLOCK)
    assert "head beside it cannot be written" in store.damage
    assert store.jobs.count() == 2
    store.close()


@pytest.mark.row("F-38")
def test_nothing_is_written_once_the_head_was_taken_away(folder: Path, tmp_path: Path) -> None:
    store = open_store(folder, CLOCK)
    (folder / head.NAME).rename(tmp_path / "head")
    with pytest.raises(StoreRefusedError, match="taken away"):
        write(store, 1)
    shutil.copyfile(tmp_path / "head", folder / head.NAME)
    with pytest.raises(StoreRefusedError, match="exchanged"):
        write(store, 1)
    store.close()
    assert change(folder) == 3


@pytest.mark.row("F-38")
def test_an_older_content_under_an_open_store_is_not_written_to(
    folder: Path, tmp_path: Path
) -> None:
    store = open_store(folder, CLOCK)
    store.backend.copy_to(tmp_path / "older")  # type: ignore[attr-defined]  # it is SQLite's
    write(store, 1)
    acknowledged = change(folder)
    with (
        closing(sqlite3.connect(tmp_path / "older")) as older,
        closing(sqlite3.connect(database(folder))) as there,
    ):
        older.backup(there)  # the file is the same, what stands in it is not
    with pytest.raises(StoreRefusedError, match=f"but {acknowledged} were acknowledged"):
        write(store, 2)
    store.close()
    assert f"but {acknowledged} were acknowledged" in damage(folder)


# --- rows


@pytest.mark.row("F-38")
def test_a_row_that_was_changed_is_named_with_both_hashes_and_not_written_over(
    folder: Path,
) -> None:
    with closing(sqlite3.connect(database(folder))) as connection, connection:
        connection.execute("UPDATE t_jobs SET body = replace(body, 'Job 100', 'Job 900')")
    store = open_store(folder, CLOCK)
    assert store.damage == ""
    assert store.jobs.get("j100").value.name == "Job 900"
    (found,) = store.unsound(("jobs", "j100"), ("versions", "j100/000000001"), ("jobs", "none"))
    assert found.where == "jobs/j100"
    assert found.what.startswith("was changed after it was written: its SHA-256 is ")
    assert len(found.what.split()[-1]) == 64
    assert found in store.verify()
    with (
        pytest.raises(DamagedDocumentError, match="jobs/j100") as caught,
        store.transaction("ann") as tx,
    ):
        tx.jobs.put(a_job(100), seen=Rev(1))
    assert caught.value.facts["document"] == "jobs/j100"
    with pytest.raises(DamagedDocumentError), store.transaction("ann") as tx:
        tx.jobs.get("j100")
    with pytest.raises(DamagedDocumentError), store.transaction("ann") as tx:
        tx.jobs.delete("j100", seen=Rev(1))
    write(store, 1)  # what else there is goes on
    store.close()


@pytest.mark.row("F-38")
@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM t_versions",
        "UPDATE t_jobs SET rev = 2",
        "UPDATE t_jobs SET by = 'bob'",
        "UPDATE totals SET seq = seq + 1",
        "UPDATE totals SET total = replace(total, substr(total, 1, 1), 'z')",
        "DELETE FROM totals",
        "UPDATE meta SET value = 'x' WHERE name = 'schema'",
        "DELETE FROM gone",
        "UPDATE gone SET rev = 7",
        "DROP INDEX t_jobs_by_team",
    ],
)
def test_what_was_changed_behind_its_back_is_found(folder: Path, sql: str) -> None:
    store = open_store(folder, CLOCK)
    write(store, 1)
    with store.transaction("ann") as tx:
        tx.versions.delete("j1/000000001", seen=Rev(1))
        tx.jobs.delete("j1", seen=Rev(1))
    assert store.verify() == []
    store.close()
    with closing(sqlite3.connect(database(folder))) as connection, connection:
        connection.execute(sql)
    reading = open_store(folder, CLOCK, read_only=True)
    assert reading.verify() != []
    reading.close()


@pytest.mark.row("F-38")
def test_a_row_that_was_put_back_as_it_was_is_found(folder: Path) -> None:
    """Its hash is right; what all rows add up to is not."""
    with closing(sqlite3.connect(database(folder))) as connection, connection:
        connection.execute("CREATE TABLE kept AS SELECT * FROM t_jobs")
        columns = "rev, by, at, seq, body, sha256"
        store = open_store(folder, CLOCK)
        with store.transaction("ann") as tx:
            tx.jobs.put(a_job(100, description="newer"), seen=Rev(1))
        store.close()
        connection.execute(f"UPDATE t_jobs SET ({columns}) = (SELECT {columns} FROM kept)")  # noqa: S608
        connection.execute("DROP TABLE kept")
    store = open_store(folder, CLOCK)
    found = [finding.what for finding in store.verify()]
    assert any("do not add up" in what for what in found), found
    store.close()


def test_reading_leaves_a_damaged_store_as_it_is(folder: Path) -> None:
    written_and_killed(folder)
    flip(log(folder), log(folder).stat().st_size // 2)
    before = contents(folder)
    wal = log(folder).read_bytes()
    for read_only in (True, False):
        store = open_store(folder, CLOCK, read_only=read_only)
        assert store.damage
        store.verify()
        store.close()
    assert log(folder).read_bytes() == wal
    assert contents(folder) == before
