"""A list of any length: it holds windows of rows, asks for those that come into sight, and draws only these.

Where rows come from is its screen's; which columns it has is in `present.lists`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from quarterdeck.present import glyphs
from quarterdeck.present.lists import Layout, ListColumn, fit
from quarterdeck.present.table import Cell, Look, wrap
from quarterdeck.tui.widgets import ink
from quarterdeck.tui.widgets.steps import stepped

if TYPE_CHECKING:
    from collections.abc import Callable

Row = Mapping[str, Any]
WINDOW: Final = 100  # rows that are asked for at once
AHEAD: Final = 30  # rows beyond those in sight that are asked for early
KEPT: Final = 30  # windows that are kept
STRIPS: Final = 500  # lines that are kept as drawn
AGES_S: Final = 5.0  # so long an age may stand
TWO_LINES_BELOW: Final = 60  # columns of the terminal


class RowList(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows of one list, the columns' titles in its first line.

    The cursor is on an object: `replace` is told where that is now. `look` gives the time and the reader.
    """

    DEFAULT_CSS = """
    RowList { height: 1fr; width: 1fr; scrollbar-size-horizontal: 0; scrollbar-size-vertical: 1; }
    """

    class Wanted(Message):
        """A wish: rows from `first` on are in sight and not here."""

        def __init__(self, rows: RowList, first: int) -> None:
            super().__init__()
            self.rows = rows
            self.first = first

        @property
        def control(self) -> RowList:
            """The list."""
            return self.rows

    class Moved(Message):
        """A fact: the cursor is on another row, or that row's cells changed."""

        def __init__(self, rows: RowList) -> None:
            super().__init__()
            self.rows = rows

        def can_replace(self, message: Message) -> bool:
            """Let the newest speak."""
            return isinstance(message, RowList.Moved) and message.rows is self.rows

        @property
        def control(self) -> RowList:
            """The list."""
            return self.rows

    class Clicked(Message):
        """A wish: open the row under the cursor, on which the mouse was pressed again."""

        def __init__(self, rows: RowList) -> None:
            super().__init__()
            self.rows = rows

    def __init__(
        self,
        columns: Sequence[ListColumn],
        look: Callable[[], Look],
        *,
        key: str = "id",
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.columns = columns
        self.look = look
        self.key = key
        self.empty: Sequence[str] = ()
        self.total = 0
        self.cursor = 0
        self.is_touched = False  # somebody moved the cursor since the rows came
        self.marks: dict[Any, Row] = {}  # by key, in the order in which they were marked
        self._windows: dict[int, list[Row]] = {}
        self._asked: set[int] = set()
        self._strips: dict[tuple[int, int], tuple[Row, tuple[object, ...], Strip]] = {}
        self._layout_key: tuple[object, ...] = ()
        self._layout = Layout((), 0)

    # --- rows

    def replace(
        self, total: int, first: int, rows: Sequence[Row], cursor: int | None = None
    ) -> None:
        """Take a fresh reading: how many there are, the window at `first`, and where the cursor's object is.

        `cursor` None: it is gone, the cursor stays at its line.
        """
        height = self._page
        shift = 0 if cursor is None else cursor - self.cursor
        self.total = total
        self._windows.clear()
        self._asked.clear()
        self._keep(first, rows)
        self.cursor = max(0, min(self.cursor if cursor is None else cursor, total - 1))
        self._resize()
        top = self._top + shift if shift else self._top
        top = max(0, min(top, max(0, total - height)))
        top = max(min(top, self.cursor), self.cursor - height + 1, 0)
        self._scroll(top)
        self.refresh()
        self.post_message(self.Moved(self))

    def fill(self, first: int, rows: Sequence[Row]) -> None:
        """Take a window that was wanted."""
        self._asked.discard(first // WINDOW)
        self._keep(first, rows)
        if first < self._top + self._page and self._top < first + WINDOW:
            self.refresh()
        if first <= self.cursor < first + WINDOW:
            self.post_message(self.Moved(self))

    def patch(self, rows: Mapping[str, Row | None]) -> list[Row]:
        """Put new cells in the place of old, by key; None: it is gone. Returns the rows that went away."""
        gone: list[Row] = []
        for name in [one for one in self.marks if one in rows]:
            fresh = rows[name]
            if fresh is None:
                del self.marks[name]
            else:
                self.marks[name] = fresh
        for number, window in self._windows.items():
            for place, row in enumerate(window):
                name = row[self.key]
                if name in rows:
                    fresh = rows[name]
                    if fresh is None:
                        gone.append(row)
                    else:
                        self._windows[number][place] = fresh
        self.refresh()
        self.post_message(self.Moved(self))
        return gone

    def _keep(self, first: int, rows: Sequence[Row]) -> None:
        self.marks |= {row[self.key]: row for row in rows if row[self.key] in self.marks}
        for start in range(0, len(rows), WINDOW):
            self._windows[(first + start) // WINDOW] = list(rows[start : start + WINDOW])
        while len(self._windows) > KEPT:
            here = self._top // WINDOW
            del self._windows[max(self._windows, key=lambda n: abs(n - here))]

    def at(self, place: int) -> Row | None:
        """Return the row at a place, if it is here."""
        window = self._windows.get(place // WINDOW)
        offset = place % WINDOW
        return window[offset] if window is not None and offset < len(window) else None

    @property
    def current(self) -> Row | None:
        """The row under the cursor, if it is here."""
        return self.at(self.cursor) if self.total else None

    @property
    def chosen(self) -> list[Row]:
        """The marked rows, in sight or not, or the one under the cursor: what the next act takes."""
        here = self.current
        return list(self.marks.values()) or ([here] if here is not None else [])

    @property
    def subject(self) -> Row | None:
        """The row that an act on one takes: the marked one, if one is, else the one under the cursor."""
        return next(iter(self.marks.values())) if len(self.marks) == 1 else self.current

    @property
    def pair(self) -> tuple[Row | None, Row | None]:
        """What a comparison takes, and what with: two marked rows; the one under the cursor and a marked one.

        The second is None if that would be the same row.
        """
        here, marked = self.current, list(self.marks.values())
        if len(marked) == 2:  # noqa: PLR2004  # a pair
            return marked[1], marked[0]
        other = marked[0] if len(marked) == 1 else None
        is_same = here is not None and other is not None and here[self.key] == other[self.key]
        return here, None if is_same else other

    def unmark(self, keys: Collection[Any]) -> None:
        """Take these marks away, if they are there."""
        for key in keys:
            self.marks.pop(key, None)
        self.refresh()

    @property
    def in_sight(self) -> list[Row]:
        """The rows in sight that are here."""
        places = range(self._top, min(self.total, self._top + self._page))
        return [row for place in places if (row := self.at(place)) is not None]

    # --- moving

    @property
    def _per_row(self) -> int:
        return 2 if self.app.size.width < TWO_LINES_BELOW else 1

    @property
    def _page(self) -> int:
        return max(1, (self.size.height - 1) // self._per_row)

    @property
    def _top(self) -> int:
        return self.scroll_offset.y // self._per_row

    def move(self, place: int) -> None:
        """Put the cursor on a place, in sight."""
        place = max(0, min(place, self.total - 1))
        self.is_touched = True
        if place == self.cursor or not self.total:
            return
        old, self.cursor = self.cursor, place
        top = self._top
        wanted = min(top, place)
        if place >= top + self._page:
            wanted = place - self._page + 1
        if wanted != top:
            self._scroll(wanted)
            self._look_ahead(wanted)
        else:
            self._redraw(old, place)
        self.post_message(self.Moved(self))

    def _scroll(self, top: int) -> None:
        self.scroll_to(y=top * self._per_row, animate=False, immediate=True, force=True)

    def _redraw(self, *places: int) -> None:
        wide, tall, top = self.size.width, self._per_row, self._top
        regions = [
            Region(0, 1 + (place - top) * tall, wide, tall)
            for place in places
            if top <= place < top + self._page
        ]
        if regions:
            self.refresh(*regions)

    def step(self, name: str) -> None:
        """Move the cursor by one step."""
        self.move(stepped(name, self.cursor, self.total - 1, self._page))

    def mark(self) -> None:
        """Mark the row, or take its mark away, and go on to the next."""
        row = self.current
        if row is not None:
            if self.marks.pop(row[self.key], None) is None:
                self.marks[row[self.key]] = row
            self._redraw(self.cursor)
            self.move(self.cursor + 1)

    # --- drawing

    def _resize(self) -> None:
        size = Size(self.size.width, self.total * self._per_row + 1)
        if size != self.virtual_size:
            self.virtual_size = size

    def on_resize(self) -> None:
        """Keep the cursor in sight in the new room."""
        self._resize()
        top = max(min(self._top, self.cursor), self.cursor - self._page + 1, 0)
        self.call_after_refresh(self._scroll, top)

    def on_mouse_down(self, event: Any) -> None:
        """Put the cursor where the mouse is; a second click there opens."""
        place = self._top + (event.y - 1) // self._per_row
        if event.y < 1 or place >= self.total:
            return
        if place == self.cursor:
            self.post_message(self.Clicked(self))
        self.move(place)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw the lines that are asked for: there is no border or padding for Textual to put around them."""
        lines = map(self.render_line, range(crop.y, crop.bottom))
        if crop.x == 0 and crop.right >= self.size.width:
            return list(lines)
        return [line.crop(crop.x, crop.right) for line in lines]

    def render_line(self, y: int) -> Strip:
        """Draw one line: titles first, then rows from the scroll offset on."""
        wide = self.size.width
        paint, layout = ink.of(self), self._fitted(wide)
        if y == 0:
            return paint.strip(layout.titles(), wide)
        if not self.total:
            told = [part for text in self.empty for part in wrap(text, wide - 2)]
            text = told[y - 2] if 0 <= y - 2 < len(told) else ""
            return paint.strip([Cell("  " + text, "dim")], wide)
        place, part = divmod(y - 1 + self.scroll_offset.y, self._per_row)
        if place >= self.total:
            return paint.strip([], wide)
        row = self.at(place)
        if row is None:
            self._want(place)
            return paint.strip([Cell("  ~", "dim")], wide)
        is_cursor, look = place == self.cursor, self.look()
        front = (glyphs.CURSOR if is_cursor else " ") + (
            "*" if row[self.key] in self.marks else " "
        )
        drawn = (front, paint, layout, look.now.timestamp() // AGES_S)
        kept = self._strips.get((place, part))
        if kept is None or kept[0] is not row or kept[1] != drawn:
            cells = [Cell(front, "key" if is_cursor else ""), *layout.cells(row, look, part)]
            kept = row, drawn, paint.strip(cells, wide, ink.CURSOR if is_cursor else "background")
            if len(self._strips) > STRIPS:
                self._strips.clear()
            self._strips[place, part] = kept
        return kept[2]

    def _fitted(self, wide: int) -> Layout:
        wanted = (wide, self._per_row, id(self.columns))
        if self._layout_key != wanted:
            self._layout_key = wanted
            self._layout = fit(self.columns, wide - 2, lines=self._per_row)
        return self._layout

    def _look_ahead(self, top: int) -> None:
        """Ask for rows that the next keys may bring into sight."""
        for place in (top - AHEAD, top + self._page + AHEAD):
            if 0 <= place < self.total and self.at(place) is None:
                self._want(place)

    def _want(self, place: int) -> None:
        number = place // WINDOW
        if number not in self._asked:
            self._asked.add(number)
            self.post_message(self.Wanted(self, number * WINDOW))
