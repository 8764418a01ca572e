"""The backend over SQLite: rows of documents.

What a page asks for is built in `select`; connections and transactions are `database`'s.
"""
# ruff: noqa: S608  # the names in these statements come from `schema`, which checks them

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.errors import NotFoundError, StoreRefusedError
from quarterdeck.model.ids import Rev
from quarterdeck.model.instants import format_instant, parse_instant
from quarterdeck.ports.store import Change, Finding, Row, Where
from quarterdeck.store import faults, schema, select, standings
from quarterdeck.store.database import Database
from quarterdeck.store.indexes import FORMAT
from quarterdeck.store.rows import (
    Scalar,
    Stored,
    check_fields,
    next_rev,
    sort_key,
    stored,
    writable,
)
from quarterdeck.store.select import Part

if TYPE_CHECKING:
    from quarterdeck.store.sums import Totals

_COLUMNS: Final = (
    "id, rev, CAST(body AS BLOB), by, at"  # bytes: what is no text harms its own row alone
)
Execute = Callable[[str, tuple[Scalar, ...]], list[tuple[Any, ...]]]
UNKNOWN: Final = datetime.min.replace(tzinfo=UTC)  # when a row was written that cannot be read
_SCAN: Final = 500  # rows read at once by a scan
_DEEP: Final = 5_000  # a window that lies deeper is read in one go, not value by value of an `in`


class SqliteBackend(Database):
    """Rows in one SQLite file; see `ports.store.Backend`."""

    def get(self, table: str, id: str, *, sound: bool = False) -> Row | None:  # the design's word
        """Return the row, or None; with `sound`, DamagedDocumentError for one that is not as it was written."""
        if not self._has(table):
            return None
        if sound and self.format == FORMAT:
            kept = self._stored(schema.sql_name(table), writable(id))
            if kept is None:
                return None
            kept.demand_sound(table, writable(id))
            return self._read_row(table, (id, kept.rev, kept.body, kept.by, kept.at))
        found = self._rows(
            f"SELECT {_COLUMNS} FROM {schema.sql_name(table)} WHERE id = ?", (writable(id),)
        )
        return self._read_row(table, found[0]) if found else None

    def unsound(self, table: str, ids: Sequence[str]) -> list[Finding]:
        """Return those of these rows that are not as they were written, with both hashes."""
        if self.format < FORMAT or not self._has(table):
            return []
        name, found = schema.sql_name(table), []
        for id_ in ids:
            key = writable(id_)
            kept = self._stored(name, key)
            if kept is not None and (what := kept.flaw(table, key)):
                found.append(Finding(f"{table}/{id_}", what))
        return found

    def put(
        self,
        table: str,
        id: str,
        body: Mapping[str, Any],
        *,
        seen: Rev | None,
        by: str,
        at: datetime,
    ) -> Rev:
        """Write the row seen at `seen`; a body that JSON cannot hold is a ValueError."""
        text = json.dumps(dict(body), separators=(",", ":"), allow_nan=False)
        name, key = schema.sql_name(table), writable(id)
        with self._joined():
            if not self._has(table):
                self._make_table(table)
                self.note_schema()
                self._known.add(table)
            now = self._stored(name, key)
            gone = None if now else self._gone(table, key)
            rev = next_rev(table, key, seen, now, gone)
            before = now or gone
            if before is not None:
                before.demand_sound(table, key)
            totals = self._counting()
            kept = stored(table, key, rev, by, at, totals.seq + 1, text)
            if now:
                self._rows(
                    f"UPDATE {name} SET rev=?, by=?, at=?, seq=?, body=?, sha256=? WHERE id=?",
                    (*kept, key),
                )
            else:
                self._rows(
                    f"INSERT INTO {name} (rev, by, at, seq, body, sha256, id)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*kept, key),
                )
            self._count(totals, kept, before)
            if gone:
                self._rows("DELETE FROM gone WHERE tbl = ? AND id = ?", (table, key))
            if standings.is_source(self._indexes, table):
                standings.follow(self, table, Row(id, rev, body, by, at))
        return rev

    def delete(self, table: str, id: str, *, seen: Rev, by: str, at: datetime) -> None:
        """Remove the row seen at `seen`."""
        name, key = schema.sql_name(table), writable(id)
        with self._joined():
            now = self._stored(name, key) if self._has(table) else None
            gone = None if now else self._gone(table, key)
            rev = next_rev(table, key, seen, now, gone)
            if now is None:  # `next_rev` refused it
                raise AssertionError(f"{table}/{key} was deleted, and is not there")
            now.demand_sound(table, key)
            is_source = standings.is_source(self._indexes, table)
            kept_last = (id, now.rev, now.body, now.by, now.at)
            last = self._read_row(table, kept_last) if is_source else None
            totals = self._counting()
            kept = stored(table, key, rev, by, at, totals.seq + 1, None)
            self._rows(f"DELETE FROM {name} WHERE id = ?", (key,))
            self._rows(
                "INSERT INTO gone (rev, by, at, seq, sha256, tbl, id) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (kept.rev, kept.by, kept.at, kept.seq, kept.sha256, table, key),
            )
            self._count(totals, kept, now)
            if last is not None:
                standings.follow(self, table, last._replace(by=by, at=at), is_gone=True)

    def was_deleted(self, table: str, id: str) -> bool:
        """Return whether there is a record that the row was deleted."""
        return self._gone(table, writable(id)) is not None

    def bury(self, table: str, id: str, *, by: str, at: datetime) -> None:
        """Keep a record that the row is gone, which is not there: it could not be saved. Its revision was less."""
        with self._joined():
            key = writable(id)
            before, totals = self._gone(table, key), self._counting()
            kept = stored(table, key, Rev(totals.seq), by, at, totals.seq + 1, None)
            self._rows(
                "REPLACE INTO gone (rev, by, at, seq, sha256, tbl, id) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (kept.rev, kept.by, kept.at, kept.seq, kept.sha256, table, key),
            )
            self._count(totals, kept, before)

    def page(  # noqa: PLR0913  # what a page is
        self,
        table: str,
        *,
        where: Sequence[Where] = (),
        order: str = "id",
        descending: bool = False,
        after: str | None = None,
        offset: int = 0,
        limit: int = 50,
        flawed: bool = False,
    ) -> list[Row]:
        """Return a page; NotFoundError if `after` is gone and `order` needs it."""
        check_fields(self._indexes, table, where, order)
        if not self._has(table):
            return []
        name = schema.sql_name(table)
        with self.one_view():
            start = None
            if after is not None and order != "id":
                start = self._start(name, order, after)
            parts = select.segments(order, descending=descending, after=after, start=start)
            ordering = select.ordering(order, descending=descending)
            is_deep = offset > 0 and offset + limit > _DEEP
            choices = [list(where)] if is_deep else select.alternatives(where)
            passed = offset if len(choices) == len(parts) == 1 else 0
            most = offset - passed + limit
            found = [
                row
                for choice in choices
                for row in self._read(
                    name + select.index_for(self._there, table, choice, order),
                    select.conditions(choice, order, indexes=self._there),
                    parts,
                    ordering,
                    (most, passed),
                    self._fields if flawed else self._rows,
                )
            ]
        found.sort(key=lambda row: (sort_key(row[0]), row[1]), reverse=descending)
        read = self._row if flawed else self._read_row
        return [read(table, row) for row in found[offset - passed : most]]

    def _start(self, name: str, order: str, after: str) -> Scalar:
        found = self._rows(
            f"SELECT {schema.column(order)} FROM {name} WHERE id = ?", (writable(after),)
        )
        if not found:
            raise NotFoundError(
                f"{after} is not there any more, so the list cannot go on behind it.",
                advice="List from the start.",
            )
        start: Scalar = found[0][0]
        return start

    def _read(
        self,
        name: str,
        chosen: Part,
        parts: Sequence[Part],
        ordering: str,
        window: tuple[int, int],
        execute: Execute,
    ) -> list[tuple[Any, ...]]:
        """Read `parts` one after the other until `window` (at most how many, behind how many) is full."""
        limit, passed = window
        field = ordering.split(" ", 1)[0]
        found: list[tuple[Any, ...]] = []
        for part in parts:
            sql = (
                f"SELECT {field}, {_COLUMNS} FROM {name} WHERE {chosen.clause} AND {part.clause}"
                f" ORDER BY {ordering} LIMIT ? OFFSET ?"
            )
            found += execute(sql, (*chosen.values, *part.values, limit - len(found), passed))
            if len(found) == limit:
                break
        return found

    def scan(self, table: str) -> Iterator[Row]:
        """Yield every row by id, a batch at a time."""
        after = ""
        while self._has(table):
            name = schema.sql_name(table)
            sql = f"SELECT {_COLUMNS} FROM {name} WHERE id > ? ORDER BY id LIMIT ?"
            found = self._rows(sql, (after, _SCAN))
            for row in found:
                yield self._read_row(table, row)
            if len(found) < _SCAN:
                return
            before, after = after, found[-1][0]
            if (
                not isinstance(after, str) or after <= before
            ):  # the next batch would be the same again and again
                raise faults.damaged(f"table {table}", "its rows are out of order")

    def count(self, table: str, where: Sequence[Where] = ()) -> int:
        """Return how many rows match."""
        check_fields(self._indexes, table, where)
        if not self._has(table):
            return 0
        chosen = select.conditions(where, indexes=self._there)
        of = schema.sql_name(table) + select.index_for(self._there, table, where)
        sql = f"SELECT count(*) FROM {of} WHERE {chosen.clause}"
        return int(self._fields(sql, chosen.values)[0][0])

    def _fields(self, sql: str, values: tuple[Scalar, ...]) -> list[tuple[Any, ...]]:
        """Run a statement over fields; where a row is no JSON, which an index may hide, it has none."""
        try:
            return self._rows(sql, values)
        except StoreRefusedError as error:
            if error.facts.get("damage") != faults.TORN[0]:
                raise
        return self._rows(select.guarded(sql), values)

    def changes(self, since: int, limit: int = 1_000) -> list[Change]:
        """Return the last change of each row that changed after `since`, oldest first."""
        found: list[tuple[Any, ...]] = []
        with self.one_view():
            for table in self.tables():
                found += self._rows(
                    f"SELECT seq, ?, id, rev, by FROM {schema.sql_name(table)} WHERE seq > ?"
                    " ORDER BY seq LIMIT ?",
                    (table, since, limit),
                )
            found += self._rows(
                "SELECT seq, tbl, id, NULL, by FROM gone WHERE seq > ? ORDER BY seq LIMIT ?",
                (since, limit),
            )
        return [Change(*row) for row in sorted(found)[:limit]]

    def tables(self) -> list[str]:
        """Return the declared tables and those that were written to."""
        found = self._rows(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 't_*'"
        )
        return sorted(name[2:] for (name,) in found)

    def _has(self, table: str) -> bool:
        if table in self._known:
            return True
        return bool(
            self._rows("SELECT 1 FROM sqlite_schema WHERE name = ?", (schema.sql_name(table),))
        )

    def _read_row(self, table: str, found: tuple[Any, ...]) -> Row:
        """Return the row; DamagedDocumentError for one that is no JSON."""
        row = self._row(table, found)
        if row.flaw:
            raise faults.altered(f"{table}/{row.id}", row.flaw)
        return row

    def _row(self, table: str, found: tuple[Any, ...]) -> Row:
        """Return the row, or with its flaw what is known of one that is no JSON."""
        id_, rev, body, by, at = found[-5:]
        try:
            return Row(id_, Rev(rev), dict(json.loads(body)), by, parse_instant(at))
        except (ValueError, TypeError, AttributeError) as error:
            altered = self.unsound(table, [id_])
            flaw = altered[0].what if altered else f"cannot be read ({error})"
            return Row(id_, Rev(rev), {}, by, UNKNOWN, flaw)

    def _stored(self, name: str, key: str) -> Stored | None:
        found = self._rows(
            f"SELECT rev, by, at, seq, CAST(body AS BLOB), sha256 FROM {name} WHERE id = ?", (key,)
        )
        if not found:
            return None
        rev, by, at, seq, body, sha256 = found[0]
        text = (body or b"").decode("utf-8", "surrogateescape")  # damage may leave none
        return Stored(rev, by, at, seq, text, sha256)

    def _gone(self, table: str, key: str) -> Stored | None:
        found = self._rows(
            "SELECT rev, by, at, seq, NULL, sha256 FROM gone WHERE tbl = ? AND id = ?",
            (table, key),
        )
        return Stored(*found[0]) if found else None

    def _count(self, totals: Totals, after: Stored, before: Stored | None) -> None:
        self._here.totals = totals.counted(after.sha256, before.sha256 if before else "")

    def keeps_standings(self) -> bool:
        """Return whether who wrote last kept them too."""
        return standings.TABLE in self._indexes and self.is_current()

    def _refill(self) -> None:
        if standings.TABLE in self._indexes:
            standings.fill(self, self)

    def newest(self) -> str:
        """Return when the newest change was made, as text; empty for none."""
        with self.one_view():
            last = self.last_change()
            for table in self.tables():
                sql = f"SELECT at FROM {schema.sql_name(table)} WHERE seq = ?"
                if found := self._rows(sql, (last,)):
                    return str(found[0][0])
            found = self._rows("SELECT at FROM gone WHERE seq = ?", (last,))
        return str(found[0][0]) if found else ""

    def written_since(self, table: str, at: datetime) -> int:
        """Return how many rows of `table` were last written at `at` or later; reads them all."""
        sql = f"SELECT count(*) FROM {schema.sql_name(table)} WHERE at >= ?"
        return int(self._value(sql, (format_instant(at),)))
