"""The store's pure parts: who holds a lock, which file system, which error a number becomes."""

from __future__ import annotations

import sqlite3
from pathlib import PurePath

import pytest

from quarterdeck.model.errors import (
    ConflictError,
    QuarterdeckError,
    StoreFaultError,
    StoreRefusedError,
)
from quarterdeck.store import audit, faults, guard, indexes, locks, schema

LOCKS = """\
1: POSIX  ADVISORY  WRITE 41 fd:01:7000 0 EOF
2: POSIX  ADVISORY  READ  42 fd:01:9000 120 120
3: POSIX  ADVISORY  WRITE 43 fd:01:9000 123 123
4: FLOCK  ADVISORY  WRITE 44 fd:01:9000 0 EOF
5: POSIX  ADVISORY  WRITE 45 fd:01:9000 120 120
5: -> POSIX  ADVISORY  WRITE 46 fd:01:9000 120 120
"""
MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:40 / /home rw - nfs4 server:/home rw
31 30 0:41 / /home/ann/my\\040disk rw shared:2 master:1 - xfs /dev/sdb rw
32 22 0:42 / /mnt/ssh rw - fuse.sshfs host:/ rw
nonsense
"""


def test_the_holder_of_the_write_lock_is_found() -> None:
    assert locks.parse_holder(LOCKS, 9000) == 45
    assert locks.parse_holder(LOCKS, 7000) == 41
    assert locks.parse_holder(LOCKS, 1) is None


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/store", "ext4"),
        ("/home/ann/store", "nfs4"),
        ("/home/ann/my disk/store", "xfs"),
        ("/homestead", "ext4"),
        ("/mnt/ssh", "fuse.sshfs"),
    ],
)
def test_the_file_system_is_the_nearest_mount(path: str, kind: str) -> None:
    assert guard.file_system(PurePath(path), MOUNTS) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.s3fs"])
def test_network_file_systems_are_known(kind: str) -> None:
    assert guard.is_network(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "fuse.ntfs"])
def test_local_file_systems_are_known(kind: str) -> None:
    assert not guard.is_network(kind)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (sqlite3.SQLITE_BUSY, ConflictError, "by process 7"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, ConflictError, "after 5 s"),
        (sqlite3.SQLITE_LOCKED, ConflictError, "being written"),
        (sqlite3.SQLITE_FULL, StoreFaultError, "full"),
        (sqlite3.SQLITE_IOERR_WRITE, StoreFaultError, "failed"),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreFaultError, "failed"),
        (sqlite3.SQLITE_READONLY, StoreFaultError, "cannot be written"),
        (sqlite3.SQLITE_IOERR_LOCK, StoreRefusedError, "no file locks"),
        (sqlite3.SQLITE_PROTOCOL, StoreRefusedError, "no file locks"),
        (sqlite3.SQLITE_CORRUPT, StoreRefusedError, "damaged"),
        (sqlite3.SQLITE_NOTADB, StoreRefusedError, "damaged"),
        (sqlite3.SQLITE_CANTOPEN, StoreRefusedError, "cannot be opened"),
    ],
)
def test_an_error_says_what_and_what_to_do(
    code: int, kind: type[QuarterdeckError], words: str
) -> None:
    error = faults.translate(code, "said", path="/store/db", holder="process 7", wait_s=5.0)
    assert type(error) is kind
    assert words in error.message
    assert "/store/db" in error.message
    assert error.advice


def test_a_defect_stays_one() -> None:
    assert faults.translate(sqlite3.SQLITE_ERROR, "syntax", path="", holder="", wait_s=5) is None
    assert sqlite3.SQLITE_IOERR_FSYNC in faults.SYNC_FAILED
    assert sqlite3.SQLITE_IOERR_DIR_FSYNC in faults.SYNC_FAILED
    assert sqlite3.SQLITE_IOERR_LOCK in faults.NO_LOCKS


def test_every_table_has_plain_names() -> None:
    for table in indexes.INDEXES:
        assert schema.sql_name(table) == f"t_{table}"
        assert schema.table_statements(indexes.INDEXES, table, ())
        for field in indexes.declared(indexes.INDEXES, table):
            assert field.isidentifier()


def test_equal_values_have_one_digest() -> None:
    assert audit.digest({"b": 1, "a": (1, 2)}) == audit.digest({"a": [1, 2], "b": 1})
    assert audit.digest({"a": 1}) != audit.digest({"a": 2})
    assert audit.digest(None) is None
