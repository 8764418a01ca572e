"""Node lost: what it may still run is named, and nothing starts beside it until somebody knows better."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.cli.main import main
from quarterdeck.lifecycle.nodes import RUNNER_GRACE
from quarterdeck.model.errors import ConflictError, NotAllowedError, PrerequisiteError
from quarterdeck.model.failure import Reason
from quarterdeck.model.observation import Phase
from quarterdeck.model.receipt import attempt_id
from quarterdeck.model.run import Run, RunState
from quarterdeck.service.bundle import Services
from tests.support.fakes import FakeExecutor
from tests.support.quarterdeck import job
from tests.support.services import workspace

pytestmark = pytest.mark.row("F-22")
RETRY: dict[str, Any] = {"attempts": 2, "backoff": "1s", "on": ["node_lost"]}


class World:
    """A run whose first attempt runs on node n1."""

    def __init__(self, folder: Path, **spec: Any) -> None:
        self.services, self.ports = workspace(folder)
        self.fake: FakeExecutor = self.ports.fake
        self.fake.auto = False
        self.services.jobs.create([job("held", timeout="1h", **spec)])
        self.id = self.services.runs.dispatch(self.services.runs.start("held")["id"])["id"]
        self.name = attempt_id(self.id, 1)
        self.fake.move(self.name, Phase.RUNNING)
        self.fake.attempts[self.name].node = "n1"
        self.turn()

    def turn(self, seconds: float = 2) -> Run:
        self.ports.clock.tick(seconds)
        self.services.upkeep.reconcile_all()
        return self.services.runs.get(self.id)

    @property
    def starts(self) -> int:
        return sum(self.fake.starts.values())


def test_the_next_attempt_waits_for_the_node_and_says_so(tmp_path: Path) -> None:
    world = World(tmp_path, retry=RETRY)
    world.fake.lose_node(world.name, "n1")
    world.turn()
    world.turn(3_000)
    shown = world.services.runs.show(world.id)
    assert shown["waiting_for"]["what"] == "node n1 to be back"
    assert "may run on there" in shown["waiting_for"]["last_fact"]
    assert shown["deadline"] is not None
    assert world.starts == 1
    world.fake.nodes["n1"] = ""
    world.turn()
    world.turn()
    run = world.services.runs.get(world.id)
    assert [one.cleared_by for one in run.attempts] == ["the cluster", ""]
    assert world.starts == 2


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        ("pod x", Reason.DELETED_EXTERNALLY),  # the driver, which is still ending
        ("worker pod y", Reason.NODE_LOST),  # on another node
    ],
)
def test_what_others_deleted_and_is_still_ending_is_no_lost_node(
    tmp_path: Path, left: str, reason: Reason
) -> None:
    world = World(tmp_path)
    one = world.fake.attempts[world.name]
    one.placement = "pod x on n1"
    world.turn()
    one.failure, one.left = Reason.DELETED_EXTERNALLY, (left,)
    world.fake.move(world.name, Phase.ENDED)
    world.fake.nodes["n1"] = "it may run on n1"
    assert world.turn().reason is reason


def test_the_next_attempt_starts_when_the_old_ones_own_deadline_has_passed(tmp_path: Path) -> None:
    world = World(tmp_path, retry=RETRY)
    world.fake.lose_node(world.name, "n1")
    began = world.services.runs.get(world.id).attempts[0].began_at
    assert began is not None
    until = began + timedelta(hours=1) + RUNNER_GRACE
    world.ports.clock.tick((until - timedelta(seconds=5) - world.ports.clock()).total_seconds())
    world.turn(1)
    assert world.turn(1).state is not RunState.QUEUED
    world.turn(5)
    world.turn(5)
    assert world.starts == 2


def test_a_person_says_that_the_machine_is_off_and_that_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path, retry=RETRY)
    world.fake.lose_node(world.name, "n1")
    world.turn()
    row = world.services.runs.retry(world.id, node_off=True)
    assert (row["id"], row["state"]) == (world.id, "queued")
    world.turn()
    assert world.starts == 2
    assert world.services.runs.get(world.id).attempts[0].cleared_by == "ana"
    [record] = [one for one in world.services.upkeep.audit() if one["action"] == "run.node_off"]
    assert (record["actor"], record["subject"]) == ("ana", f"run/{world.id}")


@pytest.mark.parametrize("word", ["node n1 does not answer", None])
def test_a_run_that_ended_so_is_retried_only_once_the_node_is_clear(
    tmp_path: Path, word: str | None
) -> None:
    world = World(tmp_path)
    world.fake.lose_node(world.name, "n1")
    world.fake.nodes["n1"] = word
    run = world.turn()
    assert (run.state, run.reason, run.object) == (RunState.FAILED, Reason.NODE_LOST, "node n1")
    for act in (world.services.runs.retry, world.services.runs.rerun_exactly):
        with pytest.raises(PrerequisiteError, match="may still run: node n1") as refused:
            act(world.id)
        assert f"quarterdeck retry {world.id} --node-off" in refused.value.advice
    world.fake.silence()
    with pytest.raises(PrerequisiteError, match="no answer"):
        world.services.runs.retry(world.id)
    world.fake.speak()
    if word is None:
        again = world.services.runs.retry(world.id, node_off=True)
    else:
        world.fake.nodes["n1"] = ""
        again = world.services.runs.retry(world.id)
    assert again["retry_of"] == world.id


def test_what_the_cluster_forgot_is_lost_with_its_node_and_not_evicted(tmp_path: Path) -> None:
    world = World(tmp_path)
    one = world.fake.attempts[world.name]
    one.phase, one.failure, one.because = Phase.ENDED, Reason.EVICTED, "the pod is gone"
    world.fake.nodes["n1"] = "node n1 is gone from the cluster"
    run = world.turn()
    assert (run.reason, run.object) == (Reason.NODE_LOST, "node n1")
    assert "the pod is gone" in run.evidence


def test_an_eviction_on_a_node_that_answers_stays_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    one = world.fake.attempts[world.name]
    one.phase, one.failure = Phase.ENDED, Reason.EVICTED
    assert world.turn().reason is Reason.EVICTED


def test_a_cancel_does_not_end_what_a_lost_node_may_run(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.services.runs.cancel(world.id)
    world.fake.nodes["n1"] = "node n1 does not answer"
    world.fake.attempts[world.name].last_word = None
    assert world.turn().state is RunState.CANCELLING
    for _ in range(8):
        world.turn(10)
    run = world.services.runs.get(world.id)
    assert (run.state, run.object) == (RunState.LOST, "node n1 does not answer")


def test_only_a_lost_node_can_be_said_to_be_off_and_only_by_who_may_retry(tmp_path: Path) -> None:
    world = World(tmp_path)
    with pytest.raises(ConflictError, match="No attempt"):
        world.services.runs.retry(world.id, node_off=True)
    world.fake.lose_node(world.name, "n1")
    world.turn()
    read_only = Services(world.ports, "ana", read_only=True)
    with pytest.raises(NotAllowedError):
        read_only.runs.retry(world.id, node_off=True)


def test_the_command_says_why_not_and_takes_a_persons_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QUARTERDECK_ACTOR", "ana")
    world = World(tmp_path)
    world.fake.lose_node(world.name, "n1")
    world.turn()
    assert main(["retry", world.id], world.ports) == 6
    assert "--node-off" in capsys.readouterr().err
    assert main(["retry", world.id, "--node-off", "--json"], world.ports) == 0
    assert json.loads(capsys.readouterr().out)["retry_of"] == world.id
    assert main(["audit", "--json"], world.ports) == 0
    assert "run.node_off" in capsys.readouterr().out
