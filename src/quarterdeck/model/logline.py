"""One line of a run's log, a gap in it, and the cursor behind what was read."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from quarterdeck.model.origins import WORKER

SHOWN_STREAMS: Final = ("stdout", "stderr")
"""What people read; events and results are the product's own."""
ERRORS: Final = (
    "ERROR", "FATAL", "CRITICAL", "Traceback (most recent call last)", "panicked at", "Error: ",
    "Exception: ",
)  # fmt: skip
"""What a line of an engine, a payload or an installer holds that reports an error."""
WARNING: Final = "WARN"
ROW_SIZE: Final = 8 * 1024
"""Characters of a line in pieces that are one row: the piece in which they are reached ends it."""
ROW_PIECES: Final = 5_000
PART_SIZE: Final = 1 << 20
"""Characters of a line in pieces that are joined; what is longer comes in parts."""
GAP: Final = "gap"
"""The origin of a line that stands for missing ones."""
UNCOUNTED: Final = -1
"""`upto` of a gap of which nobody knows how many lines it is."""


def is_of(origin: str, wanted: str) -> bool:
    """Whether lines of this origin are wanted: `worker` wants those of every worker."""
    return origin == wanted or (wanted == WORKER and origin.startswith(f"{WORKER}-"))


def last_state(text: str) -> str:
    """Return what a terminal shows in the end of a text that goes back to its beginning with carriage returns."""
    return text.rstrip("\r").rpartition("\r")[2] if "\r" in text else text


def carried(text: str) -> str:
    """Return what of the beginning of a text the last state of it and of what follows may need."""
    shown = text.rstrip("\r")
    return text[shown.rfind("\r") + 1 :]


@dataclass(frozen=True, slots=True)
class LogLine:
    """`number` counts from 1 without holes per source.

    `more`: it is a piece of a line and the end is not in it. The next one of its stream goes on; if there is
    none, the line was left without its end.
    """

    number: int
    at: datetime
    origin: str  # runner payload engine installer worker-N
    stream: str  # stdout stderr event result
    text: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where each source (attempt, or pod) was read to; opaque to all but its executor."""

    positions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Lines of one source, oldest first, and the cursor behind them.

    `gap` says why lines are missing before these, where the executor knows; `is_uncounted`: the numbers do not
    show them. `ended`: there will be no more.
    """

    source: str
    lines: tuple[LogLine, ...]
    cursor: Cursor
    gap: str = ""
    ended: bool = False
    is_uncounted: bool = False


@dataclass(frozen=True, slots=True)
class LogKept:
    """A log as it was archived: nothing is written to it any more. `sha256` is that of all that is kept of it."""

    lines: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line as the run log keeps it: `seq` from 1 over all sources; a gap has origin `gap`.

    A gap's `number` is the first missing, `upto` the last missing number (0: all the rest); `text` says why.
    """

    seq: int
    source: str
    number: int
    at: datetime
    origin: str
    stream: str
    text: str
    more: bool = False
    upto: int = 0

    @property
    def is_gap(self) -> bool:
        """Whether this stands for lines that are missing."""
        return self.origin == GAP

    @property
    def worker(self) -> str:
        """The worker whose log it is, as its lines' origin names it; empty for a driver's."""
        return self.source.partition("/")[2].partition(".")[0]


class Joiner:
    """Joins pieces to lines. They come in the order of their ends, with number and time of their first piece."""

    def __init__(self, size: int = PART_SIZE) -> None:
        self._size = size
        self._attempt = ""
        self._open: dict[tuple[str, str, str], tuple[StoredLine, list[str], int]] = {}

    def take(self, line: StoredLine) -> list[StoredLine]:
        """Return the line that this one ends, behind those whose ends will not come any more."""
        attempt = line.source.partition("/")[0]
        if attempt != self._attempt:
            self._attempt, before = attempt, self.rest()
            return [*before, *self.take(line)]
        if line.is_gap:
            return [*self.rest(line.source), line]
        key = (line.source, line.origin, line.stream)
        first, texts, size = self._open.pop(key, (line, [], 0))
        texts.append(line.text)
        size += len(line.text)
        if line.more and size < self._size:
            self._open[key] = (first, texts, size)
            return []
        return [replace(first, text="".join(texts), more=line.more)] if len(texts) > 1 else [line]

    @property
    def origins(self) -> set[str]:
        """Those of unfinished lines, and of the gap that may swallow their ends."""
        return {key[1] for key in self._open} | {GAP} if self._open else set()

    def rest(self, source: str | None = None) -> list[StoredLine]:
        """Return the lines whose end did not come, of one source or of all, and forget them."""
        keys = [key for key in self._open if source in (None, key[0])]
        unfinished = [self._open.pop(key) for key in keys]
        return [replace(first, text="".join(texts)) for first, texts, _ in unfinished]


def whole_lines(lines: Iterable[StoredLine], size: int = PART_SIZE) -> Iterator[StoredLine]:
    """Yield lines with their pieces joined; those that have no end have `more`."""
    joiner = Joiner(size)
    for line in lines:
        yield from joiner.take(line)
    yield from joiner.rest()
