"""SQLite's errors by number, and what each becomes. No I/O; raising is `database`'s."""

from __future__ import annotations

import errno
from typing import Final

from quarterdeck.model.errors import (
    ConflictError,
    DamagedDocumentError,
    QuarterdeckError,
    StoreFaultError,
    StoreRefusedError,
)

ERROR: Final = 1
BUSY: Final = 5
LOCKED: Final = 6
READONLY: Final = 8
IOERR: Final = 10
CORRUPT: Final = 11
FULL: Final = 13
CANTOPEN: Final = 14
PROTOCOL: Final = 15
NOTADB: Final = 26
# extended codes: a sync that failed, a lock that cannot be taken here
SYNC_FAILED: Final = frozenset({IOERR | 4 << 8, IOERR | 5 << 8})
NO_LOCKS: Final = frozenset({PROTOCOL, IOERR | 9 << 8, IOERR | 14 << 8, IOERR | 15 << 8})

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})  # the system's, of a disk that is full

# Words of a database that is ours by its header, and damaged.
TORN: Final = ("malformed JSON", "no such table", "unsupported file format")

DAMAGE_ADVICE: Final = (
    "Nothing was written; what is left can be read. See `quarterdeck store verify`, then keep what is left"
    " with `quarterdeck store repair`, or put a backup in its place with `quarterdeck store restore`."
)
LOCKS_ADVICE: Final = "Keep the store on a local disk (`quarterdeck init` in a folder there)."


def translate(
    code: int, words: str, *, path: str, holder: str, wait_s: float
) -> QuarterdeckError | None:
    """Return what SQLite's error `code` means for the store at `path`; None if it is a defect.

    `holder` names who has the write lock, `wait_s` how long it was waited for.
    """
    primary = code & 0xFF
    if code in NO_LOCKS:
        return StoreRefusedError(
            f"The file system of {path} gives no file locks ({words}).", advice=LOCKS_ADVICE
        )
    if primary in (BUSY, LOCKED):
        return ConflictError(
            f"{path} is being written by {holder}; gave up after {wait_s:g} s.",
            advice="Nothing was written. Try again; if it stays so, end that process.",
        )
    is_torn = primary == ERROR and any(sign in words for sign in TORN)
    if primary in (CORRUPT, NOTADB) or is_torn:
        return damaged(path, words)
    if primary == CANTOPEN:
        return StoreRefusedError(
            f"{path} cannot be opened ({words}).",
            advice="Check the rights of the folder and of the files in it.",
        )
    return _fault(primary, words, path)


def _fault(primary: int, words: str, path: str) -> QuarterdeckError | None:
    if primary == FULL:
        return StoreFaultError(
            f"The disk of {path} is full; nothing was written.",
            advice="Make room, then repeat the change.",
        )
    if primary == READONLY:
        return StoreFaultError(
            f"{path} cannot be written ({words}); nothing was written.",
            advice="Check that the disk is mounted for writing and that the files are yours.",
        )
    if primary == IOERR:
        return StoreFaultError(
            f"The disk of {path} failed ({words}); nothing was written.",
            advice="Check the disk, then run `quarterdeck store verify`.",
        )
    return None


def damaged(path: str, what: str) -> StoreRefusedError:
    """Return the error for a database that is damaged, naming the damage."""
    return StoreRefusedError(f"{path} is damaged: {what}.", advice=DAMAGE_ADVICE, damage=what)


def altered(document: str, what: str) -> DamagedDocumentError:
    """Return the error for a document (table/id) that is not as it was written; `what` says how."""
    return DamagedDocumentError(
        f"{document} {what}; nothing was written.", advice=DAMAGE_ADVICE, document=document
    )


def unknown(document: str, noun: str, error: Exception) -> DamagedDocumentError:
    """Return the error for a document (table/id) that is as it was written, and that this version cannot read."""
    return DamagedDocumentError(
        f"{document} is as it was written, but cannot be read as a {noun} ({type(error).__name__}: {error}).",
        advice="A newer version of Quarterdeck may have written it: use that one. If none did, this is a defect.",
        document=document,
    )
