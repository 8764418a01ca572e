"""Damaged stores and their repair: what was there, what is there now, and what is missing without a word."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from quarterdeck.logs import FolderRunLogs
from quarterdeck.model.clock import Mark, Uptime
from quarterdeck.model.errors import QuarterdeckError
from quarterdeck.ports.store import Finding
from quarterdeck.service.repairing import carry_out, damaged_logs
from quarterdeck.store import guard, repair
from quarterdeck.store.open import open_store
from quarterdeck.store.sqlite import SqliteBackend
from tests.support.fakes import FakeClock
from tests.support.stores import Clock

KEPT = (
    "workspace", "definitions", "revisions", "jobs", "versions", "drafts", "runs", "frozen", "audit",
)  # fmt: skip
Documents = Mapping[str, Mapping[str, Any]]


def documents(folder: Path, clock: Clock) -> Documents:
    """Return revision and body of every document by table and id."""
    store = open_store(folder, clock, read_only=True)
    try:
        assert isinstance(store.backend, SqliteBackend)
        return {
            table: {row.id: (row.rev, dict(row.body)) for row in store.backend.scan(table)}
            for table in KEPT
        }
    finally:
        store.close()


def findings(folder: Path, clock: Clock) -> list[Finding]:
    """Return what is wrong with the store and its logs; one that is refused is wrong as a whole."""
    try:
        store = open_store(folder, clock)
    except QuarterdeckError as error:
        return [Finding("database", error.message)]
    try:
        return [*store.verify(), *damaged_logs(store, FolderRunLogs(folder / "logs", clock))]
    except QuarterdeckError as error:
        return [Finding("database", error.message)]
    finally:
        store.close()


def repaired(
    folder: Path, clock: Clock | FakeClock, *, only_look: bool = False, by: str = "ana"
) -> dict[str, Any]:
    """Repair the store and return what that says of itself."""
    clock.tick(1)
    with repair.begin(folder, clock, by=by, only_look=only_look) as work:
        here = Mark(clock(), Uptime("boot-1", 0.0))
        return carry_out(work, FolderRunLogs(folder / "logs", clock), here, by)


def untold(before: Documents, after: Documents, report: Mapping[str, Any]) -> list[str]:
    """Return what is missing or other than it was, and is not named by the repair's report."""
    named = {one["where"] for one in (*report["lost"], *report["changed"])}
    named |= set(report["rebuilt"])
    return [
        f"{table}/{id_}"
        for table, rows in before.items()
        for id_, was in rows.items()
        if after[table].get(id_) != was and f"{table}/{id_}" not in named
    ]


CLOCK_ROW = {
    "other bytes": "UPDATE t_clocks SET body = body || ' '",
    "another key": """UPDATE t_clocks SET body = replace(body, '"mark":', '"mArk":')""",
}


def spoil_row(folder: Path, sql: str) -> None:
    """Change a row of the store in this folder behind its back."""
    with closing(sqlite3.connect(folder / guard.DATABASE)) as connection, connection:
        assert connection.execute(sql).rowcount == 1
