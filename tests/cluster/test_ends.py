"""How runs on a cluster end, through the command line: attempts, deletions, timeouts, cancels, what is left."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from quarterdeck import wiring
from quarterdeck.executors.kubernetes import names
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.model.codec import from_document
from quarterdeck.model.instants import parse_instant
from quarterdeck.model.receipt import Receipt
from tests.contract.test_executor import a_launch, begin
from tests.support import kubernetes
from tests.support.quarterdeck import Quarterdeck, python

pytestmark = pytest.mark.cluster

LONG = "import time\nprint('it began', flush=True)\ntime.sleep(300)"
Json = dict[str, Any]


class Place:
    """A workspace with cluster `kube` in a namespace of its own."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self.namespace = namespace
        self.client = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
        self.deck = Quarterdeck(folder)
        self.add_cluster(self.deck)

    def add_cluster(self, deck: Quarterdeck) -> None:
        document = kubernetes.definition(self.namespace)
        deck.ok("cluster", "create", "-f", "-", text=json.dumps(document))

    def running(self, text: str = LONG, name: str = "long", **spec: Any) -> Json:
        """Start a job and wait until its payload runs; return the run."""
        self.deck.create(name, cluster="kube", source=python(text), **spec)
        return dict(self.deck.until(self.deck.ok("run", name)["id"], "running"))

    def pods(self, run: str) -> list[str]:
        query = (("labelSelector", f"{names.RUN}={run}"),)
        found = self.client.get(names.pods(self.namespace), query)["items"]
        return [pod["metadata"]["name"] for pod in found]

    def delete(self, path: str) -> None:
        options = {"propagationPolicy": "Background", "gracePeriodSeconds": 5}
        self.client.delete(path, options)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with kubernetes.namespace() as name:
        made = Place(tmp_path, name)
        yield made
        made.client.close()


def receipt_of(run: Json) -> Receipt:
    receipt: Receipt = from_document(Receipt, run["receipt"])
    return receipt


def evict(place: Place, pod: Json) -> None:
    name = pod["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    place.client.create(f"{names.pods(place.namespace)}/{name}/eviction", eviction)


def preempt(place: Place, pod: Json) -> None:
    """Let a pod of higher priority want the CPU that it has."""
    document = {
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1_000,
        "metadata": {"name": place.namespace},
    }  # fmt: skip
    place.client.create("/apis/scheduling.k8s.io/v1/priorityclasses", document)
    container = {
        "name": "hog", "image": kubernetes.IMAGE, "command": ["sleep", "300"],
        "resources": {"requests": {"cpu": "1500m"}},
    }  # fmt: skip
    spec = {
        "priorityClassName": place.namespace, "containers": [container],
        "nodeSelector": {"kubernetes.io/hostname": pod["spec"]["nodeName"]},
        "terminationGracePeriodSeconds": 0,
    }  # fmt: skip
    meta = {"name": "hog"}
    hog = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    place.client.create(names.pods(place.namespace), hog)


@pytest.mark.row("F-20", "F-21")
@pytest.mark.parametrize(
    ("push", "reason"), [(evict, "evicted"), (preempt, "preempted")], ids=["evicted", "preempted"]
)
def test_an_attempt_that_had_to_go_is_followed_by_another_in_the_same_run(
    place: Place, push: Callable[[Place, Json], None], reason: str
) -> None:
    profile = {
        "name": "big", "mode": "standalone", "driver": {"disk_gib": 1, "cpu": 1.2},
        "team": place.deck.actor,
    }  # fmt: skip
    place.deck.ok("profile", "create", "-f", "-", text=json.dumps(profile))
    text = (
        "import os, time\n"
        "print('attempt', os.environ['QUARTERDECK_ATTEMPT'][-1], flush=True)\n"
        "time.sleep(300 if os.environ['QUARTERDECK_ATTEMPT'].endswith('-1') else 0)"
    )
    retry = {"attempts": 2, "backoff": "1s", "on": ["evicted", "preempted"]}
    run = place.running(text, profile="big", retry=retry)
    [pod] = place.client.get(names.pods(place.namespace))["items"]
    follower = place.deck.start("logs", run["id"], "-f")  # or the log would go with the pod
    assert kubernetes.eventually(lambda: "attempt 1" in place.deck.call("logs", run["id"]).out)
    try:
        push(place, pod)
        ended = place.deck.until(run["id"], deadline_s=90)
    finally:
        with suppress(ApiError):
            place.client.delete(f"{names.pods(place.namespace)}/hog", {})
        with suppress(ApiError):
            path = f"/apis/scheduling.k8s.io/v1/priorityclasses/{place.namespace}"
            place.client.delete(path, {})
    assert ended["state"] == "succeeded"
    first, second = ended["attempts"]
    assert (first["state"], first["reason"]) == ("failed", reason)
    assert first["rule"] == f"{reason} is retried, attempt 2 of 2"
    assert (second["number"], second["state"], second["reason"]) == (2, "succeeded", None)
    assert first["receipt"]["facts"]["uid"] != second["receipt"]["facts"]["uid"]
    words = place.deck.call("run-show", run["id"]).out
    assert "attempt 1" in words
    assert "attempt 2" in words
    log, _ = follower.communicate(timeout=60)
    assert log.index("attempt 1") < log.index("attempt 2")
    assert kubernetes.left(place.namespace) == []


@pytest.mark.row("F-25", "G6")
@pytest.mark.parametrize("what", ["pod", "Job", "namespace"])
def test_what_others_delete_ends_the_run_within_a_minute_by_name(place: Place, what: str) -> None:
    run = place.running()
    [pod] = place.pods(run["id"])
    k8s_job = run["receipt"]["facts"]["name"]
    path, name = {
        "pod": (f"{names.pods(place.namespace)}/{pod}", k8s_job),  # the pod's name begins so
        "Job": (f"{names.jobs(place.namespace)}/{k8s_job}", k8s_job),
        "namespace": (f"/api/v1/namespaces/{place.namespace}", place.namespace),
    }[what]
    place.delete(path)
    begun = time.monotonic()
    ended = place.deck.until(run["id"])
    assert time.monotonic() - begun < 60
    assert (ended["state"], ended["reason"]) == ("failed", "deleted_externally")
    said = " ".join(
        (ended["object"], *ended["evidence"], *(e["because"] for e in ended["timeline"]))
    )
    assert name in said
    assert pod in ended["placement"]
    if what != "namespace":
        assert kubernetes.left(place.namespace) == []
        return
    answer = place.deck.json("cluster", "check", "kube")
    assert answer.document["status"] == "inactive"
    failed = [
        check["message"] for check in answer.document["checks"] if check["level"] == "failed"
    ]
    assert any(place.namespace in message for message in failed), failed
    assert place.deck.json("run", "long").code == 6  # no further creates


@pytest.mark.row("F-27", "F16")
def test_workers_go_with_a_driver_that_was_killed(place: Place) -> None:
    kubernetes.give_driver_rights(place.namespace)
    profile = {
        "name": "wide", "mode": "cluster", "driver": {"disk_gib": 1}, "team": place.deck.actor,
        "worker": {
            "instance_type": "test.xlarge", "disk_gib": 1, "max_nodes": 2, "cpu": 0.25,
            "capacity_type": "spot",
        },
    }  # fmt: skip
    place.deck.ok("profile", "create", "-f", "-", text=json.dumps(profile))
    text = (
        "import time\nfrom pyspark.sql import SparkSession\n"
        "print(SparkSession.builder.getOrCreate().range(0, 1000, 1, 2).count(), flush=True)\ntime.sleep(300)"
    )
    run = place.running(text, profile="wide")
    assert kubernetes.eventually(lambda: len(place.pods(run["id"])) == 3)
    workers = {f"pod {name}" for name in place.pods(run["id"]) if "-w-" in name}
    kubernetes.kill_runner(receipt_of(run))
    ended = place.deck.until(run["id"])
    assert ended["state"] in ("failed", "lost")
    assert ended["reason"] in ("lost", "engine_lost")
    assert kubernetes.left(place.namespace) == []
    removed = ended["reap"]["removed"]
    told = " ".join((*removed, *(one["because"] for one in ended["timeline"])))
    assert all(name in told for name in workers), (workers, told)


ENDS: list[tuple[str, str, str, str, list[str]]] = [
    ("exception", "x = 1\nraise ValueError('no such day')", "failed", "user_error", ["no such day"]),
    ("exit", "import sys\nsys.exit(7)", "failed", "user_error", ["7"]),
    ("signal", "import os\nos.kill(os.getpid(), 9)", "failed", "user_error", ["SIGKILL"]),
    (
        "forks",
        "import subprocess, sys\nsubprocess.Popen(['sleep', '300'], start_new_session=True)\nsys.exit(4)",
        "failed", "user_error", ["4"],
    ),
    ("running", "import time\ntime.sleep(300)", "timed_out", "timeout", ["running"]),
]  # fmt: skip
TIMEOUTS = {"running": "12s"}  # in `starting` it is tested where a start can be held up


@pytest.mark.row("F-31", "F-32")
def test_each_end_of_a_payload_is_told_and_nothing_of_it_stays(place: Place) -> None:
    runs = {}
    for name, text, *_ in ENDS:
        more = {"timeout": TIMEOUTS[name]} if name in TIMEOUTS else {}
        place.deck.create(name, cluster="kube", source=python(text), **more)
        runs[name] = place.deck.ok("run", name)["id"]
    for name, _, state, reason, words in ENDS:
        ended = place.deck.until(runs[name], deadline_s=120)
        assert (ended["state"], ended["reason"]) == (state, reason), (name, ended)
        said = " ".join((ended["object"] or "", *ended["evidence"]))
        assert all(word in said for word in words), (name, said)
        assert kubernetes.processes_of(receipt_of(ended)) == []
    assert kubernetes.left(place.namespace) == []


@pytest.mark.row("F-31", "F7")
def test_a_payload_that_ignores_sigterm_is_cancelled_all_the_same(place: Place) -> None:
    text = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LONG
    run = place.running(text)
    place.deck.ok("cancel", run["id"])
    ended = place.deck.until(run["id"], deadline_s=90)
    assert (ended["state"], ended["reason"]) == ("cancelled", "cancelled")
    assert kubernetes.processes_of(receipt_of(ended)) == []
    assert kubernetes.left(place.namespace) == []


@pytest.mark.row("F-33")
def test_a_cancel_at_the_very_end_brings_one_end_that_all_views_agree_on(place: Place) -> None:
    for number, left_s in enumerate((1.0, 0.4, -0.1)):
        run = place.running("import time\ntime.sleep(8)", name=f"short-{number}")
        is_old = wiring.clock() - parse_instant(run["timeline"][-1]["at"])
        time.sleep(max(0.0, 8 - left_s - is_old.total_seconds()))
        answer = place.deck.json("cancel", run["id"])
        assert answer.code in (0, 5)  # 5: it had ended
        ended = place.deck.until(run["id"])
        assert ended["state"] in ("succeeded", "cancelled")
        assert (ended["reason"] == "cancelled") is (ended["state"] == "cancelled")
        [row] = place.deck.ok("runs", "--job", f"short-{number}")
        assert row["state"] == ended["state"] == ended["timeline"][-1]["state"]
        assert ended["attempts"][-1]["state"] == ended["state"]
        assert place.deck.ok("run-show", run["id"])["state"] == ended["state"]


@pytest.mark.row("F-34")
@pytest.mark.parametrize(
    "runner", ["", "open('/dev/termination-log', 'w').write('{\"state\": \"succ')"]
)
def test_an_exit_code_of_0_without_the_runners_word_is_never_green(
    place: Place, runner: str
) -> None:
    executor = kubernetes.executor(place.namespace)
    receipt = executor.prepare(a_launch("print('x')"))
    path = f"{names.config_maps(place.namespace)}/{receipt.facts['name']}-1"
    made = place.client.get(path)
    made["metadata"] = {key: made["metadata"][key] for key in ("name", "labels", "annotations")}
    made["binaryData"]["file-0-1"] = base64.b64encode(runner.encode()).decode()
    place.client.delete(path, {})
    place.client.create(names.config_maps(place.namespace), made)
    receipt = begin(executor, receipt)
    found: list[Any] = []

    def has_ended() -> bool:
        found[:] = [executor.observe([receipt])[receipt.id]]
        return bool(found[0].phase == "ended")

    try:
        assert kubernetes.eventually(has_ended)
        assert (found[0].exit_code, found[0].last_word) == (0, None)
        assert found[0].failure is None  # `classify` calls that lost
        assert bool(found[0].evidence) is bool(runner)
    finally:
        executor.reap(receipt)
        with suppress(ApiError):
            place.client.delete(path, {})
        executor.close()


@pytest.mark.row("F16", "F-27")
def test_doctor_lists_and_removes_what_no_run_owns_and_nothing_else(
    place: Place, tmp_path: Path
) -> None:
    place.deck.create("long", cluster="kube", source=python(LONG))
    shutil.copytree(place.deck.store, tmp_path / "before")
    forgotten = place.deck.until(place.deck.ok("run", "long")["id"], "running")["id"]
    shutil.rmtree(place.deck.store)
    (tmp_path / "before").rename(place.deck.store)  # an older store is put back
    mine = place.deck.until(place.deck.ok("run", "long")["id"], "running")["id"]
    (tmp_path / "other").mkdir()
    other = Quarterdeck(tmp_path / "other", init=False)  # another, not a copy of the same
    other.ok("init")
    place.add_cluster(other)
    assert other.ok("doctor", "--leftovers") == []
    [row] = place.deck.ok("doctor", "--leftovers")
    assert (row["cluster"], row["name"], row["alive"]) == ("kube", f"{forgotten}-1", True)
    assert place.deck.json("doctor", "--leftovers", "--remove").code != 0  # nobody said yes
    assert place.pods(forgotten)
    [removed] = place.deck.ok("doctor", "--leftovers", "--remove", "--yes")
    assert removed["left"] == []
    assert any(forgotten in name for name in removed["removed"])
    assert place.pods(forgotten) == []
    assert place.deck.ok("doctor", "--leftovers") == []
    assert place.pods(mine)
    assert place.deck.ok("run-show", mine)["state"] == "running"
    place.deck.ok("cancel", mine)
    assert place.deck.until(mine)["state"] == "cancelled"
    assert kubernetes.left(place.namespace) == []
