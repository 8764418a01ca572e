"""All keys of a page, to be filtered; and the commands that do what its keys do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.binding import Binding
from textual.containers import Vertical

from quarterdeck.present import inert
from quarterdeck.present.table import Cell, wrap
from quarterdeck.tui.actions import ACTIONS
from quarterdeck.tui.widgets.frame import LineBox
from quarterdeck.tui.widgets.lines import LinesView
from quarterdeck.tui.widgets.modal import Modal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual import events
    from textual.app import ComposeResult

    from quarterdeck.present.table import Line
    from quarterdeck.tui.actions import Action
    from quarterdeck.tui.base import BasePage

MOST: Final = 110  # columns of the box
BESIDE: Final = 31  # columns of keys and label
BOX = """
    {name} { align: center middle; background: $background 0%; }
    {name} > #box {
        width: 90%; max-width: 110; height: 90%; padding: 0 1;
        border: round $primary; background: $background;
    }
"""


def acts_of(page: BasePage) -> list[Action]:
    """Return the acts that are there on a page, those of the palette alone last."""
    bound = {*page.bound_ids(), "app.quit", "app.palette"}
    with_key = [ACTIONS[one] for one in ACTIONS if one in bound]
    bare = [
        action
        for action in ACTIONS.values()
        if not action.keys and getattr(page, f"action_{action.method}", None) is not None
    ]
    return [a for a in (*with_key, *bare) if page.check_action(a.method, ()) is not False]


def command_of(page: BasePage, action: Action) -> str:
    """Return the command that does the same, with the names of the page filled in."""

    class Known(dict[str, Any]):
        def __missing__(self, key: str) -> str:
            return key.upper()

    import shlex

    facts = {key: shlex.quote(value) for key, value in page.facts().items() if value}
    return action.twin.format_map(Known(facts))


class Filtered(Modal[None]):
    """Lines with a filter above them: what is typed narrows them, up and down move, Enter takes, Esc leaves."""

    BINDINGS: ClassVar = [
        Binding("escape", "leave", show=False),
        Binding("enter", "take", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(10)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
    ]
    AUTO_FOCUS: ClassVar[str | None] = ""
    TITLE: ClassVar[str | None] = ""

    def __init__(self, page: BasePage) -> None:
        super().__init__()
        self.page = page
        self.typed = ""
        self.at = 0

    def compose(self) -> ComposeResult:
        """Yield the box."""
        with Vertical(id="box") as box:
            box.border_title = self.TITLE
            yield LineBox(id="filter")
            yield LinesView(id="text")

    def begin(self) -> None:
        """Draw."""
        self.draw()

    @property
    def wanted(self) -> str:
        """What is looked for, capitals made small."""
        return self.typed.casefold()

    def draw(self) -> None:
        """Draw what matches."""
        typed = [Cell("/ ", "key"), Cell(inert.line(self.typed)), Cell("_", "dim")]
        self.query_one("#filter", LineBox).show(typed, right=[Cell("Esc closes", "dim")])
        self.query_one("#text", LinesView).show(list(self.lines()))

    def lines(self) -> Iterator[Line]:
        """Yield what matches the filter."""
        raise NotImplementedError

    def on_key(self, event: events.Key) -> None:
        """Take a letter, or take the last one away."""
        if event.key == "backspace":
            self.typed = self.typed[:-1]
        elif event.is_printable and event.character is not None:
            self.typed += event.character
        else:
            return
        event.stop()
        self.at = 0
        self.retyped()
        self.draw()

    def retyped(self) -> None:
        """Look further for what is typed now."""

    def action_leave(self) -> None:
        """Close."""
        self.dismiss(None)

    def action_take(self) -> None:
        """Close."""
        self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        """Scroll."""
        self.query_one("#text", LinesView).move(by)

    @property
    def text(self) -> str:
        """What is shown, for tests."""
        return self.query_one("#text", LinesView).text


class HelpScreen(Filtered):
    """Every key of the page with what it does."""

    DEFAULT_CSS = BOX.replace("{name}", "HelpScreen")
    TITLE = "Keys of this screen"

    def lines(self) -> Iterator[Line]:
        """Yield the acts, each with what it does beside it."""
        room = min(MOST, self.app.size.width * 9 // 10) - 5  # border, padding, scrollbar
        for action in acts_of(self.page):
            keys = self.page.shell.keys_of(action.id) or ":"
            line = f"{keys} {action.label} {action.help} {action.id}"
            if self.wanted and self.wanted not in line.casefold():
                continue
            refused = self.page.check_action(action.method, ()) is None
            front = (Cell(f"{keys:<14} ", "dim" if refused else "key"),
                     Cell(f"{action.label:<15} ", "dim" if refused else ""))  # fmt: skip
            told = action.help + (" (refused here)" if refused else "")
            for number, part in enumerate(wrap(told, max(20, room - BESIDE))):
                beside = (Cell(" " * BESIDE),) if number else front
                yield (*beside, Cell(part.strip(), "dim"))


class CommandsScreen(Filtered):
    """The commands behind the page's keys; Enter copies the one that is chosen."""

    DEFAULT_CSS = BOX.replace("{name}", "CommandsScreen")
    TITLE = "Commands that do the same; Enter copies"

    def _found(self) -> list[tuple[Action, str]]:
        every = [(one, command_of(self.page, one)) for one in acts_of(self.page) if one.twin]
        return [
            (one, command)
            for one, command in every
            if self.wanted in f"{one.label} {command}".casefold()
        ]

    def lines(self) -> Iterator[Line]:
        """Yield one line per command."""
        for place, (action, command) in enumerate(self._found()):
            tone = "match" if place == self.at else ""
            yield (Cell(f"{action.label:<14} ", "dim"), Cell(inert.line(command), tone))

    def action_scroll(self, by: int) -> None:
        """Choose another one."""
        self.at = max(0, min(len(self._found()) - 1, self.at + by))
        self.draw()

    def action_take(self) -> None:
        """Copy the chosen command."""
        found = self._found()
        self.dismiss(None)
        if found:
            self.page.shell.copy(self.page, found[min(self.at, len(found) - 1)][1])
