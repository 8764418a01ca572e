"""The pods of a run: asked while they are looked at, and again every few seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.states import TERMINAL
from quarterdeck.present import pods
from quarterdeck.present.table import Cell
from quarterdeck.tui.page import Page
from quarterdeck.tui.widgets.lines import LinesView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quarterdeck.present.table import Line

PODS_S: Final = 3.0


class PodsTab(Page):
    """A page gives `run_id`, `run` and `tab`; its tab `pods` is a LinesView of that name."""

    run_id: str
    run: Mapping[str, Any] | None
    tab: str

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._made_of: Mapping[str, Any] | None = None
        self._no_pods = ""

    def on_mount(self) -> None:
        """Ask again every few seconds, as long as the tab is looked at."""
        self.set_interval(PODS_S, self.ask_pods)

    def ask_pods(self) -> None:
        """Ask the cluster, if the tab is in sight."""
        if self.tab != "pods" or not self.is_in_front or self.run is None:
            return
        parts, run = self.services.parts, self.run_id
        self.ask(
            "the run's pods", lambda: parts.of(run), self._take_pods, group="pods",
            failed=self._no_answer, is_left=False,
        )  # fmt: skip

    def _take_pods(self, found: Mapping[str, Any]) -> None:
        self._made_of, self._no_pods = found, ""
        self.draw_pods()

    def _no_answer(self, error: BaseException) -> None:
        self._no_pods = getattr(error, "message", None) or str(error)
        self.draw_pods()

    def draw_pods(self) -> None:
        """Draw what is known, and since when nothing newer is."""
        run, look = self.run, self.look()
        lines: list[Line] = []
        if self._no_pods:
            lines += [(Cell(self._no_pods, "bad"),), ()]
        if self._made_of is not None and run is not None:
            wide = max(40, self.size.width - 2)
            waiting = run["waiting_for"]
            fact = f"{waiting['what']}: {waiting['last_fact']}" if waiting else ""
            ended = run["state"] in TERMINAL
            lines += pods.lines(self._made_of, look, wide, has_ended=ended, last_fact=fact)
        elif not self._no_pods:
            lines.append((Cell("asking the cluster …", "dim"),))
        self.query_one("#pods", LinesView).show(lines)
