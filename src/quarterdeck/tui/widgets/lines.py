"""Lines of cells to scroll through: pages of facts, diffs, help. Lists of rows are `rows`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.geometry import Size
from textual.scroll_view import ScrollView

from quarterdeck.present.table import Cell, width, wrap
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
    """Return a line in as many as its width needs, broken at blanks, the rest indented."""
    total = sum(width(cell.text) for cell in line)
    if total <= wide or wide < 8:  # noqa: PLR2004  # there is no sense in folding into less
        return [line]
    tones: list[str] = []
    for cell in line:
        tones += [cell.tone] * len(cell.text)
    text = "".join(cell.text for cell in line)
    parts = [piece for part in wrap(text, wide) for piece in _hard(part, wide)]
    found, at = [], 0
    for part in parts:
        bare = part.lstrip()
        begin = text.find(bare[:8], at) if bare else at
        begin = at if begin < 0 else begin
        indent = part[: len(part) - len(bare)]
        cells = [Cell(indent, tones[min(begin, len(tones) - 1)])]
        for offset, letter in enumerate(bare):
            tone = tones[min(begin + offset, len(tones) - 1)]
            if cells and cells[-1].tone == tone:
                cells[-1] = Cell(cells[-1].text + letter, tone)
            else:
                cells.append(Cell(letter, tone))
        at = begin + len(bare)
        found.append(tuple(cells))
    return found


def _hard(part: str, wide: int) -> list[str]:
    """Return a part without blanks to break at, cut where the room ends."""
    if width(part) <= wide:
        return [part]
    found, line, taken = [], "", 0
    for letter in part:
        size = width(letter)
        if taken + size > wide:
            found.append(line)
            line, taken = "", 0
        line += letter
        taken += size
    return [*found, line]
