"""The lines of a form: one per field, what is wrong under it, and the cursor in one of them. Around it: `form`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView

from quarterdeck.model.form import SOURCE_GUIDE
from quarterdeck.present import inert, table
from quarterdeck.present.table import Cell, Line
from quarterdeck.tui.widgets import ink
from quarterdeck.tui.widgets.entries import HEADS, Entry, Sheet
from quarterdeck.tui.widgets.line_editor import LineEditor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.strip import Strip

ROOMY, TIGHT = 100, 60  # columns from which marks are whole words, and below which there are none
LABEL: Final = 23  # the longest label, its indent and the cursor's mark
MARKS: Final = {"immediately": "takes effect immediately", "versioned": "versioned"}
_STEPS: Final = {
    "tab": 1, "down": 1, "shift+tab": -1, "up": -1, "pagedown": 8, "pageup": -8,
    "ctrl+home": -1_000, "ctrl+end": 1_000,
}  # fmt: skip


class Fix(NamedTuple):
    """What has to be mended elsewhere first: in words, and a name for where."""

    text: str
    where: str
    name: str = ""


class _Row(NamedTuple):
    """One line on the screen: the field that it belongs to, and its cells; None: the field's own line."""

    about: Entry | Fix | None
    cells: Line | None


class FormLines(ScrollView, can_focus=True, inherit_bindings=False):
    """The lines of a form, and the cursor in one of them. All keys of a field are taken here."""

    DEFAULT_CSS = """
    FormLines { height: 1fr; width: 1fr; scrollbar-size-horizontal: 0; scrollbar-size-vertical: 1; }
    FormLines { scrollbar-gutter: stable; }
    """

    class Edited(Message):
        """A fact: something else stands in a field."""

    class Moved(Message):
        """A fact: the cursor is in another field."""

    class Entered(Message):
        """A wish: open what the field or the line stands for; `text` was typed on a field that is chosen."""

        def __init__(self, about: Entry | Fix, text: str = "") -> None:
            super().__init__()
            self.about = about
            self.text = text

    def __init__(self, sheet: Sheet, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.sheet = sheet
        self.fixes: list[Fix] = []
        self._targets: list[Entry | Fix] = []
        self._place = 0  # of the field or fix, among those that are there
        self._line = LineEditor()
        self._rows: list[_Row] = []
        self._folded_for = -1

    # --- where the cursor is

    @property
    def targets(self) -> list[Entry | Fix]:
        """What the cursor can be on, in order."""
        if not self._targets:
            self._targets = [*self.fixes, *self.sheet.there()]
        return self._targets

    @property
    def current(self) -> Entry | Fix:
        """What the cursor is on."""
        found = self.targets
        return found[min(self._place, len(found) - 1)]

    def go_to(self, target: Entry | Fix) -> None:
        """Put the cursor on it, at the end of its text."""
        self._place = self.targets.index(target)
        self._line.end(target.text if isinstance(target, Entry) else "")
        self.redraw()
        self.post_message(self.Moved())

    def show_fixes(self, fixes: Sequence[Fix]) -> None:
        """Show these over the fields; the cursor stays where it is, if that is there."""
        current, was_first = self.current, self._place == 0
        self.fixes, self._targets = list(fixes), []
        found = self.targets
        self.go_to(current if current in found and not (fixes and was_first) else found[0])

    def step(self, by: int) -> None:
        """Go on by so many fields; Tab from the last one begins again."""
        found = self.targets
        wanted = self._place + by
        wanted = wanted % len(found) if abs(by) == 1 else max(0, min(len(found) - 1, wanted))
        self.go_to(found[wanted])

    # --- lines

    def redraw(self) -> None:
        """Make the lines anew, with the field of the cursor in sight."""
        current = self.current
        self._targets = []
        if current in self.targets:  # fields before it may have come or gone
            self._place = self.targets.index(current)
        self._folded_for = -1
        self._fold()
        self._into_sight()
        self.refresh()

    def _fold(self) -> None:
        wide = self.scrollable_size.width
        if self._folded_for == wide:
            return
        self._folded_for = wide
        rows = [
            _Row(None, (Cell(f"! {part}", "bad"),))
            for one in self.sheet.unplaced
            for part in table.wrap(_told(one.path, one.message), max(8, wide - 2))
        ]
        head = ""
        for about in self.targets:
            if isinstance(about, Fix):
                rows += self._rows_of_fix(about, wide)
                continue
            before, head = head, _head_of(about.path)
            if head not in ("", before):
                rows.append(_Row(None, (Cell(f"  {HEADS[head]}", "head"),)))
            rows += self._rows_of(about, wide)
        self._rows = rows
        self.virtual_size = Size(wide, len(rows))

    def _rows_of_fix(self, fix: Fix, wide: int) -> list[_Row]:
        marks = ["> ! " if fix == self.current else "  ! ", "    "]
        parts = table.wrap(f"{fix.text}  Enter goes there", max(8, wide - 4))
        return [
            _Row(fix, (Cell(marks[min(n, 1)], "bad"), Cell(part.lstrip())))
            for n, part in enumerate(parts)
        ]

    def _rows_of(self, one: Entry, wide: int) -> list[_Row]:
        """Return the field's own line, and under it what is wrong, what may be chosen, what is not saved."""
        under = []
        for note in one.notes:
            tone = "warn" if note.code == "warning" else "bad"
            under.append((f"! {_told(note.path[len(one.path) :], note.message)}", tone))
        if one.path == "spec.source.kind":
            under += [(f"{word:<12} {SOURCE_GUIDE[word]}", "dim") for word in one.words]
        if self.sheet.is_switch(one) and (dropped := self.sheet.dropped(one)):
            under.append((f"kept here until Save, not saved: {', '.join(dropped)}", "warn"))
        parts = [
            (part, tone) for text, tone in under for part in table.wrap(text, max(8, wide - 4))
        ]
        return [_Row(one, None), *(_Row(one, (Cell(f"    {t}", tone),)) for t, tone in parts)]

    def _into_sight(self) -> None:
        mine = [y for y, row in enumerate(self._rows) if row.about == self.current]
        if not mine or not self.size.height:
            return
        top, tall = self.scroll_offset.y, self.size.height
        first, last = mine[0], mine[-1]
        if self._place == 0:
            first = 0
        if last >= top + tall:
            top = last - tall + 1
        top = min(top, first)
        self.scroll_to(y=top, animate=False, immediate=True)

    def on_resize(self) -> None:
        """Fold for the new width."""
        self.redraw()

    def on_focus(self) -> None:
        """Show the cursor."""
        self.refresh()

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.refresh()

    @property
    def text(self) -> str:
        """Everything that is drawn, whether in sight or not; for tests."""
        self._fold()
        wide = self.scrollable_size.width or 80
        drawn = [
            row.cells if row.cells is not None else self._field(row.about, wide)
            for row in self._rows
        ]
        return "\n".join("".join(cell.text for cell in cells).rstrip() for cells in drawn)

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        self._fold()
        place, wide = y + self.scroll_offset.y, self.scrollable_size.width
        row = self._rows[place] if place < len(self._rows) else _Row(None, ())
        cells = row.cells if row.cells is not None else self._field(row.about, wide)
        return ink.of(self).strip(cells, wide)

    def _field(self, one: Entry | Fix | None, wide: int) -> Line:
        if not isinstance(one, Entry):
            return ()
        is_here = one is self.current
        indent = "  " if _head_of(one.path) else ""
        room = min(LABEL, max(6, wide * 2 // 5))
        label = table.cut(f"{indent}{one.label}", room - 3).ljust(room - 2)
        cells = [Cell("> " if is_here else "  ", "key"), Cell(label, "head" if is_here else "")]
        mark = _mark(one.mark, wide)
        left = max(4, wide - room - len(mark) - 1)
        value = self._value(one, left, is_here=is_here and self.has_focus)
        taken = sum(table.width(cell.text) for cell in value)
        return (*cells, *value, Cell(" " * (left - taken + 1)), Cell(mark, "dim"))

    def _value(self, one: Entry, room: int, *, is_here: bool) -> list[Cell]:
        if one.is_choice or one.locked:
            text = table.cut(inert.line(one.text) or "-", room - 4)
            if one.locked:
                return [Cell(text)]
            return [Cell(f"< {text} >", "match" if is_here else "")]
        if one.shape == "block":
            return [
                Cell(
                    table.cut(_first_line(one.text), room),
                    "match" if is_here else "" if one.text else "dim",
                )
            ]
        if is_here:
            return [Cell("[", "dim"), *self._line.cells(one.text, room - 2), Cell("]", "dim")]
        shown = inert.line(one.text)
        hint = f"left out: {one.default}" if one.default and not shown else ""
        text = table.cut(shown or hint, room - 2)
        return [
            Cell("[", "dim"),
            Cell(text, "dim" if hint else ""),
            Cell(" " * (room - 2 - table.width(text))),
            Cell("]", "dim"),
        ]

    # --- keys

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Letters are typed here; they call no act."""
        return character is not None and character.isprintable()

    def on_key(self, event: events.Key) -> None:
        """Move between fields, edit the one of the cursor, or open what it stands for."""
        about = self.current
        if event.key in _STEPS:
            self.step(_STEPS[event.key])
        elif event.key == "enter":
            self._enter(about)
        elif isinstance(about, Entry) and self._edit(about, event):
            pass
        elif event.is_printable:
            if isinstance(about, Entry) and not about.locked:
                self.post_message(self.Entered(about, (event.character or "").strip()))
        else:
            return
        event.stop()
        event.prevent_default()

    def _enter(self, about: Entry | Fix) -> None:
        if isinstance(about, Fix) or about.is_choice or about.shape == "block" or about.named:
            if not (isinstance(about, Entry) and about.locked):
                self.post_message(self.Entered(about))
        else:
            self.step(1)

    def _edit(self, one: Entry, event: events.Key) -> bool:
        """Do what the key does to a field's text; False if it does nothing there."""
        if one.locked or one.shape == "block":
            return False
        if one.is_choice:
            return self._turn(one, event.key)
        text = self._line.press(
            one.text, event.key, event.character if event.is_printable else None
        )
        if text is None:
            return False
        self.put(one, text)
        return True

    def _turn(self, one: Entry, key: str) -> bool:
        if (
            key in ("backspace", "delete", "ctrl+u")
            and one.shape != "switch"
            and not self.sheet.is_switch(one)
        ):
            self.put(one, "")
            return True
        if key not in ("left", "right") or not one.words:
            return False
        by = 1 if key == "right" else -1
        place = one.words.index(one.text) if one.text in one.words else (-1 if by > 0 else 0)
        self.put(one, one.words[(place + by) % len(one.words)])
        return True

    def put(self, one: Entry, text: str) -> None:
        """Put a text into a field and tell of it."""
        is_other = text != one.text
        one.text = text
        self.redraw()
        if is_other:
            self.post_message(self.Edited())

    def on_paste(self, event: events.Paste) -> None:
        """Take what is pasted into the field of the cursor; a line end at its end is not part of it."""
        event.stop()
        one = self.current
        if not isinstance(one, Entry) or one.locked or one.is_choice:
            return
        if one.shape == "block":
            if one.text:
                self.post_message(self.Entered(one))
            else:
                self.put(one, event.text)
            return
        self.put(
            one, self._line.insert(one.text, event.text.removesuffix("\n").removesuffix("\r"))
        )

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where was clicked; a second click opens it."""
        place = event.y + self.scroll_offset.y
        about = self._rows[place].about if place < len(self._rows) else None
        if about is None:
            return
        if about == self.current:
            self._enter(about)
        else:
            self.go_to(about)


def _told(path: str, message: str) -> str:
    rest = path.strip(".")
    return inert.line(f"{rest}: {message}" if rest else message)


def _head_of(path: str) -> str:
    return next((head for head in HEADS if path.startswith(f"{head}.")), "")


def _mark(mark: str, wide: int) -> str:
    if not mark or wide < TIGHT:
        return ""
    return f"{MARKS[mark]:<21}" if wide >= ROOMY else f"{mark:<10}"


def _first_line(text: str) -> str:
    if not text:
        return "(empty; Enter opens it)"
    lines = text.count("\n") + (not text.endswith("\n"))
    first = next((line for line in text.split("\n") if line.strip()), "")
    return f"({lines} lines) {inert.line(first[:300])}" if lines != 1 else inert.line(first[:300])
