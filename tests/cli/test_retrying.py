"""One retry of a run, not two: the second says that there is one; and what had completed is told to run again."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.model.errors import ConflictError
from quarterdeck.service.bundle import Services
from tests.support.again import again
from tests.support.door import Door
from tests.support.quarterdeck import Quarterdeck, sql
from tests.support.terminal import typed

FOUR = (
    "CREATE TABLE a AS\n  SELECT 1 AS v;\nINSERT INTO a VALUES (2);\nSELECT nope FROM a;\nSELECT 4"
)


def failed_at_three(door: Door) -> str:
    """Return a run of four statements that failed at the third."""
    door.publish(door.ana, FOUR)
    return door.ended(statement=[3, 4], statements_done=[1, 2])


@pytest.mark.row("F3", "I48")
def test_a_second_retry_is_refused_with_the_first_and_again_makes_another(door: Door) -> None:
    run = door.ended()
    first = door.call("retry", run, "--json").document
    assert (first["retry_of"], first["version"]) == (run, 1)
    second = door.call("retry", run, "--json")
    assert second.code == 5
    assert second.error["code"] == "conflict"
    assert second.error["made"] == [first["id"]]
    assert second.error["conflict"]["actor"] == "ana"
    assert f"run {first['id']}, {first['state']}, by ana" in second.error["message"]
    assert f"retry {run} --again" in second.error["advice"]
    assert door.ports.store.runs.count() == 2
    third = door.call("retry", run, "--again", "--json").document
    assert door.ana.runs.stored(run)["retried_by"] == [first["id"], third["id"]]


@pytest.mark.row("F3", "F9")
def test_an_exact_rerun_is_refused_only_while_another_is_under_way(door: Door) -> None:
    run = door.ended()
    door.call("retry", run, "--json")  # is another thing
    first = door.call("rerun", run, "--exact", "--json").document
    second = door.call("rerun", run, "--exact", "--json")
    assert (second.code, second.error["made"]) == (5, [first["id"]])
    assert f"rerun {run} --exact --again" in second.error["advice"]
    door.ana.runs.cancel(first["id"])
    door.ana.runs.dispatch(first["id"])
    assert door.call("rerun", run, "--exact", "--json").code == 0
    assert door.call("rerun", run, "--exact", "--again", "--json").code == 0
    retries = door.call("retry", run, "--json")
    assert (retries.code, len(retries.error["made"])) == (5, 1)


@pytest.mark.row("F3")
def test_what_had_completed_is_listed_and_runs_again(door: Door) -> None:
    run = failed_at_three(door)
    made = door.call("retry", run, "--json").document
    assert made["will_run_again"] == [
        {"number": 1, "head": "CREATE TABLE a AS SELECT 1 AS v"},
        {"number": 2, "head": "INSERT INTO a VALUES (2)"},
    ]
    said = door.call("retry", run, "--again")
    assert "2 statements had completed and will run again:" in said.out
    assert "  1  CREATE TABLE a AS SELECT 1 AS v\n" in said.out
    assert "  2  INSERT INTO a VALUES (2)\n" in said.out
    exact = door.call("rerun", run, "--exact", "--json").document
    assert [one["number"] for one in exact["will_run_again"]] == [1, 2]


@pytest.mark.row("F3")
@pytest.mark.parametrize(
    ("state", "word", "numbers"),
    [
        ("failed", {"statement": [1, 4], "statements_done": []}, []),
        ("failed", {"statement": [4, 4], "statements_done": [1]}, [1, 2, 3]),  # the list was cut
        ("timed_out", {"statement": [2, 4], "statements_done": [1, 2]}, [1, 2]),
        ("succeeded", {"statement": [4, 4], "statements_done": [1, 2, 3, 4]}, []),
        ("failed", {"statement": None, "statements_done": []}, []),
        ("failed", {}, []),
    ],
)
def test_only_what_had_completed_is_listed(
    door: Door, state: str, word: dict[str, Any], numbers: list[int]
) -> None:
    door.publish(door.ana, FOUR)
    run = door.ended(state=state, **word)
    made = door.call("retry", run, "--json").document
    assert [one["number"] for one in made["will_run_again"]] == numbers


@again
@pytest.mark.row("F3", "F-40")
@pytest.mark.parametrize("act", ["retry", "rerun_exactly"])
def test_many_at_once_make_one_run(door: Door, act: str, turn: int) -> None:
    run, start = door.ended(), threading.Barrier(6)
    made: list[str] = []
    refused: list[ConflictError] = []

    def one() -> None:
        runs = Services(door.ports, "ben").runs
        start.wait()
        try:
            made.append(getattr(runs, act)(run)["id"])
        except ConflictError as error:
            refused.append(error)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 5)
    assert door.ana.runs.stored(run)["retried_by"] == made
    assert {one.facts["made"][0] for one in refused} == set(made)
    assert door.ports.store.runs.count() == 2


@pytest.fixture
def deck(tmp_path: Path) -> Quarterdeck:
    return Quarterdeck(tmp_path)


def rejected(deck: Quarterdeck) -> str:
    """Return a run that ended before anything started: its file is gone."""
    file = deck.folder / "gone.py"
    file.write_text("print(1)\n")
    deck.create("gone", source={"kind": "py_file", "uri": str(file), "args": []})
    file.unlink()
    run: str = deck.ok("run", "gone")["id"]
    assert deck.until(run)["state"] == "rejected"
    return run


@pytest.mark.row("F3", "F-40")
def test_two_processes_that_retry_at_once_make_one_run(deck: Quarterdeck) -> None:
    run = rejected(deck)
    both = [
        subprocess.Popen(  # our own command
            deck.command("retry", run, "--json"), env=deck.environ(), cwd=deck.folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [one.communicate(timeout=60) for one in both]
    assert sorted(one.returncode for one in both) == [0, 5], said
    [made] = [json.loads(out) for one, (out, _) in zip(both, said, strict=True) if out]
    [refused] = [err for one, (_, err) in zip(both, said, strict=True) if one.returncode == 5]
    assert json.loads(refused)["error"]["made"] == [made["id"]]
    assert len(deck.ok("runs")) == 2


@pytest.mark.row("F3")
def test_a_real_run_says_at_a_terminal_what_will_run_again(deck: Quarterdeck) -> None:
    text = "CREATE TEMPORARY VIEW a AS SELECT 1 AS v;\nSELECT v FROM a;\nSELECT nope FROM a"
    deck.create("three", source=sql(text))
    run = deck.run("three")
    assert run["state"] == "failed"
    code, shown = typed(deck, f"quarterdeck retry {run['id']} --wait")
    assert code == 1
    assert "2 statements had completed and will run again:" in shown
    assert "1  CREATE TEMPORARY VIEW a AS SELECT 1 AS v" in shown
    assert "2  SELECT v FROM a" in shown
    waited = deck.json("retry", run["id"], "--wait", "--again").document
    assert [one["number"] for one in waited["will_run_again"]] == [1, 2]
    code, shown = typed(deck, f"quarterdeck retry {run['id']}")
    assert code == 5
    assert "was retried already" in shown
    deck.end()
