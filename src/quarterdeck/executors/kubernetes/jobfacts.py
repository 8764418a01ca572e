"""What a Job's document tells of who let it make pods, and who took them away by suspending it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from quarterdeck.executors.kubernetes import names, podfacts

Json = Mapping[str, Any]

_SUSPEND: Final = "f:suspend"


def is_released(job: Json) -> bool:
    """Whether we let it make its pod."""
    return names.RELEASED in (job["metadata"].get("annotations") or {})


def suspenders(meta: Json) -> list[Json]:
    """Return the managed fields that say who set `suspend`: all that is kept of them for each Job."""
    return [
        {
            "manager": one.get("manager"),
            "time": one.get("time"),
            "fieldsV1": {"f:spec": {_SUSPEND: {}}},
        }
        for one in meta.get("managedFields") or ()
        if _SUSPEND in ((one.get("fieldsV1") or {}).get("f:spec") or {})
    ]


def suspender(job: Json) -> tuple[str, datetime | None]:
    """Return who set `suspend` last, as the API calls it, and when."""
    found = suspenders(job["metadata"])
    last = max(found, key=lambda one: one["time"] or "", default={})
    return str(last.get("manager") or "somebody"), podfacts.instant(last.get("time"))


def has_completed(job: Json) -> bool:
    """Whether a pod of it ran to its end without a fault, also before the Job is marked complete."""
    status = job.get("status") or {}
    met = (podfacts.condition(job, kind) for kind in ("Complete", "SuccessCriteriaMet"))
    return bool(status.get("succeeded")) or any(one is not None for one in met)


def was_suspended(job: Json, made_at: datetime | None) -> bool:
    """Whether others have suspended it since a pod was made then, and perhaps resumed it.

    What is done to one that has completed or failed takes no pod away. Its `startTime` does not tell: its
    controller writes it after it made the pod, and much later if it is killed between.
    """
    if has_completed(job):
        return False
    failed = podfacts.condition(job, "Failed")
    if failed is None and job["spec"].get("suspend") and is_released(job):
        return True
    who, at = suspender(job)
    if who == names.PRODUCT or at is None or made_at is None:
        return False
    failed_at = podfacts.instant(failed.get("lastTransitionTime")) if failed is not None else None
    return at > made_at and (failed is None or (failed_at is not None and at <= failed_at))
