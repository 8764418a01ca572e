"""A backup put in the place of a store: the file is looked through, and the store that was there is kept."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from quarterdeck.model.errors import (
    ConflictError,
    InvalidInputError,
    OvertakenError,
    PrerequisiteError,
    Problem,
    QuarterdeckError,
    StoreFaultError,
    StoreRefusedError,
)
from quarterdeck.model.instants import Clock, format_instant, parse_instant
from quarterdeck.ports.store import Backend, ToRestore
from quarterdeck.store import artifacts, guard, hashes, head, migrations, sums, verify
from quarterdeck.store.backup import BLOCK, KIND, MANIFEST
from quarterdeck.store.creating import new_store_id
from quarterdeck.store.indexes import FORMAT
from quarterdeck.store.sqlite import SqliteBackend

if TYPE_CHECKING:
    from quarterdeck.store.head import Mark

_MANIFEST_MOST: Final = 256 * 1024 * 1024  # bytes
_NAME = re.compile(rf"{re.escape(guard.DATABASE)}|{head.NAME}|(artifacts|logs)(/[A-Za-z0-9_.-]+)+")
_ASK_AGAIN: Final = "Nothing was restored. Look at both, then ask again."


@dataclass(frozen=True, slots=True)
class _Manifest:
    created_at: datetime
    documents: Mapping[str, int]
    files: Mapping[str, tuple[int, str]]  # name: bytes, SHA-256


def to_restore(folder: str | PurePath, file: Path) -> ToRestore:
    """Return what a restore rests on, to be shown; InvalidInputError (`file`) if it is no backup."""
    path = guard.demand_named(folder)
    try:
        with file.open("rb") as content:
            sha256 = hashes.of_stream(content)
            with _opened(content, file) as archive:
                created_at = _read_manifest(archive).created_at
    except OSError as error:
        raise _invalid(f"{file} cannot be read ({error.strerror})") from error
    try:
        found = _in_place(guard.demand_store(path))
    except (OSError, QuarterdeckError):  # there is none, or none to be read: `restore` says which
        found = None
    return ToRestore(sha256, created_at, *(found or (None, None, None)))


def _in_place(path: Path) -> tuple[int, str, int] | None:
    """Return newest change, its time and the inode of the store in place; None for a damaged one."""
    old = SqliteBackend(path / guard.DATABASE, read_only=True, head=head.Head(path / head.NAME))
    try:
        return None if old.damage else (old.last_change(), old.newest(), path.stat().st_ino)
    finally:
        old.close()


def restore(
    folder: str | PurePath, file: Path, clock: Clock, *, confirmed: bool = False,
    settle: Callable[[Backend, Path], object] = lambda *_: None,
    shown: ToRestore | None = None,
) -> Mapping[str, Any]:  # fmt: skip
    """Put the backup `file` in the place of the store in `folder`, which is kept beside it.

    `settle` is handed its database and folder before it is in its place, and may change its documents.

    Returns {"path", "kept": where the old store lies now or None, "created_at", "documents", "head": {"store",
    "change"} of the new head, "findings": what is damaged in the database}.
    InvalidInputError (`file`) if it is no whole backup; ConflictError, with both times, if the
    store in place has newer documents or cannot be read, unless `confirmed`; OvertakenError if the
    file or the store in place is not what was `shown`. Whatever is refused, the store in place is
    untouched.
    """
    path = guard.demand_named(folder)
    guard.demand_locks(path)
    if path.is_symlink():
        raise StoreRefusedError(f"{path} is a symbolic link.", advice="Name the folder itself.")
    manifest_checked = False
    draft = path.with_name(f".{path.name}.restore-{secrets.token_hex(4)}")
    try:
        with file.open("rb") as content, _opened(content, file) as archive:
            manifest = _read_manifest(archive)
            manifest_checked = True
            if shown is not None:
                _demand_file(content, file, shown)
            _demand_room(manifest, path)
            path.parent.mkdir(parents=True, exist_ok=True)
            shared = path.is_dir() and guard.is_shared(path)
            _unpack(archive, manifest, draft, shared=shared)
        made = _begin_anew(draft, settle, shared=shared)
        kept = _exchange(path, draft, made.newest, clock, confirmed=confirmed, shown=shown)
    except OSError as error:
        if not manifest_checked:
            raise _invalid(f"{file} cannot be read ({error.strerror})") from error
        raise artifacts.fault(error, path) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise _invalid(f"{file} is damaged ({error})") from error
    finally:
        if draft.exists():
            shutil.rmtree(draft)
    return {
        "path": str(path),
        "kept": None if kept is None else str(kept),
        "created_at": format_instant(manifest.created_at),
        "documents": dict(manifest.documents),
        "head": {"store": made.head.store, "change": made.head.seq},
        "findings": made.findings,
    }


def _invalid(what: str) -> InvalidInputError:
    return InvalidInputError(
        [Problem("file", what)],
        advice="Name a file that `quarterdeck store backup` wrote; the store is untouched.",
    )


def _opened(content: IO[bytes], file: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(content)
    except zipfile.BadZipFile as error:
        raise _invalid(f"{file} is no backup, or its end is missing") from error


def _read_manifest(archive: zipfile.ZipFile) -> _Manifest:
    """Return the manifest of an archive that holds exactly what it names, each name a safe one."""
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if MANIFEST not in names:
        raise _invalid("it is no backup of a store: it has no manifest")
    if archive.getinfo(MANIFEST).file_size > _MANIFEST_MOST:
        raise _invalid("its manifest is too long")
    try:
        found = json.loads(archive.read(MANIFEST))
        if found["kind"] != KIND:
            raise _invalid(f"it is of kind {found['kind']}, not {KIND}")
        if found["format"] > FORMAT:
            raise _invalid(f"it is of format {found['format']}, here {FORMAT}: a newer version's")
        files = {
            str(name): (int(entry["bytes"]), str(entry["sha256"]))
            for name, entry in found["files"].items()
        }
        manifest = _Manifest(parse_instant(found["created_at"]), found["documents"], files)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _invalid("its manifest cannot be read") from error
    if sorted(names) != sorted([MANIFEST, *files]) or guard.DATABASE not in files:
        raise _invalid("it does not hold the files that its manifest names")
    for info in infos:
        kind = stat.S_IFMT(info.external_attr >> 16)
        parts = PurePath(info.filename).parts
        safe = info.filename == MANIFEST or _NAME.fullmatch(info.filename)
        if not safe or {".", ".."} & set(parts) or kind not in (0, stat.S_IFREG):
            raise _invalid(f"it holds {info.filename!r}, which no backup does")
    return manifest


def _demand_room(manifest: _Manifest, path: Path) -> None:
    needed = sum(size for size, _ in manifest.files.values())
    place = next(parent for parent in path.parents if parent.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise PrerequisiteError(
            f"The backup needs {needed:,} bytes in {place}, where {free:,} are free.",
            advice="Make room, or name a store on another disk.",
        )


def _unpack(archive: zipfile.ZipFile, manifest: _Manifest, draft: Path, *, shared: bool) -> None:
    """Write the files to the new folder `draft`, each as long as and with the hash it should have."""
    for path in (draft, *(draft / name for name in guard.FOLDERS)):
        artifacts.make_folder(path, shared=shared)
    for name, (size, sha256) in manifest.files.items():
        target = draft / name
        for parent in reversed(target.relative_to(draft).parents[:-1]):
            artifacts.make_folder(draft / parent, shared=shared)
        with archive.open(name) as source:
            if _copy(source, target, size, shared=shared) != sha256:
                raise _invalid(f"it is damaged: {name} is not what was backed up")


def _copy(source: IO[bytes], target: Path, size: int, *, shared: bool) -> str:
    found = hashlib.sha256()
    with target.open("xb") as sink:
        target.chmod(0o660 if shared else 0o600)
        while size >= 0 and (block := source.read(min(BLOCK, size + 1))):
            size -= len(block)
            found.update(block)
            sink.write(block)
        artifacts.sync(sink)
    return found.hexdigest() if size == 0 else ""


class _Made(NamedTuple):
    """An unpacked store: when its newest change was made, its new head, and what is damaged in its rows."""

    newest: str
    head: Mark
    findings: list[dict[str, str]]


def _begin_anew(draft: Path, settle: Callable[[Backend, Path], object], *, shared: bool) -> _Made:
    """Bring the unpacked store up to date and give it a head of its own; refuse a damaged database.

    It is a store with another history from now on, and has another id. Single rows that are damaged are no reason
    to refuse it: there may be no better backup.
    """
    try:
        backend = SqliteBackend(draft / guard.DATABASE)
        try:
            if damage := backend.integrity():
                raise _invalid(f"its database is damaged: {damage[0]}")
            _demand_own_head(draft / head.NAME, backend)
            migrations.migrate_copy(backend)
            found = [finding._asdict() for finding in verify.database(backend)]
            newest = backend.newest()
            settle(backend, draft)
            with backend.transaction():
                before = backend.read_totals()
                totals = sums.begun(new_store_id(), before.seq, before.total)
                backend.put_totals(totals)
            migrations.write_head(draft / head.NAME, totals, shared=shared)
            return _Made(newest, head.mark_of(totals), found)
        finally:
            backend.close()
    except (InvalidInputError, StoreFaultError):
        raise
    except QuarterdeckError as error:
        raise _invalid(f"its database cannot be used: {error.message}") from error


def _demand_own_head(path: Path, backend: SqliteBackend) -> None:
    """Refuse a backup whose head is not its database's; one of an older format has none."""
    try:
        mark = head.Head(path).read()
    except head.HeadError as error:
        raise _invalid("its head cannot be read") from error
    wanted = None if backend.format < FORMAT else head.mark_of(backend.read_totals())
    if mark != wanted:
        raise _invalid("its head is not the one of its database")


def _demand_file(content: IO[bytes], file: Path, shown: ToRestore) -> None:
    content.seek(0)
    sha256 = hashes.of_stream(content)
    if sha256 != shown.sha256:
        raise OvertakenError(
            f"{file} is another file by now: its SHA-256 is {sha256}, that of the one shown {shown.sha256}.",
            advice=_ASK_AGAIN,
        )


def _demand_place(path: Path, old: SqliteBackend | None, shown: ToRestore) -> None:
    """Refuse a store in place that is not the one that was shown, or that somebody wrote to since.

    No content are the scheduler's lease, which is written every few seconds, what is known of clocks, and a
    definition alone: that is what a check of its cluster found. Who edits one writes a revision and audit as well.
    """
    there = None if old is None else path.stat().st_ino
    if there != shown.folder:
        text = f"Another store than was shown stands in {path} by now, or none."
        raise OvertakenError(text, advice=_ASK_AGAIN)
    if old is None or shown.change is None:
        return
    upkeep = ("leases", "clocks", "definitions")
    found = [one for one in old.changes(shown.change) if one.table not in upkeep]
    if found:
        last = found[-1]
        raise OvertakenError(
            f"{last.by} wrote {last.table}/{last.id} to the store in place at {old.newest()}:"
            f" it is at change {last.seq:,}, and was shown at {shown.change:,}.",
            advice=_ASK_AGAIN,
            conflict={"actor": last.by, "change": last.seq, "change_shown": shown.change},
        )


def _exchange(
    path: Path, draft: Path, newest: str, clock: Clock, *, confirmed: bool,
    shown: ToRestore | None,
) -> Path | None:  # fmt: skip
    """Put `draft` in the place of `path` while nobody can write there; return where that is kept."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        if shown is not None:
            _demand_place(path, None, shown)
        draft.replace(path)
        artifacts.sync_folder(path.parent)
        return None
    if not path.is_dir() or not any((path / name).exists() for name in guard.LAYOUT):
        raise StoreRefusedError(
            f"{path} is there and is no store.", advice="Name the store, or a new folder."
        )
    guard.demand_owner(path)
    try:
        guard.demand_store(path)
        old = SqliteBackend(path / guard.DATABASE, head=head.Head(path / head.NAME))
    except StoreRefusedError as error:
        if not confirmed:
            raise ConflictError(
                f"The store in place cannot be compared with the backup: {error.message}",
                advice="Confirm (--yes) to restore all the same; the old one is kept beside it.",
            ) from error
        if shown is not None:
            _demand_place(path, None, shown)
        return _swap(path, draft, clock)
    try:
        with old.transaction():
            if shown is not None:
                _demand_place(path, old, shown)
            if old.newest() > newest and not confirmed:
                raise ConflictError(
                    f"The store in place is newer ({old.newest()}) than the backup"
                    f" ({newest or 'empty'}).",
                    advice="Confirm (--yes) to restore all the same; the old one is kept.",
                    conflict={"store": old.newest(), "backup": newest},
                )
            return _swap(path, draft, clock)
    finally:
        old.close()


def _swap(path: Path, draft: Path, clock: Clock) -> Path:
    kept = guard.beside(path, "before-restore", clock())
    path.rename(kept)
    try:
        draft.rename(path)
    except OSError:
        kept.rename(path)
        raise
    artifacts.sync_folder(path.parent)
    return kept
