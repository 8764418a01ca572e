"""Pages to move about in: the keys of lists and texts, and tabs with the way to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from quarterdeck.present.table import Cell
from quarterdeck.tui.page import Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Moving(Page):
    """A page gives `step`: what a key of `actions.MOVES` moves there."""

    def step(self, name: str) -> None:
        """Move by one step; `widgets.steps` knows the names."""
        raise NotImplementedError

    def action_list_down(self) -> None:
        """One line down."""
        self.step("down")

    def action_list_up(self) -> None:
        """One line up."""
        self.step("up")

    def action_list_top(self) -> None:
        """To the first line."""
        self.step("top")

    def action_list_bottom(self) -> None:
        """To the last line."""
        self.step("bottom")

    def action_list_half_down(self) -> None:
        """Half a page down."""
        self.step("half_down")

    def action_list_half_up(self) -> None:
        """Half a page up."""
        self.step("half_up")

    def action_list_page_down(self) -> None:
        """A page down."""
        self.step("page_down")

    def action_list_page_up(self) -> None:
        """A page up."""
        self.step("page_up")


class Tabbed(Page):
    """A page gives TABS and `turn`; `tab` is the one that is shown."""

    TABS: ClassVar[Sequence[str]] = ()
    tab: str

    def turn(self, tab: str) -> None:
        """Show a tab."""
        raise NotImplementedError

    def tab_cells(self, told: Mapping[str, str] | None = None) -> list[Cell]:
        """Return one cell per tab, each with what is told of it behind its word."""
        cells = []
        for name in self.TABS:
            word = name.capitalize() + (told or {}).get(name, "")
            here = name == self.tab
            cells.append(Cell(f"[{word}] " if here else f" {word}  ", "head" if here else "dim"))
        return cells

    def action_tabs_next(self) -> None:
        """To the tab on the right."""
        self._turn_by(1)

    def action_tabs_prev(self) -> None:
        """To the tab on the left."""
        self._turn_by(-1)

    def _turn_by(self, by: int) -> None:
        self.turn(self.TABS[(self.TABS.index(self.tab) + by) % len(self.TABS)])
