"""Somebody saved or published meanwhile: base, theirs and mine, and three ways on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from textual.binding import Binding

from quarterdeck.present import inert, job_page
from quarterdeck.present.table import Cell
from quarterdeck.tui.widgets.dialog import Choice
from quarterdeck.tui.widgets.lines import LinesView
from quarterdeck.tui.widgets.menu import Menu


class Conflict(Menu):
    """The answer is `mine` (on top of theirs), `keep` (mine, on its old base), `theirs`, or None.

    `what` says who did what and when; the specs are in file form. PgDn and PgUp scroll the differences.
    """

    DEFAULT_CSS = "Conflict #text { max-height: 12; }"
    BINDINGS: ClassVar = [
        Binding("pagedown,ctrl+d", "scroll(10)", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", show=False),
    ]

    def __init__(
        self,
        what: str,
        base: Mapping[str, Any],
        theirs: Mapping[str, Any],
        mine: Mapping[str, Any],
    ) -> None:
        lines = [
            (Cell(inert.line(what), "bad"), Cell("  PgDn scrolls", "dim")),
            (Cell("Theirs, against what you began from:", "head"),),
            *job_page.differences(_differences(base, theirs)),
            (Cell("Yours, against what you began from:", "head"),),
            *job_page.differences(_differences(base, mine)),
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


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what differs by path, texts line by line; small, for the eye."""
    import difflib

    found: list[dict[str, Any]] = []
    for path, left, right in _leaves(a, b, ""):
        one: dict[str, Any] = {"path": path, "a": left, "b": right}
        if isinstance(left, str) and isinstance(right, str) and "\n" in left + right:
            one["lines"] = list(
                difflib.unified_diff(left.split("\n"), right.split("\n"), lineterm="")
            )
        found.append(one)
    return found or [{"path": "nothing differs", "a": None, "b": None}]


def _leaves(a: Mapping[str, Any], b: Mapping[str, Any], prefix: str) -> list[tuple[str, Any, Any]]:
    found: list[tuple[str, Any, Any]] = []
    for key in [*a, *(key for key in b if key not in a)]:
        left, right = a.get(key), b.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            found += _leaves(left, right, f"{prefix}{key}.")
        elif left != right:
            found.append((f"{prefix}{key}", left, right))
    return found
