"""What no run owns, at the command's door: listed, removed when confirmed, and no silence taken for nothing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from quarterdeck.cli.main import main
from quarterdeck.model.ids import RunId
from quarterdeck.model.observation import Phase
from quarterdeck.model.receipt import Receipt, attempt_id
from quarterdeck.ports.executor import Launch
from quarterdeck.ports.store import Store
from quarterdeck.scheduler.loop import Loop, this_process
from quarterdeck.service.bundle import Services
from tests.support.fakes import CrashError
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


def test_the_scheduler_removes_what_came_late_for_an_ended_run_alone(ports: FakePorts) -> None:
    """A process that stood still prepares for a run that others ended meanwhile, and is killed then."""
    services = Services(ports, "ana")
    [under_way] = ports.fake.attempts
    ports.fake.move(under_way, Phase.RUNNING)
    services.upkeep.reconcile_all()
    late, prepare = services.runs.start("daily")["id"], ports.fake.prepare

    def stands_still(launch: Launch) -> Receipt:
        ports.fake.prepare = prepare  # type: ignore[method-assign]  # once
        other = Services(ports, "ben")
        other.runs.dispatch(late)
        ports.fake.end(attempt_id(RunId(late), 1))
        for _ in range(4):
            other.upkeep.reconcile_all()
            ports.clock.tick(200)
        prepare(launch)
        raise CrashError("killed")

    ports.fake.prepare = stands_still  # type: ignore[method-assign]  # the race, every time
    with pytest.raises(CrashError):
        services.runs.dispatch(late)
    forget(ports.store, ports)
    loop = Loop(services, this_process(services), lambda _: None, lambda _: None)
    assert f"{late}-1" in ports.fake.attempts
    loop.step()
    assert list(ports.fake.attempts) == [under_way, "rforgotten0000000-1"]
    assert ports.fake.starts[attempt_id(RunId(late), 1)] == 1


def test_a_long_sweep_gives_way_to_the_lease_and_goes_on_where_it_was(ports: FakePorts) -> None:
    services, fake = Services(ports, "ana"), ports.fake
    [(_, one)] = fake.attempts.items()
    fake.end(one.receipt.id)
    for _ in range(4):
        services.upkeep.reconcile_all()
        ports.clock.tick(400)
    assert fake.attempts == {}
    late = [attempt_id(one.receipt.run, number) for number in range(2, 8)]
    for number, name in enumerate(late, 2):
        fake.attempts[name] = replace(one, receipt=replace(one.receipt, attempt=number))
    fake.attempts[late[0]].left = ("pid 7",)  # it stays, and holds up nothing
    rounds = 1
    while not services.upkeep.sweep(iter([False, False, True]).__next__):
        rounds += 1
    assert rounds == 3
    assert list(fake.attempts) == [late[0]]


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
