"""Reasons of runs on a cluster as their user reads them: each fault is made for real, told by the command line."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from quarterdeck.model.receipt import Receipt
from tests.cluster.test_ends import Place, receipt_of
from tests.support import kubernetes
from tests.support.quarterdeck import job, python, sql

pytestmark = pytest.mark.cluster

HOG = "held = bytearray(600 * 1024 * 1024)\nprint(len(held))"
SLOW = "SELECT sum(a.id * b.id) AS v FROM range(3000000) a CROSS JOIN range(3000000) b"
FILLS = """
import time
block = b"x" * (1024 * 1024)
with open("/tmp/full", "wb") as out:
    for _ in range(1400):
        out.write(block)
    out.flush()
print("written", flush=True)
time.sleep(240)
"""
LOGIN = "kubectl-nothing_login"
Json = dict[str, Any]


@pytest.fixture
def place(tmp_path: Path, namespace: str) -> Iterator[Place]:
    made = Place(tmp_path, namespace)
    yield made
    made.client.close()


def profile(place: Place, **driver: Any) -> str:
    document = {
        "name": "narrow", "mode": "standalone", "driver": {"disk_gib": 1, **driver},
        "team": place.deck.actor,
    }  # fmt: skip
    place.deck.ok("profile", "create", "-f", "-", text=json.dumps(document))
    return "narrow"


def said(run: Json) -> str:
    return " ".join([run["object"] or "", *run["evidence"], run["advice"]])


def engines(receipt: Receipt) -> list[int]:
    """Return the engine's processes in the attempt's pod."""
    found = []
    for pid in kubernetes.processes_of(receipt):
        with suppress(OSError):  # it has just ended
            if b"pysail" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


@pytest.mark.row("F-18", "G5")
def test_a_driver_over_its_memory_names_limit_and_field(place: Place) -> None:
    name = profile(place, memory="420Mi")
    place.deck.create("hog", cluster="kube", profile=name, source=python(HOG))
    run = place.deck.run("hog")
    assert (run["state"], run["reason"]) == ("failed", "oom_driver"), run
    assert "memory limit 420Mi" in said(run) or "memory limit 440401920" in said(run), said(run)
    assert "peak" in said(run), said(run)
    assert "`driver.memory`" in run["advice"]
    assert kubernetes.left(place.namespace) == []


@pytest.mark.row("F-29", "G5")
def test_an_engine_killed_in_mid_statement_is_named_with_its_statement(place: Place) -> None:
    place.deck.create("slow", cluster="kube", source=sql(f"SELECT 1;\n{SLOW}"))
    run = dict(place.deck.until(place.deck.ok("run", "slow")["id"], "running"))
    receipt = receipt_of(run)
    assert kubernetes.eventually(lambda: bool(engines(receipt)))
    for pid in engines(receipt):
        os.kill(pid, signal.SIGKILL)
    ended = place.deck.until(run["id"])
    assert (ended["state"], ended["reason"]) == ("failed", "engine_lost"), ended
    assert "statement 2 of 2" in said(ended), said(ended)
    assert kubernetes.processes_of(receipt) == []
    assert kubernetes.left(place.namespace) == []


@pytest.mark.long
@pytest.mark.row("F-29", "G5")
def test_an_engine_that_hangs_before_its_first_answer_ends_as_engine_start(place: Place) -> None:
    place.deck.create("quick", cluster="kube")
    run = place.deck.ok("run-show", place.deck.ok("run", "quick")["id"])
    receipt = receipt_of(run)
    end = time.monotonic() + 30
    while not (found := engines(receipt)):
        assert time.monotonic() < end
    for pid in found:
        os.kill(pid, signal.SIGSTOP)
    ended = place.deck.until(run["id"], deadline_s=120)
    assert (ended["state"], ended["reason"]) == ("failed", "engine_start"), ended
    words = said(ended)
    assert "named no port" in words or "gave no answer" in words, words
    assert kubernetes.processes_of(receipt) == []
    assert kubernetes.left(place.namespace) == []


@pytest.mark.row("F-16", "A15")
def test_an_image_that_is_not_there_is_found_before_any_run(place: Place) -> None:
    image = "localhost/nothing:1"
    document = kubernetes.definition(place.namespace, "absent") | {"image": image}
    made = place.deck.ok("cluster", "create", "-f", "-", text=json.dumps(document))
    assert made["status"] == "inactive"
    [check] = [one for one in made["checks"] if one["level"] == "failed"]
    assert image in check["message"]
    assert "ErrImagePull" in check["message"] or "ImagePullBackOff" in check["message"], check
    assert check["advice"]
    document = job("daily", cluster="absent")
    refused = place.deck.json("job", "create", "-f", "-", text=json.dumps(document))
    assert refused.code == 6
    assert "cluster absent is inactive" in refused.error["message"]
    assert kubernetes.left(place.namespace) == []


@pytest.mark.row("F-50")
def test_a_credential_command_that_is_gone_is_named_and_other_clusters_work(
    place: Place, tmp_path: Path
) -> None:
    path = tmp_path / "kubeconfig"
    good = Path(kubernetes.kubeconfig()).read_text()
    path.write_text(good)
    document = kubernetes.definition(place.namespace, "other") | {"kubeconfig": str(path)}
    place.deck.ok("cluster", "create", "-f", "-", text=json.dumps(document))
    text = "import time\ntime.sleep(12)\nprint('it went on', flush=True)"
    place.deck.create("long", cluster="other", source=python(text))
    run = place.deck.ok("run", "long")["id"]
    place.deck.until(run, "running")
    broken = yaml.safe_load(good)
    login = {
        "apiVersion": "client.authentication.k8s.io/v1", "command": LOGIN, "args": ["token"],
        "interactiveMode": "Never",
    }  # fmt: skip
    broken["users"] = [{"name": one["name"], "user": {"exec": login}} for one in broken["users"]]
    path.write_text(yaml.safe_dump(broken))
    shown = place.deck.ok("run-show", run)
    assert shown["state"] == "running"
    assert LOGIN in shown["waiting_for"]["last_fact"], shown["waiting_for"]
    checked = place.deck.json("cluster", "check", "other").document
    assert checked["status"] in ("unreachable", "inactive")
    assert LOGIN in json.dumps(checked["checks"])
    place.deck.create("quick", cluster="kube")
    assert place.deck.run("quick")["state"] == "succeeded"
    path.write_text(good)
    assert place.deck.until(run)["state"] == "succeeded"
    assert "it went on" in place.deck.call("logs", run).out
    assert kubernetes.left(place.namespace) == []


@pytest.mark.long
@pytest.mark.row("F-20", "G5")
def test_a_driver_over_its_disk_is_evicted_with_the_clusters_words(place: Place) -> None:
    name = profile(place)
    place.deck.create("fills", cluster="kube", profile=name, source=python(FILLS))
    run = dict(place.deck.ok("run", "fills"))
    ended = place.deck.until(run["id"], deadline_s=240)
    assert (ended["state"], ended["reason"]) == ("failed", "evicted"), ended
    words = said(ended)
    assert "node-" in words, words
    assert "ephemeral" in words or "emptyDir" in words, words
    assert "`disk_gib`" in ended["advice"]
    assert kubernetes.left(place.namespace) == []
