"""Reads the lines that a runner on this machine writes to its log file. Keeping them: `logs`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from quarterdeck.model.instants import from_epoch_ms
from quarterdeck.model.logline import Cursor, LogChunk, LogLine
from quarterdeck.model.receipt import AttemptId

CHUNK_LINES: Final = 1_000
POLL_S: Final = 0.1
QUIET_S: Final = 1.0  # following, a chunk comes at least this often
DAMAGED: Final = "damaged in the runner's file"


def read(
    path: Path, source: AttemptId, cursor: Cursor, *, is_alive: Callable[[], bool], follow: bool
) -> Iterator[LogChunk]:
    """Yield what stands behind the cursor, which counts bytes; the last chunk of an ended source says so."""
    tail = _Tail(source, cursor)
    quiet_since = time.monotonic()
    while True:
        lives = is_alive()  # asked before reading: what it wrote until then is read below
        try:
            with path.open("rb") as file:
                for chunk in tail.chunks(file):
                    yield chunk
                    quiet_since = time.monotonic()
                if not lives:
                    yield tail.last(file)
        except FileNotFoundError:
            if not lives:
                yield tail.gone(is_reaped=not path.parent.is_dir())
        if not lives or not follow:
            return
        if time.monotonic() - quiet_since >= QUIET_S:
            quiet_since = time.monotonic()
            yield tail.chunk()
        time.sleep(POLL_S)


class _Tail:
    """Where reading stands. Behind a damaged line it waits for a whole one, whose chunk says so."""

    def __init__(self, source: AttemptId, cursor: Cursor) -> None:
        self._source = source
        self._positions = dict(cursor.positions)
        self._at = self._positions.get(source, 0)
        self._gap = ""

    def chunk(
        self, lines: tuple[LogLine, ...] = (), *, gap: str = "", ended: bool = False
    ) -> LogChunk:
        cursor = Cursor(
            {**self._positions, self._source: self._at} if self._at else self._positions
        )
        return LogChunk(self._source, lines, cursor, gap, ended)

    def chunks(self, file: BinaryIO) -> Iterator[LogChunk]:
        """Yield the whole lines behind the position, as many as there are."""
        lines: list[LogLine] = []
        read_to, gap = self._at, ""
        end = file.seek(0, os.SEEK_END)  # what comes meanwhile may come for ever
        file.seek(read_to)
        for raw in file:
            if read_to >= end or not raw.endswith(b"\n"):
                break
            read_to += len(raw)
            line = _parse(raw)
            if line is None and raw.strip():
                if lines:
                    yield self._take(lines, read_to - len(raw), gap)
                    lines = []
                gap = DAMAGED
            elif line is not None:
                lines.append(line)
                if len(lines) == CHUNK_LINES:
                    yield self._take(lines, read_to, gap)
                    lines, gap = [], ""
        if lines:
            yield self._take(lines, read_to, gap)
            gap = ""
        self._gap = gap

    def _take(self, lines: list[LogLine], read_to: int, gap: str) -> LogChunk:
        self._at = read_to
        return self.chunk(tuple(lines), gap=gap)

    def last(self, file: BinaryIO) -> LogChunk:
        """Return the end of an ended source, with a gap if its last bytes are no whole line."""
        file.seek(self._at)
        if file.read().strip():
            self._gap = "the runner ended while it wrote"
        return self.chunk(gap=self._gap, ended=True)

    def gone(self, *, is_reaped: bool) -> LogChunk:
        """Return the end of a source without a file; the whole folder goes only after archiving."""
        return self.chunk(gap="" if is_reaped else "the runner's file is gone", ended=True)


def _parse(raw: bytes) -> LogLine | None:
    try:
        number, at_ms, origin, stream, more, text = json.loads(raw)
        return LogLine(number, from_epoch_ms(at_ms), origin, stream, text, bool(more))
    except (ValueError, TypeError):
        return None
