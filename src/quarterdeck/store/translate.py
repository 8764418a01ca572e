"""TinyDB's queries as conditions over declared fields: what an index can leave out. No I/O.

A translation may let through more than the query does, never less; the query itself decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from quarterdeck.ports.store import Op, Where

Choice = tuple[Where, ...]  # all of these
_MOST: Final = 16  # choices; a query that needs more reads the table
_EXACT: Final = 2**53  # whole numbers up to here are the same in JSON, SQLite and Python
# A text may stand in the index cut at a NUL, so that what is greater may look equal.
_OPERATORS: Final[dict[str, Op]] = {"==": "=", "<": "<", "<=": "<=", ">": ">=", ">=": ">="}


def narrow(query: object, fields: Collection[str]) -> list[Choice] | None:
    """Return choices of which each matching document fulfils one; None if none can be said.

    `query` is any condition; only TinyDB's own, without functions in them, can be seen through.
    """
    described = getattr(query, "_hash", None)
    return _choices(described, fields) if isinstance(described, tuple) else None


def _choices(described: Any, fields: Collection[str]) -> list[Choice] | None:
    match described:
        case ("and", frozenset() as parts):
            return _joined(_choices(part, fields) for part in parts)
        case ("or", frozenset() as parts):
            return _either(_choices(part, fields) for part in parts)
        case ("one_of", (str() as field,), tuple() | frozenset() as items) if field in fields:
            return _either(_compared(field, "=", item) for item in items)
        case (str() as sign, (str() as field,), value) if sign in _OPERATORS and field in fields:
            return _compared(field, _OPERATORS[sign], value)
    return None


def _compared(field: str, op: Op, value: Any) -> list[Choice] | None:
    if isinstance(value, str):
        is_plain = "\0" not in value and value.isprintable()
    elif isinstance(value, (int, float)):
        is_plain = -_EXACT < value < _EXACT and value == int(value)
    else:
        is_plain = value is None and op == "="
    return [(Where(field, op, value),)] if is_plain else None


def _joined(parts: Iterable[list[Choice] | None]) -> list[Choice] | None:
    """Return the choices of a conjunction; a part that cannot be said is left to the query."""
    found: list[Choice] | None = None
    for part in parts:
        if part is None:
            continue
        joined = part if found is None else [one + other for one in found for other in part]
        found = joined if len(joined) <= _MOST else found
    return found


def _either(parts: Iterable[list[Choice] | None]) -> list[Choice] | None:
    """Return the choices of a disjunction; it needs all its parts."""
    found: list[Choice] = []
    for part in parts:
        if part is None or len(found) + len(part) > _MOST:
            return None
        found += part
    return found
