"""`logs`, and the lines of a run that is followed."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from quarterdeck.cli.base import Command, Origin, Whole, pass_session
from quarterdeck.cli.output import WIDTH
from quarterdeck.cli.session import Session
from quarterdeck.cli.waiting import Progress, undisturbed
from quarterdeck.model.logline import ROW_SIZE, carried, last_state
from quarterdeck.model.origins import ORIGINS, WORKER
from quarterdeck.present import inert
from quarterdeck.present.table import Cell, Line, cut

Document = Mapping[str, Any]
Key = tuple[str | None, str | None]  # origin and stream

STATE_S = 2.0  # between two states of a line that is written over, where nothing can be


class Printer:
    """Writes log lines: documents with `--json`, else one line each."""

    def __init__(self, session: Session, search: str = "") -> None:
        self.out = session.out
        self._search = search

    def line(self, line: Document) -> None:
        """Write one line or gap; of one that was written over the last state, unless another was searched for."""
        if self.out.as_json:
            self.out.one_line(line)
            return
        if "gap" in line:
            self.out.lines([_gap(line)])
            return
        text = last_state(line["text"])
        if self._search not in text:
            text = line["text"]
        self.out.lines([(*_head(line), _text(line, text))])


class Running(Printer):
    """Writes lines as they come, also before they end.

    What is added to a line without an end is added to the line that is shown, as long as no other one comes
    between; then the line is ended, and what follows begins with `…`. A line that is written over with carriage
    returns is rewritten on a terminal; elsewhere each state is a line, one every STATE_S at most, the last always.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._key: Key | None = None  # of the line that the cursor is in
        self._texts: dict[Key, str] = {}  # what there is of lines without an end
        self._over: set[Key] = set()  # those of them that are written over
        self._states: dict[Key, Document] = {}  # those of which a newer state is to be shown
        self._stated_at = 0.0

    @property
    def is_within(self) -> bool:
        """Whether the cursor is within a line."""
        return self._key is not None

    def line(self, line: Document) -> None:
        """Write one line or gap, or a piece of a line."""
        if self.out.as_json:
            super().line(line)
            return
        key = (line.get("origin"), line.get("stream"))
        begun = self._texts.pop(key, None)
        if "gap" in line or (begun is None and not line.get("more")):
            self.end_line()
            super().line(line)
            return
        if "\r" in line["text"].rstrip("\r"):
            self._over.add(key)
        text = carried((begun or "") + line["text"])
        if key in self._over:
            self._state(key, {**line, "text": text})
        else:
            self._add(key, line, is_new=begun is None)
        if line.get("more"):
            self._texts[key] = text[:ROW_SIZE]
        else:
            self._over.discard(key)
            self.end_line(key)

    def _add(self, key: Key, line: Document, *, is_new: bool) -> None:
        text = _text(line, line["text"].rstrip("\r"))
        if self._key == key:
            self.out.part(text)
            return
        self.end_line()
        self.out.part(*_head(line), *([] if is_new else [Cell("…", "dim")]), text)
        self._key = key

    def _state(self, key: Key, line: Document) -> None:
        """Show the last state of a line that is written over."""
        if not self.out.rewrites:
            self._states[key] = line
            self.show_states(key if not line.get("more") else None)
            return
        if self._key != key:
            self.end_line()
        head, text = _head(line), _text(line, last_state(line["text"]))
        if line.get("more"):  # what goes on in the next row could not be written over
            room = (self.out.width or WIDTH) - 1 - sum(len(cell.text) for cell in head)
            text = text._replace(text=cut(text.text, room))
        self.out.part(*head, text, again=True)
        self._key = key

    def show_states(self, ended: Key | None = None) -> None:
        """Show what is new of lines that are written over, if it is time or one has ended."""
        is_time = time.monotonic() - self._stated_at >= STATE_S
        for key in [key for key in self._states if is_time or key == ended]:
            self.end_line()
            super().line(self._states.pop(key))  # as a line of its own
            self._stated_at = time.monotonic()

    def end_line(self, key: Key | None = None) -> None:
        """Leave the line that the cursor is in, if it is this one's, or any."""
        if self._key is not None and key in (None, self._key):
            self.out.part(Cell("\n"))
            self._key = None

    def end(self) -> None:
        """Show what was not yet shown, and leave the line."""
        self._stated_at = 0.0
        self.show_states()
        self.end_line()


def _head(line: Document) -> Line:
    mark = {"stderr": "err", "event": "evt"}.get(line["stream"], "")
    return (
        Cell(line["at"][11:19] + " ", "dim"),
        Cell(f"{line['origin']:<9} {mark:<3} ", "busy" if mark == "err" else "dim"),
        Cell("| ", "dim"),
    )


def _text(line: Document, text: str) -> Cell:
    return Cell(inert.line(text.expandtabs(4)), "" if line["origin"] == "payload" else "dim")


def _gap(line: Document) -> Line:
    gap = line["gap"]
    count = (gap["to"] or 0) - gap["from"] + 1
    words = f"{count} lines are missing here" if count > 0 else "lines are missing here"
    worker = gap["source"].partition("/")[2].partition(".")[0]
    words += f" of {worker}" if worker else ""
    at = Cell(line["at"][11:19] + " ", "dim")
    return (at, Cell(f"──────── {words}: {inert.line(gap['why'])}", "busy"))


def follow(
    session: Session,
    run_id: str,
    *,
    origin: str | None = None,
    events: bool = False,
    behind: int = 0,
) -> None:
    """Write the run's lines behind `behind` as they come, until it has ended and all was told."""
    printer, progress = Running(session), Progress(session)

    def wait(seconds: float) -> None:
        printer.show_states()
        sys.stdout.flush()
        if not (printer.is_within and session.out.is_terminal):
            progress.show(session.services.runs.get(run_id))
        time.sleep(seconds)

    with undisturbed(session, run_id):
        try:
            for line in session.services.logs.follow(
                run_id, wait=wait, origin=origin, events=events
            ):
                if line["seq"] > behind:
                    progress.clear()
                    printer.line(line)
        finally:
            progress.clear()
            printer.end()


@click.command(
    cls=Command, example="quarterdeck logs RUN -f\nquarterdeck logs RUN --search Error --tail 20"
)
@click.argument("run_id", metavar="RUN")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the run has ended.")
@click.option(
    "--origin",
    type=Origin(),
    metavar="[" + "|".join((*ORIGINS, f"{WORKER}-N")) + "]",
    help="Only lines of this origin; `worker-2` is one worker, `worker` all.",
)
@click.option(
    "--search", metavar="TEXT", help="Only lines that hold this text; the whole log is searched."
)
@click.option("--tail", type=Whole(1, 1_000_000, "--tail 20"), help="Only the last N lines.")
@click.option("--events", is_flag=True, help="The runner's events as well.")
@click.option("--save", metavar="FILE", help="Write the whole log to a file, as it was written.")
@pass_session
def logs(
    session: Session,
    /,
    run_id: str,
    following: bool,
    save: str | None,
    search: str | None,
    **which: Any,
) -> None:
    """Read a run's log, or follow it with -f. Times are UTC; lines that are gone are shown as a gap.

    With -f a line is shown as it grows; if another one comes between, it goes on below, after `…`. A progress bar
    is redrawn in its place on a terminal; in a pipe or a file, its state is a line every two seconds.

    --save writes what the run wrote, byte for byte. An existing FILE is not replaced; in a folder, the file is
    named JOB-RUN.log.
    """
    if following and search is not None:
        raise click.UsageError("--search and -f exclude each other.")
    if save is not None:
        if following or search or any(which.values()):
            raise click.UsageError("--save writes the whole log; it takes no other option.")
        _save(session, run_id, Path(save))
        return
    behind = 0
    tail = which.pop("tail")
    if not following or tail is not None:
        found = _chosen(session, run_id, search, tail, **which)
        if not following:
            _write(session, found, search or "")
            return
        behind = found[0]["seq"] - 1 if found else 0
    follow(session, run_id, behind=behind, **which)


def _chosen(
    session: Session, run_id: str, search: str | None, tail: int | None, **which: Any
) -> Sequence[Document]:
    logs, is_whole = session.services.logs, not session.out.as_json
    if search is None and tail is not None:
        return sorted(logs.tail(run_id, tail, whole=is_whole, **which), key=_seq)
    lines = logs.all(run_id, whole=is_whole, **which)
    if search is not None:
        lines = logs.search(run_id, search, **which)
    found = deque(lines, maxlen=tail) if tail is not None else lines
    return sorted(found, key=_seq)


def _seq(line: Document) -> int:
    return int(line["seq"])  # of a line in pieces, that of its first one


def _save(session: Session, run_id: str, path: Path) -> None:
    saved = session.services.logs.save(run_id, path.expanduser())
    if session.out.as_json:
        session.out.document({**saved._asdict(), "path": str(saved.path)})
        return
    session.out.say(f"{saved.lines:,} lines, {saved.bytes:,} bytes are in {saved.path}")


def _write(session: Session, found: Iterable[Document], search: str) -> None:
    if session.out.as_json:
        session.out.document(list(found))
        return
    printer = Printer(session, search)
    for line in found:
        printer.line(line)
