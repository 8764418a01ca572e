"""How an attempt ended whose pod is not there: what its Job says. Pure; of pods that are there: `observe`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from quarterdeck.executors.kubernetes import choice, jobfacts, names, podfacts
from quarterdeck.executors.kubernetes.podfacts import Finding, with_finding
from quarterdeck.model.failure import Reason
from quarterdeck.model.instants import format_instant
from quarterdeck.model.observation import Observation, Phase
from quarterdeck.model.receipt import Receipt

Json = Mapping[str, Any]

# What a Job says of a pod that nobody saw end.
_UNSEEN: Final = frozenset({Reason.EVICTED, Reason.DELETED_EXTERNALLY})
# What the controller is told, too, by an API server that has just started; it tries again.
_MAY_PASS: Final = ("cannot create resource", "not yet ready to handle request")


def without_pod(
    receipt: Receipt, job: Json, pod: Json | None, pods: Sequence[Json], now: datetime
) -> Observation | None:
    """Return the end of an attempt whose pod is not there; None if it may come still.

    A Job that is complete ran: nothing that was done to it, or made of it, afterwards is the reason.
    """
    if podfacts.condition(job, "Complete") is not None:
        name = f"Job {job['metadata']['name']}"
        because = f"the {name} is complete and its pod is gone, with the runner's last word"
        return Observation(now, Phase.ENDED, because, object=name)
    taken = _taken(receipt, job, pods)
    if taken is not None:
        return with_finding(taken, Observation(now, Phase.ENDED, taken.because))
    failed = podfacts.condition(job, "Failed")
    if failed is not None:
        return _failed_without_pod(receipt, job, pod, failed, now)
    return None


def _taken(receipt: Receipt, job: Json, pods: Sequence[Json]) -> Finding | None:
    """Return what took away the pod that was chosen, if the Job says it: no other pod of it ever begins."""
    chosen = receipt.chosen
    if chosen is None or not choice.is_chosen(receipt) or jobfacts.has_completed(job):
        return None
    if jobfacts.was_suspended(job, chosen.made_at):
        return suspended(job)
    other = choice.made(pods, receipt)
    if other is None:
        return None
    because = f"pod {chosen.name} is gone, and the Job has made {other.name}, which never begins"
    return Finding(Reason.DELETED_EXTERNALLY, because, f"pod {chosen.name}")


def suspended(job: Json) -> Finding:
    """Return that others suspended the Job, and who did."""
    who, at = jobfacts.suspender(job)
    name = f"Job {job['metadata']['name']}"
    said = f"spec.suspend was last set by {who}" + (f" at {format_instant(at)}" if at else "")
    because = f"{who} suspended the {name}"
    if not job["spec"].get("suspend"):
        because = f"the {name} was suspended and resumed, last by {who}"
    return Finding(Reason.PREEMPTED, because, name, (said,))


def _failed_without_pod(
    receipt: Receipt, job: Json, pod: Json | None, failed: Json, now: datetime
) -> Observation:
    """Return the end of a Job whose pod nobody saw end."""
    name = f"Job {job['metadata']['name']}"
    why, said = failed.get("reason") or "", failed.get("message") or ""
    disrupted = podfacts.condition(pod, "DisruptionTarget") if pod is not None else None
    node = str(pod["spec"].get("nodeName") or "") if pod is not None else ""
    if disrupted is not None:
        found = podfacts.disrupted(name, disrupted)
        if found.reason is Reason.NODE_LOST:  # its object was deleted, and with it the pod's
            found = replace(found, object=f"node {node}")
    elif why == "DeadlineExceeded":
        found = Finding(Reason.TIMEOUT, f"{why}: the Job's own deadline passed", name, (said,))
    elif why == "PodFailurePolicy":
        found = Finding(Reason.EVICTED, f"{why}: {said}", name, (said,))
    else:
        because = f"{why}: the pod was deleted from outside, or its node went; {said}"
        chosen = receipt.chosen if choice.is_chosen(receipt) else None
        about = name if chosen is None else f"pod {chosen.name}"
        found = Finding(Reason.DELETED_EXTERNALLY, because, about, (said,))
    unexplained = names.DRIVER if found.reason in _UNSEEN and disrupted is None else ""
    ended = Observation(now, Phase.ENDED, found.because, node=node, unexplained=unexplained)
    return with_finding(found, ended)


def refused_pod(job: Json, events: Sequence[Json]) -> Finding | None:
    """Return why the Job controller makes no pod, or None."""
    name = f"Job {job['metadata']['name']}"
    for event in events:
        said = str(event.get("message") or "")
        if event.get("reason") != "FailedCreate":
            continue
        if "exceeded quota" in said:
            return Finding(Reason.QUOTA, f"the namespace's quota is full: {said}", name, (said,))
        if "is being terminated" in said:
            return Finding(Reason.DELETED_EXTERNALLY, said, name, (said,))
        if any(words in said for words in _MAY_PASS):
            return None
        if "violates PodSecurity" in said or "forbidden" in said or "denied" in said:
            return Finding(Reason.CONFIG_ERROR, f"no pod is admitted: {said}", name, (said,))
    return None


def why_no_pod(events: Sequence[Json]) -> str:
    """Return what the controller said last of a pod that it could not make; empty for nothing."""
    found = [one for one in events if one.get("reason") == "FailedCreate"]
    return str(found[-1].get("message") or "") if found else ""


def is_past_deadline(job: Json | None) -> bool:
    """Whether the Job's own deadline ended it."""
    if job is None:
        return False
    found = [podfacts.condition(job, kind) for kind in ("FailureTarget", "Failed")]
    return any(one is not None and one.get("reason") == "DeadlineExceeded" for one in found)
