"""Counts, sizes and growth of a store. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from quarterdeck.ports.store import Backend
from quarterdeck.store import guard
from quarterdeck.store.indexes import FORMAT
from quarterdeck.store.sqlite import SqliteBackend

_SPANS: Final = {"day": timedelta(days=1), "week": timedelta(days=7)}


def measure(backend: Backend, folder: Path, now: datetime) -> Mapping[str, Any]:
    """Return what is in the store and how it grows.

    {"documents": {table: n}, "bytes": {"database", "write_ahead_log", "artifacts", "logs"},
    "changes": n (over its life), "written": {"day"|"week": {table: n}} (documents whose last write
    lies that near to `now`), "format": n}
    """
    tables = backend.tables()
    written = {}
    if isinstance(backend, SqliteBackend):
        written = {
            span: {table: backend.written_since(table, now - length) for table in tables}
            for span, length in _SPANS.items()
        }
    database = folder / guard.DATABASE
    return {
        "documents": {table: backend.count(table) for table in tables},
        "bytes": {
            "database": _size(database),
            "write_ahead_log": _size(database.with_name(database.name + "-wal")),
            "artifacts": sum(_sizes(folder / guard.ARTIFACTS)),
            "logs": sum(_sizes(folder / guard.LOGS)),
        },
        "changes": backend.last_change(),
        "written": written,
        "format": backend.format if isinstance(backend, SqliteBackend) else FORMAT,
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sizes(folder: Path) -> Iterator[int]:
    return (_size(path) for path in folder.rglob("*") if path.is_file())
