"""One SQLite file: opening, connections, transactions, errors. Only this module speaks to SQLite.

What is read and written in it is `sqlite`'s.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.errors import QuarterdeckError, StoreFaultError, StoreRefusedError
from quarterdeck.model.limits import LOCK_WAIT_S
from quarterdeck.store import faults, locks, schema
from quarterdeck.store.indexes import APPLICATION_ID, FORMAT, INDEXES, Indexes

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

_WAL_KEPT: Final = 64 * 1024 * 1024  # bytes; a longer write-ahead log is cut after a checkpoint
_CLOSE_WAIT_S: Final = 1.0
_LOOKED_THROUGH: Final = 4 * 1024 * 1024  # bytes; about 1 ms for each million
Values = Sequence[str | int | float | None]


def create_database(path: Path, indexes: Indexes = INDEXES) -> None:
    """Make an empty database at `path`, where nothing may lie yet."""
    connection = sqlite3.connect(
        path.absolute().as_uri() + "?mode=rwc", uri=True, isolation_level=None
    )
    try:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreRefusedError(
                f"The file system of {path} cannot share a write-ahead log.",
                advice=faults.LOCKS_ADVICE,
            )
        connection.execute("BEGIN IMMEDIATE")
        for statement in schema.BASE:
            connection.execute(statement)
        for table in indexes:
            for statement in schema.table_statements(indexes, table, ()):
                connection.execute(statement)
        connection.execute(
            "INSERT INTO meta VALUES ('indexes', ?)", (schema.fingerprint(indexes),)
        )
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        known = _translated(error, path, LOCK_WAIT_S)
        if known is None:
            raise
        raise known from error
    finally:
        connection.close()


class _Connection(sqlite3.Connection):
    """A connection that can be referred to weakly: it closes when its thread is over.

    `busy` is held while SQLite works on it: to close it then, from another thread, would crash the process.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.busy = threading.Lock()


class _Here(threading.local):
    """This thread's connection and how deep it stands in transactions."""

    connection: _Connection | None = None
    depth: int = 0


class Database:
    """A database in WAL mode with synchronous=FULL; one connection per thread.

    Opening never makes a file. `damage` names what is wrong with a database that could be opened
    for reading all the same; for writing it is refused. `read_only` also reads where no file can
    be made beside the database.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        indexes: Indexes = INDEXES,
        wait_s: float = LOCK_WAIT_S,
    ) -> None:
        self.path = path.absolute()
        self.damage = ""
        self._read_only = read_only
        self._indexes = indexes
        self._wait_s = wait_s
        self._uri = self.path.as_uri() + f"?mode={'ro' if read_only else 'rw'}"
        self._here = _Here()
        self._connections: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._there: Indexes = {}  # those that the database is known to have
        self._known = set(indexes)
        self._fault = ""
        self._copy: TemporaryDirectory[str] | None = None
        self._closed = False
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    # Opening

    def _open(self) -> None:
        try:
            self._check_header()
        except (StoreRefusedError, StoreFaultError) as error:
            code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
            if not self._read_only or not self.path.exists():
                raise
            self._forget_connection()
            if code == faults.CORRUPT:
                self.damage = str(error.__cause__)
            elif code in (faults.CANTOPEN, faults.READONLY):
                self._read_aside()
            else:
                raise
            self._check_header()
        self._look_inside()
        self._identity = self._stat()
        if not self._read_only:
            self._upgrade()
        if not self.damage and self.is_current():
            self._there = self._indexes
        elif not self.damage:  # of an earlier version, for reading: some tables came later
            self._known.clear()

    def _look_inside(self) -> None:
        """Check a small database whole; a large one would take longer than the command it is for."""
        if self.damage or self.path.stat().st_size > _LOOKED_THROUGH:
            return
        try:
            found = str(self._value("PRAGMA quick_check(1)"))
        except StoreRefusedError as error:
            found = str(error.__cause__)
        if found == "ok":
            return
        self.damage = " ".join(found.splitlines()[-1].split())
        if not self._read_only:
            raise faults.damaged(str(self.path), self.damage)

    def _read_aside(self) -> None:
        """Read where SQLite cannot make the file that it shares with writers.

        So nobody is writing, and the database lies still; if its log is not empty, both are read
        from a copy.
        """
        import shutil  # rarely needed
        import tempfile

        log = self.path.with_name(self.path.name + "-wal")
        if not log.exists() or log.stat().st_size == 0:
            self._uri += "&immutable=1"
            return
        self._copy = tempfile.TemporaryDirectory(prefix="quarterdeck-", ignore_cleanup_errors=True)
        copy = Path(self._copy.name) / self.path.name
        shutil.copyfile(self.path, copy)
        shutil.copyfile(log, copy.with_name(log.name))
        self._uri = copy.as_uri() + "?mode=rw"

    def _check_header(self) -> None:
        """Refuse what is not ours, newer or damaged where a first look sees it."""
        application = self._value("PRAGMA application_id")
        if application != APPLICATION_ID:
            raise StoreRefusedError(
                f"{self.path} is no Quarterdeck database.",
                advice="Name a folder that `quarterdeck init` made.",
            )
        format_ = int(self._value("PRAGMA user_version"))
        if format_ > FORMAT:
            raise StoreRefusedError(
                f"{self.path} was written by a newer version (format {format_}, here {FORMAT}).",
                advice="Use that version of Quarterdeck; nothing was changed.",
            )
        self._value("SELECT value FROM meta WHERE name = 'seq'")

    def _upgrade(self) -> None:
        """Add declared fields and indexes that the database does not have yet."""
        if self.is_current():
            return
        wanted = schema.fingerprint(self._indexes)
        with self.transaction():
            for table in self._indexes:
                self._make_table(table)
            self._refill()
            self._rows("REPLACE INTO meta VALUES ('indexes', ?)", (wanted,))

    def _refill(self) -> None:
        """Make anew what is kept of other tables' rows, after the database was written by who did not keep it."""
        raise NotImplementedError

    def is_current(self) -> bool:
        """Return whether fields and indexes, and what is kept of other tables' rows, are as they are declared."""
        found = self._value("SELECT value FROM meta WHERE name = 'indexes'")
        return bool(found == schema.fingerprint(self._indexes))

    def _make_table(self, table: str) -> None:
        info = self._rows("SELECT name FROM pragma_table_xinfo(?)", (schema.sql_name(table),))
        for statement in schema.table_statements(self._indexes, table, {name for (name,) in info}):
            self._rows(statement)

    def _stat(self) -> tuple[int, int]:
        found = self.path.stat()
        return found.st_dev, found.st_ino

    # Connections and errors

    def _connection(self) -> _Connection:
        connection = self._here.connection
        if connection is None:
            if self._closed:
                raise RuntimeError(f"{self.path} was closed")
            connection = sqlite3.connect(
                self._uri,
                uri=True,
                timeout=self._wait_s,
                isolation_level=None,
                check_same_thread=False,
                factory=_Connection,
            )
            self._here.connection = connection
            self._connections.add(connection)
            if self.damage:
                connection.execute("PRAGMA writable_schema = ON")  # else a cut file is not read
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA cell_size_check = ON")
            if not self._read_only:
                connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}")
        return connection

    def _forget_connection(self) -> None:
        if self._here.connection is not None:
            self._here.connection.close()
            self._here.connection = None

    def _rows(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        try:
            connection = self._connection()
            with connection.busy:
                return connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) in faults.SYNC_FAILED:
                self._fault = str(error)
            known = _translated(error, self.path, self._wait_s)
            if known is None:
                raise
            raise known from error

    def _value(self, sql: str, values: Values = ()) -> Any:
        rows = self._rows(sql, values)
        return rows[0][0] if rows else None

    # Transactions

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All inside happens or nothing does; an inner one that fails undoes its own part."""
        here, depth = self._here, self._here.depth
        if depth:
            self._demand_open()
            self._rows(f"SAVEPOINT inner_{depth}")
        else:
            self._demand_writable()
            self._rows("BEGIN IMMEDIATE")
        here.depth = depth + 1
        try:
            if not depth:
                self._demand_unmoved()
            yield
            self._rows(f"RELEASE inner_{depth}" if depth else "COMMIT")
        except BaseException:
            self._undo(depth)
            raise
        finally:
            here.depth = depth

    def _undo(self, depth: int) -> None:
        if not self._connection().in_transaction:  # SQLite undid all of it itself
            return
        if depth:
            self._rows(f"ROLLBACK TO inner_{depth}")
            self._rows(f"RELEASE inner_{depth}")
        else:
            self._rows("ROLLBACK")
            self._known = set(self._indexes)

    @contextmanager
    def _joined(self) -> Iterator[None]:
        """Be part of the transaction under way, or make one."""
        if self._here.depth:
            self._demand_open()
            yield
        else:
            with self.transaction():
                yield

    @contextmanager
    def _one_view(self) -> Iterator[None]:
        """Let several reads see one state."""
        if self._here.depth:
            yield
            return
        self._rows("BEGIN")
        try:
            yield
        finally:
            if self._connection().in_transaction:
                self._rows("ROLLBACK")

    def _demand_open(self) -> None:
        if not self._connection().in_transaction:
            raise StoreFaultError(
                f"The transaction on {self.path} was ended by a failure; nothing was written.",
                advice="Repeat the whole change.",
            )

    def _demand_writable(self) -> None:
        if self.damage:
            raise faults.damaged(str(self.path), self.damage)
        if self._read_only:
            raise StoreRefusedError(
                f"{self.path} is open for reading only; nothing was written.",
                advice="Leave out --read-only to write.",
            )
        if self._fault:
            raise StoreFaultError(
                f"The disk of {self.path} failed ({self._fault}), so what was last written may be"
                " lost; nothing more is written.",
                advice="Check the disk, open the store again and run `quarterdeck store verify`.",
            )

    def _demand_unmoved(self) -> None:
        """Refuse to write to a file that is no longer the one at our path."""
        try:
            found: tuple[int, int] | None = self._stat()
        except FileNotFoundError:
            found = None
        if found != self._identity:
            raise StoreRefusedError(
                f"{self.path} was {'exchanged' if found else 'taken away'} while it was open;"
                " nothing was written.",
                advice="Open the store again.",
            )

    def integrity(self) -> list[str]:
        """Return what SQLite's own check finds wrong; empty if all is well."""
        found = [str(text) for (text,) in self._rows("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy to `target`, a new file, while others go on writing."""
        copy = sqlite3.connect(target, isolation_level=None)
        try:
            connection = self._connection()
            with connection.busy:
                connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        except sqlite3.Error as error:
            known = _translated(error, target, self._wait_s)
            if known is None:
                raise
            raise known from error
        finally:
            copy.close()

    def close(self) -> None:
        """End this thread's and all other connections; one that stays at work is left to its thread."""
        self._closed = True
        for connection in list(self._connections):
            if connection.busy.acquire(timeout=_CLOSE_WAIT_S):
                connection.close()
                connection.busy.release()
        self._here = _Here()
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None


def _translated(error: sqlite3.Error, path: Path, wait_s: float) -> QuarterdeckError | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # not SQLite's, but Python's; of these only a text that is none can happen
        return faults.damaged(str(path), str(error)) if "decode" in str(error) else None
    holder = locks.holder(path) if code & 0xFF in (faults.BUSY, faults.LOCKED) else ""
    return faults.translate(code, str(error), path=str(path), holder=holder, wait_s=wait_s)
