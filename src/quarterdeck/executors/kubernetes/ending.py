"""Marks, deletes and ends what belongs to an attempt, guarded by UID. In which order: `executor`."""

from __future__ import annotations

from typing import Any, Final

from quarterdeck.executors.kubernetes import names
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
