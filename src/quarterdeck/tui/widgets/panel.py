"""A panel of lines over the page, closed by Esc, Enter or q."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical

from quarterdeck.present.table import Cell
from quarterdeck.tui.widgets.frame import LineBox
from quarterdeck.tui.widgets.lines import LinesView
from quarterdeck.tui.widgets.modal import Modal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from quarterdeck.present.table import Line


class Panel(Modal[None]):
    """Lines to read; j, k and the page keys scroll."""

    DEFAULT_CSS = """
    Panel { align: center middle; background: $background 0%; }
    Panel > #box {
        width: 90%; max-width: 110; height: auto; max-height: 90%; padding: 0 1;
        border: round $primary; background: $background; overflow: hidden;
    }
    Panel #text { height: auto; max-height: 100%; margin-bottom: 1; }
    Panel #keys { dock: bottom; height: 1; }
    """
    BINDINGS: ClassVar = [
        Binding("escape,enter,q", "leave", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("pagedown,ctrl+d", "scroll(10)", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", show=False),
        Binding("g,home", "scroll(-100000)", show=False),
        Binding("G,end", "scroll(100000)", show=False),
    ]
    AUTO_FOCUS: ClassVar[str | None] = ""

    def __init__(self, title: str, lines: Sequence[Line], *, at: int = 0) -> None:
        super().__init__()
        self._title = title
        self._text = list(lines)
        self._at = at  # the line that stands first

    def compose(self) -> ComposeResult:
        """Yield the box."""
        with Vertical(id="box"):
            yield LinesView(self._text, id="text")
            yield LineBox(id="keys")

    def begin(self) -> None:
        """Draw title and keys."""
        self.query_one("#box").border_title = self._title.replace("[", "\\[")
        self.query_one("#keys", LineBox).show([Cell("Esc closes, j k scroll", "dim")])
        if self._at:
            self.call_after_refresh(self.query_one("#text", LinesView).go_to, self._at)

    @property
    def text(self) -> str:
        """Title and lines, for tests."""
        return "\n".join([self._title, *("".join(c.text for c in line) for line in self._text)])

    def action_leave(self) -> None:
        """Close."""
        self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        """Scroll."""
        self.query_one("#text", LinesView).move(by)
