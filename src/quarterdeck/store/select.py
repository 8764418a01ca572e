"""The SQL of a page: conditions, order and where to go on. Running it is `sqlite`'s."""

# ruff: noqa: S608  # the names in these statements come from `schema`, which checks them

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from quarterdeck.ports.store import Ids, Where
from quarterdeck.store.indexes import Indexes
from quarterdeck.store.rows import SPLIT_MOST, Scalar, comparable, single, texts, values
from quarterdeck.store.schema import column, index_name, sql_name, with_id

BOUND_MOST = 100  # values of an `in` that are handed over one by one; more go as one JSON text
NONE: Indexes = {}
_FIELD = re.compile(r"\bf_\w+")
_INDEXED = re.compile(r" INDEXED BY \w+")
_OPERATORS = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class Part(NamedTuple):
    """A WHERE clause with its values; the parts of a page are read one after the other."""

    clause: str
    values: tuple[Scalar, ...]


def conditions(where: Sequence[Where], order: str = "", *, indexes: Indexes = NONE) -> Part:
    """Return the conditions joined by AND.

    With an `order`, a condition that does not fix one value may not choose the index (`+`): the
    then read in its order until it is full, never sorted. `indexes`
    are those that are there.
    """
    parts = [_part(condition, order, indexes) for condition in where]
    clause = " AND ".join(["1", *(part.clause for part in parts)])
    return Part(clause, tuple(value for part in parts for value in part.values))


def _part(condition: Where, order: str, indexes: Indexes) -> Part:
    if condition.op == "any":
        parts = [_part(one, order, indexes) for one in condition.value]
        clause = " OR ".join(["0", *(part.clause for part in parts)])
        return Part(f"({clause})", tuple(value for part in parts for value in part.values))
    name = column(condition.field)
    if condition.op == "contains":
        wanted = texts(condition)
        clause = " OR ".join(["0", *[f"instr({name}, ?)"] * len(wanted)])
        return Part(f"(typeof({name}) = 'text' AND ({clause}))", tuple(wanted))
    if isinstance(condition.value, Ids):
        table, inner = condition.value
        chosen = conditions(inner, indexes=indexes)
        of = sql_name(table) + index_for(indexes, table, inner)
        name = f"+{name}" if order else name
        return Part(f"{name} IN (SELECT id FROM {of} WHERE {chosen.clause})", chosen.values)
    listed = values(condition) if condition.op == "in" else [comparable(condition.value)]
    is_odd = name == "id" and not all(isinstance(one, str) for one in listed)
    if is_odd or (condition.op != "=" and order and condition.field != order):
        name = f"+{name}"  # and so without the id's TEXT affinity: 0 is not '0'
    if condition.op == "in":
        if len(listed) > BOUND_MOST:
            return Part(f"{name} IN (SELECT value FROM json_each(?))", (json.dumps(listed),))
        return Part(f"{name} IN ({', '.join('?' * len(listed))})", tuple(listed))
    [value] = listed
    if value is None and condition.op in ("=", "!="):
        return Part(f"{name} IS {'NOT ' if condition.op == '!=' else ''}NULL", ())
    return Part(f"{name} {_OPERATORS[condition.op]} ?", (value,))


def index_for(indexes: Indexes, table: str, where: Sequence[Where], order: str = "") -> str:
    """Return the INDEXED BY that lets the filter be read from one index, in its `order`; empty: SQLite's choice.

    SQLite takes a computed field for all of the body, so it does not see by itself that an index
    holds what is asked for. A field fixed to one value, but for yes and no, narrows better.
    """
    equal = [one.field for one in where if one.op == "=" and one.value is not None]
    narrow = {one.field for one in where if one.op == "=" and isinstance(one.value, (str, int))}
    narrow -= {one.field for one in where if isinstance(one.value, bool)}
    made = [(index, with_id(index)) for index in indexes.get(table, ())]
    fields = {one.field for one in single(where)}
    if not fields or "id" in narrow or any(index[0] in narrow for index, _ in made):
        return ""
    holding = [
        (len(have), index)
        for index, have in made
        if fields <= set(have) and (not order or _comes_in_order(have, equal, order))
    ]
    return f" INDEXED BY {index_name(table, min(holding)[1])}" if holding else ""


def _comes_in_order(have: tuple[str, ...], equal: Sequence[str], order: str) -> bool:
    rest = list(have)
    while rest and rest[0] in equal and rest[0] != order:
        rest.pop(0)
    return rest[:1] == ["id"] if order == "id" else rest[:2] == [order, "id"]


def guarded(sql: str) -> str:
    """Return the statement so that a row that is no JSON has no fields, and is no error; no index answers it."""
    return _FIELD.sub(r"(CASE WHEN json_valid(body) THEN \g<0> END)", _INDEXED.sub("", sql))


def alternatives(where: Sequence[Where]) -> list[list[Where]]:
    """Return `where` with each short `in` taken apart: one list per combination of its values.

    Each reads an index in order; the pages are merged.
    """
    choices = [
        [Where(condition.field, "=", value) for value in values(condition) if value is not None]
        if condition.op == "in" and not isinstance(condition.value, Ids)
        else [condition]
        for condition in where
    ]
    combinations = 1
    for choice in choices:
        combinations *= len(choice)
    return [list(where)] if combinations > SPLIT_MOST else [list(one) for one in product(*choices)]


def segments(order: str, *, descending: bool, after: str | None, start: Scalar) -> list[Part]:
    """Return what lies behind the row `after` whose `order` is `start`, nearest part first.

    Nothing (NULL) comes before all values, so it may need a part of its own.
    """
    if after is None:
        return [Part("1", ())]
    name, beyond = column(order), "<" if descending else ">"
    if order == "id":
        return [Part(f"id {beyond} ?", (after,))]
    if start is None:
        rest = [] if descending else [Part(f"{name} IS NOT NULL", ())]
        return [Part(f"{name} IS NULL AND id {beyond} ?", (after,)), *rest]
    rest = [Part(f"{name} IS NULL", ())] if descending else []
    return [Part(f"({name}, id) {beyond} (?, ?)", (start, after)), *rest]


def ordering(order: str, *, descending: bool) -> str:
    """Return the ORDER BY list."""
    direction = "DESC" if descending else "ASC"
    name = column(order)
    return f"id {direction}" if order == "id" else f"{name} {direction}, id {direction}"
