"""The frame's lines: header, breadcrumb, tabs, status and footer are each one line of cells, drawn by `ink`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from quarterdeck.present.table import Cell, cut, width
from quarterdeck.tui.widgets import ink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.geometry import Region


class LineBox(Widget):
    """Lines of cells at the left, and cells at the right end of the first; as high as there are lines."""

    DEFAULT_CSS = "LineBox { height: auto; width: 100%; }"

    def __init__(
        self, *, id: str | None = None, classes: str | None = None, ground: str = "background"
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._ground = ground  # a colour of the theme
        self._lines: list[tuple[Cell, ...]] = [()]
        self._right: tuple[Cell, ...] = ()

    def show(self, *lines: Sequence[Cell], right: Sequence[Cell] = ()) -> None:
        """Draw these lines; nothing is sent when they are as before."""
        wanted, end = [tuple(line) for line in lines] or [()], tuple(right)
        if (wanted, end) == (self._lines, self._right):
            return
        grows = len(wanted) != len(self._lines)
        self._lines, self._right = wanted, end
        self.refresh(layout=grows)

    @property
    def text(self) -> str:
        """What is shown, without tones."""
        shown = ["".join(cell.text for cell in line) for line in self._lines]
        right = "".join(cell.text for cell in self._right)
        return "\n".join(shown) + (f"  {right}" if right else "")

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # Textual's
        """Return how many lines there are."""
        return len(self._lines)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw the lines that are asked for."""
        paint, wide = ink.of(self), self.size.width
        strips = [self._strip(paint, y, wide) for y in range(crop.y, crop.bottom)]
        return [strip.crop(crop.x, crop.right) for strip in strips]

    def _strip(self, paint: ink.Ink, y: int, wide: int) -> Strip:
        line = self._lines[y] if y < len(self._lines) else ()
        right = self._right if y == 0 else ()
        taken = sum(width(cell.text) for cell in right)
        if not right or taken >= wide:
            return paint.strip(_shortened(line, wide), wide, self._ground)
        left = paint.strip(_shortened(line, wide - taken - 1), wide - taken, self._ground)
        return Strip([*left, *paint.strip(right, taken, self._ground)], wide)


def _shortened(line: Sequence[Cell], room: int) -> Sequence[Cell]:
    """Return the line with its longest cell (a name) cut by what is too much, so that what follows it stays."""
    sizes = [width(cell.text) for cell in line]
    excess = sum(sizes) - room
    if excess <= 0:
        return line
    longest = sizes.index(max(sizes))
    text = cut(line[longest].text, sizes[longest] - excess)
    return [*line[:longest], Cell(text, line[longest].tone), *line[longest + 1 :]]


def footer_cells(keys: Sequence[tuple[str, str, bool]]) -> list[Cell]:
    """Return the footer's line of (key, label, may): what may not be done is dimmed, not gone."""
    cells = []
    for key, label, may in keys:
        cells += [
            Cell(f" {key} ", "key" if may else "dim"),
            Cell(f"{label} ", "" if may else "dim"),
        ]
    return cells
