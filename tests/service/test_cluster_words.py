"""What a person reads of a cluster of kind kubernetes: by commands, over an API in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quarterdeck import runner
from quarterdeck.cli.main import main
from quarterdeck.executors.kubernetes import parts, preflight
from quarterdeck.model.run import RunState
from tests.service.test_denied import World
from tests.support.fake_api import RefusedError, an_executor

NODES = 'nodes is forbidden: User "ana" cannot list resource "nodes" in API group ""'


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("QUARTERDECK_ACTOR", "ana")
    return World(tmp_path, had_rights=False)


def without_nodes(world: World) -> None:
    def amiss(method: str, path: str) -> None:
        if path.endswith("/nodes"):
            raise RefusedError(403, "Forbidden", NODES)

    world.api.amiss = amiss


def test_a_run_that_is_refused_says_why_and_what_to_do(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.lack("patch jobs", "create jobs")
    assert main(["run", "daily"], world.ports) == 0
    said = capsys.readouterr().out
    assert "is rejected." in said
    assert "config_error · rights" in said
    assert "create jobs" in said
    assert "→ Correct the setting" in said
    assert "run-show" in said
    assert "follows its log" not in said


def test_a_run_carries_no_note_of_what_its_user_may_not_look_at(world: World) -> None:
    without_nodes(world)
    run = world.run()
    assert run.state is not RunState.REJECTED
    assert run.notes == ()
    checks = an_executor(world.api).check(None)
    [told] = [one for one in checks if one.name == "nodes"]
    assert "not looked at" in told.message


def test_doctor_says_that_a_cluster_is_kept_with_another_status(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    store = world.ports.store
    kept = next(
        one for one in world.services.context.readable_definitions("cluster")
        if one.value.name == "local"
    )  # fmt: skip
    with store.transaction("ana") as tx:
        tx.definitions.put(replace(kept.value, status="inactive"), seen=kept.rev)
    main(["doctor"], world.ports)
    said = " ".join(capsys.readouterr().out.split())
    assert "local is kept as inactive; by these checks it is active" in said
    assert "quarterdeck cluster check local" in said


def test_a_pod_template_whose_env_reaches_nothing_is_warned_of(world: World) -> None:
    env = [{"name": "AWS_REGION", "value": "x"}, {"name": "MINE", "value": "1"}]
    executor = an_executor(world.api)
    template = {"spec": {"containers": [{"name": "runner", "env": env}]}}
    executor._cluster = {**executor._cluster, "pod_template": template}
    [told] = [one for one in executor.check(None) if one.name == "pod template"]
    assert told.level == "warning"
    assert "env MINE reaches only the runner" in told.message
    assert runner.KEPT_ENV == preflight.REACHES
    assert runner.KEPT_PREFIXES == preflight.REACHING


@pytest.mark.parametrize(
    ("message", "is_shown"),
    [
        ("Startup probe failed: ", False),
        ("Liveness probe failed: connection refused", True),
    ],
)
def test_the_probe_that_tells_the_phase_is_no_event(message: str, is_shown: bool) -> None:
    event: dict[str, Any] = {"reason": "Unhealthy", "message": message}
    assert parts.is_worth_telling(event) is is_shown
