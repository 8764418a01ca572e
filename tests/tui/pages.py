"""The application in a test: keys in, words out; and services that can be held back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any, cast

from textual import events
from textual._context import visible_screen_stack
from textual.keys import key_to_character
from textual.pilot import Pilot
from textual.screen import ModalScreen

from quarterdeck.service.bundle import Services
from quarterdeck.tui.app import Quarterdeck
from quarterdeck.tui.page import Page
from quarterdeck.tui.place import Place
from quarterdeck.tui.widgets.frame import LineBox

DEADLINE_S = 20.0


class Ui:
    """The running application, as somebody at the keys sees it."""

    def __init__(self, app: Quarterdeck, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    async def settle(self) -> None:
        """Wait until no call is under way and all that came of them is drawn."""
        for _ in range(3):
            await self.app.calls.settle()
            await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, each when the last one's work is done."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    def post(self, key: str) -> None:
        """Send a key and wait for nothing."""
        character = key if len(key) == 1 else key_to_character(key)
        self.app.post_message(events.Key(key, character))

    async def type(self, text: str) -> None:
        """Type text, letter by letter."""
        for letter in text:
            await self.pilot.press(letter)
        await self.settle()

    async def resize(self, width: int, height: int) -> None:
        """Make the terminal another size."""
        await self.pilot.resize_terminal(width, height)
        await self.settle()

    async def until(self, words: str, *, deadline_s: float = DEADLINE_S) -> str:
        """Wait until the screen shows these words, and return the screen, all on it laid out."""
        end = time.monotonic() + deadline_s
        while words not in (shown := self.screen):
            if time.monotonic() > end:
                raise AssertionError(f"{words!r} is not on the screen:\n{shown}")
            await self.settle()
            await asyncio.sleep(0.02)
        # A line that changes is painted at once; what came to be shown with it has its place a round later.
        for _ in range(2):
            await self.pilot.pause()
        return drawn if words in (drawn := self.screen) else shown

    async def confirm(self, key: str) -> None:
        """Take a dialog's choice by its letter, after the dialog listens."""
        await self.listens()
        await self.press(key)

    async def listens(self) -> None:
        """Wait until a dialog is there and no longer drops keys."""
        end = time.monotonic() + DEADLINE_S
        while not isinstance(self.app.screen, ModalScreen):
            assert time.monotonic() < end, self.screen
            await self.settle()
            await asyncio.sleep(0.02)
        since = getattr(self.app.screen, "_since", 0.0)
        await asyncio.sleep(max(0.0, 0.31 - (time.monotonic() - since)))

    @property
    def page(self) -> Page:
        """The page in front, behind any dialog."""
        return self.app.page

    @property
    def dialog(self) -> Any:
        """The dialog in front; AssertionError if there is none."""
        assert isinstance(self.app.screen, ModalScreen), self.screen
        return self.app.screen

    @property
    def lines(self) -> list[str]:
        """The lines of the screen, blanks at their ends gone."""
        visible_screen_stack.set(self.app._background_screens)
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]

    @property
    def screen(self) -> str:
        """The screen as text."""
        return "\n".join(self.lines)

    def screen_text(self) -> str:
        """Return the screen as text."""
        return self.screen

    @property
    def status(self) -> str:
        """The status line."""
        return self._line("status")

    @property
    def crumb(self) -> str:
        """The breadcrumb's line."""
        return self._line("crumb")

    @property
    def header(self) -> str:
        """The header's line."""
        return self._line("header")

    @property
    def footer(self) -> str:
        """The footer's line."""
        return self._line("footer")

    def _line(self, id: str) -> str:
        return cast("LineBox", self.page.get_child_by_id(id)).text


@asynccontextmanager
async def running(
    services: Services, *, size: tuple[int, int] = (80, 24), places: Sequence[Place] = ()
) -> AsyncIterator[Ui]:
    """Run the application over these services, in UTC, and wait until its first page is filled."""
    app = Quarterdeck(lambda: services, places=places, zone=UTC)
    async with app.run_test(size=size) as pilot:
        ui = Ui(app, pilot)
        await ui.settle()
        yield ui


class Held:
    """Services whose every call waits while they are held; `release` lets them go on."""

    def __init__(self, services: Services, for_s: float = DEADLINE_S) -> None:
        self._services = services
        self._for_s = for_s
        self._open = threading.Event()
        self._open.set()

    def hold(self) -> None:
        """Let no call answer from now on."""
        self._open.clear()

    def release(self) -> None:
        """Let all calls answer."""
        self._open.set()

    def __getattr__(self, noun: str) -> Any:
        if noun in ("context", "ports"):  # clock and rights' facts, no use cases
            return getattr(self._services, noun)
        return _HeldCalls(getattr(self._services, noun), self._open, self._for_s)


class _HeldCalls:
    def __init__(self, owner: Any, opened: threading.Event, for_s: float) -> None:
        self._owner = owner
        self._for_s = for_s
        self._opened = opened

    def __getattr__(self, verb: str) -> Any:
        found = getattr(self._owner, verb)
        if not callable(found):
            return found

        def work(*args: Any, **more: Any) -> Any:
            self._opened.wait(self._for_s)
            return found(*args, **more)

        return work


def held(services: Services, for_s: float = DEADLINE_S) -> tuple[Services, Held]:
    """Return services that can be held back, `for_s` seconds a call at most, and the handle to do it."""
    both = Held(services, for_s)
    return cast("Services", both), both
