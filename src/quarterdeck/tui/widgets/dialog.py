"""Dialogs: a title, lines, perhaps fields, and choices. A harmful one cannot be confirmed by accident."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from textual.binding import Binding
from textual.containers import Vertical

from quarterdeck.present.table import Cell, width
from quarterdeck.tui.widgets.frame import LineBox
from quarterdeck.tui.widgets.lines import LinesView
from quarterdeck.tui.widgets.modal import Modal

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.widgets import Input

    from quarterdeck.present.table import Line

DEAF_S: Final = 0.3  # keys that arrive this early were meant for what was there before


class Choice(NamedTuple):
    """One way out of a dialog: its value, its word, and the letter that takes it at once ("" for none)."""

    value: str
    label: str
    key: str = ""


class Field(NamedTuple):
    """A line to type in: its name in the answer, what it asks, and what stands in it already."""

    name: str
    label: str
    text: str = ""


class Answer(NamedTuple):
    """What was chosen, and what stood in the fields."""

    choice: str
    fields: dict[str, str]


CANCEL: Final = Choice("", "Cancel", "n")


class Dialog(Modal[Answer | None]):
    """Asks; the answer is None for Cancel and Esc.

    `harmful`: Cancel has the focus, and the letter of the act is another than `opened_by`. `typed`: the act
    needs this text in its field. `to_fields`: the first field has the focus, else a choice has it. Keys in the
    first 0.3 s are dropped.
    """

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 0%; }
    Dialog > #box {
        width: 90%; max-width: 100; height: auto; max-height: 90%; padding: 0 1;
        border: round $primary; background: $background;
    }
    Dialog #text { height: auto; max-height: 14; }
    Dialog Input { height: 1; border: none; background: $panel; padding: 0 1; }
    Dialog Input:focus { border: none; }
    """
    BINDINGS: ClassVar = [
        Binding("escape", "leave", show=False),
        Binding("left,shift+tab", "step(-1)", show=False),
        Binding("right,tab", "step(1)", show=False),
        Binding("enter", "take", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown", "scroll(10)", show=False),
    ]
    AUTO_FOCUS: ClassVar[str | None] = ""

    def __init__(  # noqa: PLR0913  # one dialog's facts
        self,
        title: str,
        lines: Sequence[Line],
        choices: Sequence[Choice],
        *,
        harmful: bool = False,
        opened_by: str = "",
        fields: Sequence[Field] = (),
        typed: str = "",
        to_fields: bool = True,
    ) -> None:
        super().__init__()
        self._to_fields = to_fields
        self._title = title
        self._text = list(lines)
        self.choices = [CANCEL, *choices]
        self.at = 0 if harmful else 1
        self._harmful = harmful
        self._opened_by = opened_by
        self._fields = list(fields)
        self._typed = typed
        self._since = time.monotonic()
        if typed:
            self._fields.append(Field("typed", f"Type {typed} to confirm"))

    def tell(self, lines: Sequence[Line]) -> None:
        """Say this first; before it is shown."""
        self._text[:0] = [*lines, ()]

    def fill(self, typed: Mapping[str, str]) -> None:
        """Let this stand in the fields of these names; before it is shown."""
        self._fields = [one._replace(text=typed.get(one.name, one.text)) for one in self._fields]

    def compose(self) -> ComposeResult:
        """Yield the box."""
        with Vertical(id="box"):
            yield LinesView(self._text, id="text")
            if self._fields:
                from textual.widgets import Input

                for one in self._fields:
                    label = LineBox()
                    label.show([Cell(one.label, "dim")])
                    yield label
                    field = Input(one.text, id=f"field-{one.name}", select_on_focus=False)
                    field.cursor_blink = False
                    yield field
            yield LineBox(id="choices")

    def begin(self) -> None:
        """Draw, and put the cursor into the first field."""
        box = self.query_one("#box")
        box.border_title = None
        box.border_title = self._plain_title()
        self._draw()
        if self._fields and self._to_fields:
            self.query_one(f"#field-{self._fields[0].name}").focus()

    def _plain_title(self) -> str:
        return self._title.replace("[", "\\[")

    @property
    def text(self) -> str:
        """Everything that it says, for tests and for `y`."""
        shown = ["".join(cell.text for cell in line) for line in self._text]
        return "\n".join([self._title, *shown])

    def _draw(self) -> None:
        lines: list[list[Cell]] = [[]]
        room = most = self.query_one("#text").size.width or self.app.size.width
        for place, one in enumerate(self.choices):
            hint = f" ({one.key})" if one.key and one.key != self._opened_by else ""
            is_here = place == self.at
            text = f"> [{one.label}]{hint} <" if is_here else f"  [{one.label}]{hint}  "
            if width(text) > room and lines[-1]:
                lines.append([])
                room = most
            room -= width(text)
            lines[-1].append(Cell(text, "match" if is_here else ""))
        self.query_one("#choices", LineBox).show(*lines)

    def on_resize(self) -> None:
        """Lay the choices out anew."""
        self.call_after_refresh(self._draw)

    def _is_deaf(self) -> bool:
        return time.monotonic() - self._since < DEAF_S

    def action_step(self, by: int) -> None:
        """To the next field or choice."""
        inputs = self._inputs()
        focused = self.focused
        order: list[Input | int] = [*inputs, *range(len(self.choices))]
        here = inputs.index(focused) if focused in inputs else len(inputs) + self.at
        wanted = order[(here + by) % len(order)]
        if isinstance(wanted, int):
            self.at = wanted
            self.set_focus(None)
        else:
            wanted.focus()
        self._draw()

    def _inputs(self) -> list[Input]:
        if not self._fields:
            return []
        from textual.widgets import Input

        return list(self.query(Input))

    def action_scroll(self, by: int) -> None:
        """Scroll what it says."""
        self.query_one("#text", LinesView).move(by)

    def action_leave(self) -> None:
        """Cancel."""
        self.dismiss(None)

    def action_take(self) -> None:
        """Take the choice that has the focus; in a field: go on."""
        if self._is_deaf():
            return
        if self.focused is not None:
            self.action_step(1)
            return
        self._take(self.choices[self.at])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on to the next field, and from the last one to the choice of a harmless dialog."""
        event.stop()
        if self._is_deaf():
            return
        inputs = self._inputs()
        if event.input is inputs[-1] and not self._harmful and not self._typed:
            self._take(self.choices[self.at or 1])
        else:
            self.action_step(1)

    def _take(self, choice: Choice) -> None:
        if choice is CANCEL:
            self.dismiss(None)
            return
        fields = {one.name: self.query_one(f"#field-{one.name}").value for one in self._fields}  # type: ignore[attr-defined]
        if self._typed and fields.get("typed") != self._typed:
            self.query_one("#choices", LineBox).show([Cell(f"type {self._typed} first", "bad")])
            return
        self.dismiss(Answer(choice.value, fields))

    def on_key(self, event: events.Key) -> None:
        """Take a choice by its letter; the letter that opened the dialog takes none."""
        if self.focused is not None and event.is_printable:
            return
        if self._is_deaf() or event.key == self._opened_by:
            event.stop()
            return
        for one in self.choices:
            if one.key and event.key == one.key:
                event.stop()
                self._take(one)
                return
