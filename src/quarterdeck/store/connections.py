"""Connections to one SQLite file, one per thread, and what SQLite's errors mean. Transactions: `database`."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.errors import QuarterdeckError
from quarterdeck.store import faults, hashes, locks

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

Values = Sequence[str | int | float | bytes | None]

_WAL_KEPT: Final = 64 * 1024 * 1024  # bytes; a longer write-ahead log is cut after a checkpoint
_CLOSE_WAIT_S: Final = 1.0


class Connection(sqlite3.Connection):
    """A connection that can be referred to weakly: it closes when its thread is over.

    `busy` is held while SQLite works on it: to close it then, from another thread, would crash the process.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.busy = threading.Lock()


class _Here(threading.local):
    """This thread's connection."""

    connection: Connection | None = None


class Connections:
    """The connections of all threads to the database at `path`; `uri` says how it is opened.

    `tolerant` reads a database that is damaged as far as that goes. `fault` is why the disk could not sync.
    """

    def __init__(self, path: Path, uri: str, *, read_only: bool, wait_s: float) -> None:
        self.path = path
        self.uri = uri
        self.tolerant = False
        self.fault = ""
        self.here = _Here()
        self._read_only = read_only
        self._wait_s = wait_s
        self._all: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._closed = False
        self._connecting = threading.Lock()
        self._copy: TemporaryDirectory[str] | None = None

    def rows(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Run one statement on this thread's connection and return its rows."""
        try:
            connection = self.here.connection or self._connect()
            with connection.busy:
                return connection.execute(sql, values).fetchall()
        except UnicodeDecodeError as error:  # SQLite's own words hold a piece of a damaged name
            raise faults.damaged(str(self.path), "a name in it cannot be read") from error
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) in faults.SYNC_FAILED:
                self.fault = str(error)
            known = translated(error, self.path, self._wait_s)
            if known is None and self._has_other_tables():
                known = faults.damaged(
                    str(self.path), f"its tables are not those that were made ({error})"
                )
            raise known or error from error

    def _has_other_tables(self) -> bool:
        """Return whether tables or indexes are not as they were made: that makes a right statement wrong."""
        connection = self.here.connection
        if connection is None:
            return False
        try:
            with connection.busy:
                kept = connection.execute(
                    "SELECT value FROM meta WHERE name = 'schema'"
                ).fetchone()
                found = connection.execute(SCHEMA).fetchall()
        except (sqlite3.Error, UnicodeDecodeError):
            return True
        return kept is not None and kept[0] != schema_hash(found)

    def in_transaction(self) -> bool:
        """Return whether this thread's connection stands in a transaction."""
        connection = self.here.connection or self._connect()
        with connection.busy:  # to ask one that is closed meanwhile would crash the process
            return connection.in_transaction

    def add_function(self, name: str, arguments: int, function: Callable[..., str]) -> None:
        """Let statements of this thread call `function`."""
        connection = self.here.connection or self._connect()
        connection.create_function(name, arguments, function, deterministic=True)

    def _connect(self) -> Connection:
        """Return a new connection of this thread, which `close` knows of once it is set up."""
        connection = sqlite3.connect(
            self.uri,
            uri=True,
            timeout=self._wait_s,
            isolation_level=None,
            check_same_thread=False,
            factory=Connection,
        )
        if self.tolerant:
            connection.execute("PRAGMA writable_schema = ON")  # else a cut file is not read
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cell_size_check = ON")
        if not self._read_only:
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}")
        with self._connecting:
            if self._closed:
                connection.close()
                raise RuntimeError(f"{self.path} was closed")
            self.here.connection = connection
            self._all.add(connection)
        return connection

    def forget(self) -> None:
        """Close this thread's connection; the next statement opens another."""
        if self.here.connection is not None:
            self.here.connection.close()
            self.here.connection = None

    def read_aside(self) -> None:
        """Read where SQLite cannot make the file that it shares with writers.

        So nobody is writing, and the database lies still; if its log is not empty, both are read
        from a copy.
        """
        import shutil  # rarely needed
        import tempfile

        log = self.path.with_name(self.path.name + "-wal")
        if not log.exists() or log.stat().st_size == 0:
            self.uri += "&immutable=1"
            return
        self._copy = tempfile.TemporaryDirectory(prefix="quarterdeck-", ignore_cleanup_errors=True)
        copy = Path(self._copy.name) / self.path.name
        shutil.copyfile(self.path, copy)
        shutil.copyfile(log, copy.with_name(log.name))
        self.uri = copy.as_uri() + "?mode=rw"

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy to `target`, a new file, while others go on writing.

        It is read over a connection of its own: this thread may stand in a transaction, of which it has nothing.
        """
        copy = sqlite3.connect(target, isolation_level=None)
        source = sqlite3.connect(self.uri, uri=True, isolation_level=None)
        try:
            if self.tolerant:
                source.execute("PRAGMA writable_schema = ON")
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        except sqlite3.Error as error:
            raise (translated(error, target, self._wait_s) or error) from error
        finally:
            source.close()
            copy.close()

    def close(self) -> None:
        """End the connections of all threads; one that stays at work is left to its thread."""
        with self._connecting:
            self._closed = True
            connections = list(self._all)
        for connection in connections:
            if connection.busy.acquire(timeout=_CLOSE_WAIT_S):
                connection.close()
                connection.busy.release()
        self.here = _Here()
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def close_and_keep_log(self) -> None:
        """Close what could not be opened. SQLite's last writer would clear the log, which a repair needs."""
        try:
            reading = sqlite3.connect(self.path.as_uri() + "?mode=ro", uri=True)
        except sqlite3.Error:
            self.close()
            return
        try:
            reading.execute("SELECT 1 FROM sqlite_schema").fetchone()
        except (sqlite3.Error, UnicodeDecodeError):
            pass  # then nobody has its log open
        finally:
            self.close()
            reading.close()


def schema_hash(statements: list[tuple[Any, ...]]) -> str:
    """Return the hash of the statements that made tables and indexes, as `SCHEMA` selects them."""
    return hashes.of_bytes("\n".join(str(sql) for (sql,) in statements).encode())


SCHEMA: Final = "SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY sql"


def translated(error: sqlite3.Error, path: Path, wait_s: float) -> QuarterdeckError | None:
    """Return what SQLite's error means for the store at `path`; None if it is a defect."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # not SQLite's, but Python's; of these only a text that is none can happen
        return faults.damaged(str(path), str(error)) if "decode" in str(error) else None
    holder = locks.holder(path) if code & 0xFF in (faults.BUSY, faults.LOCKED) else ""
    return faults.translate(code, str(error), path=str(path), holder=holder, wait_s=wait_s)
