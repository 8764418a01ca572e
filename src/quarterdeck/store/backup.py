"""A store as one file: a ZIP archive of the database, artifacts, logs and a manifest. And back: `restore`."""

from __future__ import annotations

import hashlib
import json
import secrets
import stat
import zipfile
from collections.abc import Container, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.errors import (
    ConflictError,
    PrerequisiteError,
)
from quarterdeck.model.instants import format_instant
from quarterdeck.ports.store import Backend
from quarterdeck.store import artifacts, guard, hashes, head, verify
from quarterdeck.store.indexes import FORMAT
from quarterdeck.store.sqlite import SqliteBackend

if TYPE_CHECKING:
    from quarterdeck.store.head import Mark

KIND: Final = "quarterdeck-backup"
MANIFEST: Final = "manifest.json"
BLOCK: Final = 1024 * 1024


def write(backend: Backend, folder: Path, target: Path, now: datetime) -> Mapping[str, Any]:
    """Write a consistent copy of the store to the new file `target` while others go on writing.

    Returns {"path", "bytes", "sha256", "created_at", "documents": {table: n}, "findings": what is damaged in
    the database that was copied}. ConflictError if `target` is there already. The database is copied first:
    what it names in artifacts is there.
    """
    target = target.absolute()
    if target.exists() or target.is_symlink():
        raise ConflictError(f"{target} is there already.", advice="Name a new file.")
    if not isinstance(backend, SqliteBackend):
        raise PrerequisiteError("This store lives in memory and has no file to back up.")
    token = secrets.token_hex(4)
    draft, database = (
        target.with_name(f".{target.name}.{token}.{kind}") for kind in ("zip", "db")
    )
    try:
        for path in (draft, database):
            path.touch(mode=0o600, exist_ok=False)
            path.chmod(0o600)
        logs = {path.name for path in (folder / guard.LOGS).glob("*")}
        backend.copy_to(database)
        documents, runs, mark, findings = _look_through(database)
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            files = {guard.DATABASE: _add(archive, guard.DATABASE, database)}
            if mark is not None:
                database.write_bytes(head.content(mark))
                files[head.NAME] = _add(archive, head.NAME, database)
            for path in _beside(folder, runs | logs):
                name = path.relative_to(folder).as_posix()
                files[name] = _add(archive, name, path)
            manifest = {
                "kind": KIND,
                "format": backend.format,
                "created_at": format_instant(now),
                "documents": documents,
                "files": files,
            }
            archive.writestr(MANIFEST, json.dumps(manifest))
        _publish(draft, target)
    except OSError as error:
        raise artifacts.fault(error, target) from error
    finally:
        draft.unlink(missing_ok=True)
        database.unlink(missing_ok=True)
    return {
        "path": str(target),
        "bytes": target.stat().st_size,
        "sha256": hashes.of_file(target),
        "created_at": manifest["created_at"],
        "documents": documents,
        "findings": findings,
    }


def _look_through(
    database: Path,
) -> tuple[dict[str, int], set[str], Mark | None, list[dict[str, str]]]:
    """Return how many documents the copy has, its runs, the head that belongs to it, and what of it is damaged."""
    copy = SqliteBackend(database, read_only=True)
    try:
        counts = {table: copy.count(table) for table in copy.tables()}
        found = [finding._asdict() for finding in verify.database(copy)]
        mark = None if copy.format < FORMAT else head.mark_of(copy.read_totals())
        ids = copy.execute("SELECT id FROM t_runs") if "runs" in counts else ()
        runs = {run for (run,) in ids}  # also of one that cannot be read
        return counts, runs, mark, found
    finally:
        copy.close()


def _beside(folder: Path, runs: Container[str]) -> Iterator[Path]:
    """Yield artifacts and logs by name; of a log its cursor comes before the lines it covers.

    A log of none of these `runs` is of one that was made while the database was copied.
    """
    for name in (guard.ARTIFACTS, guard.LOGS):
        for path in sorted((folder / name).rglob("*")):
            if not path.is_file() or path.is_symlink() or path.name.startswith("."):
                continue
            if name == guard.ARTIFACTS or path.relative_to(folder).parts[1] in runs:
                yield path


def _add(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, Any]:
    """Add the file as long as it is now, and return its size and hash."""
    left, found = path.stat().st_size, hashlib.sha256()
    info = zipfile.ZipInfo(name)
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFREG | 0o600) << 16
    size = 0
    with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as sink:
        while left > size and (block := source.read(min(BLOCK, left - size))):
            sink.write(block)
            found.update(block)
            size += len(block)
    return {"bytes": size, "sha256": found.hexdigest()}


def _publish(draft: Path, target: Path) -> None:
    """Give the finished file its name, unless somebody took that meanwhile."""
    with draft.open("rb+") as file:
        artifacts.sync(file)
    try:
        target.hardlink_to(draft)
    except FileExistsError as error:
        raise ConflictError(f"{target} is there already.", advice="Name a new file.") from error
    artifacts.sync_folder(target.parent)
