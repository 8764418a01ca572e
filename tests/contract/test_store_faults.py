"""What the database does when the disk, another process or the folder's rights are in the way."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.model.errors import ConflictError, QuarterdeckError, StoreFaultError
from quarterdeck.store.connections import Connection
from quarterdeck.store.creating import create_database
from quarterdeck.store.sqlite import SqliteBackend
from tests.support.stores import contents, put, sqlite_backend


def test_a_full_disk_refuses_the_write_and_no_other(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path)
    put(backend, "a")
    pages = backend._value("PRAGMA page_count")
    backend._rows(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFaultError, match="full"):
        put(backend, "b", text="x" * 100_000)
    with pytest.raises(StoreFaultError, match="full"), backend.transaction():  # noqa: PT012  # all of it fails
        put(backend, "c")
        put(backend, "b", text="x" * 100_000)
    assert [row.id for row in backend.scan("things")] == ["a"]
    backend._rows("PRAGMA max_page_count = 1000000")
    put(backend, "b", text="x" * 100_000)
    backend.close()


def test_after_a_failed_part_the_rest_is_not_written_alone(tmp_path: Path) -> None:
    """SQLite ends the whole transaction when the disk is full; who goes on must not write half."""
    backend = sqlite_backend(tmp_path)
    backend._rows(f"PRAGMA max_page_count = {backend._value('PRAGMA page_count')}")
    with pytest.raises(QuarterdeckError), backend.transaction():  # noqa: PT012  # all of it fails
        with pytest.raises(StoreFaultError):
            put(backend, "big", text="x" * 100_000)
        put(backend, "small")
        put(backend, "big", text="x" * 100_000)
    assert list(backend.scan("things")) == []
    backend.close()


class FailingConnection(Connection):
    """A connection whose disk cannot sync."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return super().execute(sql, *values)


def test_a_failed_sync_ends_all_writing(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path)
    put(backend, "a")
    real = backend._sql.here.connection
    backend._sql.here.connection = sqlite3.connect(
        tmp_path / "things.db", isolation_level=None, factory=FailingConnection
    )
    with pytest.raises(StoreFaultError, match="nothing was written"):
        put(backend, "b")
    backend._sql.here.connection.close()
    backend._sql.here.connection = real
    with pytest.raises(StoreFaultError, match="may be lost"):
        put(backend, "c")
    assert [row.id for row in backend.scan("things")] == ["a"]
    backend.close()
    again = sqlite_backend(tmp_path)
    put(again, "c")
    again.close()


def test_a_new_field_is_declared_over_old_rows(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    create_database(path, {"things": ()})
    old = SqliteBackend(path, indexes={"things": ()})
    put(old, "a", kind="x")
    old.close()
    new = sqlite_backend(tmp_path)
    put(new, "b", kind="x")
    assert {"others", "things"} <= set(new.tables())
    assert len(new.page("things", order="kind")) == 2
    indexes = {
        name for (name,) in new._rows("SELECT name FROM sqlite_schema WHERE type = 'index'")
    }
    assert "t_things_by_kind_flag" in indexes
    new.close()


def test_a_waiting_write_says_for_whom(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path, wait_s=0.2)
    program = (
        "import sys; from pathlib import Path; from tests.support.stores import sqlite_backend\n"
        "with sqlite_backend(Path(sys.argv[1])).transaction():\n"
        "    print('holding', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"holding\n"
    with pytest.raises(ConflictError, match=rf"process {holder.pid} \(python"):
        put(backend, "a")
    assert list(backend.scan("things")) == []
    holder.communicate(timeout=30)
    put(backend, "a")
    backend.close()


def test_each_thread_has_its_connection(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path)
    put(backend, "a")
    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(lambda _: backend.get("things", "a"), range(30)))
    backend.close()


READER = """
import os, shutil, sys, tempfile  # now: nobody may not read the library of root's interpreter
from pathlib import Path
from quarterdeck.store.sqlite import SqliteBackend
from tests.support.stores import THINGS
if os.geteuid() == 0:
    os.setuid(65534)
backend = SqliteBackend(Path(sys.argv[1]), read_only=True, indexes=THINGS)
print([row.id for row in backend.scan("things")], os.access(Path(sys.argv[1]).parent, os.W_OK))
backend.close()
"""


@pytest.mark.parametrize("log", [True, False])
def test_it_is_read_where_nothing_can_be_written(*, log: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backend = sqlite_backend(folder)
        put(backend, "a")
        if log:  # as a killed writer leaves it: database and log, the rest is gone with the host
            copied = folder / "copied.db"
            shutil.copyfile(folder / "things.db-wal", folder / "copied.db-wal")
            shutil.copyfile(folder / "things.db", copied)
        backend.close()
        path = folder / ("copied.db" if log else "things.db")
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        before = contents(folder)
        result = subprocess.run(
            [sys.executable, "-c", READER, str(path)],
            capture_output=True, check=False, text=True, timeout=60,
        )  # fmt: skip
        assert result.stdout == "['a'] False\n", result.stderr
        assert contents(folder) == before
        folder.chmod(0o755)
