"""Clocks on a cluster: whoever looks by another time ends nothing, and a runner is heard through its log alone."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from quarterdeck.config import Settings
from quarterdeck.executors.kubernetes import names
from quarterdeck.model.receipt import Receipt
from quarterdeck.wiring import open_services
from tests.cluster.test_ends import Place, place, receipt_of
from tests.support import kubernetes

pytestmark = pytest.mark.cluster
__all__ = ["place"]


STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("it began", flush=True)
time.sleep(300)
"""


def signal_runner(receipt: Receipt, number: signal.Signals) -> None:
    """Send a signal to process 1 of the attempt's container, from outside."""
    for pid in kubernetes.processes_of(receipt):
        with suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            if re.search(r"^NSpid:.*\t1$", status, re.M):
                os.kill(pid, number)


@pytest.mark.row("R6", "F-42", "F5")
def test_looks_of_processes_three_hours_ahead_or_behind_end_no_run(place: Place) -> None:
    deck = place.deck
    run = place.running(timeout="10m")["id"]
    for seconds in (3 * 3_600, -3 * 3_600):
        for look in (("run-show", run), ("runs",), ("scheduler", "--once")):
            deck.ahead(seconds, *look)
        shown = deck.ahead(seconds, "run-show", run)
        assert (shown["state"], shown["cancel"], shown["stale"]) == ("running", None, False)
        clusters = deck.ahead(seconds, "doctor")["clock"]["clusters"]
        [ahead_s] = [one["ahead_s"] for one in clusters if one["cluster"] == "kube"]
        assert ahead_s == pytest.approx(seconds, abs=5)
    deck.ok("cancel", run)
    shown = deck.until(run)
    assert shown["state"] == "cancelled"
    assert all(0 <= one["seconds"] < 200 for one in shown["timeline"])
    lines = deck.ok("logs", run)
    assert [line["text"] for line in lines if line["origin"] == "payload"] == ["it began"]
    assert not [line for line in lines if line["stream"] in ("gap", "beat")]


@pytest.mark.row("R6", "F-42", "F-20")
def test_who_is_three_hours_ahead_takes_no_pod_that_is_asked_to_go_for_lost(place: Place) -> None:
    run = place.running(STUBBORN)["id"]
    [pod] = place.pods(run)
    path = f"{names.pods(place.namespace)}/{pod}"
    place.client.delete(path, {"gracePeriodSeconds": 60})
    shown = place.deck.ahead(3 * 3_600, "run-show", run)
    assert (shown["state"], shown["reason"]) != ("failed", "node_lost")
    shown = place.deck.until(run)
    assert (shown["state"], shown["reason"]) == ("failed", "deleted_externally")
    assert kubernetes.left(place.namespace) == []


@pytest.mark.row("F5", "G6", "R6")
def test_a_pod_is_heard_as_long_as_its_runner_lives(place: Place) -> None:
    run = place.running()
    services = open_services(Settings(place.deck.store, "test", place.deck.actor))
    kube = services.context.get_definition("cluster", "kube").value
    receipt, executor = receipt_of(run), services.ports.executor(kube)
    assert kubernetes.eventually(lambda: executor.is_heard(receipt, 5) is True, 20)
    signal_runner(receipt, signal.SIGSTOP)
    assert kubernetes.eventually(lambda: executor.is_heard(receipt, 17) is False, 25)
    assert executor.is_heard(receipt, 60) is True
    signal_runner(receipt, signal.SIGCONT)
    assert kubernetes.eventually(lambda: executor.is_heard(receipt, 5) is True, 20)
    executor.close()
    services.close()
    place.deck.ok("cancel", run["id"], "--wait")


@pytest.mark.long
@pytest.mark.row("F5", "G6", "R6")
def test_a_pod_whose_runner_is_stopped_ends_past_deadline_and_grace(place: Place) -> None:
    run = place.running(timeout="20s")
    signal_runner(receipt_of(run), signal.SIGSTOP)
    shown = place.deck.until(run["id"], deadline_s=20 + 90 + 90)
    assert (shown["state"], shown["reason"]) == ("timed_out", "timeout")
    assert kubernetes.left(place.namespace) == []
