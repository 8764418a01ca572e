"""The list of runs, newest first, of all jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from quarterdeck.present import failure, inert, lists
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions
from quarterdeck.tui.acts import JobActs, RunActs
from quarterdeck.tui.listing import ListPage, Reading, around
from quarterdeck.tui.marks import common
from quarterdeck.tui.widgets.rows import WINDOW

if TYPE_CHECKING:
    from quarterdeck.service.windows import RunsShown
    from quarterdeck.tui.place import Place

Row = Mapping[str, Any]


class RunsPage(ListPage, JobActs, RunActs):
    """One row per run; runs of drafts are a list of their own."""

    BINDINGS = actions.bindings(
        "job.log", "job.edit", "job.versions", "run.again", "run.cancel", "run.compare", "run.drafts",
    )  # fmt: skip
    FOOTER: ClassVar = (
        "app.help", "list.filter", "list.problems", "job.log", "run.compare", "run.cancel",
        "run.drafts", "app.palette",
    )  # fmt: skip
    WATCHES: ClassVar = frozenset({"runs"})
    COLUMNS: ClassVar = lists.RUNS
    ORDERS: ClassVar = ("newest",)
    EMPTY: ClassVar = ("No runs yet.", "1 goes to the jobs; r runs the one under the cursor")

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.drafts = bool(place.more.get("drafts", False))

    def title_word(self) -> str:
        """Return what is listed."""
        return "Runs of drafts (DRAFT)" if self.drafts else "Runs"

    def _shown(self) -> RunsShown:
        from quarterdeck.service.windows import RunsShown

        return RunsShown(
            text=self.text,
            problems=self.only_problems,
            drafts=self.drafts,
            reverse=self.is_reversed,
        )

    def read(self, cursor_id: str | None, first: int) -> Reading:
        """Return counts, the window around the cursor's run, and where that is."""
        windows, shown = self.services.windows, self._shown()
        counts = windows.count_runs(shown)
        cursor = windows.position_of_run(cursor_id, shown) if cursor_id else None
        first = around(cursor, first, counts.matching)
        rows = windows.runs(shown, first, WINDOW)
        return Reading(counts.total, counts.matching, counts.attention, first, rows, cursor)

    def window(self, first: int) -> Sequence[Row]:
        """Return one window of runs."""
        return self.services.windows.runs(self._shown(), first, WINDOW)

    def by_ids(self, ids: Sequence[str]) -> Mapping[str, Row | None]:
        """Return these runs as they stand."""
        return self.services.windows.runs_by_id(ids)

    def detail(self, row: Row) -> list[Cell]:
        """Return what the run waits for, or why it ended and what to do."""
        if row["reason"]:
            return [*lists.why(row)]
        waiting = row.get("waiting_for")
        if waiting:
            return [Cell(f"waits for {inert.line(str(waiting['what']))}", "wait")]
        return [Cell(f"{row['id']}  {row['trigger']} by {inert.line(row['actor'])}", "dim")]

    # --- for acts

    def job_name(self) -> str:
        """Return the job of the run that is marked, if one is, or of the one under the cursor."""
        row = self.rows.subject
        return str(row["job"]) if row else ""

    def last_run_id(self) -> str:
        """Return the run that is marked, if one is, or the one under the cursor."""
        row = self.rows.subject
        return str(row["id"]) if row else ""

    def failed_run(self) -> str:
        """Return the run that is marked, or under the cursor, if it failed at a known place."""
        row = self.rows.subject
        return str(row["id"]) if row and (row["failure"] or {}).get("place") else ""

    def may(self) -> Sequence[str] | None:
        """Return what may be done to the jobs of all marked runs, or of the one under the cursor."""
        return common(self.rows.chosen)

    def job_without(self, verb: str) -> str:
        """Return the first job on which the actor does not have this verb."""
        return next((str(row["job"]) for row in self.rows.chosen if verb not in row["may"]), "")

    def run_rows(self) -> Sequence[Row]:
        """Return the marked runs, or the one under the cursor."""
        return self.rows.chosen

    def facts(self) -> Mapping[str, str]:
        """Return job, run and the other run for the commands."""
        here, other = self.rows.pair
        both = [one["id"] for one in (here, other) if one is not None]
        run = self.last_run_id()
        return {
            "job": self.job_name(),
            "run": run,
            "other": next((one for one in both if one != run), ""),
        }

    def copied(self, row: Row) -> str:
        """Return id, job, and what happened."""
        return f"{row['id']} {row['job']} {failure.told(row)}"

    def action_list_open(self) -> None:
        """Open the run under the cursor."""
        if row := self.rows.current:
            self.open("run", str(row["id"]), "log")

    def action_run_compare(self) -> None:
        """Compare the two marked runs, or the one under the cursor with the marked one."""
        here, other = self.rows.pair
        if here is not None:
            more = {} if other is None else {"other": str(other["id"])}
            self.open("compare", str(here["id"]), "", **more)

    def action_run_drafts(self) -> None:
        """Show the runs of drafts, or those of versions again."""
        self.drafts = not self.drafts
        self.rows.is_touched = False
        self.load()
