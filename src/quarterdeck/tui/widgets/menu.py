"""A menu: one line per choice, taken with Enter or its letter. Nothing harmful is chosen here."""

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

    from textual import events
    from textual.app import ComposeResult

    from quarterdeck.present.table import Line
    from quarterdeck.tui.widgets.dialog import Choice


class Menu(Modal[str | None]):
    """Asks for one of several; the answer is its value, None for Esc."""

    DEFAULT_CSS = """
    Menu { align: center middle; background: $background 0%; }
    Menu > #box {
        width: 90%; max-width: 80; height: auto; max-height: 90%; padding: 0 1;
        border: round $primary; background: $background;
    }
    Menu #text { height: auto; max-height: 10; }
    Menu #choices { height: auto; max-height: 70vh; }
    """
    BINDINGS: ClassVar = [
        Binding("escape,q", "leave", show=False),
        Binding("enter", "take", show=False),
        Binding("down,j,tab", "step(1)", show=False),
        Binding("up,k,shift+tab", "step(-1)", show=False),
        Binding("home,g", "step(-100000)", show=False),
        Binding("end,G", "step(100000)", show=False),
    ]
    AUTO_FOCUS: ClassVar[str | None] = ""

    def __init__(
        self, title: str, choices: Sequence[Choice], lines: Sequence[Line] = (), *, at: int = 0
    ) -> None:
        super().__init__()
        self._title = title
        self.choices = list(choices)
        self._text = list(lines)
        self.at = at

    def compose(self) -> ComposeResult:
        """Yield the box."""
        with Vertical(id="box"):
            if self._text:
                yield LinesView(self._text, id="text")
            yield LinesView(id="choices", wraps=False)
            yield LineBox(id="keys")

    def begin(self) -> None:
        """Draw."""
        self.query_one("#box").border_title = self._title.replace("[", "\\[")
        self.query_one("#keys", LineBox).show([Cell("Enter takes it, Esc leaves", "dim")])
        self._draw()

    @property
    def text(self) -> str:
        """Title, lines and choices, for tests."""
        shown = ["".join(cell.text for cell in line) for line in self._text]
        return "\n".join([self._title, *shown, *(one.label for one in self.choices)])

    def _draw(self) -> None:
        lines = []
        for place, one in enumerate(self.choices):
            is_here = place == self.at
            letter = f"{one.key} " if one.key else ""
            lines.append(
                (
                    Cell(
                        f"{'>' if is_here else ' '} {letter}{one.label}",
                        "match" if is_here else "",
                    ),
                )
            )
        view = self.query_one("#choices", LinesView)
        view.show(lines)
        top = view.scroll_offset.y
        if self.at < top or self.at >= top + view.page:
            view.go_to(max(0, self.at - view.page + 1))

    def action_step(self, by: int) -> None:
        """Up or down."""
        self.at = max(0, min(len(self.choices) - 1, self.at + by))
        self._draw()

    def action_take(self) -> None:
        """Take the choice under the cursor."""
        if self.choices:
            self.dismiss(self.choices[self.at].value)

    def action_leave(self) -> None:
        """Take none."""
        self.dismiss(None)

    def on_key(self, event: events.Key) -> None:
        """Take a choice by its letter."""
        for one in self.choices:
            if one.key and event.key == one.key:
                event.stop()
                self.dismiss(one.value)
                return
