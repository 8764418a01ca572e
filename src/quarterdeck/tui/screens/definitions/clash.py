"""A saved query that is not as it was when somebody began to edit it: saved by others, or lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.errors import NotFoundError
from quarterdeck.present import inert, job_page
from quarterdeck.present.table import Cell
from quarterdeck.tui import problems
from quarterdeck.tui.unsaved import keep_in_files
from quarterdeck.tui.widgets.dialog import Choice, Dialog

if TYPE_CHECKING:
    from quarterdeck.model.errors import StaleError
    from quarterdeck.tui.shell import Shell

Row = Mapping[str, Any]
FIELDS: Final = ("name", "team", "text")


def clash(name: str, error: StaleError, mine: Mapping[str, str], theirs: Row, edit: Row) -> Dialog:
    """Return the question which of two it is to be; `edit` says what mine would change of theirs."""
    head = f"From revision {theirs['revision']} by {inert.line(theirs['author'])} to yours:"
    named = [
        {"path": one, "a": theirs[one], "b": mine[one]}
        for one in FIELDS[:2]
        if theirs[one] != mine[one]
    ]
    lines = [
        *problems.lines(error), (), (Cell(head),),
        *job_page.differences([*named, *edit["changed"]]),
    ]  # fmt: skip
    choices = [Choice("mine", "Save mine over it", "m"), Choice("theirs", "Take theirs", "t")]
    title = f"Somebody saved {name} meanwhile"
    return Dialog(title, lines, choices, harmful=True, opened_by="ctrl+s")


def keep_if_lost(shell: Shell, key: tuple[str, str], text: str) -> None:
    """Keep a text in a file if its query is gone, or another team's, so that there is no way back to it."""
    name = key[1]

    def work() -> None:
        try:
            is_lost = shell.services.definitions.why_not("query", name, "edit") is not None
        except NotFoundError:
            is_lost = True
        if is_lost:
            keep_in_files(shell, key, name, {".sql": text})

    shell.calls.submit(work)
