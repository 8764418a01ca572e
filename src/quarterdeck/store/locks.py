"""Who holds the write lock, as Linux knows it. Taking it is `sqlite`'s."""

from __future__ import annotations

import os
from pathlib import Path

_WRITE_LOCK_BYTE = 120  # of the -shm file; https://www.sqlite.org/walformat.html#wal_locks


def holder(database: Path) -> str:
    """Return who writes to `database` at this moment, in words; never opens the file.

    (Opening and closing it would drop this process's own locks on it.)
    """
    try:
        inode = database.with_name(database.name + "-shm").stat().st_ino
        table = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return "another process"
    pid = parse_holder(table, inode)
    if pid is None:
        return "another process"
    if pid == os.getpid():
        return "another thread of this process"
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return f"process {pid}"
    return f"process {pid} ({name})"


def parse_holder(table: str, inode: int) -> int | None:
    """Return the process that `/proc/locks` names as the holder of the write lock."""
    for line in table.splitlines():
        words = line.split()
        if len(words) != 8 or words[1] != "POSIX" or words[3] != "WRITE":  # noqa: PLR2004  # columns
            continue
        if int(words[5].rpartition(":")[2]) != inode:
            continue
        first, last = int(words[6]), words[7]
        if first <= _WRITE_LOCK_BYTE and (last == "EOF" or int(last) >= _WRITE_LOCK_BYTE):
            return int(words[4])
    return None
