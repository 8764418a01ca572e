"""Names, labels and paths of an attempt's objects: one place, so that one selector finds all that a run left."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from quarterdeck.model.ids import RunId
from quarterdeck.ports.executor import Launch

OWNER: Final = "app.kubernetes.io/managed-by"
PRODUCT: Final = "quarterdeck"
PREFIX: Final = "quarterdeck.dev/"
WORKSPACE: Final = f"{PREFIX}workspace"
RUN: Final = f"{PREFIX}run"
ATTEMPT: Final = f"{PREFIX}attempt"
ROLE: Final = f"{PREFIX}role"  # driver, worker or check
RELEASED: Final = f"{PREFIX}released"  # annotation: we let it make its pod; once is enough
GATE: Final = (
    f"{PREFIX}start"  # scheduling gate of a driver's pod: taken from the one that may begin
)
GATE_FACT: Final = "gate"  # of a receipt whose Job makes pods with the gate
CANCELLED: Final = f"{PREFIX}cancel"  # annotation: we asked it to go, so nobody else deleted it
SPEC: Final = f"{PREFIX}spec-sha256"  # annotation: the frozen spec's hash
IMAGE_ID: Final = (
    f"{PREFIX}image-id"  # annotation: what was frozen, to be held against what the node ran
)

DRIVER: Final = "driver"
WORKER: Final = "worker"
CHECK: Final = "check"
CONTAINER: Final = "runner"
WORKER_CONTAINER: Final = "worker"  # the engine's name for it

INPUTS: Final = "/quarterdeck/in"
OUTPUTS: Final = "/quarterdeck/out"
LAST_WORD: Final = "/dev/termination-log"
WORKERS_WHEEL: Final = "/tmp/quarterdeck"  # noqa: S108  # in a volume of the worker's pod alone
PACKAGES: Final = "/opt/python"  # where the image has engine and client

_VALUE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def k8s_job(run: RunId, attempt: int) -> str:
    """Return the name of the attempt's Job."""
    return f"qd-{run}-a{attempt}"


def worker_prefix(run: RunId, attempt: int) -> str:
    """Return how the names of the attempt's worker pods begin."""
    return f"qd-{run}-a{attempt}-w-"


def label(text: str) -> str:
    """Return `text` as a label's value; what cannot be one becomes its hash."""
    if _VALUE.fullmatch(text):
        return text
    return f"h{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def labels(workspace: str, launch: Launch, role: str) -> dict[str, str]:
    """Return the labels of an object of this role."""
    more = {f"{PREFIX}{key}": label(value) for key, value in launch.labels.items() if value}
    return {
        **more,
        OWNER: PRODUCT,
        WORKSPACE: label(workspace),
        RUN: launch.run,
        ATTEMPT: str(launch.attempt),
        f"{PREFIX}trigger": label(launch.trigger),
        ROLE: role,
    }


def selector(workspace: str, run: str | None = None, attempt: int | None = None) -> str:
    """Return the selector of all of a workspace, a run or an attempt; never less than the workspace."""
    found = [f"{OWNER}={PRODUCT}", f"{WORKSPACE}={label(workspace)}"]
    if run is not None:
        found.append(f"{RUN}={run}")
    if attempt is not None:
        found.append(f"{ATTEMPT}={attempt}")
    return ",".join(found)


def attempt_of(found: Mapping[str, str]) -> tuple[RunId, int] | None:
    """Return run and attempt that these labels name, or None."""
    run, number = found.get(RUN, ""), found.get(ATTEMPT, "")
    return (RunId(run), int(number)) if run and number.isdecimal() else None


def is_driver(pod: Mapping[str, Any]) -> bool:
    """Whether this is the pod of a driver, which has a runner to ask."""
    return bool(pod["metadata"]["labels"].get(ROLE) == DRIVER)


def is_worker(pod: Mapping[str, Any]) -> bool:
    """Whether this is the pod of one of the engine's workers."""
    return bool((pod["metadata"].get("labels") or {}).get(ROLE) == WORKER)


def worker_origin(pod: Mapping[str, Any]) -> str:
    """Return what the pod's lines are marked with: `worker-` and the engine's number of it."""
    return f"{WORKER}-{pod['metadata']['name'].rpartition('-')[2]}"


def jobs(namespace: str) -> str:
    """Return where the API has a namespace's Jobs."""
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


def pods(namespace: str) -> str:
    """Return where the API has a namespace's pods."""
    return f"/api/v1/namespaces/{namespace}/pods"


def config_maps(namespace: str) -> str:
    """Return where the API has a namespace's ConfigMaps."""
    return f"/api/v1/namespaces/{namespace}/configmaps"
