"""A run's log on the screen: windows of rows, a cursor line, following, wrapping. What feeds it is its page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from quarterdeck.present import log_lines
from quarterdeck.present.log_lines import Way
from quarterdeck.present.table import Cell
from quarterdeck.tui.widgets import ink
from quarterdeck.tui.widgets.lines import folded
from quarterdeck.tui.widgets.steps import stepped

if TYPE_CHECKING:
    from textual.geometry import Region

    from quarterdeck.model.logline import StoredLine
    from quarterdeck.present.table import Line

WINDOW: Final = 200  # rows that are asked for at once
KEPT: Final = 40  # windows that are kept


class LogView(Widget, can_focus=True):
    """Rows of a log, of any number; only those in sight are held.

    With `only` it shows these rows of the log alone. `follows` keeps the end in sight as rows come.
    """

    DEFAULT_CSS = "LogView { height: 1fr; width: 1fr; }"

    class Wanted(Message):
        """A wish: rows of the log from `first` on are in sight and not here."""

        def __init__(self, first: int) -> None:
            super().__init__()
            self.first = first

    class Moved(Message):
        """A fact: cursor, place or following changed."""

        def can_replace(self, message: Message) -> bool:
            """Let the newest speak."""
            return isinstance(message, LogView.Moved)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.total = 0
        self.only: Sequence[int] | None = None
        self.cursor = 0
        self.top = 0
        self.left = 0
        self.follows = False
        self.wraps = False
        self.news = 0
        self.is_touched = False  # somebody moved the cursor
        self.way = Way()
        self.empty = "nothing was written yet"
        self._windows: dict[int, list[StoredLine]] = {}
        self._asked: set[int] = set()

    # --- rows

    @property
    def rows(self) -> int:
        """How many rows are shown in all."""
        return self.total if self.only is None else len(self.only)

    def row_of(self, place: int) -> int:
        """Return the row of the log at a place of the view."""
        return place if self.only is None else self.only[place]

    def place_of(self, row: int) -> int:
        """Return the place of a row of the log, or of the next one that is shown."""
        if self.only is None:
            return row
        from bisect import bisect_left

        return min(bisect_left(self.only, row), max(0, len(self.only) - 1))

    def grow(self, total: int, first: int = 0, lines: Sequence[StoredLine] = ()) -> None:
        """Take note of how many rows there are, and of a window of them that was read with it."""
        grown = total - self.total
        self.total = total
        if grown > 0:  # the last window was not full
            self._asked.discard((total - grown) // WINDOW)
        if lines:
            self.fill(first, lines)
        if self.follows and self.only is None:
            self._to_end()
        elif grown > 0:
            self.news += grown
        self._changed()

    def extended(self) -> None:
        """Take note that `only` holds more rows."""
        if self.follows:
            self._to_end()
        self._changed()

    def fill(self, first: int, lines: Sequence[StoredLine]) -> None:
        """Take rows of the log from `first`, which begins a window."""
        for start in range(0, len(lines), WINDOW):
            self._windows[(first + start) // WINDOW] = list(lines[start : start + WINDOW])
            self._asked.discard((first + start) // WINDOW)
        while len(self._windows) > KEPT:
            here = self.row_of(min(self.top, self.rows - 1)) // WINDOW if self.rows else 0
            del self._windows[max(self._windows, key=lambda n: abs(n - here))]
        self.refresh()

    def at(self, place: int) -> StoredLine | None:
        """Return the line at a place of the view, if it is here; else it is asked for."""
        if not 0 <= place < self.rows:
            return None
        number, offset = divmod(self.row_of(place), WINDOW)
        window = self._windows.get(number)
        if window is not None and offset < len(window):
            return window[offset]
        if number not in self._asked:
            self._asked.add(number)
            self.post_message(self.Wanted(number * WINDOW))
        return None

    @property
    def current(self) -> StoredLine | None:
        """The line under the cursor, if it is here."""
        return self.at(self.cursor)

    def show_only(self, rows: Sequence[int] | None) -> None:
        """Show these rows of the log alone, or all again; the cursor stays on its line, or the next shown one."""
        row = self.row_of(self.cursor) if self.rows else 0
        self.only = rows
        self.cursor = self.place_of(row)
        self.top = max(0, self.cursor - self._height // 2)
        self._changed()

    # --- moving

    @property
    def _height(self) -> int:
        return max(1, self.size.height)

    def move(self, place: int) -> None:
        """Put the cursor on a place, in sight; upwards ends the following."""
        place = max(0, min(place, self.rows - 1))
        if place < self.cursor:
            self.follows = False
        self.cursor = place
        self.is_touched = True
        if place < self.top:
            self.top = place
        elif place >= self.top + self._fitting():
            self.top = self._top_for(place)
        self._changed()

    def go_to(self, row: int) -> None:
        """Put the cursor on a row of the log, with a few lines of sight around it."""
        place = self.place_of(row)
        if not self.top <= place < self.top + self._fitting():
            self.top = max(0, min(place - self._height // 3, self._top_for(self.rows - 1)))
        self.cursor = place
        self.follows = False
        self._changed()

    def follow(self, *, on: bool) -> None:
        """Follow the end, or stop."""
        self.follows = on
        if on:
            self.news = 0
            self._to_end()
        self._changed()

    def _to_end(self) -> None:
        self.cursor = max(0, self.rows - 1)
        self.top = self._top_for(self.cursor)

    def scroll_sideways(self, by: int) -> None:
        """Scroll by half screens."""
        self.left = max(0, self.left + by * (self.size.width // 2))
        self._changed()

    def step(self, name: str) -> None:
        """Move the cursor by one step."""
        self.move(stepped(name, self.cursor, self.rows - 1, self._fitting()))

    def _fitting(self) -> int:
        """Return how many rows fit from the top on."""
        if not self.wraps:
            return self._height
        used = count = 0
        while used < self._height and self.top + count < self.rows:
            used += len(self._parts(self.top + count))
            count += 1
        return max(1, count - (used > self._height))

    def _top_for(self, place: int) -> int:
        """Return the top that has this place on the last line."""
        if not self.wraps or not self.rows:
            return max(0, place - self._height + 1)
        used, top = len(self._parts(place)), place
        while top > 0 and used + len(self._parts(top - 1)) <= self._height:
            top -= 1
            used += len(self._parts(top))
        return top

    def _changed(self) -> None:
        self.refresh()
        self.post_message(self.Moved())

    def on_resize(self) -> None:
        """Keep the end, or the cursor, in sight."""
        if self.follows:
            self._to_end()
        elif self.cursor >= self.top + self._fitting():
            self.top = self._top_for(self.cursor)
        self._changed()

    # --- drawing

    def _parts(self, place: int) -> list[Line]:
        line = self.at(place)
        if line is None:
            return [(Cell("~", "dim"),)]
        shown = log_lines.cells(line, self.way)
        if self.wraps:
            return folded(shown, self.size.width)
        return [log_lines.sideways(shown, self.left)]

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw what is in sight."""
        paint, wide = ink.of(self), self.size.width
        strips: list[Strip] = []
        place = self.top
        if not self.rows:
            strips.append(paint.strip([Cell(self.empty, "dim")], wide))
        while len(strips) < crop.bottom and place < self.rows:
            here = place == self.cursor
            strips += [
                paint.strip(part, wide, ink.CURSOR if here else "background")
                for part in self._parts(place)
            ]
            place += 1
        blank = paint.strip([], wide)
        strips += [blank] * max(0, crop.bottom - len(strips))
        return [one.crop(crop.x, crop.right) for one in strips[crop.y : crop.bottom]]
