"""What of a run's log can be read, whatever became of its files: which lines, where they are, what is missing.

As long as state, index and lines fit together they are believed; else the lines themselves are gone through.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from quarterdeck.logs import format as disk
from quarterdeck.model.logline import GAP, LogKept, StoredLine

LOST: Final = "these lines of the log are missing: its file is damaged"
_BLOCK: Final = 1024 * 1024
BROKEN: Final = "this line of the log cannot be read: its file is damaged"


@dataclass(slots=True)
class Shape:
    """`count` lines in `size` bytes can be read, `missing` ones behind them are gone.

    `joined` and `open` are as in `format.State`.
    `index` and `hidden` are None where the files of these names hold them.
    """

    size: int = 0
    count: int = 0
    hidden_count: int = 0
    missing: int = 0
    last_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    index: array[int] | None = None
    hidden: array[int] | None = None
    joined: int = 0
    open: disk.Open = field(default_factory=dict)
    of: disk.State = field(default_factory=disk.State)

    @property
    def gap(self) -> StoredLine:
        """The line that stands for what is missing at the end; its numbers count the log's lines."""
        last = self.count + self.missing
        return StoredLine(last, "", self.count + 1, self.last_at, GAP, "", LOST, upto=last)

    def offset(self, folder: Path, entry: int) -> int:
        """Return where the line begins that is `entry` times `STEP` behind the first."""
        if self.index is not None:
            return self.index[entry] if entry < len(self.index) else self.size
        with (folder / disk.INDEX).open("rb") as file:
            file.seek(entry * disk.ENTRY)
            return min(self.size, int.from_bytes(file.read(disk.ENTRY), "little"))


def shape(folder: Path, expected: int = 0) -> Shape:
    """Return what can be read of the log in `folder`, of which `expected` lines were archived."""
    state = disk.read_state(folder)
    if state is None:
        # A writer makes the file of lines when it opens, the state with the first line.
        is_whole = not expected and not _size(folder / disk.LINES)
        return Shape() if is_whole else scanned(folder, disk.State(count=expected))
    entries = -(-state.count // disk.STEP)
    wanted = (
        (disk.LINES, state.size),
        (disk.INDEX, entries * disk.ENTRY),
        (disk.HIDDEN, state.hidden * disk.ENTRY),
    )
    if state.count >= expected and all(_size(folder / name) >= size for name, size in wanted):
        return Shape(
            state.size, state.count, state.hidden, joined=state.joined, open=state.open, of=state
        )
    state.count = max(state.count, expected)
    return scanned(folder, state)


def scanned(folder: Path, state: disk.State) -> Shape:
    """Return the same by going through the lines: the state says only how many there should be."""
    found = Shape(index=array("Q"), hidden=array("Q"), of=state)
    most = state.size or None
    for seq, (at, raw) in enumerate(_whole_lines(folder / disk.LINES), 1):
        if most is not None and at + len(raw) > most:
            break
        if (seq - 1) % disk.STEP == 0 and found.index is not None:
            found.index.append(at)
        line = decoded(raw, seq, found.last_at)
        joins = disk.is_joined(line, found.open)
        found.joined += joins
        if (joins or disk.is_own(line)) and found.hidden is not None:
            found.hidden.append(seq)
        found.size, found.count, found.last_at = at + len(raw), seq, line.at
    found.hidden_count = len(found.hidden or ())
    found.missing = max(0, state.count - found.count)
    return found


def read(folder: Path, found: Shape, after: int, count: int) -> list[StoredLine]:
    """Return so many readable lines behind the first `after`; there must be as many.

    An index that leads astray is made anew, in `found`.
    """
    lines = _read(folder, found, after, count)
    if found.index is None and (lines[0].seq != after + 1 or lines[0].text == BROKEN):
        found.index = scanned(folder, found.of).index
        lines = _read(folder, found, after, count)
    return lines


def _read(folder: Path, found: Shape, after: int, count: int) -> list[StoredLine]:
    lines: list[StoredLine] = []
    at = found.last_at
    with (folder / disk.LINES).open("rb") as file:
        file.seek(found.offset(folder, after // disk.STEP))
        for _ in range(after % disk.STEP):
            file.readline()
        for seq in range(after + 1, after + count + 1):
            line = decoded(file.readline(), seq, at)
            at = line.at
            lines.append(line)
    return lines


def digest(folder: Path, state: disk.State) -> LogKept:
    """Return count, size and hash of what the state says is kept."""
    import hashlib  # who only reads lines needs none

    found = hashlib.sha256()
    entries = -(-state.count // disk.STEP)
    wanted = (
        (disk.LINES, state.size),
        (disk.INDEX, entries * disk.ENTRY),
        (disk.HIDDEN, state.hidden * disk.ENTRY),
    )
    for name, size in wanted:
        left = size
        with suppress(FileNotFoundError), (folder / name).open("rb") as file:
            while left > 0 and (block := file.read(min(left, _BLOCK))):
                found.update(block)
                left -= len(block)
    return LogKept(state.count, state.size, found.hexdigest())


def flaw(folder: Path, kept: LogKept | None) -> str:
    """Return in words how an archived log is not as it was kept; empty if it is.

    Of one that was archived by who kept no hash (None) only the files are held against each other.
    """
    found = shape(folder, kept.lines if kept is not None else 0)
    if found.missing:
        return f"has {found.count} of {found.count + found.missing} lines"
    if found.index is not None:
        return f"its files do not fit together; {found.count} lines can be read"
    if kept is None or (now := digest(folder, found.of)) == kept:
        return ""
    if now.lines != kept.lines:
        return f"has {now.lines} lines, was archived with {kept.lines}"
    return f"was changed: its SHA-256 is {now.sha256}, it was archived with {kept.sha256}"


def decoded(raw: bytes, seq: int, at: datetime) -> StoredLine:
    """Return a stored line, or the gap that stands for one that cannot be read."""
    try:
        return disk.decode(raw)
    except disk.UNREADABLE:
        return StoredLine(seq, "", seq, at, GAP, "", BROKEN, upto=seq)


def _whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield each line that has its end, with where it begins."""
    try:
        file: BinaryIO = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        at = 0
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            yield at, raw
            at += len(raw)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116  # twice as fast, at every look
    except FileNotFoundError:
        return 0
