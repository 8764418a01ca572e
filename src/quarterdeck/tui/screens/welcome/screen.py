"""Where there is no workspace yet: what can be made here, and the key that makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from quarterdeck.present import inert
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions
from quarterdeck.tui.page import Page
from quarterdeck.tui.widgets.lines import LinesView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult


class WelcomePage(Page):
    """The place's name is the folder where the workspace would be."""

    BINDINGS = actions.bindings("list.new")
    FOOTER: ClassVar = ("list.new", "app.help", "app.palette", "app.quit")

    def verdict(self, action: actions.Action) -> bool | None:
        """Offer no view: there is nothing to look at yet."""
        return not action.id.startswith("app.view_") and super().verdict(action)

    def body(self) -> ComposeResult:
        """Yield what can be done."""
        where = inert.line(self.opened.name)
        yield LinesView(
            [
                (),
                (Cell("  There is no workspace here yet.", "head"),),
                (),
                (Cell("  i  ", "key"), Cell(f"makes one in {where}")),
                (
                    Cell(
                        "     you are its org admin; with a team, the cluster `local`, a catalog",
                        "dim",
                    ),
                ),
                (
                    Cell(
                        "     and a profile, so that a job can be saved and run immediately", "dim"
                    ),
                ),
                (),
                (
                    Cell("  q  ", "key"),
                    Cell("leaves; then `quarterdeck demo` makes a workspace with samples"),
                ),
                (Cell("     and real data in a folder of its own", "dim"),),
                (),
                (
                    Cell(
                        "  Another folder: quarterdeck --store FOLDER, or QUARTERDECK_STORE.",
                        "dim",
                    ),
                ),
            ],
            id="body",
        )

    def crumb(self) -> tuple[list[Cell], list[Cell]]:
        """Return where this is."""
        return [Cell("Welcome", "head")], []

    def facts(self) -> Mapping[str, str]:
        """Return nothing: there is nothing yet."""
        return {}

    def action_list_new(self) -> None:
        """Make the workspace."""
        self.ask("a workspace", self.shell.make_workspace, lambda _: self.shell.workspace_made())

    def fail(self, error: BaseException) -> None:
        """Say why none could be made."""
        from quarterdeck.tui import problems

        self.shell.panel(problems.title(error), list(problems.lines(error)))
