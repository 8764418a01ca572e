"""The backend in memory, with the promises of the one over SQLite but for durability; for tests."""

from __future__ import annotations

import json
import operator
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quarterdeck.model.errors import ConflictError, NotFoundError
from quarterdeck.model.ids import Rev
from quarterdeck.model.instants import parse_instant
from quarterdeck.model.limits import LOCK_WAIT_S
from quarterdeck.ports.store import Change, Finding, Ids, Row, Where
from quarterdeck.store import standings
from quarterdeck.store.indexes import INDEXES, Indexes
from quarterdeck.store.rows import (
    Scalar,
    Stored,
    check_fields,
    comparable,
    next_rev,
    sort_key,
    stored,
    texts,
    values,
    writable,
)

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(slots=True)
class _State:
    """All rows; a transaction works on a copy, which takes the place of the first at its end."""

    tables: dict[str, dict[str, Stored]]
    gone: dict[tuple[str, str], Stored] = field(default_factory=dict)
    seq: int = 0

    def copy(self) -> _State:
        tables = {table: dict(rows) for table, rows in self.tables.items()}
        return _State(tables, dict(self.gone), self.seq)


class _Here(threading.local):
    """The states of this thread's transactions, the innermost last."""

    def __init__(self) -> None:
        self.states: list[_State] = []


class MemoryBackend:
    """Rows in dictionaries; see `ports.store.Backend`."""

    def __init__(self, indexes: Indexes = INDEXES, *, wait_s: float = LOCK_WAIT_S) -> None:
        self._indexes = indexes
        self._wait_s = wait_s
        self._committed = _State({table: {} for table in indexes})
        self._here = _Here()
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All inside happens or nothing does; an inner one that fails undoes its own part."""
        if not self._lock.acquire(timeout=self._wait_s):
            raise ConflictError(
                "The store is being written by another thread of this process;"
                f" gave up after {self._wait_s:g} s.",
                advice="Nothing was written. Try again.",
            )
        states = self._here.states
        try:
            states.append(self._state.copy())
            try:
                yield
            except BaseException:
                states.pop()
                raise
            done = states.pop()
            if states:
                states[-1] = done
            else:
                self._committed = done
        finally:
            self._lock.release()

    @contextmanager
    def one_view(self) -> Iterator[None]:
        """Let several reads see one state."""
        self._here.states.append(self._state)
        try:
            yield
        finally:
            self._here.states.pop()

    @property
    def _state(self) -> _State:
        return self._here.states[-1] if self._here.states else self._committed

    def get(self, table: str, id: str, *, sound: bool = False) -> Row | None:  # the design's word
        """Return the row, or None; with `sound`, DamagedDocumentError for one that is not as it was written."""
        kept = self._state.tables.get(table, {}).get(id)
        if kept is not None and sound:
            kept.demand_sound(table, writable(id))
        return _row(id, kept) if kept else None

    def unsound(self, table: str, ids: Sequence[str]) -> list[Finding]:
        """Return those of these rows that are not as they were written, with both hashes."""
        rows = self._state.tables.get(table, {})
        flaws = ((id_, rows[id_].flaw(table, writable(id_))) for id_ in ids if id_ in rows)
        return [Finding(f"{table}/{id_}", what) for id_, what in flaws if what]

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
        text = json.dumps(dict(body), allow_nan=False)
        with self.transaction():
            state = self._state
            rows = state.tables.setdefault(table, {})
            rev = self._next_rev(state, table, id, seen)
            state.gone.pop((table, id), None)
            state.seq += 1
            rows[id] = stored(table, writable(id), rev, by, at, state.seq, text)
            if standings.is_source(self._indexes, table):
                standings.follow(self, table, Row(id, rev, body, by, at))
        return rev

    def delete(self, table: str, id: str, *, seen: Rev, by: str, at: datetime) -> None:
        """Remove the row seen at `seen`."""
        with self.transaction():
            state = self._state
            rev = self._next_rev(state, table, id, seen)
            last = _row(id, state.tables[table][id])
            del state.tables[table][id]
            state.seq += 1
            state.gone[table, id] = stored(table, writable(id), rev, by, at, state.seq, None)
            if standings.is_source(self._indexes, table):
                standings.follow(self, table, last._replace(by=by, at=at), is_gone=True)

    @staticmethod
    def _next_rev(state: _State, table: str, key: str, seen: Rev | None) -> Rev:
        now, gone = state.tables.get(table, {}).get(key), state.gone.get((table, key))
        rev = next_rev(table, key, seen, now, gone)
        before = now or gone
        if before is not None:
            before.demand_sound(table, writable(key))
        return rev

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
        flawed: bool = False,  # no row is, here
    ) -> list[Row]:
        """Return a page; NotFoundError if `after` is gone and `order` needs it."""
        check_fields(self._indexes, table, where, order)
        rows = self._state.tables.get(table, {})

        def place(row: Row) -> tuple[tuple[int, float | str], str]:
            return sort_key(_value(row, order)), row.id

        behind = None
        if after is not None:
            last = _row(after, rows[after]) if after in rows else None
            if last is None and order != "id":
                raise NotFoundError(
                    f"{after} is not there any more, so the list cannot go on behind it.",
                    advice="List from the start.",
                )
            behind = place(last) if last else (sort_key(after), after)
        found = sorted(self._matching(table, where), key=place, reverse=descending)
        if behind is not None:
            found = [
                row
                for row in found
                if (place(row) < behind if descending else place(row) > behind)
            ]
        return found[offset : offset + limit]

    def _matching(self, table: str, where: Sequence[Where]) -> list[Row]:
        rows = (_row(id_, kept) for id_, kept in self._state.tables.get(table, {}).items())
        meant = [self._listed(condition) for condition in where]
        return [row for row in rows if all(_holds(row, condition) for condition in meant)]

    def _listed(self, condition: Where) -> Where:
        """Return the condition with its `Ids` read."""
        if condition.op == "any":
            return condition._replace(value=[self._listed(one) for one in condition.value])
        if isinstance(condition.value, Ids):
            found = self._matching(condition.value.table, condition.value.where)
            return condition._replace(value=[row.id for row in found])
        return condition

    def scan(self, table: str) -> Iterator[Row]:
        """Yield every row by id."""
        for id_, kept in sorted(self._state.tables.get(table, {}).items()):
            yield _row(id_, kept)

    def count(self, table: str, where: Sequence[Where] = ()) -> int:
        """Return how many rows match."""
        check_fields(self._indexes, table, where)
        return len(self._matching(table, where))

    def changes(self, since: int, limit: int = 1_000) -> list[Change]:
        """Return the last change of each row that changed after `since`, oldest first."""
        state = self._state
        found = [
            Change(kept.seq, table, id_, Rev(kept.rev), kept.by)
            for table, rows in state.tables.items()
            for id_, kept in rows.items()
        ]
        found += [
            Change(kept.seq, table, id_, None, kept.by)
            for (table, id_), kept in state.gone.items()
        ]
        newer = [change for change in found if change.seq > since]
        return sorted(newer, key=lambda change: change.seq)[:limit]

    def last_change(self) -> int:
        """Return the number of the newest change; 0 for none."""
        return self._state.seq

    def keeps_standings(self) -> bool:
        """Return true: they are kept from the first row on."""
        return standings.TABLE in self._indexes

    def tables(self) -> list[str]:
        """Return the declared tables and those that were written to."""
        return sorted(self._state.tables)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def _row(key: str, kept: Stored) -> Row:
    return Row(key, Rev(kept.rev), json.loads(kept.body or ""), kept.by, parse_instant(kept.at))


def _value(row: Row, name: str) -> Scalar:
    value = row.id if name == "id" else row.body.get(name)
    if isinstance(value, (list, dict)):
        return json.dumps(value, separators=(",", ":"))
    return comparable(value)


def _holds(row: Row, condition: Where) -> bool:
    if condition.op == "any":
        return any(_holds(row, one) for one in condition.value)
    value = _value(row, condition.field)
    if condition.op == "contains":
        return isinstance(value, str) and any(text in value for text in texts(condition))
    if condition.op == "in":
        return value is not None and value in values(condition)
    wanted = comparable(condition.value)
    if wanted is None:
        return (value is None) == (condition.op == "=") if condition.op in ("=", "!=") else False
    if value is None:
        return False
    if condition.op in ("=", "!="):
        return (value == wanted) == (condition.op == "=")
    return _COMPARE[condition.op](sort_key(value), sort_key(wanted))
