"""A cluster's objects without a cluster: what pods mean, what is laid over what, how inputs are packed."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quarterdeck.executors.kubernetes import (
    launching,
    manifest,
    names,
    nodes,
    observe,
    placing,
    pods,
)
from quarterdeck.model.errors import PrerequisiteError
from quarterdeck.model.failure import Reason
from quarterdeck.model.ids import RunId
from quarterdeck.model.observation import Phase
from quarterdeck.model.receipt import Chosen, Receipt
from quarterdeck.model.wire import PROTOCOL
from quarterdeck.ports.executor import Check, FencedError, InputFile, Launch

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
RECEIPT = Receipt(
    "kubernetes", RunId("rx0000000000"), 1, {"uid": "u1", "name": "qd-rx0000000000-a1"}
)
Json = dict[str, Any]


def a_job(*, suspend: bool = False, conditions: Any = (), **more: Any) -> Json:
    return {
        "metadata": {"name": "qd-rx0000000000-a1", "uid": "u1", **more},
        "spec": {"suspend": suspend},
        "status": {"conditions": list(conditions), "startTime": "2026-11-28T11:59:00Z"},
    }


def a_pod(state: Json | None = None, *, node: str = "n1", status: Any = (), **meta: Any) -> Json:
    container = [{"name": "runner", "image": "x:1", "state": state}] if state else []
    return {
        "metadata": {
            "name": "p", "uid": "p1", "creationTimestamp": "2026-11-28T11:59:00Z",
            "labels": {names.ROLE: "driver"}, "ownerReferences": [{"kind": "Job", "uid": "u1"}], **meta,
        },
        "spec": {
            "nodeName": node,
            "containers": [{"image": "x:1", "resources": {"limits": {"memory": "64Mi"}}}],
        },
        "status": {"phase": "Running", "containerStatuses": container, **dict(status)},
    }  # fmt: skip


def ended(code: int, reason: str = "Error", message: str = "") -> Json:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def word(state: str, reason: str | None, code: int) -> str:
    return json.dumps({
        "protocol": PROTOCOL, "run": RECEIPT.run, "attempt": 1, "state": state, "reason": reason,
        "exit_code": code,
    })  # fmt: skip


def true(kind: str, reason: str, message: str = "said", status: str = "True") -> Json:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def seen(job: Json | None, *found: Json, **more: Any) -> observe.Seen:
    return observe.Seen(job, found, **more)


def other_image(state: Json, found: str = "sha256:bb") -> Json:
    """Return a pod whose run was frozen to image `sha256:aa`, and whose node says what it has."""
    pod = a_pod(state, annotations={names.IMAGE_ID: "sha256:aa"})
    pod["status"]["containerStatuses"][0]["imageID"] = found
    return pod


DELETED = {"deletionTimestamp": "2026-11-28T12:00:30Z"}
EVENT = {"reason": "FailedCreate", "message": "exceeded quota: full"}
TABLE: list[tuple[str, observe.Seen, Phase, Reason | None]] = [
    ("waiting", seen(a_job(suspend=True)), Phase.WAITING, None),
    ("no pod yet", seen(a_job()), Phase.PENDING, None),
    ("gone", seen(None), Phase.GONE, None),
    ("another's", seen({**a_job(), "metadata": {"uid": "u2"}}), Phase.GONE, None),
    ("quota", seen(a_job(), events=[EVENT]), Phase.WAITING, Reason.QUOTA),
    ("another image", seen(a_job(), other_image({"running": {}})), Phase.STARTING, Reason.CONFIG_ERROR),
    (
        "another image, unseen until the end",
        seen(a_job(), other_image(ended(0, "Completed", word("succeeded", None, 0)))),
        Phase.ENDED, Reason.CONFIG_ERROR,
    ),
    ("the same image", seen(a_job(), other_image({"running": {}}, "sha256:aa")), Phase.STARTING, None),
    ("an image known otherwise", seen(a_job(), other_image({"running": {}}, "x@sha256:bb")), Phase.STARTING, None),
    (
        "pod security",
        seen(a_job(), events=[{"reason": "FailedCreate", "message": "violates PodSecurity"}]),
        Phase.ENDED, Reason.CONFIG_ERROR,
    ),
    (
        "unschedulable",
        seen(a_job(), a_pod(node="", status={"phase": "Pending", "conditions": [
            true("PodScheduled", "Unschedulable", status="False")]})),
        Phase.PENDING, Reason.UNSCHEDULABLE,
    ),
    (
        "image",
        seen(a_job(), a_pod({"waiting": {"reason": "ImagePullBackOff"}})),
        Phase.STARTING, Reason.IMAGE_PULL,
    ),
    (
        "container",
        seen(a_job(), a_pod({"waiting": {"reason": "CreateContainerConfigError"}})),
        Phase.STARTING, Reason.CREATE_CONTAINER,
    ),
    (
        "volume",
        seen(
            a_job(), a_pod({"waiting": {"reason": "ContainerCreating"}}, status={"phase": "Pending"}),
            events=[{"reason": "FailedMount", "message": "no secret"}],
        ),
        Phase.STARTING, Reason.VOLUME,
    ),
    ("runs", seen(a_job(), a_pod({"running": {}})), Phase.STARTING, None),
    ("killed", seen(a_job(), a_pod(ended(137))), Phase.ENDED, None),
    ("memory", seen(a_job(), a_pod(ended(137, "OOMKilled"))), Phase.ENDED, Reason.OOM_DRIVER),
    ("cannot run", seen(a_job(), a_pod(ended(128, "StartError"))), Phase.ENDED, Reason.CREATE_CONTAINER),
    (
        "evicted for its disk",
        seen(a_job(), a_pod(ended(137), status={"reason": "Evicted", "message": "disk"})),
        Phase.ENDED, Reason.EVICTED,
    ),
    (
        "preempted",
        seen(a_job(), a_pod(ended(143), status={"conditions": [
            true("DisruptionTarget", "PreemptionByScheduler")]}, **DELETED)),
        Phase.ENDED, Reason.PREEMPTED,
    ),
    ("deleted", seen(a_job(), a_pod(ended(143), **DELETED)), Phase.ENDED, Reason.DELETED_EXTERNALLY),
    (
        "deleted by us",
        seen(a_job(annotations={names.CANCELLED: "ask"}), a_pod(ended(143), **DELETED)),
        Phase.ENDED, None,
    ),
    (
        "deadline",
        seen(a_job(conditions=[true("Failed", "DeadlineExceeded")])),
        Phase.ENDED, Reason.TIMEOUT,
    ),
    (
        "pod gone unseen",
        seen(a_job(conditions=[true("Failed", "BackoffLimitExceeded")])),
        Phase.ENDED, Reason.DELETED_EXTERNALLY,
    ),
    (
        "preempted and gone",
        seen(
            a_job(conditions=[true("Failed", "PodFailurePolicy")]),
            gone_pods=[a_pod({"running": {}}, status={"conditions": [
                true("DisruptionTarget", "PreemptionByScheduler")]})],
        ),
        Phase.ENDED, Reason.PREEMPTED,
    ),
    (
        "node silent for minutes",
        seen(a_job(), a_pod({"running": {}}, deletionTimestamp="2026-11-28T11:50:00Z")),
        Phase.ENDED, Reason.NODE_LOST,
    ),
    (
        "node silent for seconds",
        seen(a_job(), a_pod({"running": {}}, deletionTimestamp="2026-11-28T11:59:50Z")),
        Phase.STARTING, None,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "given", "phase", "reason"), TABLE, ids=[row[0] for row in TABLE]
)
def test_evidence_gives_phase_and_reason(
    what: str, given: observe.Seen, phase: Phase, reason: Reason | None
) -> None:
    found = observe.observation(RECEIPT, given, NOW)
    assert (found.phase, found.failure) == (phase, reason), what
    assert found.because


@pytest.mark.parametrize(
    ("said", "pod", "state", "reason"),
    [
        (word("succeeded", None, 0), {}, "succeeded", None),
        (word("failed", "user_error", 1), {}, "failed", "user_error"),
        (word("cancelled", "cancelled", 143), {}, "cancelled", "cancelled"),
        (word("cancelled", "cancelled", 143), DELETED, "failed", "deleted_externally"),
        (word("succeeded", None, 0), DELETED, "succeeded", None),
    ],
)
def test_a_last_word_is_believed_but_for_what_it_cannot_know(
    said: str, pod: Json, state: str, reason: str | None
) -> None:
    found = observe.observation(RECEIPT, seen(a_job(), a_pod(ended(0, "x", said), **pod)), NOW)
    assert found.last_word is not None
    assert (found.last_word["state"], found.last_word["reason"]) == (state, reason)


def test_a_killed_engine_is_out_of_memory_though_the_runner_says_lost() -> None:
    said = word("failed", "engine_lost", 71)
    found = observe.observation(RECEIPT, seen(a_job(), a_pod(ended(71, "OOMKilled", said))), NOW)
    assert found.last_word is not None
    assert found.last_word["reason"] == "oom_driver"
    assert "memory limit 64Mi" in found.evidence


def test_another_attempts_word_is_not_believed() -> None:
    said = word("succeeded", None, 0).replace(RECEIPT.run, "rx1111111111")
    found = observe.observation(RECEIPT, seen(a_job(), a_pod(ended(0, "Completed", said))), NOW)
    assert (found.phase, found.last_word) == (Phase.ENDED, None)


def a_launch(size: int = 10, name: str = "payload.whl", **more: Any) -> Launch:
    data = bytes(n % 251 for n in range(size))
    file = InputFile(name, sha256(data).hexdigest(), size, lambda: io.BytesIO(data))
    frozen = json.dumps({"profile": {"mode": "standalone"}, "timeout_s": 100, **more}).encode()
    return Launch(
        "w", RECEIPT.run, 1, "ana", "manual", None, frozen, sha256(frozen).hexdigest(), 60, (file,)
    )


@pytest.mark.parametrize("size", [0, 1, manifest.PIECE_BYTES, manifest.PIECE_BYTES + 1, 3_000_000])
def test_inputs_are_packed_whole_into_small_maps(size: int) -> None:
    launch = a_launch(size)
    groups = manifest.packed(launch, {"image": "x:1"}, "w", "ns")
    maps = manifest.config_maps(launch, "w", "u1", groups)
    assert all(sum(map(len, one["binaryData"].values())) <= manifest.MAP_BYTES for one in maps)
    paths = {piece.path: piece.data for group in groups for piece in group}
    document = json.loads(paths["launch.json"])
    parts = document["parts"].get("files/payload.whl", ["files/payload.whl"])
    with launch.files[0].open() as content:
        assert b"".join(paths[part] for part in parts) == content.read()
    keys = [key for one in maps for key in one["binaryData"]]
    assert len(keys) == len(set(keys))
    assert base64.b64decode(maps[0]["binaryData"][groups[0][0].key]) == groups[0][0].data


@pytest.mark.row("X2")
@pytest.mark.parametrize("name", ["launch.json", "frozen.json", "runner.py", "..job.py", "é\n.py"])
def test_an_input_of_any_name_lies_beside_nothing_of_ours(name: str) -> None:
    launch = a_launch(10, name=name)
    groups = manifest.packed(launch, {"image": "x:1"}, "w", "ns")
    paths = [piece.path for group in groups for piece in group]
    assert paths == ["runner/runner.py", "frozen.json", f"files/{name}", "launch.json"]
    [container] = pods.driver(launch, {"image": "x:1"}, {}, {}, {})["spec"]["containers"]
    command = ["python3", "-P", f"{names.INPUTS}/runner/runner.py", names.INPUTS, names.OUTPUTS]
    assert container["command"] == command


@pytest.mark.row("X2")
@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../b", "a\0b"])
def test_a_path_is_no_name_of_an_input_and_a_check_says_so(name: str) -> None:
    launch = a_launch(10, name=name)
    with pytest.raises(FencedError, match="cannot be the name of an input"):
        manifest.packed(launch, {"image": "x:1"}, "w", "ns")
    rights: Any = SimpleNamespace(own_rights=lambda _: Check("rights", "ok", ""))
    client: Any = None  # nothing is asked any more
    found = launching.checks(client, launch, {"image": "x:1"}, "w", "ns", rights)
    assert [(one.name, one.level) for one in found] == [("rights", "ok"), ("inputs", "failed")]
    assert "cannot be the name of an input" in found[-1].message


@pytest.mark.row("A6")
def test_workers_get_the_runner_and_every_part_of_a_wheel_and_nothing_else() -> None:
    size = 2 * manifest.PIECE_BYTES + 1
    source = {"kind": "wheel", "file": "payload.whl", "sha256": "abc"}
    launch = a_cluster_launch(size=size, source=source)
    groups = manifest.packed(launch, {"image": "x:1"}, "w", "ns")
    [document] = [piece.data for group in groups for piece in group if piece.key == "launch"]
    options = json.loads(document)["engine_options"]
    spec = json.loads(options["kubernetes.worker_pod_template"])["spec"]
    [volume] = [one for one in spec["volumes"] if one["name"] == "inputs"]
    items = [
        (source["configMap"]["name"], item["key"], item["path"])
        for source in volume["projected"]["sources"]
        for item in source["configMap"]["items"]
    ]
    there = {
        (f"{names.k8s_job(launch.run, 1)}-{number}", piece.key, piece.path): piece
        for number, group in enumerate(groups, 1)
        for piece in group
    }
    assert [there[item].of for item in items] == ["runner/runner.py", *["files/payload.whl"] * 3]
    [worker] = spec["containers"]
    parts = [f"{names.INPUTS}/{path}" for _, _, path in items[1:]]
    assert worker["command"] == ["python3", "-P", f"{names.INPUTS}/runner/runner.py"]
    assert worker["args"] == ["worker", names.WORKERS_WHEEL, "payload.whl", "abc", *parts]
    mounts = {one["name"]: one["mountPath"] for one in worker["volumeMounts"]}
    assert mounts.keys() == {"outputs", "inputs"}
    assert mounts["inputs"] == names.INPUTS


def test_what_is_too_large_for_the_cluster_is_refused_with_both_sizes() -> None:
    with pytest.raises(PrerequisiteError, match=r"MiB.*at most 8 ?MiB"):
        manifest.packed(a_launch(7_000_000), {"image": "x:1"}, "w", "ns")


def test_the_net_covers_queue_start_and_timeout() -> None:
    assert manifest.deadline_s(replace(a_launch(), start_s=600)) == 60 + 600 + 100 + 120


def test_a_template_is_laid_over_but_for_what_keeps_promises() -> None:
    patch = {
        "metadata": {"labels": {names.RUN: "other", "team": "x"}},
        "spec": {
            "restartPolicy": "Always", "priorityClassName": "high",
            "containers": [
                {"name": "runner", "command": ["sh"], "env": [{"name": "A", "value": "1"}]},
                {"name": "sidecar", "image": "y"},
            ],
        },
    }  # fmt: skip
    launch = a_launch()
    template = pods.driver(
        launch, {"image": "x:1", "pod_template": patch}, {names.RUN: "me"}, {}, {}
    )
    spec = template["spec"]
    assert template["metadata"]["labels"] == {names.RUN: "me", "team": "x"}
    assert (spec["restartPolicy"], spec["priorityClassName"]) == ("Never", "high")
    runner, sidecar = spec["containers"]
    assert runner["command"][0] == "python3"
    assert {"name": "A", "value": "1"} in runner["env"]
    assert len(runner["env"]) > 1
    assert sidecar["name"] == "sidecar"


def a_cluster_launch(size: int = 10, source: Json | None = None, **worker: Any) -> Launch:
    node = {
        "instance_type": "m5.large",
        "disk_gib": 5,
        "max_nodes": 3,
        "capacity_type": "spot",
        **worker,
    }
    profile = {
        "mode": "cluster",
        "driver": {"disk_gib": 7, "cpu": 1.5, "memory": "3Gi"},
        "worker": node,
    }
    env = {"PLAIN": "1", "TOKEN": "secret://db/token"}
    return a_launch(size, profile=profile, env=env, source=source)


@pytest.mark.row("X3")
def test_driver_and_workers_are_as_weak_as_they_can_be() -> None:
    launch = replace(a_cluster_launch(), namespace="team", service_account="jobs")
    cluster = {"image": "x:1", "tolerations": [{"operator": "Exists"}]}
    driver = pods.driver(launch, cluster, {}, {}, {})["spec"]
    worker = pods.worker(launch, cluster, "w")["spec"]
    options = pods.worker_options(launch, cluster, "w", "team")
    assert (
        driver["serviceAccountName"] == options["kubernetes.worker_service_account_name"] == "jobs"
    )
    assert options["kubernetes.namespace"] == "team"
    assert worker["automountServiceAccountToken"] is False
    for spec in (driver, worker):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        [container] = spec["containers"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    limits = driver["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "2", "memory": "3Gi", "ephemeral-storage": "7Gi"}


@pytest.mark.row("A12", "X1")
def test_a_secret_is_a_reference_in_driver_and_workers() -> None:
    launch = a_cluster_launch()
    reference = {"secretKeyRef": {"name": "db", "key": "token"}}
    driver = pods.driver(launch, {"image": "x:1"}, {}, {}, {})["spec"]["containers"][0]["env"]
    assert {"name": "QUARTERDECK_SECRET_TOKEN", "valueFrom": reference} in driver
    assert not any(one["name"] == "PLAIN" for one in driver)  # the runner sets it for the payload
    worker = pods.worker(launch, {"image": "x:1"}, "w")["spec"]["containers"][0]["env"]
    assert {"name": "TOKEN", "valueFrom": reference} in worker
    assert {"name": "PLAIN", "value": "1"} in worker
    told = manifest.launch_document(launch, {"image": "x:1"}, "w", "ns")
    assert told["secrets"] == {"TOKEN": "secret://db/token"}


@pytest.mark.row("C8")
def test_nothing_lands_on_control_plane_nodes_whatever_is_laid_over() -> None:
    terms = [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    patch = {"spec": {"nodeName": "cp-1", "affinity": {"nodeAffinity": required}}}
    for template in ({}, patch):
        cluster = {
            "image": "x:1",
            "pod_template": template,
            "tolerations": [{"operator": "Exists"}],
        }
        launch = a_cluster_launch()
        for spec in (
            pods.driver(launch, cluster, {}, {}, {})["spec"],
            pods.worker(launch, cluster, "w")["spec"],
            pods.check(cluster, ["true"])["spec"],
        ):
            assert "nodeName" not in spec
            node = spec["affinity"]["nodeAffinity"]
            for term in node["requiredDuringSchedulingIgnoredDuringExecution"][
                "nodeSelectorTerms"
            ]:
                assert {
                    "key": "node-role.kubernetes.io/control-plane", "operator": "DoesNotExist",
                } in term["matchExpressions"]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "known", "pulled"),
    [
        ("reg.example:5000/a/run:1", "reg.example:5000/a/run@sha256:cc", "reg.example:5000/a/run@sha256:cc"),
        ("run", "docker.io/library/run@sha256:cc", "run@sha256:cc"),
        ("localhost/run:1", "sha256:cc", "localhost/run:1"),
        ("run@sha256:aa", "run@sha256:aa", "run@sha256:aa"),
        ("run:1", "", "run:1"),
    ],
)  # fmt: skip
def test_an_image_is_pulled_by_the_digest_that_was_frozen(
    written: str, known: str, pulled: str
) -> None:
    frozen = {"place": {"image": written, "image_id": known}}
    assert pods.image(frozen, {"image": "later:2"}) == pulled


def a_node(*, cpu: str = "4", labels: Json | None = None, **spec: Any) -> Json:
    status = {"allocatable": {"cpu": cpu, "memory": "8Gi", "ephemeral-storage": "50Gi"}}
    return {"metadata": {"name": "n", "labels": labels or {}}, "spec": spec, "status": status}


TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
CONTROL = {"node-role.kubernetes.io/control-plane": ""}


@pytest.mark.row("C8", "C9")
@pytest.mark.parametrize(
    ("cluster", "driver", "known", "words"),
    [
        ({}, {}, [a_node()], ""),
        ({}, {}, [], "no known node that may be used"),
        ({}, {}, [a_node(labels=CONTROL)], "no known node that may be used"),
        ({"node_selector": {"pool": "compute"}}, {}, [a_node()], "no known node has the label pool=compute"),
        ({"node_selector": {"pool": "compute"}}, {}, [a_node(labels={"pool": "compute"})], ""),
        ({}, {"instance_type": "m5.large"}, [a_node()], "instance-type m5.large"),
        ({}, {"cpu": 90}, [a_node()], "asks for cpu 90000m, and no known node that matches has more than 4"),
        ({}, {"cpu": 3.5}, [a_node(cpu="3900m")], ""),
        ({}, {"memory": "9Gi"}, [a_node()], "asks for memory 9Gi"),
        ({}, {"memory": 9 * 2**30}, [a_node()], "no known node that matches has more than 8.0Gi"),
        ({}, {"disk_gib": 60}, [a_node()], "asks for ephemeral-storage 60Gi"),
        ({}, {"cpu": 3, "memory": "6Gi"}, [a_node(cpu="2"), a_node(labels=CONTROL)], "asks for cpu"),
        ({}, {}, [a_node(taints=[TAINT])], "no known node that may be used"),
        ({"tolerations": [{"key": "gpu", "operator": "Exists"}]}, {}, [a_node(taints=[TAINT])], ""),
        ({"tolerations": [{"key": "gpu", "value": "no"}]}, {}, [a_node(taints=[TAINT])], "may be used"),
        ({}, {}, [a_node(unschedulable=True)], "may be used"),
    ],
)  # fmt: skip
def test_what_no_known_node_could_hold_is_said(
    cluster: Json, driver: Json, known: list[Json], words: str
) -> None:
    launch = a_launch(profile={"mode": "standalone", "driver": driver})
    spec = pods.driver(launch, {"image": "x:1", **cluster}, {}, {}, {})["spec"]
    check = placing.check(known, {"driver": spec})
    assert check.level == ("warning" if words else "ok")
    assert words in check.message


def test_nodes_are_chosen_in_both_vocabularies() -> None:
    terms = pods.node_terms("m5.large", "spot")
    assert [term["matchExpressions"][1]["values"] for term in terms] == [["spot"], ["SPOT"]]
    assert all(term["matchExpressions"][0]["values"] == ["m5.large"] for term in terms)
    assert pods.node_terms(None, None) == []


@pytest.mark.parametrize("text", ["ok", "a" * 63, "a" * 64, "ä", "-x", "x-", "", "a b"])
def test_any_text_becomes_a_label_that_kubernetes_takes(text: str) -> None:
    found = names.label(text)
    assert 0 < len(found) <= 63
    assert found.isascii()
    assert found[0].isalnum()
    assert found[-1].isalnum()


def test_image_and_test_image_install_the_same_requirements() -> None:
    lines = (ROOT / "image/requirements.txt").read_text().splitlines()
    wanted = {line for line in lines if line and not line.startswith("#")}
    pinned = set((ROOT / "constraints.txt").read_text().split())
    assert {line for line in wanted if not line.startswith("pip==")} <= pinned
    dockerfile = (ROOT / "image/Dockerfile").read_text()
    assert "--target /opt/python --requirement /tmp/requirements.txt" in dockerfile
    assert f"PYTHONPATH={names.PACKAGES}" in dockerfile
    assert "image/requirements.txt" in (ROOT / ".ci/run").read_text()


def test_events_are_asked_for_only_where_something_stands_still() -> None:
    early = NOW - timedelta(seconds=58)
    assert observe.wants_events(RECEIPT, seen(a_job()), NOW) == "u1"
    assert observe.wants_events(RECEIPT, seen(a_job()), early) is None
    assert observe.wants_events(RECEIPT, seen(a_job(), a_pod({"running": {}})), NOW) is None


def a_ready_node(ready: str, changed_s: int, made_s: int = -86_400) -> Json:
    def at(seconds: int) -> str:
        return f"{NOW + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"

    condition = {"type": "Ready", "status": ready, "lastTransitionTime": at(changed_s)}
    return {
        "metadata": {"name": "n1", "creationTimestamp": at(made_s)},
        "status": {"conditions": [condition]},
    }


@pytest.mark.row("F-22")
@pytest.mark.parametrize(
    ("node", "words"),
    [
        (None, "is gone from the cluster"),
        (a_ready_node("Unknown", -300), "does not answer since 2026-11-28 11:55:00 UTC"),
        (a_ready_node("False", -1), "does not answer"),
        (a_ready_node("True", -3_600), ""),  # ready since before the attempt began
        (a_ready_node("True", -30), "is back since 11:59:30 UTC"),
        (a_ready_node("True", -61), ""),
        (a_ready_node("True", -86_000, -30), "is back"),  # registered anew
        (a_ready_node("True", -86_000, -61), ""),
    ],
)
def test_a_node_says_whether_what_it_ran_may_run_on(node: Json | None, words: str) -> None:
    found = nodes.judge("n1", node, NOW - timedelta(minutes=10), NOW)
    assert words in found
    assert bool(found) is bool(words)


@pytest.mark.row("F-31")
def test_a_chosen_driver_that_nobody_saw_go_is_told_by_its_own_name() -> None:
    chosen = replace(RECEIPT, chosen=Chosen("p-1", "uid-of-p-1", NOW))
    gone = seen(a_job(conditions=[true("Failed", "BackoffLimitExceeded")]))
    found = observe.observation(chosen, gone, NOW)
    assert (found.failure, found.object) == (Reason.DELETED_EXTERNALLY, "pod p-1")
    assert found.unexplained == names.DRIVER
