"""Names: what is refused, and which look alike."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.text import (
    flaw,
    name_flaw,
    name_key,
    named,
    nearest,
    printable,
    same_name,
    shown,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Daily", "daily"),
        ("data", "d\u0430t\u0430"),  # Cyrillic a
        ("BETA", "\u0412\u0415\u0422\u0410"),  # Cyrillic capitals
        ("\u0411\u0410\u0417\u0410", "\u0431\u0430\u0437\u0430"),  # Cyrillic, by case alone
        ("omikron", "\u03bfmikron"),  # Greek o
        ("full", "\uff46\uff55\uff4c\uff4c"),  # full width
        ("a b", " a\u00a0 b "),
        ("ab", "a\u200bb"),  # zero width
        ("caf\u00e9", "cafe\u0301"),
        ("stra\u00dfe", "STRASSE"),
        ("a-b", "a\u2013b"),
    ],
)
def test_names_that_look_alike_have_one_key(one: str, other: str) -> None:
    assert one != other
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("l", "1"), ("O", "0"), ("a-b", "ab")])
def test_names_that_differ_keep_their_keys_apart(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


@given(st.text(max_size=20), st.sampled_from(["NFC", "NFD"]), st.sampled_from([str, str.casefold]))
def test_another_form_is_the_same_name_and_found_by_the_same_key(
    name: str, form: Literal["NFC", "NFD"], case: Callable[[str], str]
) -> None:
    other = unicodedata.normalize(form, case(unicodedata.normalize("NFD", name)))
    assert same_name(other) == same_name(name)
    if "\u0345" not in unicodedata.normalize("NFD", name):  # its two forms are two letters there
        assert name_key(other) == name_key(name)


def test_the_exact_name_comes_before_another_form() -> None:
    both = ["cafe\u0301", "caf\u00e9", "Caf\u00e9"]
    assert [named(both, one, str) for one in both] == both
    assert named(both[:1], both[1], str) == both[0]
    assert named(both[:2], both[2], str) is None


@given(st.text())
def test_checks_take_any_text(text: str) -> None:
    name_key(text)
    name_flaw(text)
    assert printable(shown(text)) == shown(text)
    assert bool(flaw(text)) == ("\0" in text)


def test_a_value_in_a_message_is_cut_and_has_no_control_characters() -> None:
    assert shown("a\x1b[31m\n") == "'a\\x1b[31m\\n'"
    assert len(shown("x" * 1000)) < 100
    assert shown(True) == "true"
    assert shown(["a"]) == '["a"]'


def test_the_nearest_word_is_found_in_any_case() -> None:
    assert nearest("TimeOut", ["timeout", "team"]) == ["timeout"]
    assert nearest("zzz", ["timeout"]) == []
