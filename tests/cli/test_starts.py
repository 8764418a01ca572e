"""A run whose cluster has not made its pod yet, as a person and a script see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.cli.main import main
from quarterdeck.model.errors import UnreachableError
from quarterdeck.model.receipt import AttemptId
from tests.support.services import FakePorts, workspace

pytestmark = pytest.mark.row("F13")


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePorts:
    monkeypatch.setenv("QUARTERDECK_ACTOR", "ana")
    _, made = workspace(tmp_path)
    made.fake.auto = made.fake.makes = False
    return made


def said(ports: FakePorts, capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> str:
    assert main([*argv], ports) == code
    return capsys.readouterr().out


def told(ports: FakePorts, capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    return json.loads(said(ports, capsys, *argv, "--json"))


def test_run_says_what_is_waited_for_and_the_next_command_starts_it(
    ports: FakePorts, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(ports, capsys, "run", "daily")
    [first, second, third] = text.splitlines()
    assert first.endswith("of daily v1 is dispatching.")
    assert (
        second == "It waits for the cluster to make the pod; a command or the scheduler starts it."
    )
    assert third.startswith("quarterdeck logs ")
    [run] = [row["id"] for row in told(ports, capsys, "runs")]
    shown = told(ports, capsys, "run-show", run)
    assert (shown["state"], shown["submitted_at"], shown["receipt"]["chosen"]) == (
        "dispatching", None, None,
    )  # fmt: skip
    assert shown["deadline"] == shown["waiting_for"]["deadline"]
    assert "waits for the cluster to make the pod" in said(ports, capsys, "run-show", run)
    ports.fake.make(AttemptId(f"{run}-1"))
    assert not ports.fake.starts
    assert [row["state"] for row in told(ports, capsys, "runs")] == ["submitted"]
    assert ports.fake.starts == {f"{run}-1": 1}
    chosen = told(ports, capsys, "run-show", run)["receipt"]["chosen"]
    made = ports.fake.attempts[AttemptId(f"{run}-1")].made
    assert made is not None
    assert (chosen["name"], chosen["id"]) == (made.name, made.id)
    assert f"{made.name} uid={made.id}" in said(ports, capsys, "run-show", run)


def test_the_scheduler_starts_it_and_read_only_does_not(
    ports: FakePorts, capsys: pytest.CaptureFixture[str]
) -> None:
    run = told(ports, capsys, "run", "daily")["id"]
    ports.fake.make(AttemptId(f"{run}-1"))
    assert told(ports, capsys, "--read-only", "runs")[0]["state"] == "dispatching"
    assert not ports.fake.starts
    said(ports, capsys, "scheduler", "--once")
    assert ports.fake.starts == {f"{run}-1": 1}


@pytest.mark.row("F7")
def test_it_can_be_cancelled_while_it_waits(
    ports: FakePorts, capsys: pytest.CaptureFixture[str]
) -> None:
    run = told(ports, capsys, "run", "daily")["id"]
    said(ports, capsys, "cancel", run)
    ports.fake.make(AttemptId(f"{run}-1"))
    assert told(ports, capsys, "run-show", run)["state"] == "cancelled"
    assert not ports.fake.starts


@pytest.mark.row("F3")
def test_what_was_taken_away_before_it_began_is_told_and_can_be_retried(
    ports: FakePorts, capsys: pytest.CaptureFixture[str]
) -> None:
    ports.fake.makes = True
    ports.fake.fail("start", UnreachableError("start: no route."))
    run = told(ports, capsys, "run", "daily")["id"]
    ports.fake.make_another(AttemptId(f"{run}-1"))
    shown = told(ports, capsys, "run-show", run)
    assert (shown["state"], shown["reason"]) == ("failed", "start_fenced")
    assert f"`quarterdeck retry {run}`" in shown["advice"]
    assert not ports.fake.starts
    again = told(ports, capsys, "retry", run)
    assert (again["retry_of"], again["state"]) == (run, "submitted")
    assert ports.fake.starts == {f"{again['id']}-1": 1}
