"""Two threads beside the screens: one tells what anybody wrote, one brings unfinished runs to where they stand."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from quarterdeck.tui.messages import Changed, Later

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarterdeck.model.clock import Step
    from quarterdeck.service.bundle import Services
    from quarterdeck.tui.shell import Shell

FEED_S: Final = 1.0
MOVE_S: Final = 1.0
PAUSE_S: Final = 10.0  # after a failure


class Feed:
    """Runs until `stop`; the threads are daemons, so a store or a cluster that hangs holds up no end."""

    def __init__(self, app: Shell, services: Services) -> None:
        self._app = app
        self._services = services
        self._stopped = threading.Event()

    def begin(self) -> None:
        """Start both threads."""
        for work in (self._watch, self._move):
            threading.Thread(target=work, name="feed", daemon=True).start()

    def stop(self) -> None:
        """Let both come to their end."""
        self._stopped.set()

    def _tell(self, act: Callable[[], None]) -> None:
        self._app.post_message(Later(act))

    def _watch(self) -> None:
        """Tell the pages what was written by anybody, each change once."""
        changes, clocks = self._services.changes, self._services.clocks
        step: Step | None = None
        while not self._stopped.wait(FEED_S):
            try:
                if found := changes.read():
                    told = [(one.table, one.id, one.by) for one in found]
                    self._app.post_message(Changed(told))
                before, step = step, clocks.notice().step
            except Exception as error:  # noqa: BLE001  # the store may be away for a while; it is said
                self._tell(partial(self._app.note, f"the store does not answer: {error}", "bad"))
                self._stopped.wait(PAUSE_S)
                continue
            if step != before:
                self._tell(self._app.read_header)

    def _move(self) -> None:
        """Bring unfinished runs to where they stand, as long as the application is open."""
        while not self._stopped.wait(MOVE_S):
            try:
                self._services.moving.turn()
            except Exception as error:  # noqa: BLE001  # a cluster may not answer; the runs say so themselves
                self._tell(partial(self._app.note, f"runs are not moved on: {error}", "bad"))
                self._stopped.wait(PAUSE_S)
