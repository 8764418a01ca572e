"""Appends to one run's log, once each line and a marker for each hole. Reading it: `logs`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from quarterdeck.logs import format as disk
from quarterdeck.logs.mending import mend
from quarterdeck.logs.shape import LOST, digest, shape
from quarterdeck.model.errors import StoreFaultError
from quarterdeck.model.instants import Clock
from quarterdeck.model.logline import (
    GAP,
    UNCOUNTED,
    Cursor,
    LogChunk,
    LogKept,
    LogLine,
    StoredLine,
)

NO_REASON = "their source does not have them any more"


class FolderLogWriter:
    """The writer of the log in `folder`; whoever makes one holds the folder's lock."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._is_dirty = False
        found = shape(folder)
        self._state = found.of
        if (
            found.index is not None
        ):  # the machine stopped before the disk had it all, or it was damaged since
            self._state = mend(folder, found, is_ended=False)
        self._lines = disk.open_private(folder / disk.LINES, os.O_RDWR)
        self._index = disk.open_private(folder / disk.INDEX, os.O_RDWR)
        self._hidden = disk.open_private(folder / disk.HIDDEN, os.O_RDWR)
        self._cut()

    @property
    def cursor(self) -> Cursor:
        """Where each source was read to."""
        return Cursor(dict(self._state.positions))

    def append(self, chunk: LogChunk) -> int:
        """Keep lines that were not seen before, with the cursor; return how many of the chunk's."""
        state = self._state
        last = state.numbers.get(chunk.source, 0)
        found: list[StoredLine] = []
        kept = 0
        for line in chunk.lines:
            if line.number <= last:
                continue
            is_hole = line.number > last + 1
            if is_hole or (chunk.is_uncounted and line is chunk.lines[0]):
                hole = self._hole(
                    chunk, last + 1, line, upto=line.number - 1 if is_hole else UNCOUNTED
                )
                found.append(replace(hole, seq=state.count + len(found) + 1))
            found.append(_stored(line, chunk.source, state.count + len(found) + 1))
            last = line.number
            kept += 1
        if found or dict(chunk.cursor.positions) != state.positions:
            self._keep(found, chunk.source, last, dict(chunk.cursor.positions))
        if chunk.ended and chunk.gap and not chunk.lines:
            self.gap(chunk.source, chunk.gap)
        return kept

    def gap(self, source: str, why: str) -> None:
        """Say once that lines of `source` behind the last one are missing and will not come."""
        state = self._state
        last = state.numbers.get(source, 0)
        if state.closed.get(source) == last:
            return
        state.closed[source] = last
        seq = state.count + 1
        line = StoredLine(seq, source, last + 1, self._clock(), GAP, "", why)
        try:
            self._keep([line], source, last, state.positions)
        except StoreFaultError:
            del state.closed[source]
            raise

    def say_lost(self) -> None:
        """Mark what was kept once and could not be read again, after all sources were."""
        state = self._state
        for source, last in state.lost.items():
            first = state.numbers.get(source, 0) + 1
            if first <= last:
                line = StoredLine(
                    state.count + 1, source, first, self._clock(), GAP, "", LOST, upto=last
                )
                self._keep([line], source, last, state.positions)
                state = self._state
        if state.lost:
            self._state = replace(state, lost={})
            self._keep([], "", 0, state.positions)

    def kept(self) -> LogKept:
        """Wait for the disk, and return what is kept: for a log to which nothing will be added."""
        self._sync()
        return digest(self._folder, self._state)

    def close(self) -> None:
        """Wait for the disk, so that the sources may be removed now."""
        try:
            self._sync()
        finally:
            os.close(self._lines)
            os.close(self._index)
            os.close(self._hidden)

    def _sync(self) -> None:
        try:
            if self._is_dirty:
                os.fsync(self._lines)
                os.fsync(self._index)
                os.fsync(self._hidden)
                with (self._folder / disk.STATE).open("rb") as state:
                    os.fsync(state.fileno())
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        self._is_dirty = False

    def last(self, source: str) -> int:
        """Return the number of the last line of `source` that is kept."""
        return self._state.numbers.get(source, 0)

    @staticmethod
    def _hole(chunk: LogChunk, first: int, line: LogLine, upto: int) -> StoredLine:
        text = chunk.gap or NO_REASON
        return StoredLine(0, chunk.source, first, line.at, GAP, "", text, upto=upto)

    def _keep(
        self, lines: list[StoredLine], source: str, last: int, positions: dict[str, int]
    ) -> None:
        """Append lines, then their index, then the state that makes them count."""
        state = self._state
        encoded = [disk.encode(line) for line in lines]
        index = bytearray()
        at = state.size
        for number, raw in enumerate(encoded, state.count):
            if number % disk.STEP == 0:
                index += at.to_bytes(disk.ENTRY, "little")
            at += len(raw)
        fresh = dict(state.open)
        joined = {line.seq for line in lines if disk.is_joined(line, fresh)}
        hidden = [line.seq for line in lines if line.seq in joined or disk.is_own(line)]
        after = replace(
            state,
            size=at,
            count=state.count + len(lines),
            hidden=state.hidden + len(hidden),
            joined=state.joined + len(joined),
            open=fresh,
            positions=positions,
            numbers={**state.numbers, source: last} if last else state.numbers,
        )
        try:
            _write(self._lines, b"".join(encoded))
            _write(self._index, bytes(index))
            _write(self._hidden, _entries(hidden))
            disk.write_state(self._folder, after)
        except OSError as error:
            self._cut()
            raise cannot_write(self._folder, error) from error
        self._state = after
        self._is_dirty = True

    def _cut(self) -> None:
        """Drop what a writer left behind the state, and stand at the end."""
        state = self._state
        entries = -(-state.count // disk.STEP)
        sizes = (
            (self._lines, state.size),
            (self._index, entries * disk.ENTRY),
            (self._hidden, state.hidden * disk.ENTRY),
        )
        for handle, size in sizes:
            os.ftruncate(handle, size)
            os.lseek(handle, size, os.SEEK_SET)


def cannot_write(folder: Path, error: OSError) -> StoreFaultError:
    """Return what it means that the log in this folder cannot be written."""
    return StoreFaultError(
        f"The log in {folder} cannot be written: {error.strerror}.",
        advice="Make room on the disk; what is missing is read again.",
    )


@contextmanager
def open_writer(folder: Path, clock: Clock) -> Iterator[FolderLogWriter]:
    """Give the writer of the folder, and close it."""
    try:
        writer = FolderLogWriter(folder, clock)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield writer
    finally:
        writer.close()


def _stored(line: LogLine, source: str, seq: int) -> StoredLine:
    return StoredLine(
        seq, source, line.number, line.at, line.origin, line.stream, line.text, line.more
    )


def _entries(numbers: list[int]) -> bytes:
    return b"".join(number.to_bytes(disk.ENTRY, "little") for number in numbers)


def _write(handle: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
