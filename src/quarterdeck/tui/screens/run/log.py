"""The log of the run page: following, searching, only what matters, copying and saving it."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.present import inert, log_lines
from quarterdeck.present.log_lines import TIMES
from quarterdeck.present.table import Cell
from quarterdeck.tui.moving import Moving
from quarterdeck.tui.screens.run.follower import Follower, Grown
from quarterdeck.tui.screens.run.leaving import Leaving
from quarterdeck.tui.widgets.log_view import WINDOW, LogView

if TYPE_CHECKING:
    from quarterdeck.model.logline import StoredLine
    from quarterdeck.tui.widgets.filter_bar import FilterBar

PIECES: Final = 2_000  # lines before and behind one that are looked through for pieces of its line
HUGE: Final = 20_000  # characters
ORIGINS: Final = ("", "payload", "engine", "worker", "runner", "installer")


@dataclass
class Search:
    """A text, an origin, or trouble, and the rows where it stands; `of` is how many rows were looked through."""

    text: str = ""
    origin: str = ""
    rows: array[int] = field(default_factory=lambda: array("Q"))
    of: int = 0
    stop: threading.Event = field(default_factory=threading.Event)


class LogActs(Leaving, Moving):
    """The acts of a log; the page has a `LogView` named `view` and is about the run `run_id`."""

    view: LogView

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._search = Search()
        self._trouble = Search()
        self._only = ""
        self._shown = Search()  # what `only` shows
        self._origin = ""
        self._begun = False
        self._follower: Follower | None = None
        self._early: Grown | None = None  # came before the run was known
        self._resume: int | None = None

    # --- reading

    def begin_log(self) -> None:
        """Begin to follow; what comes waits until the run is known."""
        self._follower = Follower(lambda: self.services, self.run_id, self.post_message)
        self._follower.begin()

    def open_log(self, *, at: int | None) -> None:
        """Show what came, once the run is known; the cursor goes to row `at`, else to where it is most useful."""
        self._resume = at
        if self._early is not None:
            self.on_grown(self._early)

    def on_unmount(self) -> None:
        """Let the threads end."""
        if self._follower is not None:
            self._follower.stop()
        self._search.stop.set()
        self._trouble.stop.set()

    def log_state(self) -> str:
        """Return the state of the run, by which the log opens; empty while it is not known."""
        raise NotImplementedError

    def on_grown(self, message: Grown) -> None:
        """Take what came; the first time, go to where it is most useful."""
        if message.trouble:
            if self.log_state():  # else it is told by whom the run is read
                self.say(message.trouble, "bad")
            return
        self._early = None if self.log_state() else message
        if self._early is not None:
            return
        self.view.grow(message.total, message.first, message.lines)
        if not self._begun:
            self.view.fill(0, message.head)
            self._begun = True
            self._open_log()
        elif not message.is_open and self.view.follows:
            self.view.follow(on=False)
        if self.view.only is not None and self._shown.of < message.total:
            self._scan(self._shown, self.view.extended)
        self.draw_frame()

    def _open_log(self) -> None:
        state, self.view.news = self.log_state(), 0
        if self._resume is not None:
            self.view.go_to(min(self._resume, max(0, self.view.total - 1)))
        elif state == "succeeded":
            self.view.go_to(0)
        elif state in ("failed", "timed_out", "lost", "rejected"):
            self.view.move(self.view.total - 1)
            logs, run, stop = self.services.logs, self.run_id, self._trouble.stop.is_set
            self.ask("the first error", lambda: logs.first_error(run, stop), self._to_error)
        else:
            self.view.follow(on=True)
        self.view.is_touched = False

    def _to_error(self, row: int | None) -> None:
        if row is not None and not self.view.is_touched:
            self.view.go_to(row)
            self.draw_place()

    def on_log_view_wanted(self, message: LogView.Wanted) -> None:
        """Read rows that came into sight."""
        first, run, services = message.first, self.run_id, self.services

        def read() -> list[StoredLine]:
            reader = services.logs.reader(run)
            reader.refresh()
            return reader.read(first, WINDOW)

        self.ask("lines of the log", read, partial(self.view.fill, first), group=f"log {first}")

    def on_log_view_moved(self, _: LogView.Moved) -> None:
        """Say where the cursor is."""
        self.draw_place()

    def draw_place(self) -> None:
        """Draw where the cursor is and whether the end is followed."""
        raise NotImplementedError

    def place_cells(self) -> list[Cell]:
        """Return following, position and what is left out."""
        view = self.view
        cells = [Cell("FOLLOW ", "good") if view.follows else Cell("FOLLOW off ", "dim")]
        if view.news and not view.follows:
            cells.append(Cell(f"{view.news:,} new ", "key"))
        if view.only is not None:
            return [Cell(f"{len(view.only):,} of {view.total:,} lines {self._only} ", "key")]
        at = view.row_of(view.cursor) + 1 if view.rows else 0
        return [*cells, Cell(f"line {at:,} of {view.total:,} ")]

    # --- moving

    def step(self, name: str) -> None:
        """Move the cursor; the last line of a run under way begins to follow."""
        self.view.step(name)
        under_way = self.log_state() in ("running", "starting", "cancelling")
        if name == "bottom" and under_way and self.view.only is None:
            self.view.follow(on=True)

    def action_list_open(self) -> None:
        """Show the whole line, with the pieces before and behind that belong to it."""
        view, run, services = self.view, self.run_id, self.services
        if not view.rows:
            return
        row, wide = view.row_of(view.cursor), max(20, view.size.width - 8)

        def read() -> tuple[int, list[str]]:
            reader = services.logs.reader(run)
            reader.refresh()
            whole = log_lines.joined(*reader.around(row, PIECES))
            lines = inert.block(whole)
            if len(whole) > HUGE:  # words are not looked for in a million letters
                lines = [one[n : n + wide] for one in lines for n in range(0, len(one), wide)]
            return len(whole), lines

        def show(found: tuple[int, list[str]]) -> None:
            title = f"Line {row + 1:,}: {found[0]:,} characters"
            self.shell.panel(title, [(Cell(one),) for one in found[1]])

        self.ask("the whole line", read, show, group="line")

    def action_log_follow(self) -> None:
        """Follow the end, or stop."""
        self.view.follow(on=not self.view.follows)
        self.draw_place()

    def action_log_wrap(self) -> None:
        """Wrap long lines, or not."""
        self.view.wraps = not self.view.wraps
        self.view.left = 0
        self.view.move(self.view.cursor)
        self.say(
            "long lines are wrapped" if self.view.wraps else "long lines go on to the right",
            keep=False,
        )

    def action_log_times(self) -> None:
        """Show times another way."""
        way = self.view.way
        times = TIMES[(TIMES.index(way.times) + 1) % len(TIMES)]
        self.view.way = way._replace(times=times)
        self.view.refresh()
        self.say(f"times: {times}", keep=False)

    def action_log_left(self) -> None:
        """Half a screen to the left."""
        self.view.scroll_sideways(-1)

    def action_log_right(self) -> None:
        """Half a screen to the right."""
        self.view.scroll_sideways(1)

    # --- searching

    def action_log_search(self) -> None:
        """Type what to look for."""
        from quarterdeck.tui.widgets.filter_bar import FilterBar

        if not self.query("FilterBar"):
            bar = FilterBar(self._search.text, placeholder="search the whole log")
            self.mount(bar, before=self.get_child_by_id("status"))
            bar.focus()

    def on_filter_bar_typed(self, _: FilterBar.Typed) -> None:
        """Wait for Enter: a million lines are looked through once, not with each letter."""

    def on_filter_bar_kept(self, message: FilterBar.Kept) -> None:
        """Look for it."""
        self.close_search()
        self._look_for(message.text)

    def on_filter_bar_dropped(self, _: FilterBar.Dropped) -> None:
        """Look for nothing."""
        self.close_search()
        self._look_for("")

    def close_search(self) -> bool:
        """Take the search's line away; True if there was one."""
        bars = self.query("FilterBar")
        for bar in bars:
            bar.remove()
        self.view.focus()
        return bool(bars)

    def drop_search(self) -> bool:
        """Forget what was searched for, and show all lines; True if there was something."""
        had = bool(self._search.text) or self.view.only is not None
        if had:
            self._look_for("")
            self._only = self._origin = ""
            self.view.show_only(None)
        return had

    def _look_for(self, text: str) -> None:
        self._search.stop.set()
        self._search = Search(text)
        self.view.way = self.view.way._replace(search=text)
        self.view.refresh()
        if text:
            self._scan(self._search, self._found)

    def _scan(self, search: Search, then: Callable[[], object]) -> None:
        services, run, stop = self.services, self.run_id, search.stop.is_set

        def look() -> tuple[array[int], int]:
            reader = services.logs.reader(run)
            total = reader.refresh()
            if search.text:
                return reader.find(search.text, stop, search.of), total
            if search.origin:
                return reader.of_origin(search.origin, stop, search.of), total
            return reader.trouble(stop, search.of), total

        def take(answer: tuple[array[int], int]) -> None:
            found, search.of = answer
            search.rows.extend(found)
            then()

        group = "search" if search.text else search.origin or "trouble"
        self.ask("the whole log", look, take, group=group)

    def _found(self) -> None:
        rows = self._search.rows
        if not rows:
            self.say(
                f'0 of {self._search.of:,} lines match "{inert.line(self._search.text)}"',
                "bad",
                keep=False,
            )
            self.view.show_only(None)
            return
        if self.view.only is not None:
            self._show_only(f'match "{inert.line(self._search.text)}"', self._search)
        here = self.view.row_of(self.view.cursor) if self.view.rows else 0
        place = bisect_left(rows, here) % len(rows)
        self._go(self._search, place)

    def _go(self, search: Search, place: int, *, wrapped: str = "") -> None:
        self.view.go_to(search.rows[place])
        what = "match" if search.text else "error or warning"
        self.say(f"{what} {place + 1:,} of {len(search.rows):,}{wrapped}", keep=False)
        self.draw_place()

    def _step(self, by: int) -> None:
        search = self._search if self._search.text else self._trouble
        if search.of < self.view.total:
            self._scan(search, lambda: self._step_in(search, by))
        else:
            self._step_in(search, by)

    def _step_in(self, search: Search, by: int) -> None:
        rows = search.rows
        if not rows:
            self.say("no match" if search.text else "no errors or warnings", "dim", keep=False)
            return
        here = self.view.row_of(self.view.cursor) if self.view.rows else 0
        place = bisect_right(rows, here) if by > 0 else bisect_left(rows, here) - 1
        wrapped = ""
        if not 0 <= place < len(rows):
            place %= len(rows)
            wrapped = ", from the beginning again" if by > 0 else ", from the end again"
        self._go(search, place, wrapped=wrapped)

    def action_log_next(self) -> None:
        """To the next match, or error."""
        self._step(1)

    def action_log_previous(self) -> None:
        """To the previous match, or error."""
        self._step(-1)

    # --- only some lines

    def _show_only(self, what: str, search: Search) -> None:
        if not search.rows:
            self.say(f"0 of {self.view.total:,} lines {what}; all are shown", "bad", keep=False)
            self._only = self._origin = ""
            self.view.show_only(None)
        else:
            self._only = what
            self.view.follows = False
            self._shown = search
            self.view.show_only(search.rows)
        self.draw_place()

    def action_log_only(self) -> None:
        """Show only the matching lines, or all again."""
        if self.view.only is not None:
            self._only = self._origin = ""
            self.view.show_only(None)
        elif self._search.text:
            self._show_only(f'match "{inert.line(self._search.text)}"', self._search)
        else:
            self.say("search for something first: /", "dim", keep=False)
        self.draw_place()

    def action_log_problems(self) -> None:
        """Show only errors and warnings, or all again."""
        if self.view.only is not None:
            self.action_log_only()
            return
        self._scan(self._trouble, partial(self._show_only, "report trouble", self._trouble))

    def action_log_origin(self) -> None:
        """Show the lines of the next origin alone, then all again."""
        self._origin = ORIGINS[(ORIGINS.index(self._origin) + 1) % len(ORIGINS)]
        if not self._origin:
            self._only = ""
            self.view.show_only(None)
            self.draw_place()
            return
        search = Search(origin=self._origin, stop=self._trouble.stop)
        self._scan(search, partial(self._show_only, f"of {search.origin}", search))
