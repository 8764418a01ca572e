"""From a run that failed to its text, with the cursor where it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quarterdeck.present import failure, inert
from quarterdeck.tui.place import Place

if TYPE_CHECKING:
    from quarterdeck.model.shown import Fix
    from quarterdeck.tui.page import Page

BEFORE: Final = 5  # lines of the text that stand above the place


def fix(page: Page, run: str) -> None:
    """Open what the run failed in: draft, saved query, or what ran; of what lies elsewhere say why not."""

    def opened(found: Fix) -> None:
        if found.kind == "none":
            page.say(found.why, "bad", keep=False)
        elif found.kind == "text":
            _show(page, found)
        else:
            more = {"line": found.line, "column": found.column} if found.line else {}
            page.shell.open(Place(found.kind, found.name, "", more))

    page.ask("where it failed", lambda: page.services.runs.fix(run), opened)


def _show(page: Page, found: Fix) -> None:
    """Show the run's own text, which is not to be edited any more."""
    from quarterdeck.tui.widgets.panel import Panel

    title = f"Read-only, {inert.line(found.why)}: {inert.line(found.name)} as it ran"
    lines = list(failure.numbered(found.text, found.line, found.column))
    page.app.push_screen(Panel(title, lines, at=max(0, found.line - BEFORE)))
