"""The editor widget: any text byte for byte, keys, undo, problems, find, foreign characters, size."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from quarterdeck.tui.widgets.code_text import CodeText, line_end
from quarterdeck.tui.widgets.editor import CodeEditor
from quarterdeck.tui.widgets.find_bar import FindBar
from quarterdeck.tui.widgets.frame import LineBox
from quarterdeck.tui.widgets.problem_strip import ProblemStrip, Trouble

SQL = "select o.id, 'x'\n  from raw.orders o\n where o.day = :day\n"
FOREIGN = "a\x1b[2Jb\x9b1mc\u202edx\u2028e\x0bf\x85g"


class Bare(App[None]):
    def __init__(self, text: str, language: str | None = None) -> None:
        super().__init__()
        self.editor = CodeEditor(text, language=language)
        self.find = FindBar()
        self.said: list[str] = []
        self.keys: list[str] = []
        self.pilot: Pilot[None]

    def compose(self) -> ComposeResult:
        yield self.editor
        yield self.find

    def on_mount(self) -> None:
        self.editor.focus()

    def on_key(self, event: events.Key) -> None:
        self.keys.append(event.key)

    def on_code_editor_noticed(self, event: CodeEditor.Noticed) -> None:
        self.said.append(event.text)

    def shown(self) -> list[str]:
        strips = self.editor.render_lines(Region(0, 0, *self.editor.size))
        return [strip.text for strip in strips]


@asynccontextmanager
async def editing(text: str, language: str | None = None) -> AsyncIterator[Bare]:
    app = Bare(text, language)
    async with app.run_test(size=(80, 24)) as app.pilot:
        yield app


TEXTS = st.text(
    st.one_of(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
        st.sampled_from("\t\n\r ab'(\x1b\x85\u2028\u202e\u200d\ufe0f"),
    ),
    max_size=60,
) | st.lists(st.sampled_from(["a", "\n", "\r\n", "\r", "\t", "é", "漢", "\x0b"])).map("".join)


@pytest.mark.row("T4")
async def test_any_text_is_held_and_edited_byte_for_byte() -> None:
    async with editing("") as app:
        editor = app.editor

        @settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
        @given(TEXTS, st.data())
        def holds(text: str, data: st.DataObject) -> None:
            editor.hold(text, language="sql")
            assert editor.exact
            assert editor.text == text
            row = data.draw(st.integers(0, editor.code.line_count - 1))
            column = data.draw(st.integers(0, len(editor.code[row])))
            at = sum(len(editor.code.raw_line(n)) for n in range(row)) + row * len(
                editor.code.newline
            )
            editor.move_cursor((row, column))
            editor._replace_via_keyboard("x", *editor.selection)
            assert editor.text == text[: at + column] + "x" + text[at + column :]
            editor.render_lines(Region(0, 0, 80, 24))
            editor.action_delete_left()
            assert editor.text == text
            editor.undo()
            editor.undo()
            assert editor.text == text
            editor.redo()
            editor.redo()
            editor.undo()
            assert len(editor.text) in (len(text), len(text) + 1)

        holds()


@given(TEXTS, TEXTS, st.data())
def test_a_replaced_range_is_what_stood_there(text: str, put: str, data: st.DataObject) -> None:
    code = CodeText(text, "sql")
    places = st.tuples(st.integers(0, code.line_count - 1), st.integers(0, 9)).map(
        lambda one: (one[0], min(one[1], len(code[one[0]])))
    )
    start, end = sorted((data.draw(places), data.draw(places)))
    put = code.own_line_ends(put)
    result = code.replace_range(start, end, put)
    assert code.get_text_range(start, result.end_location) == put
    assert code.text == CodeText(code.text).text
    code.replace_range(start, result.end_location, result.replaced_text)
    assert code.text == text
    assert [len(line) for line in code.lines] == [
        len(code.raw_line(row)) for row in range(code.line_count)
    ]


@pytest.mark.row("T4")
@pytest.mark.parametrize("bad", ["a\0b", "a\ud800b"])
async def test_a_text_that_cannot_be_held_is_read_only_and_stays(bad: str) -> None:
    async with editing(bad, "sql") as app:
        assert not app.editor.exact
        assert app.editor.read_only
        assert "read-only" in app.editor.notice
        app.editor.put("x")
        assert app.editor.text == bad


@pytest.mark.row("T4")
@pytest.mark.parametrize(
    ("text", "end"), [("a\r\nb\r\n", "\r\n"), ("a\nb", "\n"), ("a\r\nb\n", "\n"), ("a\rb", "\r")]
)
async def test_a_paste_takes_the_line_ends_of_the_text_and_says_so(text: str, end: str) -> None:
    assert line_end(text) == end
    async with editing(text) as app:
        app.post_message(events.Paste("1\n2\r\n3\r4\t"))
        await app.pilot.pause()
        assert app.editor.text == end.join("1234") + "\t" + text
        assert app.said
        assert "own line ends" in app.said[0]
        app.editor.undo()
        assert app.editor.text == text


async def test_escape_and_free_keys_reach_the_page_and_letters_do_not() -> None:
    async with editing(SQL) as app:
        await app.pilot.press(
            "escape", "a", "ctrl+s", "ctrl+r", "ctrl+t", "ctrl+o", "ctrl+n", "ctrl+g"
        )
        assert app.focused is app.editor
        assert app.keys == ["escape", "ctrl+s", "ctrl+r", "ctrl+t", "ctrl+o", "ctrl+n", "ctrl+g"]
        assert app.editor.text == "a" + SQL
        await app.pilot.press("tab", "ctrl+z")
        assert app.editor.text in (SQL, "a" + SQL)


async def test_enter_keeps_the_line_ends_of_the_text() -> None:
    async with editing("a\r\nb\r\n") as app:
        await app.pilot.press("end", "enter", "x")
        assert app.editor.text == "a\r\nx\r\nb\r\n"


@pytest.mark.row("T4")
async def test_a_large_paste_is_one_step_and_undo_and_redo_hold() -> None:
    """Undoing a paste that brought the scroll bar ended the application in Textual 8.2 (#6686)."""
    paste = "select 1 as a, 'b' as c from d;\n" * 16_384
    assert len(paste) == 512 * 1024
    async with editing("", "sql") as app:
        begun = time.monotonic()
        app.post_message(events.Paste(paste))
        await app.pilot.pause()
        assert time.monotonic() - begun < 10.0  # 1 s is the benchmark's to hold
        for _ in range(2):
            assert app.editor.text == paste
            app.editor.undo()
            await app.pilot.pause()
            assert app.editor.text == ""
            app.editor.redo()
            await app.pilot.pause()
        assert app.editor.text == paste


async def test_foreign_characters_are_drawn_as_marks_and_stay_in_the_text() -> None:
    async with editing(FOREIGN + "\n漢\tx", "python") as app:
        first, second = app.shown()[:2]
        assert first.split(maxsplit=1)[1].rstrip() == "a?[2Jb?1mc?dx?e?f?g"
        assert second.split(maxsplit=1)[1].rstrip() == "漢  x"
        assert all(one.isprintable() for one in app.shown())
        assert app.editor.text.startswith(FOREIGN)
        assert app.editor.place_text == "1:1"
        app.editor.go_to(1, 2)
        assert app.editor.place_text == "1:2 U+001B"
        app.editor.go_to(2, 3)
        assert (
            app.editor._cursor_offset[0] + app.editor.gutter_width == app.editor.gutter_width + 4
        )


async def test_problems_are_marked_and_gone_to() -> None:
    async with editing(SQL * 40, "sql") as app:
        app.editor.set_problems([100])
        app.editor.go_to(100, 3)
        await app.pilot.pause()
        assert app.editor.place == (100, 3)
        assert [line[:5] for line in app.shown() if "!" in line[:5]] == ["100! "]
        app.editor.go_to(9_999)
        assert app.editor.place == (121, 1)


async def test_find_counts_and_goes_round() -> None:
    async with editing(SQL + "ORDERS\n", "sql") as app:
        app.find.open(app.editor)
        await app.pilot.press(*"orders")
        assert app.editor.selection.start == (1, 11)
        assert "1 of 2" in app.find.query_one(LineBox).text
        await app.pilot.press("enter")
        assert app.editor.selection.start == (3, 0)
        await app.pilot.press("enter")
        assert app.editor.selection.start == (1, 11)
        await app.pilot.press("up")
        assert app.editor.selection.start == (3, 0)
        await app.pilot.press("escape")
        assert app.focused is app.editor
        assert not app.find.is_open
        assert app.editor.text == SQL + "ORDERS\n"


@pytest.mark.parametrize("language", ["sql", "python"])
async def test_what_is_visible_is_highlighted_wherever_one_scrolls(language: str) -> None:
    text = {"sql": "select 'a' -- b\n", "python": "def f(): # b\n"}[language] * 2_000
    async with editing(text, language) as app:
        for row in (0, 1_000, 1_999):
            app.editor.move_cursor((row, 0), center=True)
            await app.pilot.pause()
            assert app.editor._spans[row]
        assert len(app.editor._spans) < 200


async def test_half_a_megabyte_opens_and_types_at_once() -> None:
    async with editing("", "sql") as app:
        text = "select o.id, 'é' from raw.orders o where a = 1;\n" * 10_700
        begun = time.monotonic()
        app.editor.hold(text[: 512 * 1024 - 20_000], language="sql")
        app.editor.render_lines(Region(0, 0, 80, 24))
        opened = time.monotonic() - begun
        app.editor.go_to(5_000)
        took = []
        for _ in range(20):
            begun = time.monotonic()
            app.editor._replace_via_keyboard("x", *app.editor.selection)
            app.editor.render_lines(Region(0, 0, 80, 24))
            took.append(time.monotonic() - begun)
        assert (
            opened < 2.0
        )  # the goals, half of it, are measured by the benchmark on a quiet machine
        assert sorted(took)[10] < 0.2


def test_the_strip_shows_three_lines_and_counts_the_rest() -> None:
    strip = ProblemStrip()
    strip.show_troubles([Trouble("timeout", f"wrong {n}\x1b") for n in range(5)])
    assert strip.text.split("\n")[0] == "! timeout: wrong 0\\x1b"
    assert strip.text.split("\n")[2] == "  and 3 more"
    strip.show_troubles([Trouble("", "x", line=4), Trouble("", "y", is_warning=True)])
    assert strip.text == "! line 4: x\n? y"


async def test_ctrl_end_and_ctrl_home_go_to_the_ends_of_the_text() -> None:
    async with editing("one\ntwo\nthree") as app:
        await app.pilot.press("ctrl+end", "x", "ctrl+home", "y")
        assert app.editor.text == "yone\ntwo\nthreex"
