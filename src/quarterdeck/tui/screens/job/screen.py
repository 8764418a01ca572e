"""One job: what it is and how it ran, its versions, its runs, who may what. Its draft is a page of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.containers import Horizontal

from quarterdeck.model.shown import NO_DRAFT
from quarterdeck.present import glyphs, inert, job_page, lists
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions
from quarterdeck.tui.acts import JobActs, RunActs
from quarterdeck.tui.moving import Moving, Tabbed
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.job.versions import VersionsPane
from quarterdeck.tui.widgets.frame import LineBox
from quarterdeck.tui.widgets.lines import LinesView
from quarterdeck.tui.widgets.rows import RowList

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import Widget

    from quarterdeck.tui.actions import Action

Row = Mapping[str, Any]
HISTORY: Final = ("versions", "live_version")
"""Of a job: when they change, its versions are read again."""
TURNS: Final = ("job.versions", "job.runs")
"""They turn to a tab."""
TAKEN: Final[Mapping[str, Mapping[str, int]]] = {
    "versions": {
        "version.activate": 1, "version.diff": 2, "run.start": 1, "app.copy": actions.ALL, "app.copy_command": 2,
    },
    "runs": {
        "job.log": 1, "run.start": actions.ALL, "run.cancel": actions.ALL, "run.compare": 2,
        "app.copy": actions.ALL, "app.copy_command": 1,
    },
}  # fmt: skip
"""On how many rows of the tab's list an act acts."""
WIDE_FROM: Final = 120  # columns of the terminal: then two panes stand side by side


class JobPage(VersionsPane, Moving, Tabbed, JobActs, RunActs):
    """The place's name is the job's name, its tab one of TABS."""

    TABS: ClassVar = ("overview", "versions", "runs", "access")
    BINDINGS = actions.bindings(
        *actions.MOVES, "list.open", "list.mark", "list.filter", "list.problems", "tabs.prev",
        "tabs.next", "job.log", "job.runs", "job.edit", "job.versions", "job.plan", "job.settings",
        "job.delete", "run.start", "run.cancel", "run.compare", "run.drafts", "version.activate", "version.diff",
    )  # fmt: skip
    FOOTERS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "overview": (
            "app.help", "tabs.next", "job.log", "run.start", "job.edit", "job.versions", "run.cancel",
            "app.palette",
        ),
        "versions": (
            "app.help", "list.filter", "version.diff", "version.activate", "list.mark", "job.edit", "tabs.next",
            "app.palette",
        ),
        "runs": (
            "app.help", "list.filter", "list.problems", "job.log", "run.compare", "run.cancel", "run.drafts",
            "app.palette",
        ),
        "access": ("app.help", "job.settings", "tabs.next", "job.edit", "job.delete", "app.palette"),
    }  # fmt: skip
    WATCHES: ClassVar = frozenset({"standings", "runs", "definitions"})
    DEFAULT_CSS = """
    JobPage #panes { height: 1fr; }
    JobPage #versions-pane { width: 1fr; }
    JobPage #version-diff { height: 1fr; }
    JobPage.-wide #overview { width: 1fr; }
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.tab = place.tab if place.tab in self.TABS else "overview"
        self.job: Row | None = None

    # --- frame

    def body(self) -> ComposeResult:
        """Yield the tabs, the line that is always in sight, and the panes."""
        yield LineBox(id="tabs", classes="line", ground="surface")
        yield LineBox(id="standing", classes="line")
        with Horizontal(id="panes"):
            yield LinesView(id="overview")
            yield from self.versions_body()
            self.runs = RowList(lists.JOB_RUNS, self.look, id="runs")
            yield self.runs
            yield LinesView(id="access")

    def on_mount(self) -> None:
        """Show the tab that was asked for."""
        self.turn(self.tab)

    def crumb(self) -> tuple[list[Cell], list[Cell]]:
        """Return the job and its tab, its owner and whom it is shared with."""
        name = self.job["name"] if self.job else self.opened.name
        left = [
            Cell(inert.line(name), "head"),
            Cell(f" {glyphs.CRUMB} {self.tab.capitalize()}", "dim"),
        ]
        left += self.searched()
        if marked := self.marked():
            left.append(Cell(f"   {marked} marked", "key"))
        if self.job is None:
            return left, []
        shared = ", ".join(self.job["shared_teams"])
        told = f"owner {inert.line(self.job['team'])}"
        told += f"  shared {inert.line(shared)}" if shared else ""
        return left, [Cell(f"{told} ", "dim")]

    def draw_frame(self) -> None:
        """Draw the frame, the tabs and the standing."""
        super().draw_frame()
        if not self.is_mounted:
            return
        job = self.job
        numbers, draft = {}, "Draft"
        if job is not None:
            numbers = {"versions": f" {job['versions']:,}", "runs": f" {job['runs']:,}"}
            draft = "Draft*" if job["draft"] else "Draft"
            self.query_one("#standing", LineBox).show(job_page.drafted(job, self.look()))
        cells = self.tab_cells(numbers)
        cells[1:1] = [
            Cell(f" {draft}", "busy" if job and job["draft"] else "dim"),
            Cell(f" {self.shell.key_of('job.edit')}  ", "key"),
        ]
        self.query_one("#tabs", LineBox).show(cells)

    def place(self) -> Place:
        """Return the job with its tab."""
        return Place("job", self.job["name"] if self.job else self.opened.name, self.tab)

    def footer_acts(self) -> tuple[str, ...]:
        """Return the acts of the tab."""
        return self.FOOTERS[self.tab]

    def on_resize(self) -> None:
        """Put panes side by side where there is room."""
        self._arrange()

    def _arrange(self) -> None:
        wide = self.app.size.width >= WIDE_FROM
        self.set_class(wide, "-wide")
        shown = {self.tab: True, "runs": self.tab == "runs" or (wide and self.tab == "overview")}
        for name, pane in (
            ("overview", "overview"),
            ("versions", "versions-pane"),
            ("runs", "runs"),
            ("access", "access"),
        ):
            self.query_one(f"#{pane}").display = shown.get(name, False)
        self.arrange_versions(wide=wide)

    # --- reading

    def job_id(self) -> str:
        """Return the job's id once it is known, else its name: it may be renamed while it is looked at."""
        return str(self.job["id"]) if self.job else self.opened.name

    def load(self) -> None:
        """Read the job, its versions and its runs."""
        self._load_job()
        self.load_versions()
        self.load_runs()

    def changed(self, changes: list[tuple[str, str, str]]) -> None:
        """Read what the changes are about: this job, what it uses, or its runs in sight."""
        ids = {one for _, one, _ in changes}
        uses = any(table == "definitions" for table, _, _ in changes)
        if self.job is None or uses or self.job["id"] in ids:
            self._load_job()
            self.load_runs()
        elif not ids.isdisjoint(row["id"] for row in self.runs.in_sight):
            self.load_runs()

    def _load_job(self) -> None:
        name = self.job_id()
        self.ask(
            f"job {self.opened.name}",
            lambda: self.services.pages.job(name),
            self._take,
            group="job",
        )

    def _take(self, job: Row) -> None:
        before, self.job = self.job, job
        if before is not None and any(before[one] != job[one] for one in HISTORY):
            self.load_versions()
        look = self.look()
        self.query_one("#overview", LinesView).show(list(job_page.overview(job, look)))
        self.query_one("#access", LinesView).show(list(job_page.access(job)))
        self.version_moved()
        self.draw_frame()

    def fail(self, error: BaseException) -> None:
        """A job that is gone is left, and said below, unless something was said here that is not to be missed."""
        from quarterdeck.model.errors import NotFoundError

        if isinstance(error, NotFoundError) and self.is_in_front and self.shell.is_open:
            below = self.shell.pages[-2] if len(self.shell.pages) > 1 else None
            self.shell.back()
            if below is not None:
                words, tone = self._said
                gone = f"job {inert.line(self.job_name())} is gone, deleted or moved"
                below.say(words if tone == "bad" else gone, "bad")
            return
        super().fail(error)

    # --- tabs

    def turn(self, tab: str) -> None:
        """Show a tab."""
        self.tab = tab
        self._arrange()
        focus: dict[str, Widget] = {"versions": self.versions, "runs": self.runs}
        self.set_focus(focus.get(tab))
        self.rest()
        self.version_moved()
        self.run_moved()
        self.draw_frame()

    def action_job_versions(self) -> None:
        """To the versions."""
        self.turn("versions")

    def action_job_runs(self) -> None:
        """To the runs."""
        self.turn("runs")

    def back(self) -> bool:
        """Close a search, drop it, let go of marks."""
        return self.leave_search()

    def verdict(self, action: Action) -> bool | None:
        """Hide the acts of other tabs."""
        if action.scope == "version" and self.tab != "versions" and action.id != "version.diff":
            return False
        if action.id in ("run.drafts", "list.problems", "run.compare") and self.tab != "runs":
            return False
        if action.id in ("list.filter", "list.mark", "list.open") and self.tab not in (
            "versions",
            "runs",
        ):
            return False
        return super().verdict(action)

    def _list(self) -> RowList | None:
        return {"versions": self.versions, "runs": self.runs}.get(self.tab)

    def step(self, name: str) -> None:
        """Move the cursor, or scroll where there is none."""
        rows = self._list()
        (rows or self.query_one(f"#{self.tab}", LinesView)).step(name)
        self.run_moved()

    def on_row_list_moved(self, message: RowList.Moved) -> None:
        """Tell the pane whose cursor moved."""
        if message.rows is self.versions:
            self.version_moved()
        else:
            self.run_moved()

    def on_row_list_clicked(self, _: RowList.Clicked) -> None:
        """Open what was clicked twice."""
        self.action_list_open()

    def action_list_open(self) -> None:
        """Open the version or the run."""
        if self.tab == "versions":
            self.open_version()
        elif self.tab == "runs" and self.runs.current:
            self.open("run", self.runs.current["id"], "log")

    def action_list_mark(self) -> None:
        """Mark the row."""
        rows = self._list()
        if rows is not None:
            rows.mark()
            if rows is self.versions:
                self.version_moved()
            self.draw_frame()

    def marked(self) -> int:
        """Return how many rows of the list on this tab are marked."""
        rows = self._list() if self.is_mounted else None
        return len(rows.marks) if rows is not None else 0

    def takes(self, action: Action) -> int | None:
        """Return on how many rows of this tab's list the act acts: acts on the job as a whole on none of them."""
        if action.takes is None or action.id in TURNS:
            return None
        return TAKEN.get(self.tab, {}).get(action.id, 0)

    def acted(self, marks: Collection[Any]) -> None:
        """Let go of the marks of rows on which an act was done."""
        rows = self._list()
        if rows is not None:
            rows.unmark(marks)
            self.draw_frame()

    # --- for acts

    def job_name(self) -> str:
        """Return the job's name."""
        return str(self.job["name"]) if self.job else self.opened.name

    def last_run_id(self) -> str:
        """Return the run that is marked or under the cursor, or the last one."""
        if self.tab == "runs" and self.runs.subject:
            return str(self.runs.subject["id"])
        last = self.job["last_run"] if self.job else None
        return str(last["id"]) if last else ""

    def may(self) -> Sequence[str] | None:
        """Return what may be done to the job."""
        return self.job["may"] if self.job else None

    def run_rows(self) -> Sequence[Row]:
        """Return the marked runs, the one under the cursor, or the last one."""
        if self.tab == "runs":
            return self.runs.chosen
        last = self.job["last_run"] if self.job else None
        return [{**last, "job": self.job_name()}] if last else []

    def action_run_start(self) -> None:
        """Run the job; with runs marked, those again."""
        if self.tab == "runs" and self.runs.marks:
            self.action_run_again()
        else:
            super().action_run_start()

    def version_taken(self) -> int | None:
        """Return the version that is marked."""
        row = self.versions.subject
        is_marked = self.tab == "versions" and bool(self.versions.marks)
        return int(row["number"]) if is_marked and row is not None else None

    def draft_shown(self) -> str | None:
        """Return the hash of the draft that is shown."""
        if self.job is None:
            return None
        draft = self.job["draft"]
        return str(draft["key"]) if draft else NO_DRAFT

    def facts(self) -> Mapping[str, str]:
        """Return the names for commands."""
        version, other = self.two_versions()
        return {
            "job": self.job_name(), "run": self.last_run_id(), "kind": "job",
            "version": str(version or ""), "other": str(other or ""),
        }  # fmt: skip

    def copyable(self) -> str:
        """Return the job's name with what is marked or under the cursor, one line each."""
        name = self.job_name()
        if self.tab == "versions":
            rows = self.versions.chosen
            lines = [f"{name} v{row['number']} by {row['author']}: {row['note']}" for row in rows]
        elif self.tab == "runs":
            lines = [f"{name} run {row['id']}" for row in self.runs.chosen]
        else:
            run = self.last_run_id()
            lines = [f"{name} run {run}" if run else name]
        return "\n".join(lines or [name])

    def _deleted(self, name: str) -> None:
        below = self.shell.pages[-2]
        self.shell.back()
        below.say(f"job {name} is deleted")
        below.load()
