"""The last step to the terminal: of what Textual draws only changed cells are sent, and nothing that steers it.

It knows Textual's updates from the inside (`textual._compositor`); who hands them over is `terminal`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len
from rich.console import COLOR_SYSTEMS
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate

from quarterdeck.present import glyphs

if TYPE_CHECKING:
    from rich.color import Color, ColorSystem
    from rich.console import Console
    from rich.segment import Segment
    from rich.style import Style

GAP: Final = 4  # as many unchanged cells are written again: moving over them costs as much
_PLAIN: Final = re.compile(
    "[ -~\u00a0-\u00ac\u00ae-\u02ff\u2500-\u259f" + "".join(glyphs.PAIRS) + "]*"
)
"""Characters that every terminal draws one column wide."""
_STEERING: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_ATTRIBUTES: Final = (
    ("bold", "1"), ("dim", "2"), ("italic", "3"), ("underline", "4"), ("reverse", "7"), ("strike", "9"),
)  # fmt: skip


class Look(NamedTuple):
    """How a cell is drawn, in the numbers that the terminal reads."""

    attributes: tuple[str, ...] = ()
    foreground: str = ""
    background: str = ""


RESET: Final = Look()
Cell = tuple[str, Look]
Update = LayoutUpdate | ChopsUpdate


class Canvas:
    """What the terminal shows, as far as it is known.

    `encoding` is the terminal's; what it lacks is drawn by its like. Without `remembers` all is sent each time.
    """

    def __init__(self, encoding: str = "utf-8", *, remembers: bool = True) -> None:
        self._encoding = encoding
        self._remembers = remembers
        self._rows: dict[int, dict[int, Cell]] = {}
        self._looks: dict[tuple[Style | None, ColorSystem | None], Look] = {}

    def forget(self) -> None:
        """Take nothing for known: after a resize, or when somebody else may have written."""
        self._rows.clear()

    def draw(self, update: Update, console: Console) -> str:
        """Return what to send for an update, and remember it as shown."""
        if not self._remembers:
            self.forget()
        system = COLOR_SYSTEMS.get(console.color_system or "")
        pen = _Pen()
        for x, y, segments in _pieces(update):
            self._piece(pen, x, y, [(one, self._look(one.style, system)) for one in segments])
        return pen.finish()

    def _piece(self, pen: _Pen, x: int, y: int, told: list[tuple[Segment, Look]]) -> None:
        row = self._rows.setdefault(y, {})
        cells: list[Cell] = []
        simple = True
        for segment, look in told:
            if segment.control:
                continue
            simple = simple and _PLAIN.fullmatch(segment.text) is not None
            cells += [(one, look) for one in self._clean(segment.text)]
        if not simple:  # the terminal may see other widths than we do: the piece is sent whole, and not relied on
            for at in range(x, x + sum(cell_len(segment.text) for segment, _ in told)):
                row.pop(at, None)
            pen.write(x, y, cells, relied=False)
            return
        for start, end in _changed(row, x, cells):
            pen.write(x + start, y, cells[start:end])
        row.update(enumerate(cells, x))

    def _look(self, style: Style | None, system: ColorSystem | None) -> Look:
        known = self._looks.get((style, system))
        if known is None:
            if len(self._looks) > 4096:  # noqa: PLR2004  # themes come and go
                self._looks.clear()
            known = self._looks[style, system] = _look(style, system)
        return known

    def _clean(self, text: str) -> str:
        """Return the text without what steers a terminal, in characters of its encoding."""
        if text.isascii() and text.isprintable():
            return text
        text = _STEERING.sub("", text)
        if self._encoding == "utf-8" or self._has(text):
            return text
        return "".join(
            one if self._has(one) else "?" * cell_len(one) for one in glyphs.in_ascii(text)
        )

    def _has(self, text: str) -> bool:
        try:
            text.encode(self._encoding)
        except UnicodeEncodeError:
            return False
        return True


class Drawn(CompositorUpdate):
    """An update that is sent by way of a canvas."""

    def __init__(self, canvas: Canvas, update: Update, console: Console) -> None:
        self.text = canvas.draw(update, console)

    def render_segments(self, console: Console) -> str:  # drawn for it already
        """Return what to send."""
        return self.text


class _Pen:
    """Where the terminal's cursor is within one frame, and in which look it writes."""

    def __init__(self) -> None:
        self._sent: list[str] = []
        self._at: tuple[int, int] | None = None
        self._look = RESET

    def write(self, x: int, y: int, cells: list[Cell], *, relied: bool = True) -> None:
        if not cells:
            return
        if self._at is not None and self._at[1] == y and self._at[0] < x:
            self._sent.append(f"\x1b[{x - self._at[0]}C")
        elif self._at != (x, y):
            self._sent.append(f"\x1b[{y + 1};{x + 1}H")
        for text, look in cells:
            if look != self._look:
                self._sent.append(_change(self._look, look))
                self._look = look
            self._sent.append(text)
        self._at = (x + len(cells), y) if relied else None

    def finish(self) -> str:
        if self._look != RESET:
            self._sent.append("\x1b[m")
        return "".join(self._sent)


def _pieces(update: Update) -> Iterator[tuple[int, int, list[Segment]]]:
    """Yield column, row and segments of each piece of an update, top to bottom."""
    if isinstance(update, LayoutUpdate):
        for y, line in enumerate(update.strips, update.region.y):
            yield update.region.x, y, [segment for strip in line for segment in strip]
        return
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=True):
            if strip is None or x > right or end <= left:
                continue
            whole = right > x >= left and end <= right
            yield x, y, list(strip if whole else strip.crop(0, min(end, right) - x))


def _changed(row: dict[int, Cell], x: int, cells: list[Cell]) -> Iterator[tuple[int, int]]:
    """Yield start and end of each run of cells to send; small gaps in the same look are taken along."""
    start, end = -1, 0
    for at, cell in enumerate(cells):
        if row.get(x + at) == cell:
            continue
        if start >= 0 and (at - end > GAP or not _even(cells[end - 1 : at + 1])):
            yield start, end
            start = -1
        if start < 0:
            start = at
        end = at + 1
    if start >= 0:
        yield start, end


def _even(cells: Iterable[Cell]) -> bool:
    return len({look for _, look in cells}) == 1


def _look(style: Style | None, system: ColorSystem | None) -> Look:
    if style is None:
        return RESET
    attributes = tuple(code for name, code in _ATTRIBUTES if getattr(style, name))
    return Look(
        attributes,
        _codes(style.color, system, foreground=True),
        _codes(style.bgcolor, system, foreground=False),
    )


def _codes(color: Color | None, system: ColorSystem | None, *, foreground: bool) -> str:
    if color is None or system is None or color.is_default:
        return ""
    return ";".join(color.downgrade(system).get_ansi_codes(foreground=foreground))


def _change(old: Look, new: Look) -> str:
    """Return what makes one look of another."""
    if new == RESET:
        return "\x1b[m"
    codes: list[str] = []
    if not set(old.attributes) <= set(new.attributes):
        codes, old = ["0"], RESET
    codes += [code for code in new.attributes if code not in old.attributes]
    if new.foreground != old.foreground:
        codes.append(new.foreground or "39")
    if new.background != old.background:
        codes.append(new.background or "49")
    return f"\x1b[{';'.join(codes)}m"
