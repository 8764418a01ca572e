"""What opens over any page: help, commands, messages, themes, teams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.present import inert
from quarterdeck.present.table import Cell

if TYPE_CHECKING:
    from quarterdeck.tui.base import BasePage


def show_help(page: BasePage) -> None:
    """Show all keys of the page."""
    from quarterdeck.tui.help import HelpScreen

    page.app.push_screen(HelpScreen(page))


def show_commands(page: BasePage) -> None:
    """Show the commands that do what the keys of this page do, to copy one."""
    from quarterdeck.tui.help import CommandsScreen

    page.app.push_screen(CommandsScreen(page))


def show_messages(page: BasePage) -> None:
    """Show the last messages."""
    lines = [
        (Cell(f"{at:%H:%M:%S} ", "dim"), Cell(text, tone))
        for at, text, tone in reversed(page.shell.notes)
    ]
    page.shell.panel("Messages, newest first", lines or [(Cell("nothing was said yet", "dim"),)])


def choose_theme(page: BasePage) -> None:
    """Choose the colours."""
    from quarterdeck.tui.widgets.dialog import Choice
    from quarterdeck.tui.widgets.menu import Menu

    names = sorted(page.app.available_themes)
    at = names.index(page.app.theme) if page.app.theme in names else 0

    def chosen(name: str | None) -> None:
        if name:
            page.app.theme = name

    page.app.push_screen(Menu("Theme", [Choice(one, one) for one in names], at=at), chosen)


def choose_team(page: BasePage) -> None:
    """Choose the team that new things belong to; it never widens rights."""
    from quarterdeck.tui.widgets.dialog import Choice
    from quarterdeck.tui.widgets.menu import Menu

    teams = [Choice(name, inert.line(name)) for name in page.shell.header.get("teams", ())]
    if not teams:
        page.say("you are in no team; ask an org admin", "bad")
        return

    def chosen(name: str | None) -> None:
        if name:
            page.services.context.as_team = name
            page.shell.read_header()
            page.say(f"new things belong to {name} now")

    page.app.push_screen(Menu("Act as", teams), chosen)
