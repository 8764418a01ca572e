"""The runs of one job: a list like that of all runs, of this job alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from quarterdeck.present import inert, lists
from quarterdeck.present.table import Cell
from quarterdeck.tui.page import Page
from quarterdeck.tui.place import Place
from quarterdeck.tui.widgets.rows import WINDOW, RowList

if TYPE_CHECKING:
    from quarterdeck.service.windows import RunsShown

Row = Mapping[str, Any]


class RunsPane(Page):
    """Mixed into the job's page, which gives `runs`, `tab` and `job_id`."""

    runs: RowList
    tab: str

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.run_text = ""
        self.only_bad_runs = False
        self.draft_runs = False

    def job_id(self) -> str:
        """Return the job's id or name."""
        raise NotImplementedError

    def _runs_shown(self) -> RunsShown:
        from quarterdeck.service.windows import RunsShown

        return RunsShown(
            job=self.job_id(),
            text=self.run_text,
            problems=self.only_bad_runs,
            drafts=self.draft_runs,
        )

    def load_runs(self) -> None:
        """Read the window of runs around the cursor's; what is new enters on top unless the cursor was moved."""
        shown, here = self._runs_shown(), self.runs.current if self.runs.is_touched else None

        def read() -> tuple[int, int, Sequence[Row], int | None]:
            windows = self.services.windows
            count = windows.count_runs(shown).matching
            place = windows.position_of_run(here["id"], shown) if here else 0
            first = (place or 0) // WINDOW * WINDOW
            return count, first, windows.runs(shown, first, WINDOW), place

        self.ask("the runs", read, self._take_runs, group="runs")

    def _take_runs(self, found: tuple[int, int, Sequence[Row], int | None]) -> None:
        what = "runs of drafts" if self.draft_runs else "runs"
        self.runs.empty = (
            f"No {what} match."
            if self.run_text or self.only_bad_runs
            else f"No {what} yet; r runs it.",
        )
        self.runs.replace(*found)

    def on_row_list_wanted(self, message: RowList.Wanted) -> None:
        """Read a window of runs that came into sight."""
        if message.rows is self.runs:
            first, shown = message.first, self._runs_shown()
            self.ask(
                "more runs",
                lambda: self.services.windows.runs(shown, first, WINDOW),
                partial(self.runs.fill, first),
                group=f"window {first}",
            )

    def run_moved(self) -> None:
        """Say of the run under the cursor why it ended as it did."""
        row = self.runs.current
        if self.tab != "runs":
            return
        if row is None:
            self.rest()
        elif row["reason"]:
            self.rest(*lists.why(row))
        else:
            self.rest(Cell(f"{row['id']}  {row['trigger']} by {inert.line(row['actor'])}", "dim"))

    def action_run_drafts(self) -> None:
        """Show the runs of drafts, or those of versions again."""
        self.draft_runs = not self.draft_runs
        self.runs.is_touched = False
        self.load_runs()
        self.say("runs of drafts (DRAFT)" if self.draft_runs else "runs of versions", keep=False)

    def action_list_problems(self) -> None:
        """Show only runs that ended badly or wait, or all again."""
        self.only_bad_runs = not self.only_bad_runs
        self.runs.is_touched = False
        self.load_runs()
        self.draw_frame()

    def action_run_compare(self) -> None:
        """Compare the two marked runs, or the one under the cursor with the marked one, or the last good one."""
        here, other = self.runs.pair
        if here is not None:
            more = {} if other is None else {"other": str(other["id"])}
            self.open("compare", str(here["id"]), "", **more)
