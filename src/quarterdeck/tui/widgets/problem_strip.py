"""The lines under an editor that say what is wrong with what it holds: three of them, the rest counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from quarterdeck.present import inert
from quarterdeck.present.table import Cell
from quarterdeck.tui.widgets.frame import LineBox

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST: Final = 3


class Trouble(NamedTuple):
    """One thing to mend, or to know: where (a path, or a line of the text) and what; `line` 0 is no line."""

    path: str
    message: str
    line: int = 0
    column: int = 1
    is_warning: bool = False


class ProblemStrip(LineBox):
    """At most three lines; nothing is wrong: none."""

    DEFAULT_CSS = "ProblemStrip { height: auto; }"

    def show_troubles(self, troubles: Sequence[Trouble]) -> None:
        """Show them, problems before warnings."""
        self.display = bool(troubles)
        shown = sorted(troubles, key=lambda one: one.is_warning)
        lines = [_line(one) for one in shown[: MOST if len(shown) <= MOST else MOST - 1]]
        if len(shown) > MOST:
            lines.append([Cell(f"  and {len(shown) - len(lines)} more", "dim")])
        self.show(*lines)


def _line(one: Trouble) -> list[Cell]:
    tone = "warn" if one.is_warning else "bad"
    where = f"line {one.line}: " if one.line else f"{one.path}: " if one.path else ""
    mark = Cell("? " if one.is_warning else "! ", tone)
    return [mark, Cell(inert.line(where), "head"), Cell(inert.line(one.message))]
