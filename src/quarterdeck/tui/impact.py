"""The question between Save and the save of a definition: which jobs take the edit, and what changes there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from quarterdeck.present import impact

if TYPE_CHECKING:
    from quarterdeck.tui.page import Page
    from quarterdeck.tui.widgets.dialog import Answer

Reach = frozenset[str]
"""Ids of jobs."""


def ask_impact(
    page: Page,
    kind: str,
    name: str,
    document: Mapping[str, Any],
    then: Callable[[Reach], None],
    *,
    failed: Callable[[BaseException], None],
    left: Callable[[], None],
) -> None:
    """Show whom the edit of a definition reaches and call `then` once that is confirmed, with those jobs' ids.

    `name` is a query's id; `document` is what `definitions.edit` is to be given, and the ids as its `reach`. Where
    no job uses it, or nothing of it changes, `then` is called at once. `failed` gets what keeps it from being
    saved; `left` is called where nothing is confirmed, or cannot be asked.
    """

    def read() -> tuple[Reach, Mapping[str, Any]]:
        definitions = page.services.definitions
        reach = definitions.reach(kind, name)  # before: what is shown may be more, never less
        return reach, definitions.impact(kind, name, document)

    def show(found: tuple[Reach, Mapping[str, Any]]) -> None:
        reach, edit = found
        _show(page, kind, name, edit, lambda: then(reach), left)

    page.ask(
        f"the jobs that use {kind} {name}", read, show, group="impact", failed=failed,
        is_left=False,
    )  # fmt: skip


def _show(
    page: Page,
    kind: str,
    name: str,
    found: Mapping[str, Any],
    then: Callable[[], None],
    left: Callable[[], None],
) -> None:
    from quarterdeck.tui.widgets.dialog import Choice, Dialog

    if not page.is_in_front:
        left()
        return
    if not found["changed"] or not (found["jobs"] or found["hidden"]):
        then()
        return

    def done(answer: Answer | None) -> None:
        if answer is not None:
            then()
        else:
            left()

    save = Choice("save", f"Save revision {found['revision'] + 1}", "s")
    title = f"Save {kind} {name}?"
    lines = list(impact.lines(kind, found))
    page.app.push_screen(Dialog(title, lines, [save], harmful=True, opened_by="ctrl+s"), done)
