"""What may be opened as a store: the folder's layout, owner, rights and file system.

What stands in the database's header is checked by `database`.
"""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from quarterdeck.model.errors import ConflictError, StoreRefusedError
from quarterdeck.store import head
from quarterdeck.store.faults import LOCKS_ADVICE

if TYPE_CHECKING:
    from datetime import datetime

DATABASE: Final = "quarterdeck.db"
ARTIFACTS: Final = "artifacts"
LOGS: Final = "logs"
WORK: Final = "work"
REPAIRING: Final = "repairing"  # there from the moment a repair changes anything until it is done
FOLDERS: Final = (ARTIFACTS, LOGS, WORK)
LAYOUT: Final = (DATABASE, head.NAME, *FOLDERS)
_MOUNTS = Path("/proc/self/mountinfo")
# Their locks hold on one host at best, and a write-ahead log needs memory shared by all writers.
_NETWORK = re.compile(
    r"nfs\d*|cifs|smb\w*|9p|afs|ncpfs|ceph|lustre|glusterfs|beegfs|gpfs|davfs"
    r"|fuse\.(sshfs|s3fs|goofys|rclone|gcsfuse|blobfuse2?|glusterfs|davfs2?|curlftpfs|juicefs)"
)
RESTORE: Final = "Put a backup in its place with `quarterdeck store restore`."
_INIT: Final = (
    "Make one with `quarterdeck init`, or name another folder (--store, QUARTERDECK_STORE)."
)


def demand_store(folder: str | PurePath) -> Path:
    """Return the absolute folder of an existing store; StoreRefusedError says why it is none."""
    path = demand_folder(folder)
    database = path / DATABASE
    if database.is_symlink():
        raise StoreRefusedError(
            f"{database} is a symbolic link.", advice="Put the database itself in its place."
        )
    if not database.is_file():
        if not is_free(path) and any(
            (path / name).exists() for name in (ARTIFACTS, LOGS, head.NAME)
        ):
            what = f"{DATABASE} is missing"
            raise StoreRefusedError(
                f"{path} is a store without its database ({what}).", advice=RESTORE, damage=what
            )
        raise StoreRefusedError(f"{path} is no store ({DATABASE} is missing).", advice=_INIT)
    if database.stat().st_size == 0:
        what = "it is empty"
        raise StoreRefusedError(f"{database} is damaged: {what}.", advice=RESTORE, damage=what)
    return path


def demand_folder(folder: str | PurePath) -> Path:
    """Return the absolute path of a folder that may be a store: ours, with locks."""
    path = demand_named(folder)
    if path.is_symlink() and not path.exists():
        raise StoreRefusedError(f"{path} is a symbolic link to nothing.", advice=_INIT)
    if not path.exists():
        demand_whole_restore(path)
        raise StoreRefusedError(f"There is no store at {path}.", advice=_INIT)
    if not path.is_dir():
        raise StoreRefusedError(f"{path} is a file; a store is a folder.", advice=_INIT)
    demand_locks(path)
    demand_owner(path)
    return path


def cut_off_repair(path: Path) -> Path | None:
    """Return where the copy lies from which a repair began that was cut off; None if none was."""
    try:
        return Path(json.loads((path / REPAIRING).read_bytes())["copy"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return path


def demand_whole_restore(path: Path) -> None:
    """Refuse a folder that is missing because a restore was ended between its two steps."""
    import glob  # where there is no store

    name = glob.escape(path.name)
    drafts = sorted(path.parent.glob(f".{name}.restore-*"))
    kept = sorted(path.parent.glob(f"{name}.before-restore-*"))
    if drafts and kept:
        what = "a restore was cut off between two steps"
        raise StoreRefusedError(
            f"There is no store at {path}: {what}.",
            advice=f"The store that was there lies in {kept[-1]}: `mv {kept[-1]} {path}` brings it back.",
            damage=what,
        )


def beside(folder: Path, why: str, now: datetime, ending: str = "") -> Path:
    """Return the name beside the store's folder under which something of it is kept."""
    stamp = now.strftime("%Y%m%dT%H%M%S%fZ")
    return folder.with_name(f"{folder.name}.{why}-{stamp}{ending}")


def demand_free(folder: str | PurePath) -> Path:
    """Return the absolute folder where a store may be made: absent or empty, with locks."""
    path = demand_named(folder)
    if path.exists() and not path.is_dir():
        raise ConflictError(
            f"{path} is a file; a store is a folder.", advice="Name another folder."
        )
    if not path.exists():
        demand_whole_restore(path)
    if path.is_dir() and not is_free(path):
        what = "holds a store already" if (path / DATABASE).exists() else "is not empty"
        raise ConflictError(f"{path} {what}.", advice="Name a new or empty folder.")
    demand_locks(path)
    return path


def is_free(path: Path) -> bool:
    """Return whether the folder holds nothing but what comes from making a store that was cut off."""
    return all(map(_is_left_over, path.iterdir()))


def _is_left_over(entry: Path) -> bool:
    if entry.name in FOLDERS:
        return entry.is_dir() and not any(entry.iterdir())
    if entry.name == head.NAME:
        return _is_new_head(entry)
    return entry.name.startswith((f".{DATABASE}.", f".{head.NAME}."))


def _is_new_head(path: Path) -> bool:
    """Return whether nothing was acknowledged yet in the head's store."""
    try:
        mark = head.Head(path).read()
    except (OSError, head.HeadError):
        return False
    return mark is not None and mark.seq == 0


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
