"""Two runs beside each other: only what differs; what is equal is counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from quarterdeck.present import inert, job_page
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions
from quarterdeck.tui.moving import Moving
from quarterdeck.tui.place import Place
from quarterdeck.tui.widgets.lines import LinesView

if TYPE_CHECKING:
    from textual.app import ComposeResult


class ComparePage(Moving):
    """The place's name is one run; `more["other"]` the other, else the last good one of the same job."""

    BINDINGS = actions.bindings(*actions.MOVES)
    FOOTER: ClassVar = ("app.help", "list.down", "list.up", "app.copy", "app.palette")

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.other = str(place.more.get("other", ""))
        self.found: Mapping[str, Any] | None = None

    def body(self) -> ComposeResult:
        """Yield the differences."""
        self.view = LinesView(id="body")
        yield self.view

    def crumb(self) -> tuple[list[Cell], list[Cell]]:
        """Return which two."""
        left = [
            Cell("Compare ", "head"),
            Cell(inert.line(self.other) or "the last good run", "del"),
        ]
        return [*left, Cell("  with  "), Cell(inert.line(self.opened.name), "add")], []

    def place(self) -> Place:
        """Return both."""
        return Place("compare", self.opened.name, "", {"other": self.other} if self.other else {})

    def load(self) -> None:
        """Read both, and what differs."""
        services, run, other = self.services, self.opened.name, self.other

        def read() -> tuple[str, Mapping[str, Any] | None]:
            known = other or services.runs.last_good(run)
            return known, services.runs.compare(known, run) if known else None

        self.ask("both runs", read, self._take, group="compare")

    def _take(self, answer: tuple[str, Mapping[str, Any] | None]) -> None:
        self.other, self.found = answer
        if self.found is None:
            self.view.show(
                [
                    (
                        Cell(
                            "No other run of this job has succeeded yet. Mark one in the runs and press c.",
                            "dim",
                        ),
                    )
                ]
            )
        else:
            lines = list(job_page.compared(self.found))
            self.view.show(
                [*lines, (), (Cell(f"{self.found['equal_count']} parts are equal.", "dim"),)]
            )
        self.draw_frame()

    def facts(self) -> Mapping[str, str]:
        """Return the names for commands."""
        return {"run": self.other, "other": self.opened.name}

    def copyable(self) -> str:
        """Return what differs."""
        return self.view.text

    def step(self, name: str) -> None:
        """Scroll."""
        self.view.step(name)
