"""Which pod begins, on a cluster in memory: the one that was chosen and stored, whatever befalls the Job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from quarterdeck.executors.kubernetes import KubernetesExecutor, names, pods
from quarterdeck.model.failure import Reason
from quarterdeck.model.observation import Observation, Phase
from quarterdeck.model.receipt import Chosen, Receipt
from quarterdeck.model.run import CancelStep, RunState
from quarterdeck.ports.executor import FencedError
from quarterdeck.service.bundle import Services
from tests.contract.test_executor import a_launch
from tests.support.fake_api import FakeApi, an_executor
from tests.support.fakes import FakeClock
from tests.support.quarterdeck import job
from tests.support.services import workspace

pytestmark = pytest.mark.row("F13")


@pytest.fixture
def api() -> FakeApi:
    return FakeApi(FakeClock())


@pytest.fixture
def executor(api: FakeApi) -> KubernetesExecutor:
    return an_executor(api)


def prepared(executor: KubernetesExecutor) -> Receipt:
    return executor.prepare(a_launch("pass"))


def begun(executor: KubernetesExecutor) -> Receipt:
    receipt = executor.release(prepared(executor))
    executor.start(receipt)
    return receipt


def look(executor: KubernetesExecutor, receipt: Receipt) -> Observation:
    seen = executor.observe([receipt])[receipt.id]
    assert isinstance(seen, Observation), seen
    return seen


def tick(api: FakeApi, seconds: float = 5) -> None:
    api.clock.tick(seconds)


def test_a_pod_has_our_gate_whatever_is_laid_over_and_a_worker_has_none() -> None:
    launch = a_launch(
        "pass", profile={"mode": "cluster", "driver": {}, "worker": {"max_nodes": 1}}
    )
    for laid, others in (
        ({}, []),
        ({"spec": {"schedulingGates": None}}, []),
        ({"spec": {"schedulingGates": [{"name": "example.dev/quota"}]}}, ["example.dev/quota"]),
    ):
        cluster = {"image": "x:1", "pod_template": laid}
        driver = pods.driver(launch, cluster, {}, {}, {})["spec"]["schedulingGates"]
        assert [one["name"] for one in driver] == [*others, names.GATE]
        for other in (pods.worker(launch, cluster, "w"), pods.check(cluster, ["true"])):
            gates = other["spec"].get("schedulingGates") or []
            assert [one["name"] for one in gates] == others


def test_nothing_begins_before_the_pod_is_chosen_and_told(
    api: FakeApi, executor: KubernetesExecutor
) -> None:
    receipt = prepared(executor)
    assert (api.of("pods"), receipt.chosen) == ([], None)
    released = executor.release(receipt)
    [pod] = api.of("pods")
    assert released.chosen is not None
    assert (released.chosen.name, released.chosen.id) == (
        pod["metadata"]["name"], pod["metadata"]["uid"],
    )  # fmt: skip
    assert released.chosen.made_at == api.clock()
    seen = look(executor, receipt)
    assert (seen.phase, seen.made, seen.failure) == (Phase.WAITING, released.chosen, None)
    assert not api.starts
    for _ in range(2):
        executor.start(released)
        executor.release(receipt)
    assert api.starts == {receipt.id: 1}
    assert look(executor, released).phase is Phase.RUNNING


def test_a_pod_that_comes_late_is_told_by_a_look(
    api: FakeApi, executor: KubernetesExecutor
) -> None:
    api.makes = False
    receipt = prepared(executor)
    assert executor.release(receipt).chosen is None
    assert look(executor, receipt).made is None
    api.makes = True
    api.work()
    made = look(executor, receipt).made
    assert made is not None
    executor.start(replace(receipt, chosen=made))
    assert api.starts == {receipt.id: 1}


def test_a_second_release_leaves_suspend_to_whoever_owns_it(
    api: FakeApi, executor: KubernetesExecutor
) -> None:
    api.makes = False
    receipt = prepared(executor)
    executor.release(receipt)
    tick(api)
    api.suspend(True, "kueue")
    executor.release(receipt)
    assert api.job()["spec"]["suspend"] is True
    seen = look(executor, receipt)
    assert (seen.phase, seen.failure) == (Phase.WAITING, None)
    assert seen.because == "kueue suspended the Job at 06:00:05 UTC"
    api.makes = True
    api.suspend(False, "kueue")
    assert look(executor, receipt).made is not None


def test_a_queue_that_lets_go_before_our_word_starts_nothing(
    api: FakeApi, executor: KubernetesExecutor
) -> None:
    receipt = prepared(executor)
    api.suspend(False, "kueue")
    assert len(api.of("pods")) == 1
    assert not api.starts
    executor.start(executor.release(receipt))
    assert api.starts == {receipt.id: 1}


def test_only_our_gate_is_taken_wherever_it_stands(
    api: FakeApi, executor: KubernetesExecutor
) -> None:
    released = executor.release(prepared(executor))
    [pod] = api.of("pods")
    others = [{"name": "example.dev/a"}, {"name": names.GATE}, {"name": "example.dev/b"}]
    pod["spec"]["schedulingGates"] = others
    executor.start(released)
    assert pod["spec"]["schedulingGates"] == [{"name": "example.dev/a"}, {"name": "example.dev/b"}]
    assert not api.starts
    executor.start(released)
    seen = look(executor, released)
    assert (seen.phase, seen.failure) == (Phase.PENDING, Reason.UNSCHEDULABLE)
    assert "example.dev/a, example.dev/b" in seen.because
    pod["spec"]["schedulingGates"] = []
    api.work()
    assert api.starts == {released.id: 1}


@pytest.mark.parametrize("is_told", [False, True])
def test_what_was_chosen_and_is_gone_is_fenced_and_no_other_begins(
    api: FakeApi, executor: KubernetesExecutor, is_told: bool
) -> None:
    released = executor.release(prepared(executor))
    assert released.chosen is not None
    if is_told:
        executor.start(released)  # and the answer never came
    api.suspend(True)
    api.suspend(False)
    [other] = api.of("pods")
    assert other["metadata"]["uid"] != released.chosen.id
    with pytest.raises(FencedError, match="was gone before it was known to have begun"):
        executor.start(released)
    assert api.starts == ({released.id: 1} if is_told else {})


def test_one_that_is_going_is_fenced(api: FakeApi, executor: KubernetesExecutor) -> None:
    released = executor.release(prepared(executor))
    [pod] = api.of("pods")
    pod["metadata"]["deletionTimestamp"] = "2026-11-22T06:00:01Z"
    with pytest.raises(FencedError, match="was deleted before it began"):
        executor.start(released)
    assert look(executor, replace(released, chosen=None)).made is None  # nor is it chosen


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("watched", [False, True])
def test_a_job_that_others_suspended_was_preempted_by_them(
    api: FakeApi, executor: KubernetesExecutor, resumed: bool, watched: bool
) -> None:
    receipt = begun(executor)
    if watched:
        assert look(executor, receipt).phase is Phase.RUNNING
    tick(api)
    api.suspend(True, "kueue")
    if resumed:
        tick(api)
        api.suspend(False, "kueue")
    seen = look(executor, receipt)
    assert (seen.phase, seen.failure, seen.object) == (
        Phase.ENDED, Reason.PREEMPTED, f"Job {receipt.facts['name']}",
    )  # fmt: skip
    name = receipt.facts["name"]
    told = f"the Job {name} was suspended and resumed, last by kueue"
    assert seen.because == (told if resumed else f"kueue suspended the Job {name}")
    when = "06:00:10" if resumed else "06:00:05"
    assert seen.evidence == (f"spec.suspend was last set by kueue at 2026-11-22T{when}.000000Z",)
    assert len(seen.left) == resumed
    assert api.starts == {receipt.id: 1}
    executor.reap(receipt)
    assert not api.objects


def test_a_pod_that_says_it_was_told_to_go_while_its_job_is_suspended_was_preempted(
    api: FakeApi, executor: KubernetesExecutor
) -> None:
    receipt = begun(executor)
    [pod] = api.of("pods")
    api.makes = False
    tick(api)
    api.suspend(True, "kubectl-edit")
    pod["metadata"]["deletionTimestamp"] = "2026-11-22T06:00:05Z"
    api.end_pod(pod["metadata"]["name"], code=143)
    seen = look(executor, receipt)
    assert (seen.phase, seen.failure) == (Phase.ENDED, Reason.PREEMPTED)
    assert "kubectl-edit suspended" in seen.because


@pytest.mark.row("F-28")
@pytest.mark.parametrize("is_gone", [False, True])
@pytest.mark.parametrize("has_failed", [False, True])
def test_a_controller_that_notes_its_start_late_suspended_nothing(
    api: FakeApi, executor: KubernetesExecutor, is_gone: bool, has_failed: bool
) -> None:
    """It makes the pod before it writes `startTime`, and may be killed between."""
    receipt = begun(executor)
    [pod] = api.of("pods")
    job, name = api.job(), pod["metadata"]["name"]
    job["status"]["startTime"] = "2026-11-22T06:00:04Z"
    tick(api)
    pod["metadata"]["deletionTimestamp"] = "2026-11-22T06:00:05Z"
    api.end_pod(name, code=143)
    if has_failed:
        api.work()
    api.makes = False
    if is_gone:
        del api.objects["pods", name]
        if not has_failed:
            api.make_another()
    seen = look(an_executor(api), receipt)
    assert seen.phase is Phase.ENDED
    assert seen.failure is not Reason.PREEMPTED, seen
    assert "suspended" not in seen.because
    if not (is_gone and has_failed):  # else nothing tells who took the pod
        assert seen.failure is Reason.DELETED_EXTERNALLY


@pytest.mark.row("F-28")
@pytest.mark.parametrize("is_before", [False, True])
def test_a_suspension_counts_until_its_job_has_failed(
    api: FakeApi, executor: KubernetesExecutor, is_before: bool
) -> None:
    receipt = begun(executor)
    [pod] = api.of("pods")
    job, name = api.job(), pod["metadata"]["name"]
    tick(api)
    pod["metadata"]["deletionTimestamp"] = "2026-11-22T06:00:05Z"
    api.end_pod(name, code=143)
    api.work()
    [failed] = job["status"]["conditions"]
    failed["lastTransitionTime"] = "2026-11-22T06:00:12Z"
    tick(api, 5 if is_before else 10)
    api.suspend(True, "kubectl-edit")
    api.suspend(False, "kubectl-edit")
    seen = look(executor, receipt)
    assert seen.failure is (Reason.PREEMPTED if is_before else Reason.DELETED_EXTERNALLY)


def test_a_second_pod_of_the_controllers_never_begins_and_disturbs_nothing(
    api: FakeApi, executor: KubernetesExecutor
) -> None:
    receipt = begun(executor)
    other = api.make_another()["metadata"]["name"]
    api.work()
    assert look(executor, receipt).phase is Phase.RUNNING
    assert receipt.chosen is not None
    del api.objects["pods", receipt.chosen.name]
    seen = look(an_executor(api), receipt)
    assert (seen.phase, seen.failure) == (Phase.ENDED, Reason.DELETED_EXTERNALLY)
    assert f"the Job has made {other}, which never begins" in seen.because
    assert api.starts == {receipt.id: 1}
    executor.reap(receipt)
    assert not api.objects


@pytest.mark.row("F7")
@pytest.mark.parametrize("is_made", [False, True])
def test_a_cancel_before_the_word_leaves_nothing_that_could_begin(
    api: FakeApi, executor: KubernetesExecutor, is_made: bool
) -> None:
    api.makes = is_made
    receipt = executor.release(prepared(executor))
    assert (receipt.chosen is not None) is is_made
    executor.cancel(receipt, CancelStep.ASK)
    api.makes = True
    api.work()
    assert not api.objects
    if is_made:
        with pytest.raises(FencedError):
            executor.start(receipt)  # a process that comes late
    assert look(executor, receipt).phase is Phase.GONE
    assert not api.starts


@pytest.mark.row("F-28")
def test_a_complete_job_whose_pod_is_gone_says_so(
    api: FakeApi, executor: KubernetesExecutor
) -> None:
    receipt = begun(executor)
    assert receipt.chosen is not None
    api.end_pod(receipt.chosen.name)
    api.work()
    del api.objects["pods", receipt.chosen.name]
    seen = look(executor, receipt)
    assert (seen.phase, seen.last_word, seen.failure) == (Phase.ENDED, None, None)
    assert "is complete and its pod is gone" in seen.because


@pytest.mark.row("F-28")
@pytest.mark.parametrize("is_marked", [False, True])
def test_what_is_done_to_a_job_that_has_completed_did_not_end_it(
    api: FakeApi, executor: KubernetesExecutor, is_marked: bool
) -> None:
    receipt = begun(executor)
    assert receipt.chosen is not None
    api.end_pod(receipt.chosen.name)
    api.work()
    job = api.job()
    if not is_marked:  # the controller has counted the pod, and says so of the Job only afterwards
        job["status"] |= {"conditions": [], "succeeded": 1}
    api.makes = False
    del api.objects["pods", receipt.chosen.name]
    tick(api)
    api.suspend(True, "kubectl-edit")
    seen = look(executor, receipt)
    assert seen.failure is None
    assert seen.phase is (Phase.ENDED if is_marked else Phase.WAITING)
    job["status"]["conditions"] = [{"type": "Complete", "status": "True"}]
    api.make_another()
    seen = look(an_executor(api), receipt)
    assert (seen.phase, seen.failure) == (Phase.ENDED, None)
    assert "is complete and its pod is gone" in seen.because


@pytest.mark.row("F-28")
def test_a_run_that_has_completed_is_not_run_again_for_a_suspension(tmp_path: Path) -> None:
    services, ports = workspace(tmp_path)
    retry = {"attempts": 3, "backoff": "1s", "on": ["preempted", "deleted_externally"]}
    services.jobs.create([job("again", retry=retry)])
    api = FakeApi(ports.clock)
    ports.fake = an_executor(api)  # type: ignore[assignment]  # a seam
    run = services.runs.dispatch(services.runs.start("again")["id"])["id"]
    [pod] = api.of("pods")
    tick(api)
    api.end_pod(pod["metadata"]["name"])
    api.work()
    tick(api)
    del api.objects["pods", pod["metadata"]["name"]]
    api.suspend(True, "kubectl-edit")
    ports.fake = an_executor(api)  # type: ignore[assignment]  # another process, which saw no pod
    for _ in range(10):
        Services(ports, "ana").upkeep.reconcile_all()
        tick(api)
    ended = services.runs.get(run)
    assert (ended.state, len(ended.attempts)) == (RunState.LOST, 1)
    assert api.starts == {f"{run}-1": 1}


def test_what_an_earlier_version_prepared_goes_on_as_it_was(
    api: FakeApi, executor: KubernetesExecutor
) -> None:
    receipt = prepared(executor)
    del api.job()["spec"]["template"]["spec"]["schedulingGates"]
    facts = {key: value for key, value in receipt.facts.items() if key != names.GATE_FACT}
    old = Receipt(receipt.kind, receipt.run, receipt.attempt, facts)
    assert executor.prepare(a_launch("pass", run=receipt.run)) == old  # adopted as what it is
    released = executor.release(old)
    assert released.chosen == Chosen(f"Job {facts['name']}", facts["uid"])
    for _ in range(2):
        executor.start(released)
    assert api.starts == {receipt.id: 1}
    for one in (old, released):  # submitted before the upgrade, and after
        assert look(executor, one).phase is Phase.RUNNING
    [pod] = api.of("pods")
    api.end_pod(pod["metadata"]["name"], code=1)
    assert look(executor, old).phase is Phase.ENDED


def test_a_webhook_that_takes_our_gate_away_is_found_before_any_run(
    api: FakeApi, executor: KubernetesExecutor
) -> None:
    launch = a_launch("pass", place={"image": "x:1"})
    admission = [one for one in executor.check(launch) if one.name == "admission"]
    assert {one.level for one in admission} == {"ok"}
    create = api._create

    def stripped(plural: str, body: object, *, is_dry: bool) -> object:
        made = create(plural, body, is_dry=is_dry)
        if plural == "pods":
            made["spec"].pop("schedulingGates")
        return made

    api._create = stripped  # type: ignore[method-assign,assignment]  # an admission webhook
    [refused] = [one for one in executor.check(launch) if one.level == "failed"]
    assert (refused.name, refused.code) == ("admission", "prerequisite")
    assert names.GATE in refused.message


@pytest.mark.row("F-11", "F-24")
@pytest.mark.parametrize(
    ("said", "phase", "reason"),
    [
        ('pods is forbidden: User "x" cannot create resource "pods"', Phase.PENDING, None),
        ("pods is forbidden: not yet ready to handle request", Phase.PENDING, None),
        ("pods is forbidden: exceeded quota: full", Phase.WAITING, Reason.QUOTA),
        ("pods is forbidden: violates PodSecurity", Phase.ENDED, Reason.CONFIG_ERROR),
        ("admission webhook denied the request", Phase.ENDED, Reason.CONFIG_ERROR),
    ],
)
def test_what_keeps_the_controller_from_making_the_pod(
    api: FakeApi, executor: KubernetesExecutor, said: str, phase: Phase, reason: Reason | None
) -> None:
    api.makes = False
    receipt = executor.release(prepared(executor))
    api.job()["status"]["startTime"] = "2026-11-22T05:59:00Z"
    api.events = [{"reason": "FailedCreate", "message": said}]
    seen = look(executor, receipt)
    assert (seen.phase, seen.failure, seen.made) == (phase, reason, None)
    assert said in seen.because


def test_leftovers_that_wait_for_the_word_are_not_alive(
    api: FakeApi, executor: KubernetesExecutor
) -> None:
    receipt = executor.release(prepared(executor))
    [owned] = executor.owned()
    assert (owned.name, owned.alive) == (receipt.id, False)
    executor.start(receipt)
    assert executor.owned()[0].alive
    executor.reap(owned.receipt)
    assert not api.objects
