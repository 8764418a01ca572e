"""A node is lost for real: its kubelet stops, its object goes, its containers run on. Alone on its cluster."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.executors.kubernetes.client import ApiError, Client
from tests.cluster.test_ends import Place
from tests.support import kubernetes
from tests.support.attempt import carriers

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.row("F-22")]

NODE, OTHER = "node-2", "node-1"
KUBELET = "kubelet-2"
TICKING = """
import os, time, urllib.request
attempt = os.environ["QUARTERDECK_ATTEMPT"]
for _ in range({first} if attempt.endswith("-1") else 25):
    urllib.request.urlopen("{address}/" + attempt, timeout=20).read()
    time.sleep(0.2)
"""


class Ticks:
    """A server on this machine that keeps when which attempt's payload said that it runs."""

    def __init__(self) -> None:
        self.seen: dict[str, list[float]] = defaultdict(list)
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen[self.path.strip("/")].append(time.monotonic())
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((kubernetes.HOST, 0), Handler)
        self.address = f"http://{kubernetes.HOST}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def cordon(client: Client, node: str, *, is_off: bool) -> None:
    operation = {"op": "add", "path": "/spec/unschedulable", "value": is_off}
    client.patch(f"/api/v1/nodes/{node}", [operation])


def is_ready(client: Client) -> bool:
    with suppress(ApiError):
        node = client.get(f"/api/v1/nodes/{NODE}")
        return any(
            one["type"] == "Ready" and one["status"] == "True"
            for one in node["status"]["conditions"]
        )
    return False


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    kubernetes.demand_faults()
    with kubernetes.namespace() as name:
        made = Place(tmp_path, name)
        try:
            yield made
        finally:
            cordon(made.client, OTHER, is_off=False)
            if not is_ready(made.client):
                kubernetes.fault("start", KUBELET)
            assert kubernetes.eventually(lambda: is_ready(made.client), 120)
            made.client.close()


@pytest.fixture
def ticks() -> Iterator[Ticks]:
    made = Ticks()
    yield made
    made.close()


def lost(place: Place, ticks: Ticks, **spec: Any) -> str:
    """Let a run's first attempt run on a node that is lost then; return the run once that is known."""
    cordon(place.client, OTHER, is_off=True)
    text = TICKING.format(address=ticks.address, first=3_000)
    retry = {"attempts": 2, "backoff": "1s", "on": ["node_lost"]}
    run = str(place.running(text, "ticking", retry=retry, **spec)["id"])
    cordon(place.client, OTHER, is_off=False)
    kubernetes.fault("stop", KUBELET)
    place.client.delete(f"/api/v1/nodes/{NODE}", {})

    def is_known() -> bool:
        return bool(place.deck.ok("run-show", run)["attempts"][0]["reason"])

    assert kubernetes.eventually(is_known, 65 + 60)
    shown = place.deck.ok("run-show", run)
    [attempt] = shown["attempts"]
    assert (attempt["reason"], attempt["object"]) == ("node_lost", f"node {NODE}")
    assert "may run on there" in shown["waiting_for"]["last_fact"]
    assert shown["deadline"]
    before = len(ticks.seen[f"{run}-1"])
    for _ in range(4):  # nobody's look starts another while the old one runs
        time.sleep(3)
        assert len(place.deck.ok("run-show", run)["attempts"]) == 1
    assert len(ticks.seen[f"{run}-1"]) > before + 20
    return run


def apart(ticks: Ticks, run: str) -> None:
    """Hold the attempts against each other by what their payloads said."""
    assert set(ticks.seen) == {f"{run}-1", f"{run}-2"}
    assert max(ticks.seen[f"{run}-1"]) < min(ticks.seen[f"{run}-2"])


def test_two_attempts_never_run_at_once_though_the_cluster_forgot_the_first(
    place: Place, ticks: Ticks
) -> None:
    run = lost(place, ticks)
    kubernetes.fault("start", KUBELET)
    ended = place.deck.until(run, deadline_s=240)
    assert ended["state"] == "succeeded"
    assert [one["cleared_by"] for one in ended["attempts"]] == ["the cluster", ""]
    apart(ticks, run)
    assert kubernetes.left(place.namespace) == []


def test_the_old_attempts_own_deadline_lets_the_next_one_start(place: Place, ticks: Ticks) -> None:
    run = lost(place, ticks, timeout="150s")
    ended = place.deck.until(run, deadline_s=300)
    assert ended["state"] == "succeeded"
    assert [one["cleared_by"] for one in ended["attempts"]] == ["", ""]
    apart(ticks, run)


def test_a_persons_word_lets_the_next_one_start(place: Place, ticks: Ticks) -> None:
    """The person is right here: what the machine ran is ended first, as its being switched off would."""
    run = lost(place, ticks)
    for pid in carriers(f"{run}-1"):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert place.deck.ok("retry", run, "--node-off")["id"] == run
    ended = place.deck.until(run, deadline_s=120)
    assert ended["state"] == "succeeded"
    assert [one["cleared_by"] for one in ended["attempts"]] == [place.deck.actor, ""]
    apart(ticks, run)
