"""One line of a run's log, a gap in it, and the cursor behind what was read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
UNCOUNTED: Final = -1
"""`upto` of a gap of which nobody knows how many lines it is."""


def is_of(origin: str, wanted: str) -> bool:
    """Whether lines of this origin are wanted: `worker` wants those of every worker."""
    return origin == wanted or (wanted == WORKER and origin.startswith(f"{WORKER}-"))


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
        return self.origin == "gap"

    @property
    def worker(self) -> str:
        """The worker whose log it is, as its lines' origin names it; empty for a driver's."""
        return self.source.partition("/")[2].partition(".")[0]
