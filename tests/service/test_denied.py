"""A refusal right after a silence is asked again; one that lasts ends the run and names the right.

The whole service and the Kubernetes executor over an API in memory, and a clock that is moved by hand.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from quarterdeck import wiring
from quarterdeck.executors.kubernetes import preflight
from quarterdeck.model.job import Definition
from quarterdeck.model.run import ActKind, Run, RunState
from quarterdeck.ports.executor import Executor
from quarterdeck.service.bundle import Services
from tests.support.fake_api import (
    RIGHTS,
    AwayError,
    FakeApi,
    RefusedError,
    an_executor,
    image_check,
)
from tests.support.services import workspace

pytestmark = pytest.mark.row("F-11")

MESSAGES = {
    "create jobs": "The right to create jobs of batch in namespace ns is missing for user ana.",
    "patch jobs": "The right to patch jobs of batch in namespace ns is missing for user ana.",
    "patch pods": "The right to patch pods in namespace ns is missing for user ana.",
}


class World:
    """A workspace whose cluster is in memory; each `new` process has an executor that remembers nothing."""

    def __init__(self, folder: Path, *, had_rights: bool) -> None:
        self.services, self.ports = workspace(folder)
        self.api = FakeApi(self.ports.clock)
        self.had_rights = had_rights
        self.new()

    def new(self) -> Services:
        """Let another process come."""
        self.ports.fake = an_executor(self.api, had_rights=self.had_rights)  # type: ignore[assignment]  # a seam
        self.services = Services(self.ports, "ana")
        return self.services

    def lack(self, *rights: str) -> None:
        """Let the authorizer allow none of these."""
        self.api.lacks = {(verb, plural) for verb, plural in (one.split() for one in rights)}

    def run(self) -> Run:
        return self.get(self.services.runs.dispatch(self.services.runs.start("daily")["id"])["id"])

    def get(self, run: str) -> Run:
        return self.services.runs.get(run)

    def look(self, run: Run, seconds: float, every: float = 1) -> Run:
        """Let a scheduler look each second for so long."""
        end = self.ports.clock() + timedelta(seconds=seconds)
        while self.ports.clock() < end:
            self.ports.clock.tick(every)
            self.services.upkeep.reconcile_all()
        return self.get(run.id)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, had_rights=False)


@pytest.fixture
def checked(tmp_path: Path) -> World:
    """Return a world whose cluster's kept check saw the rights."""
    return World(tmp_path, had_rights=True)


def test_a_right_that_was_never_there_refuses_at_once_and_is_named(world: World) -> None:
    world.lack("create jobs")
    run = world.run()
    assert (run.state, run.reason) == (RunState.REJECTED, "config_error")
    said = " ".join(run.evidence)
    assert "In namespace ns the right to create jobs is missing." in said
    assert "`quarterdeck cluster rbac` prints, and bind it to user ana" in said
    assert "pod template" not in said


def test_a_right_that_the_clusters_check_saw_is_asked_for_again(checked: World) -> None:
    checked.lack("create jobs")
    run = checked.run()
    assert (run.state, run.act and run.act.kind) == (RunState.DISPATCHING, ActKind.CHECK)
    assert run.waiting is not None
    assert run.waiting.what == "the right to create jobs in namespace ns"
    assert "asked again until 06:02:00 UTC" in run.waiting.last_fact
    assert "it was there when the cluster was checked" in run.waiting.last_fact
    run = checked.look(run, 30)
    assert run.state is RunState.DISPATCHING
    assert checked.api.asked["create selfsubjectrulesreviews"] < 10
    checked.lack()
    run = checked.look(run, 20)
    assert (run.state, run.denied) == (RunState.RUNNING, None)


def test_a_right_that_stays_away_ends_the_run_in_two_minutes(checked: World) -> None:
    checked.lack("create jobs")
    run = checked.look(checked.run(), 119)
    assert run.state is RunState.DISPATCHING
    run = checked.look(run, 2)
    assert (run.state, run.reason) == (RunState.REJECTED, "config_error")
    assert "the right to create jobs is missing" in " ".join(run.evidence)


def forbidding(world: World, right: str) -> None:
    """Let checks pass, and the act itself be refused: an authorizer between two states of its caches."""
    verb, plural = right.split()
    methods = {"create": "POST", "patch": "PATCH"}

    def amiss(method: str, path: str) -> None:
        if method == methods[verb] and f"/{plural}" in path:
            text = (
                f'{plural} is forbidden: User "ana" cannot {verb} resource "{plural}" in API group'
                f' "{"batch" if plural == "jobs" else ""}" in the namespace "ns"'
            )
            raise RefusedError(403, "Forbidden", text)

    world.api.amiss = amiss


@pytest.mark.parametrize(
    ("right", "act"),
    [
        ("create jobs", ActKind.CHECK), ("patch jobs", ActKind.RELEASE),
        ("patch pods", ActKind.START),
    ],
)  # fmt: skip
@pytest.mark.parametrize("lasts", [False, True])
def test_each_act_of_a_dispatch_is_asked_for_again(
    checked: World, right: str, act: ActKind, lasts: bool
) -> None:
    forbidding(checked, right)
    run = checked.run()
    assert (run.state, run.act and run.act.kind) == (RunState.DISPATCHING, act)
    assert run.waiting is not None
    assert run.waiting.what in MESSAGES[right].replace("The", "the")
    assert MESSAGES[right].removeprefix("The ") in run.waiting.last_fact
    if not lasts:
        checked.api.amiss = lambda _method, _path: None
        assert checked.look(run, 5).state is RunState.RUNNING
        assert checked.api.starts == {f"{run.id}-1": 1}
        return
    run = checked.look(run, 125)
    assert run.is_terminal, run
    assert (run.state, run.reason) == (
        RunState.REJECTED if act is ActKind.CHECK else RunState.FAILED, "config_error",
    )  # fmt: skip
    said = " ".join(run.evidence)
    assert MESSAGES[right].removeprefix("The ") in said
    assert "`quarterdeck cluster rbac`" in said
    assert "pod template" not in said
    assert not checked.api.starts
    checked.api.amiss = lambda _method, _path: None
    checked.look(run, 400, 20)
    assert not checked.api.objects


@pytest.mark.parametrize("by", ["its own silence", "another run's", "the process's", "readyz"])
def test_a_refusal_is_doubted_after_a_silence_or_while_the_server_is_not_ready(
    world: World, by: str
) -> None:
    def away(_method: str, _path: str) -> None:
        raise AwayError("connection refused")

    other = None
    if by != "readyz":
        world.api.amiss = away
        other = world.run()
        assert other.state is RunState.QUEUED
        assert other.silent_at == world.ports.clock()
        world.ports.clock.tick(100)
        world.api.amiss = lambda _method, _path: None
        if by != "the process's":
            world.new()
    else:
        world.api.readyz = (500, "[-]poststarthook/rbac/bootstrap-roles failed")
    world.lack("create jobs")
    if by == "its own silence":
        assert other is not None
        world.services.upkeep.reconcile_all()
        run = world.get(other.id)
    else:
        run = world.run()
    assert run.state is RunState.DISPATCHING, run.evidence
    assert run.waiting is not None
    words = {
        "its own silence": "the cluster did not answer at 2026-11-22T06:00:00",
        "another run's": f"the cluster did not answer to run {other and other.id} a moment ago",
        "the process's": "the API server did not answer 0 s ago",
        "readyz": "is not ready (Context fake answers 500 to GET /readyz: [-]poststarthook/rbac",
    }
    assert words[by] in run.waiting.last_fact
    world.lack()
    world.api.readyz = (200, "ok")
    assert world.look(run, 10).state is RunState.RUNNING


def test_a_refusal_long_after_a_silence_is_final(world: World) -> None:
    def away(_method: str, _path: str) -> None:
        raise AwayError("connection refused")

    world.api.amiss = away
    run = world.run()
    world.ports.clock.tick(121)
    world.api.amiss = lambda _method, _path: None
    world.new()
    world.lack("create jobs")
    world.services.upkeep.reconcile_all()
    assert world.get(run.id).state is RunState.REJECTED


@pytest.mark.row("F7")
def test_a_cancel_is_asked_for_again_and_does_not_lose_the_log(checked: World) -> None:
    run = checked.look(checked.run(), 2)
    forbidding(checked, "patch pods")
    checked.services.runs.cancel(run.id)
    run = checked.look(run, 100)
    assert run.cancel is not None
    assert (run.state, run.cancel.step) == (RunState.CANCELLING, "ask")
    assert run.waiting is not None
    assert run.waiting.what == "the right to patch pods in namespace ns"
    assert checked.api.asked["delete pods"] == 0
    checked.api.amiss = lambda _method, _path: None
    checked.look(run, 20)
    [pod] = checked.api.of("pods")
    assert pod["spec"]["activeDeadlineSeconds"] == 1


@pytest.mark.parametrize("verb", ["list", "delete"])
def test_observing_and_clearing_away_end_nothing(checked: World, verb: str) -> None:
    run = checked.look(checked.run(), 2)
    assert run.state is RunState.RUNNING
    if verb == "delete":
        [pod] = checked.api.of("pods")
        checked.api.end_pod(pod["metadata"]["name"], code=1)
    checked.lack(f"{verb} jobs", f"{verb} pods")
    run = checked.look(run, 300, 10)
    assert run.state is (RunState.RUNNING if verb == "list" else RunState.LOST)
    assert run.waiting is not None
    assert f"the right to {verb} jobs" in run.waiting.last_fact.lower()
    checked.lack()
    if verb == "list":
        assert checked.look(run, 1).waiting is not None
    else:
        checked.look(run, 400, 20)
        assert not checked.api.objects


@pytest.mark.row("F-13")
def test_what_admission_refuses_is_final_and_names_what_to_mend(checked: World) -> None:
    def amiss(method: str, path: str) -> None:
        if method == "POST" and path.endswith("/pods"):
            text = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": hostNetwork'
            raise RefusedError(403, "Forbidden", text)

    checked.api.amiss = amiss
    run = checked.run()
    assert (run.state, run.reason) == (RunState.REJECTED, "config_error")
    assert "violates PodSecurity" in " ".join(run.evidence)


def plan(world: World) -> Any:
    return world.services.planning.plan("daily")["would"]


def test_a_plan_says_whether_a_refusal_would_be_asked_again(world: World) -> None:
    assert plan(world) == "start"
    world.lack("create jobs")
    world.new()
    assert plan(world) == "refuse"
    world.had_rights = True
    world.new()
    assert plan(world) == "unanswered"


def test_a_process_that_goes_on_hears_that_the_rights_were_given(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The executor that it has was made by the checks of before."""
    real = wiring.RealPorts(world.ports.store, tmp_path, world.ports.clock, world.ports.uptime)

    def made(_: wiring.RealPorts, cluster: Definition) -> Executor:
        return an_executor(world.api, had_rights=preflight.had_rights(cluster.checks))

    monkeypatch.setitem(wiring.EXECUTORS, "kubernetes", made)
    monkeypatch.setattr(world.ports, "executor", real.executor)
    services, store = world.services, world.ports.store

    def keep(level: str) -> None:
        """Keep checks that differ in nothing else."""
        with store.transaction("ana") as tx:
            kept = services.context.get_definition("cluster", "local")
            body = {**kept.value.body, "kind": "kubernetes"}
            checks = ({**RIGHTS, "level": level, "evidence": ""}, image_check())
            tx.definitions.put(replace(kept.value, body=body, checks=checks), seen=kept.rev)

    keep("failed")
    world.lack("create jobs")
    assert plan(world) == "refuse"
    keep("ok")
    assert plan(world) == "unanswered"
    keep("failed")
    assert plan(world) == "refuse"


def test_the_checks_pod_asks_for_what_it_may_use_and_no_less_than_the_namespace_allows(
    checked: World,
) -> None:
    asked: list[Any] = []
    create = checked.api._create

    def note(plural: str, body: Any, *, is_dry: bool) -> Any:
        asked.append(body)
        return create(plural, body, is_dry=is_dry)

    checked.api._create = note  # type: ignore[method-assign]
    least = {"cpu": "100m", "memory": "1Gi"}
    ratio = {"cpu": "1", "memory": "1"}
    limit = {"type": "Container", "min": least, "maxLimitRequestRatio": ratio}
    checked.api.limits = [{"spec": {"limits": [limit]}}]
    found = an_executor(checked.api).check(None)
    assert [one for one in found if one.level == "failed"] == []
    pods = [one for one in asked if one["kind"] == "Pod"]
    jobs = [one["spec"]["template"] for one in asked if one["kind"] == "Job"]
    for one in (*pods, *jobs):
        [container] = one["spec"]["containers"]
        wants = container["resources"]["requests"]
        assert wants == container["resources"]["limits"]
        assert wants == {"cpu": "250m", "memory": "1Gi", "ephemeral-storage": "1Gi"}


def test_a_check_says_which_teams_service_account_is_not_there(checked: World) -> None:
    checked.api.no_accounts = {"jobs"}
    places = [("team", "jobs"), ("team", "other"), (None, None)]
    found = an_executor(checked.api, places=places).check(None)
    [told] = [one for one in found if one.name == "service account" and one.level != "ok"]
    assert told.level == "warning"
    assert "no service account jobs in namespace team" in told.message


@pytest.mark.parametrize("is_ready", [True, False])
def test_a_clusters_own_check_is_unanswered_while_a_refusal_may_pass(
    checked: World, is_ready: bool
) -> None:
    checked.lack("patch pods")
    if not is_ready:
        checked.api.readyz = (500, "starting")
    found = an_executor(checked.api, had_rights=True).check(None)
    [rights] = [one for one in found if one.name == "rights"]
    assert (rights.level, rights.code) == (
        "failed", "prerequisite" if is_ready else "unreachable",
    )  # fmt: skip
    assert "the right to patch pods is missing" in rights.message
