"""The runner stands alone: it repeats the wire's words and the splitter, and both must agree."""

from __future__ import annotations

import ast
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck import runner
from quarterdeck.model import sqltext, wire

SOURCE = Path(runner.__file__)
PIECES = [
    *("select 1", "insert into t", "with x as", " ", "\n", "\r", "\r\n", ";", ";;", "-- c", "/*"),
    *("*/", "'", '"', "`", "r'", "R \t'", "U&'", "\\", "''", "$", "$a$", "$$", ":a", "::int"),
    *(":größe", "char'", "x'1F'", "\ufeff", "é", "😀", "(", ")", "a", "1", "\x0c", "?", "||"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=40)


def test_words_of_the_runner_are_those_of_the_wire() -> None:
    tree = ast.parse(SOURCE.read_text())
    said = {
        node.target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
        and node.target.id in vars(wire)
    }
    assert {name: vars(wire)[name] for name in said} == said
    assert {name for name in vars(wire) if name.startswith("EXIT_")} <= set(said)


def test_runner_imports_the_standard_library_alone_at_load() -> None:
    names = {
        alias.name if isinstance(node, ast.Import) else node.module
        for node in ast.parse(SOURCE.read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not [n for n in names if n and n.partition(".")[0] not in _standard_library()]


def _standard_library() -> frozenset[str]:
    import sys

    return frozenset(sys.stdlib_module_names)


@given(TEXTS)
def test_both_splitters_agree(text: str) -> None:
    assert [tuple(s) for s in runner.split(text)] == [
        (s.number, s.text, s.offset, s.line, s.column) for s in sqltext.split(text)
    ]
    assert runner.markers(text) == sqltext.markers(text)
    assert runner.is_query(text) == sqltext.is_query(text)


@given(TEXTS)
def test_both_see_what_is_left_open(text: str) -> None:
    said = [p for p in sqltext.problems(text) if "never closed" in p.message]
    opened = runner.left_open(text)
    assert (opened is None) == (not said)
    if opened is not None:
        what, offset = opened
        assert said[0].message == f"A {what} begins here and is never closed."
        assert (said[0].line, said[0].column) == sqltext.place(text, offset)
