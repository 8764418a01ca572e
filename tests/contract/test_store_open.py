"""What may be opened, and what a store refuses: folders, rights, damage, full disks, links."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quarterdeck.model.errors import (
    ConflictError,
    DamagedDocumentError,
    StoreRefusedError,
)
from quarterdeck.store import guard
from quarterdeck.store.documents import DocumentStore
from quarterdeck.store.open import create_store, open_store
from quarterdeck.store.sqlite import SqliteBackend
from tests.support.stores import Clock, a_job, contents, old_store

CLOCK = Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a closed store with 300 jobs."""
    store = create_store(tmp_path / "store", CLOCK)
    with store.transaction("ann") as tx:
        for number in range(300):
            tx.jobs.put(a_job(number, description="x" * 500), seen=None)
    store.close()
    return tmp_path / "store"


@pytest.fixture
def wide_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> set[tuple[str, int]]:
    return {
        ("folder" if path.is_dir() else "file", stat.S_IMODE(path.stat().st_mode))
        for path in (folder, *folder.rglob("*"))
    }


def use(store: DocumentStore) -> None:
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(), seen=None)
    store.artifact_put(b"content")


@pytest.mark.usefixtures("wide_umask")
def test_nobody_else_may_read(tmp_path: Path) -> None:
    store = create_store(tmp_path / "store", CLOCK)
    use(store)
    assert {path.name for path in (tmp_path / "store").iterdir()} == {
        "quarterdeck.db", "quarterdeck.db-wal", "quarterdeck.db-shm", "head", "artifacts", "logs", "work",
    }  # fmt: skip
    assert modes(tmp_path / "store") == {("folder", 0o700), ("file", 0o600)}
    assert guard.wide_files(tmp_path / "store") == []
    (tmp_path / "store" / "logs").chmod(0o755)
    assert guard.wide_files(tmp_path / "store") == [tmp_path / "store" / "logs"]
    store.close()


@pytest.mark.usefixtures("wide_umask")
def test_a_group_may_write_if_asked(tmp_path: Path) -> None:
    create_store(tmp_path / "store", CLOCK, shared=True).close()
    store = open_store(tmp_path / "store", CLOCK)
    use(store)
    assert modes(tmp_path / "store") == {("folder", 0o2770), ("file", 0o660)}
    assert guard.wide_files(tmp_path / "store") == []
    store.close()


def test_a_store_is_made_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    create_store(str(tmp_path / "empty"), CLOCK).close()
    create_store(tmp_path / "new" / "deep", CLOCK).close()
    with pytest.raises(ConflictError, match="holds a store already"):
        create_store(tmp_path / "empty", CLOCK)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for taken in ("full", "full/file"):
        with pytest.raises(ConflictError):
            create_store(tmp_path / taken, CLOCK)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["file"]


def test_making_a_store_that_was_cut_off_starts_over(tmp_path: Path) -> None:
    (tmp_path / "store" / "logs").mkdir(parents=True)
    (tmp_path / "store" / f".{guard.DATABASE}.4711").write_bytes(b"half")
    store = create_store(tmp_path / "store", CLOCK)
    assert store.verify() == []
    store.close()


def test_one_of_two_makes_the_store(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.support.stores import Clock;"
        "from quarterdeck.store.open import create_store;"
        "create_store(Path(sys.argv[1]), Clock()).close()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "store")]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [one.communicate(timeout=60)[1] for one in both]
    assert sorted(one.returncode for one in both) == [0, 1]
    assert any(b"ConflictError" in error for error in errors)
    open_store(tmp_path / "store", CLOCK).close()


def database(folder: Path) -> Path:
    return folder / guard.DATABASE


def patched(folder: Path, sql: str) -> None:
    with sqlite3.connect(database(folder)) as connection:
        connection.execute(sql)
    connection.close()


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.touch()


def dangling(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to("no")


def linked(folder: Path) -> None:
    database(folder).rename(folder / "elsewhere.db")
    database(folder).symlink_to("elsewhere.db")


REFUSED: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "missing": (shutil.rmtree, "no store at", "quarterdeck init"),
    "empty": (emptied, "is no store", "quarterdeck init"),
    "a file": (a_file, "is a file", "quarterdeck init"),
    "dangling": (dangling, "to nothing", "quarterdeck init"),
    "no database": (lambda f: database(f).unlink(), "without its database", "restore"),
    "no content": (lambda f: database(f).write_bytes(b""), "it is empty", "restore"),
    "text": (lambda f: database(f).write_bytes(b"text" * 2000), "is damaged", "restore"),
    "foreign": (lambda f: patched(f, "PRAGMA application_id = 7"), "no Quarterdeck", "init"),
    "newer": (lambda f: patched(f, "PRAGMA user_version = 99"), "newer version", "that version"),
    "link": (linked, "symbolic link", "itself"),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("read_only", [True, False])
def test_what_is_no_store_is_refused(folder: Path, what: str, *, read_only: bool) -> None:
    spoil, message, advice = REFUSED[what]
    spoil(folder)
    before = contents(folder)
    with pytest.raises(StoreRefusedError, match=message) as caught:
        open_store(folder, CLOCK, read_only=read_only)
    assert advice in caught.value.advice
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_refused(name: str) -> None:
    with pytest.raises(StoreRefusedError, match="empty name"):
        open_store(name, CLOCK)
    with pytest.raises(StoreRefusedError, match="empty name"):
        create_store(name, CLOCK)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_owner_is_refused(folder: Path) -> None:
    os.chown(folder, 65534, 65534)
    with pytest.raises(StoreRefusedError, match="another owner"):
        open_store(folder, CLOCK)
    folder.chmod(0o770)
    open_store(folder, CLOCK).close()


def refuses(store: DocumentStore) -> None:
    """Check that a damaged store names its damage at every write."""
    assert store.read_only
    with pytest.raises(StoreRefusedError, match="is damaged") as caught, store.transaction("ann"):
        pass
    assert "restore" in caught.value.advice
    with pytest.raises(StoreRefusedError, match="is damaged"):
        store.artifact_put(b"content")


@pytest.mark.parametrize("read_only", [True, False])
def test_a_cut_database_is_named_and_can_be_read_in_part(folder: Path, *, read_only: bool) -> None:
    size = database(folder).stat().st_size
    os.truncate(database(folder), size // 4096 * 3 // 4 * 4096)
    store = open_store(folder, CLOCK, read_only=read_only)
    assert "malformed" in store.damage
    refuses(store)
    assert store.jobs.get("j1").value.name == "Job 1"
    found = store.verify()
    assert found[0].where == "database"
    assert len(found) > 1
    store.close()


def test_damage_inside_a_small_database_is_named_at_open(folder: Path) -> None:
    with database(folder).open("r+b") as file:
        file.seek(file.seek(0, os.SEEK_END) // 2 // 4096 * 4096)
        file.write(b"\xff" * 8192)
    with pytest.raises(StoreRefusedError, match="is damaged"):
        SqliteBackend(database(folder))
    store = open_store(folder, CLOCK)
    refuses(store)
    assert store.verify()[0].where == "database"
    store.close()


_REST = b'"name_key":"job 7","team":"t1","type"'  # as a job goes on, and no standing
SPOILT = {
    "no json": (b'{"id":"j7","name":"Job 7",' + _REST, b'["id":"j7","name":"Job 7",' + _REST),
    "no text": (b'"name":"Job 7",' + _REST, b'"name":"Jo\xff 7",' + _REST),
    "no time": (b"", None),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_document_is_damage_and_no_crash(folder: Path, what: str) -> None:
    old, new = SPOILT[what]
    content = database(folder).read_bytes()
    if new is None:
        patched(folder, "UPDATE t_jobs SET at = 'yesterday' WHERE id = 'j7'")
    else:
        assert content.count(old) == 1
        database(folder).write_bytes(content.replace(old, new))
    store = open_store(folder, CLOCK, read_only=True)
    assert store.jobs.get("j6").value.name == "Job 6"
    with pytest.raises(DamagedDocumentError, match="jobs/j7 was changed after it was written"):
        store.jobs.get("j7")
    with pytest.raises(DamagedDocumentError, match="jobs/j7"):
        store.jobs.page(limit=1_000)
    found, damaged = store.jobs.readable(limit=1_000)
    assert len(found) == len(store.jobs.rows(limit=1_000, flawed=True)) - 1
    assert [error.facts["document"] for error in damaged] == ["jobs/j7"]
    assert any(finding.where == "jobs/j7" for finding in store.verify())
    store.close()


def test_a_database_that_was_exchanged_is_not_written(folder: Path, tmp_path: Path) -> None:
    store = open_store(folder, CLOCK)
    create_store(tmp_path / "other", CLOCK).close()
    (tmp_path / "other" / guard.DATABASE).replace(database(folder))
    with pytest.raises(StoreRefusedError, match="exchanged"), store.transaction("ann"):
        pass
    database(folder).unlink()
    with pytest.raises(StoreRefusedError, match="taken away"), store.transaction("ann"):
        pass
    store.close()


def test_links_out_of_the_folder_are_not_written_through(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    store = open_store(folder, CLOCK)
    (folder / "artifacts").rmdir()
    (folder / "artifacts").symlink_to(outside)
    with pytest.raises(StoreRefusedError, match="symbolic link"):
        store.artifact_put(b"content")
    assert list(outside.iterdir()) == []
    store.close()


CLOSED_AT_WORK = """
import sys, threading, time
from pathlib import Path
from quarterdeck.store.open import open_store
from tests.support.stores import Clock

def read(store):
    try:
        while True:
            store.jobs.rows(limit=300)
    except Exception as error:
        ended.append(error)

ended = []
for _ in range(20):
    store = open_store(Path(sys.argv[1]), Clock())
    threads = [threading.Thread(target=read, args=(store,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.03)
    store.close()
    for thread in threads:
        thread.join()
sys.exit(len(ended) != 60)
"""


@pytest.mark.row("R1")
def test_a_store_is_closed_while_other_threads_read_it(folder: Path) -> None:
    command = [sys.executable, "-c", CLOSED_AT_WORK, str(folder)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0


@pytest.mark.row("R4")
def test_a_table_that_came_later_is_empty_in_an_older_store_that_is_only_read(
    tmp_path: Path,
) -> None:
    folder = old_store(tmp_path / "older")
    store = open_store(folder, Clock(), read_only=True)
    assert store.clocks.find("wall") is None
    assert store.clocks.page() == []
    assert store.verify() == []
    store.close()
    store = open_store(folder, Clock())  # for writing it is made
    assert store.clocks.page() == []
    assert store.verify() == []
    store.close()
