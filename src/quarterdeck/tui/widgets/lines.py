"""Lines of cells to scroll through: pages of facts, diffs, help. Lists of rows are `rows`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.geometry import Size
from textual.scroll_view import ScrollView

from quarterdeck.present.table import Cell, hanging, spans, width
from quarterdeck.tui.widgets import ink
from quarterdeck.tui.widgets.steps import stepped

if TYPE_CHECKING:
    from textual.strip import Strip

    from quarterdeck.present.table import Line


class LinesView(ScrollView, can_focus=False, inherit_bindings=False):
    """Lines from `present`, wrapped at blanks to the room there is; `move` scrolls."""

    DEFAULT_CSS = """
    LinesView { height: 1fr; width: 1fr; scrollbar-size-horizontal: 0; scrollbar-size-vertical: 1; }
    """

    def __init__(
        self, lines: Sequence[Line] = (), *, id: str | None = None, wraps: bool = True
    ) -> None:
        super().__init__(id=id)
        self._lines = list(lines)
        self._wraps = wraps
        self._shown: list[Line] = []
        self._for = (-1, -1)
        self._version = 0

    def show(self, lines: Sequence[Line]) -> None:
        """Draw these lines; where one has scrolled to stays."""
        wanted = list(lines)
        if wanted == self._lines:
            return
        grows = len(wanted) != len(self._lines)
        self._lines = wanted
        self._version += 1
        self._fold(self.scrollable_size.width or self.app.size.width)
        self.refresh(
            layout=grows and self.styles.height is not None and self.styles.is_auto_height
        )

    @property
    def text(self) -> str:
        """All of it, without tones."""
        return "\n".join("".join(cell.text for cell in line) for line in self._lines)

    @property
    def lines(self) -> list[Line]:
        """The lines as given."""
        return self._lines

    def _fold(self, wide: int) -> None:
        if self._for == (wide, self._version):
            return
        self._for = (wide, self._version)
        self._shown = (
            [part for line in self._lines for part in folded(line, wide)]
            if self._wraps
            else self._lines
        )
        self.virtual_size = Size(wide, len(self._shown))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # Textual's
        """Return how many lines there are at this width."""
        self._fold(width)
        return len(self._shown)

    def on_resize(self) -> None:
        """Fold the lines anew."""
        self._fold(self.scrollable_size.width)
        self.refresh()

    def move(self, by: int) -> None:
        """Scroll by so many lines."""
        self.scroll_to(y=self.scroll_offset.y + by, animate=False, immediate=True)

    def step(self, name: str) -> None:
        """Scroll by one step."""
        self.go_to(stepped(name, self.scroll_offset.y, len(self._shown), self.page))

    def go_to(self, y: int) -> None:
        """Scroll to a line."""
        self.scroll_to(y=y, animate=False, immediate=True)

    @property
    def page(self) -> int:
        """How many lines are in sight."""
        return max(1, self.size.height)

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        self._fold(self.scrollable_size.width)
        place = y + self.scroll_offset.y
        line = self._shown[place] if place < len(self._shown) else ()
        return ink.of(self).strip(line, self.scrollable_size.width)


def folded(line: Line, wide: int) -> list[Line]:
    """Return a line in as many as its width needs, broken at blanks where there are any, the rest indented."""
    if sum(width(cell.text) for cell in line) <= wide or wide < 8:  # noqa: PLR2004  # there is no sense in less
        return [line]
    text = "".join(cell.text for cell in line)
    deep = hanging(text, wide)
    found = [_piece(line, *span) for span in spans(text, wide, deep, cuts_words=True)]
    indent = " " * deep
    return [found[0], *((Cell(indent, one[0].tone), *one) for one in found[1:])]


def _piece(line: Line, begin: int, end: int) -> Line:
    """Return the cells between two places of a line's text."""
    cells, at = [], 0
    for cell in line:
        part = cell.text[max(0, begin - at) : max(0, end - at)]
        if part:
            cells.append(Cell(part, cell.tone))
        at += len(cell.text)
    return tuple(cells)
