"""Somebody saved or published meanwhile: base, theirs and mine, and three ways on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding

from quarterdeck.present import inert, job_page
from quarterdeck.present.table import Cell, Line
from quarterdeck.tui.widgets.dialog import DEAF_S, Choice
from quarterdeck.tui.widgets.lines import LinesView
from quarterdeck.tui.widgets.menu import Menu

if TYPE_CHECKING:
    from textual import events


class Conflict(Menu):
    """The answer is `mine` (on top of theirs), `keep` (mine, on its old base), `theirs`, or None.

    `what` says who did what and when, the others what differs from the common base. PgDn and PgUp scroll. It may
    come unasked, so nothing is taken by keys that were meant for the text.
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
        self._since = time.monotonic()

    @property
    def _is_deaf(self) -> bool:
        return time.monotonic() - self._since < DEAF_S

    def action_take(self) -> None:
        """Take the choice under the cursor."""
        if not self._is_deaf:
            super().action_take()

    def on_key(self, event: events.Key) -> None:
        """Take a choice by its letter."""
        if self._is_deaf:
            event.stop()
            event.prevent_default()

    def action_scroll(self, by: int) -> None:
        """Scroll the differences."""
        self.query_one("#text", LinesView).move(by)


def _told(found: Sequence[Mapping[str, Any]]) -> Iterable[Line]:
    return job_page.differences(found) if found else [(Cell("  nothing differs", "dim"),)]
