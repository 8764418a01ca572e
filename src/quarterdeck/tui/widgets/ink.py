"""Tones to terminal styles: the one place where a theme's colours meet the words that `present` gives.

Which colours a theme has is in `themes/*.toml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from quarterdeck.present import table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import App
    from textual.widget import Widget

    from quarterdeck.present.table import Cell

TONES: Final = {
    "": "foreground",
    "good": "state-succeeded",
    "bad": "state-failed",
    "busy": "state-running",
    "wait": "state-pending",
    "dim": "foreground-muted",
    "head": "foreground",
    "key": "accent",
    "add": "diff-add",
    "del": "diff-del",
    "error": "log-error",
    "warn": "log-warn",
    "gap": "log-gap",
    "match": "accent",
}
"""Each tone and the theme variable that colours it."""
_BOLD: Final = frozenset({"head", "bad", "key", "error"})
_REVERSE: Final = frozenset({"match"})
CURSOR: Final = "boost"
CARET: Final = "block-cursor-background"
_TURNED: Final = frozenset({"panel", CURSOR, CARET})
"""Grounds that are told by reversed colours where there are none of a theme."""


class Ink:
    """The styles of one theme; the same tone is the same style object, so equal runs of text join."""

    def __init__(self, variables: Mapping[str, str], *, colourless: bool) -> None:
        self._variables = variables
        self._colourless = colourless
        self._kept: dict[tuple[str, str], Style] = {}

    def style(self, tone: str, on: str = "background") -> Style:
        """Return the style of a tone on a ground: background, surface, panel, CURSOR (a row) or CARET (a cell).

        An unknown tone is a KeyError.
        """
        known = self._kept.get((tone, on))
        if known is None:
            known = self._kept[tone, on] = self._make(tone, on)
        return known

    def _make(self, tone: str, on: str) -> Style:
        bold = tone in _BOLD
        if self._colourless:
            return Style(
                bold=bold or None,
                dim=tone == "dim" or None,
                reverse=on in _TURNED or tone in _REVERSE or None,
                underline=(tone in _REVERSE and on in _TURNED) or None,
            )
        if on == CARET:
            found = self._variables
            return Style(
                color=_colour(found.get("block-cursor-foreground")),
                bgcolor=_colour(found.get(CARET)),
                bold=bold or None,
                underline=tone in _REVERSE or None,
            )
        colour = _colour(self._variables.get(TONES[tone]) or self._variables.get("foreground"))
        return Style(
            color=colour,
            bgcolor=_colour(self._variables.get(on)),
            bold=bold or None,
            reverse=tone in _REVERSE or None,
        )

    def strip(self, cells: Iterable[Cell], width: int, on: str = "background") -> Strip:
        """Return one line of exactly `width` columns: inert cells in their tones, cut or filled with blanks."""
        segments: list[Segment] = []
        left = width
        for cell in cells:
            if left <= 0 or not cell.text:
                continue
            text = cell.text
            taken = table.width(text)
            if taken > left:
                text = table.cut(text, left)
                taken = table.width(text)
            left -= taken
            style = self.style(cell.tone, on)
            if segments and segments[-1].style is style:
                text = segments.pop().text + text
            segments.append(Segment(text, style))
        if left > 0:
            style = self.style("", on)
            if segments and segments[-1].style is style:
                segments.append(Segment(segments.pop().text + " " * left, style))
            else:
                segments.append(Segment(" " * left, style))
        return Strip(segments, width)


_made: WeakKeyDictionary[App[object], tuple[object, Ink]] = WeakKeyDictionary()


def of(widget: Widget) -> Ink:
    """Return the ink of the theme in force; made once per theme."""
    app = widget.app
    theme = app.current_theme
    known = _made.get(app)
    if known is None or known[0] is not theme:
        colourless = theme.ansi or app.no_color
        known = _made[app] = theme, Ink(app.theme_variables, colourless=colourless)
    return known[1]


def _colour(value: str | None) -> str | None:
    """Return what rich reads: hex as it is; Textual's `ansi_…` and `auto` colours are left to the terminal."""
    if value is None or not value.startswith("#"):
        return None
    return value[:7]
