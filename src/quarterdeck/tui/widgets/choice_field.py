"""One or several of many: a list that shrinks as one types. A field's own line is `form`, a plain menu `menu`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from textual.containers import Vertical

from quarterdeck.present import inert, table
from quarterdeck.present.table import Cell
from quarterdeck.tui.widgets.frame import LineBox
from quarterdeck.tui.widgets.lines import LinesView
from quarterdeck.tui.widgets.modal import Modal

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

_FAR: Final = 1_000_000


class Word(NamedTuple):
    """One that can be chosen, and when it fits."""

    value: str
    help: str = ""


class Picked(NamedTuple):
    """What was chosen, in the order of choosing; or that a new one is to be made."""

    values: list[str]
    new: bool = False


class Pick(Modal[Picked | None]):
    """Asks for one of the words, or with `several` for any number; the answer is None for Esc.

    Letters filter. With `several` Space marks, and the number beside a word is its place. `make`: what the last
    line offers to make, such as `new profile`; empty: nothing.
    """

    DEFAULT_CSS = """
    Pick { align: center middle; background: $background 0%; }
    Pick > #box {
        width: 90%; max-width: 90; height: auto; max-height: 90%; padding: 0 1;
        border: round $primary; background: $background;
    }
    Pick #words { height: auto; max-height: 16; }
    """
    AUTO_FOCUS: ClassVar[str | None] = ""

    def __init__(
        self,
        title: str,
        words: Sequence[Word],
        *,
        chosen: Sequence[str] = (),
        several: bool = False,
        make: str = "",
        text: str = "",
    ) -> None:
        super().__init__()
        self._title = title
        self._words = list(words)
        self.chosen = list(chosen)
        self._several = several
        self._make = make
        self.text = text
        found = [place for place, one in enumerate(self._words) if one.value in self.chosen[:1]]
        self.at = found[0] if found and not text else 0

    def compose(self) -> ComposeResult:
        """Yield the box."""
        with Vertical(id="box"):
            yield LineBox(id="typed")
            yield LinesView(id="words", wraps=False)
            yield LineBox(id="keys")

    def begin(self) -> None:
        """Draw."""
        self.query_one("#box").border_title = inert.line(self._title).replace("[", "\\[")
        how = "Space marks, Enter takes" if self._several else "Enter takes it"
        self.query_one("#keys", LineBox).show([Cell(f"type to filter, {how}, Esc leaves", "dim")])
        self._draw()

    @property
    def shown(self) -> list[Word]:
        """The words that match what was typed."""
        wanted = self.text.casefold()
        return [one for one in self._words if wanted in one.value.casefold()]

    @property
    def _lines(self) -> int:
        return len(self.shown) + bool(self._make)

    def _draw(self) -> None:
        shown = self.shown
        room = max((table.width(inert.line(one.value)) for one in self._words), default=0)
        lines = []
        for place, one in enumerate(shown):
            is_here = place == self.at
            text = inert.line(one.value)
            text += " " * (room - table.width(text))
            tone = "match" if is_here else ""
            cells = [Cell(f"{'>' if is_here else ' '} {self._mark(one)}"), Cell(text, tone)]
            lines.append((*cells, Cell(f"  {inert.line(one.help)}" if one.help else "", "dim")))
        if self._make:
            is_here = self.at == len(shown)
            lines.append(
                (Cell(f"{'>' if is_here else ' '} + {self._make}", "match" if is_here else "key"),)
            )
        if not lines:
            none = (
                f'nothing matches "{inert.line(self.text)}"' if self.text else "there is none yet"
            )
            lines.append((Cell(none, "dim"),))
        self.query_one("#typed", LineBox).show(
            [Cell(f"/{inert.line(self.text)}", "key"), Cell(" ", "match")]
        )
        view = self.query_one("#words", LinesView)
        view.show(lines)
        top = view.scroll_offset.y
        if self.at < top or self.at >= top + view.page:
            view.go_to(max(0, self.at - view.page + 1))

    def _mark(self, one: Word) -> str:
        if not self._several:
            return "* " if one.value in self.chosen else "  "
        place = str(self.chosen.index(one.value) + 1) if one.value in self.chosen else "-"
        return f"{place:>2} "

    def on_key(self, event: events.Key) -> None:
        """Move, filter, mark, take; no key goes on to what is below."""
        steps = {"down": 1, "tab": 1, "up": -1, "shift+tab": -1, "pagedown": 10, "pageup": -10,
                 "home": -_FAR, "end": _FAR}  # fmt: skip
        if event.key == "ctrl+q":
            return
        event.stop()
        event.prevent_default()
        if event.key in steps:
            self.at = max(0, min(self._lines - 1, self.at + steps[event.key]))
        elif event.key == "escape":
            self.dismiss(None)
        elif event.key == "enter":
            self._take()
        elif event.key in ("backspace", "ctrl+h"):
            self._filter(self.text[:-1])
        elif event.key == "ctrl+u":
            self._filter("")
        elif event.key == "space" and self._several:
            self._turn()
        elif event.is_printable and event.character:
            self._filter(self.text + event.character)
        if self.is_attached:
            self._draw()

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Letters are typed here; they call no act."""
        return character is not None and character.isprintable()

    def _filter(self, text: str) -> None:
        self.text = text
        self.at = 0

    def _turn(self) -> None:
        if self.at >= len(self.shown):
            return
        value = self.shown[self.at].value
        if value in self.chosen:
            self.chosen.remove(value)
        else:
            self.chosen.append(value)

    def _take(self) -> None:
        if self._make and self.at == len(self.shown):
            self.dismiss(Picked(self.chosen, new=True))
        elif self._several:
            self.dismiss(Picked(self.chosen))
        elif self.shown:
            self.dismiss(Picked([self.shown[self.at].value]))
