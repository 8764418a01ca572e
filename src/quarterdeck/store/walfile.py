"""A write-ahead log as bytes: which frames it has, and a database with them laid over it, however damaged it is.

SQLite stops at the first frame whose checksum does not fit, and loses all behind it. Here the frames behind are
taken as well: each is checked from what the one before it says. https://www.sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MAGIC: Final = 0x377F0682  # its last bit: checksums are of big-endian words
_AHEAD: Final = (
    4  # frames looked at behind one that does not fit: is the log over, or is that one damaged?
)

Sum = tuple[int, int]


class Frame(NamedTuple):
    """A page as one transaction left it; `pages` is the database's length behind a commit, else 0."""

    page: int
    pages: int
    content: bytes
    sound: bool


class _Log:
    """The frames of one log, by number from 0."""

    def __init__(self, content: bytes, page_size: int) -> None:
        self.content = content
        self.size = page_size
        self.count = max(0, len(content) - _HEADER.size) // (_FRAME.size + page_size)
        words = _HEADER.unpack_from(content)
        self.big = bool(words[0] & 1) if words[0] & ~1 == _MAGIC else False
        start = (words[6], words[7])
        self.start = start if self.summed((0, 0), content[:24]) == start else None
        self.salts = self._salts(words[4:6] if self.start else ())

    def _salts(self, known: tuple[int, ...]) -> tuple[int, ...]:
        """Return the salts of this log: a header that is damaged is believed less than two frames that agree."""
        if known:
            return known
        first = [self.head(number)[2:4] for number in range(min(3, self.count))]
        return max(first, key=first.count) if first else ()

    def head(self, number: int) -> tuple[int, ...]:
        return _FRAME.unpack_from(self.content, self._at(number))

    def page(self, number: int) -> bytes:
        at = self._at(number) + _FRAME.size
        return self.content[at : at + self.size]

    def _at(self, number: int) -> int:
        return _HEADER.size + number * (_FRAME.size + self.size)

    def fits(self, number: int, before: Sum) -> Sum | None:
        """Return the checksum behind the frame if it is right, counted from the one `before`; else None."""
        words = self.head(number)
        at = self._at(number)
        found = self.summed(self.summed(before, self.content[at : at + 8]), self.page(number))
        return found if found == words[4:6] and words[2:4] == self.salts else None

    def summed(self, before: Sum, content: bytes) -> Sum:
        words = array("I", content)
        if self.big:
            words.byteswap()
        first, second = before
        for even, odd in zip(words[::2], words[1::2], strict=True):
            first = (first + even + second) & 0xFFFFFFFF
            second = (second + odd + first) & 0xFFFFFFFF
        return first, second


def frames(content: bytes, page_size: int) -> list[Frame]:
    """Return the frames of the log up to its last commit, damaged ones among them."""
    if len(content) < _HEADER.size + _FRAME.size + page_size:
        return []
    found = list(_frames(_Log(content, page_size)))
    while found and not found[-1].pages:
        found.pop()
    return found


def _frames(log: _Log) -> Iterator[Frame]:
    before = (
        [log.start] if log.start else []
    )  # the checksums from which the next frame may be counted
    for number in range(log.count):
        words = log.head(number)
        sums = [found for one in before if (found := log.fits(number, one)) is not None]
        if not sums and words[2:4] != log.salts and not _goes_on(log, number):
            return
        yield Frame(words[0], words[1], log.page(number), sound=bool(sums))
        stored: Sum = (words[4], words[5])
        # Whether the page or the checksum is damaged shows the next frame.
        before = [stored] if sums else [stored, *(_through(log, number, one) for one in before)]


def _through(log: _Log, number: int, before: Sum) -> Sum:
    head = log.content[_HEADER.size + number * (_FRAME.size + log.size) :][:8]
    return log.summed(log.summed(before, head), log.page(number))


def _goes_on(log: _Log, number: int) -> bool:
    """Return whether frames of this log follow on one that seems to be none of it."""
    behind = range(number + 1, min(number + 1 + _AHEAD, log.count))
    return any(log.head(one)[2:4] == log.salts for one in behind)


def lay_over(database: Path, log: bytes, page_size: int) -> None:
    """Write the log's whole transactions into the database, as a checkpoint would, damaged pages among them."""
    found = frames(log, page_size)
    with database.open("r+b") as file:
        for frame in found:
            if frame.page:
                file.seek((frame.page - 1) * page_size)
                file.write(frame.content)
        if found and all(frame.sound for frame in found if frame.pages):
            file.truncate(found[-1].pages * page_size)
