"""The line under an editor in which a text is typed to be found; the editor marks what is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Input

from quarterdeck.present.table import Cell
from quarterdeck.tui.widgets.frame import LineBox

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widgets.text_area import Selection

    from quarterdeck.tui.widgets.editor import CodeEditor


class FindBar(Horizontal):
    """Enter goes to the next, Shift-Enter or Up to the previous, Esc closes and goes back to the editor."""

    DEFAULT_CSS = """
    FindBar { height: 1; display: none; }
    FindBar > Input { width: 1fr; height: 1; border: none; padding: 0 1; background: $panel; }
    FindBar > Input:focus { border: none; }
    FindBar > LineBox { width: 24; }
    """
    BINDINGS: ClassVar = [
        Binding("escape", "leave", show=False),
        Binding("shift+enter,up", "step(-1)", show=False),
        Binding("down", "step(1)", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._editor: CodeEditor | None = None
        self._found: list[Selection] = []

    def compose(self) -> ComposeResult:
        """Yield the field and the count."""
        field = Input(placeholder="find", select_on_focus=True)
        field.cursor_blink = False
        yield field
        yield LineBox()

    @property
    def is_open(self) -> bool:
        """Whether it is shown."""
        return self._editor is not None

    def open(self, editor: CodeEditor) -> None:
        """Show it for an editor; what is selected there is looked for, else what was looked for last."""
        self._editor = editor
        self.display = True
        field, chosen = self.query_one(Input), editor.selected_text
        if chosen and "\n" not in chosen:
            field.value = chosen
        field.focus()
        self._look()

    def close(self) -> None:
        """Hide it and go back to the editor."""
        editor, self._editor = self._editor, None
        self.display = False
        if editor is not None:
            editor.find_all("")
            editor.focus()

    def action_leave(self) -> None:
        """Close."""
        self.close()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Count anew and go to the first at or after the cursor."""
        event.stop()
        if self._editor is not None:
            self._look()
            self._go(0)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the next."""
        event.stop()
        self.action_step(1)

    def action_step(self, by: int) -> None:
        """Go to the next or the previous."""
        if self._editor is not None:
            self._look()
            self._go(by)

    def _look(self) -> None:
        assert self._editor is not None  # noqa: S101  # asked before
        self._found = self._editor.find_all(self.query_one(Input).value)
        self._say("")

    def _go(self, by: int) -> None:
        editor, found = self._editor, self._found
        if editor is None or not found:
            return
        here = min(editor.selection)
        before = sum(one.start < here for one in found)
        on_one = before < len(found) and found[before] == editor.selection
        wanted = before - 1 if by < 0 else before + (1 if by and on_one else 0)
        chosen = found[wanted % len(found)]
        editor.selection = chosen
        editor.scroll_cursor_visible(center=True)
        over = "" if 0 <= wanted < len(found) else ", from the other end"
        self._say(f"{wanted % len(found) + 1} of {len(found)}{over}")

    def _say(self, text: str) -> None:
        nothing = "nothing found" if self.query_one(Input).value else ""
        shown = text or (f"{len(self._found)} found" if self._found else nothing)
        self.query_one(LineBox).show([Cell(f" {shown}", "" if self._found else "dim")])
