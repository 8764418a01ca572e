"""Runs on a real cluster through the command line, each in a namespace of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from quarterdeck.executors.kubernetes.client import Client
from tests.bench import dispatch
from tests.support import kubernetes
from tests.support.quarterdeck import Quarterdeck, python, sql

pytestmark = pytest.mark.cluster


@pytest.fixture
def deck(tmp_path: Path, namespace: str) -> Quarterdeck:
    """Return a workspace with cluster `kube` in that namespace."""
    made = Quarterdeck(tmp_path)
    made.ok("cluster", "create", "-f", "-", text=json.dumps(kubernetes.definition(namespace)))
    return made


def test_a_job_runs_on_the_cluster_and_leaves_its_log(deck: Quarterdeck, namespace: str) -> None:
    shown = deck.ok("cluster", "show", "kube")
    assert shown["status"] == "active"
    deck.create("daily", cluster="kube", source=sql("SELECT 1 AS v; SELECT 2 AS w"))
    run = deck.run("daily")
    assert run["state"] == "succeeded", run
    words = deck.call("logs", run["id"]).out
    assert "Starting the Spark Connect server" in words
    rows = deck.ok("run-show", run["id"])
    assert [one["state"] for one in rows["timeline"]][-1] == "succeeded"
    assert kubernetes.left(namespace) == []


def test_a_failing_statement_says_where(deck: Quarterdeck) -> None:
    deck.create("bad", cluster="kube", source=sql("SELECT 1;\nSELECT nope FROM nowhere"))
    run = deck.run("bad")
    assert (run["state"], run["reason"]) == ("failed", "user_error")
    assert "nowhere" in " ".join(run["evidence"])


def test_a_cancel_keeps_the_last_word_and_the_log(deck: Quarterdeck, namespace: str) -> None:
    text = "import time\nprint('it began', flush=True)\ntime.sleep(300)"
    deck.create("long", cluster="kube", source=python(text))
    run = deck.ok("run", "long")
    deck.until(run["id"], "running")
    deck.ok("cancel", run["id"])
    ended = deck.until(run["id"])
    assert (ended["state"], ended["reason"]) == ("cancelled", "cancelled")
    assert "it began" in deck.call("logs", run["id"]).out
    assert kubernetes.left(namespace) == []


def test_a_cluster_of_workers_answers_and_is_gone_at_the_end(
    deck: Quarterdeck, namespace: str
) -> None:
    kubernetes.give_driver_rights(namespace)
    profile = {
        "name": "wide", "mode": "cluster", "driver": {"disk_gib": 1},
        "worker": {
            "instance_type": "test.xlarge", "disk_gib": 1, "max_nodes": 2,
            "capacity_type": "spot", "cpu": 0.25,
        },
    }  # fmt: skip
    deck.ok("profile", "create", "-f", "-", text=json.dumps(profile | {"team": deck.actor}))
    text = (
        "SELECT count(*) AS n, sum(id % 7) AS s FROM range(0, 100000, 1, 2);"
        "SELECT count(*) AS workers FROM system.cluster.workers"
    )
    deck.create("spread", cluster="kube", profile="wide", source=sql(text))
    run = deck.run("spread")
    assert run["state"] == "succeeded", (run["evidence"], deck.call("logs", run["id"]).out)
    rows = [one["rows"] for one in run["result"]["statements"]]
    assert rows == [[[100000, sum(n % 7 for n in range(100000))]], [[2]]]
    assert kubernetes.left(namespace) == []


def test_the_printed_rights_are_enough_and_without_them_the_check_says_which(
    deck: Quarterdeck, namespace: str, tmp_path: Path
) -> None:
    printed = list(yaml.safe_load_all(deck.call("cluster", "rbac", "kube").out))
    assert {one["kind"] for one in printed} == {"Role", "RoleBinding"}
    viewer = str(kubernetes.viewer_kubeconfig(tmp_path))
    document = kubernetes.definition(namespace) | {"name": "mine", "kubeconfig": viewer}
    made = deck.ok("cluster", "create", "-f", "-", text=json.dumps(document))
    assert made["status"] == "inactive"
    [missing] = [one for one in made["checks"] if one["name"] == "rights"]
    assert "create jobs" in missing["message"]
    assert "get pods/log" in missing["message"]
    for one in printed:
        for subject in one.get("subjects", ()):
            if subject["kind"] == "Group":
                subject["name"] = "viewers"
    client = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
    kubernetes.apply(client, printed)
    answer = deck.json("cluster", "check", "mine")
    assert answer.document["status"] == "active", answer.document["checks"]
    deck.create("daily", cluster="mine")
    assert deck.run("daily")["state"] == "succeeded"
    deck.create("long", cluster="mine", source=python("import time; time.sleep(300)"))
    run = deck.ok("run", "long")
    deck.until(run["id"], "running")
    deck.ok("cancel", run["id"])
    assert deck.until(run["id"])["state"] == "cancelled"
    assert kubernetes.left(namespace) == []


def test_without_the_package_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = tmp_path / "absent"
    absent.mkdir()
    text = "raise ModuleNotFoundError('no kubernetes', name='kubernetes')"
    (absent / "kubernetes.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(absent), prepend=os.pathsep)
    deck = Quarterdeck(tmp_path)
    deck.ok("cluster", "create", "-f", "-", text=json.dumps(kubernetes.definition("default")))
    answer = deck.json("cluster", "check", "kube")
    assert answer.code == 6
    [check] = answer.document["checks"]
    assert "kubernetes is not installed" in check["message"]
    assert "quarterdeck[kubernetes]" in check["advice"]


def test_a_context_that_is_not_there_and_a_server_that_does_not_answer(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path)
    for changes, status, words in (
        ({"context": "absent"}, "inactive", "absent"),
        ({"kubeconfig": str(tmp_path / "none")}, "inactive", "no kubeconfig"),
        ({"kubeconfig": str(nowhere(tmp_path))}, "unreachable", "does not answer"),
        ({"namespace": "absent"}, "inactive", "does not exist"),
    ):
        document = kubernetes.definition("default") | changes | {"name": words}
        made = deck.ok("cluster", "create", "-f", "-", text=json.dumps(document))
        assert made["status"] == status, made
        said = [one["message"] for one in made["checks"] if one["level"] == "failed"]
        assert any(words in text for text in said), said


def nowhere(folder: Path) -> Path:
    document = yaml.safe_load(Path(kubernetes.kubeconfig()).read_text())
    document["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    path = folder / "nowhere.kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_warm_process_dispatches_with_few_calls() -> None:
    kubernetes.kubeconfig()
    found = dispatch.measure(runs=2)
    # two dry runs, the Job, its ConfigMap, the release, the word; rights and nodes are known
    assert found["calls"] == 6, found
    assert found["dispatch_s"]["most"] < 10, found


@pytest.mark.row("F15", "X3")
def test_the_printed_roles_let_a_teams_own_account_have_workers_and_no_other(
    deck: Quarterdeck, namespace: str
) -> None:
    place = {"namespace": namespace, "service_account": "jobs"}
    team = {"name": deck.actor, "members": [deck.actor], "clusters": {"kube": place}}
    deck.ok("team", "edit", deck.actor, "-f", "-", text=json.dumps(team))
    checked = deck.ok("cluster", "check", "kube")
    [told] = [one for one in checked["checks"] if "service account jobs" in one["message"]]
    assert told["level"] == "warning"
    client = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
    document = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "jobs"}}
    client.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", document)
    printed = list(yaml.safe_load_all(deck.call("cluster", "rbac", "kube").out))
    kubernetes.apply(client, printed)
    accounts = {
        subject["name"]
        for one in printed
        for subject in one.get("subjects", ())
        if subject["kind"] == "ServiceAccount"
    }
    assert accounts == {"jobs"}
    client.close()
    worker = {
        "instance_type": "test.xlarge", "disk_gib": 1, "max_nodes": 1, "capacity_type": "spot",
        "cpu": 0.25,
    }  # fmt: skip
    profile = {"name": "wide", "mode": "cluster", "driver": {"disk_gib": 1}, "worker": worker}
    deck.ok("profile", "create", "-f", "-", text=json.dumps(profile | {"team": deck.actor}))
    text = "SELECT count(*) AS workers FROM system.cluster.workers"
    deck.create("spread", cluster="kube", profile="wide", source=sql(text))
    run = deck.run("spread")
    assert run["state"] == "succeeded", run
    assert run["result"]["statements"][0]["rows"] == [[1]]


def test_a_namespace_that_bounds_the_ratio_of_limits_to_requests_has_an_active_cluster(
    tmp_path: Path, namespace: str
) -> None:
    client = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
    limit = {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}, "min": {"memory": "512Mi"}}
    document = {
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "some"},
        "spec": {"limits": [limit]},
    }  # fmt: skip
    client.create(f"/api/v1/namespaces/{namespace}/limitranges", document)
    client.close()
    deck = Quarterdeck(tmp_path)
    made = deck.ok(
        "cluster", "create", "-f", "-", text=json.dumps(kubernetes.definition(namespace))
    )
    assert made["status"] == "active", made["checks"]
    profile = {"name": "whole", "mode": "standalone", "driver": {"disk_gib": 1, "cpu": 1}}
    deck.ok("profile", "create", "-f", "-", text=json.dumps(profile | {"team": deck.actor}))
    deck.create("fits", cluster="kube", profile="whole")
    assert deck.run("fits")["state"] == "succeeded"
    deck.create("open", cluster="kube")  # its profile leaves the processors open
    run = deck.run("open")
    assert (run["state"], run["reason"]) == ("rejected", "config_error")
    assert "ratio" in json.dumps(run["problems"])
