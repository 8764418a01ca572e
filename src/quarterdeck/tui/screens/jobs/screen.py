"""The jobs list: what needs attention first, each row with its state, reason and versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.containers import Horizontal

from quarterdeck.present import failure, inert, job_page, lists
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions
from quarterdeck.tui.acts import JobActs, RunActs
from quarterdeck.tui.listing import ListPage, Reading, around
from quarterdeck.tui.marks import common
from quarterdeck.tui.widgets.lines import LinesView
from quarterdeck.tui.widgets.rows import WINDOW, RowList

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from quarterdeck.service.windows import JobsShown

Row = Mapping[str, Any]
WIDE_FROM: Final = (
    120  # columns of the terminal: then the job under the cursor stands beside the list
)
WIDEST_FROM: Final = 160


class JobsPage(ListPage, JobActs, RunActs):
    """One row per job."""

    BINDINGS = actions.bindings(
        "job.log", "job.runs", "job.edit", "job.versions", "job.settings", "job.delete", "run.start", "run.cancel",
    )  # fmt: skip
    FOOTER: ClassVar = (
        "app.help", "list.filter", "job.log", "run.start", "job.edit", "job.versions", "run.cancel", "app.palette",
    )  # fmt: skip
    WATCHES: ClassVar = frozenset({"standings", "definitions"})
    COLUMNS: ClassVar = lists.JOBS
    ORDERS: ClassVar = ("attention", "name", "state", "last_run", "team")
    EMPTY: ClassVar = (
        "No jobs yet. A job is SQL or Python that runs on Sail, every version kept.",
        "i makes one · quarterdeck job create -f FILE · quarterdeck demo shows samples",
    )

    DEFAULT_CSS = """
    JobsPage #beside { height: 1fr; }
    JobsPage #preview { display: none; padding: 0 1; border: round $border-blurred; }
    JobsPage.-wide #preview { display: block; width: 1fr; }
    JobsPage.-wide #body { width: 70; }
    JobsPage.-widest #body { width: 90; }
    """

    def body(self) -> ComposeResult:
        """Yield the list, and beside it, where there is room, the job under the cursor."""
        self.preview = LinesView(id="preview")
        with Horizontal(id="beside"):
            yield from super().body()
            yield self.preview

    def on_resize(self) -> None:
        """Show the preview where there is room for it."""
        self.set_class(self.app.size.width >= WIDE_FROM, "-wide")
        self.set_class(self.app.size.width >= WIDEST_FROM, "-widest")
        self._preview()

    def on_row_list_moved(self, _: RowList.Moved) -> None:
        """Let the preview follow the cursor."""
        self._preview()

    def _preview(self) -> None:
        row = self.rows.current
        if self.app.size.width < WIDE_FROM:
            return
        self.preview.border_title = inert.line(str(row["name"])).replace("[", "\\[") if row else ""
        if row is None:
            self.preview.show([])
            return
        job = str(row["id"])
        self.ask(
            "its last runs",
            lambda: self.services.windows.preview(job),
            lambda marks: self.preview.show(list(job_page.preview(row, marks, self.look()))),
            group="preview",
        )

    def changed(self, changes: list[tuple[str, str, str]]) -> None:
        """Take in what changed; who changed a definition is not said here, only what that means for a job."""
        super().changed(
            [(table, one, by if table == "standings" else "") for table, one, by in changes]
        )

    def _shown(self) -> JobsShown:
        from quarterdeck.service.windows import JobsShown

        return JobsShown(
            text=self.text, problems=self.only_problems, order=self.order, reverse=self.is_reversed
        )

    def read(self, cursor_id: str | None, first: int) -> Reading:
        """Return counts, the window around the cursor's job, and where that is."""
        windows, shown = self.services.windows, self._shown()
        counts = windows.count_jobs(shown)
        cursor = windows.position_of_job(cursor_id, shown) if cursor_id else None
        first = around(cursor, first, counts.matching)
        rows = windows.jobs(shown, first, WINDOW)
        return Reading(counts.total, counts.matching, counts.attention, first, rows, cursor)

    def window(self, first: int) -> Sequence[Row]:
        """Return one window of jobs."""
        return self.services.windows.jobs(self._shown(), first, WINDOW)

    def by_ids(self, ids: Sequence[str]) -> Mapping[str, Row | None]:
        """Return these jobs as they stand."""
        return self.services.windows.jobs_by_id(ids)

    def detail(self, row: Row) -> list[Cell]:
        """Return why the last run ended as it did and what to do, or owner and type."""
        if place := lists.off(row):
            return [*place]
        last = row.get("last_run") or {}
        if last.get("reason"):
            return [*lists.why(last)]
        shared = ", ".join(row["shared_teams"])
        with_whom = f" shared with {inert.line(shared)}" if shared else ""
        return [Cell(f"{row['type']} · owner {inert.line(row['team'])}{with_whom}", "dim")]

    # --- for acts

    def job_name(self) -> str:
        """Return the job that is marked, if one is, or the one under the cursor."""
        row = self.rows.subject
        return str(row["name"]) if row else ""

    def jobs_taken(self) -> Sequence[str]:
        """Return the marked jobs."""
        return [str(one) for one in self.rows.marks]

    def last_run_id(self) -> str:
        """Return the job's latest run."""
        row = self.rows.subject
        last = row.get("last_run") if row else None
        return str(last["id"]) if last else ""

    def failed_run(self) -> str:
        """Return the latest run, if it failed at a known place."""
        row = self.rows.subject
        last = (row.get("last_run") or {}) if row else {}
        return str(last["id"]) if (last.get("failure") or {}).get("place") else ""

    def may(self) -> Sequence[str] | None:
        """Return what may be done to every one of the marked jobs, or to the one under the cursor."""
        return common(self.rows.chosen)

    def job_without(self, verb: str) -> str:
        """Return the first job on which the actor does not have this verb."""
        return next((str(row["name"]) for row in self.rows.chosen if verb not in row["may"]), "")

    def run_rows(self) -> Sequence[Row]:
        """Return the latest runs of the marked jobs."""
        return [
            {**row["last_run"], "job": row["name"], "mark": row["id"]}
            for row in self.rows.chosen
            if row.get("last_run")
        ]

    def facts(self) -> Mapping[str, str]:
        """Return job and run for the commands."""
        return {"job": self.job_name(), "run": self.last_run_id(), "kind": "job"}

    def copied(self, row: Row) -> str:
        """Return the job's name, and the reason of its last run."""
        last = row.get("last_run")
        return f"{row['name']}: {failure.told(last)}" if last else str(row["name"])

    def action_list_open(self) -> None:
        """Open the job under the cursor."""
        if row := self.rows.current:
            self.open("job", str(row["name"]))

    def action_list_new(self) -> None:
        """Open the form of a new job."""
        self.open("new", "", "job")
