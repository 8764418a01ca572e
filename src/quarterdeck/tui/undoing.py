"""What was done last and can be taken back for a moment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarterdeck.tui.shell import Front, Shell

UNDO_S: Final = 10.0


class Undo(NamedTuple):
    """What `u` takes back, and until when."""

    what: str
    call: Callable[[], Any]
    until: float


class Undoing:
    """The last act that can be taken back, whichever page it was done on."""

    def __init__(self) -> None:
        self._last: Undo | None = None

    def offer(self, shell: Shell, page: Front, what: str, call: Callable[[], Any]) -> None:
        """Say what was done and how it is taken back.

        Where letters are text and no other key undoes, that is offered in the palette.
        """
        self._last = Undo(what, call, time.monotonic() + UNDO_S)
        key = shell.key_of("app.undo", typing=page.is_typing)
        if page.is_typing and len(key) == 1:
            key = f"{shell.key_of('app.palette', typing=True)} undo"
        page.say(f"{what}. {key} undoes it for {UNDO_S:.0f} s")

    def withdraw(self) -> None:
        """Offer nothing any more that was done before: what came after it stands on it."""
        self._last = None

    def take_back(self, page: Front) -> None:
        """Take the last act back, if it is not too late."""
        found, self._last = self._last, None
        if found is None or time.monotonic() > found.until:
            page.say(f"nothing to undo (it is offered for {UNDO_S:.0f} s)", "dim", keep=False)
            return
        page.ask(f"undoing: {found.what}", found.call, lambda _: page.say(f"undone: {found.what}"))
