"""What reaches the terminal: the cells of Textual's own writing, in fewer bytes, and nothing that steers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from quarterdeck.tui import output

WIDTH, HEIGHT = 20, 5
CONSOLE = Console(
    color_system="truecolor", force_terminal=True, width=WIDTH, height=HEIGHT, legacy_windows=False
)
STYLES = [
    None, Style(), Style(bold=True), Style(color="#ff0000"), Style(color="#ff0000", bold=True),
    Style(color="#00ff00", bgcolor="#000080"), Style(reverse=True), Style(bgcolor="#000080"),
    Style(color="red", underline=True), Style(color="default"), Style(bold=True, italic=True),
]  # fmt: skip
TEXTS = ["a", "  ", "ab", "1234567", "é", "…", "──", "漢字", "e\u0301", " ", "          "]


def terminal() -> tuple[pyte.Screen, pyte.Stream]:
    screen = pyte.Screen(WIDTH, HEIGHT)
    return screen, pyte.Stream(screen)


def seen(screen: pyte.Screen) -> list[list[Any]]:
    return [
        [screen.buffer[y][x]._replace(data=screen.buffer[y][x].data) for x in range(WIDTH)]
        for y in range(HEIGHT)
    ]


@st.composite
def regions(draw: st.DrawFn) -> tuple[Region, list[Strip]]:
    x, y = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    wide, high = draw(st.integers(1, WIDTH - x)), draw(st.integers(1, HEIGHT - y))
    pieces = st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(STYLES)), max_size=12)
    strips = [
        Strip([Segment(*one) for one in draw(pieces)]).adjust_cell_length(wide)
        for _ in range(high)
    ]
    return Region(x, y, wide, high), strips


def updates(region: Region, strips: list[Strip], *, whole: bool) -> LayoutUpdate | ChopsUpdate:
    if whole:
        return LayoutUpdate([[strip] for strip in strips], region)
    before: list[Mapping[int, Strip | None]] = [{} for _ in range(region.y)]
    chops = [*before, *({region.x: strip} for strip in strips)]
    ends: list[list[int]] = [[region.right] for _ in range(region.bottom)]
    spans = [(y, region.x, region.right) for y in range(region.y, region.bottom)]
    return ChopsUpdate(chops, spans, ends)


@given(st.lists(st.tuples(regions(), st.booleans()), min_size=1, max_size=8))
def test_every_cell_is_as_textual_alone_would_have_it(
    frames: list[tuple[tuple[Region, list[Strip]], bool]],
) -> None:
    canvas = output.Canvas()
    (ours, to_ours), (plain, to_plain) = terminal(), terminal()
    for (region, strips), whole in frames:
        update = updates(region, strips, whole=whole)
        to_ours.feed(canvas.draw(update, CONSOLE))
        # Each line begins with its place; a line feed in the last row would scroll.
        to_plain.feed(update.render_segments(CONSOLE).replace("\n", ""))
        assert seen(ours) == seen(plain)


def lines(*texts: str, style: Style | None = None) -> LayoutUpdate:
    strips = [Strip([Segment(text.ljust(WIDTH), style)]) for text in texts]
    return LayoutUpdate([[strip] for strip in strips], Region(0, 0, WIDTH, len(texts)))


def test_only_what_changed_is_sent() -> None:
    canvas = output.Canvas()
    canvas.draw(lines("one", "two"), CONSOLE)
    assert canvas.draw(lines("one", "two"), CONSOLE) == ""
    assert canvas.draw(lines("one", "twi"), CONSOLE) == "\x1b[2;3Hi"
    assert canvas.draw(lines("one!", "twi"), CONSOLE) == "\x1b[1;4H!"
    canvas.forget()
    assert "one!" in canvas.draw(lines("one!", "twi"), CONSOLE)


def test_without_remembering_all_is_sent() -> None:
    canvas = output.Canvas(remembers=False)
    first = canvas.draw(lines("one"), CONSOLE)
    assert canvas.draw(lines("one"), CONSOLE) == first


def test_neighbours_of_one_look_share_it() -> None:
    red = Style(color="#ff0000")
    strip = Strip([Segment("a", red), Segment("b", red + Style(bold=True)), Segment("c", red)])
    update = LayoutUpdate([[strip, strip]], Region(0, 0, 6, 1))
    sent = output.Canvas().draw(update, CONSOLE)
    assert sent == (
        "\x1b[1;1H\x1b[38;2;255;0;0ma\x1b[1mb\x1b[0;38;2;255;0;0mca\x1b[1mb\x1b[0;38;2;255;0;0mc\x1b[m"
    )


def test_what_is_drawn_wider_than_we_think_is_sent_whole_each_time() -> None:
    canvas = output.Canvas()
    canvas.draw(lines("名前"), CONSOLE)
    assert "名前" in canvas.draw(lines("名前"), CONSOLE)


@pytest.mark.parametrize(
    "text", ["a\x1b[2Jb", "\x1b]0;title\x07", "\x9b2J", "a\u202eb", "\r\n\b", "\x7f", "\x0e"]
)
def test_nothing_of_others_steers_the_terminal(text: str) -> None:
    sent = output.Canvas().draw(lines(text), CONSOLE)
    assert sent.startswith("\x1b[1;1H")
    rest = sent.removeprefix("\x1b[1;1H")
    assert rest.isprintable()


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("ascii", "| ~ ? ?? #"), ("latin-1", "| ~ é ?? #"), ("utf-8", "│ … é 漢 █")],
)
def test_what_the_encoding_lacks_is_drawn_by_its_like(encoding: str, expected: str) -> None:
    sent = output.Canvas(encoding).draw(lines("│ … é 漢 █"), CONSOLE)
    assert sent.encode(encoding)
    assert expected in sent
