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
    """A fact: how many rows there are, the last of them, and at first the `head` too; `is_open`: more may come."""

    def __init__(
        self, total: int, first: int, lines: list[StoredLine], *, is_open: bool, trouble: str = "",
        head: Sequence[StoredLine] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        self.total = total
        self.first = first
        self.lines = lines
        self.head = head
        self.is_open = is_open
        self.trouble = trouble

    def can_replace(self, message: Message) -> bool:
        """Let the newest speak."""
        return isinstance(message, Grown)


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
        before, idle_s = -1, TICK_S
        while not self._stopped.is_set():
            begun = time.monotonic()
            try:
                logs = self._services().logs
                is_open = logs.keep(self._run)
                reader = logs.reader(self._run)
                total = reader.refresh()
                first = max(0, total - 1) // WINDOW * WINDOW
                lines = reader.read(first, WINDOW) if total != before else []
                head = reader.read(0, WINDOW) if before < 0 and first else []
            except QuarterdeckError as error:
                self._tell(Grown(max(0, before), 0, [], is_open=True, trouble=error.message))
                self._stopped.wait(SLOW_S)
                continue
            if total != before or not is_open:
                self._tell(Grown(total, first, lines, is_open=is_open, head=head))
            if not is_open:
                return
            idle_s = TICK_S if total != before else min(SLOW_S, idle_s + TICK_S)
            before = total
            self._stopped.wait(max(LEAST_S, idle_s - (time.monotonic() - begun)))
