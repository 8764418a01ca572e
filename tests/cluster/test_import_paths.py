"""Whose code is imported by whom in pods: names of files and modules of wheels steer nobody."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from quarterdeck.executors.kubernetes import manifest
from quarterdeck.executors.kubernetes import names as paths
from quarterdeck.executors.kubernetes.client import Client
from quarterdeck.ports.executor import FencedError
from tests.contract.test_executor import a_launch
from tests.support import imports, kubernetes
from tests.support.quarterdeck import Quarterdeck
from tests.support.wheels import make_wheel

pytestmark = pytest.mark.cluster

OURS = (("labelSelector", f"{paths.OWNER}={paths.PRODUCT}"),)
# Tells a server of each time that it runs, and as what.
BODY = """\
import os, sys, urllib.request
urllib.request.urlopen(f"{os.environ['COUNT']}/{os.environ['JOB']}/{__name__}", timeout=20).close()
print("main", __file__ == sys.argv[0], os.path.basename(__file__))
"""


@pytest.fixture
def deck(tmp_path: Path, namespace: str) -> Quarterdeck:
    """Return a workspace with cluster `kube` in that namespace."""
    made = Quarterdeck(tmp_path)
    made.ok("cluster", "create", "-f", "-", text=json.dumps(kubernetes.definition(namespace)))
    return made


def run_each(deck: Quarterdeck, names: tuple[str, ...]) -> None:
    """Run a body under each of these names, all at once; each ran once, as `__main__`."""
    server = kubernetes.Counting()
    runs = {}
    try:
        for number, name in enumerate(names):
            folder = deck.folder / str(number)
            folder.mkdir()
            (folder / name).write_text(BODY)
            source = {"kind": "py_file", "uri": str(folder / name)}
            settings = {"env": {"COUNT": server.address, "JOB": str(number)}}
            deck.create(f"job-{number}", cluster="kube", source=source, settings=settings)
            runs[name] = deck.ok("run", f"job-{number}")["id"]
        ended = {name: deck.until(run, deadline_s=120) for name, run in runs.items()}
    finally:
        server.close()
    ends = {name: (run["state"], run["reason"]) for name, run in ended.items()}
    assert ends == dict.fromkeys(names, ("succeeded", None)), [
        e["evidence"] for e in ended.values()
    ]
    assert server.seen == {f"{number}/__main__": 1 for number in range(len(names))}
    for name, run in runs.items():
        assert f"main True {name}" in [line["text"] for line in deck.ok("logs", run)]


@pytest.mark.row("A7", "F13", "X2")
@pytest.mark.parametrize("time", imports.TIMES)
def test_a_file_of_any_name_runs_once_as_main_in_a_pod(deck: Quarterdeck, time: int) -> None:
    run_each(deck, imports.FEW[:5])


@pytest.mark.long
@pytest.mark.row("A7", "F13", "X2")
@pytest.mark.parametrize("time", imports.TIMES)
@pytest.mark.parametrize("first", range(0, len(imports.MANY), 8))
def test_a_file_of_each_of_many_names_runs_once_as_main_in_a_pod(
    deck: Quarterdeck, first: int, time: int
) -> None:
    run_each(deck, imports.MANY[first : first + 8])


@pytest.mark.row("F13")
def test_a_job_of_another_version_goes_on_with_all_its_inputs_and_is_fenced_without(
    namespace: str,
) -> None:
    executor, client = (
        kubernetes.executor(namespace),
        Client(kubernetes.kubeconfig(), kubernetes.CONTEXT),
    )
    cluster, launch = kubernetes.cluster(namespace), a_launch("print('it ran')")
    others = [
        [replace(piece, path=piece.path.removeprefix("files/")) for piece in group]
        for group in manifest.packed(launch, cluster, "wtest", namespace)
    ]
    job = client.create(paths.jobs(namespace), manifest.k8s_job(launch, cluster, "wtest", others))
    with pytest.raises(
        FencedError, match="made by another version of Quarterdeck, and its ConfigMap"
    ):
        executor.prepare(launch)
    assert client.get(paths.config_maps(namespace), OURS)["items"] == []
    for document in manifest.config_maps(launch, "wtest", job["metadata"]["uid"], others):
        client.create(paths.config_maps(namespace), document)
    receipt = executor.prepare(launch)
    assert receipt.facts["uid"] == job["metadata"]["uid"]
    [kept] = client.get(paths.config_maps(namespace), OURS)["items"]
    assert len(kept["binaryData"]) == len(others[0])
    executor.reap(receipt)
    client.close()


@pytest.mark.row("A6", "F13", "F16", "X2")
def test_workers_import_a_wheels_functions_and_are_not_steered_by_it(
    deck: Quarterdeck, namespace: str
) -> None:
    kubernetes.give_driver_rights(namespace)
    large = {"tiny/large.txt": "x" * 700_000}  # more than one ConfigMap holds
    make_wheel(deck.folder, module=imports.JOBS, more=imports.GREEDY | large)
    profile = {
        "name": "wide", "mode": "cluster", "driver": {"disk_gib": 1},
        "worker": {
            "instance_type": "test.xlarge", "disk_gib": 1, "max_nodes": 2,
            "capacity_type": "spot", "cpu": 0.25,
        },
    }  # fmt: skip
    deck.ok("profile", "create", "-f", "-", text=json.dumps(profile | {"team": deck.actor}))
    source = {
        "kind": "wheel", "package": "tiny", "entry_point": "tiny.jobs:main",
        "wheel_uri": "tiny-1.0-py3-none-any.whl",
    }  # fmt: skip
    deck.create("wheel", cluster="kube", profile="wide", source=source)
    run = deck.run("wheel")
    lines = deck.ok("logs", run["id"])
    assert run["state"] == "succeeded", lines
    said = [line["text"].partition(" ") for line in lines if line["origin"] == "payload"]
    [payload] = [json.loads(text) for who, _, text in said if who == "payload"]
    workers = [json.loads(text) for who, _, text in said if who == "engine"]
    assert len({seen["host"] for seen in workers} - {payload["host"]}) == 2
    for seen in workers:
        assert seen["path"][0] == paths.PACKAGES
        assert seen["path"][-1] == f"{paths.WORKERS_WHEEL}/wheels"
        assert seen["loaded"] == []
        assert seen["files"]["tiny"].startswith(paths.WORKERS_WHEEL)
    for seen in (payload, *workers):
        assert seen["files"]["email"] == "/usr/lib/python3.11/email/__init__.py"
        assert seen["files"]["queue"] == "/usr/lib/python3.11/queue.py"
    wheels = payload["path"].index("/quarterdeck/out/scratch/wheels")
    assert (
        payload["path"].index("/usr/lib/python3.11")
        < wheels
        < payload["path"].index(paths.PACKAGES)
    )
    assert "tiny_at_start" in payload["loaded"]  # as if it were installed
    assert kubernetes.left(namespace) == []
