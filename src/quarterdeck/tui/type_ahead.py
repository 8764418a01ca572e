"""Keys on their way to where they are meant, however fast they come: in their order, and to a page that is ready.

Textual hands each key to what has the focus when it comes. Over a slow connection keys come in bunches: then what
one of them opens or moves is not yet so when the next is handed on.
"""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from textual import events
from textual.message import Message
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.screen import Screen
    from textual.timer import Timer

PATIENCE_S: Final = 2.0  # so long a page may take before Esc leaves it at once
PASSED_S: Final = 0.25  # so long a key may take before the next is handed on all the same
IDLE_S: Final = 0.02  # after this a key is done with if nothing waits anywhere on its way
TURNS: Final = 2  # a key's way, and that of what it made its target say
LEAVING: Final = ("escape", "ctrl+q")
Typed = events.Key | events.Paste


class Passed(Message):
    """A fact: the key with this number, behind which this went the same way, is done with.

    `is_last`: what the key set going on the application's own task is done with, too: another focus, above all.
    Then it goes the way a second time, behind what that posted there: a line says so that it is entered.
    """

    def __init__(self, number: int, *, is_last: bool = False, turn: int = 1) -> None:
        super().__init__()
        self.number = number
        self.is_last = is_last
        self.turn = turn


class Arrived(Message, bubble=False):
    """A fact: the page that keys were held for is ready, and all keys before this one are known."""


class Host(Protocol):
    """What the application gives: where the keys go, and how one is handed on."""

    @property
    def focused(self) -> Widget | None: ...  # noqa: D102  # Textual's
    @property
    def screen(self) -> Screen[object]: ...  # noqa: D102
    def post_message(self, message: Message) -> bool: ...  # noqa: D102
    def set_timer(self, delay: float, callback: Callable[[], object]) -> Timer: ...  # noqa: D102

    async def hand_on(self, event: Typed) -> None:
        """Let Textual handle the key."""
        ...


class TypeAhead:
    """All is called on the application's own task."""

    def __init__(self, app: Host) -> None:
        self._app = app
        self._waiting: deque[Typed] = deque()
        self._target: Widget | None = None  # where the last key went, until it is done with
        self._is_text = False  # the last key is text there: more text may come behind it
        self._number = 0
        self._handed_at = 0.0
        self._is_asked = False
        self._awaited: object = None
        self._since = 0.0
        self._is_looked_after = False
        self.is_held = False

    async def take(self, event: Typed) -> None:
        """Take a key or a paste that came, and hand on what can be."""
        if self.is_held and self._is_given_up(event):
            self._waiting.clear()
            self.is_held = False
        self._waiting.append(event)
        await self.hand_on()

    def _is_given_up(self, event: Typed) -> bool:
        """Whether this leaves a page that is not ready for a while; what was held for it goes with it."""
        is_late = time.monotonic() - self._since > PATIENCE_S
        return is_late and isinstance(event, events.Key) and event.key in LEAVING

    async def hand_on(self) -> None:
        """Hand on keys, each when the one before is done with."""
        while self._waiting and not self.is_early and self._is_free(self._waiting[0]):
            event = self._waiting.popleft()
            self._number += 1
            self._is_asked = False  # what was asked about the key before is no word about this one
            self._target = target = self._app.focused or self._app.screen
            self._is_text = _is_text(event, target)
            self._handed_at = time.monotonic()
            await self._app.hand_on(event)
            if not event.is_forwarded:  # done with by the application itself
                self._target = None
        if self._waiting and self.is_early and not self.is_held and not self._is_looked_after:
            self._is_looked_after = True
            self._app.set_timer(IDLE_S, self._look_again)

    @property
    def is_early(self) -> bool:
        """Whether keys wait for what is in front: a page that is being opened, a dialog that is not drawn yet."""
        screen = self._app.screen
        return self.is_held or (screen.is_modal and not screen.is_mounted)

    async def _look_again(self) -> None:
        self._is_looked_after = False
        await self.hand_on()

    def _is_free(self, event: Typed) -> bool:
        """Whether this key may be handed on: the last one is done with, or both are text. Else it is told when."""
        target = self._target
        if target is None or self._is_idle(target):
            return True
        if self._is_text and target is self._app.focused and _is_text(event, target):
            return True
        if not self._is_asked:
            if not target.post_message(Passed(self._number)):
                return True  # it is closing
            self._is_asked = True
            self._app.set_timer(PASSED_S, partial(self.follow, self._number, turn=TURNS))
        return False

    def _is_idle(self, target: Widget) -> bool:
        if time.monotonic() - self._handed_at < IDLE_S:
            return False
        way = target.ancestors_with_self
        return not any(node.message_queue_size for node in way if isinstance(node, Widget))

    def follow(self, number: int | None = None, *, turn: int = 1) -> None:
        """Go on behind what this key has set going on the application's task; None: the last key."""
        found = self._number if number is None else number
        self._app.post_message(Passed(found, is_last=True, turn=turn))

    async def passed(self, message: Passed) -> None:
        """Go on, if it is the last key that is done with."""
        number, turn, target = message.number, message.turn, self._target
        if number != self._number:
            return
        if not message.is_last:
            self.follow(number, turn=turn)
        elif (
            turn == TURNS
            or target is None
            or not target.post_message(Passed(number, turn=turn + 1))
        ):
            self._target = None
            await self.hand_on()

    # --- a page that is being opened

    def hold(self, page: object = None) -> None:
        """Hold keys from now on until this page is ready; None: one that is being made, and `await_page` names."""
        self.is_held, self._awaited, self._since = True, page, time.monotonic()

    def await_page(self, page: object) -> None:
        """Wait for this page, which has been made."""
        self._awaited = page

    def meant(self, event: events.Key) -> None:
        """Take back a key that was handed to the page before: it came behind the one that opened the new one."""
        self._waiting.appendleft(events.Key(event.key, event.character))

    def ready(self, page: object) -> None:
        """Take note that a page is ready; keys that are on their way here are held as well."""
        if self.is_held and page is self._awaited:
            self._app.post_message(Arrived())

    async def arrived(self) -> None:
        """Let go of what was held, in the order in which it was typed."""
        self.is_held, self._awaited = False, None
        await self.hand_on()


def _is_text(event: Typed, target: Widget) -> bool:
    """Whether this is put into the text of what it goes to."""
    return isinstance(event, events.Paste) or target.check_consume_key(event.key, event.character)
