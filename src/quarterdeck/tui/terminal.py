"""The application at a terminal: its theme and output, and every way to leave it and come back."""

from __future__ import annotations

import asyncio
import codecs
import os
import selectors
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import Context, copy_context
from functools import partial
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TextIO

from textual import constants
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.geometry import Size

from quarterdeck.present import glyphs
from quarterdeck.tui import themes
from quarterdeck.tui.output import Canvas, Drawn

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.screen import Screen
    from textual.theme import Theme

    from quarterdeck.tui.memory import Keeper

LOOK_S: Final = 0.5
"""How often it is looked where somebody is, and whether the terminal is still there."""
LATEST_S: Final = 3.0
"""How long an end by signal may take before the process is ended without more ado."""
GONE_S: Final = 1.5
"""The same where the terminal is gone: there is nothing to give back."""
ESCAPE_S: Final = 0.04
"""How long an Esc is waited on for the rest of another key; Textual's 0.1 s would answer Esc too late."""
_ENDS: Final = (signal.SIGTERM, signal.SIGHUP)


def encoding_of(stream: TextIO | None, environ: Mapping[str, str], *, ascii: bool) -> str:
    """Return the encoding to draw in: what the terminal reads, or ASCII where that is wanted."""
    named = codecs.lookup(getattr(stream, "encoding", None) or "ascii").name
    if named == "utf-8":
        return "utf-8" if glyphs.draws_utf8(environ, ascii=ascii) else "ascii"
    return "ascii" if ascii else named.replace("iso8859-1", "latin-1")


class Surroundings(NamedTuple):
    """What the application is told of the terminal and the user's wishes.

    `theme` is a name or None for what suits the terminal; `own` the user's folder of themes. `sparing`: only
    changed cells are sent. `keeper` remembers places; None forgets them.
    """

    theme: str | None = themes.DEFAULT
    own: Path = Path("/nonexistent")
    encoding: str = "utf-8"
    sparing: bool = True
    keeper: Keeper | None = None


class AtTerminal(App[int]):
    """An application that leaves the terminal as it was, whatever ends or stops it."""

    def __init__(self, around: Surroundings | None = None) -> None:
        around = around or Surroundings()
        no_color = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if no_color else None)
        few = self.console.color_system in (None, "standard")
        chosen = themes.choose(around.theme, no_color=no_color, few_colours=few, own=around.own)
        self.theme_notices = chosen.notices
        self.crashed: BaseException | None = None
        self._around = around
        self._canvas = Canvas(around.encoding, remembers=around.sparing)
        self._stopped_by_us = False
        self.register_theme(chosen.theme)
        self.theme = chosen.theme.name
        self.stylesheet.set_variables(self.get_css_variables())

    # --- themes

    def read_themes(self) -> tuple[list[Theme], list[str]]:
        """Read all themes, ours and the user's, and what is wrong with the others; on any thread."""
        return themes.every(self._around.own)

    # --- output

    @property
    def size(self) -> Size:
        """The terminal's size; 80 by 24 where it has none.

        Textual 8.2 asks two sources before it is told the first size. Of a terminal of 0x0 they say 24 and 25
        lines, and it would lay out for the one and the other without end.
        """
        if self._size is None and (self._driver is None or self._driver._size is None):  # noqa: SLF001  # as Textual's own
            return Size(*shutil.get_terminal_size())
        return super().size

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if not isinstance(renderable, (LayoutUpdate, ChopsUpdate)):
            super()._display(screen, renderable)
        elif (
            not self._batch_count
        ):  # else Textual sends nothing, and nothing may be taken for shown
            drawn = Drawn(self._canvas, renderable, self.console)
            if drawn.text or self.cursor_position != self._previous_cursor_position:
                super()._display(screen, drawn)  # type: ignore[arg-type]  # as Textual's own

    def on_resize(self) -> None:
        """Rely on nothing of what was drawn: terminals move it about."""
        self._canvas.forget()

    def repaint(self) -> None:
        """Draw every cell again."""
        self._canvas.forget()
        self.screen.refresh(repaint=True, layout=True)

    # --- the end

    def on_load(self) -> None:
        """Be told of signals that end; before the terminal is touched."""
        if not self.is_headless:
            _read_anything()
            if "ESCDELAY" not in os.environ:
                _hear_escape()
            for number in _ENDS:
                asyncio.get_running_loop().add_signal_handler(number, self.end_by, number)

    def on_mount(self) -> None:
        """Be told of signals that stop, and look about every now and then."""
        if not self.is_headless:
            self._hear_stops()
            watching = (asyncio.get_running_loop(), copy_context())
            threading.Thread(target=self._watch_input, args=watching, daemon=True).start()
        self.set_interval(LOOK_S, self.remember)

    def end_by(self, number: int) -> None:
        """End as this signal asks for: what was typed kept, terminal restored, exit code 128 and its number."""
        is_gone = not os.isatty(self._input())
        if is_gone and self._driver is not None:
            vars(self._driver)["write"] = (
                _to_nobody  # Textual's would wait for a thread that has ended
            )
        self.remember()
        self.end_with(128 + number)
        late = (128 + number, GONE_S if is_gone else LATEST_S)
        threading.Thread(target=_end_late, args=late, daemon=True).start()

    def end_with(self, code: int) -> None:
        """End with this exit code; who has something to save overrides it."""
        self.exit(return_code=code)

    def _watch_input(self, loop: asyncio.AbstractEventLoop, ours: Context) -> None:
        """End when the terminal is gone and nobody says so; on a thread, as the loop may wait to write to it.

        `ours` is the application's context: Textual finds the application of a timer in it.
        """
        while os.isatty(self._input()):
            time.sleep(LOOK_S)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self.end_by, signal.SIGHUP, context=ours)
        _end_late(128 + signal.SIGHUP, GONE_S)

    def _handle_exception(self, error: Exception) -> None:
        if self.is_headless:  # a test wants to see it raised
            super()._handle_exception(error)
        elif self.crashed is None:
            self.crashed = error  # reported by the command line, once the terminal is restored
            self._return_code = 70
            self._close_messages_no_wait()

    def panic(self, *renderables: RenderableType) -> None:
        """End with what broke the reading of keys; Textual calls it."""
        super().panic(*renderables)
        self._return_code = 70

    # --- where somebody is

    def remembered(self) -> Mapping[str, Any]:
        """Return where somebody is, as plain data."""
        return {}

    def remember(self) -> None:
        """Hand the keeper where somebody is."""
        if self._around.keeper is not None:
            self._around.keeper.keep(self.remembered())

    # --- away and back

    @contextmanager
    def suspend(self) -> Iterator[None]:
        """Give the terminal to what is done in the block, and take it back even if that raises."""
        raised: BaseException | None = None
        loop = asyncio.get_running_loop()
        with super().suspend():
            for number in (signal.SIGTSTP, signal.SIGCONT):  # C-z stops both, as a shell expects
                loop.remove_signal_handler(number)
            kept = {one: signal.signal(one, _nothing) for one in (signal.SIGINT, signal.SIGQUIT)}
            try:
                yield
            except BaseException as error:  # noqa: BLE001  # raised again below
                raised = error
            for number, handler in kept.items():
                signal.signal(number, handler)
        self._hear_stops()
        self._came_back()
        if raised is not None:
            raise raised

    def _hear_stops(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, self._stop)
        loop.add_signal_handler(signal.SIGCONT, self._continued)

    def _stop(self) -> None:
        """Give the terminal back, stop, and take it again once somebody lets us go on in the foreground."""
        driver = self._driver
        if driver is None:
            return
        driver.suspend_application_mode()
        self._stopped_by_us = True
        os.kill(os.getpid(), signal.SIGSTOP)
        while not _is_in_front(self._input()):
            os.kill(os.getpid(), signal.SIGSTOP)
        driver.resume_application_mode()
        self._came_back()

    def _continued(self) -> None:
        """Take the terminal again after a stop that nobody told us of."""
        if self._stopped_by_us:
            self._stopped_by_us = False
        elif self._driver is not None:
            self._driver.suspend_application_mode()
            self._driver.resume_application_mode()
            self._came_back()

    def _came_back(self) -> None:
        self._canvas.forget()
        self.refresh(layout=True)

    def _input(self) -> int:
        return int(getattr(self._driver, "fileno", 0))


def _read_anything() -> None:
    """Let keys be read in the terminal's encoding; a byte that is none of it is a wrong character, no more."""
    from textual.drivers import linux_driver

    encoding = getattr(sys.__stdin__, "encoding", None) or "utf-8"
    decoder = partial(codecs.getincrementaldecoder(encoding), "replace")
    vars(linux_driver)["getincrementaldecoder"] = lambda _: (
        decoder
    )  # it is strict, and a wrong byte ends it


def _hear_escape() -> None:
    """Take an Esc for itself after `ESCAPE_S`: Textual would look up from the terminal only every 0.1 s."""
    from textual.drivers import linux_driver

    constants.ESCAPE_DELAY = ESCAPE_S  # type: ignore[misc]  # asked for at every Esc
    vars(linux_driver)["selectors"] = SimpleNamespace(
        SelectSelector=_Listening,
        EVENT_READ=selectors.EVENT_READ,
        SelectorKey=selectors.SelectorKey,
    )


class _Listening(selectors.SelectSelector):
    """Waits as told, but no longer than an Esc is waited on after something came."""

    _heard = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(ESCAPE_S + 0.002 if self._heard else timeout)
        self._heard = bool(found)
        return found


def _nothing(number: int, frame: FrameType | None) -> None:
    """Let the signal go by: it is meant for what runs in the foreground."""


def _is_in_front(descriptor: int) -> bool:
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # no job control here
        return True


def _to_nobody(data: str) -> None:
    """Let what was to be drawn go: its terminal is gone."""


def _end_late(code: int, after_s: float) -> None:
    """End the process if it has not ended by itself: a terminal that is gone takes no last words."""
    time.sleep(after_s)
    os._exit(code)
