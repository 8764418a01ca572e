"""The SQL of a page: conditions, order and where to go on. Running it is `sqlite`'s."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from quarterdeck.ports.store import Where
from quarterdeck.store.rows import SPLIT_MOST, Scalar, comparable, values
from quarterdeck.store.schema import column

_OPERATORS = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class Part(NamedTuple):
    """A WHERE clause with its values; the parts of a page are read one after the other."""

    clause: str
    values: tuple[Scalar, ...]


def conditions(where: Sequence[Where], order: str = "") -> Part:
    """Return the conditions joined by AND.

    With an `order`, a condition that does not fix one value may not choose the index (`+`): the
    page is then read in its order until it is full, never sorted.
    """
    clauses, found = ["1"], list[Scalar]()
    for condition in where:
        name = column(condition.field)
        listed = values(condition) if condition.op == "in" else [comparable(condition.value)]
        is_odd = name == "id" and not all(isinstance(one, str) for one in listed)
        if is_odd or (condition.op != "=" and order and condition.field != order):
            name = f"+{name}"  # and so without the id's TEXT affinity: 0 is not '0'
        if condition.op == "in":
            clauses.append(f"{name} IN ({', '.join('?' * len(listed))})")
            found += listed
            continue
        [value] = listed
        if value is None and condition.op in ("=", "!="):
            clauses.append(f"{name} IS {'NOT ' if condition.op == '!=' else ''}NULL")
        else:
            clauses.append(f"{name} {_OPERATORS[condition.op]} ?")
            found.append(value)
    return Part(" AND ".join(clauses), tuple(found))


def alternatives(where: Sequence[Where]) -> list[list[Where]]:
    """Return `where` with each short `in` taken apart: one list per combination of its values.

    Each reads an index in order; the pages are merged.
    """
    choices = [
        [Where(condition.field, "=", value) for value in values(condition) if value is not None]
        if condition.op == "in"
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
