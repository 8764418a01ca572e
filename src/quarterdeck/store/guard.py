"""What may be opened as a store: the folder's layout, owner, rights and file system.

What stands in the database's header is checked by `database`.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PurePath
from typing import Final

from quarterdeck.model.errors import ConflictError, StoreRefusedError
from quarterdeck.store.faults import LOCKS_ADVICE

DATABASE: Final = "quarterdeck.db"
ARTIFACTS: Final = "artifacts"
LOGS: Final = "logs"
WORK: Final = "work"
FOLDERS: Final = (ARTIFACTS, LOGS, WORK)
LAYOUT: Final = (DATABASE, *FOLDERS)
_MOUNTS = Path("/proc/self/mountinfo")
# Their locks hold on one host at best, and a write-ahead log needs memory shared by all writers.
_NETWORK = re.compile(
    r"nfs\d*|cifs|smb\w*|9p|afs|ncpfs|ceph|lustre|glusterfs|beegfs|gpfs|davfs"
    r"|fuse\.(sshfs|s3fs|goofys|rclone|gcsfuse|blobfuse2?|glusterfs|davfs2?|curlftpfs|juicefs)"
)
_INIT: Final = (
    "Make one with `quarterdeck init`, or name another folder (--store, QUARTERDECK_STORE)."
)


def demand_store(folder: str | PurePath) -> Path:
    """Return the absolute folder of an existing store; StoreRefusedError says why it is none."""
    path = demand_named(folder)
    if path.is_symlink() and not path.exists():
        raise StoreRefusedError(f"{path} is a symbolic link to nothing.", advice=_INIT)
    if not path.exists():
        raise StoreRefusedError(f"There is no store at {path}.", advice=_INIT)
    if not path.is_dir():
        raise StoreRefusedError(f"{path} is a file; a store is a folder.", advice=_INIT)
    demand_locks(path)
    demand_owner(path)
    database = path / DATABASE
    if database.is_symlink():
        raise StoreRefusedError(
            f"{database} is a symbolic link.", advice="Put the database itself in its place."
        )
    if not database.is_file():
        if any((path / name).is_dir() for name in (ARTIFACTS, LOGS)):
            raise StoreRefusedError(
                f"{path} is a store without its database ({DATABASE} is missing).",
                advice="Put a backup in its place with `quarterdeck store restore`.",
            )
        raise StoreRefusedError(f"{path} is no store ({DATABASE} is missing).", advice=_INIT)
    if database.stat().st_size == 0:
        raise StoreRefusedError(
            f"{database} is damaged: it is empty.",
            advice="Put a backup in its place with `quarterdeck store restore`.",
        )
    return path


def demand_free(folder: str | PurePath) -> Path:
    """Return the absolute folder where a store may be made: absent or empty, with locks."""
    path = demand_named(folder)
    if path.exists() and not path.is_dir():
        raise ConflictError(
            f"{path} is a file; a store is a folder.", advice="Name another folder."
        )
    if path.is_dir() and any(not _is_left_over(entry) for entry in path.iterdir()):
        what = "holds a store already" if (path / DATABASE).exists() else "is not empty"
        raise ConflictError(f"{path} {what}.", advice="Name a new or empty folder.")
    demand_locks(path)
    return path


def _is_left_over(entry: Path) -> bool:
    """Return whether `entry` comes from making a store that was cut off: no data is in it."""
    if entry.name in FOLDERS:
        return entry.is_dir() and not any(entry.iterdir())
    return entry.name.startswith(f".{DATABASE}.")


def demand_named(folder: str | PurePath) -> Path:
    """Return `folder` as an absolute path; refuse an empty name."""
    if not str(folder).strip():
        raise StoreRefusedError("The store's folder is an empty name.", advice=_INIT)
    return Path(folder).expanduser().absolute()


def demand_locks(path: Path) -> None:
    """Refuse a network file system: its locks do not protect a database in use."""
    if not _MOUNTS.exists():
        return
    kind = file_system(path.resolve(), _MOUNTS.read_text(encoding="utf-8", errors="replace"))
    if is_network(kind):
        raise StoreRefusedError(
            f"{path} lies on a network file system ({kind}) without reliable locks.",
            advice=LOCKS_ADVICE,
        )


def is_network(kind: str) -> bool:
    """Return whether a file system of this type is one over the network."""
    return _NETWORK.fullmatch(kind) is not None


def file_system(path: PurePath, mounts: str) -> str:
    """Return the type of the file system that `path` lies on, as `/proc/self/mountinfo` has it."""
    found, depth = "", -1
    for line in mounts.splitlines():
        before, separator, behind = line.partition(" - ")
        words = before.split()
        if not separator or len(words) < 5:  # noqa: PLR2004  # the fifth is the mount point
            continue
        point = PurePath(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), words[4]))
        if len(point.parts) >= depth and path.is_relative_to(point):
            found, depth = behind.split()[0], len(point.parts)
    return found


def demand_owner(path: Path) -> None:
    """Refuse a folder of another owner, unless it is shared with a group of ours."""
    found = path.stat()
    if found.st_uid == os.geteuid():
        return
    groups = {os.getegid(), *os.getgroups()}
    if is_shared(path) and (found.st_gid in groups or os.geteuid() == 0):
        return
    raise StoreRefusedError(
        f"{path} belongs to another owner (user {found.st_uid}, you are {os.geteuid()}).",
        advice="Ask the owner to share it with your group, or name a store of your own.",
    )


def is_shared(path: Path) -> bool:
    """Return whether the store's folder is writable by its group."""
    return bool(path.stat().st_mode & stat.S_IWGRP)


def wide_files(folder: Path) -> list[Path]:
    """Return what in the store has wider rights than it should, by name."""
    forbidden = 0o007 if is_shared(folder) else 0o077
    entries = [folder, *sorted(folder.rglob("*"))]
    return [path for path in entries if path.lstat().st_mode & forbidden and not path.is_symlink()]
