"""The one sentence that says why a run ended badly, its place, and what to do next."""

from typing import Any

import pytest

from quarterdeck.model.failure import Reason
from quarterdeck.present import failure


def run(reason: str, *, state: str = "failed", **more: Any) -> dict[str, Any]:
    kept = {"id": "r1", "job": "daily", "state": state, "object": "", "evidence": [], **more}
    return kept | {"reason": reason}


def sentence(reason: str, **more: Any) -> str:
    found = failure.of(run(reason, **more))
    assert found is not None
    return str(found["headline"])


PLACE = {
    "what": "statement", "number": 2, "of": 2, "line": 4, "column": 12, "file": None,
    "text": "       sum(o_totalprise) AS value",
}  # fmt: skip


@pytest.mark.row("G5")
@pytest.mark.parametrize(
    ("reason", "more", "expected"),
    [
        ("user_error", {"headline": "There is no column o_totalprise.", "evidence": ["AnalysisException: …"]},
         "There is no column o_totalprise."),
        ("user_error", {"evidence": ["The payload ended with exit code 1: ValueError: 1404 customers owe money"]},
         "ValueError: 1404 customers owe money"),
        ("user_error", {"evidence": ["The payload ended with exit code 3."]}, "The code ended with exit code 3."),
        ("user_error", {"object": "statement 2 of 2", "evidence": ["AnalysisException: no such column"]},
         "no such column"),
        ("oom_driver", {"object": "pod d", "evidence": ["memory limit 8Gi"]},
         "The driver ran out of memory: memory limit 8Gi"),
        ("oom_driver", {"evidence": ["The engine was ended by SIGKILL."]}, "The engine was ended by SIGKILL."),
        ("unschedulable", {"object": "pod d", "evidence": ["0/2 nodes are available: 2 Insufficient cpu."]},
         "No node can take the pod: 0/2 nodes are available: 2 Insufficient cpu."),
        ("image_pull", {"object": "image nowhere/x:1"}, "The image cannot be pulled: image nowhere/x:1."),
        ("cancelled", {"state": "cancelled", "evidence": ["asked for by ana"]}, "ana cancelled it."),
        ("lost", {"state": "lost"}, "Nothing says how it ended."),
    ],
)  # fmt: skip
def test_a_failure_is_one_sentence_of_what_happened(
    reason: str, more: dict[str, Any], expected: str
) -> None:
    assert sentence(reason, **more) == expected


def test_every_reason_has_a_sentence_that_is_its_own_though_nothing_was_seen() -> None:
    sentences = {reason: sentence(reason) for reason in Reason}
    assert len(set(sentences.values())) == len(Reason)
    assert all(one[:1].isupper() and one.endswith(".") for one in sentences.values())


def test_what_did_not_end_badly_has_no_failure() -> None:
    assert failure.of({**run("x"), "reason": None}) is None


def test_the_place_stands_with_the_line_before_it_and_a_caret() -> None:
    text = "CREATE VIEW orders;\n\nSELECT o_orderpriority,\n       sum(o_totalprise) AS value\n  FROM orders"
    found = failure.of(
        run("user_error", headline="There is no column o_totalprise.", place=PLACE), text
    )
    assert found is not None
    assert failure.where(found["place"]) == "statement 2 of 2, line 4, column 12"
    assert [(one["number"], one["caret"]) for one in found["lines"]] == [(3, None), (4, 12)]
    drawn = ["".join(cell.text for cell in line) for line in failure.quoted(found, 80)]
    assert drawn == [
        "  3 | SELECT o_orderpriority,",
        "  4 |        sum(o_totalprise) AS value",
        "    |            ^",
    ]


def test_a_long_line_shows_its_part_at_the_column() -> None:
    line = "SELECT " + ", ".join(f"c{n}" for n in range(200)) + ", wrong, " + "x" * 300
    column = line.index("wrong") + 1
    place = {**PLACE, "line": 1, "column": column, "text": line[700:1200], "text_from": 701}
    found = failure.of(run("user_error", place=place))
    assert found is not None
    shown, caret = ("".join(cell.text for cell in one) for one in failure.quoted(found, 80))
    assert len(shown) <= 80
    assert shown[caret.index("^") :].startswith("wrong")


@pytest.mark.row("T6")
def test_the_caret_stands_below_its_character_whatever_the_width() -> None:
    place = {**PLACE, "line": 1, "column": 7, "text": "\t数量 = \x1b[2Jx"}
    found = failure.of(run("user_error", place=place))
    assert found is not None
    shown, caret = ("".join(cell.text for cell in one) for one in failure.quoted(found, None))
    assert "\x1b" not in shown
    assert caret.index("^") == len("  1 | ") + 4 + 4 + len(" = ")  # a tab, two wide ones


@pytest.mark.parametrize(
    ("reason", "more", "key"),
    [
        ("user_error", {"place": PLACE}, "e"), ("oom_driver", {}, "4"), ("image_pull", {}, "6"),
        ("timeout", {}, "r"),
    ],
)  # fmt: skip
def test_the_next_step_fits_the_reason(reason: str, more: dict[str, Any], key: str) -> None:
    assert failure.steps(run(reason, **more))[0].key == key


def test_a_profile_is_named_where_it_is_known() -> None:
    (step, _) = failure.steps(run("oom_driver", frozen={"profile": {"name": "std-8"}}))
    assert (step.command, step.text) == ("quarterdeck profile edit std-8", "profile std-8")
