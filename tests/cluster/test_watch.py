"""The shared watch of a real cluster, through a proxy that counts, is away, or answers amiss."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from quarterdeck import config, wiring
from quarterdeck.executors.kubernetes import client, names, watch
from quarterdeck.lifecycle.advance import advance
from quarterdeck.model.observation import Observation, Phase, Silent
from quarterdeck.model.run import Attempt, RunState
from tests.bench.watch import fill, measure
from tests.support import kubernetes
from tests.support.builders import a_run
from tests.support.proxy import Answer, Asked, Cut, Old, kinds
from tests.support.quarterdeck import Quarterdeck
from tests.support.watched import World, is_running, is_silent

pytestmark = pytest.mark.cluster

HTML = Answer(200, b"<html><body>Please log in</body></html>", {"Content-Type": "text/html"})
BUSY = Answer(
    429,
    json.dumps({"kind": "Status", "code": 429, "message": "too many requests"}).encode(),
    {"Retry-After": "3"},
)
BROKEN = Answer(503, b"upstream connect error", {"Content-Type": "text/plain"})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with kubernetes.namespace() as name:
        made = World(name, tmp_path)
        yield made
        made.close()


def threads(world: World) -> list[str]:
    found = [one.name for one in threading.enumerate()]
    return [name for name in found if name.startswith("watch ") and world.namespace in name]


# --- what looks cost


def test_a_process_that_looks_once_lists_and_one_that_stays_watches_once_for_all(
    world: World,
) -> None:
    receipts = [world.running() for _ in range(3)]
    world.proxy.forget()
    assert all(map(is_running, world.executor.observe(receipts).values()))
    assert world.proxy.counts() == {"list jobs": 1, "list pods": 1}
    assert threads(world) == []
    world.watch(receipts[0])
    assert len(threads(world)) == 2
    world.proxy.forget()
    for _ in range(200):
        assert all(map(is_running, world.executor.observe(receipts).values()))
    found = world.proxy.counts()
    assert kinds(found, "list", "get") == 0
    assert kinds(found, "watch") <= 2  # a stream that came to its end meanwhile


def test_what_changes_is_known_within_a_second_and_an_end_is_asked_for_once_more(
    world: World,
) -> None:
    receipt = world.prepared()
    world.watch(receipt)
    receipt = world.give_pod(receipt)
    world.until(receipt, is_running, 1)
    world.end_pod(receipt)
    world.proxy.forget()
    seen = world.until(receipt, lambda seen: not is_running(seen), 1)
    assert isinstance(seen, Observation)
    assert seen.last_word is not None
    assert seen.last_word["state"] == "succeeded"
    assert kinds(world.proxy.counts(), "list") == 2


def test_what_another_process_prepared_is_not_gone_before_the_watch_knows_it(world: World) -> None:
    world.watch(world.prepared())
    world.proxy.mute("watch")
    receipt = world.prepared(world.another())
    assert world.seen(receipt).phase is Phase.WAITING
    world.proxy.speak()


def test_any_thread_may_look(world: World) -> None:
    receipts = [world.running() for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        looks = pool.map(lambda _: world.executor.observe(receipts), range(200))
        assert all(is_running(seen) for look in looks for seen in look.values())
    assert len(threads(world)) == 2


def test_threads_end_with_the_executor_and_when_nobody_looks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = world.running()
    world.watch(receipt)
    direct = world.another(Path(kubernetes.kubeconfig()))  # TLS, not the proxy
    own = world.prepared(direct)
    for _ in range(20):
        direct.observe([own])
    assert len(threads(world)) == 4
    began = time.monotonic()
    for one in world.executors:
        one.close()
    assert kubernetes.eventually(lambda: not threads(world), 3), threads(world)
    assert time.monotonic() - began < 3
    monkeypatch.setattr(watch, "IDLE_S", 1.0)
    monkeypatch.setattr(watch, "STREAM_S", (1, 1))
    idle = world.another()
    for _ in range(3):
        idle.observe([receipt])
    assert len(threads(world)) == 2
    assert kubernetes.eventually(lambda: not threads(world), 10)
    assert is_running(world.look(receipt, idle))


# --- what goes between two looks


@pytest.mark.row("F-28")
def test_a_finished_job_that_was_removed_before_it_was_observed_ends_as_the_watch_saw_it(
    world: World,
) -> None:
    receipt = world.running()
    world.watch(receipt)
    world.end_pod(receipt)
    world.remove_job(receipt)
    assert world.admin.get(names.pods(world.namespace))["items"] == []
    seen = world.until(receipt, lambda seen: not is_running(seen), 5)
    assert isinstance(seen, Observation)
    assert (seen.phase, seen.left) == (Phase.ENDED, ())
    assert seen.last_word is not None
    assert seen.last_word["state"] == "succeeded"
    other = world.look(receipt, world.another())  # who saw nothing can say nothing
    assert isinstance(other, Observation)
    assert (other.phase, other.last_word) == (Phase.GONE, None)


def test_a_pod_that_others_deleted_between_two_looks_keeps_its_word(world: World) -> None:
    receipt = world.running()
    world.watch(receipt)
    world.end_pod(receipt)
    world.remove_pod(receipt)
    seen = world.until(receipt, lambda seen: not is_running(seen), 5)
    assert isinstance(seen, Observation)
    assert seen.last_word is not None
    assert seen.object.startswith("pod ")
    world.executor.reap(receipt)
    assert world.seen(receipt).phase is Phase.GONE  # reaped: nothing is kept


def test_a_pod_that_went_while_there_was_no_answer_keeps_the_word_that_was_seen(
    world: World,
) -> None:
    receipt = world.running()
    world.watch(receipt)
    world.end_pod(receipt)
    time.sleep(0.5)  # the watch sees it, nobody looks
    world.proxy.away()
    world.remove_job(receipt)
    world.proxy.back()
    seen = world.until(receipt, lambda seen: isinstance(seen, Observation), 30)
    assert isinstance(seen, Observation)
    assert seen.last_word is not None


def test_a_version_that_is_too_old_is_listed_again_and_nothing_is_missed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "STREAM_S", (2, 2))
    receipt = world.running()
    world.watch(receipt)
    left = [Old(), Old()]
    world.proxy.amiss = lambda asked: left.pop() if asked.kind == "watch pods" and left else None
    world.proxy.forget()
    assert kubernetes.eventually(lambda: not left, 10)
    world.end_pod(receipt)
    seen = world.until(receipt, lambda seen: not is_running(seen), 5)
    assert isinstance(seen, Observation)
    assert seen.last_word is not None
    assert world.proxy.counts()["list pods"] >= 2
    assert world.proxy.counts()["list jobs"] <= 1  # the end's own question


# --- no answer


@pytest.mark.row("F-8")
def test_a_server_that_is_away_for_twenty_minutes_ends_nothing_and_true_states_are_back_in_30_s(
    world: World,
) -> None:
    receipt = world.running()
    world.watch(receipt)
    began = world.clock()
    run = a_run(
        state=RunState.RUNNING, queued_at=began, submitted_at=began, seen_at=began, id=receipt.run,
        attempts=(Attempt(1, began, receipt=receipt, released_at=began, began_at=began),),
    )  # fmt: skip
    run, _ = advance(run, world.seen(receipt), world.clock())
    world.proxy.away()
    silent = world.until(receipt, is_silent, 5)
    assert isinstance(silent, Silent)
    assert "does not answer" in silent.why
    for _ in range(40):  # twenty minutes, a look each thirty seconds
        world.moved += timedelta(seconds=30)
        time.sleep(0.05)
        said = world.look(receipt)
        assert isinstance(said, Silent)
        assert said.since == silent.since
        run, act = advance(run, said, world.clock())
        assert (run.state, act) == (RunState.RUNNING, None)
    assert run.seen_at is not None
    assert world.clock() - run.seen_at >= timedelta(minutes=20)  # shown as old as it is
    world.end_pod(receipt)
    world.proxy.back()
    back = time.monotonic()
    seen = world.until(receipt, lambda seen: isinstance(seen, Observation), 30)
    assert time.monotonic() - back < 30
    assert isinstance(seen, Observation)
    assert seen.last_word is not None
    assert world.clock() - seen.at < timedelta(seconds=5)


def test_an_answer_is_never_older_than_it_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "STREAM_S", (2, 2))
    monkeypatch.setattr(watch, "SLACK_S", 1.0)
    monkeypatch.setattr(watch, "FRESH_S", 4.0)
    receipt = world.running()
    world.watch(receipt)
    until = time.monotonic() + 5
    while time.monotonic() < until:  # streams come to their end and are taken up
        assert world.clock() - world.seen(receipt).at < timedelta(seconds=3)
        time.sleep(0.1)
    world.proxy.mute()  # connections stand, nothing comes
    muted = world.clock()
    monkeypatch.setattr(client, "CONNECT_S", 1.0)
    last = None
    while last is None or not is_silent(last):
        last = world.look(receipt)
        assert world.clock() - muted < timedelta(seconds=30)
        if isinstance(last, Observation):
            assert last.at <= muted + timedelta(seconds=1)
        time.sleep(0.1)
    world.proxy.speak()
    world.until(receipt, is_running, 30)


def test_a_machine_that_slept_asks_before_it_answers(world: World) -> None:
    receipt = world.running()
    world.watch(receipt)
    world.moved += timedelta(hours=8)
    world.proxy.forget()
    seen = world.seen(receipt)
    assert world.clock() - seen.at < timedelta(seconds=2)
    assert kinds(world.proxy.counts(), "list") >= 2
    world.watch(receipt)  # and watches again
    world.moved -= timedelta(hours=1)  # a clock that is put back
    assert is_running(world.look(receipt))


@pytest.mark.row("F-10")
def test_expired_credentials_are_one_message_no_storm_and_renewed_without_a_restart(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "STREAM_S", (2, 2))
    account = kubernetes.account(world.namespace, "person", "get", "list", "watch")
    receipt = world.running()
    world.proxy.give_token(account.token())
    world.watch(receipt)
    account.delete()
    silent = world.until(receipt, is_silent, 20)  # the API itself takes up to 10 s
    assert isinstance(silent, Silent)
    assert kubernetes.CONTEXT in silent.why
    assert "does not accept these credentials (401)" in silent.why
    world.proxy.forget()
    until = time.monotonic() + 6
    while time.monotonic() < until:
        assert is_silent(world.look(receipt))
        time.sleep(0.1)
    assert world.proxy.counts().total() <= 8
    again = kubernetes.account(world.namespace, "person", "get", "list", "watch")
    world.proxy.give_token(again.token())
    world.until(receipt, is_running, 20)
    world.watch(receipt)


@pytest.mark.row("F-14")
@pytest.mark.parametrize(("answer", "most"), [(BUSY, 8), (BROKEN, 16)], ids=["429", "503"])
def test_a_busy_or_broken_server_is_asked_again_as_it_says(
    world: World, answer: Answer, most: int
) -> None:
    receipt = world.running()
    world.watch(receipt)
    direct = world.another(Path(kubernetes.kubeconfig()))
    other = world.prepared(direct)
    with world.proxy.going_amiss(by=answer):
        world.proxy.cut()
        silent = world.until(receipt, is_silent, 5)
        assert isinstance(silent, Silent)
        assert f"answers {answer.status}" in silent.why
        world.proxy.forget()
        until = time.monotonic() + 6
        while time.monotonic() < until:
            said = world.look(receipt)
            assert isinstance(said, Silent)
            assert said.since == silent.since
            seen = world.look(other, direct)  # others are answered as ever
            assert isinstance(seen, Observation)
            time.sleep(0.05)
        assert world.proxy.counts().total() <= most, world.proxy.counts()
    world.until(receipt, is_running, 20)
    world.watch(receipt)


@pytest.mark.row("F-15")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (HTML, "no Kubernetes answer: <html>"),
        (Answer(200, b'{"kind": "PodList", "items"'), "no Kubernetes answer"),
        (Answer(302, b"", {"Location": "http://127.0.0.1:1/login"}), "answers 302"),
        (Cut(0), "does not answer"),
        (Cut(300), "does not answer"),
    ],
    ids=["html", "half", "redirect", "cut at once", "cut in the middle"],
)
def test_odd_answers_are_named_and_no_state(
    world: World, answer: Answer | Cut, words: str
) -> None:
    receipt = world.running()
    world.watch(receipt)
    with world.proxy.going_amiss(by=answer):
        world.proxy.cut()
        silent = world.until(receipt, is_silent, 5)
        assert isinstance(silent, Silent)
        assert words in silent.why
        assert len(silent.why) < 500
    world.until(receipt, is_running, 20)


@pytest.mark.row("F-15")
@pytest.mark.parametrize(
    "answer",
    [HTML, Cut(0), Cut(150), Answer(200, b""), Answer(200, b"nothing\n"), Answer(200, b'{"a": 1}\n')],
    ids=["html", "cut at once", "half an event", "empty", "no JSON", "no event"],
)  # fmt: skip
def test_a_stream_that_is_cut_or_odd_is_asked_again_without_a_storm_and_looks_go_on(
    world: World, answer: Answer | Cut
) -> None:
    receipt = world.running()
    world.watch(receipt)
    with world.proxy.going_amiss("watch pods", by=answer):
        world.proxy.forget()
        world.proxy.cut()
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            assert is_running(world.look(receipt))
            world.tell(receipt, "Running", {"running": {"startedAt": "2026-11-28T00:00:01Z"}})
            time.sleep(0.2)
        assert world.proxy.counts()["watch pods"] <= 6
    world.end_pod(receipt)
    world.until(receipt, lambda seen: not is_running(seen), 10)
    world.watch(world.running())


# --- rights, namespaces, contexts


def test_without_the_right_to_watch_each_look_lists(world: World) -> None:
    account = kubernetes.account(world.namespace, "person", "get", "list")
    receipt = world.running()
    world.proxy.give_token(account.token())
    world.seen(receipt)
    world.proxy.forget()
    until = time.monotonic() + 4
    while time.monotonic() < until:
        assert is_running(world.look(receipt))
        time.sleep(0.2)
    assert world.proxy.counts()["watch pods"] <= 6
    account.may("get")
    silent = world.until(receipt, is_silent, 10)
    assert isinstance(silent, Silent)
    assert "The right to list jobs of batch" in silent.why
    account.may("get", "list", "watch")
    world.until(receipt, is_running, 20)
    world.watch(receipt)


def test_a_context_that_leads_elsewhere_answers_for_nobody(world: World, tmp_path: Path) -> None:
    receipt = world.running()
    world.watch(receipt)
    (tmp_path / "other").mkdir()
    other = World(world.namespace, tmp_path / "other")
    before = world.proxy.kubeconfig.read_text()
    try:
        world.proxy.kubeconfig.write_text(other.proxy.kubeconfig.read_text())
        silent = world.look(receipt)
        assert isinstance(silent, Silent)
        assert "leads to" in silent.why
        theirs = other.running()
        for _ in range(10):
            assert is_running(world.look(theirs))
        world.proxy.kubeconfig.write_text(before)
        world.watch(receipt)
        assert is_running(world.look(receipt))
    finally:
        other.close()


def test_what_failed_at_one_context_is_no_answer_at_another(world: World, tmp_path: Path) -> None:
    receipt = world.running()
    world.watch(receipt)
    (tmp_path / "other").mkdir()
    other = World(world.namespace, tmp_path / "other")
    try:
        theirs = other.running()
        world.proxy.away()
        time.sleep(3)  # several lists in vain: it is known now, and the next is not tried at once
        assert is_silent(world.look(receipt))
        world.proxy.kubeconfig.write_text(other.proxy.kubeconfig.read_text())
        assert is_running(world.look(theirs))
    finally:
        other.close()


def test_a_deleted_namespace_ends_its_attempts(world: World) -> None:
    receipt = world.running()
    world.watch(receipt)
    world.admin.delete(f"/api/v1/namespaces/{world.namespace}", {})
    seen = world.until(receipt, is_gone, 40)
    assert isinstance(seen, Observation)
    assert seen.last_word is None


def is_gone(seen: Observation | Silent) -> bool:
    return isinstance(seen, Observation) and seen.phase is Phase.GONE


def asked(world: World, kind: str) -> list[Asked]:
    return [one for one in world.proxy.asked if one.kind == kind]


def test_watches_ask_for_ours_alone_from_where_they_stand(world: World) -> None:
    world.proxy.forget()
    world.watch(world.running())
    for one in (*asked(world, "watch jobs"), *asked(world, "watch pods")):
        assert one.query["labelSelector"] == [names.selector("wtest")]
        assert one.query["allowWatchBookmarks"] == ["true"]
        assert int(one.query["resourceVersion"][0]) > 0
        assert int(one.query["timeoutSeconds"][0]) < watch.FRESH_S


def test_an_idle_scheduler_keeps_two_watches_and_asks_nothing_for_each_run() -> None:
    kubernetes.kubeconfig()
    found = measure(known=20, active=5, seconds=5)
    assert found["state"] == ["running"]
    assert (found["open_watches"], found["lists_and_gets"]) == (2, 0)
    assert (found["exit"], found["said"]) == (0, "The lease is given back; runs go on.\n"), found


@pytest.mark.long
@pytest.mark.row("F-8")
def test_a_scheduler_shows_runs_as_stale_while_the_server_is_away_and_true_again_30_s_later(
    world: World, tmp_path: Path
) -> None:
    deck = Quarterdeck(tmp_path)
    [receipt] = fill(world, deck, 1, 1)
    services = wiring.open_services(
        config.load({"store": deck.store}, {"QUARTERDECK_ACTOR": "ana"})
    )
    scheduler = deck.start("scheduler")
    try:
        assert kubernetes.eventually(lambda: not services.runs.stored(receipt.run)["stale"], 20)
        time.sleep(40)
        assert services.runs.stored(receipt.run)["stale"] is False  # a quiet run is no stale one
        world.proxy.away()
        assert kubernetes.eventually(lambda: services.runs.stored(receipt.run)["stale"], 40)
        shown = services.runs.stored(receipt.run)
        assert (shown["state"], shown["waiting_for"]["what"]) == (
            "running",
            "the cluster to answer",
        )
        assert "does not answer" in shown["waiting_for"]["last_fact"]
        world.end_pod(receipt)
        time.sleep(20)
        world.proxy.back()
        assert kubernetes.eventually(
            lambda: services.runs.stored(receipt.run)["state"] == "succeeded", 30
        )
    finally:
        scheduler.terminate()
        scheduler.communicate(timeout=30)
        services.close()
