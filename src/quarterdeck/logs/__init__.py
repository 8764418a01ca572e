"""Durable run logs in one folder per run: who may write, and reading. Appending: `writer`; the bytes: `format`."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from quarterdeck.logs import format as disk
from quarterdeck.logs.writer import FolderLogWriter, cannot_write, open_writer
from quarterdeck.model.ids import RunId
from quarterdeck.model.instants import Clock
from quarterdeck.model.logline import StoredLine

if TYPE_CHECKING:
    from quarterdeck.logs.reader import FolderLogReader


class FolderRunLogs:
    """The logs of all runs in `folder`, as port `RunLogs` says. Readers take no lock."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._root = folder
        self._clock = clock

    @contextmanager
    def writer(self, run: RunId) -> Iterator[FolderLogWriter | None]:
        """Take the writer's lock, or give None at once if another process holds it."""
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
                yield None
                return
            with open_writer(folder, self._clock) as writer:
                yield writer
        finally:
            os.close(lock)

    def lines(self, run: RunId, *, after: int = 0, limit: int = 1_000) -> list[StoredLine]:
        """Return lines with `seq` > `after`, oldest first; empty for a run without a log."""
        state = disk.read_state(self._folder(run))
        wanted = min(limit, state.count - after)
        if wanted <= 0:
            return []
        with (self._folder(run) / disk.LINES).open("rb") as file:
            file.seek(self._offset(run, after // disk.STEP))
            for _ in range(after % disk.STEP):
                file.readline()
            return [disk.decode(file.readline()) for _ in range(wanted)]

    def tail(self, run: RunId, count: int) -> list[StoredLine]:
        """Return the last `count` lines, oldest first, without reading the whole log."""
        return self.lines(run, after=max(0, self.count(run) - count), limit=count)

    def search(self, run: RunId, text: str, *, limit: int = 100) -> Iterator[StoredLine]:
        """Yield lines that contain `text`, oldest first, whole log; upper and lower case differ."""
        state = disk.read_state(self._folder(run))
        if state.count:
            with (self._folder(run) / disk.LINES).open("rb") as file:
                yield from _matches(file, state.size, text, limit)

    def reader(self, run: RunId) -> FolderLogReader:
        """Return a reader of the run's log by rows; empty for a run without a log."""
        from quarterdeck.logs.reader import FolderLogReader  # screens alone need it

        return FolderLogReader(self._folder(run))

    def count(self, run: RunId) -> int:
        """Return how many lines are kept."""
        return disk.read_state(self._folder(run)).count

    def size(self, run: RunId) -> int:
        """Return the bytes kept."""
        return disk.read_state(self._folder(run)).size

    def _folder(self, run: RunId) -> Path:
        if not run.isalnum():
            raise ValueError(f"{run!r} is not the id of a run")
        return self._root / run

    def _offset(self, run: RunId, entry: int) -> int:
        with (self._folder(run) / disk.INDEX).open("rb") as file:
            file.seek(entry * disk.ENTRY)
            return int.from_bytes(file.read(disk.ENTRY), "little")


def _matches(file: BinaryIO, size: int, text: str, limit: int) -> Iterator[StoredLine]:
    wanted, found, at = disk.needle(text), 0, 0
    for raw in file:
        at += len(raw)
        if at > size or found == limit:
            return
        # Most lines are passed over without being parsed.
        if wanted in raw and text in (line := disk.decode(raw)).text:
            found += 1
            yield line
