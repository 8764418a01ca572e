"""A text of several lines that belongs to a form, in an editor over it. The draft's own editor is a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical

from quarterdeck.present import inert
from quarterdeck.present.table import Cell
from quarterdeck.tui.widgets.editor import CodeEditor
from quarterdeck.tui.widgets.frame import LineBox
from quarterdeck.tui.widgets.modal import Modal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.widgets import TextArea


class TextSheet(Modal[str | None]):
    """An editor over the form. However it is left, the text is kept: the answer is the text as it stands.

    `most` is the number of characters allowed, counted while one types; 0: none is said. `told` hears of every
    change. `notes` are what was wrong with the text when it was opened.
    """

    DEFAULT_CSS = """
    TextSheet > #sheet { width: 100%; height: 100%; background: $background; }
    TextSheet > #sheet > CodeEditor { height: 1fr; }
    TextSheet #notes { height: auto; max-height: 4; }
    """
    BINDINGS: ClassVar = [
        Binding("escape,ctrl+s,f10", "leave", priority=True, show=False),
    ]

    def __init__(
        self,
        title: str,
        text: str,
        *,
        language: str = "sql",
        most: int = 0,
        notes: Sequence[str] = (),
        told: Callable[[str], None] = lambda text: None,
    ) -> None:
        super().__init__()
        self._title = title
        self._most = most
        self._notes = list(notes)
        self._told = told
        self.editor = CodeEditor(text, language=language, id="editor")

    def compose(self) -> ComposeResult:
        """Yield title, editor, what is wrong, keys."""
        with Vertical(id="sheet"):
            yield LineBox(id="title")
            yield self.editor
            yield LineBox(id="notes")
            yield LineBox(id="keys")

    def begin(self) -> None:
        """Draw, and begin to edit."""
        self._draw()
        said = [self.editor.why] if self.editor.why else self._notes[:4]
        if said:
            self.query_one("#notes", LineBox).show(
                *[[Cell(f"! {inert.line(one)}", "bad")] for one in said]
            )
        else:
            self.query_one("#notes").display = False
        self.query_one("#keys", LineBox).show(
            [Cell(" Esc ", "key"), Cell("keeps it and goes back to the form")]
        )
        self.editor.focus()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Count, and tell of it."""
        event.stop()
        self._draw()
        self._told(self.editor.text)

    def on_code_editor_noticed(self, event: CodeEditor.Noticed) -> None:
        """Say what should be read about the text."""
        event.stop()
        notes = self.query_one("#notes", LineBox)
        notes.display = True
        notes.show([Cell(inert.line(event.text), event.tone)])

    def _draw(self) -> None:
        text = self.editor.text
        count = f"{len(text):,} of {self._most:,}" if self._most else f"{len(text):,}"
        is_over = bool(self._most) and len(text) > self._most
        self.query_one("#title", LineBox).show(
            [Cell(inert.line(self._title), "head")],
            right=[Cell(f"{count} characters ", "bad" if is_over else "dim")],
        )

    def action_leave(self) -> None:
        """Go back to the form with the text."""
        self.dismiss(self.editor.text)
