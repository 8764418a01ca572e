"""Repairing a store, on request only: a copy first, then a new database from what can be saved of the old one.

What is saved is `salvage`'s and `rebuild`'s; what becomes of runs and logs the service decides, on the new
database, before that takes its place.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.errors import StoreRefusedError
from quarterdeck.model.limits import LOCK_WAIT_S
from quarterdeck.store import artifacts, connections, guard, head, migrations, salvage, verify
from quarterdeck.store.documents import DocumentStore
from quarterdeck.store.indexes import APPLICATION_ID, FORMAT
from quarterdeck.store.rebuild import Rebuilt, rebuild

if TYPE_CHECKING:
    from quarterdeck.model.instants import Clock
    from quarterdeck.ports.store import Finding
    from quarterdeck.store.sqlite import SqliteBackend

_LOG: Final = f"{guard.DATABASE}-wal"
_SHARED: Final = f"{guard.DATABASE}-shm"


class Repair:
    """A repair under way; see `ports.store.Repair`."""

    def __init__(  # what was made for it
        self, folder: Path, backend: SqliteBackend, found: Rebuilt, *, copy: Path | None,
        clock: Clock,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.lost = found.lost
        self.changed = found.changed
        self.rebuilt = found.jobs
        self.seq, self.acknowledged, self.is_older = found.seq, found.acknowledged, found.is_older
        self.copy = None if copy is None else str(copy)
        self.shared = guard.is_shared(folder)
        self.store = DocumentStore(backend, folder, clock, shared=self.shared)
        self._backend = backend

    def kept(self) -> Mapping[str, int]:
        """Return how many documents of each table there are."""
        return {table: self._backend.count(table) for table in self._backend.tables()}

    def clear_artifacts(self) -> list[Finding]:
        """Take files that are not what their names say out of the store; returns them and those missing."""
        found = verify.artifact_findings(self.store.artifacts)
        for finding in found:
            path = self.folder / finding.where
            self._keep(path)
            if self.copy is not None:
                path.unlink(missing_ok=True)
        named = {finding.where for finding in found}
        lost = self.store.lost() | named
        return [*found, *verify.missing_artifacts(self._backend, self.store.artifacts, lost)]

    def keep_log(self, run: str) -> None:
        """Copy the files of a run's log beside the old database, before they are changed."""
        self._keep(self.folder / guard.LOGS / run)

    def _keep(self, path: Path) -> None:
        if self.copy is None:
            return
        target = Path(self.copy) / path.relative_to(self.folder)
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.is_symlink() or path.is_file():
                shutil.copy2(path, target, follow_symlinks=False)
            elif path.is_dir():
                shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
        except OSError as error:
            raise artifacts.fault(error, target) from error

    def finish(self) -> Mapping[str, Any]:
        """Put the new database and its head in the place of the old ones; returns {"store", "change"} of the head.

        Cut off anywhere, it leaves a store that opens for reading only, until a repair begins from the copy again.
        """
        totals = self._backend.read_totals()
        self.store.close()
        new, marker = self._backend.path, self.folder / guard.REPAIRING
        try:
            with new.open("rb+") as file:
                os.fchmod(file.fileno(), 0o660 if self.shared else 0o600)
                artifacts.sync(file)
            content = json.dumps({"copy": self.copy}).encode()
            artifacts.write_file(marker, content, shared=self.shared)
            for name in (_LOG, _SHARED):  # who has them open is refused from now on
                (self.folder / name).unlink(missing_ok=True)
            new.replace(self.folder / guard.DATABASE)
            artifacts.sync_folder(self.folder)
            migrations.write_head(self.folder / head.NAME, totals, shared=self.shared)
            marker.unlink()
            artifacts.sync_folder(self.folder)
        except OSError as error:
            raise artifacts.fault(error, self.folder) from error
        return {"store": totals.store, "change": totals.seq}


@contextmanager
def begin(folder: str | PurePath, clock: Clock, *, by: str, only_look: bool) -> Iterator[Repair]:
    """Save what can be saved of the store in `folder` and give the repair, which the block finishes or gives up.

    Others cannot write meanwhile. StoreRefusedError if nothing can be read, or if it is no store.
    """
    path = _demand_repairable(folder)
    with ExitStack() as stack:
        stack.enter_context(artifacts.locked(path, wait_s=LOCK_WAIT_S))
        for left in path.glob(".repair-*"):  # of one that was cut off
            shutil.rmtree(left, ignore_errors=True)
        stack.enter_context(_writers_wait(path / guard.DATABASE))
        source = _source(path)
        work = path / f".repair-{secrets.token_hex(4)}"
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        copy = None if only_look else guard.beside(path, "before-repair", clock())
        stack.push(partial(_given_up, copy, path))
        try:
            work.mkdir(mode=0o700)
            if copy is not None:
                _copy(source, copy)
            image = salvage.make_image(source / guard.DATABASE, work / "image.db")
        except OSError as error:
            raise artifacts.fault(error, path) from error
        mark = None
        with suppress(head.HeadError):
            mark = head.Head(source / head.NAME).read()
        stack.callback(image.close)
        backend, found = rebuild(image, mark, work / guard.DATABASE, by=by, at=clock())
        stack.callback(backend.close)
        yield Repair(path, backend, found, copy=copy, clock=clock)


def _given_up(copy: Path | None, path: Path, kind: object, *_: object) -> None:
    """Remove the copy of a repair that failed before it changed anything."""
    if kind is None or copy is None or not copy.is_dir():
        return
    is_begun = (path / guard.REPAIRING).exists()
    if not is_begun and {one.name for one in copy.iterdir()} <= {guard.DATABASE, _LOG, head.NAME}:
        shutil.rmtree(copy, ignore_errors=True)


def _demand_repairable(folder: str | PurePath) -> Path:
    """Return the absolute folder of a store, however damaged; refuse what is none, and a newer one."""
    path = guard.demand_folder(folder)
    if guard.is_free(path) or not any((path / name).exists() for name in guard.LAYOUT):
        raise StoreRefusedError(
            f"{path} is no store: there is nothing to repair.", advice="Name the store's folder."
        )
    database = path / guard.DATABASE
    if database.is_symlink():
        raise StoreRefusedError(
            f"{database} is a symbolic link.", advice="Put the database itself in its place."
        )
    with suppress(OSError), database.open("rb") as file:
        header = file.read(100)
        is_ours = header[68:72] == APPLICATION_ID.to_bytes(4, "big")
        format_ = int.from_bytes(header[60:64], "big")
        if is_ours and FORMAT < format_ < 1 << 16:
            raise StoreRefusedError(
                f"{database} was written by a newer version (format {format_}, here {FORMAT}).",
                advice="Use that version of Quarterdeck; nothing was changed.",
            )
    return path


def _source(path: Path) -> Path:
    """Return where the damaged files lie: in the store, or in the copy of a repair that was cut off."""
    copy = guard.cut_off_repair(path)
    return copy if copy is not None and (copy / guard.DATABASE).exists() else path


def _copy(source: Path, target: Path) -> None:
    """Copy database, log and head as they are, durably."""
    target.mkdir(mode=0o700)
    for name in (guard.DATABASE, _LOG, head.NAME):
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)
            (target / name).chmod(0o600)
            with (target / name).open("rb+") as file:
                artifacts.sync(file)
    artifacts.sync_folder(target)
    artifacts.sync_folder(target.parent)


@contextmanager
def _writers_wait(database: Path) -> Iterator[None]:
    """Hold the database's write lock, if it can be opened for writing at all.

    The reader that is opened first and closed last keeps SQLite from clearing the log when the lock is given back.
    """
    if not database.is_file() or database.stat().st_size == 0:
        yield  # nobody has it open; opened, it would lose its log
        return
    uri = database.as_uri()
    reader, writer = (
        sqlite3.connect(f"{uri}?mode={mode}", uri=True, isolation_level=None, timeout=LOCK_WAIT_S)
        for mode in ("ro", "rw")
    )
    try:
        with suppress(sqlite3.DatabaseError, UnicodeDecodeError):
            reader.execute("SELECT 1 FROM sqlite_schema").fetchone()
        try:
            writer.execute("PRAGMA writable_schema = ON")
            writer.execute("BEGIN IMMEDIATE")
        except UnicodeDecodeError:
            pass  # damaged so far that nobody can write
        except sqlite3.Error as error:
            known = connections.translated(error, database, LOCK_WAIT_S)
            if known is not None and known.code == "conflict":
                raise known from error
        yield
    finally:
        writer.close()
        reader.close()
