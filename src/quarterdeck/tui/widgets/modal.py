"""What all that lies over a page has in common: it is drawn once it is composed, unless it was left before."""

from __future__ import annotations

from textual.screen import ModalScreen, ScreenResultType


class Modal(ModalScreen[ScreenResultType]):
    """A screen over the page; it may be left while it is still being composed, and then has nothing to draw in."""

    def on_mount(self) -> None:
        """Begin, if it is still there."""
        if self in self.app.screen_stack:
            self.begin()

    def begin(self) -> None:
        """Draw it for the first time."""
        raise NotImplementedError
