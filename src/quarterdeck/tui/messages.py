"""What screens, threads and the application tell each other: facts and wishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from quarterdeck.tui.place import Place


class Open(Message):
    """A wish: go to this place."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place


class Changed(Message):
    """A fact: these documents were written, by whom, since the last one; (table, id, by) each."""

    def __init__(self, changes: Sequence[tuple[str, str, str]]) -> None:
        super().__init__()
        self.changes = list(changes)

    def can_replace(self, message: Message) -> bool:
        """Give way to a later one that waits already, which then tells of both."""
        if not isinstance(message, Changed):
            return False
        message.changes = [*self.changes, *message.changes]
        return True


class Answered(Message, bubble=False):
    """A fact: the call with this number gave a value, or raised."""

    def __init__(self, number: int, value: Any, error: BaseException | None) -> None:
        super().__init__()
        self.number = number
        self.value = value
        self.error = error


class Later(Message, bubble=False):
    """A wish of a thread: do this on the loop."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self.act = act
