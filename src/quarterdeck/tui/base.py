"""The base of every page: its frame, its calls of the service, what it answers to keys that do nothing here.

A page knows the services, and no other page. What every page can do is `page`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

from textual.screen import Screen

from quarterdeck.model.errors import NotFoundError, QuarterdeckError, UnreachableError
from quarterdeck.present import inert
from quarterdeck.present.table import Cell, Look
from quarterdeck.tui import actions, header, marks, problems, waits
from quarterdeck.tui.actions import ACTIONS, BY_METHOD
from quarterdeck.tui.messages import Answered
from quarterdeck.tui.place import Place
from quarterdeck.tui.waits import SHOWN_AFTER_S, Wait
from quarterdeck.tui.widgets.frame import LineBox, footer_cells

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.timer import Timer
    from textual.widget import Widget

    from quarterdeck.service.bundle import Services
    from quarterdeck.tui.shell import Shell

T = TypeVar("T")
LEAST: Final = (40, 12)


class BasePage(Screen[None]):
    """Header, breadcrumb, body, status, footer.

    A subclass gives `body`, `FOOTER` (at most eight acts), `crumb`, `load`, and the methods of its acts. `place`
    says where somebody is, so that it can be gone back to.
    """

    DEFAULT_CSS = """
    BasePage { layout: vertical; }
    BasePage > .line { height: 1; }
    BasePage > #body { height: 1fr; }
    """
    AUTO_FOCUS: ClassVar[str | None] = ""
    FOOTER: ClassVar[tuple[str, ...]] = ("app.help",)
    WATCHES: ClassVar[frozenset[str]] = (
        frozenset()
    )  # tables whose changes are read again; empty: none
    ARRIVES_AT_ONCE: ClassVar[bool] = True  # ready for keys once it is drawn; else it says itself

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.opened = place
        self._calls: dict[int, Wait] = {}
        self._number = 0
        self._ticker: Timer | None = None
        self._said: tuple[str, str] = ("", "")
        self._resting: tuple[Cell, ...] = ()

    # --- what a subclass says

    def body(self) -> ComposeResult:
        """Yield the widgets between breadcrumb and status line."""
        yield from ()

    def crumb(self) -> tuple[list[Cell], list[Cell]]:
        """Return the cells of the breadcrumb, left and right."""
        return [Cell(self.opened.kind, "head")], []

    def load(self) -> None:
        """Read what the page shows; called when it opens, on `R`, and when what it watches changed."""

    def changed(self, changes: list[tuple[str, str, str]]) -> None:
        """Take note of (table, id, by) that were written; by default everything is read again."""
        self.load()

    def place(self) -> Place:
        """Return where somebody is, to come back to."""
        return self.opened

    def back(self) -> bool:
        """Close what is open on the page (a sheet, a search); True if there was something."""
        return False

    def verdict(self, action: actions.Action) -> bool | None:
        """Return True for what can be done now, None for what is shown and refused, False for what is hidden."""
        return True

    def remember(self) -> None:
        """Keep what is shown for the acts of a palette over it: the page may read again meanwhile."""

    def forget(self) -> None:
        """Go by what is shown again."""

    def marked(self) -> int:
        """Return how many rows are marked in the list that has the keys."""
        return 0

    def takes(self, action: actions.Action) -> int | None:
        """Return on how many marked rows the act acts here; None: it is not about rows of a list."""
        return action.takes

    def facts(self) -> Mapping[str, str]:
        """Return the words for the commands of `Y`: job, run, version, name, kind."""
        return {}

    def copyable(self) -> str:
        """Return what `y` copies."""
        return ""

    def leaving(self) -> None:
        """Save what is typed: the page is about to be closed."""

    def made(self, kind: str, name: str) -> None:
        """Take note that a form that was opened from here has saved this."""

    def refused(self, action: actions.Action) -> None:
        """Say why an act is refused that was pressed all the same."""
        self.say(f"{action.label}: not possible here now.", "bad")

    # --- frame

    def compose(self) -> ComposeResult:
        """Yield the frame with the body in it."""
        yield LineBox(id="header", classes="line", ground="panel")
        yield LineBox(id="crumb", classes="line")
        yield from self.body()
        yield LineBox(id="status", classes="line")
        yield LineBox(id="footer", classes="line", ground="panel")

    def on_mount(self) -> None:
        """Draw the frame and begin to read; say what led here."""
        if said := self.opened.more.get("said"):
            self.say(str(said), "good", keep=False)
        self.draw_frame()
        self.load()
        if self.ARRIVES_AT_ONCE:
            self.arrive()

    def arrive(self) -> None:
        """Take the keys that waited for this page, once it is drawn."""
        self.call_after_refresh(self.shell.arrived, self)

    def on_screen_resume(self) -> None:
        """Draw what may have changed while another page was in front."""
        self.draw_frame()

    @property
    def is_mounted(self) -> bool:
        """Whether there is something to draw in: a page that is closing is still told its size."""
        return super().is_mounted and bool(self.children)

    def draw_frame(self) -> None:
        """Draw header, breadcrumb, status and footer."""
        if not self.is_mounted:
            return
        left, right = self.shell.header_cells()
        self._box("header").show(left, right=right)
        left, right = self.crumb()
        self._box("crumb").show(left, right=right)
        self.draw_status()
        self.draw_footer()

    def draw_footer(self) -> None:
        """Draw the keys of the acts that matter here."""
        keys, room, typing = [], self.app.size.width, self.is_typing
        for one in self.footer_acts():
            action = ACTIONS[one]
            may = self.check_action(action.method, ())
            if may is False:
                continue
            key = self.shell.key_of(one, typing=typing)
            room -= len(key) + len(action.label) + 3
            if room >= 0:
                keys.append((key, action.label, may is True))
        self._box("footer").show(footer_cells(keys))

    def footer_acts(self) -> tuple[str, ...]:
        """Return the acts of the footer, at most eight."""
        return self.FOOTER

    def draw_status(self) -> None:
        """Draw the status line: too small, a wait, what was said last, or what the page rests on."""
        if not self.is_mounted:
            return
        size = self.app.size
        if size.width < LEAST[0] or size.height < LEAST[1]:
            text = f"too small, need {LEAST[0]}x{LEAST[1]}"
            self._box("status").show([Cell(text, "bad")])
            return
        waiting = waits.words(self._calls.values())
        if waiting:
            self._box("status").show([Cell(waiting, "wait")])
        elif self._said[0]:
            self._box("status").show([Cell(self._said[0], self._said[1])])
        else:
            self._box("status").show(self._resting)

    def rest(self, *cells: Cell) -> None:
        """Set what the status line shows when nothing else is to be said."""
        self._resting = cells
        self.draw_status()

    def say(self, text: str, tone: str = "", *, keep: bool = True) -> None:
        """Say the result of somebody's own act in the status line, until the next key that acts."""
        self._said = (inert.line(text), tone)
        if text and keep:
            self.shell.note(text, tone)
        self.draw_status()

    def unsay(self) -> None:
        """Let go of what was said last."""
        if self._said[0]:
            self._said = ("", "")
            self.draw_status()

    def _box(self, id: str) -> LineBox:
        return self.get_child_by_id(id, LineBox)

    @property
    def shell(self) -> Shell:
        """The application."""
        return cast("Shell", self.app)

    @property
    def services(self) -> Services:
        """The use cases; only to be called on the threads of `ask`."""
        return self.shell.services

    @property
    def is_in_front(self) -> bool:
        """Whether nothing is over the page: no other page, no dialog."""
        return self.app.screen is self

    @property
    def is_typing(self) -> bool:
        """Whether letters are text where the keys go now."""
        return self.focused is not None and self.focused.check_consume_key("a", "a")

    def look(self) -> Look:
        """Return the time, in the zone of the terminal, for ages."""
        return Look(self.shell.now())

    def on_resize(self) -> None:
        """Draw the frame for the new size."""
        self.call_after_refresh(self.draw_frame)

    # --- calls

    def ask(
        self,
        what: str,
        call: Callable[[], T],
        then: Callable[[T], None] | None = None,
        *,
        group: str = "",
        failed: Callable[[BaseException], None] | None = None,
        is_left: bool = True,
    ) -> None:
        """Call the service on a thread; `then` is given the answer here on the loop, `failed` what was raised.

        A newer call of the same `group` takes the place of an older one, whose answer is dropped. So is the answer
        of a call that was left with Esc, if that `is_left`, and of one whose page is gone.
        """
        if group:
            self._drop(lambda wait: wait.group == group)
        self._number += 1
        number = self._number
        self._calls[number] = Wait(what, group, then, failed, is_left=is_left)

        def work() -> None:
            value: Any = None
            error: BaseException | None = None
            try:
                value = call()
            except BaseException as raised:  # noqa: BLE001  # told on the loop, where it is shown
                error = raised
            self.post_message(Answered(number, value, error))

        self.shell.calls.submit(work)
        if self._ticker is None:
            self._ticker = self.set_interval(0.5, self.draw_status)
        self.set_timer(SHOWN_AFTER_S, self.draw_status)

    def on_answered(self, message: Answered) -> None:
        """Hand the answer on, or drop it when nobody waits for it any more."""
        wait = self._calls.pop(message.number, None)
        if wait is None:
            return
        if not self._calls and self._ticker is not None:
            self._ticker.stop()
            self._ticker = None
        self.draw_status()
        if message.error is not None:
            (wait.failed or self.fail)(message.error)
        elif wait.then is not None:
            wait.then(message.value)

    def fail(self, error: BaseException) -> None:
        """Show what went wrong where the page is; the old facts stay."""
        if not self.shell.is_open:
            return  # the application ends, and says why
        if not isinstance(error, QuarterdeckError):
            self.shell.defect(error)
        elif isinstance(error, UnreachableError):
            self.say(
                f"{problems.brief(error)} What is shown is from before; R reads again.", "bad"
            )
        elif isinstance(error, NotFoundError) or not self.is_in_front:
            self.say(problems.brief(error), "bad")
        else:
            self.shell.panel(problems.title(error), list(problems.lines(error)))
            self.shell.note(problems.brief(error), "bad")

    def _drop(self, of: Callable[[Wait], bool]) -> bool:
        gone = [number for number, wait in self._calls.items() if of(wait)]
        for number in gone:
            del self._calls[number]
        if not self._calls and self._ticker is not None:
            self._ticker.stop()
            self._ticker = None
        return bool(gone)

    def leave_waits(self) -> bool:
        """Give up what is waited for and seen to be; True if there was something."""
        now = time.monotonic()
        left = self._drop(lambda wait: wait.is_left and now - wait.since >= SHOWN_AFTER_S)
        if left:
            self.say("left; R reads again", keep=False)
        return left

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether the act is there (False: not), may be done (None: refused, shown dimmed)."""
        found = BY_METHOD.get(action)
        if found is None:
            return True
        if found.writes and self.shell.read_only:
            return False
        if found.id == "app.lift_read_only":
            return self.shell.may_lift
        return marks.verdict(self, found)

    def on_key(self, event: events.Key) -> None:
        """Say why a key does nothing here that does something elsewhere, or is refused here."""
        own = self.focused._bindings.key_to_bindings if self.focused is not None else {}  # noqa: SLF001
        if any(not bound.id for bound in own.get(event.key, ())):
            return  # an editor's or a field's own key does something after this
        here = set(self.bound_ids())
        for action in actions.with_key(event.key, self.shell.keys_by_id):
            if action.id in here:
                if self.check_action(action.method, ()) is None:
                    marks.refuse(self, action)
                elif action.writes and self.shell.read_only:
                    why = header.why_read_only(self.shell.header)
                    self.say(f"{action.label}: {why}; nothing is written.", "bad")
                return
        elsewhere = [a for a in actions.with_key(event.key, self.shell.keys_by_id) if a.where]
        if elsewhere:
            one = elsewhere[0]
            self.say(
                f"{actions.shown(event.key)}: {one.label.lower()}, {one.where}", "dim", keep=False
            )

    def bound_ids(self) -> list[str]:
        """Return the ids of the acts that have a key on this page now."""
        nodes: list[Widget] = [self.focused] if self.focused is not None else []
        found: list[str] = []
        for node in [*nodes, self]:
            for bound in node._bindings.key_to_bindings.values():  # noqa: SLF001  # Textual offers no list of them
                found += [one.id for one in bound if one.id]
        return found

    def open(self, kind: str, name: str = "", tab: str = "", **more: Any) -> None:
        """Go to a place."""
        self.shell.open(Place(kind, name, tab, more))
