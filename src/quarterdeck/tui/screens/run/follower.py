"""The thread that keeps a run's log up to date while it is looked at, and tells the page what came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from textual.message import Message

from quarterdeck.model.errors import QuarterdeckError
from quarterdeck.tui.widgets.log_view import WINDOW

if TYPE_CHECKING:
    from quarterdeck.model.logline import StoredLine
    from quarterdeck.service.bundle import Services

TICK_S: Final = 0.08  # twelve looks a second, whatever the rate of lines
SLOW_S: Final = 1.0
LEAST_S: Final = 0.02  # for the other threads, where lines come as fast as they are kept


class Grown(Message, bubble=False):
    """A fact: how many rows there are, the last of them, and at first the `head` too; `is_open`: more may come.

    `changed`: from this row on, rows that were told before may have got more text; None if none did.
    """

    def __init__(
        self, total: int, first: int, lines: list[StoredLine], *, is_open: bool, trouble: str = "",
        head: Sequence[StoredLine] = (), changed: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.total = total
        self.first = first
        self.lines = lines
        self.head = head
        self.is_open = is_open
        self.trouble = trouble
        self.changed = changed

    def can_replace(self, message: Message) -> bool:
        """Let the newest speak, if it has the rows that this one brings up to date."""
        if not isinstance(message, Grown):
            return False
        return self.changed is None or message.first <= max(self.changed, self.first)


class Follower:
    """Looks until the run is archived and all of its log was told, or until `stop`. `services` may block."""

    def __init__(
        self, services: Callable[[], Services], run: str, tell: Callable[[Message], object]
    ) -> None:
        self._services = services
        self._run = run
        self._tell = tell
        self._stopped = threading.Event()

    def begin(self) -> None:
        """Start the thread; it is a daemon."""
        threading.Thread(target=self._follow, name="follower", daemon=True).start()

    def stop(self) -> None:
        """Let it come to its end."""
        self._stopped.set()

    def _follow(self) -> None:
        before, kept, idle_s = -1, -1, TICK_S
        changed: int | None = None  # since the last look
        while not self._stopped.is_set():
            begun = time.monotonic()
            try:
                logs = self._services().logs
                is_open = logs.keep(self._run)
                reader = logs.reader(self._run)
                total = reader.refresh()
                is_news = reader.lines != kept
                # A row that got more text may stand in the window before the last.
                begin = total - 1 if changed is None else max(changed, total - WINDOW)
                first = max(0, min(total - 1, begin)) // WINDOW * WINDOW
                lines = reader.read(first, 2 * WINDOW) if is_news else []
                head = reader.read(0, WINDOW) if before < 0 and first else []
            except QuarterdeckError as error:
                self._tell(Grown(max(0, before), 0, [], is_open=True, trouble=error.message))
                self._stopped.wait(SLOW_S)
                continue
            if is_news or not is_open:
                found = Grown(total, first, lines, is_open=is_open, head=head, changed=changed)
                self._tell(found)
            if not is_open:
                return
            idle_s = TICK_S if is_news else min(SLOW_S, idle_s + TICK_S)
            before, kept = total, reader.lines
            changed = reader.unfinished if reader.unfinished < total else None
            self._stopped.wait(max(LEAST_S, idle_s - (time.monotonic() - begun)))
