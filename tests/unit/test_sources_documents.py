"""Definition files, good and bad: what they come out as, and at which line they are refused."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.model.errors import InvalidInputError
from quarterdeck.model.text import Folded
from quarterdeck.sources import documents


def parse(text: str) -> list[Any]:
    return list(documents.parse(text.encode(), "f.yaml"))


def refusal(content: str | bytes) -> tuple[str, str]:
    raw = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(InvalidInputError) as caught:
        documents.parse(raw, "f.yaml")
    (problem,) = caught.value.problems
    return problem.path, problem.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-22", "2026-11-22"),
        ("2026-11-22T06:00:00Z", "2026-11-22T06:00:00Z"),
        ("yes", "yes"),
        ("on", "on"),
        ("12:30:00", "12:30:00"),
        ("0123", "0123"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("-12", -12),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("'12'", "12"),
        ('"true"', "true"),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_only_core_words_and_numbers_are_not_text(text: str, value: object) -> None:
    (found,) = parse(f"day: {text}")
    assert found == {"day": value}
    assert type(found["day"]) is type(value)


def test_keys_are_text_as_typed() -> None:
    assert parse("on: [1]\n1: x\ntrue: y\n") == [{"on": [1], "1": "x", "true": "y"}]


def test_several_documents_come_in_order_and_empty_ones_are_left_out() -> None:
    assert parse("---\na: 1\n---\n---\nb: 2\n---\n") == [{"a": 1}, {"b": 2}]


def test_odd_line_ends_are_kept_where_they_are_written_out_and_in_json() -> None:
    assert parse('a: "\\N\\L\\P\\r"\r\nb: 1\r\n') == [{"a": "\x85\u2028\u2029\r", "b": 1}]
    assert parse('{"a": "\x85\u2028\u2029"}') == [{"a": "\x85\u2028\u2029"}]
    assert parse('"<<": 1') == [{"<<": 1}]


@pytest.mark.parametrize(
    ("text", "is_folded"),
    [
        ("a: >\n  x\n  y\nb: 1\n", True),
        ("a: >-\n  x\n  y", True),
        ("a: > # why\n  x\n\n  y\n", False),
        ("a: >\n  x\n\n\nb: 1\n", False),
        ("a: >\n  x\n    y\n    z\n", False),
        ("a: x\n  y\nb: 1\n", True),
        ("a: 'x\n  y'\nb: 1\n", True),
        ('a: "x\n  y"\n', True),
        ("a: |\n  x\n  y\n", False),
        ("a: x\nb: 1\n", False),
        ("é: 1\n€: 𝄞\na: >\n  x\n  y\nb: 1\n", True),
    ],
)
def test_a_text_whose_lines_were_joined_is_known(text: str, is_folded: bool) -> None:
    assert isinstance(parse(text)[0]["a"], Folded) is is_folded


def test_aliases_stand_for_their_value() -> None:
    assert parse("a: &x {k: [1]}\nb: *x\n") == [{"a": {"k": [1]}, "b": {"k": [1]}}]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key a is here twice"),
        ('{"a": 1,\n "b": {"c": 1,\n "c": 2}}', 3, "the key c is here twice"),
        ("a: 1\nb: !!python/name:os.system x\n", 2, "the tag"),
        ("a: !x 1\n", 1, "the tag !x"),
        ("a: &x [*x]\n", 1, "stands for what it is in itself"),
        ("a: *nobody\n", 1, "nobody"),
        ("a: 1\n---\nb: *x\n", 3, "*x stands for nothing"),
        ("? [1]\n: 2\n", 1, "a key is not plain text"),
        ("a: 1\nb: &x {k: 1}\nc:\n  <<: *x\n", 4, "the merge key << is not read"),
        ("a: 1\n# note\u2028b: 2\n", 2, "column 7 holds U+2028, line separator"),
        ("a: 1\n# note\rb: 2\n", 2, "column 7 holds a carriage return without a line feed"),
        ("a: |\n  x\x85y\n", 2, 'write \\N in a text in double quotes: "a\\Nb"'),
        ("a: 'x\u2029y'\n", 1, "U+2029"),
        ('a: "x\u2028 y"\n', 1, "U+2028"),
        ("a\u2028: 1\n", 1, "U+2028"),
        ("a: 1\r\nb: x\r\r\n", 2, "carriage return"),
        ("a:\n  - b\n c: d\n", 3, "neither YAML nor JSON"),
        ("a: 'open\n", 2, "neither YAML nor JSON"),
        ("a: 1\nb: \x07\n", 2, "neither YAML nor JSON"),
        ("- a\n- b\n", 1, "the document is a list"),
        ("a: 1\n---\njust words\n", 3, "a single value"),
        ("", 1, "the file is empty"),
        ("# nothing\n---\n", 1, "the file is empty"),
        (b"a: 1\nb: \xff\n", 2, "byte 8 (0xff) is not UTF-8"),
        (b"a: 1\nb: \x00\n", 2, "byte 8 is NUL"),
        ("a: " + "9" * 5_000, 1, "a number of 5,000 digits"),
        ("a: " + "[" * 101 + "]" * 101, 1, "nested more than 100"),
        ('{"a": ' + "[" * 100_000, 1, "maximum nesting depth"),
        ("a: [" + "1," * 100_001 + "]", 1, "more than 100,000 values"),
    ],
    ids=itertools.count(),
)
def test_refusals_name_the_line(content: str | bytes, line: int, words: str) -> None:
    path, message = refusal(content)
    assert path == f"f.yaml:{line}"
    assert words in message


def test_aliases_that_grow_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert refusal("\n".join(lines)) == (
        "f.yaml:5",
        "more than 100,000 values, aliases written out; make it smaller",
    )
    long = "a: &a " + "x" * 1_000_000 + "\nb: [" + "*a," * 1_000 + "]\n"
    assert "more than 100,000 values" in refusal(long)[1]


@pytest.mark.parametrize(
    "unit",
    ["- a\n", "- ", "[", "{a: ", "? ", "a: 1\n", "&a ", "'", "--- {}\n", "# c\n", "\n", "a "],
)
def test_ten_mebibytes_of_anything_end_soon(unit: str) -> None:
    text = unit * (10 * 1024 * 1024 // len(unit))
    start = time.monotonic()
    with contextlib.suppress(InvalidInputError):
        parse(text)
    assert time.monotonic() - start < 5


def test_byte_order_mark_and_stdin(tmp_path: Path) -> None:
    assert documents.load("-", io.BytesIO(b"\xef\xbb\xbfa: 1")) == [{"a": 1}]
    with pytest.raises(InvalidInputError, match="standard input:1"):
        documents.load("-", io.BytesIO(b"[1]"))
    with pytest.raises(InvalidInputError, match="more than 10,485,760 bytes"):
        documents.load("-", io.BytesIO(b"#" * (10 * 1024 * 1024 + 1)))
    with pytest.raises(InvalidInputError, match="is a folder"):
        documents.load(str(tmp_path), io.BytesIO())
    with pytest.raises(InvalidInputError, match="No such file"):
        documents.load(str(tmp_path / "gone.yaml"), io.BytesIO())
    (tmp_path / "link.yaml").symlink_to(tmp_path / "real.yaml")
    (tmp_path / "real.yaml").write_text("a: 1")
    assert documents.load(str(tmp_path / "link.yaml"), io.BytesIO()) == [{"a": 1}]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), json_values), st.booleans())
def test_json_round_trips(value: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return
    assert documents.parse(raw, "f.json") == [value]
