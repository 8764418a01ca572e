"""An editor for code: any text byte for byte, what is visible highlighted, problems at their place, find.

What it holds is `code_text`; when it is saved, and where to, is the page's.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.document._document_navigator import DocumentNavigator
from textual.message import Message
from textual.strip import Strip
from textual.widgets import TextArea
from textual.widgets.text_area import Selection

from quarterdeck.present import inert
from quarterdeck.tui.widgets import code_text, ink
from quarterdeck.tui.widgets.code_text import CodeText, Unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual import events
    from textual.document._document import EditResult, Location
    from textual.geometry import Region
    from textual.timer import Timer

MARGIN: Final = 4  # rows above and below what is visible that are highlighted as well
PARSED_S: Final = 0.15  # after an edit its highlighting may be behind
NEAR: Final = 4_000  # so far away a matching bracket is looked for
TONES: Final = {
    "keyword": "key", "include": "key", "conditional": "key", "repeat": "key", "exception": "key",
    "storageclass": "key", "attribute": "key", "string": "good", "number": "wait", "float": "wait",
    "boolean": "wait", "constant": "wait", "comment": "dim", "function": "busy", "method": "busy",
    "parameter": "warn",
}  # fmt: skip
"""The tone of what a grammar names, by the first part of its name."""
_UNDER, _REVERSED, _CURSOR = 1, 2, 4


class CodeEditor(TextArea):
    """A text area for code.

    `hold` gives it a text; `exact` is False and `why` says why if no editor could hold it: it is shown read-only
    then, and `text` is as it was given. Rows and columns of problems and `go_to` are counted from one, as they
    are shown. It hears of changes who hears `TextArea.Changed`; `Noticed` is what the user should read.
    """

    DEFAULT_CSS = """
    CodeEditor { border: none; padding: 0; background: $background; color: $foreground; }
    CodeEditor:focus { border: none; }
    """

    BINDINGS = [  # noqa: RUF012  # as Textual's
        Binding("ctrl+home", "to_end(-1)", show=False),
        Binding("ctrl+end", "to_end(1)", show=False),
    ]

    class Noticed(Message):
        """A fact about the text that whoever types should read."""

        def __init__(self, text: str, tone: str = "") -> None:
            super().__init__()
            self.text = text
            self.tone = tone

    def __init__(
        self, text: str = "", *, language: str | None = None, locked: str = "", id: str | None = None
    ) -> None:  # fmt: skip
        self._given: str | None = None
        self._locked = ""
        self._spans: dict[int, list[tuple[int, int, str]]] = {}
        self._window = (0, 0)
        self._problems: frozenset[int] = frozenset()
        self._needle = ""
        self._parsing: Timer | None = None
        self._styles: dict[tuple[str, int], Style] = {}
        self._paint: object = None
        super().__init__(soft_wrap=False, tab_behavior="indent", show_line_numbers=True, id=id)
        self.cursor_blink = False
        self.hold(text, language=language, locked=locked)

    # --- what it holds

    def hold(self, text: str, *, language: str | None = None, locked: str = "") -> None:
        """Show a text, with the cursor at its begin and nothing to undo; `locked` says why it is read-only."""
        why = code_text.why_not(text)
        self._given = text if why else None
        self._locked = locked
        self.why = why
        self._problems = frozenset()
        self.set_reactive(TextArea.language, None if why else language)
        self.history.clear()
        self._set_document(text, self.language)
        self.read_only = bool(why or locked)
        self.post_message(self.Changed(self))

    def replace_all(self, text: str) -> None:
        """Put another text in the place of the whole, as one step to undo."""
        if code_text.why_not(text) or code_text.line_end(text) != self.code.newline:
            self.hold(text, language=self.language, locked=self._locked)
        elif text != self.text:
            place = self.cursor_location
            self.replace(text, (0, 0), self.code.end)
            self.move_cursor(self.clamp_visitable(place))

    @property
    def code(self) -> CodeText:
        """The text as a document."""
        assert isinstance(self.document, CodeText)  # noqa: S101  # _set_document makes no other
        return self.document

    @property
    def text(self) -> str:
        """The text, byte for byte what was given but for what was typed."""
        return self.document.text if self._given is None else self._given

    @text.setter
    def text(self, value: str) -> None:
        self.hold(value, language=self.language, locked=self._locked)

    @property
    def exact(self) -> bool:
        """Whether what is shown can be saved; if not, `why`."""
        return self._given is None

    @property
    def notice(self) -> str:
        """What is to be known of the text as a whole; empty for nothing."""
        if self.why:
            return f"read-only: {self.why}"
        return self._locked or self.code.unhighlighted

    def _set_document(self, text: str, language: str | None) -> None:
        self.document = CodeText(text, language)
        self.wrapped_document = Unwrapped(self.document)
        self.navigator = DocumentNavigator(self.wrapped_document)
        self._build_highlight_map()
        self.move_cursor((0, 0))
        self._rewrap_and_refresh_virtual_size()

    # --- typing

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "escape":  # TextArea would take it to mean the next widget
            event.prevent_default()

    async def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        self.put(event.text)

    def action_to_end(self, way: int) -> None:
        """To the first (-1) or the last (1) place of the text."""
        self.move_cursor(self.document.end if way > 0 else (0, 0))

    def action_paste(self) -> None:
        """Put the clipboard at the cursor."""
        self.put(self.app.clipboard)

    def put(self, text: str) -> None:
        """Put a text in the place of what is selected, as one step to undo, with the line ends of this text."""
        if self.read_only:
            self.post_message(self.Noticed(self.notice, "bad"))
            return
        self.history.checkpoint()
        result = self._replace_via_keyboard(text, *self.selection)
        if result is not None:
            self.move_cursor(result.end_location)
            if self.code.own_line_ends(text) != text:
                name = {"\n": "LF", "\r\n": "CR LF", "\r": "CR"}[self.code.newline]
                self.post_message(self.Noticed(f"pasted with this text's own line ends ({name})"))

    def _replace_via_keyboard(
        self, insert: str, start: Location, end: Location
    ) -> EditResult | None:
        if why := code_text.why_not(insert):
            self.post_message(self.Noticed(f"not pasted: {why}", "bad"))
            return None
        return super()._replace_via_keyboard(self.code.own_line_ends(insert), start, end)

    def get_column_width(self, row: int, column: int) -> int:
        """Return the cell at which a column begins."""
        return self.code.cell_of(row, column)

    def cell_width_to_column_index(self, cell_width: int, row_index: int) -> int:
        """Return the column at a cell of a row."""
        return self.code.column_at(row_index, cell_width)

    def _yield_character_locations(self, start: Location) -> Iterable[tuple[str, Location]]:
        return islice(super()._yield_character_locations(start), NEAR)

    def _yield_character_locations_reverse(
        self, start: Location
    ) -> Iterable[tuple[str, Location]]:
        return islice(super()._yield_character_locations_reverse(start), NEAR)

    # --- problems, places, find

    def set_problems(self, lines: Iterable[int]) -> None:
        """Underline the lines of problems; the words are the strip's."""
        found = frozenset(line - 1 for line in lines)
        if found != self._problems:
            self._problems = found
            self.refresh()

    def go_to(self, line: int, column: int = 1) -> None:
        """Move the cursor to a place, or to the nearest there is."""
        self.move_cursor(self.clamp_visitable((line - 1, column - 1)), center=True)

    @property
    def place(self) -> tuple[int, int]:
        """Line and column of the cursor."""
        row, column = self.cursor_location
        return row + 1, column + 1

    @property
    def place_text(self) -> str:
        """Line and column of the cursor in words, and which character stands there if it is not shown."""
        row, column = self.cursor_location
        raw = self.code.raw_line(row)[column : column + 1]
        more = f" U+{ord(raw):04X}" if raw and inert.masked(raw) != raw else ""
        return f"{row + 1}:{column + 1}{more}"

    def find_all(self, needle: str) -> list[Selection]:
        """Return where a text stands, in order; capitals count only if it has some. What is found is marked."""
        self._needle = needle
        self.refresh()
        if not needle:
            return []
        return [found for row in range(self.code.line_count) for found in self._found_in(row)]

    def _found_in(self, row: int) -> list[Selection]:
        line, needle = self.code[row], self._needle
        folded = line.lower() if needle == needle.lower() else line
        where = folded if len(folded) == len(line) else line  # a small form may be longer
        found, at = [], where.find(needle)
        while at >= 0:
            found.append(Selection((row, at), (row, at + len(needle))))
            at = where.find(needle, at + len(needle))
        return found

    # --- drawing

    def _build_highlight_map(self) -> None:
        """Let go of what is highlighted: it is asked for again when it is drawn, once for many edits."""
        self._window = 0, 0
        if self.code.is_behind and self._parsing is None:
            self._parsing = self.set_timer(PARSED_S, self._parse)

    def _highlight(self) -> None:
        """Ask the syntax tree about what is visible and a margin around it, unless that is known."""
        above, below = self.scroll_offset.y, self.scroll_offset.y + self.size.height
        if self._window[0] <= above and below <= self._window[1]:
            return
        code = self.code
        self._window = top, bottom = max(0, above - MARGIN), below + MARGIN
        self._spans = spans = dict[int, list[tuple[int, int, str]]]()
        for name, nodes in code.captures(top, bottom).items():
            tone = TONES.get(name.partition(".")[0], "")
            for node in nodes:
                (first, left), (last, right) = node.start_point, node.end_point
                for row in range(max(first, top), min(last, bottom, code.line_count - 1) + 1):
                    start = code.column_of(row, left) if row == first else 0
                    end = code.column_of(row, right) if row == last else len(code[row])
                    spans.setdefault(row, []).append((start, end, tone))

    def _parse(self) -> None:
        """Parse once a pause in the typing allows for it, and draw what is highlighted otherwise now."""
        self._parsing = None
        self.code.parse()
        self._build_highlight_map()
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw the rows that are asked for, with the ink of the theme in force."""
        paint = ink.of(self)
        if paint is not self._paint:
            self._paint, self._styles = paint, {}
            self._line_cache.clear()
        self._highlight()
        return super(TextArea, self).render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Draw one row; a row that looks as it did is not drawn anew."""
        row, wide = y + self.scroll_offset.y, self.size.width
        if row >= self.code.line_count:
            return Strip([Segment(" " * wide, self._style("", 0))], wide)
        end, bracket = self.selection.end, self._matching_bracket_location
        look = _Look(
            raw=self.code.raw_line(row),
            row=row,
            wide=wide,
            gutter=self.gutter_width,
            skip=self.scroll_offset.x,
            is_here=row == end[0],
            cursor=end[1] if row == end[0] and self._draw_cursor else -1,
            selected=self._selected(row),
            bracket=bracket[1] if bracket and bracket[0] == row else -1,
            spans=tuple(self._spans.get(row, ())),
            has_problem=row in self._problems,
            needle=self._needle,
        )
        known = self._line_cache.get(look)
        if known is None:
            known = self._line_cache[look] = self._draw(look)
        return known

    def _selected(self, row: int) -> tuple[int, int]:
        """Return the columns of a row that are selected; the end of a line counts as a column."""
        (top, left), (bottom, right) = sorted(self.selection)
        if self.selection.is_empty or not top <= row <= bottom:
            return 0, 0
        return (left if row == top else 0), (right if row == bottom else len(self.code[row]) + 1)

    def _draw(self, look: _Look) -> Strip:
        line, room = self.code[look.row], look.wide - look.gutter
        first = self.code.column_at(look.row, look.skip)
        last = min(len(line) + 1, first + room + 1)
        tones, marks = self._marked(look, line, first, last)
        number = f"{look.row + 1:>{look.gutter - 2}}{'!' if look.has_problem else ' '} "
        segments = [Segment(number, self._style("head" if look.is_here else "dim", 0))]
        at = self.code.cell_of(look.row, first) - look.skip
        text, style = "", self._style("", 0)
        for column in range(first, last):
            one = line[column] if column < len(line) else " "
            taken = code_text.cell(one, at + look.skip)
            if at + taken > room:
                break
            wanted = self._style(tones[column - first], marks[column - first])
            if wanted is not style:
                segments.append(Segment(text, style))
                text, style = "", wanted
            text += " " * min(taken, at + taken) if one == "\t" or at < 0 else one
            at += taken
        segments.append(Segment(text, style))
        segments.append(Segment(" " * (room - at), self._style("", 0)))
        return Strip([one for one in segments if one.text], look.wide)

    def _marked(
        self, look: _Look, line: str, first: int, last: int
    ) -> tuple[list[str], list[int]]:
        """Return tone and marks of each column from `first` up to `last`."""
        tones, marks = [""] * (last - first), [0] * (last - first)
        for start, end, tone in look.spans:
            for column in range(max(start, first), min(end, last)):
                tones[column - first] = tone
        under = [(len(line) - len(line.lstrip()), len(line))] if look.has_problem else []
        if look.needle:
            under += [(found.start[1], found.end[1]) for found in self._found_in(look.row)]
        if look.bracket >= 0:
            under += [(look.bracket, look.bracket + 1)]
            under += [(look.cursor, look.cursor + 1)]
        if line is not look.raw:
            pairs = zip(line[first:last], look.raw[first:last], strict=True)
            hidden = [first + n for n, (one, raw) in enumerate(pairs) if one != raw]
        else:
            hidden = []
        layers = (
            (_UNDER, under),
            (_REVERSED, [*((n, n + 1) for n in hidden), look.selected]),
            (_CURSOR, [(look.cursor, look.cursor + 1)]),
        )
        for mark, ranges in layers:
            for start, end in ranges:
                for column in range(max(start, first), min(end, last)):
                    marks[column - first] |= mark
        return tones, marks

    def _style(self, tone: str, marks: int) -> Style:
        known = self._styles.get((tone, marks))
        if known is None:
            known = ink.of(self).style(tone, ink.CARET if marks & _CURSOR else "background")
            if marks & _UNDER:
                known += Style(underline=True)
            if marks & _REVERSED and not marks & _CURSOR:
                known += Style(reverse=True)
            self._styles[tone, marks] = known
        return known


class _Look(NamedTuple):
    """All that a row looks like: the same look is the same strip."""

    raw: str
    row: int
    wide: int
    gutter: int
    skip: int
    is_here: bool
    cursor: int
    selected: tuple[int, int]
    bracket: int
    spans: tuple[tuple[int, int, str], ...]
    has_problem: bool
    needle: str
