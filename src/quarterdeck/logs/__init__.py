"""Durable run logs in one folder per run: who may write, and reading. Appending: `writer`; the bytes: `format`."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from quarterdeck.logs import format as disk
from quarterdeck.logs import mending, shape
from quarterdeck.logs.writer import FolderLogWriter, cannot_write, open_writer
from quarterdeck.model.errors import ConflictError
from quarterdeck.model.ids import RunId
from quarterdeck.model.instants import Clock
from quarterdeck.model.logline import Joiner, LogKept, StoredLine

if TYPE_CHECKING:
    from quarterdeck.logs.reader import FolderLogReader


BLOCK: Final = 1 << 16  # bytes that are looked through at once


class FolderRunLogs:
    """The logs of all runs in `folder`, as port `RunLogs` says. Readers take no lock.

    `archived` says with how many lines a run's log was archived (0: it was not): it is asked where there are none.
    """

    def __init__(
        self, folder: Path, clock: Clock, archived: Callable[[RunId], int] = lambda _: 0
    ) -> None:
        self._root = folder
        self._clock = clock
        self._archived = archived

    @contextmanager
    def writer(self, run: RunId) -> Iterator[FolderLogWriter | None]:
        """Take the writer's lock, or give None at once if another process holds it."""
        with self._locked(run) as is_ours:
            if not is_ours:
                yield None
                return
            with open_writer(self._folder(run), self._clock) as writer:
                yield writer

    @contextmanager
    def _locked(self, run: RunId) -> Iterator[bool]:
        folder = self._folder(run)
        try:
            for each in (self._root, folder):
                each.mkdir(mode=0o700, exist_ok=True)
            lock = disk.open_private(folder / disk.LOCK, os.O_RDWR)
        except OSError as error:
            raise cannot_write(folder, error) from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(lock)

    def lines(self, run: RunId, *, after: int = 0, limit: int = 1_000) -> list[StoredLine]:
        """Return lines with `seq` > `after`, oldest first; empty for a run without a log.

        What is missing of a damaged log is a gap at its end, what cannot be read of it a gap in its place.
        """
        return self._read(run, self._shape(run), after, limit)

    def tail(self, run: RunId, count: int) -> list[StoredLine]:
        """Return the last `count` lines, oldest first, without reading the whole log."""
        found = self._shape(run)
        after = found.count + (1 if found.missing else 0) - count
        return self._read(run, found, max(0, after), count)

    def search(self, run: RunId, text: str, *, limit: int = 100) -> Iterator[StoredLine]:
        """Yield lines that contain `text`, pieces joined, in the order of their ends; case matters."""
        found = self._shape(run)
        if found.count:
            with (self._folder(run) / disk.LINES).open("rb") as file:
                yield from _matches(file, found.size, text, limit)

    def reader(self, run: RunId) -> FolderLogReader:
        """Return a reader of the run's log by rows; empty for a run without a log."""
        from quarterdeck.logs.reader import FolderLogReader  # screens alone need it

        return FolderLogReader(self._folder(run), lambda: self._archived(run))

    def count(self, run: RunId) -> int:
        """Return how many lines are kept."""
        return self._shape(run).count

    def size(self, run: RunId) -> int:
        """Return the bytes kept."""
        return self._shape(run).size

    def flaw(self, run: RunId, kept: LogKept | None) -> str:
        """Return in words how the archived log is not as it was kept; empty if it is."""
        return shape.flaw(self._folder(run), kept)

    def runs(self) -> list[RunId]:
        """Return the runs that have a log, by id."""
        if not self._root.is_dir():
            return []
        return sorted(RunId(path.name) for path in self._root.iterdir() if path.is_dir())

    def mend(self, run: RunId, expected: int) -> LogKept:
        """Write an archived log anew from what can be read, gaps for the rest, and return what is kept now."""
        folder = self._folder(run)
        with self._locked(run) as is_ours:
            if not is_ours:
                raise ConflictError(
                    f"The log of run {run} is being written by another process.",
                    advice="Try again; if it stays so, end that process.",
                )
            found = shape.shape(folder, expected)
            return shape.digest(folder, mending.mend(folder, found, is_ended=True))

    def _shape(self, run: RunId) -> shape.Shape:
        found = shape.shape(self._folder(run))
        if found.count:
            return found
        expected = self._archived(run)  # there may have been one
        return shape.shape(self._folder(run), expected) if expected else found

    def _read(self, run: RunId, found: shape.Shape, after: int, limit: int) -> list[StoredLine]:
        folder, lines = self._folder(run), []
        if found.count > after:
            lines = shape.read(folder, found, after, min(limit, found.count - after))
        if found.missing and len(lines) < limit and after < found.gap.seq:
            lines.append(found.gap)
        return lines

    def _folder(self, run: RunId) -> Path:
        if not run.isalnum():
            raise ValueError(f"{run!r} is not the id of a run")
        return self._root / run


def _matches(file: BinaryIO, size: int, text: str, limit: int) -> Iterator[StoredLine]:
    parts: dict[tuple[str, str, str], str] = {}  # the end of what was given of a line that goes on
    found = 0
    for line in _candidates(file, size, text):
        key = (line.source, line.origin, line.stream)
        before = parts.pop(key, "")
        if line.more and len(text) > 1:
            parts[key] = line.text[1 - len(text) :]
        if not line.is_gap and text in before + line.text:
            found += 1
            yield line
            if found == limit:
                return


def _candidates(file: BinaryIO, size: int, text: str) -> Iterator[StoredLine]:
    """Yield joined lines, those in one piece only if they may contain the text: most are never parsed."""
    wanted, joiner = disk.needle(text), Joiner()
    awaited: list[bytes] = []  # what the lines hold that may go on with an unfinished one
    for block in _blocks(file, size):
        if not awaited and wanted not in block and disk.MORE not in block:
            continue
        for raw in block.split(b"\n"):
            if wanted in raw or disk.MORE in raw or (awaited and any(x in raw for x in awaited)):
                with suppress(*disk.UNREADABLE):
                    yield from joiner.take(disk.decode(raw))
                awaited = [f'"{one}"'.encode() for one in joiner.origins]
    yield from joiner.rest()


def _blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the whole lines in the first `size` bytes, some at a time."""
    while size > 0 and (block := file.read(min(BLOCK, size))):
        if not block.endswith(b"\n"):
            block += file.readline()
        size -= len(block)
        yield block
