"""A store of an older format: read as it is, migrated behind a backup, and closed to the version that wrote it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from quarterdeck.model.errors import ConflictError, StoreFaultError, StoreRefusedError
from quarterdeck.model.ids import Rev
from quarterdeck.store import faults, guard
from quarterdeck.store.indexes import FORMAT
from quarterdeck.store.open import open_store
from quarterdeck.store.restore import restore
from quarterdeck.store.sqlite import SqliteBackend
from tests.support.stores import Clock, a_job, a_version, contents, old_store

ROOT = Path(__file__).parents[2]
CLOCK = Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return old_store(tmp_path / "store")


def format_of(folder: Path) -> int:
    with closing(sqlite3.connect(folder / guard.DATABASE)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def backups(folder: Path) -> list[Path]:
    return sorted(folder.parent.glob("store.before-format-*"))


@pytest.mark.row("R4", "F-39")
def test_an_old_store_is_migrated_behind_a_backup_that_is_named(folder: Path) -> None:
    store = open_store(folder, CLOCK)
    (kept,) = backups(folder)
    assert any(str(kept) in notice for notice in store.notices)
    assert store.verify() == []
    assert len(store.jobs.page()) == 2
    assert store.jobs.page()[0].value.name == "sales"
    assert store.changes(0)[-1].seq == store.last_change() == 118
    with store.transaction("ana") as tx:
        tx.jobs.put(a_job(), seen=None)
        tx.versions.put(a_version(a_job()), seen=None)
    assert store.verify() == []
    store.close()
    again = open_store(folder, CLOCK)
    assert again.notices == ()
    assert again.verify() == []
    assert backups(folder) == [kept]
    again.close()


@pytest.mark.row("R4", "F-39")
def test_the_backup_is_one_of_the_old_format_with_all_that_was_there(
    folder: Path, tmp_path: Path
) -> None:
    before = contents(folder)
    open_store(folder, CLOCK).close()
    (kept,) = backups(folder)
    with zipfile.ZipFile(kept) as archive:
        assert b'"format": 1' in archive.read("manifest.json")
        names = {name for name in archive.namelist() if name != "manifest.json"}
        archive.extractall(tmp_path / "out")
    assert names == {str(Path(path).relative_to(folder)) for path in before}
    assert format_of(tmp_path / "out") == 1
    for path, content in before.items():
        if not path.endswith(guard.DATABASE):
            assert (tmp_path / "out" / Path(path).relative_to(folder)).read_bytes() == content
    done = restore(tmp_path / "back", kept, CLOCK)
    store = open_store(tmp_path / "back", CLOCK)
    assert store.notices == ()  # the file is the backup
    assert store.verify() == []
    assert done["documents"]["jobs"] == 2
    store.close()


@pytest.mark.row("R4")
def test_read_only_migrates_nothing_and_reads_all(folder: Path) -> None:
    before = contents(folder)
    store = open_store(folder, CLOCK, read_only=True)
    assert store.jobs.page()[0].value.name == "sales"
    assert store.standings.rows()[0].body["name"] == "sales"
    assert len(store.runs.page()) == 3
    assert store.last_change() == 118
    assert store.verify() == []
    assert store.unsound(("jobs", store.jobs.page()[0].value.id)) == []
    with pytest.raises(StoreRefusedError, match="reading only"), store.transaction("ana"):
        pass
    store.close()
    assert contents(folder) == before
    assert backups(folder) == []


# The statements with which format 1 saved a document and deleted one, and what it made of their errors.
OLD_WRITES = (
    ("UPDATE meta SET value = value + 1 WHERE name = 'seq' RETURNING value", ()),
    ("UPDATE t_jobs SET rev=?, by=?, at=?, seq=?, body=? WHERE id=?", (2, "a", "b", 9, "{}", "x")),
)
OLD_DELETES = (
    ("DELETE FROM t_jobs WHERE id = ?", ("x",)),
    OLD_WRITES[0],
)


@contextmanager
def old_application(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(
        sqlite3.connect(folder / guard.DATABASE, isolation_level=None, timeout=0.2)
    ) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        yield connection


@pytest.mark.row("R4", "F-39")
@pytest.mark.parametrize("statements", [OLD_WRITES, OLD_DELETES])
def test_an_application_of_the_old_version_that_is_open_can_only_read(
    folder: Path, statements: tuple[tuple[str, tuple[object, ...]], ...]
) -> None:
    with old_application(folder) as old:
        store = open_store(folder, CLOCK)
        before = store.last_change()
        old.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as caught:  # noqa: PT012  # one of them
            for sql, values in statements:
                old.execute(sql, values).fetchall()
        old.execute("ROLLBACK")
        refusal = faults.translate(
            caught.value.sqlite_errorcode, str(caught.value), path="p", holder="", wait_s=0
        )
        assert isinstance(refusal, StoreRefusedError)
        assert "newer" in refusal.message
        with store.transaction("ana") as tx:  # what the new version writes, the old one sees
            tx.jobs.put(a_job(), seen=None)
            tx.versions.put(a_version(a_job()), seen=None)
        found = old.execute("SELECT id, rev, body, by, at FROM t_jobs WHERE id = 'j1'").fetchall()
        assert len(found) == 1
        assert store.last_change() == before + 3  # the job, its standing, its version
        assert store.verify() == []
        store.close()


@pytest.mark.row("R4", "F-39")
def test_who_waits_for_the_lock_while_it_is_migrated_is_refused_then(folder: Path) -> None:
    with old_application(folder) as old:
        old.execute("BEGIN IMMEDIATE")
        store = None
        with pytest.raises(ConflictError, match="is being written by"):
            store = open_store(folder, CLOCK)  # nobody migrates under a writer
        assert store is None
        old.execute("ROLLBACK")
        assert format_of(folder) == 1
        open_store(folder, CLOCK).close()
    assert format_of(folder) == FORMAT


KILLED = """
import os, signal, sys
from pathlib import Path
from quarterdeck.store import migrations
from quarterdeck.store.open import open_store
from quarterdeck.store.sqlite import SqliteBackend
from tests.support.stores import Clock

def stop(*_):
    os.kill(os.getpid(), signal.SIGKILL)

moment = sys.argv[2]
if moment == "backup":
    from quarterdeck.store import backup
    backup.write = stop
elif moment == "step":
    before = migrations.STEPS[1]
    migrations.STEPS = {1: lambda one: (before(one), stop())}
elif moment == "head":
    before_head = migrations.write_head
    migrations.write_head = lambda *a, **k: (before_head(*a, **k), stop())
open_store(Path(sys.argv[1]), Clock())
"""


@pytest.mark.row("F-39")
@pytest.mark.parametrize("moment", ["backup", "step", "head"])
def test_a_migration_that_was_cut_off_starts_over(folder: Path, moment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), moment], cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert format_of(folder) == 1
    reading = open_store(folder, CLOCK, read_only=True)
    assert (reading.damage, reading.verify()) == ("", [])
    reading.close()
    with old_application(folder) as old:  # the old version goes on with it as before
        old.execute("BEGIN IMMEDIATE")
        old.execute("UPDATE meta SET value = value + 1 WHERE name = 'seq'")
        old.execute("COMMIT")
    CLOCK.tick(1)
    store = open_store(folder, CLOCK)
    assert store.verify() == []
    assert store.damage == ""
    assert format_of(folder) == FORMAT
    assert store.last_change() == 119
    store.close()


@pytest.mark.row("R4", "F-36")
def test_where_the_backup_cannot_be_written_nothing_is_migrated(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreFaultError("The disk is full.")

    monkeypatch.setattr("quarterdeck.store.backup.write", full)
    before = contents(folder)
    with pytest.raises(StoreFaultError, match="was not migrated") as caught:
        open_store(folder, CLOCK)
    assert "--read-only" in caught.value.advice
    assert contents(folder) == before


@pytest.mark.row("F-38")
def test_an_old_database_beside_the_head_of_the_migrated_store_is_damage(folder: Path) -> None:
    shutil.copyfile(folder / guard.DATABASE, folder.parent / "older.db")
    store = open_store(folder, CLOCK)
    with store.transaction("ana") as tx:
        tx.jobs.put(a_job(), seen=None)
    store.close()
    shutil.copyfile(folder.parent / "older.db", folder / guard.DATABASE)
    store = open_store(folder, CLOCK)
    assert "it ends at change 118, but 120 were acknowledged" in store.damage
    assert store.jobs.count() == 2
    with pytest.raises(StoreRefusedError, match="118"), store.transaction("ana"):
        pass
    store.close()
    assert format_of(folder) == 1


def test_a_damaged_old_store_is_not_migrated(folder: Path) -> None:
    size = (folder / guard.DATABASE).stat().st_size
    os.truncate(folder / guard.DATABASE, size // 4096 * 3 // 4 * 4096)
    store = open_store(folder, CLOCK)
    assert "malformed" in store.damage
    assert backups(folder) == []
    store.close()


def test_what_is_migrated_keeps_revisions_and_deletions(folder: Path) -> None:
    store = open_store(folder, CLOCK)
    kept = store.jobs.page()[0]
    with store.transaction("ana") as tx:
        assert tx.jobs.put(kept.value, seen=kept.rev) == kept.rev + 1
    assert isinstance(store.backend, SqliteBackend)
    (gone,) = store.backend.execute("SELECT id, rev FROM gone WHERE tbl = 'jobs'", ())
    with store.transaction("ana") as tx:
        assert tx.jobs.put(a_job(id=gone[0]), seen=None) == Rev(gone[1] + 1)
        tx.versions.put(a_version(a_job(id=gone[0])), seen=None)
    assert store.verify() == []
    store.close()
