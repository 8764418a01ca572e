"""The rows of a database as bytes, in the order in which they lie there: for checking them and for saving them.

Reading them as documents is `sqlite`'s; here nothing is decoded, so that no damage stands in the way.
"""
# ruff: noqa: S608  # the names in these statements come from the database's own schema

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from quarterdeck.store import faults, schema, sums

Execute = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]

ROW: Final = (
    "id",
    "rev",
    "by",
    "at",
    "seq",
    "body",
    "sha256",
)  # the columns, in the order of the file
BATCH: Final = 500
OLD_COLUMNS: Final = (  # of format 1
    "CAST(id AS BLOB), rev, CAST(by AS BLOB), CAST(at AS BLOB), seq, CAST(body AS BLOB), NULL"
)
COLUMNS: Final = OLD_COLUMNS.replace("NULL", "sha256")
GONE: Final = "CAST(tbl AS BLOB), CAST(id AS BLOB), rev, CAST(by AS BLOB), CAST(at AS BLOB), seq, NULL, sha256"


class RawRow(NamedTuple):
    """A row of a table of documents, or the record that one was deleted: then `body` is None.

    Texts are bytes as they lie in the file, and any value may be of a type that it should not be.
    """

    table: str
    id: bytes
    rev: int
    by: bytes
    at: bytes
    seq: int
    body: bytes | None
    sha256: object

    @property
    def where(self) -> str:
        """Its name for people: table/id."""
        return f"{self.table}/{text(self.id)}"

    @property
    def hashed(self) -> str:
        """The hash that it should carry."""
        id_, by, at = map(_exactly, (self.id, self.by, self.at))
        if self.body is None:
            return sums.of_gone(self.table, id_, self.rev, by, at, self.seq)
        return sums.of_row(self.table, id_, self.rev, by, at, self.seq, _exactly(self.body))

    @property
    def flaw(self) -> str:
        """In words, that it is not as it was written; empty if it is."""
        return sums.altered(self.hashed, self.sha256)


def tables(execute: Execute) -> list[str]:
    """Return the tables of documents that the database has."""
    found = execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 't_*'", ())
    return sorted(str(name)[2:] for (name,) in found)


def rows(execute: Execute, table: str) -> Iterator[RawRow]:
    """Yield the rows of a table of documents in the order of the file, a batch at a time."""
    name, last = schema.sql_name(table), -(1 << 63)
    while True:
        found = execute(
            f"SELECT rowid, {COLUMNS} FROM {name} WHERE rowid > ? ORDER BY rowid LIMIT ?",
            (last, BATCH),
        )
        for one in found:
            yield RawRow(table, *one[1:])
        if len(found) < BATCH:
            return
        last = _behind(last, found[-1][0], table)


def gone(execute: Execute) -> Iterator[RawRow]:
    """Yield the records of what was deleted."""
    last: tuple[bytes, bytes] = (b"", b"")
    while True:
        found = execute(
            f"SELECT {GONE} FROM gone WHERE (tbl, id) > (CAST(? AS TEXT), CAST(? AS TEXT))"
            " ORDER BY tbl, id LIMIT ?",
            (*last, BATCH),
        )
        for one in found:
            yield deletion(*one)
        if len(found) < BATCH:
            return
        last = _behind(last, tuple(one or b"" for one in found[-1][:2]), "gone")


def deletion(table: bytes | None, *values: Any) -> RawRow:
    """Return the record of a deletion, from the columns `GONE`."""
    return RawRow(text(table), *values)


def _behind(last: Any, now: Any, table: str) -> Any:
    """Return where a batch ends: behind the one before, or the next would be the same again and again."""
    if now <= last:
        raise faults.damaged(f"table {table}", "its rows are out of order")
    return now


def _exactly(content: bytes | None) -> str:
    """Return bytes as a text that is written as the same bytes, whatever they are."""
    return (content or b"").decode("utf-8", "surrogateescape")


def text(content: object) -> str:
    """Return bytes of the file as a text to be shown or compared."""
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
