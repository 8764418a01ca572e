"""Somebody saved or published meanwhile: base, theirs and mine, and three ways on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quarterdeck.present import inert, job_page
from quarterdeck.present.table import Cell
from quarterdeck.tui.widgets.dialog import Choice
from quarterdeck.tui.widgets.menu import Menu


class Conflict(Menu):
    """The answer is `mine` (on top of what is live), `keep` (mine, on its old base), `theirs`, or None."""

    def __init__(
        self, base: Mapping[str, Any], theirs: Mapping[str, Any], mine: Mapping[str, Any]
    ) -> None:
        who = inert.line(str(theirs["author"] or "somebody"))
        at = str(theirs["at"] or "")[:19]
        lines = [
            (
                Cell(
                    f"{who} saved or published at {at}; live is v{theirs['live_version']}.", "bad"
                ),
            ),
            (Cell("Theirs, against what you began from:", "head"),),
            *job_page.differences(_differences(base, theirs["spec"])),
            (Cell("Yours, against what you began from:", "head"),),
            *job_page.differences(_differences(base, mine)),
        ]
        choices = [
            Choice("mine", "Put mine on top: base it on what is live now", "m"),
            Choice("keep", "Keep mine as the draft, on its older base", "k"),
            Choice("theirs", "Take theirs; mine is gone", "t"),
        ]
        super().__init__("Somebody else saved meanwhile", choices, lines)


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
