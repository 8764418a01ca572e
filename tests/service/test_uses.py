"""Who uses a definition, what an edit changes for each, which runs took which revision; and the audit trail."""

from pathlib import Path
from typing import Any

import pytest

from quarterdeck.model.errors import ConflictError, InvalidInputError, NotFoundError
from quarterdeck.service.bundle import Services
from quarterdeck.service.upkeep import TrailShown
from tests.support.quarterdeck import job
from tests.support.services import FakePorts, workspace


def deck(folder: Path) -> tuple[Services, FakePorts]:
    """Return a workspace in which jobs of two teams use profile `small`; ben sees only his own."""
    services, ports = workspace(folder)
    services.definitions.create("team", {"name": "bi", "members": ["ben"]})
    services.jobs.create(
        [job("report", team="bi", settings={"env": {"TZ": "CET"}, "sail": {"runtime.a": "16"}})]
    )
    return services, ports


def as_ben(ports: FakePorts) -> Services:
    return Services(ports, "ben")


def run(services: Services, name: str) -> str:
    made = str(services.runs.start(name)["id"])
    for _ in range(5):
        services.runs.dispatch(made)
    return made


def test_an_edit_is_told_job_by_job(tmp_path: Path) -> None:
    services, ports = deck(tmp_path)
    services.runs.start("daily")
    edit = {"env": {"TZ": "UTC"}, "driver": {"disk_gib": 40}}
    found = services.definitions.impact("profile", "small", edit)
    jobs = {one["job"]: one for one in found["jobs"]}
    assert (jobs["daily"]["team"], jobs["daily"]["queued"], jobs["daily"]["running"]) == (
        "ana",
        1,
        0,
    )
    assert {(one["path"], one["set_by"]) for one in jobs["report"]["changes"]} == {
        ("driver.disk_gib", "profile"),
        ("env.TZ", "job"),
    }
    assert [one["path"] for one in found["changed"]] == ["driver.disk_gib", "env.TZ"]
    assert services.definitions.show("profile", "small")["revision"] == 1  # nothing was written
    hidden = as_ben(ports).definitions.impact("profile", "small")
    assert ([one["job"] for one in hidden["jobs"]], hidden["hidden"]) == (["report"], 1)


def test_an_edit_that_cannot_be_saved_is_refused_when_asked_about(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    with pytest.raises(InvalidInputError) as refused:
        services.definitions.impact("profile", "small", {"driver": {"disk_gib": -1}})
    assert [one.path for one in refused.value.problems] == ["driver.disk_gib"]


def test_drafts_and_past_versions_keep_a_definition(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    services.definitions.create(
        "profile", {"name": "wide", "mode": "standalone", "driver": {"disk_gib": 9}, "team": "ana"}
    )
    whole = job("daily")["spec"]
    services.jobs.edit("daily", {"spec": {**whole, "profile": "wide"}})
    used = services.definitions.impact("profile", "wide")
    assert [(one["job"], one["by"]) for one in used["jobs"]] == [("daily", ["draft"])]
    services.publishing.publish("daily", note="")
    services.jobs.edit("daily", {"spec": whole})
    services.publishing.publish("daily", note="")
    assert services.definitions.impact("profile", "wide")["jobs"] == []
    shown = services.definitions.deletion("profile", "wide")
    assert (shown.used_by, shown.hidden) == (("daily",), 0)
    with pytest.raises(ConflictError, match="daily"):
        services.definitions.delete("profile", "wide")


def test_runs_are_counted_by_the_revision_that_they_took(tmp_path: Path) -> None:
    services, ports = deck(tmp_path)
    run(services, "daily")
    services.definitions.edit("profile", "small", {"env": {"A": "1"}})
    latest = [run(services, "daily"), run(services, "report")][-1]
    found = services.definitions.runs_by_revision("profile", "small")
    assert [(one["revision"], one["runs"]) for one in found] == [(2, 2), (1, 1)]
    assert found[0]["last"]["id"] == latest
    assert [
        one["runs"] for one in as_ben(ports).definitions.runs_by_revision("profile", "small")
    ] == [1]


def test_any_two_revisions_are_compared(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    services.definitions.edit("profile", "small", {"env": {"A": "1"}})
    services.definitions.edit("profile", "small", {"env": {"A": "2"}, "name": "tiny"})
    found = services.definitions.between("profile", "tiny", 1, 3)
    assert [(one["path"], one["a"], one["b"]) for one in found] == [
        ("name", "small", "tiny"),
        ("env.A", None, "2"),
    ]
    with pytest.raises(NotFoundError):
        services.definitions.between("profile", "tiny", 1, 9)


def test_why_not_says_the_rule_without_a_record(tmp_path: Path) -> None:
    services, ports = deck(tmp_path)
    assert services.definitions.why_not("profile", "small", "edit") is None
    why = as_ben(ports).definitions.why_not("profile", "small", "edit")
    assert why is not None
    assert "only members of ana and org admins may edit" in why
    assert services.upkeep.trail(TrailShown(refused=True)).rows == []


def test_the_trail_is_read_on_and_filtered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, ports = deck(tmp_path)
    monkeypatch.setattr("quarterdeck.service.upkeep.PAGE", 3)
    first = services.upkeep.trail(TrailShown(), limit=3)
    assert len(first.rows) == 3
    assert first.next == first.rows[-1]["id"]
    rest: list[dict[str, Any]] = []
    after: str | None = first.next
    while after is not None:
        found = services.upkeep.trail(TrailShown(), after, limit=3)
        rest, after = rest + found.rows, found.next
    numbers = [one["seq"] for one in first.rows + rest]
    assert numbers == list(range(len(numbers), 0, -1))
    oldest = services.upkeep.trail(TrailShown(oldest_first=True), limit=1_000).rows
    assert [one["seq"] for one in oldest] == numbers[::-1]
    about = services.upkeep.trail(TrailShown("REPORT"), limit=1_000).rows
    assert {one["subject_name"] for one in about} == {"report"}
    seen = as_ben(ports).upkeep.trail(TrailShown(), limit=1_000).rows
    assert "daily" not in {one["subject_name"] for one in seen}
