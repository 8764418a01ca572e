"""Looking before a run through the command line, and what an exact re-run asks of the place."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from quarterdeck.cli.main import main
from tests.support.fakes import PLACE
from tests.support.quarterdeck import Quarterdeck, python
from tests.support.services import workspace


@pytest.mark.row("X3", "H4")
def test_a_local_plan_names_the_process_and_its_variables_and_starts_nothing(
    tmp_path: Path,
) -> None:
    deck = Quarterdeck(tmp_path)
    env = {"REGION": "north-value"}
    deck.create("daily", source=python("print(1)"), settings={"env": env})
    plan = deck.ok("job", "plan", "daily", "--read-only")
    assert (plan["would"], plan["kind"], plan["problems"]) == ("start", "local", [])
    [process] = plan["documents"]
    assert process["kind"] == "Process"
    assert any(word.endswith("/in/runner/runner.py") for word in process["command"])
    assert {"PATH", "QUARTERDECK_ATTEMPT", "QUARTERDECK_WORK"} <= set(process["environment"])
    assert process["payload_environment"] == ["REGION"]
    assert os.environ["PATH"] not in json.dumps(process)
    assert "files/payload.py" in process["inputs"]["files"]
    assert not list((deck.store / "work").glob("*"))
    assert not list((deck.store / "artifacts").rglob("*.*"))
    assert deck.ok("runs") == []
    run = deck.run("daily")
    assert run["frozen"]["sha256"] == plan["frozen_sha256"]
    shown = deck.call("job", "plan", "daily")
    assert shown.code == 0
    assert "A run would start now. Nothing was made." in shown.out
    assert "- REGION" in shown.out


@pytest.mark.row("A12", "X1")
def test_a_plan_of_what_is_refused_lists_why_and_ends_with_6(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path)
    env = {"TOKEN": "secret://db/token"}
    deck.create("daily", settings={"env": env})
    answer = deck.json("job", "plan", "daily")
    assert (answer.code, answer.document["would"]) == (6, "refuse")
    [problem] = answer.document["problems"]
    assert problem["path"] == "spec.settings.env"
    assert "only clusters of kind kubernetes have Secrets" in problem["message"]
    assert answer.document["documents"] == []
    run = deck.run("daily")
    assert (run["state"], run["reason"]) == ("rejected", "config_error")
    assert deck.json("job", "plan", "daily", "--draft", "--version", "1").code == 2
    assert deck.json("job", "plan", "daily", "--draft").code == 4
    assert deck.json("job", "plan", "daily", "--version", "7").code == 4


@pytest.mark.row("B13", "B14")
def test_an_exact_run_wants_the_image_of_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARTERDECK_ACTOR", "ana")
    services, ports = workspace(tmp_path)
    ports.fake._place = replace(PLACE, image="x:1", image_id="x@sha256:aa")
    run = services.runs.start("daily")["id"]
    for _ in range(6):
        services.runs.dispatch(run)
    assert services.runs.get(run).state == "succeeded"
    ports.fake._place = replace(PLACE, image="x:1", image_id="x@sha256:bb")
    assert main(["rerun", run, "--exact", "--json"], ports) == 6
    error = json.loads(capsys.readouterr().err)["error"]
    assert "frozen.place.image_id was x@sha256:aa, is x@sha256:bb now" in error["message"]
    ports.fake._place = replace(PLACE, image="x:1", image_id="x@sha256:aa")
    assert main(["rerun", run, "--exact", "--json"], ports) == 0


@pytest.mark.row("X3")
def test_a_cluster_that_is_renamed_takes_the_places_of_teams_along(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path)
    places = {"local": {"namespace": "data", "service_account": "jobs"}}
    deck.ok("team", "edit", "ana", "-f", "-", text=json.dumps({"clusters": places}))
    deck.ok("cluster", "edit", "local", "-f", "-", text=json.dumps({"name": "here"}))
    assert deck.ok("team", "show", "ana")["clusters"] == {"here": places["local"]}
