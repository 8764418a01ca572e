"""A run's log written anew from the lines that can be read, with gaps for the rest. The caller holds its lock."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from quarterdeck.logs import format as disk
from quarterdeck.logs.shape import LOST, Shape
from quarterdeck.model.logline import GAP, StoredLine


def mend(folder: Path, found: Shape, *, is_ended: bool) -> disk.State:
    """Write the log anew and return its state.

    Sources that may be read again are read from their beginning; what they had is known by its number. `is_ended`:
    there are none any more, so what is missing at the end becomes a gap, too.
    """
    before = found.of
    lines = list(_numbered(_readable(folder, found)))
    state = disk.State(closed=dict(before.closed))
    if is_ended:
        lines += _ends(lines, before, found)
    state.numbers = _numbers(lines)
    if not is_ended:
        lost = {
            name: last for name, last in before.numbers.items() if _is_behind(state, name, last)
        }
        state = replace(state, lost={**before.lost, **lost}, closed={})
        for line in lines:
            if line.is_gap and not line.upto:
                state.closed[line.source] = state.numbers[line.source]
    _write(folder, lines, state)
    return state


def _is_behind(state: disk.State, source: str, last: int) -> bool:
    return state.numbers.get(source, 0) < last


def _readable(folder: Path, found: Shape) -> Iterator[StoredLine]:
    left = found.size
    if not left:
        return
    with (folder / disk.LINES).open("rb") as file:
        while left > 0 and (raw := file.readline()):
            left -= len(raw)
            try:
                yield disk.decode(raw)
            except disk.UNREADABLE:
                continue


def _numbered(lines: Iterable[StoredLine]) -> Iterator[StoredLine]:
    """Yield the lines with sequence numbers without holes, and a gap before each hole in a source's numbers."""
    numbers: dict[str, int] = {}
    seq = 0
    for line in lines:
        last = numbers.get(line.source, 0)
        if line.number <= last:
            continue
        if line.number > last + 1:
            seq += 1
            yield _gap(seq, line.source, last + 1, line.number - 1, line.at)
        seq += 1
        yield replace(line, seq=seq)
        numbers[line.source] = _last(line)


def _ends(lines: list[StoredLine], before: disk.State, found: Shape) -> Iterator[StoredLine]:
    """Yield a gap for each source whose end is missing."""
    numbers, seq, at = _numbers(lines), len(lines), found.last_at
    for source, last in before.numbers.items():
        if numbers.get(source, 0) < last:
            seq += 1
            yield _gap(seq, source, numbers.get(source, 0) + 1, last, at)
    if not before.numbers and found.missing:
        seq += 1
        yield replace(found.gap, seq=seq)


def _gap(seq: int, source: str, first: int, last: int, at: datetime) -> StoredLine:
    return StoredLine(seq, source, first, at, GAP, "", LOST, upto=last)


def _last(line: StoredLine) -> int:
    return max(line.upto, line.number - 1) if line.is_gap else line.number


def _numbers(lines: Iterable[StoredLine]) -> dict[str, int]:
    return {line.source: _last(line) for line in lines if line.source}


def _write(folder: Path, lines: list[StoredLine], state: disk.State) -> None:
    """Replace the files; until the state is there, whoever reads goes through the lines."""
    index, hidden = array("Q"), array("Q")
    fresh: Mapping[str, Path] = {
        name: folder / f"{name}.new" for name in (disk.LINES, disk.INDEX, disk.HIDDEN)
    }
    with _opened(fresh[disk.LINES]) as file:
        for line in lines:
            raw = disk.encode(line)
            if state.count % disk.STEP == 0:
                index.append(state.size)
            joins = disk.is_joined(line, state.open)
            state.joined += joins
            if joins or disk.is_own(line):
                hidden.append(line.seq)
            file.write(raw)
            state.size += len(raw)
            state.count += 1
        file.flush()
        os.fsync(file.fileno())
    state.hidden = len(hidden)
    for name, entries in ((disk.INDEX, index), (disk.HIDDEN, hidden)):
        with _opened(fresh[name]) as file:
            file.write(b"".join(one.to_bytes(disk.ENTRY, "little") for one in entries))
            file.flush()
            os.fsync(file.fileno())
    (folder / disk.STATE).unlink(missing_ok=True)
    for name, path in fresh.items():
        path.replace(folder / name)
    disk.write_state(folder, state)


def _opened(path: Path) -> BinaryIO:
    return os.fdopen(disk.open_private(path, os.O_WRONLY | os.O_TRUNC), "wb")
