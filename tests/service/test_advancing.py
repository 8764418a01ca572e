"""The loop over runs on fakes: crashes, lost answers, silence, ceilings, two processes at once."""

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.model.errors import QuarterdeckError
from quarterdeck.model.observation import Phase
from quarterdeck.model.receipt import AttemptId
from quarterdeck.model.run import TERMINAL, CancelStep, RunState
from quarterdeck.ports.executor import Check
from quarterdeck.service.bundle import Services
from tests.support.fakes import CrashError
from tests.support.quarterdeck import job
from tests.support.services import FakePorts, workspace

CALLS = ("place", "check", "prepare", "release", "observe", "logs", "cancel", "reap")


@pytest.fixture
def made(tmp_path: Path) -> tuple[Services, FakePorts]:
    return workspace(tmp_path)


def settle(services: Services, ports: FakePorts, *, steps: int = 60, seconds: float = 5) -> None:
    for _ in range(steps):
        with contextlib.suppress(CrashError, QuarterdeckError):
            services.upkeep.reconcile_all()
        ports.clock.tick(seconds)


FAULT = st.tuples(st.sampled_from(CALLS), st.sampled_from(["before", "after"]), st.booleans())


@settings(max_examples=120, deadline=None)
@given(st.lists(FAULT, max_size=12), st.booleans(), st.integers(0, 6))
def test_whatever_crashes_code_starts_at_most_once_and_every_run_ends(
    faults: list[tuple[str, str, bool]], is_cancelled: bool, cancel_after: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        services, ports = workspace(Path(folder))
        for call, when, is_lost in faults:
            if call == "observe":
                ports.fake.fail(call)
            elif is_lost and when == "after":
                ports.fake.lose_answer(call)
            else:
                ports.fake.fail(call, when=when)
        run = services.runs.start("daily")["id"]
        for step in range(80):
            with contextlib.suppress(CrashError, QuarterdeckError):
                if is_cancelled and step == cancel_after:
                    services.runs.cancel(run)
                else:
                    services.upkeep.reconcile_all()
            ports.clock.tick(5)
        shown = services.runs.get(run)
        assert shown.state in TERMINAL
        assert shown.state in (RunState.SUCCEEDED, RunState.CANCELLED)
        assert set(ports.fake.starts.values()) <= {1}
        assert not shown.is_open
        assert ports.store.verify() == []


def test_two_processes_move_one_run_and_agree(made: tuple[Services, FakePorts]) -> None:
    services, ports = made
    other = Services(ports, "ben")
    run = services.runs.start("daily")["id"]
    for _ in range(10):
        services.upkeep.reconcile_all()
        other.upkeep.reconcile_all()
        ports.clock.tick(1)
    assert services.runs.get(run).state is RunState.SUCCEEDED
    assert list(ports.fake.starts.values()) == [1]


def test_a_job_with_a_limit_of_one_queues_the_second_run(
    made: tuple[Services, FakePorts],
) -> None:
    services, ports = made
    services.jobs.create([job("single", limits={"max_concurrent_runs": 1})])
    ports.fake.auto = False
    first = services.runs.dispatch(services.runs.start("single")["id"])
    second = services.runs.dispatch(services.runs.start("single")["id"])
    assert (first["state"], second["state"]) == ("submitted", "queued")
    assert second["waiting_for"]["what"] == "1 of 1 runs of the job"
    ports.fake.end(AttemptId(f"{first['id']}-1"))
    settle(services, ports, steps=2)
    assert services.runs.get(second["id"]).state is not RunState.QUEUED


def test_a_failed_check_rejects_before_anything_is_prepared(
    made: tuple[Services, FakePorts],
) -> None:
    services, ports = made
    ports.fake.checks = [Check("memory", "failed", "not enough memory.", "Ask for less.")]
    run = services.runs.dispatch(services.runs.start("daily")["id"])
    assert (run["state"], run["reason"]) == ("rejected", "config_error")
    assert not ports.fake.attempts


def test_a_silent_cluster_keeps_the_run_and_says_so(made: tuple[Services, FakePorts]) -> None:
    services, ports = made
    ports.fake.auto = False
    run = services.runs.dispatch(services.runs.start("daily")["id"])["id"]
    ports.fake.silence()
    ports.clock.tick(40)
    services.upkeep.reconcile_all()
    shown = services.runs.show(run)
    assert (shown["state"], shown["stale"]) == ("submitted", True)
    assert shown["waiting_for"]["what"] == "the cluster to answer"
    ports.fake.speak()
    ports.fake.move(AttemptId(f"{run}-1"), Phase.RUNNING)
    services.upkeep.reconcile_all()
    assert services.runs.show(run)["stale"] is False


def test_what_will_not_end_is_lost_by_name(made: tuple[Services, FakePorts]) -> None:
    services, ports = made
    ports.fake.auto = False
    ports.fake.obeys = set()
    run = services.runs.dispatch(services.runs.start("daily")["id"])["id"]
    ports.fake.move(AttemptId(f"{run}-1"), Phase.RUNNING)
    services.runs.cancel(run)
    settle(services, ports, steps=30)
    shown = services.runs.get(run)
    assert shown.state is RunState.LOST
    assert shown.object
    cancels = [call for call in ports.fake.calls if call == "cancel"]
    assert len(cancels) == len(CancelStep)


def test_a_retry_policy_makes_one_more_attempt(made: tuple[Services, FakePorts]) -> None:
    services, ports = made
    ports.fake.auto = False
    retry: dict[str, Any] = {"attempts": 2, "backoff": "30s", "on": ["lost"]}
    services.jobs.create([job("again", retry=retry)])
    run = services.runs.dispatch(services.runs.start("again")["id"])["id"]
    ports.fake.end(AttemptId(f"{run}-1"), None)
    settle(services, ports, steps=3, seconds=1)
    assert services.runs.get(run).state is RunState.QUEUED
    ports.clock.tick(30)
    settle(services, ports, steps=1)
    ports.fake.end(AttemptId(f"{run}-2"))
    settle(services, ports, steps=2)
    shown = services.runs.get(run)
    assert shown.state is RunState.SUCCEEDED
    assert [one.number for one in shown.attempts] == [1, 2]
    assert shown.attempts[0].rule
