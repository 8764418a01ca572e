"""A run's log for people and scripts: windows, tail, search, following. Kept by `archiving`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import UnreachableError
from quarterdeck.model.instants import format_instant
from quarterdeck.model.logline import SHOWN_STREAMS, UNCOUNTED, StoredLine, is_of, whole_lines
from quarterdeck.present import log_lines
from quarterdeck.service.advancing import CLEARING
from quarterdeck.service.archiving import Archiving
from quarterdeck.service.context import ALL

if TYPE_CHECKING:
    from pathlib import Path

    from quarterdeck.model.run import Run
    from quarterdeck.ports.runlog import LogReader
    from quarterdeck.service.context import Context
    from quarterdeck.service.outfile import Saved
    from quarterdeck.service.runs import Runs

TURN_CHUNKS = 20  # following: what is kept is shown before more is fetched
AWAY_S = 30.0  # a cluster that does not answer after the end of a run is waited for
_BYTE = re.compile("[\udc80-\udcff]")  # one that is no UTF-8, as the log keeps it
OTHERS_S = 5.0  # another process that keeps the log is waited for


class Logs:
    """Use cases on a run's log. Lines come as documents: seq, at, origin, stream, text; gaps as gap documents."""

    def __init__(self, context: Context, runs: Runs) -> None:
        self._context = context
        self._runs = runs
        self._archiving = Archiving(context)

    def collect(self, run: Run, *, most: int | None = None) -> bool:
        """Bring the kept log up to date, at most so many chunks; False when another process is the writer."""
        if run.archived or self._context.read_only or not run.attempts:
            return True
        return self._archiving.collect(run, self._runs.advancing.executor(run), most=most)

    def window(
        self, run_id: str, *, after: int = 0, limit: int = 1_000, origin: str | None = None
    ) -> list[dict[str, Any]]:
        """Return lines behind `after`, oldest first, of what is kept."""
        run = self._runs.get(run_id)
        lines = self._context.ports.logs.lines(run.id, after=after, limit=limit)
        return [view(line) for line in lines if _is_shown(line, origin)]

    def reader(self, run_id: str) -> LogReader:
        """Return a reader of the log by rows, as it is kept; `keep` brings it up to date."""
        return self._context.ports.logs.reader(self._runs.get(run_id).id)

    def keep(self, run_id: str, *, most: int = TURN_CHUNKS) -> bool:
        """Bring the kept log up to date, at most so many chunks; True while there may be more to come."""
        run = self._runs.get(run_id)
        self.collect(run, most=most if run.is_open else None)
        return not run.archived

    def _fresh(self, run_id: str) -> Run:
        run = self._runs.get(run_id)
        if run.is_open and not self._context.read_only:
            run = self._runs.advancing.step(run.id)
        until = time.monotonic() + OTHERS_S
        while not self.collect(run) and time.monotonic() < until:
            time.sleep(0.05)
            run = self._runs.get(run_id)
        return run

    def all(
        self,
        run_id: str,
        *,
        origin: str | None = None,
        events: bool = False,
        whole: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield the whole log as it stands, after bringing it up to date.

        `events` adds the runner's events. `whole` joins pieces of a line; lines come in the order of their ends.
        """
        run = self._fresh(run_id)
        kept = self._archiving.lines(run.id)
        lines = (line for line in kept if _is_shown(line, origin, events=events))
        for line in whole_lines(lines) if whole else lines:
            yield view(line)

    def tail(
        self,
        run_id: str,
        count: int,
        *,
        origin: str | None = None,
        events: bool = False,
        whole: bool = False,
    ) -> list[dict[str, Any]]:
        """Return the last `count` of the lines that `all` yields, without reading the whole log."""
        run, logs = self._fresh(run_id), self._context.ports.logs
        read = count
        while True:
            lines = logs.tail(run.id, read)
            shown = [line for line in lines if _is_shown(line, origin, events=events)]
            if whole:  # the first may lack its beginning
                shown = list(whole_lines(shown))[len(lines) >= read :]
            if len(shown) >= count or len(lines) < read:
                return [view(line) for line in shown[-count:]]
            read *= 4

    def search(
        self, run_id: str, text: str, *, origin: str | None = None, events: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Yield those of `all`'s lines that contain `text`, pieces joined."""
        run = self._fresh(run_id)
        for line in self._context.ports.logs.search(run.id, text, limit=ALL):
            if _is_shown(line, origin, events=events):
                yield view(line)

    def first_error(self, run_id: str, stop: Callable[[], bool]) -> int | None:
        """Return the row of a failed run's error, or None; see `first_error`. It may read the whole log."""
        from quarterdeck.service import first_error

        return first_error.first_error(self.reader(run_id), self._runs.stored(run_id), stop)

    def save(self, run_id: str, path: Path) -> Saved:
        """Write the whole log as it stands to a file that is not there yet, byte for byte; see `outfile`.

        In a folder it is named after job and run. A gap is a line of its own. A line that was left without its end
        gets one if others come behind it.
        """
        from quarterdeck.service import outfile

        run = self._fresh(run_id)
        if path.is_dir():
            path /= outfile.file_name(self._runs.stored(run_id)["job"], run.id)
        lines = (line for line in self._archiving.lines(run.id) if _is_shown(line, None))
        return outfile.save(path, log_lines.saved(lines))

    def follow(
        self,
        run_id: str,
        *,
        wait: Callable[[float], object],
        origin: str | None = None,
        events: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield lines as they come, until the run has ended and all was told.

        `wait` is called with the seconds to the next look. `events` adds the runner's events. What an attempt
        wrote is told before what it leaves behind is cleared away, for that may take seconds.
        """
        run = self._runs.get(run_id)
        after, idle_s, clears = 0, 0.0, False
        failing_since: float | None = None
        while True:
            if run.is_open and not self._context.read_only:
                run = self._runs.advancing.step(run.id, clears=clears)
            else:
                clears = True
                run = self._runs.get(run_id)
            try:
                is_whole = self.collect(run, most=TURN_CHUNKS)
                failing_since = None
            except UnreachableError:  # the run says since when; what is kept is shown
                failing_since = failing_since or time.monotonic()
                if run.is_terminal and time.monotonic() - failing_since > AWAY_S:
                    raise
                is_whole = False
            told = False
            while lines := self._context.ports.logs.lines(run.id, after=after):
                after, told = lines[-1].seq, True
                yield from (view(x) for x in lines if _is_shown(x, origin, events=events))
            if not clears and run.act is not None and run.act.kind in CLEARING:
                clears = True
                wait(0.0)
                continue
            if run.is_terminal and (run.archived or (is_whole and not told)):
                return
            clears = False
            idle_s = 0.1 if told else min(1.0, idle_s + 0.1)
            wait(idle_s)


def view(line: StoredLine) -> dict[str, Any]:
    """Return a line, or a gap, as a document."""
    if line.is_gap:
        return {
            "seq": line.seq, "at": format_instant(line.at),
            "gap": {
                "source": line.source, "from": line.number,
                "to": None if line.upto == UNCOUNTED else line.upto, "why": line.text,
            },
        }  # fmt: skip
    shown: dict[str, Any] = {
        "seq": line.seq, "at": format_instant(line.at), "origin": line.origin,
        "stream": line.stream, "text": _BYTE.sub(_written, line.text),
    }  # fmt: skip
    if line.more:
        shown["more"] = True
    return shown


def _written(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]) & 0xFF:02x}"


def _is_shown(line: StoredLine, origin: str | None, *, events: bool = False) -> bool:
    if line.is_gap:
        return True
    if line.stream == "event":
        return events
    if origin is not None and not is_of(line.origin, origin):
        return False
    return line.stream in SHOWN_STREAMS
