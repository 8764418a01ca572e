"""The text of an editor, held byte for byte, with its width in cells and its syntax tree. Drawing: `editor`.

A line ends where the text's own line end stands, and nowhere else: VT, NEL, a stray CR and U+2028 are characters
of a line. What a line is drawn from has a mark in the place of each character that could steer a terminal.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

import textual
from textual.document._document import Document, EditResult  # the seam that TextArea offers
from textual.document._wrapped_document import WrappedDocument
from textual.geometry import Offset, Size

from quarterdeck.present import inert, table

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query

    Location = tuple[int, int]

TAB: Final = 4
HIGHLIGHTED_BYTES: Final = 512 * 1024
HIGHLIGHTED_LINE: Final = 20_000  # characters
SLOW_S: Final = 0.05
PATIENCE: Final = 3  # so many slow parses in a row, and the highlighting is given up
GRAMMARS: Final = ("sql", "python")


@cache
def grammar(name: str) -> tuple[Language, Query]:
    """Return the grammar and what is highlighted in it; slow at first: call it on a thread before it is needed."""
    from importlib import import_module

    from tree_sitter import Language, Query

    language = Language(import_module(f"tree_sitter_{name}").language())
    path = Path(textual.__file__).parent / "tree-sitter" / "highlights" / f"{name}.scm"
    return language, Query(language, path.read_text())


def why_not(text: str) -> str:
    """Return why no editor can hold the text as it is; empty when one can."""
    if "\0" in text:
        return "it holds a NUL character"
    if not text.isascii() and any("\ud800" <= one <= "\udfff" for one in text):
        return "it holds half of a surrogate pair, which no file can hold"
    return ""


def line_end(text: str) -> str:
    """Return the line end that all lines of the text have; LF if they differ, or if there is none."""
    pairs = text.count("\r\n")
    if pairs and pairs == text.count("\n") == text.count("\r"):
        return "\r\n"
    return "\r" if "\r" in text and "\n" not in text else "\n"


@cache
def wide(one: str) -> int:
    """Return how many cells a character takes; a tab is `cells`'."""
    return 1 if one < "\x7f" else table.width(one)


def cells(shown: str) -> int:
    """Return how many cells a drawn line takes, tabs included."""
    if "\t" not in shown:
        return len(shown) if shown.isascii() else sum(map(wide, shown))
    at = 0
    for place, part in enumerate(shown.split("\t")):
        at += (TAB - at % TAB if place else 0) + sum(map(wide, part))
    return at


def cell(one: str, at: int) -> int:
    """Return how many cells a character takes that begins at cell `at`."""
    return TAB - at % TAB if one == "\t" else wide(one)


class CodeText(Document):
    """Lines; `lines`, `get_line` and `[row]` are as drawn, character by character, `text` is as it is."""

    def __init__(self, text: str, language: str | None = None) -> None:
        self._newline = line_end(text)  # type: ignore[assignment]  # one of the three
        self._lines = text.split(self._newline)
        self._shown = [inert.masked(line) for line in self._lines]
        self._widths = [cells(line) for line in self._shown]
        self._text: str | None = text
        self.unhighlighted = ""
        self._slow = 0
        self.is_behind = False  # the tree has not seen the last edits
        self._tree: Any = None
        if language in GRAMMARS:
            self._begin(str(language))

    # --- as it is

    @property
    def text(self) -> str:
        """The whole text."""
        if self._text is None:
            self._text = self._newline.join(self._lines)
        return self._text

    def get_text_range(self, start: Location, end: Location) -> str:
        """Return the text between two places."""
        (top, left), (bottom, right) = sorted((start, end))
        if top == bottom:
            return self._lines[top][left:right] if top < len(self._lines) else ""
        last = [self._lines[bottom][:right]] if bottom < len(self._lines) else []
        return self._newline.join([self._lines[top][left:], *self._lines[top + 1 : bottom], *last])

    def raw_line(self, row: int) -> str:
        """Return a line as it is."""
        return self._lines[row]

    def own_line_ends(self, text: str) -> str:
        """Return the text with the line ends of this one."""
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", self._newline)

    def replace_range(self, start: Location, end: Location, text: str) -> EditResult:
        """Put `text` in the place of what stands between two places."""
        (top, left), (bottom, right) = sorted((start, end))
        replaced = self.get_text_range(start, end)
        before = self._lines[top][:left] if top < len(self._lines) else ""
        after = self._lines[bottom][right:] if bottom < len(self._lines) else ""
        put = text.split(self._newline)
        column = len(put[-1]) + (len(before) if len(put) == 1 else 0)
        put[0] = before + put[0]
        put[-1] += after
        old = self._points((top, left), (bottom, right)) if self._tree else None
        self._lines[top : bottom + 1] = put
        self._shown[top : bottom + 1] = shown = [inert.masked(line) for line in put]
        self._widths[top : bottom + 1] = [cells(line) for line in shown]
        self._text = None
        result = EditResult((top + len(put) - 1, column), replaced)
        if old:
            self._tell_tree(*old, text, result.end_location)
        return result

    # --- as drawn

    @property
    def lines(self) -> list[str]:
        """The lines as drawn."""
        return self._shown

    @overload
    def __getitem__(self, line_index: int) -> str: ...
    @overload
    def __getitem__(self, line_index: slice) -> list[str]: ...
    def __getitem__(self, line_index: int | slice) -> str | list[str]:
        """Return a line, or lines, as drawn."""
        return self._shown[line_index]

    def get_size(self, indent_width: int) -> Size:
        """Return the widest line's cells and how many lines there are."""
        return Size(max(self._widths), len(self._lines))

    def cell_of(self, row: int, column: int) -> int:
        """Return the cell at which a column begins."""
        return cells(self._shown[row][:column])

    def column_at(self, row: int, wanted: int) -> int:
        """Return the column whose character covers a cell, at most the line's end."""
        line = self._shown[row]
        if line.isascii() and "\t" not in line:
            return min(wanted, len(line))
        at = 0
        for column, one in enumerate(line):
            at += cell(one, at)
            if at > wanted:
                return column
        return len(line)

    # --- syntax

    def _begin(self, language: str) -> None:
        size = len(self.text.encode(errors="replace"))
        if size > HIGHLIGHTED_BYTES:
            self.unhighlighted = f"no highlighting: {size // 1024} KiB, above 512"
        elif max(map(len, self._lines)) > HIGHLIGHTED_LINE:
            self.unhighlighted = f"no highlighting: a line above {HIGHLIGHTED_LINE:,} characters"
        elif self._newline == "\r" or why_not(self.text):
            self.unhighlighted = "no highlighting: its line ends are bare CR"
        else:
            from tree_sitter import Parser

            known, self._query = grammar(language)
            self._parser = Parser(known)
            self._tree = self._parser.parse(self.text.encode())

    def _points(self, start: Location, end: Location) -> tuple[int, int, Location, Location]:
        """Return where an edit begins and what it takes away: in bytes, and in rows and bytes."""
        (top, left), (bottom, right) = start, end
        gap = len(self._newline)
        above = sum(len(line.encode()) for line in self._lines[:top]) + gap * top
        first = above + len(self._lines[top][:left].encode())
        taken = len(self.get_text_range(start, end).encode())
        edge = self._lines[bottom][:right] if bottom < len(self._lines) else ""
        return (
            first, first + taken, (top, first - above), (bottom, len(edge.encode())),
        )  # fmt: skip

    def _tell_tree(
        self, first: int, old_end: int, start: Location, old_point: Location, text: str, to: Location
    ) -> None:  # fmt: skip
        row, column = to
        self._tree.edit(
            start_byte=first, old_end_byte=old_end, new_end_byte=first + len(text.encode()),
            start_point=start, old_end_point=old_point,
            new_end_point=(row, len(self._lines[row][:column].encode())),
        )  # fmt: skip
        self.is_behind = True
        if len(self._lines[row]) > HIGHLIGHTED_LINE:
            self._give_up()

    def parse(self) -> None:
        """Bring the syntax tree up to date; until then it is the old one with its places moved along."""
        if self._tree is None or not self.is_behind:
            return
        begun = time.monotonic()
        self._tree = self._parser.parse(self.text.encode(), self._tree)
        self.is_behind = False
        self._slow = self._slow + 1 if time.monotonic() - begun > SLOW_S else 0
        if self._slow >= PATIENCE:
            self._give_up()

    def _give_up(self) -> None:
        self._tree = None
        self.is_behind = False
        self.unhighlighted = "no highlighting: it would slow down typing here"

    def captures(self, top: int, bottom: int) -> dict[str, list[Node]]:
        """Return what is to be highlighted in some rows, by the names of the grammar."""
        if self._tree is None:
            return {}
        from tree_sitter import QueryCursor

        cursor = QueryCursor(self._query)
        cursor.set_point_range((top, 0), (bottom, 0))
        return cursor.captures(self._tree.root_node)

    def column_of(self, row: int, at: int) -> int:
        """Return the column of a byte of a line."""
        line = self._lines[row]
        return at if line.isascii() else len(line.encode()[:at].decode(errors="ignore"))


class Unwrapped(WrappedDocument):
    """A text none of whose lines is wrapped: nothing to count, nothing to keep."""

    document: CodeText

    def wrap(self, width: int, tab_width: int | None = None) -> None:
        """Do nothing."""
        self._width = 0

    def wrap_range(self, start: Location, old_end: Location, new_end: Location) -> None:
        """Do nothing."""

    @property
    def height(self) -> int:
        """How many lines there are."""
        return self.document.line_count

    def location_to_offset(self, location: Location) -> Offset:
        """Return cell and row of a place; what lies outside counts as the nearest place inside."""
        row = max(0, min(location[0], self.document.line_count - 1))
        return Offset(self.document.cell_of(row, location[1]), row)

    def offset_to_location(self, offset: Offset) -> Location:
        """Return the place at a cell and row."""
        row = max(0, min(offset.y, self.document.line_count - 1))
        return row, self.document.column_at(row, max(0, offset.x))

    def get_target_document_column(self, line_index: int, x_offset: int, y_offset: int) -> int:
        """Return the column at a cell of a line."""
        return self.document.column_at(line_index, x_offset)

    def get_sections(self, line_index: int) -> list[str]:
        """Return the line, whole."""
        return [self.document[line_index]]

    def get_offsets(self, line_index: int) -> list[int]:
        """Return no place to wrap at."""
        return []
