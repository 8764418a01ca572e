"""One run: state, reason and advice first; then its timeline, its log, what was frozen, what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.containers import Horizontal

from quarterdeck.model.instants import parse_instant
from quarterdeck.model.states import TERMINAL
from quarterdeck.present import columns, failure, glyphs, inert, log_lines, run_page, states
from quarterdeck.present.log_lines import Way
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions
from quarterdeck.tui.acts import JobActs, RunActs
from quarterdeck.tui.moving import Tabbed
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.run.log import LogActs
from quarterdeck.tui.screens.run.pods import PodsTab
from quarterdeck.tui.widgets.frame import LineBox
from quarterdeck.tui.widgets.lines import LinesView, folded
from quarterdeck.tui.widgets.log_view import LogView

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from quarterdeck.tui.actions import Action
    from quarterdeck.tui.widgets.dialog import Answer

SIDE_FROM: Final = 160  # columns of the terminal: then log and timeline stand side by side
RESULT_ROWS: Final = 1_000
BANNER: Final = 6  # lines that the reason may take on a terminal of TALL lines
TALL: Final = 24


class RunPage(PodsTab, LogActs, Tabbed, RunActs, JobActs):
    """The place's name is the run's id, its tab one of TABS."""

    TABS: ClassVar = ("log", "timeline", "pods", "inputs", "result")
    BINDINGS = actions.bindings(
        *actions.MOVES, "list.open", "tabs.prev", "tabs.next", "job.edit", "job.versions", "run.again",
        "run.cancel", "run.compare", "run.version", "log.follow", "log.search", "log.next",
        "log.previous", "log.problems", "log.only", "log.origin", "log.wrap", "log.times", "log.left",
        "log.right", "log.plain", "log.save",
    )  # fmt: skip
    FOOTER: ClassVar = (
        "log.follow", "log.search", "log.next", "log.wrap", "run.compare", "run.again", "run.cancel", "app.help",
    )  # fmt: skip
    WATCHES: ClassVar = frozenset({"runs"})
    DEFAULT_CSS = """
    RunPage #panes { height: 1fr; }
    RunPage #side { width: 50; display: none; }
    RunPage.-side #side { display: block; }
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.run_id = place.name
        self.tab = place.tab if place.tab in self.TABS else "log"
        self.run: Mapping[str, Any] | None = None
        self.rights: Sequence[str] | None = None

    # --- frame

    def body(self) -> ComposeResult:
        """Yield banner, timeline, tabs and panes."""
        yield LineBox(id="banner")
        yield LineBox(id="steps", classes="line")
        yield LineBox(id="tabs", classes="line", ground="surface")
        self.view = LogView(id="log")
        with Horizontal(id="panes"):
            yield self.view
            for name in self.TABS[1:]:
                yield LinesView(id=name)
            yield LinesView(id="side")

    def on_mount(self) -> None:
        """Begin with the tab that was asked for."""
        self.turn(self.tab)
        self.begin_log()

    def crumb(self) -> tuple[list[Cell], list[Cell]]:
        """Return job, run, attempt, version and trigger, and the state."""
        run = self.run
        if run is None:
            return [Cell("Run ", "dim"), Cell(inert.line(self.run_id), "head")], []
        attempts = len(run["attempts"])
        left = [
            Cell(inert.line(run["job"]), "dim"),
            Cell(f" {glyphs.CRUMB} ", "dim"),
            Cell(f"run {run['id']}", "head"),
            Cell(f"  {columns.version(run)}", "busy" if run["draft"] else ""),
            Cell(f"  attempt {attempts}" if attempts > 1 else "", "dim"),
            Cell(f"  {run['trigger']} by {inert.line(run['actor'])}", "dim"),
        ]
        shown = states.shown(run["state"])
        return left, [Cell(f"{shown.mark} {shown.word.upper()} ", shown.tone)]

    def draw_frame(self) -> None:
        """Draw the frame, the banner and the tabs."""
        super().draw_frame()
        if not self.is_mounted:
            return
        run, look = self.run, self.look()
        self.set_class(self.size.width >= SIDE_FROM and self.tab == "log", "-side")
        if run is not None:
            wide, high = self.size.width, self.size.height
            first, *banner = run_page.banner(run, look, wide)
            banner.insert(0, (*first, *run_page.due(run, look)))
            if run["failure"] is not None:
                banner[1] = (*failure.about(run), *failure.keys(run["failure"]))
            lines = [part for line in banner for part in folded(line, wide)]
            most = high // 2 if run["problems"] else BANNER if high >= TALL else 2
            self.query_one("#banner", LineBox).show(*lines[:most])
            self.query_one("#steps", LineBox).show(run_page.steps(run))
        self.draw_place()

    def draw_place(self) -> None:
        """Draw the tabs, and where in the log the cursor is."""
        right = self.place_cells() if self.tab == "log" else []
        self.query_one("#tabs", LineBox).show(self.tab_cells(), right=right)

    def place(self) -> Place:
        """Return the run with its tab and the row of its log."""
        more: dict[str, Any] = {}
        if self.view.rows and not self.view.follows:
            more["row"] = self.view.row_of(self.view.cursor)
        return Place("run", self.run_id, self.tab, more)

    # --- reading

    def changed(self, changes: list[tuple[str, str, str]]) -> None:
        """Read again what is about this run."""
        if any(one == self.run_id for _, one, _ in changes):
            self.load()

    def load(self) -> None:
        """Read the run as it is stored; the application moves it on."""
        services, run = self.services, self.run_id

        def read() -> tuple[Mapping[str, Any], Sequence[str]]:
            shown = services.runs.stored(run)
            row = services.windows.runs_by_id([run]).get(run)
            return shown, row["may"] if row else ()

        self.ask(f"run {run}", read, lambda found: self._take(*found), group="run")

    def _take(self, run: Mapping[str, Any], may: Sequence[str]) -> None:
        self.run, self.rights = run, may
        started = run["started_at"] or run["queued_at"]
        way = Way(
            self.view.way.times, self.view.way.search, self.shell.now(), parse_instant(started)
        )
        self.view.way = way
        look, wide = self.look(), max(40, self.size.width - 2)
        self.query_one("#timeline", LinesView).show(list(run_page.timeline(run, look, wide)))
        self.query_one("#side", LinesView).show(list(run_page.timeline(run, look, 48)))
        self.query_one("#inputs", LinesView).show(list(run_page.inputs(run, look)))
        self.query_one("#result", LinesView).show(self._result(run, wide))
        self.draw_pods()
        self.ask_pods()
        row = self.opened.more.get("row")
        self.open_log(at=row if isinstance(row, int) else None)
        self.draw_frame()

    def _result(self, run: Mapping[str, Any], wide: int) -> list[tuple[Cell, ...]]:
        lines: list[tuple[Cell, ...]] = []
        for statement in (run["result"] or {}).get("statements", ()):
            lines += run_page.result(statement, self.look(), wide, rows_shown=RESULT_ROWS)
            lines.append(())
        if not lines:
            ended = run["state"] in TERMINAL
            text = "It gave no rows." if ended else "There is no result before it ends."
            lines = [(Cell(text, "dim"),)]
        return lines

    def log_state(self) -> str:
        """Return the run's state."""
        return str(self.run["state"]) if self.run else ""

    # --- tabs

    def turn(self, tab: str) -> None:
        """Show a tab."""
        self.tab = tab
        for name in self.TABS:
            self.query_one(f"#{name}").display = name == tab
        self.set_focus(self.view if tab == "log" else None)
        self.ask_pods()
        self.draw_frame()

    def footer_acts(self) -> tuple[str, ...]:
        """Return the acts of the tab."""
        if self.tab == "log":
            return self.FOOTER
        return (
            "app.help",
            "tabs.next",
            "run.compare",
            "run.again",
            "run.cancel",
            "run.version",
            "job.edit",
            "app.palette",
        )

    def verdict(self, action: Action) -> bool | None:
        """Hide the log's acts on other tabs; dim what may not be done."""
        if self.tab != "log" and (action.scope == "log" or action.id == "list.open"):
            return False
        if action.id == "run.cancel":
            if self.run is not None and self.run["state"] in TERMINAL:
                return False
            return True if self.rights is None or "cancel" in self.rights else None
        if action.id == "run.node_off":
            attempts = (self.run or {}).get("attempts", ())
            if not any(one["reason"] == "node_lost" for one in attempts):
                return False
        if action.id == "run.again" and (self.run is None or self.run["state"] not in TERMINAL):
            return False
        return super().verdict(action)

    def back(self) -> bool:
        """Close the search's line, then drop the search."""
        return self.close_search() if self.query("FilterBar") else self.drop_search()

    def step(self, name: str) -> None:
        """Move in the log, or scroll the tab."""
        if self.tab == "log":
            super().step(name)
        else:
            self.query_one(f"#{self.tab}", LinesView).step(name)

    # --- acts

    def job_name(self) -> str:
        """Return the job."""
        return str(self.run["job"]) if self.run else ""

    def last_run_id(self) -> str:
        """Return this run."""
        return self.run_id

    def may(self) -> Sequence[str] | None:
        """Return what may be done to its job."""
        return self.rights

    def run_rows(self) -> Sequence[Mapping[str, Any]]:
        """Return this run."""
        return [self.run] if self.run else []

    def facts(self) -> Mapping[str, str]:
        """Return the names for commands."""
        version = str(self.run["version"] or "") if self.run else ""
        return {"run": self.run_id, "job": self.job_name(), "version": version}

    def copyable(self) -> str:
        """Return the line under the cursor, or the reason."""
        if self.run is None:
            return self.run_id
        line = self.view.current if self.tab == "log" and self.view.is_touched else None
        if line is not None:
            return log_lines.plain(line)
        told = f"{self.run['job']} {columns.version(self.run)} run {self.run_id}"
        return f"{told} {failure.told(self.run)}"

    def failed_run(self) -> str:
        """Return this run, if it failed at a known place."""
        found = self.run and self.run["failure"]
        return self.run_id if found and found["place"] else ""

    def action_run_exact(self) -> None:
        """Run exactly what ran."""
        from quarterdeck.tui import starting

        runs, run = self.services.runs, self.run_id
        self.ask(
            "the new run",
            lambda: runs.dispatch(runs.rerun_exactly(run)["id"]),
            partial(starting.started, self),
        )

    def action_run_node_off(self) -> None:
        """Ask, then say that nothing of the attempt that is shown runs on its lost node any more."""
        from quarterdeck.tui.widgets.dialog import Choice, Dialog

        attempts = (self.run or {}).get("attempts", ())
        lost = next((a for a in reversed(attempts) if a["reason"] == "node_lost"), None)
        if lost is None:
            self.say("no attempt of this run was lost with its node", "dim", keep=False)
            return
        number = int(lost["number"])
        lines = [
            (Cell(inert.line(f"Attempt {number} may still run on {lost['object']}.")),),
            (Cell("If it does, two run at the same time. It is kept that you said it."),),
        ]
        choices = [Choice("off", "It is off", "y")]
        dialog = Dialog("Is the machine off?", lines, choices, harmful=True)

        def done(answer: Answer | None) -> None:
            if answer is not None:
                self._go_on(number)

        self.app.push_screen(dialog, done)

    def _go_on(self, attempt: int) -> None:
        runs, run = self.services.runs, self.run_id

        def go_on() -> Mapping[str, Any]:
            return runs.dispatch(runs.retry(run, node_off=True, attempt=attempt)["id"])

        self.ask("the next attempt", go_on, self._went_on)

    def _went_on(self, run: Mapping[str, Any]) -> None:
        """Stay where the same run goes on; a run that had ended is followed by another."""
        from quarterdeck.tui import starting

        if run["id"] != self.run_id:
            starting.started(self, run)
            return
        self.say(f"run {run['id']} goes on: {run['state']}", "good")
        self.load()

    def action_run_compare(self) -> None:
        """Compare with the last good run of the job."""
        self.open("compare", self.run_id)

    def action_run_version(self) -> None:
        """Show the text and the settings that it executed, whatever became of the job since."""
        runs, run = self.services.runs, self.run_id
        self.ask("what it executed", lambda: runs.executed(run), self._show_executed)

    def _show_executed(self, executed: Mapping[str, Any]) -> None:
        frozen = (self.run or {}).get("frozen")
        name = "draft" if executed["draft"] else f"v{executed['version']}"
        title = f"{name} of {inert.line(executed['job'])}, as run {self.run_id} took it"
        self.shell.panel(title, list(run_page.executed(executed, frozen)))
