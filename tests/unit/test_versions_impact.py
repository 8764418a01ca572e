"""What an edit of a definition does to one job, and how that is said."""

from typing import Any

from quarterdeck.present import impact as words
from quarterdeck.versions import impact
from tests.support.builders import a_spec

BEFORE: dict[str, Any] = {
    "mode": "standalone", "driver": {"disk_gib": 20}, "sail_config": {"runtime.a": 8}, "env": {"TZ": "UTC"},
}  # fmt: skip
AFTER: dict[str, Any] = {
    "mode": "standalone", "driver": {"disk_gib": 40}, "sail_config": {"runtime.a": 16}, "env": {},
}  # fmt: skip


def test_a_profile_reaches_what_the_job_leaves_to_it() -> None:
    found = impact.effects("profile", BEFORE, AFTER, a_spec())
    assert [tuple(one) for one in found] == [
        ("driver.disk_gib", 20, 40, "profile"),
        ("sail_config.runtime.a", 8, 16, "profile"),
        ("env.TZ", "UTC", None, "profile"),
    ]


def test_what_the_job_sets_itself_does_not_change_there() -> None:
    spec = a_spec(settings={"env": {"TZ": "CET"}, "sail": {"runtime.a": 32}})
    found = impact.effects("profile", BEFORE, AFTER, spec)
    assert [(one.path, one.a, one.b) for one in found if one.set_by == "job"] == [
        ("sail_config.runtime.a", 32, 32),
        ("env.TZ", "CET", "CET"),
    ]
    assert words.brief("profile", [one._asdict() for one in found]) == (
        "driver.disk_gib: 20 → 40; sail_config.runtime.a: none: the job sets 32 itself; "
        "env.TZ: none: the job sets CET itself"
    )


def test_a_query_has_one_text_for_all() -> None:
    found = impact.effects("query", {"text": "SELECT 1"}, {"text": "SELECT 2"}, a_spec())
    assert words.brief("query", [one._asdict() for one in found]) == "text: the new one"


def test_the_first_line_counts_jobs_and_teams_and_names_no_hidden_one() -> None:
    jobs = [{"job": "a", "team": "x"}, {"job": "b", "team": "y"}, {"job": "c", "team": "x"}]
    assert words.taken({"jobs": jobs, "hidden": 0}) == (
        "Taken by the NEXT run of 3 jobs of 2 teams."
    )
    assert words.taken({"jobs": jobs[:1], "hidden": 2}) == (
        "Taken by the NEXT run of 3 jobs of 1 team and of teams out of your sight."
    )
