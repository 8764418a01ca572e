"""The pod of a driver and the template of an engine's workers: what the *restricted* Pod Security level takes.

Pure. A cluster's `pod_template` is laid over both; what keeps our promises is laid over it again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from quarterdeck.executors import environment
from quarterdeck.executors.folder import RUNNER
from quarterdeck.executors.kubernetes import names, references
from quarterdeck.model import wire
from quarterdeck.model.receipt import attempt_id
from quarterdeck.ports.executor import Launch

Json = dict[str, Any]

USER: Final = 65532
GRACE_S: Final = 60
WORKER_GRACE_S: Final = 5  # workers take no SIGTERM: they use up all of it
POD_IP: Final = "QUARTERDECK_POD_IP"
POD_NAME: Final = "QUARTERDECK_POD_NAME"
OPTIONS_FROM_ENV: Final = {
    "cluster.driver_external_host": POD_IP,
    "kubernetes.driver_pod_name": POD_NAME,
}
_KEEP: Final = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}
_CAPACITY: Final = {
    "karpenter.sh/capacity-type": {"on_demand": "on-demand", "spot": "spot"},
    "eks.amazonaws.com/capacityType": {"on_demand": "ON_DEMAND", "spot": "SPOT"},
}
_INSTANCE: Final = "node.kubernetes.io/instance-type"
_MANAGEMENT: Final = tuple(
    {"key": f"node-role.kubernetes.io/{role}", "operator": "DoesNotExist"}
    for role in ("control-plane", "master")
)
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
# What a profile leaves open is bounded all the same: nothing of a run takes a whole node.
CPU_REQUEST: Final = 0.25
CPU_LIMIT: Final = 2
MEMORY: Final = "2Gi"
DISK_GIB: Final = 1
# A node may be added for a worker: neither it nor the first task gives up before that.
NODE_S: Final = 300
_WAITS: Final = ("cluster.worker_launch_timeout_secs", "cluster.task_launch_timeout_secs")
# A check's pod, which asks for what it may use: no namespace's ratio of the two refuses it before any run is.
CHECK: Final = {"cpu": "250m", "memory": "256Mi", "ephemeral-storage": f"{DISK_GIB}Gi"}
_BEGUN: Final = f"grep -Eq 'running|ending' {names.OUTPUTS}/{wire.PHASE_FILE}"


@dataclass(frozen=True, slots=True)
class Wheel:
    """The job's wheel as workers get it: file name, SHA-256, its parts by path in order.

    `volume` has them and the runner, which installs it.
    """

    name: str
    sha256: str
    parts: tuple[str, ...]
    volume: Json


def driver(
    launch: Launch,
    cluster: Mapping[str, Any],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    inputs: Json,
) -> Json:
    """Return the template of the driver's pod: the runner as process 1, which starts the engine."""
    frozen = environment.parse_frozen(launch.frozen)
    node = frozen["profile"].get("driver") or {}
    is_cluster = frozen["profile"]["mode"] == "cluster"
    container = {
        "name": names.CONTAINER,
        "image": image(frozen, cluster),
        "command": ["python3", "-P", f"{names.INPUTS}/{RUNNER}", names.INPUTS, names.OUTPUTS],
        "env": [
            {"name": wire.MARKER_ENV, "value": attempt_id(launch.run, launch.attempt)},
            _from_field(POD_IP, "status.podIP"),
            _from_field(POD_NAME, "metadata.name"),
            *references.for_runner(frozen.get("env")),
        ],
        "resources": _resources(node),
        "securityContext": _container_security(),
        "terminationMessagePath": names.LAST_WORD,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        # Tells the watch that the payload has begun; it never kills.
        "startupProbe": {
            "exec": {"command": ["sh", "-c", _BEGUN]},
            "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 2**31 - 1,
        },
        "volumeMounts": [
            {"name": "inputs", "mountPath": names.INPUTS, "readOnly": True},
            {"name": "outputs", "mountPath": names.OUTPUTS},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # an empty one of this pod
        ],
    }  # fmt: skip
    spec = {
        **_pod(cluster, node, None),
        "serviceAccountName": launch.service_account
        or cluster.get("service_account")
        or "default",
        "automountServiceAccountToken": is_cluster,
        "terminationGracePeriodSeconds": GRACE_S,
        "containers": [container],
        "volumes": [
            {"name": "inputs", "projected": inputs},
            _scratch(cluster, node),
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    template = {
        "metadata": {"labels": dict(labels), "annotations": {**annotations, **_KEEP}},
        "spec": spec,
    }
    kept = {
        "metadata": {"labels": dict(labels)},
        "spec": {
            "restartPolicy": "Never",
            "nodeName": None,
            "schedulingGates": [{"name": names.GATE}],  # only the pod that was chosen begins
            "automountServiceAccountToken": is_cluster,
            "containers": [
                {key: container[key] for key in ("name", "command", "terminationMessagePath")}
            ],
        },
    }
    return _off_management(laid_over(laid_over(template, cluster.get("pod_template") or {}), kept))


def check(
    cluster: Mapping[str, Any], command: list[str], sizes: Mapping[str, str] = CHECK
) -> Json:
    """Return the template of a pod as runs get it, that runs this command instead; `sizes` are its resources."""
    container = {
        "name": names.CONTAINER,
        "image": cluster["image"],
        "command": command,
        "resources": {"requests": dict(sizes), "limits": dict(sizes)},
        "securityContext": _container_security(),
        "terminationMessagePath": names.LAST_WORD,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    spec = {
        **_pod(cluster, {}, None),
        "serviceAccountName": cluster.get("service_account") or "default",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
    }
    kept = {
        "spec": {
            "restartPolicy": "Never",
            "nodeName": None,
            "containers": [{"name": names.CONTAINER, "command": command}],
        }
    }
    patch = json.loads(json.dumps(cluster.get("pod_template") or {}))
    return _off_management(laid_over(laid_over({"spec": spec}, patch), kept))


def worker_options(
    launch: Launch,
    cluster: Mapping[str, Any],
    workspace: str,
    namespace: str,
    wheel: Wheel | None = None,
) -> Json:
    """Return the engine's options of mode cluster but for what only the driver's pod knows."""
    frozen = environment.parse_frozen(launch.frozen)
    account = launch.service_account or cluster.get("service_account") or "default"
    asked = {one["option"] for one in frozen.get("settings") or ()}
    return {
        "cluster.driver_listen_host": "0.0.0.0",  # noqa: S104  # workers dial it, in its pod alone
        **{option: NODE_S for option in _WAITS if option not in asked},
        "kubernetes.image": image(frozen, cluster),
        "kubernetes.namespace": namespace,
        "kubernetes.worker_pod_name_prefix": names.worker_prefix(launch.run, launch.attempt),
        "kubernetes.worker_service_account_name": account,
        "kubernetes.worker_pod_template": json.dumps(worker(launch, cluster, workspace, wheel)),
    }


def worker(
    launch: Launch, cluster: Mapping[str, Any], workspace: str, wheel: Wheel | None = None
) -> Json:
    """Return the template that the engine merges into each worker's pod; it drops annotations."""
    frozen = environment.parse_frozen(launch.frozen)
    node = frozen["profile"]["worker"]
    labels = names.labels(workspace, launch, names.WORKER)
    env = {"PYTHONPATH": names.PACKAGES, wire.MARKER_ENV: attempt_id(launch.run, launch.attempt)}
    env |= {name: value for name, value in (frozen.get("env") or {}).items() if name not in env}
    container = {
        "name": names.WORKER_CONTAINER,
        "env": references.for_worker(env),
        "resources": _resources(node),
        "securityContext": _container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "outputs", "mountPath": "/tmp"}],  # noqa: S108
    }
    spec = {
        **_pod(cluster, node, node.get("capacity_type")),
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": WORKER_GRACE_S,
        "activeDeadlineSeconds": int(frozen.get("timeout_s") or 3600) + 1800,
        "containers": [container],
        "volumes": [_scratch(cluster, node)],
    }
    kept = {
        "metadata": {"labels": labels},
        "spec": {"restartPolicy": "Never", "nodeName": None, **_with_wheel(wheel)},
    }
    patch = worker_patch(cluster.get("pod_template") or {})
    template = {"metadata": {"labels": labels}, "spec": spec}
    return _off_management(laid_over(laid_over(template, patch), kept))


def _with_wheel(wheel: Wheel | None) -> Json:
    """Return what makes a worker find a wheel's modules: the runner installs it and becomes the worker."""
    if wheel is None:
        return {}
    parts = [f"{names.INPUTS}/{part}" for part in wheel.parts]
    container = {
        "name": names.WORKER_CONTAINER,
        "command": ["python3", "-P", f"{names.INPUTS}/{RUNNER}"],
        "args": [wire.BECOME_WORKER, names.WORKERS_WHEEL, wheel.name, wheel.sha256, *parts],
        "volumeMounts": [{"name": "inputs", "mountPath": names.INPUTS, "readOnly": True}],
    }
    return {
        "containers": [container],
        "volumes": [{"name": "inputs", "projected": wheel.volume}],
    }


def image(frozen: Mapping[str, Any], cluster: Mapping[str, Any]) -> str:
    """Return the image as it is pulled: by the digest that was frozen, where the cluster's check saw one."""
    place = frozen.get("place") or {}
    written = str(place.get("image") or cluster["image"])
    digest = str(place.get("image_id") or "").partition("@")[2]
    if not digest or "@" in written:
        return written
    path, slash, last = written.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}@{digest}"


def worker_patch(patch: Mapping[str, Any]) -> Json:
    """Return a cluster's template for workers, whose container the engine calls by another name."""
    found: Json = json.loads(json.dumps(patch))
    for container in (found.get("spec") or {}).get("containers") or ():
        if container.get("name") == names.CONTAINER:
            container["name"] = names.WORKER_CONTAINER
    return found


def laid_over(under: Any, over: Any) -> Any:
    """Return `over` merged into `under`: mappings by key, lists of named things by name, null removes."""
    if isinstance(under, Mapping) and isinstance(over, Mapping):
        found = dict(under)
        for key, value in over.items():
            if value is None:
                found.pop(key, None)
            else:
                found[key] = laid_over(found[key], value) if key in found else value
        return found
    if _are_named(under) and _are_named(over):
        names_over = {one["name"]: one for one in over}
        merged = [laid_over(one, names_over.pop(one["name"], {})) for one in under]
        return [*merged, *names_over.values()]
    return over


def _are_named(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(
        isinstance(one, Mapping) and "name" in one for one in value
    )  # fmt: skip


def _pod(cluster: Mapping[str, Any], node: Mapping[str, Any], capacity: str | None) -> Json:
    """Return what drivers and workers have in common."""
    spec: Json = {
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "nodeSelector": dict(cluster.get("node_selector") or {}),
        "tolerations": list(cluster.get("tolerations") or ()),
        "imagePullSecrets": [{"name": name} for name in cluster.get("image_pull_secrets") or ()],
    }  # fmt: skip
    terms = node_terms(node.get("instance_type"), capacity)
    if terms:
        spec["affinity"] = {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": terms}}}
    return {key: value for key, value in spec.items() if value not in ({}, [])}


def node_terms(instance: str | None, capacity: str | None) -> list[Json]:
    """Return the node selector's terms, one for each vocabulary that names the capacity type."""
    wanted = [_in(_INSTANCE, instance)] if instance else []
    if capacity is None:
        return [{"matchExpressions": wanted}] if wanted else []
    return [
        {"matchExpressions": [*wanted, _in(label, words[capacity])]}
        for label, words in _CAPACITY.items()
    ]


def _in(label: str, value: str) -> Json:
    return {"key": label, "operator": "In", "values": [value]}


def _off_management(template: Any) -> Json:
    """Return it with every node term refusing control-plane nodes, whatever was laid over and is tolerated."""
    spec = template["spec"]
    affinity = spec.get("affinity") or {}
    node = affinity.get("nodeAffinity") or {}
    terms = (node.get(_REQUIRED) or {}).get("nodeSelectorTerms") or [{}]
    kept = [
        {**term, "matchExpressions": [*(term.get("matchExpressions") or ()), *_MANAGEMENT]}
        for term in terms
    ]
    node = {**node, _REQUIRED: {"nodeSelectorTerms": kept}}
    return {**template, "spec": {**spec, "affinity": {**affinity, "nodeAffinity": node}}}


def _resources(node: Mapping[str, Any]) -> Json:
    """Return requests and limits: memory and disk the same in both, so that nobody else's use ends a run."""
    cpu = node.get("cpu")
    same = {
        "memory": str(node.get("memory") or MEMORY),
        "ephemeral-storage": f"{node.get('disk_gib') or DISK_GIB}Gi",
    }
    return {
        "requests": {"cpu": f"{round((cpu or CPU_REQUEST) * 1000)}m", **same},
        "limits": {"cpu": str(math.ceil(cpu or CPU_LIMIT)), **same},
    }


def _scratch(cluster: Mapping[str, Any], node: Mapping[str, Any]) -> Json:
    storage = cluster.get("storage_class")
    if not storage:
        return {"name": "outputs", "emptyDir": {}}
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage,
        "resources": {"requests": {"storage": f"{node.get('disk_gib') or 1}Gi"}},
    }
    return {"name": "outputs", "ephemeral": {"volumeClaimTemplate": {"spec": claim}}}


def _container_security() -> Json:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _from_field(name: str, path: str) -> Json:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
