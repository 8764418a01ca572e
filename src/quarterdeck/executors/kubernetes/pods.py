"""The pod of a driver and the template of an engine's workers: what the *restricted* Pod Security level takes.

Pure. A cluster's `pod_template` is laid over both; what keeps our promises is laid over it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from quarterdeck.executors import environment
from quarterdeck.executors.kubernetes import names
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
_BEGUN: Final = f"grep -Eq 'running|ending' {names.OUTPUTS}/{wire.PHASE_FILE}"


def driver(
    launch: Launch,
    cluster: Mapping[str, Any],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    inputs: Json,
) -> Json:
    """Return the template of the driver's pod: the runner as process 1, which starts the engine."""
    profile = environment.parse_frozen(launch.frozen)["profile"]
    node = profile.get("driver") or {}
    is_cluster = profile["mode"] == "cluster"
    container = {
        "name": names.CONTAINER,
        "image": cluster["image"],
        "command": ["python3", f"{names.INPUTS}/runner.py", names.INPUTS, names.OUTPUTS],
        "env": [
            {"name": wire.MARKER_ENV, "value": attempt_id(launch.run, launch.attempt)},
            _from_field(POD_IP, "status.podIP"),
            _from_field(POD_NAME, "metadata.name"),
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
            "automountServiceAccountToken": is_cluster,
            "containers": [
                {key: container[key] for key in ("name", "command", "terminationMessagePath")}
            ],
        },
    }
    return dict(laid_over(laid_over(template, cluster.get("pod_template") or {}), kept))


def check(cluster: Mapping[str, Any], command: list[str]) -> Json:
    """Return the template of a pod as runs get it, that runs this command instead."""
    container = {
        "name": names.CONTAINER,
        "image": cluster["image"],
        "command": command,
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
            "containers": [{"name": names.CONTAINER, "command": command}],
        }
    }
    patch = json.loads(json.dumps(cluster.get("pod_template") or {}))
    return dict(laid_over(laid_over({"spec": spec}, patch), kept))


def worker_options(
    launch: Launch, cluster: Mapping[str, Any], workspace: str, namespace: str
) -> Json:
    """Return the engine's options of mode cluster but for what only the driver's pod knows."""
    frozen = environment.parse_frozen(launch.frozen)
    node = frozen["profile"]["worker"]
    count = min(
        node["max_nodes"], (frozen.get("limits") or {}).get("max_workers") or node["max_nodes"]
    )
    account = launch.service_account or cluster.get("service_account") or "default"
    return {
        "cluster.driver_listen_host": "0.0.0.0",  # noqa: S104  # workers dial it, in its pod alone
        "cluster.worker_launch_timeout_secs": 300,
        "execution.default_parallelism": max(1, int(node.get("cpu") or 1)) * count,
        "kubernetes.image": cluster["image"],
        "kubernetes.namespace": namespace,
        "kubernetes.worker_pod_name_prefix": names.worker_prefix(launch.run, launch.attempt),
        "kubernetes.worker_service_account_name": account,
        "kubernetes.worker_pod_template": json.dumps(worker(launch, cluster, workspace)),
    }


def worker(launch: Launch, cluster: Mapping[str, Any], workspace: str) -> Json:
    """Return the template that the engine merges into each worker's pod; it drops annotations."""
    frozen = environment.parse_frozen(launch.frozen)
    node = frozen["profile"]["worker"]
    labels = names.labels(workspace, launch, names.WORKER)
    env = {"PYTHONPATH": names.PACKAGES, wire.MARKER_ENV: attempt_id(launch.run, launch.attempt)}
    env |= {name: value for name, value in (frozen.get("env") or {}).items() if name not in env}
    container = {
        "name": names.WORKER_CONTAINER,
        "env": [{"name": name, "value": value} for name, value in env.items()],
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
    kept = {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Never"}}
    patch = worker_patch(cluster.get("pod_template") or {})
    template = {"metadata": {"labels": labels}, "spec": spec}
    return dict(laid_over(laid_over(template, patch), kept))


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
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        spec["affinity"] = {"nodeAffinity": required}
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


def _resources(node: Mapping[str, Any]) -> Json:
    """Return requests and limits: memory the same in both, so that nobody else's use ends a run."""
    requests: Json = {}
    limits: Json = {}
    if node.get("cpu"):
        requests["cpu"] = f"{round(node['cpu'] * 1000)}m"
    if node.get("memory"):
        requests["memory"] = limits["memory"] = str(node["memory"])
    if node.get("disk_gib"):
        requests["ephemeral-storage"] = f"{node['disk_gib']}Gi"
    return {"requests": requests, "limits": limits}


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
