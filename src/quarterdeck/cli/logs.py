"""`logs`, and the lines of a run that is followed."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from quarterdeck.cli.base import Command, Origin, Whole, pass_session
from quarterdeck.cli.session import Session
from quarterdeck.cli.waiting import Progress, undisturbed
from quarterdeck.model.origins import ORIGINS, WORKER
from quarterdeck.present import inert
from quarterdeck.present.table import Cell, Line

Document = Mapping[str, Any]


PIECES = 128  # of a line without an end; then it is folded, so that it is seen before it ends


class Printer:
    """Writes log lines: documents with `--json`, else one line each; pieces of a long line are joined."""

    def __init__(self, session: Session) -> None:
        self._out = session.out
        self._pieces: dict[tuple[str, str], list[str]] = {}

    def line(self, line: Document) -> None:
        """Write one line or gap."""
        if self._out.as_json:
            self._out.one_line(line)
            return
        shown = self._shown(line)
        if shown is not None:
            self._out.lines([shown])

    def _shown(self, line: Document) -> Line | None:
        at = Cell(line["at"][11:19] + " ", "dim")
        gap = line.get("gap")
        if gap is not None:
            count = (gap["to"] or 0) - gap["from"] + 1
            words = f"{count} lines are missing here" if count > 0 else "lines are missing here"
            worker = gap["source"].partition("/")[2].partition(".")[0]
            words += f" of {worker}" if worker else ""
            return (at, Cell(f"──────── {words}: {inert.line(gap['why'])}", "busy"))
        key = (line["origin"], line["stream"])
        pieces = self._pieces.setdefault(key, [])
        pieces.append(line["text"])
        if line.get("more") and len(pieces) < PIECES:
            return None
        text = "".join(self._pieces.pop(key))
        mark = {"stderr": "err", "event": "evt"}.get(line["stream"], "")
        tone = "" if line["origin"] == "payload" else "dim"
        name = Cell(f"{line['origin']:<9} {mark:<3} ", "busy" if mark == "err" else "dim")
        return (
            at,
            name,
            Cell("| ", "dim"),
            Cell(inert.line(text.rstrip("\r\n").expandtabs(4)), tone),
        )


def follow(
    session: Session,
    run_id: str,
    *,
    origin: str | None = None,
    events: bool = False,
    behind: int = 0,
) -> None:
    """Write the run's lines behind `behind` as they come, until it has ended and all was told."""
    printer, progress = Printer(session), Progress(session)

    def wait(seconds: float) -> None:
        sys.stdout.flush()
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
@pass_session
def logs(
    session: Session, run_id: str, following: bool, origin: str | None, search: str | None,
    tail: int | None, events: bool,
) -> None:  # fmt: skip
    """Read a run's log, or follow it with -f. Times are UTC; lines that are gone are shown as a gap."""
    if following and search is not None:
        raise click.UsageError("--search and -f exclude each other.")
    behind = 0
    if not following or tail is not None:
        found = _chosen(session, run_id, origin=origin, search=search, tail=tail, events=events)
        if not following:
            _write(session, found)
            return
        behind = found[0]["seq"] - 1 if found else 0
    follow(session, run_id, origin=origin, events=events, behind=behind)


def _chosen(
    session: Session, run_id: str, *, origin: str | None, search: str | None, tail: int | None,
    events: bool,
) -> Sequence[Document]:  # fmt: skip
    logs = session.services.logs
    if search is None and tail is not None:
        return logs.tail(run_id, tail, origin=origin, events=events)
    lines = logs.all(run_id, origin=origin, events=events)
    if search is not None:
        lines = logs.search(run_id, search, origin=origin, events=events)
    return deque(lines, maxlen=tail) if tail is not None else list(lines)


def _write(session: Session, found: Iterable[Document]) -> None:
    if session.out.as_json:
        session.out.document(list(found))
        return
    printer = Printer(session)
    for line in found:
        printer.line(line)
