"""The command palette: every act of the page by name, and a jump to any job or run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.fuzzy import Matcher

from quarterdeck.present import inert
from quarterdeck.present.table import Cell
from quarterdeck.tui import marks
from quarterdeck.tui.help import BOX, Filtered, acts_of
from quarterdeck.tui.widgets.lines import LinesView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from quarterdeck.present.table import Line
    from quarterdeck.tui.base import BasePage
    from quarterdeck.tui.shell import Shell

PLACES_SHOWN = 20


class Entry(NamedTuple):
    """One line of the palette: what it is called, what it does, and how."""

    name: str
    help: str
    act: Callable[[], object]


class Palette(Filtered):
    """Type words, up and down choose, Enter does it."""

    DEFAULT_CSS = BOX.replace("{name}", "Palette")
    TITLE: ClassVar[str | None] = "Commands, jobs, runs"

    def __init__(self, page: BasePage) -> None:
        super().__init__(page)
        page.remember()
        self._acts = _acts(page)
        self._places: list[Entry] = []

    def found(self) -> list[Entry]:
        """Return what holds the words, then places of that name, then acts that are like it."""
        if not self.wanted:
            return self._acts
        matcher = Matcher(self.wanted)
        named = [one for one in self._acts if self.wanted in one.name or self.wanted in one.help]
        scored = [(matcher.match(one.name), one) for one in self._acts if one not in named]
        like = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])
        return [*named, *self._places, *(one for _, one in like)]

    def lines(self) -> Iterator[Line]:
        """Yield one line per entry."""
        for place, one in enumerate(self.found()):
            is_here = place == self.at
            bar = ">" if is_here else " "
            yield (
                Cell(f"{bar} {one.name:<26} ", "match" if is_here else ""),
                Cell(one.help, "dim"),
            )

    def retyped(self) -> None:
        """Look for jobs and runs of that name."""
        wanted, shell = self.typed.strip(), self.page.shell
        self._places = []
        if wanted and shell.is_open:
            look = partial(_places, shell, wanted)
            self.page.ask("jobs and runs", look, partial(self._take, wanted), group="palette")

    def _take(self, wanted: str, found: list[tuple[str, str, str]]) -> None:
        if not self.is_current or wanted != self.typed.strip():
            return
        opening = self.page.open
        self._places = [
            Entry(label, f"open {kind}", partial(opening, kind, name))
            for kind, name, label in found
        ]
        self.draw()

    def action_scroll(self, by: int) -> None:
        """Choose another one."""
        self.at = max(0, min(len(self.found()) - 1, self.at + by))
        self.draw()
        view = self.query_one("#text", LinesView)
        top = view.scroll_offset.y
        if not top <= self.at < top + view.page:
            view.go_to(max(0, self.at - view.page + 1) if self.at >= top else self.at)

    def action_take(self) -> None:
        """Do what is chosen."""
        found = self.found()
        self.dismiss(None)
        if found:
            self.app.call_later(self._do, found[min(self.at, len(found) - 1)].act)

    def action_leave(self) -> None:
        """Do nothing."""
        super().action_leave()
        self.page.forget()

    def _do(self, act: Callable[[], object]) -> None:
        """Do it with what the page showed when the palette was opened over it."""
        act()
        self.page.forget()


def _acts(page: BasePage) -> list[Entry]:
    found = []
    for action in acts_of(page):
        if action.scope == "list" and action.id not in (
            "list.new",
            "list.filter",
            "list.sort",
            "list.problems",
        ):
            continue
        if action.id in ("app.back", "app.palette"):
            continue
        if page.check_action(action.method, ()) is None:
            act: Callable[[], object] = partial(marks.refuse, page, action)
        else:
            act = getattr(page, f"action_{action.method}", None) or page.shell.action_app_quit
        key = page.shell.key_of(action.id)
        found.append(
            Entry(f"{action.label.lower()}{f' ({key})' if key else ''}", action.help, act)
        )
    return found


def _places(shell: Shell, wanted: str) -> list[tuple[str, str, str]]:
    """Return kind, name and label of the jobs whose name holds the words, and of the run with that id."""
    from quarterdeck.model.errors import QuarterdeckError
    from quarterdeck.service.windows import JobsShown

    services = shell.services
    rows = services.windows.jobs(JobsShown(text=wanted, order="name"), 0, PLACES_SHOWN)
    found = [("job", str(row["name"]), f"job {inert.line(row['name'])}") for row in rows]
    if wanted.startswith("r") and wanted.isalnum() and len(wanted) > 10:  # noqa: PLR2004  # a run's id is longer
        try:
            run = services.runs.get(wanted)
        except QuarterdeckError:
            return found
        found.append(("run", run.id, f"run {run.id} of {inert.line(run.job_name)}"))
    return found
