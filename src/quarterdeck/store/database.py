"""One database: opening it, transactions, and what its head and its rows' sums say.

Statements about documents are `sqlite`'s, connections and SQLite's errors `connections`'.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.errors import StoreFaultError, StoreRefusedError
from quarterdeck.model.limits import LOCK_WAIT_S
from quarterdeck.store import connections, faults, head, schema, sums
from quarterdeck.store.acknowledging import Acknowledging
from quarterdeck.store.connections import Connections, Values
from quarterdeck.store.indexes import APPLICATION_ID, FORMAT, INDEXES, Indexes

if TYPE_CHECKING:
    from quarterdeck.store.head import Head, Mark
    from quarterdeck.store.sums import Totals

_LOOKED_THROUGH: Final = 4 * 1024 * 1024  # bytes; about 1 ms for each million


class _Here(threading.local):
    """How deep this thread stands in transactions, and what the rows add up to in this one."""

    depth: int = 0
    totals: Totals | None = None  # once something was written


class Database:
    """A database in WAL mode with synchronous=FULL; one connection per thread.

    Opening never makes a file. `damage` names what is wrong with a database that could be opened for reading all
    the same; for writing it is refused. `read_only` also reads where no file can be made beside the database. With
    a `head` it is held against that, and keeps it. One of an older `format` is opened as it is; `migrations`
    brings it up to date before it is written.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        indexes: Indexes = INDEXES,
        wait_s: float = LOCK_WAIT_S,
        head: Head | None = None,
    ) -> None:
        self.path = path.absolute()
        self._text = str(self.path)
        self.damage = ""
        self.format = FORMAT
        self._head = Acknowledging(head, self.path) if head is not None else None
        self._read_only = read_only
        self._indexes = indexes
        uri = self.path.as_uri() + f"?mode={'ro' if read_only else 'rw'}"
        self._sql = Connections(self.path, uri, read_only=read_only, wait_s=wait_s)
        self._here = _Here()
        self._there: Indexes = {}  # those that the database is known to have
        self._known = set(indexes)
        try:
            self._open()
        except BaseException:
            self._sql.close_and_keep_log()
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
            self._sql.forget()
            if code in (faults.CANTOPEN, faults.READONLY):
                self._sql.read_aside()
            elif "damage" in error.facts:
                self.damage = error.facts["damage"]
                self._sql.tolerant = True
            else:
                raise
            self._check_header()
        self._look_inside()
        self._hold_against_head()
        self._identity = self._stat()
        if self.format == FORMAT and not self._read_only:
            self.upgrade()
        elif not self.damage and self.is_current():
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
        self._damaged(" ".join(found.splitlines()[-1].split()))

    def _damaged(self, what: str) -> None:
        """Take note of damage; for writing, refuse to open."""
        self.damage = what
        if not self._read_only:
            raise faults.damaged(str(self.path), what)

    def _hold_against_head(self) -> None:
        """Look whether all is there that was acknowledged, and bring a head that is behind up to date."""
        if self._head is None or self.damage:
            return
        what = self.unlike_head()
        if not what and self.format == FORMAT and not self._read_only:
            what = self._head.catch_up(head.mark_of(self.read_totals()))
        if what:
            self._damaged(what)

    def unlike_head(self) -> str:
        """Return in words why all that was acknowledged cannot be there; empty if it may be."""
        if self._head is None:
            return ""
        if self.format < FORMAT:
            return self._head.unlike_old(self.last_change)
        return self._head.unlike(self.read_totals)

    def _check_header(self) -> None:
        """Refuse what is not ours, newer or damaged where a first look sees it."""
        application = self._value("PRAGMA application_id")
        if application != APPLICATION_ID:
            raise StoreRefusedError(
                f"{self.path} is no Quarterdeck database.",
                advice="Name a folder that `quarterdeck init` made.",
            )
        self.format = self.read_format()
        if self.format > FORMAT:
            raise StoreRefusedError(
                f"{self.path} was written by a newer version (format {self.format}, here {FORMAT}).",
                advice="Use that version of Quarterdeck; nothing was changed.",
            )
        if self.format < 1:
            raise faults.damaged(str(self.path), f"its format is {self.format}; the first was 1")
        if not self.damage:
            self.last_change()

    def read_format(self) -> int:
        """Return the format that the database has now."""
        return int(self._value("PRAGMA user_version"))

    def upgrade(self) -> None:
        """Add declared fields and indexes that the database does not have yet."""
        if self.is_current():
            self._there = self._indexes
            return
        wanted = schema.fingerprint(self._indexes)
        with self.transaction():
            for table in self._indexes:
                self._make_table(table)
            self._refill()
            self._rows("REPLACE INTO meta VALUES ('indexes', ?)", (wanted,))
            self.note_schema()
        self._there = self._indexes

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

    def note_schema(self) -> None:
        """Keep the hash of the statements that made tables and indexes, for `verify`."""
        self._rows("REPLACE INTO meta VALUES ('schema', ?)", (self._schema_hash(),))

    def _schema_hash(self) -> str:
        return connections.schema_hash(self._rows(connections.SCHEMA))

    def _stat(self) -> tuple[int, int]:
        found = os.stat(self._text)  # noqa: PTH116  # twice as fast, once for each transaction
        return found.st_dev, found.st_ino

    # Statements

    def _rows(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        return self._sql.rows(sql, values)

    def execute(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows: for `migrations` and checks, which know the tables."""
        return self._rows(sql, values)

    def add_function(self, name: str, arguments: int, function: Callable[..., str]) -> None:
        """Let statements of this thread call `function`."""
        self._sql.add_function(name, arguments, function)

    def _value(self, sql: str, values: Values = ()) -> Any:
        rows = self._rows(sql, values)
        return rows[0][0] if rows else None

    # Transactions

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All inside happens or nothing does; an inner one that fails undoes its own part.

        It is acknowledged by returning: then the commit is durable, and so is the head.
        """
        here, depth, before = self._here, self._here.depth, self._here.totals
        if depth:
            self._demand_open()
            self._rows(f"SAVEPOINT inner_{depth}")
        else:
            self._demand_writable()
            self._rows("BEGIN IMMEDIATE")
        here.depth = depth + 1
        done: Mark | None = None
        try:
            if not depth:
                self._demand_unmoved()
            yield
            if not depth:
                done = self._seal()
            self._rows(f"RELEASE inner_{depth}" if depth else "COMMIT")
        except BaseException:
            here.totals = before
            self._undo(depth)
            raise
        finally:
            here.depth = depth
            if not depth:
                here.totals = None
        if done is not None and self._head is not None:
            self._head.acknowledge(done)

    def read_totals(self) -> Totals:
        """Return what the rows add up to, as it is committed."""
        found = self._rows("SELECT store, seq, total, history FROM totals")
        if len(found) != 1 or not isinstance(found[0][1], int):
            raise faults.damaged(str(self.path), "the sum of its rows is missing")
        store, seq, total, history = found[0]
        return sums.Totals(str(store), seq, sums.number(total), str(history))

    def _counting(self) -> Totals:
        """Return what the rows add up to in the transaction under way."""
        if self._here.totals is None:
            totals = self.read_totals()
            if self._head is not None:
                self._head.demand_reached(totals)
            self._here.totals = totals
        return self._here.totals

    def _seal(self) -> Mark | None:
        """Write what the rows add up to now and return the head's next mark; None if nothing was changed."""
        if self._here.totals is None:
            return None
        totals = self._here.totals.sealed()
        self.put_totals(totals)
        return head.mark_of(totals)

    def put_totals(self, totals: Totals) -> None:
        """Write the sums of all rows as they are given; but for `migrations` they come with each transaction."""
        self._rows(
            "UPDATE totals SET store = ?, seq = ?, total = ?, history = ?", totals.columns()
        )

    def last_change(self) -> int:
        """Return the number of the newest change; 0 for none."""
        if self._here.totals is not None:
            return self._here.totals.seq
        try:
            if self.format < FORMAT:
                return int(self._value("SELECT value FROM meta WHERE name = 'seq'"))
            return self.read_totals().seq
        except StoreRefusedError:
            if self.damage:
                return 0  # nothing follows in a database that nobody can write
            raise

    def _undo(self, depth: int) -> None:
        if not self._sql.in_transaction():  # SQLite undid all of it itself
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
    def one_view(self) -> Iterator[None]:
        """Let several reads see one state."""
        if self._here.depth or self._sql.in_transaction():
            yield
            return
        self._rows("BEGIN")
        try:
            yield
        finally:
            if self._sql.in_transaction():
                self._rows("ROLLBACK")

    def _demand_open(self) -> None:
        if not self._sql.in_transaction():
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
        if self._head is not None:
            self._head.demand_ready()
        if fault := self._sql.fault or (self._head and self._head.fault):
            raise StoreFaultError(
                f"The disk of {self.path} failed ({fault}), so what was last written may be"
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
        if self._head is not None and self.format == FORMAT:
            self._head.demand_in_place()

    def integrity(self) -> list[str]:
        """Return what SQLite's own check finds wrong, and where tables were changed; empty if all is well."""
        found = [str(text) for (text,) in self._rows("PRAGMA integrity_check(20)")]
        found = [] if found == ["ok"] else found
        if self.format == FORMAT:
            kept = self._value("SELECT value FROM meta WHERE name = 'schema'")
            if kept != self._schema_hash():
                found.append("its tables or indexes are not those that were made")
        return found

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy to `target`, a new file, while others go on writing."""
        self._sql.copy_to(target)

    def close(self) -> None:
        """End this thread's and all other connections; one that stays at work is left to its thread."""
        self._sql.close()
        self._here = _Here()
        if self._head is not None:
            self._head.close()
