"""How a run's log lies on disk: one JSON array per line, a sparse index, and a state that says what counts.

Bytes behind the state's `size` are not there for anybody: a writer was ended while it appended them.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from quarterdeck.model.logline import ROW_PIECES, ROW_SIZE, SHOWN_STREAMS, StoredLine, carried

LINES: Final = "lines"
INDEX: Final = "index"  # 8 bytes for every 1,000th line: where it begins
HIDDEN: Final = "hidden"  # 8 bytes for every line that is no row of its own: its sequence number
STATE: Final = "cursor"
LOCK: Final = "lock"
UNREADABLE: Final = (
    ValueError,
    TypeError,
    OverflowError,
)  # what `decode` raises for a damaged line
MORE: Final = b'",1,"'  # of a line with `more`; in no text, where a quotation mark has a backslash
STEP: Final = 1_000
ENTRY: Final = 8  # bytes of an index entry

Open = dict[str, list[int]]
"""The lines whose end has not come, by source, origin and stream: the sequence number of the first piece of the
row, how many pieces it has, and how many characters are shown of them."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


@dataclass(slots=True)
class State:
    """What is kept: `positions` and last `numbers` by source, bytes and lines, and how many of them are hidden.

    `closed` says after which number of a source the rest was said to be missing. `lost` are the last numbers that
    were kept of sources before the files were damaged, until they were read again. `joined` counts those of the
    hidden lines that are pieces, shown in the row of their line's first piece.
    """

    size: int = 0
    count: int = 0
    positions: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)
    hidden: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    joined: int = 0
    open: Open = field(default_factory=dict)


def encode(line: StoredLine) -> bytes:
    """Return the line as it is stored, its newline included."""
    fields: list[Any] = [
        line.seq,
        line.source,
        line.number,
        (line.at - _EPOCH) // _MICROSECOND,
        line.origin,
        line.stream,
        int(line.more),
        line.text,
    ]
    if line.upto:
        fields.append(line.upto)
    # A lone surrogate becomes its JSON escape.
    return _dumps(fields).encode("utf-8", "backslashreplace") + b"\n"


def decode(raw: bytes) -> StoredLine:
    """Return the line that `encode` wrote."""
    seq, source, number, at, origin, stream, more, text, *upto = json.loads(raw)
    return StoredLine(
        seq,
        source,
        number,
        _EPOCH + timedelta(microseconds=at),
        origin,
        stream,
        text,
        bool(more),
        *upto,
    )


def is_own(line: StoredLine) -> bool:
    """Whether the line is the runner's own word (event, result), which people do not see."""
    return not line.is_gap and line.stream not in SHOWN_STREAMS


def is_joined(line: StoredLine, before: Open) -> bool:
    """Whether the line is a piece that belongs to a row begun `before`, which is brought up to date."""
    if line.is_gap:
        for key in [key for key in before if key.startswith(f"{line.source} ")]:
            del before[key]
        return False
    if line.stream not in SHOWN_STREAMS:
        return False
    key = f"{line.source} {line.origin} {line.stream}"
    row = before.pop(key, None)
    joins = row is not None and row[1] < ROW_PIECES and row[2] < ROW_SIZE
    if line.more:
        seq, pieces, size = row if row is not None and joins else (line.seq, 0, 0)
        size = len(carried(line.text)) + (0 if "\r" in line.text else size)
        before[key] = [seq, pieces + 1, size]
    return joins


def needle(text: str) -> bytes:
    """Return the bytes that a stored line holds if its text contains `text`."""
    return _dumps(text)[1:-1].encode("utf-8", "backslashreplace")


def read_state(folder: Path) -> State | None:
    """Return what counts in the folder; None if nothing says so, or what did is damaged."""
    try:
        return State(**json.loads((folder / STATE).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_state(folder: Path, state: State) -> None:
    """Replace the state in one step."""
    fresh = folder / f"{STATE}.new"
    content = {name: getattr(state, name) for name in State.__slots__}
    for name in ("lost", "joined", "open"):  # most logs need none
        if not content[name]:
            del content[name]
    with os.fdopen(open_private(fresh, os.O_WRONLY | os.O_TRUNC), "wb") as file:
        file.write(json.dumps(content).encode())
    fresh.replace(folder / STATE)


def open_private(path: Path, flags: int) -> int:
    """Open a file, making it for its owner alone if it is not there."""
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
