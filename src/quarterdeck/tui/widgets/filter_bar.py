"""One line to type a filter or a search in; it tells of every letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message
from textual.widgets import Input

if TYPE_CHECKING:
    from textual import events


class FilterBar(Input):
    """Enter keeps the text, Esc drops it; the page hears `Typed`, `Kept` and `Dropped`."""

    DEFAULT_CSS = """
    FilterBar { height: 1; border: none; padding: 0 1; background: $panel; }
    FilterBar:focus { border: none; }
    """

    class Typed(Message):
        """A fact: the text is this now."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

        def can_replace(self, message: Message) -> bool:
            """Let the newest speak."""
            return isinstance(message, FilterBar.Typed)

    class Kept(Message):
        """A fact: the text stays."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Dropped(Message):
        """A fact: there is no filter any more."""

    def __init__(self, text: str, *, placeholder: str = "") -> None:
        super().__init__(text, placeholder=placeholder, select_on_focus=False, id="filter")
        self.cursor_blink = False
        self._had_focus = False

    def on_focus(self) -> None:
        """From now on keys come here by themselves."""
        self._had_focus = True

    def is_meant(self, event: events.Key) -> bool:
        """Whether a key that was sent elsewhere, and that nobody took, was pressed before the focus came here."""
        return not self._had_focus or (self.has_focus and event.is_printable)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell of the letter."""
        event.stop()
        self.post_message(self.Typed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the text."""
        event.stop()
        self.post_message(self.Kept(event.value))

    def on_key(self, event: events.Key) -> None:
        """Drop the text with Esc."""
        if event.key == "escape":
            event.stop()
            event.prevent_default()
            self.post_message(self.Dropped())
