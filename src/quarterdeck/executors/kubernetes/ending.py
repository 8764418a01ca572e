"""Marks, deletes and ends what belongs to an attempt, guarded by UID."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from quarterdeck.executors.kubernetes import names, observe, podfacts
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.executors.kubernetes.creating import refused
from quarterdeck.model.receipt import Receipt
from quarterdeck.model.run import CancelStep

Json = dict[str, Any]

GRACE_S: Final = {
    CancelStep.ASK: 60,
    CancelStep.END: 20,
    CancelStep.DELETE: 1,
    CancelStep.FORCE: 0,
}
REAP_S: Final = 10.0
"""How long reaping waits for what it deleted."""
POLL_S: Final = 0.1


def end_pods(client: Client, receipt: Receipt, step: CancelStep, pods: Sequence[Json]) -> None:
    """Take this step of a cancel on the attempt's pods, and on its Job where nobody is left to ask."""
    there = [pod for pod in pods if observe.is_alive(pod)]
    alive = [pod for pod in there if not podfacts.is_gated(pod)]
    if step in (CancelStep.DELETE, CancelStep.FORCE) or not alive:
        delete_job(client, receipt, only_unfinished=True)
        for pod in there:
            if pod not in alive:  # it never began: there is nobody to ask
                delete_pod(client, pod, GRACE_S[step])
    for pod in alive:
        is_gentle = step in (CancelStep.ASK, CancelStep.END)
        is_asked = "activeDeadlineSeconds" in pod["spec"] or not pod["spec"].get("nodeName")
        if is_gentle and names.is_driver(pod) and not is_asked:
            end_time(client, pod)
        elif step is not CancelStep.ASK or not is_asked or not pod["spec"].get("nodeName"):
            delete_pod(client, pod, GRACE_S[step])


def clear(
    client: Client, receipt: Receipt, list_pods: Callable[[Receipt], Sequence[Json]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Delete the Job and every pod of the attempt; return what was found, and what is still there at the end."""
    found: dict[str, None] = {}
    deadline = time.monotonic() + REAP_S
    while True:
        pods = list_pods(receipt)  # before the Job goes, and with it the driver and its workers
        job = delete_job(client, receipt)
        for pod in pods:
            if not pod["metadata"].get("deletionTimestamp"):
                delete_pod(client, pod, 1 if observe.is_alive(pod) else 0)
        left = [f"pod {pod['metadata']['name']}" for pod in pods]
        left += [f"Job {receipt.facts['name']}"] if job else []
        found |= dict.fromkeys(left)
        if not left or time.monotonic() > deadline:
            return tuple(found), tuple(left)
        time.sleep(POLL_S)


def delete_job(client: Client, receipt: Receipt, *, only_unfinished: bool = False) -> bool:
    """Delete the attempt's Job and what it owns; False if it is gone."""
    path = f"{names.jobs(receipt.facts['namespace'])}/{receipt.facts['name']}"
    try:
        job = client.get(path)
        if job["metadata"]["uid"] != receipt.facts["uid"]:
            return False
        is_finished = (job.get("status") or {}).get("completionTime") or any(
            one["type"] == "Failed" for one in (job.get("status") or {}).get("conditions") or ()
        )
        if not job["metadata"].get("deletionTimestamp") and not (only_unfinished and is_finished):
            options = {
                "propagationPolicy": "Foreground",
                "preconditions": {"uid": receipt.facts["uid"]},
            }
            client.delete(path, options)
    except ApiError as error:
        if error.is_gone or error.is_conflict:
            return False
        raise refused(error) from error
    return True


def mark(client: Client, receipt: Receipt, step: CancelStep) -> None:
    """Leave on the Job that it was us."""
    annotation = f"/metadata/annotations/{names.CANCELLED.replace('/', '~1')}"
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": receipt.facts["uid"]},
        {"op": "add", "path": annotation, "value": step.value},
    ]
    path = f"{names.jobs(receipt.facts['namespace'])}/{receipt.facts['name']}"
    try:
        client.patch(path, patch)
    except ApiError as error:
        if not (error.is_gone or error.is_invalid):
            raise refused(error) from error


def end_time(client: Client, pod: Json) -> None:
    """End the pod's time: SIGTERM with its whole grace, and the object stays with its last word and log."""
    meta = pod["metadata"]
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": meta["uid"]},
        {"op": "add", "path": "/spec/activeDeadlineSeconds", "value": 1},
    ]
    try:
        client.patch(f"{names.pods(meta['namespace'])}/{meta['name']}", patch)
    except ApiError as error:
        if not (error.is_gone or error.is_invalid):
            raise refused(error) from error


def delete_pod(client: Client, pod: Json, grace_s: int) -> None:
    """Delete a pod, with so many seconds to end by itself."""
    meta = pod["metadata"]
    options = {"gracePeriodSeconds": grace_s, "preconditions": {"uid": meta["uid"]}}
    try:
        client.delete(f"{names.pods(meta['namespace'])}/{meta['name']}", options)
    except ApiError as error:
        if not (error.is_gone or error.is_conflict):
            raise refused(error) from error
