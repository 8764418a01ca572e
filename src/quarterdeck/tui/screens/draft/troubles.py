"""Problems of a draft as its page shows them: those of the text at their line. A part of the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from quarterdeck.tui.widgets.editor import CodeEditor
from quarterdeck.tui.widgets.problem_strip import ProblemStrip, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quarterdeck.model import draft
    from quarterdeck.model.errors import Problem
    from quarterdeck.tui.page import Page
    from quarterdeck.tui.widgets.spec_sheet import SpecSheet

TEXT: Final = "spec.source.text"
_PLACE: Final = re.compile(r"line (\d+)(?:, column (\d+))?(?:: )?")


def as_troubles(found: Sequence[Problem], warnings: Sequence[Problem]) -> list[Trouble]:
    """Return them in the order given, problems first."""
    return [_trouble(one) for one in found] + [_trouble(one, is_warning=True) for one in warnings]


def _trouble(one: Problem, *, is_warning: bool = False) -> Trouble:
    path = one.path.removeprefix("spec.")
    place = _PLACE.search(one.message) if one.path == TEXT else None
    line = int(place[1]) if place else 1 if one.path == TEXT else 0
    column = int(place[2] or 1) if place else 1
    message = one.message[place.end() :] if place and not place.start() else one.message
    return Trouble(path, message, line, column, is_warning)


class Troubles:
    """What is wrong with the draft: in the strip, at its lines, beside its fields; and the way to the next.

    `to_field` goes to the field of a path in the settings.
    """

    def __init__(self, page: Page, to_field: Callable[[str], None]) -> None:
        self._page = page
        self._to_field = to_field
        self._found: Sequence[Trouble] = ()
        self._at = -1

    def show(self, facts: draft.Opened, *, is_own: bool) -> None:
        """Show the problems and warnings of a draft; `is_own`: the text in front is the one they are about."""
        self._found = as_troubles(facts.problems, facts.warnings)
        self._page.query_one(ProblemStrip).show_troubles(self._found)
        lines = [one.line for one in self._found if is_own and one.line and not one.is_warning]
        self._page.query_one(CodeEditor).set_problems(lines)
        for sheet in self._page.query("SpecSheet"):
            cast("SpecSheet", sheet).problems(facts.problems)

    def go_to_next(self) -> None:
        """Put the cursor on the next problem, in the text or in the settings."""
        there = [one for one in self._found if not one.is_warning] or list(self._found)
        if not there:
            self._page.say("no problems", "good", keep=False)
            return
        self._at = (self._at + 1) % len(there)
        one = there[self._at]
        if one.line:
            editor = self._page.query_one(CodeEditor)
            editor.go_to(one.line, one.column)
            editor.focus()
        else:
            self._to_field(one.path)
        self._page.say(f"{one.path}: {one.message}", "bad", keep=False)
