"""What opens over any page: help, commands, messages, themes, teams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.present import inert
from quarterdeck.present.table import Cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.theme import Theme

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
    """Choose the colours: ours and the user's first, then those that nobody checked the contrast of."""
    page.ask("the themes", page.shell.read_themes, lambda found: _themes_read(page, *found))


def _themes_read(page: BasePage, found: Sequence[Theme], wrong: Sequence[str]) -> None:
    from quarterdeck.tui.widgets.dialog import Choice
    from quarterdeck.tui.widgets.menu import Menu

    for theme in found:
        page.app.register_theme(theme)
    for text in wrong:
        page.shell.note(text, "bad")
    checked = [theme.name for theme in found]
    others = sorted(set(page.app.available_themes) - set(checked))
    choices = [Choice(one, inert.line(one)) for one in checked]
    choices += [Choice(one, f"{one}  (contrast not guaranteed)") for one in others]
    at = [*checked, *others].index(page.app.theme)

    def chosen(name: str | None) -> None:
        if name:
            page.app.theme = name
            _keep_theme(page, name)

    page.app.push_screen(Menu("Theme", choices, at=at), chosen)


def _keep_theme(page: BasePage, name: str) -> None:
    from quarterdeck.tui import memory

    def kept(is_taken: bool) -> None:  # noqa: FBT001  # the answer of the call
        if is_taken:
            page.say(f"theme {name}, from now on", keep=False)
        else:
            page.say(f"theme {name} for now; config.toml names the one of the next start", "dim")

    def failed(error: BaseException) -> None:
        page.say(f"theme {name} for now; it cannot be kept: {inert.line(str(error))}", "bad")

    page.ask("the theme", lambda: memory.write_theme(name), kept, failed=failed)


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


def lift_read_only(page: BasePage) -> None:
    """Ask whether to write from now on, and open the workspace anew for it."""
    from quarterdeck.tui.widgets.dialog import Answer, Choice, Dialog

    def lifted(_: None) -> None:
        page.say("--read-only is lifted: what is done here is written", "good")
        for one in page.shell.pages:
            one.load()

    def answered(answer: Answer | None) -> None:
        if answer is not None:
            page.ask("the workspace, for writing", page.shell.lift_read_only, lifted)

    workspace = inert.line(str(page.shell.header.get("workspace", "")))
    lines = [(Cell("From now on keys that write do so, and unfinished runs are moved on."),)]
    choices = [Choice("lift", "Write", "w")]
    page.app.push_screen(
        Dialog(f"Lift --read-only on {workspace}?", lines, choices, harmful=True), answered
    )
