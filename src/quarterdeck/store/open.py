"""Making and opening a store's folder. What may be opened decides `guard`."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from quarterdeck.model.errors import ConflictError, StoreRefusedError
from quarterdeck.model.instants import Clock
from quarterdeck.store import artifacts, guard
from quarterdeck.store.database import create_database
from quarterdeck.store.documents import DocumentStore
from quarterdeck.store.sqlite import SqliteBackend


def create_store(folder: str | PurePath, clock: Clock, *, shared: bool = False) -> DocumentStore:
    """Make a store in `folder`, which is absent or empty (else ConflictError), and open it.

    `shared` makes it writable by the folder's group. A call that is cut off leaves no store: the
    database appears last and whole.
    """
    path = guard.demand_free(folder)
    database = path / guard.DATABASE
    draft = path / f".{guard.DATABASE}.{os.getpid()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o2770 if shared else 0o700)
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        draft.chmod(0o660 if shared else 0o600)
        create_database(draft)
        for name in guard.FOLDERS:
            artifacts.make_folder(path / name, shared=shared)
        os.link(draft, database)
        draft.unlink()
        artifacts.sync_folder(path)
        artifacts.sync_folder(path.parent)
    except FileExistsError as error:
        raise ConflictError(
            f"{path} was made a store by somebody else at this moment.", advice="Use that one."
        ) from error
    except OSError as error:
        raise artifacts.fault(error, path) from error
    return open_store(path, clock)


def open_store(folder: str | PurePath, clock: Clock, *, read_only: bool = False) -> DocumentStore:
    """Open the store in `folder`; StoreRefusedError says why it cannot be, and nothing is written.

    A damaged store that can still be read opens for reading only, whatever was asked for:
    `damage` names what is wrong, `read_only` is true, and every write is refused with it.
    """
    path = guard.demand_store(folder)
    backend = _backend(path / guard.DATABASE, read_only=read_only)
    return DocumentStore(
        backend,
        path,
        clock,
        read_only=read_only or bool(backend.damage),
        shared=guard.is_shared(path),
        damage=backend.damage,
    )


def _backend(database: Path, *, read_only: bool) -> SqliteBackend:
    try:
        return SqliteBackend(database, read_only=read_only)
    except StoreRefusedError:
        if read_only:
            raise
        damaged = SqliteBackend(database, read_only=True)
        if damaged.damage:
            return damaged
        damaged.close()
        raise
