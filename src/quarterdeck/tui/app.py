"""The shell: it opens the workspace, keeps the pages on one stack, and carries facts and wishes between them.

What a page shows is its own; how the terminal is left and found again is `terminal` and `memory`.
"""

from __future__ import annotations

import gc
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import events
from textual.binding import Binding
from textual.screen import ModalScreen

from quarterdeck.present import inert
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions, header, routes
from quarterdeck.tui.actions import ACTIONS
from quarterdeck.tui.messages import Changed, Later, Open
from quarterdeck.tui.place import Place, to_document
from quarterdeck.tui.type_ahead import PATIENCE_S, Arrived, Passed, TypeAhead
from quarterdeck.tui.undoing import Undoing
from quarterdeck.tui.workspace import AtWorkspace, Making

if TYPE_CHECKING:
    from textual.timer import Timer

    from quarterdeck.present.table import Line
    from quarterdeck.service.bundle import Services
    from quarterdeck.tui.page import Page
    from quarterdeck.tui.shell import Front
    from quarterdeck.tui.terminal import Surroundings

DEEPEST: Final = 3  # pages above the jobs list: Esc five times is always back there
QUIET_S: Final = 0.25  # after who is here was learned: the first screen is drawn by then


class Quarterdeck(AtWorkspace):
    """The application over one workspace. `opening` gives the services; it is called on a thread."""

    CSS = """
    BasePage { background: $background; color: $foreground; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar = [
        Binding("ctrl+q", "app_quit", "Quit", id="app.quit", priority=True, show=False),
        Binding(
            "colon,ctrl+p", "app_palette", "Commands", id="app.palette", priority=True, show=False
        ),
    ]

    def __init__(  # noqa: PLR0913  # all but the first may be left out
        self,
        opening: Callable[[], Services],
        *,
        places: Sequence[Place] = (),
        keys: Mapping[str, str] | None = None,
        notices: Sequence[str] = (),
        zone: Any = None,
        around: Surroundings | None = None,
        making: Making | None = None,
        lifting: Callable[[], Services] | None = None,
    ) -> None:
        super().__init__(around, opening, making, lifting)
        self.animation_level = "none"
        self.typed: dict[tuple[str, str], Mapping[str, Any]] = {}  # left unsaved, by page and name
        self.notes: deque[tuple[datetime, str, str]] = deque(maxlen=200)
        self._places = list(places)
        self._keys = dict(keys or {})
        self._notices = [*notices, *self.theme_notices]
        self._zone = zone
        self._undoing = Undoing()
        self._ahead = TypeAhead(self)
        self._held_long: Timer | None = None
        self.unsaved: list[str] = []  # what pages that are gone could not save
        self.open_error: BaseException | None = None
        if self._keys:
            self.set_keymap(self._keys)

    # --- the workspace

    def now(self) -> datetime:
        """Return the time in the terminal's zone."""
        if self._services is None:
            return datetime.fromtimestamp(time.time(), self._zone).astimezone(self._zone)  # noqa: TID251  # no clock yet
        return self._services.context.now().astimezone(self._zone)

    def on_mount(self) -> None:
        """Open what was open before on top of the jobs list."""
        for place in self._places:
            if place.kind != "jobs":
                page = routes.make(place)
                self._ahead.hold(page)
                self.push_screen(page)
        for text in self._notices:
            self.note(text, "dim")
        self.set_interval(60, self.draw_frame)
        if self._making is None:
            self.calls.submit(self._attend)

    def get_default_screen(self) -> Page:
        """Return the jobs list, which lies below everything."""
        if self._making is not None:
            return routes.make(Place("welcome", self._making.where))
        first = (one for one in self._places if one.kind == "jobs")
        return routes.make(next(first, Place("jobs")))

    def workspace_made(self) -> None:
        """Go on with the jobs list of the workspace that was made."""
        self.push_screen(routes.make(Place("jobs")))
        self.calls.submit(self._attend)

    def on_later(self, message: Later) -> None:
        """Do what a thread asks for."""
        message.act()

    def _take_header(self, header: dict[str, Any]) -> None:
        is_first, self._header = not self._header, header
        self.draw_frame()
        if is_first:
            self._tell_of_store(header)
            self.set_timer(0.25, self._settle_down)  # then the first screen is drawn
            self.set_timer(60, self.read_header)  # so long it says what was taken up again

    def _tell_of_store(self, header: Mapping[str, Any]) -> None:
        """Say what the opening of the store found or did."""
        for notice in header["notices"]:
            self.note(notice)
            self.page.say(notice)
        if header["damage"]:
            from quarterdeck.present import repairs

            self.note(f"the store is damaged: {header['damage']}", "bad")
            self.panel("The store is damaged", repairs.damage(header["damage"]))

    def _settle_down(self) -> None:
        """Once the first screen is drawn: what was made for it stays; no later look for waste goes over it."""
        gc.collect()
        gc.freeze()
        gc.enable()
        self.calls.submit(routes.warm)

    def _cannot_open(self, error: BaseException) -> None:
        self.open_error = error
        self.exit(return_code=getattr(error, "exit_code", 70))

    def on_changed(self, message: Changed) -> None:
        """Hand changes to every page; who is here may have changed as well."""
        if any(table in ("workspace", "definitions", "leases") for table, _, _ in message.changes):
            self.read_header()
        for page in self.pages:
            page.post_message(Changed(message.changes))

    # --- pages

    @property
    def pages(self) -> list[Page]:
        """The pages, the jobs list first."""
        from quarterdeck.tui.page import Page

        found = [screen for screen in self.screen_stack if isinstance(screen, Page)]
        return found[1:] if len(found) > 1 and found[0].opened.kind == "welcome" else found

    @property
    def page(self) -> Page:
        """The page in front, behind any dialog."""
        return self.pages[-1]

    async def on_event(self, event: events.Event) -> None:
        """Hand keys on in their order, and only to a page that is ready for them."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self._ahead.take(event)
        else:
            await super().on_event(event)

    async def hand_on(self, event: events.Key | events.Paste) -> None:
        """Let Textual handle a key whose turn it is."""
        await super().on_event(event)

    async def on_passed(self, message: Passed) -> None:
        """Hand on the next key."""
        await self._ahead.passed(message)

    async def on_arrived(self, _: Arrived) -> None:
        """Hand on what was held for a page that is ready now."""
        await self._ahead.arrived()

    async def _on_key(self, event: events.Key) -> None:
        """Do what a key is bound to that no widget took, and then hand on the next."""
        event.prevent_default()  # Textual's own comes here, if at all
        if self._ahead.is_early:
            self._ahead.meant(event)
        elif not self._is_taken_by_line(event):
            await super()._on_key(event)
        self._ahead.follow()

    def _is_taken_by_line(self, event: events.Key) -> bool:
        """Whether it is typed into a line that was opened just now, and has not had the focus yet."""
        for line in self.screen.query("FilterBar"):
            if line.is_meant(event):  # type: ignore[attr-defined]  # imported when it is first opened
                line._forward_event(events.Key(event.key, event.character))  # noqa: SLF001  # Textual's way
                return True
        return False

    def open(self, place: Place) -> None:
        """Go to a place; keys are held until it is there, so that none is taken for one of the page before."""
        self._ahead.hold()
        if self._held_long is not None:
            self._held_long.stop()  # it was about the page before
        self._held_long = self.set_timer(PATIENCE_S, partial(self.arrived, None))
        self.post_message(Open(place))

    def arrived(self, page: object) -> None:
        """Let the page have the keys that were held for it, if it is the one that was opened."""
        self._ahead.ready(page)

    def on_open(self, message: Open) -> None:
        """Go where a page wants to."""
        self.go(message.place)

    def go(self, place: Place) -> None:
        """Open a place: a view takes the place of all above the jobs list, anything else comes on top."""
        self._leave_dialogs()
        if place.kind in ("jobs", "runs", "profiles", "queries", "clusters", "teams", "audit"):
            while len(self.pages) > 1:
                self._pop()
            if place.kind == "jobs":
                self.arrived(None)
                return
        if routes.is_there(place):
            self._push(place)
        else:
            self.calls.submit(partial(self._fetch_page, place, self.page))

    def _fetch_page(self, place: Place, asked_on: Page) -> None:
        """Import a page's module on a thread, then open it, unless somebody has gone elsewhere meanwhile."""
        routes.fetch(place)
        self._tell(lambda: self._push(place) if self.page is asked_on else self.arrived(None))

    def _push(self, place: Place) -> None:
        if len(self.pages) > DEEPEST:
            self._pop()
        page = routes.make(place)
        self._ahead.await_page(page)
        self.push_screen(page)

    def _leave_dialogs(self) -> None:
        while isinstance(self.screen, ModalScreen):
            self.screen.dismiss(None)

    def remembered(self) -> Mapping[str, Any]:
        """Return pages and what was left unsaved, to come back to; a page being made is where it was opened."""
        return {
            "places": [to_document(p.place() if p.is_mounted else p.opened) for p in self.pages],
            "typed": [[*key, dict(typed)] for key, typed in self.typed.copy().items() if typed],
        }

    def _pop(self) -> None:
        self.pages[-1].leaving()
        self.pop_screen()

    def back(self) -> None:
        """Close the page in front, unless it is the jobs list."""
        if len(self.pages) > 1:
            self._pop()

    def close_page(self) -> None:
        """Close the page in front; the jobs list ends the application."""
        if len(self.pages) > 1:
            self._pop()
        else:
            self.action_app_quit()

    def action_app_quit(self) -> None:
        """End, once what was typed is saved, or after a second; runs go on."""
        if self.is_open:
            self.calls.submit(self._count_unfinished)
        self.remember()  # the next look would come too late for a page that was closed just now
        self.end_with(0)

    def end_with(self, code: int) -> None:
        """End with this exit code, once what was typed is saved, or after a second."""
        for page in self.pages:
            page.leaving()
        self._end_by(code, time.monotonic() + 1.0)

    def _end_by(self, code: int, latest: float) -> None:
        if self.calls.under_way and time.monotonic() < latest:
            self.set_timer(0.02, partial(self._end_by, code, latest))
        else:
            self.exit(return_code=code)

    def action_app_palette(self) -> None:
        """Open the palette, unless a dialog asks something."""
        if isinstance(self.screen, ModalScreen):
            return
        from quarterdeck.tui.palette import Palette

        self.push_screen(Palette(self.page))

    # --- frame

    def header_cells(self) -> tuple[list[Cell], list[Cell]]:
        """Return the header's line, left and right."""
        return header.cells(self._header, self.now(), self.size.width)

    def draw_frame(self) -> None:
        """Draw the frame of the page in front."""
        if self.is_running and self.pages:
            self.page.draw_frame()

    @property
    def keys_by_id(self) -> list[str]:
        """The acts that have a key."""
        return [action.id for action in ACTIONS.values() if action.keys]

    def key_of(self, id: str, *, typing: bool = False) -> str:
        """Return the key of an act as it is shown, `keys.toml` included; empty for none.

        `typing`: letters are text now, so the first key that is none; if there is none, the first one.
        """
        keys = self._keys.get(id, ACTIONS[id].keys)
        return (actions.first_unprintable(keys) if typing else "") or actions.first_key(keys)

    def keys_of(self, id: str) -> str:
        """Return all keys of an act as they are shown."""
        return " ".join(
            actions.shown(key) for key in self._keys.get(id, ACTIONS[id].keys).split(",") if key
        )

    # --- what is said

    def note(self, text: str, tone: str = "") -> None:
        """Keep a message for `:messages`."""
        self.notes.append((self.now(), inert.line(text), tone))

    def note_later(self, text: str) -> None:
        """Keep a message that comes from a thread."""
        self._tell(partial(self.note, text, "bad"))

    def panel(self, title: str, lines: Sequence[Line]) -> None:
        """Show lines in a panel until Esc or Enter."""
        from quarterdeck.tui.widgets.panel import Panel

        self.push_screen(Panel(title, lines))

    def defect(self, error: BaseException) -> None:
        """Keep a report of a defect of ours and show where it is; the application stays up."""
        from quarterdeck.tui import crash

        path = crash.keep("".join(traceback.format_exception(error)))
        self.note(f"a defect of ours: {type(error).__name__}; report: {path}", "bad")
        what = f"{type(error).__name__}: {inert.line(str(error))[:500]}"
        told = f"The report is in {path}. The application goes on; what was typed is kept."
        self.panel("A defect of ours", [(Cell(what, "bad"),), (), (Cell(told),)])

    def undoable(self, page: Front, what: str, call: Callable[[], Any]) -> None:
        """Say what was done and offer to undo it for ten seconds; `call` takes it back, on a thread."""
        self._undoing.offer(self, page, what, call)

    def withdraw_undo(self) -> None:
        """Offer nothing any more that was done before: what came after it stands on it."""
        self._undoing.withdraw()

    def left_unsaved(self, words: str) -> None:
        """Say what a page that is gone could not save; from any thread. It is said again at the end."""
        self.unsaved.append(words)
        self._tell(partial(self._say_unsaved, words))

    def _say_unsaved(self, words: str) -> None:
        self.page.say(words, "bad")

    def undo(self, page: Front) -> None:
        """Take the last act back, if it is not too late."""
        self._undoing.take_back(page)

    def copy(self, page: Front, text: str) -> None:
        """Copy text: to the terminal's clipboard if it allows OSC 52, and into a file of the state folder."""
        from quarterdeck.tui import memory

        self.copy_to_clipboard(text)
        page.ask("the clipboard file", lambda: memory.write_clipboard(text))
        page.say(
            f"copied {len(text)} characters (if your terminal allows OSC 52); m in a log for plain view"
        )
