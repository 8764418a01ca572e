"""A page: the base with the acts that are the same everywhere. Those of one noun are `acts` or a page's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarterdeck.tui import actions, overlays
from quarterdeck.tui.base import BasePage
from quarterdeck.tui.place import VIEWS

if TYPE_CHECKING:
    from collections.abc import Collection

    from quarterdeck.tui.messages import Changed
    from quarterdeck.tui.place import Place


class Page(BasePage):
    """What every page can do."""

    BINDINGS = actions.bindings(
        *(one for one in actions.GLOBAL if one not in ("app.palette", "app.quit"))
    )

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._told: list[tuple[str, str, str]] = []  # changes that nobody has looked at yet

    # --- the feed

    def on_changed(self, message: Changed) -> None:
        """Read again if something that the page watches was written; under another page, once that is left."""
        message.stop()
        self._told += [one for one in message.changes if one[0] in self.WATCHES]
        self._catch_up()

    def on_screen_resume(self) -> None:
        """Read what was written meanwhile."""
        self._catch_up()

    def _catch_up(self) -> None:
        if self._told and self.shell.pages[-1] is self:
            told, self._told = self._told, []
            self.changed(told)

    # --- what every page can do

    def acted(self, marks: Collection[Any]) -> None:
        """Take note that an act was done on the rows with these keys: they are marked no more."""

    def action_app_back(self) -> None:
        """One level back: what is open on the page, a wait, the page."""
        self.unsay()
        left = self.leave_waits()
        if self.back() or (left and self.shell.pages[0] is self):
            return
        self.shell.back()

    def action_app_close(self) -> None:
        """Close the page; the jobs list ends the application."""
        self.shell.close_page()

    def action_app_refresh(self) -> None:
        """Read again, and let clusters that did not answer be asked now."""
        self.shell.calls.submit(self.services.moving.ask_now)
        self.load()

    def action_app_redraw(self) -> None:
        """Draw everything again."""
        self.shell.repaint()

    def action_app_zoom(self) -> None:
        """Give the focused pane the whole screen, or take it back."""
        if self.maximized is not None:
            self.minimize()
        elif self.focused is not None:
            self.maximize(self.focused)

    def action_app_undo(self) -> None:
        """Undo the last act that can be undone."""
        self.shell.undo(self)

    def action_app_help(self) -> None:
        """Show all keys of this page."""
        overlays.show_help(self)

    def action_app_messages(self) -> None:
        """Show what was said."""
        overlays.show_messages(self)

    def action_app_copy(self) -> None:
        """Copy what is under the cursor."""
        text = self.copyable()
        if text:
            self.shell.copy(self, text)
        else:
            self.say("nothing to copy here", "dim", keep=False)

    def action_app_copy_command(self) -> None:
        """Copy the command of the act that matters most here."""
        overlays.show_commands(self)

    def action_app_theme(self) -> None:
        """Choose the colours."""
        overlays.choose_theme(self)

    def action_app_lift_read_only(self) -> None:
        """Ask, then write from now on."""
        overlays.lift_read_only(self)

    def action_app_act_as(self) -> None:
        """Choose the team that new things belong to."""
        overlays.choose_team(self)

    def _view(self, number: str) -> None:
        self.open(VIEWS[number])

    def action_app_view_1(self) -> None:
        """Jobs."""
        self._view("1")

    def action_app_view_2(self) -> None:
        """Runs."""
        self._view("2")

    def action_app_view_4(self) -> None:
        """Profiles."""
        self._view("4")

    def action_app_view_5(self) -> None:
        """Queries."""
        self._view("5")

    def action_app_view_6(self) -> None:
        """Clusters and catalogs."""
        self._view("6")

    def action_app_view_7(self) -> None:
        """Teams."""
        self._view("7")

    def action_app_view_8(self) -> None:
        """Audit."""
        self._view("8")
