"""The question between Save and the save of a definition: which jobs take the edit, and what changes there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from quarterdeck.present import impact

if TYPE_CHECKING:
    from quarterdeck.tui.page import Page
    from quarterdeck.tui.widgets.dialog import Answer


def ask_impact(
    page: Page,
    kind: str,
    name: str,
    document: Mapping[str, Any],
    then: Callable[[], None],
    *,
    failed: Callable[[BaseException], None] | None = None,
    left: Callable[[], None] | None = None,
) -> None:
    """Show whom the edit of a definition reaches and call `then` once that is confirmed.

    `name` is a query's id; `document` is what `definitions.edit` is to be given. Where no job uses it, or nothing
    of it changes, `then` is called at once. `failed` gets what keeps it from being saved; without it the page
    shows that. `left` is called where nothing is confirmed, or cannot be asked.
    """
    page.ask(
        f"the jobs that use {kind} {name}",
        lambda: page.services.definitions.impact(kind, name, document),
        lambda found: _show(page, kind, name, found, then, left),
        group="impact",
        failed=failed,
        is_left=False,
    )


def _show(
    page: Page,
    kind: str,
    name: str,
    found: Mapping[str, Any],
    then: Callable[[], None],
    left: Callable[[], None] | None,
) -> None:
    from quarterdeck.tui.widgets.dialog import Choice, Dialog

    if not page.is_in_front:
        if left is not None:
            left()
        return
    if not found["changed"] or not (found["jobs"] or found["hidden"]):
        then()
        return

    def done(answer: Answer | None) -> None:
        if answer is not None:
            then()
        elif left is not None:
            left()
        else:
            page.say("not saved; what you typed is here")

    save = Choice("save", f"Save revision {found['revision'] + 1}", "s")
    title = f"Save {kind} {name}?"
    lines = list(impact.lines(kind, found))
    page.app.push_screen(Dialog(title, lines, [save], harmful=True, opened_by="ctrl+s"), done)
