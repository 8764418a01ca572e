"""What is over a workspace's ceiling, in stored numbers or as written."""

from __future__ import annotations

from typing import Any

import pytest

from quarterdeck.policy import ceilings

CEILINGS = {
    "timeout": 86_400.0,
    "max_workers": 20,
    "max_driver_memory": 64 * 1024**3,
    "max_concurrent_runs": 10,
}


@pytest.mark.parametrize("timeout", [172_800.0, "2d", "48h"])
def test_a_timeout_over_the_ceiling_tells_both_and_where_it_is_set(timeout: object) -> None:
    (problem,) = ceilings.problems({"timeout": timeout}, CEILINGS)
    assert problem.path == "spec.timeout"
    assert problem.message == (
        "2d is over the ceiling of 1d, set in the workspace (quarterdeck workspace edit)"
    )


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("max_workers", 21, "21 is over the ceiling of 20"),
        ("max_driver_memory", 65 * 1024**3, "65Gi is over the ceiling of 64Gi"),
        ("max_driver_memory", "1Ti", "1Ti is over the ceiling of 64Gi"),
        ("max_concurrent_runs", 11, "11 is over the ceiling of 10"),
    ],
)
def test_limits_over_the_ceiling(key: str, value: object, words: str) -> None:
    (problem,) = ceilings.problems({"limits": {key: value}}, CEILINGS)
    assert problem.path == f"spec.limits.{key}"
    assert problem.message.startswith(words)


@pytest.mark.parametrize(
    "spec",
    [
        {"timeout": 86_400.0, "limits": {"max_workers": 20, "max_driver_memory": None}},
        {"timeout": "soon", "limits": {"max_workers": "many", "max_driver_memory": []}},
        {"timeout": True, "limits": None},
        {},
    ],
)
def test_what_is_allowed_or_cannot_be_read_is_passed_over(spec: dict[str, Any]) -> None:
    assert ceilings.problems(spec, CEILINGS) == []


def test_a_profile_is_held_against_the_same_ceilings() -> None:
    profile = {"driver": {"memory": 2**40}, "worker": {"max_nodes": 21}}
    found = ceilings.profile_problems(profile, CEILINGS)
    assert [problem.path for problem in found] == ["driver.memory", "worker.max_nodes"]
    assert ceilings.profile_problems({"driver": {"memory": None}}, CEILINGS) == []
