"""Somebody saved or published meanwhile: base, theirs and mine, and three ways on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from textual.binding import Binding

from quarterdeck.present import inert, job_page
from quarterdeck.present.table import Cell, Line
from quarterdeck.tui.widgets.dialog import Choice
from quarterdeck.tui.widgets.lines import LinesView
from quarterdeck.tui.widgets.menu import Menu


class Conflict(Menu):
    """The answer is `mine` (on top of theirs), `keep` (mine, on its old base), `theirs`, or None.

    `what` says who did what and when, the others what differs from the common base. PgDn and PgUp scroll.
    """

    DEFAULT_CSS = "Conflict #text { max-height: 12; }"
    BINDINGS: ClassVar = [
        Binding("pagedown,ctrl+d", "scroll(10)", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", show=False),
    ]

    def __init__(
        self,
        what: str,
        theirs: Sequence[Mapping[str, Any]],
        mine: Sequence[Mapping[str, Any]],
    ) -> None:
        lines = [
            (Cell(inert.line(what), "bad"), Cell("  PgDn scrolls", "dim")),
            (Cell("Theirs, against what you began from:", "head"),),
            *_told(theirs),
            (Cell("Yours, against what you began from:", "head"),),
            *_told(mine),
        ]
        choices = [
            Choice("mine", "Put mine on top of theirs: what only they changed stays", "m"),
            Choice("keep", "Keep mine as the draft, on its older base", "k"),
            Choice("theirs", "Take theirs; ^z brings my text back", "t"),
        ]
        super().__init__("Somebody else saved meanwhile", choices, lines)

    def action_scroll(self, by: int) -> None:
        """Scroll the differences."""
        self.query_one("#text", LinesView).move(by)


def _told(found: Sequence[Mapping[str, Any]]) -> Iterable[Line]:
    return job_page.differences(found) if found else [(Cell("  nothing differs", "dim"),)]


def lay_over(
    base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return their spec with all that I changed since the base laid over it; a source is one thing."""
    whole = dict(theirs)
    for key in {**base, **mine}:
        was, now, other = base.get(key), mine.get(key), theirs.get(key)
        if was == now:
            continue
        if key not in mine:
            whole.pop(key, None)
        elif key != "source" and isinstance(now, Mapping) and isinstance(other, Mapping):
            whole[key] = lay_over(was if isinstance(was, Mapping) else {}, now, other)
        else:
            whole[key] = now
    return whole
