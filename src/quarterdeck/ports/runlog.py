"""What the service asks of durable run logs. Implementation: `logs`."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from quarterdeck.model.ids import RunId
from quarterdeck.model.logline import Cursor, LogChunk, LogKept, StoredLine


class LogWriter(Protocol):
    """The one writer of a run's log while its lock is held."""

    @property
    def cursor(self) -> Cursor:
        """Where each source was read to, by what is kept."""
        ...

    def append(self, chunk: LogChunk) -> int:
        """Keep the chunk's lines that were not seen before, with its cursor; return how many.

        A number seen before is dropped; a hole in the numbers, or what a chunk says is missing without one,
        becomes one gap line. Lines and cursor are kept together: after a crash both are as before the chunk, or
        both as after it.
        """
        ...

    def last(self, source: str) -> int:
        """Return the number of the last line of `source` that is kept; 0 for none."""
        ...

    def gap(self, source: str, why: str) -> None:
        """Say that lines of `source` behind the last one are missing and will not come."""
        ...

    def say_lost(self) -> None:
        """Make a gap of what was kept once and could not be read again, behind a look at all sources."""
        ...

    def kept(self) -> LogKept:
        """Wait for the disk, and return what is kept: of a log to which nothing will be added."""
        ...


class LogReader(Protocol):
    """One run's log by rows: the lines that people see, from 0, the oldest. For one thread at a time.

    Pieces of a line are one row, at its first piece; a very long line is several. Of a line that is written over
    with carriage returns, the row has the last state.

    What looks through the log asks `stop` now and then, and gives what it found until it says yes. A gap is
    never a match.
    """

    @property
    def rows(self) -> int:
        """How many rows there were at the last `refresh`."""
        ...

    @property
    def lines(self) -> int:
        """How many lines were kept at the last `refresh`, also those that are no rows."""
        ...

    @property
    def unfinished(self) -> int:
        """The first row that may get more text; the number of rows if there is none."""
        ...

    def refresh(self) -> int:
        """Take in what was appended since, and return how many rows there are."""
        ...

    def read(self, first: int, count: int) -> list[StoredLine]:
        """Return rows from `first` on, at most so many; gaps are rows."""
        ...

    def around(self, row: int, count: int) -> tuple[list[StoredLine], int]:
        """Return the single lines, pieces as well, around the one that begins a row, and its place among them."""
        ...

    def find(self, text: str, stop: Callable[[], bool], first: int = 0) -> array[int]:
        """Return the rows from `first` on that contain `text`, ascending; small letters match capitals, too."""
        ...

    def trouble(
        self,
        stop: Callable[[], bool],
        first: int = 0,
        most: int | None = None,
        *,
        warnings: bool = True,
    ) -> array[int]:
        """Return the rows from `first` on that report an error, or a warning too, ascending, at most so many."""
        ...

    def of_origin(self, origin: str, stop: Callable[[], bool], first: int = 0) -> array[int]:
        """Return the rows of one origin, and the gaps, ascending, from `first` on."""
        ...


class RunLogs(Protocol):
    """The logs of all runs, by run id. What is missing of a damaged one is a gap, wherever it is read."""

    def writer(self, run: RunId) -> AbstractContextManager[LogWriter | None]:
        """Take the writer's lock, or give None at once if another process holds it."""
        ...

    def lines(self, run: RunId, *, after: int = 0, limit: int = 1_000) -> list[StoredLine]:
        """Return lines with `seq` > `after`, oldest first; empty for a run without a log."""
        ...

    def tail(self, run: RunId, count: int) -> list[StoredLine]:
        """Return the last `count` lines, oldest first, without reading the whole log."""
        ...

    def search(self, run: RunId, text: str, *, limit: int = 100) -> Iterator[StoredLine]:
        """Yield lines that contain `text`, pieces joined, in the order of their ends, whole log."""
        ...

    def reader(self, run: RunId) -> LogReader:
        """Return a reader of the run's log by rows; empty for a run without a log."""
        ...

    def count(self, run: RunId) -> int:
        """Return how many lines are kept."""
        ...

    def size(self, run: RunId) -> int:
        """Return the bytes kept."""
        ...

    def flaw(self, run: RunId, kept: LogKept | None) -> str:
        """Return in words how an archived log is not as it was `kept`; empty if it is.

        None: it was archived by who kept no hash; then only its files are held against each other.
        """
        ...

    def runs(self) -> list[RunId]:
        """Return the runs that have a log, by id."""
        ...

    def mend(self, run: RunId, expected: int) -> LogKept:
        """Write an archived log anew from what can be read, gaps for the rest, and return what is kept now."""
        ...
