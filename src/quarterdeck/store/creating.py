"""Making an empty database; making a store's folder around it is `open`'s."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.model.errors import StoreRefusedError
from quarterdeck.model.limits import LOCK_WAIT_S
from quarterdeck.store import connections, faults, head, schema, sums
from quarterdeck.store.indexes import INDEXES, Indexes

if TYPE_CHECKING:
    from quarterdeck.store.head import Mark


def create_database(path: Path, indexes: Indexes = INDEXES) -> Mark:
    """Make an empty database at `path`, where nothing may lie yet, and return the mark of its head."""
    totals = sums.begun(new_store_id())
    connection = sqlite3.connect(
        path.absolute().as_uri() + "?mode=rwc", uri=True, isolation_level=None
    )
    try:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreRefusedError(
                f"The file system of {path} cannot share a write-ahead log.",
                advice=faults.LOCKS_ADVICE,
            )
        connection.execute("BEGIN IMMEDIATE")
        for statement in schema.BASE:
            connection.execute(statement)
        for table in indexes:
            for statement in schema.table_statements(indexes, table, ()):
                connection.execute(statement)
        statements = connection.execute(connections.SCHEMA).fetchall()
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [
                ("indexes", schema.fingerprint(indexes)),
                ("schema", connections.schema_hash(statements)),
            ],
        )
        connection.execute("INSERT INTO totals VALUES (?, ?, ?, ?)", totals.columns())
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise (connections.translated(error, path, LOCK_WAIT_S) or error) from error
    finally:
        connection.close()
    return head.mark_of(totals)


def new_store_id() -> str:
    """Return an id that no other store has."""
    return os.urandom(16).hex()
