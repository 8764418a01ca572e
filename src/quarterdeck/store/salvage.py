"""What can be read of a damaged database: an image of it with its log laid over, gone through row by row.

Nothing here writes to the database itself; what becomes of the rows is `repair`'s.
"""
# ruff: noqa: S608  # the names in these statements come from `schema`, which checks them

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from quarterdeck.model.errors import StoreRefusedError
from quarterdeck.store import guard, pages, scan, schema, sums, walfile
from quarterdeck.store.indexes import FORMAT, INDEXES
from quarterdeck.store.scan import RawRow
from quarterdeck.store.sums import Totals

_BEYOND: Final = 2_000  # row numbers that are tried behind the last one that is known
# A row number above it is tried if an index knows it, and not all before it.
_LIKELY: Final = 1_000_000
_INDEX: Final = re.compile("sqlite_autoindex_t_[a-z0-9_]+_1|t_[a-z0-9_]+_seq")
_KINDS: Final = frozenset({"table", "index", "trigger", "view"})
_LISTED: Final = ("type", "name", "tbl_name", "rootpage", "sql")  # of a row of `sqlite_schema`
# What a header says but for the length: https://www.sqlite.org/fileformat2.html#the_database_header
_FIELDS: Final = {
    16: (">H", pages.SIZE), 18: ("B", 1), 19: ("B", 1), 21: ("B", 64), 22: ("B", 32), 23: ("B", 32),
    24: (">I", 1), 44: (">I", 4), 56: (">I", 1), 92: (">I", 1),
}  # fmt: skip


class Image:
    """A copy of a damaged database that lies still.

    Its tables are those that are known by where they begin, and the homeless ones: declared, but not among them.
    """

    def __init__(self, path: Path, tables: set[str], format_: int) -> None:
        self.path = path
        self.format = format_
        self._homeless = set(INDEXES) - tables if format_ == FORMAT else set()
        self.tables = sorted(tables | self._homeless)
        self._connection = sqlite3.connect(
            path.as_uri() + "?mode=ro&immutable=1", uri=True, isolation_level=None
        )

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows; sqlite3.Error where the damage is in the way."""
        return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def totals(self) -> Totals | None:
        """Return the sum of the rows as it was written; None if it cannot be read, or there is none yet."""
        try:
            found = self.execute("SELECT store, seq, total, history FROM totals")
            (store, seq, total, history) = found[0]
            read = Totals(str(store), int(seq), sums.number(total), str(history))
        except (sqlite3.Error, LookupError, ValueError, TypeError):
            return None
        return read if not read.flaw() else None

    # --- rows

    def rows(self, table: str) -> Iterator[RawRow]:
        """Yield every row of the table that can be read at all, sound or not; some may come twice.

        Of a homeless table only what is sound: nothing else tells whose a record is. Some may be older ones.
        """
        if table in self._homeless:
            yield from (row for row in self._everywhere(table) if not row.flaw)
            return
        name, seen = schema.sql_name(table), set[int]()
        columns = scan.COLUMNS if self.format == FORMAT else scan.OLD_COLUMNS
        try:
            sql = f"SELECT rowid, {columns} FROM {name} ORDER BY rowid"
            for number, *values in self._connection.execute(sql):
                seen.add(number)
                yield RawRow(table, *values)
        except sqlite3.Error:
            sql = f"SELECT {columns} FROM {name} WHERE rowid = ?"
            for number in self._others(name, seen):  # on the way to one row less is read
                for values in self._as_far(sql, number):
                    yield RawRow(table, *values)

    def _others(self, name: str, seen: set[int]) -> Iterator[int]:
        """Yield the row numbers that are worth a try: a damaged one may say anything, so not all up to it are."""
        known = set[int]()
        for order in ("id", "seq", "rowid DESC"):
            known.update(
                one for (one,) in self._as_far(f"SELECT rowid FROM {name} ORDER BY {order}")
            )
        last = max((one for one in (*known, *seen) if one <= _LIKELY), default=0)
        yield from (one for one in range(1, last + _BEYOND + 1) if one not in seen)
        yield from sorted(one for one in known - seen if one > last + _BEYOND)

    def _as_far(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Yield rows up to where the damage is in the way."""
        with suppress(sqlite3.Error):
            yield from self._connection.execute(sql, values)

    def stray(self, table: str, ids: Collection[str]) -> Iterator[RawRow]:
        """Yield rows that no way leads to any more, of those that an index knows as they were last written."""
        if not ids:
            return
        wanted = self._last_changes(schema.sql_name(table), ids)
        for row in self._everywhere(table):
            if wanted.get(scan.text(row.id)) == row.seq:
                yield row

    def _everywhere(self, table: str) -> Iterator[RawRow]:
        """Yield the records of all pages as if they were rows of this table: only their hash tells which are."""
        with self.path.open("rb") as file:
            for page in iter(lambda: file.read(pages.SIZE), b""):
                at = file.tell()
                for record in pages.records(page, more=lambda number: _page(file, number)):
                    if len(record) >= len(scan.ROW) - 1:
                        yield _raw(table, record)
                file.seek(at)

    def _last_changes(self, name: str, ids: Collection[str]) -> dict[str, int]:
        """Return the last change of each of these rows: two indexes know it by the row's number."""
        found = dict(self._as_far(f"SELECT rowid, id FROM {name} ORDER BY id"))
        changes = dict(self._as_far(f"SELECT rowid, seq FROM {name} ORDER BY seq"))
        return {id_: changes[row] for row, id_ in found.items() if id_ in ids and row in changes}

    def gone(self) -> Iterator[RawRow]:
        """Yield the records of what was deleted, as far as they can be read."""
        if self.format < FORMAT:
            return
        for one in self._as_far(f"SELECT {scan.GONE} FROM gone"):
            yield scan.deletion(*one)

    def ids(self, table: str) -> set[str]:
        """Return the ids that an index still knows."""
        name = schema.sql_name(table)
        sql = (
            f"SELECT CAST(id AS BLOB) FROM {name} WHERE typeof(id) IN ('text', 'blob') ORDER BY id"
        )
        return {
            scan.text(one)
            for order in ("ASC", "DESC")
            for (one,) in self._as_far(f"{sql} {order}")
        }


def _page(file: BinaryIO, number: int) -> bytes:
    if number < 1:
        return b""  # a damaged record goes on nowhere
    file.seek((number - 1) * pages.SIZE)
    return file.read(pages.SIZE)


def _raw(table: str, record: Sequence[Any]) -> RawRow:
    """Return the record of a row of documents as it would have been selected: any value may be of any type."""
    id_, rev, by, at, seq, body, *more = record
    texts: list[Any] = [  # as CAST AS BLOB gives them
        one if one is None or isinstance(one, bytes) else str(one).encode()
        for one in (id_, by, at, body)
    ]
    id_, by, at, body = texts
    return RawRow(table, id_, rev, by, at, seq, body, more[0] if more else None)


def flaw(row: RawRow, *, has_hash: bool) -> str:
    """Return why a row cannot be kept; empty if it can."""
    if has_hash:
        return row.flaw
    try:
        body = json.loads((row.body or b"").decode())
        id_, _, _ = (one.decode() for one in (row.id, row.by, row.at))
        is_own = isinstance(body, dict) and (row.table not in INDEXES or body.get("id") == id_)
        is_whole = is_own and type(row.rev) is type(row.seq) is int
    except (ValueError, AttributeError):
        is_whole = False
    return "" if is_whole else "cannot be read"


def make_image(database: Path, target: Path) -> Image:
    """Make the image of the database and the log beside it in the new file `target`.

    Its list of tables is made anew: where each of them begins is all that is taken of it.
    """
    log = database.with_name(f"{database.name}-wal")
    content = log.read_bytes() if log.exists() else b""
    if database.exists():
        shutil.copyfile(database, target)
    else:
        target.touch(mode=0o600)
    target.chmod(0o600)
    walfile.lay_over(target, content, pages.SIZE)
    roots, count = _roots(target)
    tables = {name[2:] for kind, name in roots if kind == "table" and name.startswith("t_")}
    if not tables:
        raise StoreRefusedError(
            "No table of a store can be found in the database; nothing was changed.",
            advice=guard.RESTORE,
        )
    with target.open("r+b") as file:
        is_new = ("table", "totals") in roots or _says(file.read(100), FORMAT)
        format_ = FORMAT if is_new else 1
        file.truncate(count * pages.SIZE)
        file.seek(0)
        file.write(pages.first_page(_header(count), list(_schema(roots, format_))))
    return Image(target, tables, format_)


def _roots(path: Path) -> tuple[dict[tuple[str, str], int], int]:
    """Return where tables and indexes begin, by kind and name, and how many pages there are.

    Every page is looked at: the list of tables may be damaged on the way to its rows.
    """
    found: dict[tuple[str, str], int] = {}
    count = 0
    with path.open("rb") as file:
        while page := file.read(pages.SIZE):
            count += 1
            page = page.ljust(pages.SIZE, b"\0")
            for record in pages.records(page, 100 if count == 1 else 0):
                if len(record) == len(_LISTED):
                    kind, name = _named(*map(str, record[:3]))
                    if name and isinstance(record[3], int):
                        found[kind, name] = record[3]
    return {key: root for key, root in found.items() if 1 < root <= count}, count


def _named(kind: str, name: str, table: str) -> tuple[str, str]:
    """Return kind and name of a table or index that rows are read by; an empty name for another.

    A table is named twice; where the word of its kind is damaged, that tells what it is.
    """
    if kind not in _KINDS:
        kind = "table" if name == table else "index"
    if kind != "table":
        return kind, name if kind == "index" and _INDEX.fullmatch(name) else ""
    declared = {"gone", "totals", *map(schema.sql_name, INDEXES)}
    for one in (name, table):
        if one in declared:
            return "table", one
    is_table = name == table and re.fullmatch("t_[a-z_][a-z0-9_]*", name)
    return "table", name if is_table else ""


def _schema(
    roots: Mapping[tuple[str, str], int], format_: int
) -> Iterator[tuple[str, str, str, int, str]]:
    """Yield the rows of the list of tables: each with the two indexes that its rows can be found by."""
    columns = "id, rev, by, at, seq, body" + (", sha256" if format_ == FORMAT else "")
    for (kind, name), root in roots.items():
        if kind == "index":
            continue
        if name == "totals":
            yield "table", name, name, root, f"CREATE TABLE {name} (store, seq, total, history)"
        elif name == "gone":
            key = "PRIMARY KEY (tbl, id)) WITHOUT ROWID"
            sql = f"CREATE TABLE gone (tbl, id, rev, by, at, seq, sha256, {key}"
            yield "table", name, name, root, sql
        else:
            yield "table", name, name, root, f"CREATE TABLE {name} ({columns})"
            for index, column in ((f"sqlite_autoindex_{name}_1", "id"), (f"{name}_seq", "seq")):
                if ("index", index) in roots:
                    sql = f"CREATE INDEX {name}_{column} ON {name} ({column})"
                    yield "index", f"{name}_{column}", name, roots["index", index], sql


def _says(header: bytes, format_: int) -> bool:
    """Whether a database says in its header that it is of this format (PRAGMA user_version)."""
    return header[60:64] == struct.pack(">I", format_)


def _header(count: int) -> bytes:
    """Return the header of a database of ours without a log, of so many pages."""
    header = bytearray(100)
    header[:16] = b"SQLite format 3\0"
    for at, (shape, value) in _FIELDS.items():
        struct.pack_into(shape, header, at, value)
    struct.pack_into(">I", header, 28, count)
    return bytes(header)
