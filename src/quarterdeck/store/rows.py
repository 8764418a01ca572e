"""What both backends share: compare-and-set, conditions, the order of values. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from quarterdeck.model.codec import to_document
from quarterdeck.model.errors import ConflictError, StaleError
from quarterdeck.model.ids import Rev
from quarterdeck.model.instants import format_instant
from quarterdeck.ports.store import Ids, Where
from quarterdeck.store import faults, sums
from quarterdeck.store.indexes import Indexes, declared, noun

if TYPE_CHECKING:
    from datetime import datetime

Scalar = str | int | float | None
SPLIT_MOST = 20  # an `in` of more values is not read value by value


class Stored(NamedTuple):
    """A row as it stands in the file, or the record that it was deleted: that has no body."""

    rev: int
    by: str
    at: str
    seq: int
    body: str | None
    sha256: str = ""

    def hashed(self, table: str, key: str) -> str:
        """Return the hash that it should carry."""
        if self.body is None:
            return sums.of_gone(table, key, self.rev, self.by, self.at, self.seq)
        return sums.of_row(table, key, self.rev, self.by, self.at, self.seq, self.body)

    def flaw(self, table: str, key: str) -> str:
        """Return in words that it is not as it was written; empty if it is."""
        return sums.altered(self.hashed(table, key), self.sha256)

    def demand_sound(self, table: str, key: str) -> None:
        """Raise DamagedDocumentError, with both hashes, if it is not as it was written."""
        if what := self.flaw(table, key):
            raise faults.altered(f"{table}/{key}", what)


def stored(  # a row
    table: str, key: str, rev: Rev, by: str, at: datetime, seq: int, body: str | None
) -> Stored:
    """Return the row, or the record of its deletion, as it is written, with its hash."""
    row = Stored(rev, writable(by), format_instant(at), seq, body)
    return row._replace(sha256=row.hashed(table, key))


def next_rev(
    table: str,
    id: str,  # the design's word
    seen: Rev | None,
    now: Stored | None,
    gone: Stored | None,
) -> Rev:
    """Return the revision that a write of the row seen at `seen` gets.

    `now` is the row as it stands, `gone` its deletion. A row made again goes on counting, so that
    nobody who saw the first one takes the second for it. The error says who wrote meanwhile.
    """
    what = f"{noun(table)} {id}"
    if seen is None:
        if now is not None:
            raise ConflictError(
                f"{what} exists already: {now.by} wrote it at {now.at} (revision {now.rev}).",
                advice="Read it, then change it.",
                conflict={"actor": now.by, "at": now.at, "rev": now.rev},
            )
        return Rev(gone.rev + 1 if gone else 1)
    if now is None:
        by = f"was deleted by {gone.by} at {gone.at}" if gone else "is not there"
        raise ConflictError(
            f"{what} {by}.",
            advice="Make it anew if it is still wanted.",
            conflict={"actor": gone.by, "at": gone.at, "rev": None} if gone else None,
        )
    if now.rev != seen:
        raise StaleError(what, actor=now.by, at=now.at, rev=now.rev)
    return Rev(seen + 1)


def check_fields(indexes: Indexes, table: str, where: Sequence[Where], order: str = "id") -> None:
    """Raise ValueError for a field of `where` or `order` that `table` does not declare."""
    known = ("id", *declared(indexes, table))
    for condition in single(where):
        if isinstance(condition.value, Ids):
            check_fields(indexes, condition.value.table, condition.value.where)
    for field in (*(condition.field for condition in single(where)), order):
        if field not in known:
            raise ValueError(f"{table} declares no field {field}; declared: {', '.join(known)}")


def single(where: Iterable[Where]) -> Iterator[Where]:
    """Yield each condition, those inside of an `any` one by one."""
    for condition in where:
        if condition.op == "any":
            yield from single(condition.value)
        else:
            yield condition


def comparable(value: Any) -> Scalar:
    """Return a condition's or field's value as the database compares it."""
    plain = to_document(value)
    if isinstance(plain, bool):
        return int(plain)
    if isinstance(plain, str):
        return writable(plain)
    if plain is None or isinstance(plain, (int, float)):
        return plain
    raise ValueError(f"{value!r} cannot be compared with a field")


def writable(text: str) -> str:
    """Return `text` with what UTF-8 cannot write (lone surrogates) as question marks."""
    return text.encode("utf-8", "replace").decode()


def values(condition: Where) -> list[Scalar]:
    """Return the values of an `in`, each once."""
    return list(dict.fromkeys(comparable(value) for value in condition.value))


def texts(condition: Where) -> list[str]:
    """Return the texts of a `contains`, each once; anything but a text is a ValueError."""
    for value in condition.value:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is no text that {condition.field} could contain")  # noqa: TRY004  # as for any other condition that cannot be
    return list(dict.fromkeys(map(writable, condition.value)))


def sort_key(value: Scalar) -> tuple[int, float | str]:
    """Return a key that orders values as SQLite does: nothing, numbers, texts."""
    if value is None:
        return (0, 0)
    return (2, value) if isinstance(value, str) else (1, value)
