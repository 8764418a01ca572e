"""A page that is one list: windows of rows from the service, filter, sort, marks, and a cursor that stays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from quarterdeck.present import glyphs, inert, table
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions
from quarterdeck.tui.moving import Moving
from quarterdeck.tui.place import Place
from quarterdeck.tui.widgets.rows import WINDOW, RowList

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.timer import Timer

    from quarterdeck.present.lists import ListColumn
    from quarterdeck.tui.widgets.filter_bar import FilterBar

Row = Mapping[str, Any]
CHANGER_S: Final = 5.0


class Reading(NamedTuple):
    """What one look at the store gave: how many there are and match, one window, where the cursor's row is."""

    total: int
    matching: int
    attention: int
    first: int
    rows: Sequence[Row]
    cursor: int | None


def around(cursor: int | None, first: int, matching: int) -> int:
    """Return where the window begins that holds the cursor's row, else the one at `first`, if there is one."""
    wanted = first if cursor is None else cursor
    return min(wanted, max(0, matching - 1)) // WINDOW * WINDOW


class ListPage(Moving):
    """Rows with filter, sort and marks. A subclass gives columns, `read`, `window`, `by_ids` and its acts."""

    BINDINGS = actions.bindings(
        *actions.MOVES, "list.filter", "list.problems", "list.mark", "list.sort", "list.reverse",
        "list.open", "list.new",
    )  # fmt: skip
    COLUMNS: ClassVar[Sequence[ListColumn]] = ()
    KEY: ClassVar[str] = "id"
    ORDERS: ClassVar[Sequence[str]] = ("name",)
    EMPTY: ClassVar[Sequence[str]] = ()

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        more = place.more
        self.text = str(more.get("filter", ""))
        self.only_problems = bool(more.get("problems", False))
        self.order = str(more.get("order", self.ORDERS[0]))
        self.is_reversed = bool(more.get("reverse", False))
        self._cursor_id = str(more.get("cursor", "")) or None
        self.counts = Reading(0, 0, 0, 0, (), None)
        self.news = 0
        self._deleter = ""
        self.changer = ""  # who else changed what just now
        self._changer_timer: Timer | None = None

    # --- what a subclass says

    def read(self, cursor_id: str | None, first: int) -> Reading:
        """Return a fresh reading around the cursor's row; called on a thread."""
        raise NotImplementedError

    def window(self, first: int) -> Sequence[Row]:
        """Return the window of rows at `first`; called on a thread."""
        raise NotImplementedError

    def by_ids(self, ids: Sequence[str]) -> Mapping[str, Row | None]:
        """Return the rows of these ids as they are now, None for what is gone; called on a thread."""
        raise NotImplementedError

    def detail(self, row: Row) -> list[Cell]:
        """Return the status line for the row under the cursor."""
        return []

    def copied(self, row: Row) -> str:
        """Return what `y` copies of a row."""
        return str(row[self.KEY])

    # --- marks

    def marked(self) -> int:
        """Return how many rows are marked, in sight or not."""
        return len(self.rows.marks) if self.is_mounted else 0

    def acted(self, marks: Collection[Any]) -> None:
        """Let go of the marks of rows on which an act was done."""
        self.rows.unmark(marks)
        self.draw_frame()

    def copyable(self) -> str:
        """Return the marked rows, one line each, or the one under the cursor."""
        return "\n".join(self.copied(row) for row in self.rows.chosen)

    # --- frame

    def body(self) -> ComposeResult:
        """Yield the list."""
        self.rows = RowList(self.COLUMNS, self.look, key=self.KEY, id="body")
        self.rows.empty = self.EMPTY
        yield self.rows

    def on_mount(self) -> None:
        """Give the keys to the list; an old filter is said."""
        self.rows.focus()
        self.set_interval(60, self.rows.refresh)

    def crumb(self) -> tuple[list[Cell], list[Cell]]:
        """Return name, numbers, filter and order."""
        found = self.counts
        left = [Cell(f"{self.title_word()} {found.total:,}", "head")]
        left.append(
            Cell(f"   filter: {inert.line(self.text) or '-'}", "key" if self.text else "dim")
        )
        if self.text or self.only_problems:
            left.append(Cell(f"   {found.matching:,} of {found.total:,}"))
        if found.attention:
            needs = "needs" if found.attention == 1 else "need"
            left.append(Cell(f"   {glyphs.FAILED} {found.attention:,} {needs} attention", "bad"))
        if self.rows.marks:
            left.append(Cell(f"   {len(self.rows.marks)} marked", "key"))
        if self.news:
            left.append(Cell(f"   {self.news} new: R", "key"))
        if self.changer:
            return left, [Cell(f"{self.changer} ", "busy")]
        way = " reversed" if self.is_reversed else ""
        return left, [Cell(f"sort: {self.order}{way} ", "dim")]

    def title_word(self) -> str:
        """Return what is listed, with a capital."""
        return self.opened.kind.capitalize()

    def place(self) -> Place:
        """Return the list with filter, order and cursor."""
        row = self.rows.current
        more = {
            "filter": self.text, "problems": self.only_problems, "order": self.order,
            "reverse": self.is_reversed, "cursor": row[self.KEY] if row else "",
        }  # fmt: skip
        return Place(self.opened.kind, self.opened.name, self.opened.tab, more)

    # --- reading

    def load(self) -> None:
        """Read in the newest order; the cursor goes with its row."""
        row = self.rows.current
        cursor_id = row[self.KEY] if row is not None else self._cursor_id
        if not self.rows.is_touched and self._cursor_id is None:
            cursor_id = None
        first = (self.rows.cursor // WINDOW) * WINDOW
        self.ask(
            f"the {self.title_word().lower()}",
            lambda: self.read(cursor_id, first),
            lambda found: self._take(found, cursor_id),
            group="list",
        )

    def _take(self, found: Reading, cursor_id: str | None) -> None:
        self._cursor_id = None
        self.counts = found
        self.news = 0
        gone = cursor_id is not None and found.cursor is None and self.rows.total > 0
        before = self.rows.current
        cursor = found.cursor if cursor_id is not None else 0
        if self.text and not found.matching:
            self.rows.empty = (
                f'0 of {found.total:,} match "{inert.line(self.text)}". Esc clears.',
            )
        elif self.only_problems and not found.matching:
            self.rows.empty = (f"0 of {found.total:,} need attention. ! shows all.",)
        else:
            self.rows.empty = self.EMPTY
        self.rows.replace(found.matching, found.first, found.rows, cursor)
        if gone and before is not None and not self.text:
            self.went_away(before)
        self.draw_frame()

    def went_away(self, row: Row) -> None:
        """Say which row is not there any more, and whose doing that was."""
        name = inert.line(str(row.get("name", row[self.KEY])))
        by, self._deleter = self._deleter, ""
        self.say(f"{name} was deleted by {inert.line(by)}" if by else f"{name} went away", "bad")

    def changed(self, changes: list[tuple[str, str, str]]) -> None:
        """Patch the rows in sight where the cursor was moved; else read again in the newest order."""
        self._tell_who(changes)
        if not self.rows.is_touched:
            self.load()
            return
        ids = [row[self.KEY] for row in self.rows.in_sight]
        by = changes[-1][2]

        def read() -> tuple[Mapping[str, Row | None], Reading]:
            return self.by_ids(ids), self.read(None, 0)

        self.ask("changes", read, lambda found: self._patch(*found, by), group="patch")

    def _tell_who(self, changes: list[tuple[str, str, str]]) -> None:
        """Say for a few seconds who else changed what; what the actor did says itself."""
        mine = self.shell.header.get("actor")
        others = [(one, by) for _, one, by in changes if by not in ("", mine)]
        if not others:
            return
        changed, by = others[-1]
        row = next((row for row in self.rows.in_sight if row[self.KEY] == changed), None)
        what = str(row.get("name") or row[self.KEY]) if row else self.title_word().lower()
        self.changer = f"{inert.line(by)} changed {table.cut(inert.line(what), 24)}"
        if self._changer_timer is not None:
            self._changer_timer.stop()
        self._changer_timer = self.set_timer(CHANGER_S, self._forget_changer)

    def _forget_changer(self) -> None:
        self.changer = ""
        self.draw_frame()

    def _patch(self, fresh: Mapping[str, Row | None], counts: Reading, by: str) -> None:
        gone = self.rows.patch(fresh)
        self.news = max(0, counts.total - self.counts.total)
        self.counts = counts
        if gone:
            self._deleter = by
            self.load()
        self.draw_frame()

    def on_row_list_wanted(self, message: RowList.Wanted) -> None:
        """Read a window that came into sight."""
        first = message.first
        self.ask(
            "more rows",
            lambda: self.window(first),
            lambda rows: self.rows.fill(first, rows),
            group=f"window {first}",
        )

    def on_row_list_moved(self, _: RowList.Moved) -> None:
        """Follow the cursor."""
        self.tell_row()

    def tell_row(self) -> None:
        """Say about the row under the cursor what does not fit into it."""
        row = self.rows.current
        self.rest(*(self.detail(row) if row is not None else ()))
        self.draw_footer()

    def on_row_list_clicked(self, _: RowList.Clicked) -> None:
        """Open what was clicked twice."""
        self.action_list_open()

    # --- acts

    def action_list_open(self) -> None:
        """Open the row."""
        raise NotImplementedError

    def action_list_new(self) -> None:
        """Make a new one."""
        self.say("nothing is made here", "dim", keep=False)

    def action_list_filter(self) -> None:
        """Type a filter."""
        if not self.query("FilterBar"):
            from quarterdeck.tui.widgets.filter_bar import FilterBar  # with Textual's Input

            bar = FilterBar(self.text, placeholder=f"filter {self.title_word().lower()}")
            self.mount(bar, after=self.get_child_by_id("crumb"))
            bar.focus()

    def on_filter_bar_typed(self, message: FilterBar.Typed) -> None:
        """Filter by what stands there now."""
        self._filter(message.text)

    def on_filter_bar_kept(self, message: FilterBar.Kept) -> None:
        """Leave the line and keep the filter."""
        self._filter(message.text)
        self._close_bar()

    def on_filter_bar_dropped(self, _: FilterBar.Dropped) -> None:
        """Leave the line and drop the filter."""
        self._close_bar()
        self._filter("")

    def _close_bar(self) -> None:
        for bar in self.query("FilterBar"):
            bar.remove()
        self.rows.focus()

    def _filter(self, text: str) -> None:
        if text == self.text:
            return
        self.text = text
        self.rows.is_touched = False
        self.rows.cursor = 0
        self.load()

    def back(self) -> bool:
        """Close the filter's line, then drop the filter, then the marks."""
        if self.query("FilterBar"):
            self._close_bar()
            self._filter("")
            return True
        if self.text or self.only_problems:
            self.only_problems = False
            self.text = ""
            self.load()
            return True
        if self.rows.marks:
            self.rows.marks.clear()
            self.rows.refresh()
            self.draw_frame()
            return True
        return False

    def action_list_problems(self) -> None:
        """Show only what needs attention, or all again."""
        self.only_problems = not self.only_problems
        self.rows.is_touched = False
        self.load()

    def action_list_sort(self) -> None:
        """Sort by the next column."""
        place = self.ORDERS.index(self.order) if self.order in self.ORDERS else 0
        self.order = self.ORDERS[(place + 1) % len(self.ORDERS)]
        self.load()

    def action_list_reverse(self) -> None:
        """Turn the order round."""
        self.is_reversed = not self.is_reversed
        self.load()

    def action_app_refresh(self) -> None:
        """Read again in the newest order, whatever the cursor did."""
        super().action_app_refresh()

    def step(self, name: str) -> None:
        """Move the cursor; what is said of its row is drawn with it, before the list's own message comes by."""
        self.rows.step(name)
        self.tell_row()

    def action_list_mark(self) -> None:
        """Mark the row."""
        self.rows.mark()
        self.draw_frame()


class WholeList(ListPage):
    """A list that is read whole, because there are only ever so many: filtered and sorted here."""

    def all_rows(self) -> Sequence[Row]:
        """Return every row; called on a thread."""
        raise NotImplementedError

    def haystack(self, row: Row) -> str:
        """Return what the filter looks through."""
        return " ".join(str(value) for value in row.values() if isinstance(value, str))

    def needs_attention(self, row: Row) -> bool:
        """Whether `!` shows it."""
        return False

    def sort_key(self, row: Row) -> Any:
        """Return what the order compares."""
        value = row.get(self.order)
        return (value is None, value if isinstance(value, (int, float)) else str(value).casefold())

    def read(self, cursor_id: str | None, first: int) -> Reading:
        """Return a reading of them all."""
        del first
        every = list(self.all_rows())
        wanted = self.text.casefold()
        kept = [row for row in every if wanted in self.haystack(row).casefold()]
        if self.only_problems:
            kept = [row for row in kept if self.needs_attention(row)]
        kept.sort(key=self.sort_key, reverse=self.is_reversed)
        attention = sum(map(self.needs_attention, every))
        place = next((n for n, row in enumerate(kept) if row[self.KEY] == cursor_id), None)
        return Reading(len(every), len(kept), attention, 0, kept, place)

    def window(self, first: int) -> Sequence[Row]:
        """Return a window again that was let go."""
        return self.read(None, 0).rows[first : first + WINDOW]

    def by_ids(self, ids: Sequence[str]) -> Mapping[str, Row | None]:
        """Return the rows of these ids."""
        every = {row[self.KEY]: row for row in self.all_rows()}
        return {one: every.get(one) for one in ids}
