"""Threads for calls of the service. They are daemons: one that hangs holds up neither a key nor the end."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable


class Calls:
    """Runs what it is given, in order of arrival, on as many threads as are busy at once.

    A thread is kept for the next call, and with it its connection to the store. `defect` is told, on the
    thread, what a call raised.
    """

    def __init__(self, defect: Callable[[BaseException], None]) -> None:
        self._defect = defect
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._under_way = 0

    def submit(self, call: Callable[[], None]) -> None:
        """Run `call` on a thread."""
        with self._lock:
            self._under_way += 1
            is_alone = self._idle > 0
            if is_alone:
                self._idle -= 1
        self._waiting.put(call)
        if not is_alone:
            threading.Thread(target=self._work, name="call", daemon=True).start()

    def _work(self) -> None:
        while True:
            call = self._waiting.get()
            try:
                call()
            except BaseException as error:  # noqa: BLE001  # the last edge of a thread
                self._defect(error)
            finally:
                with self._lock:
                    self._under_way -= 1
                    self._idle += 1

    @property
    def under_way(self) -> int:
        """How many calls have not ended."""
        return self._under_way

    async def settle(self) -> None:
        """Wait until no call is under way; for tests."""
        while self._under_way:  # noqa: ASYNC110  # threads set no event of the loop
            await asyncio.sleep(0.005)
