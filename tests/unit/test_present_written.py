"""What is typed in one line and what it means: exact both ways, and a place for what cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.present import written

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "",
        " a",
        "a,b",
        "a;b",
        '"',
        'a"b',
        "true",
        "null",
        "12",
        "1e3",
        "[1]",
        "{",
        "NaN",
        "\\",
        "a=b",
        "=",
    ]
)
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUE = st.recursive(
    SCALAR, lambda one: st.lists(one, max_size=2) | st.dictionaries(TEXT, one, max_size=2)
)


@given(st.lists(TEXT, max_size=4))
def test_a_list_is_read_as_it_was_written(value: list[str]) -> None:
    assert written.read("list", written.write("list", value)) == value


@given(st.dictionaries(TEXT, TEXT, max_size=4))
def test_names_with_texts_are_read_as_they_were_written(value: dict[str, str]) -> None:
    assert written.read("texts", written.write("texts", value)) == value


@given(st.dictionaries(TEXT, VALUE, max_size=3))
def test_names_with_values_are_read_as_they_were_written(value: dict[str, object]) -> None:
    assert written.read("values", written.write("values", value)) == value


@pytest.mark.parametrize(
    ("shape", "text", "value"),
    [
        ("list", "main, sales ,", ["main", "sales"]),
        ("list", 'numpy, "requests>=2,<3"', ["numpy", "requests>=2,<3"]),
        ("list", 'x; python_version<"3.9"', ['x; python_version<"3.9"']),
        (
            "texts",
            "TZ=UTC; TOKEN=secret://vault/key",
            {"TZ": "UTC", "TOKEN": "secret://vault/key"},
        ),
        ("texts", "A=5", {"A": "5"}),
        ("values", "day=2026-01-01; n=5; on=true", {"day": "2026-01-01", "n": 5, "on": True}),
        ("whole", "12", 12),
        ("whole", "12.5", "12.5"),
        ("line", " as it is ", " as it is "),
    ],
)
def test_what_is_typed_means_what_it_says(shape: str, text: str, value: object) -> None:
    assert written.read(shape, text) == value


@pytest.mark.parametrize(
    ("shape", "text", "where"),
    [
        ("list", '"open', "column 1: what opens here is not closed"),
        ("list", '"a" b', "column 5: write , here"),
        ("texts", "A; B=1", "column 1: write NAME=value"),
        ("texts", "A=1; A=2", "A is given twice"),
        ("json", "[1", "is no JSON"),
    ],
)
def test_what_cannot_be_read_says_where(shape: str, text: str, where: str) -> None:
    with pytest.raises(ValueError, match=where.replace("(", r"\(")):
        written.read(shape, text)
