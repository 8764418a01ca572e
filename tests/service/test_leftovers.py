"""What no run owns, at the command's door: listed, removed when confirmed, and no silence taken for nothing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from quarterdeck.cli.main import main
from quarterdeck.model.ids import RunId
from quarterdeck.model.receipt import attempt_id
from quarterdeck.ports.store import Store
from tests.support.services import FakePorts, workspace

pytestmark = pytest.mark.row("F16", "F-27")


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePorts:
    monkeypatch.setenv("QUARTERDECK_ACTOR", "ana")
    services, ports = workspace(tmp_path)
    ports.fake.auto = False
    services.runs.dispatch(services.runs.start("daily")["id"])
    return ports


def forget(store: Store, fake: FakePorts) -> str:
    """Give the world an attempt of a run that the store does not hold."""
    name, one = next(iter(fake.fake.attempts.items()))
    other = RunId("rforgotten0000000")
    fake.fake.attempts[attempt_id(other, 1)] = replace(
        one, receipt=replace(one.receipt, run=other)
    )
    assert store.runs.find(other) is None
    return str(name)


def test_what_no_run_owns_is_removed_and_what_a_run_owns_stays(
    ports: FakePorts, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = forget(ports.store, ports)
    assert main(["doctor", "--leftovers", "--json"], ports) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert (row["name"], row["alive"]) == ("rforgotten0000000-1", True)
    assert main(["doctor", "--leftovers", "--remove", "--json"], ports) != 0
    assert len(ports.fake.attempts) == 2
    capsys.readouterr()
    assert main(["doctor", "--leftovers", "--remove", "--yes", "--json"], ports) == 0
    assert list(ports.fake.attempts) == [mine]


def test_a_cluster_that_does_not_answer_is_named(
    ports: FakePorts, capsys: pytest.CaptureFixture[str]
) -> None:
    ports.fake.silence()
    assert main(["doctor", "--leftovers"], ports) == 7
    said = capsys.readouterr()
    assert "Not looked at: cluster local: owned: no answer." in said.err
    main(["doctor", "--json"], ports)
    checks = {one["name"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["leftovers"]["level"] == "warning"
    assert "local: owned: no answer." in checks["leftovers"]["message"]
