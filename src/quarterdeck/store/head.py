"""The head: the newest change that was acknowledged, in one small file beside the database.

It is written after the commit and before the acknowledgement, so a database that stands behind it has lost what
was acknowledged. It has two slots that are written in turn: a write that was cut off leaves the one before.
"""

from __future__ import annotations

import fcntl
import os
import threading
from binascii import crc32
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from quarterdeck.store.sums import Totals

NAME: Final = "head"
_WORDS: Final = "quarterdeck-head 1"
_SLOT: Final = 4096  # bytes: each in a block of its own, so that no write touches both
_SYNC: Final = getattr(os, "fdatasync", os.fsync)  # not every Unix has the shorter one
_RECORD: Final = 192  # bytes that are read and written of a slot


class HeadError(Exception):
    """The head cannot be what the database's store wrote last; says why."""


class Mark(NamedTuple):
    """A change of a store: its number, and the chain that the database had then."""

    store: str
    seq: int
    chain: str


def mark_of(totals: Totals) -> Mark:
    """Return the mark of a database's newest change."""
    return Mark(totals.store, totals.seq, totals.chain)


def encode(mark: Mark) -> bytes:
    """Return the slot that holds the mark: one line of text, with a checksum."""
    text = f"{_WORDS} {mark.store} {mark.seq} {mark.chain} ".encode()
    return b"%b%08x\n" % (text, crc32(text)) + b" " * (_RECORD - len(text) - 9)


def decode(slot: bytes) -> Mark | None:
    """Return the mark in a slot; None for one that is damaged or was cut off."""
    text, _, check = slot.decode("ascii", "replace").rstrip().rpartition(" ")
    words = text.split(" ")
    if f"{crc32(f'{text} '.encode()):08x}" != check or " ".join(words[:2]) != _WORDS:
        return None
    return Mark(words[2], int(words[3]), words[4])


def difference(mark: Mark, totals: Totals) -> str:
    """Return in words why the database is not the one that `mark` tells of; empty if it may be.

    A database that is ahead of the head is in order: whoever wrote was ended before the head was.
    """
    if mark.store != totals.store:
        return (
            f"the head beside it belongs to another store ({mark.store}), the database says {totals.store}:"
            " one of the two was exchanged"
        )
    if mark.seq > totals.seq:
        return behind(totals.seq, mark.seq)
    known = totals.chain_at(mark.seq)
    if known != mark.chain and (known is not None or mark.seq == totals.seq):
        return (
            f"its change {mark.seq} is not the one that was acknowledged under this number:"
            " the database of another copy was put in its place"
        )
    return ""


def behind(seq: int, acknowledged: int) -> str:
    """Return what it means that the database ends before the last acknowledged change."""
    gone = acknowledged - seq
    return (
        f"it ends at change {seq}, but {acknowledged} were acknowledged: the last {gone} are missing"
        " (its write-ahead log was damaged or removed, or an older database was put in its place)"
    )


class Head:
    """The file of one store. Each process has its own; threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._handle = -1
        self._identity = (-1, -1)
        self._known: tuple[bytes, Mark, int] | None = None  # what was read, decoded

    def read(self) -> Mark | None:
        """Return the newest mark; None if there is no such file. HeadError if neither slot can be read."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return self._newest(os.pread(handle, _SLOT + _RECORD, 0))[0]
        finally:
            os.close(handle)

    def write(self, mark: Mark) -> None:
        """Make `mark` durable, unless a newer one is there already. Others wait meanwhile.

        OSError if it cannot be written; HeadError if the file is another store's, or tells of another history.
        """
        with self._lock:
            handle = self._opened()
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                there = os.pread(handle, _SLOT + _RECORD, 0)
                if self._known is None or self._known[0] != there:
                    self._known = (there, *self._newest(there))
                _, newest, slot = self._known
                if newest.store != mark.store:
                    raise HeadError(f"{self.path} belongs to another store ({newest.store}) now")
                if newest.seq > mark.seq or newest == mark:
                    return
                if newest.seq == mark.seq:
                    raise HeadError(f"{self.path} tells of another change {mark.seq}")
                record, at = encode(mark), (1 - slot) * _SLOT
                self._put(handle, record, at)
                there = record + there[_RECORD:] if at == 0 else there[:at] + record
                self._known = (there, mark, 1 - slot)
            finally:
                fcntl.flock(handle, fcntl.LOCK_UN)

    @property
    def known(self) -> Mark | None:
        """The newest mark that was seen when one was written; None before the first."""
        return self._known[1] if self._known is not None else None

    def is_in_place(self) -> bool:
        """Return whether the open file is still the one at its path; OSError if it cannot be written."""
        if self._handle < 0:  # else nobody waits for the disk here: the write lock may be held
            with self._lock:
                self._opened()
        try:
            found = os.stat(self.path)  # noqa: PTH116  # twice as fast, once for each transaction
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1

    def _opened(self) -> int:
        if self._handle < 0:
            self._handle = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            found = os.fstat(self._handle)
            self._identity = (found.st_dev, found.st_ino)
        return self._handle

    def _newest(self, there: bytes) -> tuple[Mark, int]:
        """Return the newest mark and its slot."""
        found = [
            (mark, slot)
            for slot in (0, 1)
            if (mark := decode(there[slot * _SLOT :][:_RECORD])) is not None
        ]
        if not found:
            raise HeadError(f"both slots of {self.path} are damaged")
        return max(found, key=lambda one: one[0].seq)

    def _put(self, handle: int, record: bytes, at: int) -> None:
        """Write the slot in place and wait for the disk; the file's size and blocks stay as they are."""
        os.pwrite(handle, record, at)
        _SYNC(handle)


def content(mark: Mark) -> bytes:
    """Return a whole head file that begins at `mark`."""
    return encode(mark).ljust(_SLOT) * 2
