"""A form: its lines, help for the field of the cursor under them, and what a field opens. Its texts: `entries`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from textual.containers import Vertical
from textual.message import Message

from quarterdeck.model.form import LENGTHS, SOURCE_GUIDE
from quarterdeck.present import inert, written
from quarterdeck.present.table import Cell
from quarterdeck.tui.widgets.entries import Entry, Sheet
from quarterdeck.tui.widgets.form_lines import MARKS, Fix, FormLines
from quarterdeck.tui.widgets.frame import LineBox

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from quarterdeck.model.errors import Problem
    from quarterdeck.tui.widgets.choice_field import Picked

MADE_HERE: Final = ("profile", "query")
"""Kinds of which a new one is offered where one is chosen."""


class Form(Vertical):
    """Fields of one kind, with help for the one of the cursor under them."""

    DEFAULT_CSS = """
    Form { height: 1fr; width: 1fr; }
    Form > #help { height: 2; }
    """

    class Changed(Message):
        """A fact: something else stands in a field."""

    class Make(Message):
        """A wish: make a new one of this kind, to be chosen in the field of this path."""

        def __init__(self, kind: str, path: str) -> None:
            super().__init__()
            self.kind = kind
            self.path = path

    class OpenText(Message):
        """A wish: edit the text of this field, which has several lines."""

        def __init__(self, entry: Entry) -> None:
            super().__init__()
            self.entry = entry

    class Mend(Message):
        """A wish: go where this is mended."""

        def __init__(self, fix: Fix) -> None:
            super().__init__()
            self.fix = fix

    def __init__(self, sheet: Sheet, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.sheet = sheet
        self.lines = FormLines(sheet)

    def compose(self) -> ComposeResult:
        """Yield the lines and the help."""
        yield self.lines
        yield LineBox(id="help")

    def on_mount(self) -> None:
        """Draw the help of the first field."""
        self.lines.go_to(self.lines.current)

    def focus(self, scroll_visible: bool = True) -> Form:  # noqa: FBT001, FBT002  # Textual's
        """Give the keys to the field that had them last."""
        self.lines.focus(scroll_visible)
        return self

    # --- what it is told

    def choose_from(self, names: Mapping[str, Sequence[str]]) -> None:
        """Take the names that fields are chosen from, by kind; those of one field only stand under `kind:path`."""
        self.put_words(names)
        self.lines.redraw()

    def put_words(self, names: Mapping[str, Sequence[str]]) -> None:
        """Take names to choose from without drawing."""
        for one in self.sheet.entries:
            found = names.get(f"{one.named}:{one.path}", names.get(one.named))
            if one.named and found is not None:
                one.words = list(found)

    def show_problems(self, found: Sequence[Problem], *, jump: bool = False) -> None:
        """Show these beside their fields; `jump` puts the cursor on the first."""
        self.sheet.place(found)
        self.lines.redraw()
        if jump:
            first = next((one for one in self.sheet.there() if one.notes), None)
            if first is not None:
                self.lines.go_to(first)

    def show_fixes(self, fixes: Sequence[Fix]) -> None:
        """Show over the fields what has to be mended elsewhere; the cursor stays on its field."""
        if list(fixes) != self.lines.fixes:
            self.lines.show_fixes(fixes)

    def next_problem(self) -> bool:
        """Put the cursor on the next field with a problem; False if there is none."""
        there = self.lines.targets
        here = there.index(self.lines.current)
        for one in [*there[here + 1 :], *there[: here + 1]]:
            if isinstance(one, Fix) or one.notes:
                self.lines.go_to(one)
                return True
        return False

    def go_to(self, path: str) -> bool:
        """Put the cursor on the field of a path; False if there is none."""
        found = self.sheet.at(path)
        if found is not None:
            self.lines.go_to(found)
        return found is not None

    def choose(self, path: str, name: str) -> None:
        """Choose a name in the field of this path; in a list it comes behind the others."""
        one = self.sheet.at(path)
        if one is None:
            return
        names = _names(one) if one.shape == "list" else []
        if name not in names:
            text = written.write("list", [*names, name]) if one.shape == "list" else name
            self.lines.put(one, text)

    # --- what happens in it

    def on_form_lines_edited(self, event: FormLines.Edited) -> None:
        """Tell of it; the help counts characters."""
        event.stop()
        self._draw_help()
        self.post_message(self.Changed())

    def on_form_lines_moved(self, event: FormLines.Moved) -> None:
        """Say what the field is for."""
        event.stop()
        self._draw_help()

    def on_form_lines_entered(self, event: FormLines.Entered) -> None:
        """Open what the line stands for."""
        event.stop()
        about = event.about
        if isinstance(about, Fix):
            self.post_message(self.Mend(about))
        elif about.shape == "block":
            self.post_message(self.OpenText(about))
        else:
            self._pick(about, event.text)

    def _pick(self, one: Entry, text: str) -> None:
        from quarterdeck.tui.widgets.choice_field import Pick, Word

        several = one.shape == "list"
        chosen = _names(one) if several else [one.text]
        words = [*one.words, *(name for name in chosen if name and name not in one.words)]
        pick = Pick(
            one.label, [Word(word, SOURCE_GUIDE.get(word, "")) for word in words], chosen=chosen, several=several,
            make=f"new {one.named}" if one.named in MADE_HERE else "", text=text,
        )  # fmt: skip

        def done(picked: Picked | None) -> None:
            if picked is None:
                return
            if picked.new:
                self.post_message(self.Make(one.named, one.path))
            else:
                self.lines.put(
                    one, written.write("list", picked.values) if several else picked.values[0]
                )

        self.app.push_screen(pick, done)

    def _draw_help(self) -> None:
        one = self.lines.current
        box = self.query_one("#help", LineBox)
        if isinstance(one, Fix):
            box.show(
                [Cell("this keeps it from being saved", "dim")],
                [Cell("Enter goes where it is mended", "dim")],
            )
            return
        first = f"{one.help}; left out: {one.default}" if one.default else one.help
        box.show(
            [Cell(f"  {inert.line(first)}", "dim")],
            [Cell(f"  {_how(one)}", "dim"), _count(one)],
            right=[Cell(f"{MARKS.get(one.mark, '')} ", "key")],
        )  # fmt: skip


def _names(one: Entry) -> list[str]:
    """Return the names in a list as far as they can be read."""
    try:
        return [str(name) for name in written.read("list", one.text)]
    except ValueError:
        return []


def _how(one: Entry) -> str:
    if one.locked:
        return "is so for good"
    if one.is_choice:
        return "Left and Right change it, Enter shows all"
    if one.named:
        return f"{written.SYNTAX[one.shape]}; Enter shows all"
    return written.SYNTAX[one.shape]


def _count(one: Entry) -> Cell:
    most = LENGTHS.get(one.path)
    if most is None:
        return Cell("")
    found = len(one.text)
    return Cell(f"  {found:,} of {most:,} characters", "bad" if found > most else "dim")
