"""The statements that make the database: its tables, one per document table, fields and indexes.

Running them is `database`'s; which fields there are says `indexes`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Final

from quarterdeck.store.indexes import APPLICATION_ID, FORMAT, Indexes, declared

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")  # SQLite's names know no case

TOTALS: Final = (
    "CREATE TABLE totals"
    " (store TEXT NOT NULL, seq INTEGER NOT NULL, total TEXT NOT NULL, history TEXT NOT NULL)"
)
# `totals` is one row, see `sums`; its `seq` numbers the changes of all tables. `gone` keeps what was
# deleted, for the change feed and so that a row made again goes on counting.
BASE: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    TOTALS,
    (
        "CREATE TABLE gone (tbl TEXT, id TEXT, rev INTEGER, by TEXT, at TEXT, seq INTEGER,"
        " sha256 TEXT NOT NULL, PRIMARY KEY (tbl, id)) WITHOUT ROWID"
    ),
    "CREATE INDEX gone_seq ON gone (seq)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)


def sql_name(table: str) -> str:
    """Return the SQL table of a document table; ValueError for a name that cannot be one."""
    if not _NAME.fullmatch(table):
        raise ValueError(f"{table!r} cannot name a table: a-z, 0-9 and _, at most 63 characters")
    return f"t_{table}"


def index_name(table: str, index: tuple[str, ...]) -> str:
    """Return the name of a declared index."""
    return f"{sql_name(table)}_by_{'_'.join(index)}"


def with_id(index: tuple[str, ...]) -> tuple[str, ...]:
    """Return the fields of a declared index as it is made."""
    return index if "id" in index else (*index, "id")


def column(field: str) -> str:
    """Return the column of a declared field."""
    return "id" if field == "id" else f"f_{field}"


def table_statements(indexes: Indexes, table: str, columns: Collection[str]) -> list[str]:
    """Return what makes `table`, or brings it from its `columns` up to what `indexes` declares."""
    name = sql_name(table)
    statements = []
    if not columns:
        statements = [
            (
                f"CREATE TABLE {name} (id TEXT PRIMARY KEY, rev INTEGER NOT NULL,"
                " by TEXT NOT NULL, at TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL,"
                " sha256 TEXT NOT NULL)"
            ),
            f"CREATE INDEX {name}_seq ON {name} (seq)",
        ]
    statements += [
        f"ALTER TABLE {name} ADD COLUMN {column(field)}"
        f" GENERATED ALWAYS AS (json_extract(body, '$.{field}')) VIRTUAL"
        for field in declared(indexes, table)
        if column(field) not in columns
    ]
    for index in indexes.get(table, ()):
        fields = with_id(index)
        statements.append(
            f"CREATE INDEX IF NOT EXISTS {index_name(table, index)} ON {name}"
            f" ({', '.join(map(column, fields))})"
        )
    return statements


def fingerprint(indexes: Indexes) -> str:
    """Return a text that changes when a field or index is declared anew."""
    return json.dumps(indexes, sort_keys=True)
