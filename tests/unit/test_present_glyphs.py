"""Our marks and their twins in ASCII."""

import pytest

from quarterdeck.present import glyphs, states, table


def test_every_mark_has_a_twin_in_ascii_and_both_are_one_column_wide() -> None:
    for mark, twin in glyphs.PAIRS.items():
        assert table.width(mark) == 1
        assert len(twin) == 1
        assert twin.isascii()
        assert twin.isprintable()
    assert glyphs.in_ascii("▌ orders › v7 • … ✓") == "| orders > v7 * ~ +"
    assert glyphs.in_ascii("größe 漢") == "größe 漢"


def test_marks_of_states_stay_apart_in_ascii() -> None:
    by_mark: dict[str, set[str]] = {}
    for state in states.STATES.values():
        by_mark.setdefault(glyphs.in_ascii(state.mark), set()).add(state.mark)
    assert all(len(marks) == 1 for marks in by_mark.values())


@pytest.mark.row("I55")
@pytest.mark.parametrize(
    ("environ", "ascii", "expected"),
    [
        ({}, False, False),
        ({"LANG": "C"}, False, False),
        ({"LANG": "de_DE.UTF-8"}, False, True),
        ({"LANG": "de_DE.utf8@euro"}, False, True),
        ({"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, False, False),
        ({"LC_ALL": "", "LC_CTYPE": "C.UTF-8", "LANG": "C"}, False, True),
        ({"LANG": "de_DE.ISO-8859-1"}, False, False),
        ({"LANG": "C.UTF-8", "TERM": "linux"}, False, False),
        ({"LANG": "C.UTF-8", "TERM": "vt100"}, False, False),
        ({"LANG": "C.UTF-8", "TERM": "tmux-256color"}, True, False),
    ],
)
def test_the_locale_says_whether_a_terminal_gets_marks(
    environ: dict[str, str], ascii: bool, expected: bool
) -> None:
    assert glyphs.draws_utf8(environ, ascii=ascii) is expected
