"""What pages ask of the application, and what it asks of them: protocols, so that neither imports the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from textual.message import Message
    from textual.theme import Theme

    from quarterdeck.present.table import Cell, Line
    from quarterdeck.service.bundle import Services
    from quarterdeck.tui.calls import Calls
    from quarterdeck.tui.place import Place


class Front(Protocol):
    """A page, as the application sees it."""

    opened: Place

    @property
    def is_typing(self) -> bool:
        """Whether letters are text where the keys go now."""
        ...

    def say(self, text: str, tone: str = "", *, keep: bool = True) -> None:
        """Say the result of an act in the status line."""
        ...

    def ask(
        self,
        what: str,
        call: Callable[[], Any],
        then: Callable[[Any], None] | None = None,
        *,
        group: str = "",
        failed: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Call the service on a thread."""
        ...

    def load(self) -> None:
        """Read again."""
        ...

    def fail(self, error: BaseException) -> None:
        """Show what went wrong."""
        ...

    def place(self) -> Place:
        """Return where somebody is."""
        ...

    def draw_frame(self) -> None:
        """Draw header, breadcrumb, status and footer."""
        ...

    def made(self, kind: str, name: str) -> None:
        """Take note that a definition was made for it, on a page above it."""
        ...

    def post_message(self, message: Message) -> bool:
        """Hand it a message; callable from any thread."""
        ...


class Shell(Protocol):
    """The application, as pages see it; `app.Quarterdeck` says what each does."""

    calls: Calls
    typed: dict[tuple[str, str], Mapping[str, Any]]

    @property
    def notes(self) -> Sequence[tuple[datetime, str, str]]: ...  # noqa: D102  # see the class
    @property
    def services(self) -> Services: ...  # noqa: D102
    @property
    def is_open(self) -> bool: ...  # noqa: D102
    @property
    def read_only(self) -> bool: ...  # noqa: D102
    @property
    def may_lift(self) -> bool: ...  # noqa: D102
    @property
    def header(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def pages(self) -> Sequence[Front]: ...  # noqa: D102
    @property
    def page(self) -> Front: ...  # noqa: D102
    @property
    def keys_by_id(self) -> list[str]: ...  # noqa: D102
    def now(self) -> datetime: ...  # noqa: D102
    def header_cells(self) -> tuple[list[Cell], list[Cell]]: ...  # noqa: D102
    def read_header(self) -> None: ...  # noqa: D102
    def key_of(self, id: str, *, typing: bool = False) -> str: ...  # noqa: D102
    def keys_of(self, id: str) -> str: ...  # noqa: D102
    def read_themes(self) -> tuple[list[Theme], list[str]]: ...  # noqa: D102
    def note(self, text: str, tone: str = "") -> None: ...  # noqa: D102
    def panel(self, title: str, lines: Sequence[Line]) -> None: ...  # noqa: D102
    def defect(self, error: BaseException) -> None: ...  # noqa: D102
    def undoable(self, page: Front, what: str, call: Callable[[], Any]) -> None: ...  # noqa: D102
    def withdraw_undo(self) -> None: ...  # noqa: D102
    def undo(self, page: Front) -> None: ...  # noqa: D102
    def left_unsaved(self, words: str) -> None: ...  # noqa: D102
    def copy(self, page: Front, text: str) -> None: ...  # noqa: D102
    def back(self) -> None: ...  # noqa: D102
    def close_page(self) -> None: ...  # noqa: D102
    def go(self, place: Place) -> None: ...  # noqa: D102
    def repaint(self) -> None: ...  # noqa: D102
    def action_app_quit(self) -> None: ...  # noqa: D102
    def lift_read_only(self) -> None: ...  # noqa: D102
    def make_workspace(self) -> None: ...  # noqa: D102
    def workspace_made(self) -> None: ...  # noqa: D102
    def suspend(self) -> AbstractContextManager[None]: ...  # noqa: D102
    def post_message(self, message: Message) -> bool: ...  # noqa: D102
    def open(self, place: Place) -> None: ...  # noqa: D102
    def arrived(self, page: object) -> None: ...  # noqa: D102
