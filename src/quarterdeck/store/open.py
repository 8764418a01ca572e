"""Making and opening a store's folder. What may be opened decides `guard`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePath

from quarterdeck.model.errors import StoreRefusedError
from quarterdeck.model.instants import Clock
from quarterdeck.model.limits import LOCK_WAIT_S
from quarterdeck.store import artifacts, guard, head
from quarterdeck.store.documents import DocumentStore
from quarterdeck.store.indexes import FORMAT
from quarterdeck.store.sqlite import SqliteBackend


def create_store(folder: str | PurePath, clock: Clock, *, shared: bool = False) -> DocumentStore:
    """Make a store in `folder`, which is absent or empty (else ConflictError), and open it.

    `shared` makes it writable by the folder's group. A call that is cut off leaves no store: the
    database appears last and whole.
    """
    from quarterdeck.store.creating import create_database

    path = guard.demand_free(folder)
    database = path / guard.DATABASE
    draft = path / f".{guard.DATABASE}.{os.getpid()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o2770 if shared else 0o700)
        with artifacts.locked(path, wait_s=LOCK_WAIT_S):
            guard.demand_free(path)
            draft.unlink(missing_ok=True)
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            draft.chmod(0o660 if shared else 0o600)
            mark = create_database(draft)
            for name in guard.FOLDERS:
                artifacts.make_folder(path / name, shared=shared)
            artifacts.write_file(path / head.NAME, head.content(mark), shared=shared)
            os.link(draft, database)
            draft.unlink()
            artifacts.sync_folder(path)
            artifacts.sync_folder(path.parent)
    except OSError as error:
        raise artifacts.fault(error, path) from error
    return open_store(path, clock)


def open_store(
    folder: str | PurePath, clock: Clock, *, read_only: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> DocumentStore:  # fmt: skip
    """Open the store in `folder`; StoreRefusedError says why it cannot be, and nothing is written.

    A damaged store that can still be read opens for reading only, whatever was asked for:
    `damage` names what is wrong, `read_only` is true, and every write is refused with it.
    An older one is migrated behind a backup, of which `notices` tell, unless it is only to be read; `tell` is told
    before, for that may take a while.
    """
    path = guard.demand_store(folder)
    backend = _backend(path, read_only=read_only)
    notices = []
    if backend.format < FORMAT and not backend.damage and not read_only:
        from quarterdeck.store import backup, migrations  # rarely needed

        tell(
            f"the store is migrated to format {FORMAT}, behind a backup; a large one takes a while"
        )
        try:
            kept = migrations.migrate(backend, path, clock, backup.write)
        except BaseException:
            backend.close()
            raise
        if kept:
            notices.append(f"the store was migrated to format {FORMAT}; as it was before: {kept}")
    return DocumentStore(
        backend,
        path,
        clock,
        read_only=read_only or bool(backend.damage),
        shared=guard.is_shared(path),
        damage=backend.damage,
        notices=notices,
    )


def _backend(folder: Path, *, read_only: bool) -> SqliteBackend:
    database, kept = folder / guard.DATABASE, folder / head.NAME
    if (copy := guard.cut_off_repair(folder)) is not None:
        backend = SqliteBackend(database, read_only=True, head=head.Head(kept))
        backend.damage = f"a repair of it was cut off; what it began from lies in {copy}"
        return backend
    try:
        return SqliteBackend(database, read_only=read_only, head=head.Head(kept))
    except StoreRefusedError as error:
        if read_only or "damage" not in error.facts:
            raise
        backend = SqliteBackend(database, read_only=True, head=head.Head(kept))
        backend.damage = backend.damage or error.facts["damage"]
        return backend
