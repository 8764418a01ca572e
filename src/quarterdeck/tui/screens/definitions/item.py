"""One definition: what it says, the jobs that use it, and its revisions with the runs that took each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.containers import Vertical

from quarterdeck.present import glyphs, inert, item_page, job_page, lists, tree
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions
from quarterdeck.tui.moving import Moving, Tabbed
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.definitions.acts import ItemActs, called
from quarterdeck.tui.widgets.frame import LineBox
from quarterdeck.tui.widgets.lines import LinesView
from quarterdeck.tui.widgets.rows import RowList

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from quarterdeck.tui.actions import Action

Row = Mapping[str, Any]
COUNTED: Final = ("profile", "query")  # whose revisions runs name
TURNS: Final = ("item.history", "item.impact")  # to a pane
LISTS: Final = {
    "profile": "Profiles", "query": "Queries", "cluster": "Clusters", "catalog": "Catalogs", "team": "Teams",
}  # fmt: skip


class ItemPage(Moving, Tabbed, ItemActs):
    """A definition; the place's `tab` is its kind, `more["pane"]` one of TABS."""

    TABS: ClassVar = ("definition", "jobs", "revisions")
    BINDINGS = actions.bindings(
        *actions.MOVES, "list.open", "list.mark", "tabs.prev", "tabs.next", "item.edit", "item.external",
        "item.delete", "item.history", "item.impact", "item.check",
    )  # fmt: skip
    FOOTER: ClassVar = (
        "app.help", "item.edit", "item.check", "item.history", "item.impact", "item.delete", "tabs.next",
        "app.palette",
    )  # fmt: skip
    WATCHES: ClassVar = frozenset({"definitions", "standings"})
    DEFAULT_CSS = """
    ItemPage #revisions { height: 1fr; }
    ItemPage #history { height: 2fr; min-height: 4; }
    ItemPage #diff { height: 3fr; }
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.kind = place.tab
        self.row: Row | None = None
        self.users: Row | None = None
        self.tab = str(place.more.get("pane", "definition"))
        self.revisions: list[Row] = []

    # --- frame

    def body(self) -> ComposeResult:
        """Yield the tabs and the three panes."""
        yield LineBox(id="tabs", classes="line", ground="surface")
        yield LinesView(id="definition")
        self.jobs = RowList(item_page.USERS, self.look, key="job", id="jobs")
        yield self.jobs
        self.history = RowList(item_page.REVISIONS, self.look, key="revision", id="history")
        with Vertical(id="revisions"):
            yield self.history
            yield LineBox(id="between")
            yield LinesView(id="diff")

    def on_mount(self) -> None:
        """Show the pane that was asked for."""
        self.turn(self.tab)

    def crumb(self) -> tuple[list[Cell], list[Cell]]:
        """Return the list it stands in, its name, revision and last editor."""
        left = [
            Cell(f"{LISTS[self.kind]} {glyphs.CRUMB} ", "dim"),
            Cell(inert.line(self.row["name"] if self.row else self.opened.name), "head"),
        ]
        if self.row is None:
            return left, []
        row = self.row
        if row.get("team"):
            left.append(Cell(f"  owner {inert.line(row['team'])}", "dim"))
        told = f"rev {row['revision']}  {inert.line(row['author'])} {lists.when(row['at'], self.look())} "
        return left, [Cell(told, "dim")]

    def draw_frame(self) -> None:
        """Draw the frame and the tabs."""
        super().draw_frame()
        if not self.is_mounted:
            return
        jobs = "" if self.users is None else f" {len(self.users['jobs']) + self.users['hidden']}"
        numbers = {"jobs": jobs, "revisions": f" {len(self.revisions) or ''}".rstrip()}
        self.query_one("#tabs", LineBox).show(self.tab_cells(numbers))

    def place(self) -> Place:
        """Return the definition with its pane."""
        name = called(self.kind, self.row) if self.row else self.opened.name
        return Place("item", name, self.kind, {"pane": self.tab})

    # --- reading

    def load(self) -> None:
        """Read it, who uses it, and its revisions."""
        kind, name = self.kind, self.opened.name
        known = self.row["id"] if self.row else name  # it may have another name by now

        def show() -> Row:
            page = self.services.definitions.page(kind)
            found = next((row for row in page if row["id"] == known), None)
            return found or self.services.definitions.show(kind, name)

        self.ask(f"{kind} {name}", show, self._take, group="show")

    def _take(self, row: Row) -> None:
        self.row = row
        self._show_definition()
        kind, name = self.kind, called(self.kind, row)
        self.ask(
            f"the jobs that use {name}",
            lambda: self.services.definitions.impact(kind, name),
            self._take_users,
            group="users",
        )

        def history() -> tuple[Sequence[Row], Sequence[Row]]:
            runs = (
                self.services.definitions.runs_by_revision(kind, name) if kind in COUNTED else []
            )
            return self.services.definitions.history(kind, name), runs

        self.ask(
            f"the revisions of {name}",
            history,
            lambda found: self._take_history(*found),
            group="history",
        )

    def _show_definition(self) -> None:
        if self.row is not None:
            lines = list(item_page.lines(self.kind, self.row, self.look()))
            self.query_one("#definition", LinesView).show(lines)
        self._say_pane()
        self.draw_frame()

    def _take_users(self, found: Row) -> None:
        self.users = found
        rows = found["jobs"]
        here = self.jobs.current
        place = next((n for n, row in enumerate(rows) if here and row["job"] == here["job"]), 0)
        self.jobs.empty = (item_page.users(found),)
        self.jobs.replace(len(rows), 0, rows, place)
        self._say_pane()
        self.draw_frame()

    def _take_history(self, revisions: Sequence[Row], runs: Sequence[Row]) -> None:
        taken = {one["revision"]: one for one in runs}
        self.revisions = [{**one, **taken.get(one["revision"], {})} for one in revisions]
        here = self.history.current if self.history.is_touched else None
        numbers = [one["revision"] for one in self.revisions]
        place = numbers.index(here["revision"]) if here and here["revision"] in numbers else 0
        self.history.replace(len(numbers), 0, self.revisions, place)
        self.draw_frame()

    def on_row_list_moved(self, message: RowList.Moved) -> None:
        """Show what the revision under the cursor changed."""
        if message.rows is self.history:
            self._compare()

    def _compare(self) -> None:
        row = self.history.current
        if row is None or self.row is None:
            return
        b = row["revision"]
        marked = [int(one) for one in self.history.marks if one != b]
        a = marked[0] if marked else b - 1
        box, view = self.query_one("#between", LineBox), self.query_one("#diff", LinesView)
        if a < 1:
            box.show([Cell(f"--- revision {b}, as it was made; Enter shows it whole", "dim")])
            view.show(list(tree.lines(_said(row))))
            return
        a, b = sorted((a, b))
        kind, name = self.kind, called(self.kind, self.row)
        self.ask(
            f"revisions {a} and {b}",
            lambda: self.services.definitions.between(kind, name, a, b),
            partial(self._show_between, a, b),
            group="diff",
        )

    def _show_between(self, a: int, b: int, found: Sequence[Row]) -> None:
        keys = "Space marks another to compare with; Enter shows it whole"
        head = [Cell(f"--- revision {a} → {b}  ", "head"), Cell(keys, "dim")]
        self.query_one("#between", LineBox).show(head)
        lines = list(job_page.differences(found)) or [(Cell("nothing differs", "dim"),)]
        self.query_one("#diff", LinesView).show(lines)

    # --- panes

    def turn(self, tab: str) -> None:
        """Show a pane."""
        self.tab = tab if tab in self.TABS else self.TABS[0]
        for one in self.TABS:
            self.query_one(f"#{one}").display = one == self.tab
        self.set_focus({"jobs": self.jobs, "revisions": self.history}.get(self.tab))
        self._say_pane()
        self.draw_frame()

    def _say_pane(self) -> None:
        if self.tab == "jobs" and self.users is not None:
            more = "; Enter opens one" if self.users["jobs"] else ""
            self.rest(Cell(item_page.users(self.users) + more, "dim"))
        elif self.tab == "revisions" and self.kind in COUNTED:
            self.rest(
                Cell("RUNS: under way, and the last five of each job that uses it now", "dim")
            )
        else:
            self.rest()

    def action_item_history(self) -> None:
        """Show its revisions."""
        self.turn("revisions")

    def action_item_impact(self) -> None:
        """Show the jobs that use it."""
        self.turn("jobs")

    def back(self) -> bool:
        """Let go of the mark."""
        if self.tab == "revisions" and self.history.marks:
            self.history.unmark(list(self.history.marks))
            self._compare()
            self.draw_footer()
            return True
        return False

    # --- acts

    def marked(self) -> int:
        """Return whether a revision is marked to compare with."""
        return len(self.history.marks) if self.is_mounted and self.tab == "revisions" else 0

    def takes(self, action: Action) -> int | None:
        """Return 0 for acts on the definition as a whole: none of them is about the revision that is marked."""
        if action.takes is None or action.id in TURNS:
            return None
        return 1 if action.id == "app.copy" else 0

    def item(self) -> tuple[str, Row] | None:
        """Return the definition."""
        return None if self.row is None else (self.kind, self.row)

    def copyable(self) -> str:
        """Return its name; on the panes the job, or the text of the revision."""
        if self.tab == "jobs" and self.jobs.current:
            return str(self.jobs.current["job"])
        if self.tab == "revisions" and self.kind == "query" and self.history.subject:
            return str(self.history.subject["text"])
        return super().copyable()

    def deleted(self, kind: str, name: str) -> None:
        """Leave: there is nothing here any more."""
        below = self.shell.pages[-2]
        self.shell.back()
        below.say(f"{kind} {name} is deleted")

    def action_list_open(self) -> None:
        """Open the job under the cursor, or show the revision whole."""
        if self.tab == "jobs" and self.jobs.current:
            self.open("job", self.jobs.current["job"])
        elif self.tab == "revisions" and self.history.current:
            row = self.history.current
            title = f"{self.kind} {row['name']}, revision {row['revision']} by {row['author']}"
            self.shell.panel(inert.line(title), list(tree.lines(_said(row))))

    def action_list_mark(self) -> None:
        """Mark the revision to compare with; one at a time."""
        row = self.history.current
        if self.tab == "revisions" and row is not None:
            number = row["revision"]
            self.history.marks = {} if number in self.history.marks else {number: row}
            self.history.refresh()
            self.draw_footer()
            self._compare()

    def step(self, name: str) -> None:
        """Move the cursor or scroll; beside revisions, pages scroll what they changed."""
        if self.tab == "revisions" and name.startswith(("half", "page")):
            self.query_one("#diff", LinesView).step(name)
            return
        rows = {"jobs": self.jobs, "revisions": self.history}.get(self.tab)
        (rows or self.query_one("#definition", LinesView)).step(name)


def _said(row: Row) -> dict[str, Any]:
    beside = item_page.KEPT_BESIDE | {"runs", "open", "last"}
    return {key: value for key, value in row.items() if key not in beside}
