"""Words, widths and tables for people."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.instants import format_instant
from quarterdeck.model.states import RunState
from quarterdeck.present import ages, columns, inert, lists, states, table, tree
from quarterdeck.present.table import Cell, Column, Look

NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
PERSON = Look(NOW)


def test_every_state_has_a_word_and_marks_differ_from_good_to_bad() -> None:
    assert set(states.STATES) == set(RunState)
    assert len({shown.word for shown in states.STATES.values()}) == len(RunState)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"), (-3, "just now"), (40, "40 s ago"), (200, "3 min ago"), (-7_300, "by a clock 2 h ahead"),
        (86_399, "23 h ago"), (90_000, "05:00 yesterday"),
        (3 * 86_400, "19 Nov 06:00"), (400 * 86_400, "18 Oct 2025"),
    ],
)  # fmt: skip
def test_a_time_is_told_in_one_way(seconds: int, text: str) -> None:
    assert ages.age(format_instant(NOW - timedelta(seconds=seconds)), NOW) == text


def test_what_is_shown_is_told_in_the_zone_of_the_reader() -> None:
    now = NOW.astimezone(ZoneInfo("Asia/Kolkata"))
    at = "2026-11-20T20:40:05.000000Z"
    assert ages.age(at, now) == "02:10 yesterday"
    assert ages.moment(at, now) == "2026-11-21 02:10:05"
    assert ages.moment(at, NOW) == "2026-11-20 20:40:05 UTC"
    said = f"ben made v3 live at {at}. Asked again until 2026-11-20 20:41:00 UTC."
    told = "ben made v3 live at 2026-11-21 02:10:05. Asked again until 2026-11-21 02:11:00."
    assert ages.localised(said, now.tzinfo) == told


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(10_800, "+3 h 00 m"), (-3_660, "-1 h 01 m"), (260, "+4 m 20 s"), (-7.4, "-7 s")],
)
def test_a_step_of_a_clock_has_a_sign_and_two_units(seconds: float, text: str) -> None:
    assert ages.step(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.44, "0.4 s"), (12.3, "12 s"), (200, "3 min 20 s"), (7_500, "2 h 5 min"), (3600, "1 h"),
        (97_200, "1 d 3 h"),
    ],
)  # fmt: skip
def test_a_span_has_at_most_two_units(seconds: float, text: str) -> None:
    assert ages.span(seconds) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 世界", "plain ü 世界"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b31m", "\\x9b31m"),
        ("\udc80", "\\x80"),  # a byte that is no UTF-8
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_could_steer_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert inert.line(text) == shown


@given(st.text())
def test_an_inert_line_is_one_line_without_controls(text: str) -> None:
    shown = inert.line(text)
    assert len(shown.splitlines()) <= 1
    assert not any(ord(one) < 32 or 0x7F <= ord(one) < 0xA0 for one in shown)
    shown.encode()


@given(st.text(max_size=30), st.integers(-3, 20))
def test_a_cut_text_fits(text: str, most: int) -> None:
    assert table.width(table.cut(inert.line(text), most)) <= max(0, most)


def a_column(title: str, **how: Any) -> Column:
    return Column(title, lambda row, _: Cell(row[title]), **how)


def texts(lines: list[table.Line]) -> list[str]:
    return ["".join(cell.text for cell in line).rstrip() for line in lines]


def test_columns_stay_aligned_whatever_the_width_of_a_character() -> None:
    rows = [{"A": "世界", "B": "1"}, {"A": "abc", "B": "22"}]
    found = texts(table.lay_out([a_column("A"), a_column("B", right=True)], rows, PERSON, None))
    assert found == ["A      B", "世界   1", "abc   22"]


def test_columns_shorten_before_they_go_and_go_by_rank() -> None:
    rows = [{"A": "a" * 30, "B": "b" * 10, "C": "c" * 10}]
    shown = [a_column("A", least=8), a_column("B", drop=1), a_column("C", drop=2)]
    assert (
        texts(table.lay_out(shown, rows, PERSON, 40))[1]
        == "a" * 15 + "…" + "  bbbbbbbbbb  cccccccccc"
    )
    assert texts(table.lay_out(shown, rows, PERSON, 25))[0].split() == ["A", "B"]
    assert texts(table.lay_out(shown, rows, PERSON, 10))[0].split() == ["A"]


def test_an_optional_column_is_left_out_while_it_is_empty() -> None:
    shown = [a_column("A"), a_column("B", optional=True)]
    assert texts(table.lay_out(shown, [{"A": "x", "B": ""}], PERSON, None)) == ["A", "x"]


def a_run(**changes: Any) -> dict[str, Any]:
    run = {
        "id": "r0mwvihcp44lta1fl", "job": "daily-sales-of-the-north-and-south", "version": 12,
        "draft": False, "trigger": "manual", "actor": "ana", "state": "failed",
        "reason": "dependency_install", "object": "requests==2.32.5", "queued_at": format_instant(NOW),
        "started_at": format_instant(NOW), "ended_at": format_instant(NOW + timedelta(seconds=61)),
    }  # fmt: skip
    return {**run, **changes}


@pytest.mark.parametrize("most", [80, 60, 200])
def test_the_list_of_runs_fits_and_keeps_run_job_and_state(most: int) -> None:
    found = texts(table.lay_out(columns.RUNS, [a_run(), a_run(draft=True)], PERSON, most))
    assert all(table.width(line) <= most for line in found)
    assert "r0mwvihcp44lta1fl" in found[1]
    assert "✗ failed · dependency" in found[1]


def test_a_tree_leaves_out_what_is_empty_and_names_units() -> None:
    document: dict[str, Any] = {
        "a": None,
        "b": {"c": []},
        "timeout": 5400.0,
        "text": "x\ny",
        "list": [{"k": 1}],
    }
    found = ["".join(cell.text for cell in line) for line in tree.lines(document)]
    assert found == ["timeout: 1 h 30 min", "text:", "  x", "  y", "list:", "  - k: 1"]


@given(st.text(min_size=1, max_size=30), st.integers(-3, 20))
def test_a_text_without_its_middle_fits(text: str, most: int) -> None:
    shown = lists._middle(inert.line(text), most)
    assert table.width(shown) <= max(0, most)


@pytest.mark.row("G7")
@pytest.mark.parametrize("shown", [lists.RUNS, lists.JOB_RUNS], ids=["runs", "a job's runs"])
def test_a_run_of_which_nothing_was_heard_lately_is_marked_in_lists(
    shown: tuple[lists.ListColumn, ...],
) -> None:
    [state] = [one for one in shown if one.title == "STATE"]
    row = {"state": "running", "reason": None, "stale": False}
    fresh = state.cell(row, PERSON)
    old = state.cell({**row, "stale": True}, PERSON)
    assert old.text == f"{fresh.text} ?"
