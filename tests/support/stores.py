"""Backends and stores to test with: a clock that is moved, tables with declared fields, documents."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from quarterdeck.model.ids import DefinitionId, JobId, Rev, RunId, TeamId
from quarterdeck.model.job import Job, Version, version_id
from quarterdeck.model.run import Run, Trigger
from quarterdeck.ports.store import Backend
from quarterdeck.store.creating import create_database
from quarterdeck.store.indexes import Indexes
from quarterdeck.store.memory import MemoryBackend
from quarterdeck.store.sqlite import SqliteBackend

SHARED_FILES = ("-shm", "-wal")
START = datetime(2026, 1, 1, tzinfo=UTC)
THINGS: Indexes = {
    "things": (("kind",), ("size",), ("kind", "flag"), ("id", "kind", "size", "flag")),
    "others": (),
}
FIELDS = ("kind", "size", "flag")


OLD_STORES = Path(__file__).parents[1] / "data" / "stores"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def memory_backend(folder: Path, *, wait_s: float = 5.0) -> MemoryBackend:
    del folder
    return MemoryBackend(THINGS, wait_s=wait_s)


def sqlite_backend(folder: Path, *, wait_s: float = 5.0) -> SqliteBackend:
    path = folder / "things.db"
    if not path.exists():
        create_database(path, THINGS)
    return SqliteBackend(path, indexes=THINGS, wait_s=wait_s)


BACKENDS: dict[str, Callable[..., Backend]] = {"memory": memory_backend, "sqlite": sqlite_backend}


def put(
    backend: Backend, key: str, *, seen: Rev | None = None, by: str = "ann", at: datetime = START,
    table: str = "things", **body: Any,
) -> Rev:  # fmt: skip
    return backend.put(table, key, {"id": key, **body}, seen=seen, by=by, at=at)


def a_job(number: int = 1, **changes: Any) -> Job:
    fields: dict[str, Any] = {
        "id": JobId(f"j{number}"), "name": f"Job {number}", "name_key": f"job {number}",
        "team": TeamId("t1"), "type": "sql", "live_version": 1, "next_number": 2,
        "created_by": "ann", "created_at": START,
    }  # fmt: skip
    return Job(**{**fields, **changes})


def a_version(job: Job, number: int = 1) -> Version:
    return Version(version_id(job.id, number), job.id, number, {"source": {}}, "ann", START)


def a_run(number: int = 1, **changes: Any) -> Run:
    fields: dict[str, Any] = {
        "id": RunId(f"r{number:09d}"), "job": JobId("j1"), "job_name": "Job 1",
        "team": TeamId("t1"), "cluster": DefinitionId("c1"), "version": 1, "draft": False,
        "trigger": Trigger.MANUAL, "actor": "ann", "spec": {"source": {"text": "select 1"}},
        "queued_at": START + timedelta(seconds=number), "queue_deadline": START,
        "start_deadline_s": 600.0, "timeout_s": 3600.0,
    }  # fmt: skip
    return Run(**{**fields, **changes})


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files but the two that SQLite makes for those who read along."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in found if not path.name.endswith(SHARED_FILES)}


def old_store(folder: Path, name: str = "format-1") -> Path:
    """Make the store that an older version wrote, from the texts that are kept of it, and return its folder."""
    for part in ("artifacts", "logs", "work"):
        (folder / part).mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    for path, content in json.loads((OLD_STORES / f"{name}.json").read_text()).items():
        file = folder / path
        for parent in (file.parent.parent, file.parent):
            parent.mkdir(mode=0o700, exist_ok=True)
        file.write_bytes(
            content["text"].encode() if "text" in content else bytes.fromhex(content["hex"])
        )
        file.chmod(0o600)
    database = folder / "quarterdeck.db"
    database.touch(mode=0o600)
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.executescript((OLD_STORES / f"{name}.sql").read_text())
    connection.close()
    return folder
