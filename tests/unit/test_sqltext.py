"""SQL text: statements, places, markers, and what is left open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model import sqltext


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1", ["select 1"]),
        ("select 1;;\n; -- tail", ["select 1"]),
        ("select ';' ; select \";\"", ["select ';'", 'select ";"']),
        ("select 'it''s;' ; select 'a\\';b'", ["select 'it''s;'", "select 'a\\';b'"]),
        ("select r'a\\' ; select R\t'b;'", ["select r'a\\'", "select R\t'b;'"]),
        ("select char'a\\';b' ; select 2", ["select char'a\\';b'", "select 2"]),
        ("select U&'\\' ; select 2", ["select U&'\\'", "select 2"]),
        ("select `a;``b;` ; select 2", ["select `a;``b;`", "select 2"]),
        ("select $t$;$$;$t$ ; select $$;$$", ["select $t$;$$;$t$", "select $$;$$"]),
        ("select 1 $ ; select 2", ["select 1 $", "select 2"]),
        ("/* a /* ; */ ; */ select 1 /* ; */ + 1 -- ;", ["select 1 /* ; */ + 1"]),
        ("select 1 -- a;\rselect 2", ["select 1 -- a;\rselect 2"]),
        ("\ufeffselect 1;", ["select 1"]),
        ("", []),
        ("-- nothing\n/* at all */;;", []),
    ],
)
def test_semicolons_split_only_where_the_engine_would_see_them(
    text: str, expected: list[str]
) -> None:
    assert [statement.text for statement in sqltext.split(text)] == expected


def test_statements_know_their_places() -> None:
    first, second = sqltext.split("\ufeff select 'é';\r\n\r\n  /* c */ select 2")
    assert (first.number, first.offset, first.line, first.column) == (1, 2, 1, 2)
    assert (second.number, second.line, second.column) == (2, 3, 11)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 'a\\'", ["line 1, column 8: A string begins here and is never closed."]),
        ("select 1;\n/* b", ["line 2, column 1: A comment begins here and is never closed."]),
        ("select `b", ["line 1, column 8: A quoted name begins here and is never closed."]),
        ("$a$ b", ["line 1, column 1: A dollar-quoted string begins here and is never closed."]),
        (
            "select\u00a01",
            [
                "line 1, column 7: The character U+00A0 is no blank to the engine; replace it by a space."
            ],
        ),
        (
            "select ${x}",
            ["line 1, column 8: ${…} is not substituted; declare a parameter and write :name."],
        ),
        ("-- only", ["line 1, column 1: There is no statement in this text."]),
        ("select '\u00a0', 1 -- \x0c", []),
    ],
)
def test_problems_are_said_with_their_place(text: str, expected: list[str]) -> None:
    assert [str(problem) for problem in sqltext.problems(text)] == expected


def test_markers_are_found_outside_of_strings_only() -> None:
    text = "select :a, ':b', a::int, :größe, :a -- :c\n, x[:d]"
    assert sqltext.markers(text) == ("a", "größe", "d")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1", True),
        ("/* c */ ((WITH x as (select 1) select * from x))", True),
        ("values (1)", True),
        ("insert into t select 1", False),
        ("explain select 1", False),
        ("", False),
    ],
)
def test_queries_are_told_from_commands(text: str, expected: bool) -> None:
    assert sqltext.is_query(text) is expected


@given(st.text())
def test_statements_lie_in_the_text_where_they_say(text: str) -> None:
    for statement in sqltext.split(text):
        assert text[statement.offset :].startswith(statement.text)
        assert sqltext.place(text, statement.offset) == (statement.line, statement.column)


PIECES = (
    "'", '"', "`", "$", "$$", "$a$", "/*", "*/", "--", "\n", "\r", " ", "r", "R'", "U&'", ":", "::", ":a", "x1",
    "{", "{{", "${", "\\", "\\'", ";", "\u200b", "\ufeff", "é", "…", "}", "/", "-", "*", "\0", "\x0b", "[",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join))
def test_what_is_skipped_while_looking_for_problems_has_none(text: str) -> None:
    places = [
        sqltext.place(text, token.start)
        for token in sqltext._tokens(text)
        if sqltext._complaint(text, token)
    ]
    nothing = [] if places or sqltext.split(text) else [(1, 1)]
    assert [(one.line, one.column) for one in sqltext.problems(text)] == places + nothing
