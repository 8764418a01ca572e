"""A definition as a file's text: what is written is read back as it was, and a text of lines is a block."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quarterdeck.present.file_text import to_yaml, with_ends_of, with_lf
from quarterdeck.sources.documents import parse

PIECES = [
    *(
        "a",
        "SELECT 1",
        " ",
        "  ",
        "\t",
        "\n",
        "\n\n",
        "\r",
        "\r\n",
        "-- x",
        "# y",
        "---",
        "...",
        ": ",
        "'",
        '"',
    ),
    *(
        "\\",
        "é",
        "日",
        "🚢",
        "\x85",
        "\u2028",
        "\u2029",
        "\ufeff",
        "\u00a0",
        "\u200b",
        "\ufffe",
        "|",
        ">",
    ),
    *(
        "<<",
        "- ",
        "? ",
        "&a",
        "*a",
        "!t",
        "%",
        "@",
        "`",
        "{",
        "}",
        "[",
        "]",
        ",",
        "null",
        "true",
        "1e5",
        "~",
    ),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


def written(text: str) -> dict[str, Any]:
    return {
        "name": "x",
        "spec": {"source": {"text": text, "args": [text, "b"]}, "env": {"A": text}},
        "last": text,
    }


def read(document: dict[str, Any]) -> Any:
    return parse(to_yaml(document).encode(), "f.yaml")


@given(TEXTS | ANY)
@example("\tSELECT\n  1 \n")
@example("\n")
@example(" \n \n")
@example("a\n \n\n")
@example("\n\ta")
def test_every_text_is_read_back_as_it_was(text: str) -> None:
    document = written(text)
    assert read(document) == [document]
    assert with_ends_of(document, read(with_lf(document))[0]) == document


@pytest.mark.row("T4")
@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1\n", "SELECT 1 \n  , 2\t\n", "\tSELECT\n\t1", "  SELECT\n1\n", "\n\nSELECT\n\n\n",
        "SELECT 'é'\n-- 日本 🚢\n", "a\u00a0b\n\u200bc\n", " \n \n", "SELECT 1\r\nFROM t\r\n",
    ],
)  # fmt: skip
def test_a_text_of_lines_stands_as_a_block(text: str) -> None:
    shown = to_yaml(with_lf({"spec": {"text": text}}))
    lines = shown.split("\n")
    assert lines[1].startswith("  text: |")
    for line in text.splitlines():
        assert f"    {line}" in lines or not line


def test_only_lines_that_all_end_alike_are_shown_otherwise() -> None:
    for mixed in ("a\r\nb\n", "a\rb\r\n", "a\r\r\n", "a\n"):
        assert with_lf({"a": [mixed]}) == {"a": [mixed]}
    before = {"a": ["x\r\ny"], "b": "x\ny"}
    assert with_ends_of(before, {"a": ["x\n2\ny", "z\n"], "b": "1\n2"}) == {
        "a": ["x\r\n2\r\ny", "z\n"],
        "b": "1\n2",
    }
    assert with_ends_of(before, {"a": 1, "c": "x\n"}) == {"a": 1, "c": "x\n"}
