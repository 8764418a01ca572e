"""Files by the SHA-256 of their content, and how the store makes files and folders at all.

Which folder may be opened is `guard`'s.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from quarterdeck.model.errors import (
    ConflictError,
    NotFoundError,
    StoreFaultError,
    StoreRefusedError,
)
from quarterdeck.store import hashes

_LOOK_S: Final = 0.05
_NAME = re.compile("[0-9a-f]{64}")


class ArtifactFolder:
    """`artifacts/ab/abcdef…`; a file is there whole or not at all. `shared`: the group may write."""

    def __init__(self, folder: Path, *, shared: bool = False) -> None:
        self._folder = folder
        self._shared = shared

    def put(self, content: bytes) -> str:
        """Keep `content` durably and return its SHA-256; a second call changes nothing."""
        name = hashes.of_bytes(content)
        target = self._folder / name[:2] / name
        try:
            if not target.is_file() or target.stat().st_size != len(content):
                make_folder(target.parent, shared=self._shared)
                write_file(target, content, shared=self._shared)
        except OSError as error:
            raise fault(error, target) from error
        return name

    def path(self, sha256: str) -> Path:
        """Return where the artifact lies; NotFoundError if it is not kept."""
        target = self._folder / sha256[:2] / sha256
        if not _NAME.fullmatch(sha256):
            raise NotFoundError(f"{sha256} is no SHA-256.", advice="Give its 64 hex digits.")
        if not target.is_file():
            raise NotFoundError(
                f"Artifact {sha256} is not kept in {self._folder}.",
                advice="Run `quarterdeck store verify` to see what else is missing.",
            )
        return target

    def scan(self) -> Iterator[Path]:
        """Yield every file kept, by name; those under way (`.…`) are left out."""
        for path in sorted(self._folder.glob("*/*")):
            if not path.name.startswith("."):
                yield path


def make_folder(path: Path, *, shared: bool = False) -> None:
    """Make the folder `path` durably, whatever the umask; it may be there already."""
    refuse_link(path)
    try:
        path.mkdir()
    except FileExistsError:
        return
    path.chmod(0o2770 if shared else 0o700)
    sync_folder(path.parent)


def write_file(target: Path, content: bytes, *, shared: bool = False) -> None:
    """Write `content` to `target` at once and durably, whatever the umask."""
    refuse_link(target)
    draft = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o660 if shared else 0o600)
            file.write(content)
            sync(file)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def sync(file: BinaryIO) -> None:
    """Make what was written to `file` durable."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Make the names in `path` durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(folder: Path, *, wait_s: float) -> Iterator[None]:
    """Be the only one that makes or repairs the store in `folder`; ConflictError if another goes on doing so."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        until = time.monotonic() + wait_s
        while not _is_locked(handle):
            if time.monotonic() > until:
                raise ConflictError(
                    f"{folder} is being made or repaired by another process; gave up after {wait_s:g} s.",
                    advice="Nothing was written. Look at it again when that process is done.",
                )
            time.sleep(_LOOK_S)
        yield
    finally:
        os.close(handle)


def _is_locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def refuse_link(path: Path) -> None:
    """Refuse to write through a symbolic link at `path` or as its folder."""
    for part in (path, path.parent):
        if part.is_symlink():
            raise StoreRefusedError(
                f"{part} is a symbolic link; nothing was written through it.",
                advice="Put the real folder in its place.",
            )


def fault(error: OSError, path: Path) -> StoreFaultError:
    """Return the store's error for a write to `path` that failed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFaultError(
            f"The disk of {path} is full; it was not written.",
            advice="Make room, then repeat the change.",
        )
    return StoreFaultError(
        f"{path} could not be written ({error.strerror}).",
        advice="Check the disk and the rights of the folder, then repeat the change.",
    )
