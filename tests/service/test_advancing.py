"""The loop over runs on fakes: crashes, lost answers, silence, ceilings, two processes at once."""

import contextlib
import errno
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.model.errors import PrerequisiteError, QuarterdeckError, UnreachableError
from quarterdeck.model.failure import Reason
from quarterdeck.model.observation import Phase
from quarterdeck.model.receipt import AttemptId
from quarterdeck.model.run import TERMINAL, CancelStep, RunState
from quarterdeck.ports.executor import Check
from quarterdeck.service.bundle import Services
from tests.support.fakes import CrashError
from tests.support.quarterdeck import job, python
from tests.support.services import FakePorts, workspace

CALLS = ("place", "check", "prepare", "release", "start", "observe", "logs", "cancel", "reap")


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


def test_what_was_seen_of_an_earlier_attempt_does_not_end_the_next(
    made: tuple[Services, FakePorts],
) -> None:
    services, ports = made
    ports.fake.auto = False
    retry: dict[str, Any] = {"attempts": 2, "backoff": "1s", "on": ["lost"]}
    services.jobs.create([job("again", retry=retry)])
    run = services.runs.dispatch(services.runs.start("again")["id"])["id"]
    ports.fake.end(AttemptId(f"{run}-1"), None)
    look = ports.fake.observe

    def late(receipts: Any) -> Any:
        """Answer; before that is read, another process brings the run to its second attempt."""
        ports.fake.observe = look  # type: ignore[method-assign]  # once
        answer = look(receipts)
        services.upkeep.reconcile_all()
        ports.clock.tick(2)
        services.upkeep.reconcile_all()
        return answer

    ports.fake.observe = late  # type: ignore[method-assign]  # the race, every time
    Services(ports, "ben").upkeep.reconcile_all()
    shown = services.runs.get(run)
    assert (shown.state, len(shown.attempts)) == (RunState.SUBMITTED, 2)
    assert ports.fake.attempts[AttemptId(f"{run}-2")].is_alive


def test_a_cluster_that_falls_silent_while_reaping_is_asked_once(
    made: tuple[Services, FakePorts],
) -> None:
    services, ports = made
    ports.fake.auto = False
    run = services.runs.dispatch(services.runs.start("daily")["id"])["id"]
    ports.fake.end(AttemptId(f"{run}-1"))
    tell, asked = ports.clock, 0

    def reap(receipt: Any) -> Any:
        nonlocal asked
        asked += 1
        tell.tick(0.01)
        assert asked < 10
        raise UnreachableError("no route")

    ports.fake.reap = reap  # type: ignore[method-assign]  # time goes on meanwhile
    services.upkeep.reconcile_all()
    shown = services.runs.get(run)
    assert (shown.state, shown.is_open, asked) == (RunState.SUCCEEDED, True, 1)


def test_a_log_that_cannot_be_kept_holds_up_no_other_run(
    made: tuple[Services, FakePorts], monkeypatch: pytest.MonkeyPatch
) -> None:
    services, ports = made
    ports.fake.auto = False
    runs = [services.runs.dispatch(services.runs.start("daily")["id"])["id"] for _ in range(2)]
    for run in runs:
        ports.fake.end(AttemptId(f"{run}-1"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("quarterdeck.logs.format.write_state", full)
        services.upkeep.reconcile_all()
    for run in runs:
        shown = services.runs.get(run)
        assert (shown.state, shown.archived) == (RunState.SUCCEEDED, False)
        assert shown.waiting is not None
        assert "No space left" in shown.waiting.last_fact
        assert AttemptId(f"{run}-1") in ports.fake.attempts
    services.upkeep.reconcile_all()
    assert all(services.runs.get(run).archived for run in runs)
    assert not ports.fake.attempts


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_run_that_was_not_begun_is_not_begun_to_be_cancelled(
    made: tuple[Services, FakePorts], calls: int
) -> None:
    services, ports = made
    run = services.runs.start("daily")["id"]
    if calls:
        ports.fake.fail(("place", "check")[calls - 1])
        with pytest.raises(CrashError):
            services.runs.dispatch(run)
    assert services.runs.cancel(run)["state"] == "cancelled"
    assert "prepare" not in ports.fake.calls
    assert not ports.fake.starts


def test_what_a_late_process_prepares_for_a_run_that_has_ended_is_removed(
    made: tuple[Services, FakePorts],
) -> None:
    services, ports = made
    run = services.runs.start("daily")["id"]
    prepare = ports.fake.prepare

    def late(launch: Any) -> Any:
        """Stand still while others bring the run to its end, then prepare."""
        ports.fake.prepare = prepare  # type: ignore[method-assign]  # once
        settle(Services(ports, "ben"), ports, steps=4, seconds=400)
        return prepare(launch)

    ports.fake.prepare = late  # type: ignore[method-assign]  # the race, every time
    services.runs.dispatch(run)
    shown = services.runs.get(run)
    assert (shown.state, shown.is_open) == (RunState.SUCCEEDED, False)
    assert not ports.fake.attempts


def test_running_again_exactly_needs_the_cluster_as_any_run_does(
    made: tuple[Services, FakePorts],
) -> None:
    services, ports = made
    run = services.runs.dispatch(services.runs.start("daily")["id"])["id"]
    settle(services, ports, steps=3)
    with ports.store.transaction("ana") as tx:
        kept = tx.definitions.get(services.runs.get(run).cluster)
        tx.definitions.put(replace(kept.value, status="unreachable"), seen=kept.rev)
    with pytest.raises(PrerequisiteError, match="is unreachable"):
        services.runs.rerun_exactly(run)


@pytest.mark.parametrize("call", ["check", "prepare"])
def test_a_file_that_the_store_has_lost_refuses_the_run(
    made: tuple[Services, FakePorts], call: str
) -> None:
    services, ports = made
    services.jobs.create([job("file", source=python("pass"))])
    run = services.runs.start("file")["id"]
    ports.fake.fail(call)
    with pytest.raises(CrashError):
        services.runs.dispatch(run)
    for path in Path(ports.store.folder, "artifacts").rglob("*"):
        if path.is_file():
            path.unlink()
    services.upkeep.reconcile_all()
    shown = services.runs.get(run)
    assert (shown.state, shown.reason) == (RunState.REJECTED, Reason.CONFIG_ERROR)
    assert shown.problems[0].path == "frozen"
