"""The versions of one job: searched, compared, and put back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.containers import Vertical

from quarterdeck.present import ages, inert, job_page, lists
from quarterdeck.present.table import Cell
from quarterdeck.tui.asked import Question
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.job.runs import RunsPane
from quarterdeck.tui.widgets.frame import LineBox
from quarterdeck.tui.widgets.lines import LinesView
from quarterdeck.tui.widgets.rows import WINDOW, RowList

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from quarterdeck.model.shown import Activating
    from quarterdeck.tui.widgets.dialog import Answer, Dialog
    from quarterdeck.tui.widgets.filter_bar import FilterBar

Row = Mapping[str, Any]


class VersionsPane(RunsPane):
    """Mixed into the job's page, which gives `tab`, `job`, `job_id`, `job_name` and the runs beside it."""

    job: Row | None

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.version_text = ""
        self._history: Sequence[Row] = ()
        self._wanted = int(place.more["version"]) if "version" in place.more else None

    def job_name(self) -> str:
        """Return the job's name."""
        raise NotImplementedError

    def versions_body(self) -> ComposeResult:
        """Yield the list, and what the version under the cursor would change."""
        self.versions = RowList(lists.VERSIONS, self.look, key="number", id="versions")
        with Vertical(id="versions-pane"):
            yield self.versions
            yield LineBox(id="between")
            yield LinesView(id="version-diff")

    def arrange_versions(self, *, wide: bool) -> None:
        """Put the diff below the list, or at its right where there is room."""
        self.query_one("#versions-pane", Vertical).styles.layout = (
            "horizontal" if wide else "vertical"
        )
        self.query_one("#between").display = not wide

    # --- reading

    def load_versions(self) -> None:
        """Read the history, or what of it matches the search."""
        name, text = self.job_id(), self.version_text
        self.ask(
            "the versions",
            lambda: self.services.publishing.history(name, search=text),
            self._take_versions,
            group="versions",
        )

    def _take_versions(self, rows: Sequence[Row]) -> None:
        here = self.versions.current
        number = self._wanted if self._wanted is not None else here["number"] if here else None
        place = next((n for n, row in enumerate(rows) if row["number"] == number), 0)
        self._wanted = None
        self.versions.empty = (
            f'No version matches "{inert.line(self.version_text)}". Esc clears.',
        )
        self.versions.replace(len(rows), 0, rows, place)
        self._history = rows

    def on_row_list_wanted(self, message: RowList.Wanted) -> None:
        """Give a window of versions again that was let go."""
        if message.rows is self.versions:
            self.versions.fill(message.first, self._history[message.first :][:WINDOW])

    def two_versions(self) -> tuple[int | None, int | None]:
        """Return the version under the cursor and the one that it is compared with: marked, or live.

        The live version is compared with the one that it is based on; the first has none.
        """
        here, other = self.versions.pair
        if here is None:
            return None, None
        number = int(here["number"])
        if other is not None:
            return number, int(other["number"])
        live = self.job["live_version"] if self.job else None
        return number, here["based_on"] if number == live else live

    def version_moved(self) -> None:
        """Show what the version under the cursor differs in."""
        row = self.versions.current
        number, other = self.two_versions()
        if self.tab != "versions" or row is None or number is None:
            return
        match = row.get("match")
        if match:
            self.rest(
                Cell(f"found in {match['in']}: ", "dim"), Cell(inert.line(match["text"]), "match")
            )
        else:
            made = job_page.made_live(row, self.look())
            keys = "d compares" if row["live"] else "d compares · a makes it live"
            self.rest(
                Cell(made), Cell(f"{'   ' if made else ''}Enter shows it whole · {keys}", "dim")
            )
        name = self.job_id()
        if other is None or number == other:
            self._show_diff(
                f"--- v{number} ---",
                [(Cell("Nothing to compare it with: it is based on no other version.", "dim"),)],
            )
            return
        self.ask(
            f"v{other} and v{number}",
            lambda: self.services.publishing.diff(name, str(other), str(number)),
            partial(self._take_diff, number, other),
            group="diff",
        )

    def _take_diff(self, number: int, other: int, found: Row) -> None:
        lines = list(job_page.differences(found["differences"])) or [
            (Cell("Nothing differs.", "dim"),)
        ]
        live = self.job["live_version"] if self.job else 0
        name = f"v{other} (live)" if other == live else f"v{other}"
        count = len(found["differences"])
        told = f"v{number} (live), based on {name}" if number == live else f"{name} → v{number}"
        words = job_page.in_words(found["differences"])
        self._show_diff(
            f"--- {told} --- {ages.count(count, 'field')}{': ' if words else ''}{words} ---", lines
        )

    def _show_diff(self, title: str, lines: Sequence[Any]) -> None:
        self.query_one("#between", LineBox).show([Cell(title, "head")])
        view = self.query_one("#version-diff", LinesView)
        view.show(lines)
        view.go_to(0)

    # --- searching; the filter of the runs is typed in the same line

    def searched(self) -> Iterator[Cell]:
        """Yield what is searched for on this tab."""
        text = self.version_text if self.tab == "versions" else self.run_text
        if text and self.tab in ("versions", "runs"):
            yield Cell(f"   / {inert.line(text)}", "key")
        if self.tab == "runs" and self.only_bad_runs:
            yield Cell("   ! only", "key")
        if self.tab == "runs" and self.draft_runs:
            yield Cell("   DRAFT", "busy")

    def action_list_filter(self) -> None:
        """Type what to look for."""
        from quarterdeck.tui.widgets.filter_bar import FilterBar

        if self.query("FilterBar"):
            return
        here = self.version_text if self.tab == "versions" else self.run_text
        hint = (
            "number, author, note, field, text"
            if self.tab == "versions"
            else "state, reason, actor, id"
        )
        bar = FilterBar(here, placeholder=hint)
        self.mount(bar, after=self.query_one("#standing"))
        bar.focus()

    def on_filter_bar_typed(self, message: FilterBar.Typed) -> None:
        """Look for it with each letter."""
        self._look_for(message.text)

    def on_filter_bar_kept(self, message: FilterBar.Kept) -> None:
        """Keep it."""
        self._look_for(message.text)
        self._close_bar()

    def on_filter_bar_dropped(self, _: FilterBar.Dropped) -> None:
        """Drop it."""
        self._close_bar()
        self._look_for("")

    def _look_for(self, text: str) -> None:
        if self.tab == "versions" and text != self.version_text:
            self.version_text = text
            self.load_versions()
        elif self.tab == "runs" and text != self.run_text:
            self.run_text = text
            self.runs.is_touched = False
            self.load_runs()
        self.draw_frame()

    def _close_bar(self) -> None:
        for bar in self.query("FilterBar"):
            bar.remove()
        self.set_focus(self.versions if self.tab == "versions" else self.runs)

    def leave_search(self) -> bool:
        """Close the line, drop the search, let go of marks; True if there was something."""
        if self.query("FilterBar"):
            self._close_bar()
            self._look_for("")
            return True
        if self.version_text if self.tab == "versions" else self.run_text:
            self._look_for("")
            return True
        rows = self.versions if self.tab == "versions" else self.runs
        if rows.marks:
            rows.unmark(list(rows.marks))
            self.version_moved()
            self.draw_frame()
            return True
        return False

    # --- acts

    def open_version(self) -> None:
        """Show the version whole."""
        row, name = self.versions.current, self.job_id()
        if row is not None:
            number = int(row["number"])
            self.ask(
                f"v{number}",
                lambda: self.services.publishing.show(name, number),
                lambda one: self.shell.panel(
                    f"v{number}", list(job_page.version(one, self.look()))
                ),
            )

    def action_version_diff(self) -> None:
        """Show the whole diff: against the marked version or live; on other tabs the draft against live."""
        name = self.job_id()
        if self.tab != "versions":
            if not (self.job and self.job["draft"]):
                self.say("there is no draft; v lists the versions", "dim", keep=False)
                return
            a, b = str(self.job["live_version"]), "draft"
        else:
            number, other = self.two_versions()
            if number is None:
                return
            if other is None or other == number:
                self.say(f"v{number} is based on no other version", "dim", keep=False)
                return
            a, b = str(other), str(number)
        self.ask(
            f"{a} and {b}",
            lambda: self.services.publishing.diff(name, a, b),
            partial(self._open_diff, a, b),
        )

    def _open_diff(self, a: str, b: str, found: Row) -> None:
        lines = list(job_page.differences(found["differences"])) or [
            (Cell("Nothing differs.", "dim"),)
        ]
        shown = ["draft" if one == "draft" else f"v{one}" for one in (a, b)]
        self.shell.panel(f"{inert.line(self.job_name())}: {shown[0]} → {shown[1]}", lines)

    def action_version_activate(self) -> None:
        """Say what goes back and what stays, and ask."""
        row, job = self.versions.subject, self.job_id()
        if row is None:
            return
        number = int(row["number"])
        if row["live"]:
            self.say(f"v{number} is live already; nothing changes", "dim", keep=False)
            return

        def dialog(facts: Activating, _: Answer | None) -> Dialog | None:
            from quarterdeck.tui.widgets.dialog import Choice, Dialog

            if facts.live == number:  # somebody else was faster
                self.say(f"v{number} is live already; nothing changes", "dim", keep=False)
                return None
            return Dialog(
                f"Activate v{number} of {facts.job}?", list(job_page.activation(facts)),
                [Choice("activate", "Activate", "y")], harmful=True, opened_by="a",
            )  # fmt: skip

        Question(
            self, f"activating v{number}", lambda: self.services.publishing.activating(job, number), dialog,
            lambda facts, _: self.services.publishing.activate(
                facts.id, number, expect_live=facts.live
            ),
            self._activated,
        ).ask()  # fmt: skip

    def _activated(self, job: Row) -> None:
        stale = "; the draft is based on an older live now" if job["stale_draft"] else ""
        self.say(
            f"v{job['to']} is live (before: v{job['from']}); the next run takes it{stale}", "good"
        )
        self.acted([job["to"]])
        self.load()
