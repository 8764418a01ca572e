"""Waiting for a run: progress as it happens, and a signal that leaves the run alone and says so."""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.cli.exits import INTERRUPTED, TERMINATED, StoppedError
from quarterdeck.model.errors import StoreFaultError, UnreachableError
from quarterdeck.present import ages, inert, states
from quarterdeck.present.table import cut

if TYPE_CHECKING:
    from types import FrameType

    from quarterdeck.cli.session import Session
    from quarterdeck.model.run import Run

_PAUSE_S: Final = (0.03, 0.5)  # between two looks: at first, at most
_KEPT_S: Final = 1.0  # who waits archives: what holds a log may be gone at the end
_KEPT_CHUNKS: Final = 200
_ARCHIVE_S: Final = 15.0  # another process may still be writing the log of a run that has ended


class _TerminatedError(BaseException):
    """SIGTERM."""


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise _TerminatedError


@contextmanager
def undisturbed(session: Session, run_id: str) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the wait and nothing else; say that the run goes on."""
    gc.enable()  # this may take hours
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except (KeyboardInterrupt, _TerminatedError) as stop:
        session.out.note(
            f"Run {run_id} goes on; `quarterdeck run-show {run_id}` shows how it stands."
        )
        raise StoppedError(
            INTERRUPTED if isinstance(stop, KeyboardInterrupt) else TERMINATED
        ) from None
    finally:
        signal.signal(signal.SIGTERM, before)


class Progress:
    """One line on standard error that is written over; nothing where nobody looks."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_shown = False

    def show(self, run: Run) -> None:
        """Show where the run stands, for how long, and what it waits for."""
        if not self._session.out.shows_progress:
            return
        state = states.STATES[run.state]
        since = run.timeline[-1].at if run.timeline else run.queued_at
        now = self._session.services.context.now_of(run)
        seconds = max(0.0, (now - since).total_seconds())
        waits = f" · waits for {run.waiting.what}" if run.waiting else ""
        text = inert.line(f"{state.mark} {run.id} {state.word} {ages.span(seconds)}{waits}")
        sys.stderr.write("\r" + cut(text, (self._session.out.width or 80) - 1) + "\x1b[K")
        sys.stderr.flush()
        self._is_shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._is_shown = False


def until_end(session: Session, run_id: str) -> dict[str, Any]:
    """Move the run on until it has ended and its log and result are kept; return everything about it."""
    runs, progress = session.services.runs, Progress(session)
    pause_s, most_s = _PAUSE_S
    ended_at: float | None = None
    kept_at = 0.0
    with undisturbed(session, run_id):
        try:
            while True:
                runs.dispatch(run_id)
                run = runs.get(run_id)
                if run.is_terminal:
                    ended_at = ended_at or time.monotonic()
                    if run.archived or time.monotonic() - ended_at > _ARCHIVE_S:
                        break
                elif run.submitted_at is not None and time.monotonic() - kept_at >= _KEPT_S:
                    kept_at = time.monotonic()
                    with suppress(
                        UnreachableError, StoreFaultError
                    ):  # said by the run, or at its end
                        session.services.logs.collect(run, most=_KEPT_CHUNKS)
                progress.show(run)
                time.sleep(pause_s)
                pause_s = min(most_s, pause_s * 1.5)
        finally:
            progress.clear()
        return runs.show(run_id)
