"""What a pod's document tells: its container, the image that its node runs, the Secrets that it wants. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from quarterdeck.executors.kubernetes import names
from quarterdeck.model.failure import Reason
from quarterdeck.model.instants import parse_instant
from quarterdeck.model.observation import Observation

Json = Mapping[str, Any]

_DISRUPTED: Final = {
    "PreemptionByScheduler": Reason.PREEMPTED,
    "EvictionByEvictionAPI": Reason.EVICTED,
    "TerminationByKubelet": Reason.EVICTED,
    "DeletionByTaintManager": Reason.EVICTED,
    "DeletionByPodGC": Reason.NODE_LOST,
}
LOG_PATIENCE: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Finding:
    """Why something stands still or ended: reason, object, and the cluster's words."""

    reason: Reason
    because: str
    object: str = ""
    evidence: tuple[str, ...] = ()


def container(pod: Json) -> Json:
    """Return the status of our container in a driver or worker; empty while there is none."""
    found = (pod.get("status") or {}).get("containerStatuses") or ()
    return next(
        (one for one in found if one["name"] in (names.CONTAINER, names.WORKER_CONTAINER)), {}
    )


def gates(pod: Json) -> list[str]:
    """Return the names of the gates that keep a pod from every node."""
    return [str(one["name"]) for one in pod["spec"].get("schedulingGates") or ()]


def is_gated(pod: Json) -> bool:
    """Whether the pod has our gate: nothing of it has begun."""
    return names.GATE in gates(pod)


def is_owned(pod: Json, uid: str) -> bool:
    """Whether the object with this UID owns the pod."""
    return any(one["uid"] == uid for one in pod["metadata"].get("ownerReferences") or ())


def terminated(pod: Json) -> Json | None:
    """Return how our container ended; None while it has not."""
    found = (container(pod).get("state") or {}).get("terminated")
    return found if found is None or isinstance(found, Mapping) else None


def instant(text: str | None) -> datetime | None:
    """Return a time as the cluster writes it; None for none."""
    return parse_instant(text) if text else None


def is_log_gone(pod: Json, now: datetime) -> bool:
    """Whether a log that the node cannot give will not be given any more.

    With an evicted pod its containers go, and before a driver's pod that was deleted; else a node whose runtime
    is down gives it again, when that is back. A worker's pod is gone soon, and its stream says what was read.
    """
    ended = instant((terminated(pod) or {}).get("finishedAt"))
    is_evicted = (pod.get("status") or {}).get("reason") == "Evicted"
    is_going = names.is_driver(pod) and bool(pod["metadata"].get("deletionTimestamp"))
    return is_evicted or (ended is not None and (is_going or now - ended > LOG_PATIENCE))


def other_image(pod: Json, container: Json) -> Finding | None:
    """Return what it means that a node runs another image than the one that was frozen; None if it does not.

    Only the node knows it. A registry's digest and a node's own ID say different things and are not compared.
    """
    wanted = (pod["metadata"].get("annotations") or {}).get(names.IMAGE_ID) or ""
    found = container.get("imageID") or ""
    ids = [one.rpartition("@")[2].rpartition("//")[2] for one in (wanted, found)]
    if not all(ids) or ids[0] == ids[1] or ("@" in wanted) != ("@" in found):
        return None
    image = container.get("image") or pod["spec"]["containers"][0].get("image")
    because = f"the node has another image than the one that was frozen: {found}, not {wanted}"
    return Finding(Reason.CONFIG_ERROR, because, f"image {image}", (wanted, found))


def secret_of(pod: Json, said: str) -> str:
    """Return which Secret and key of the pod's variables the kubelet speaks of; empty for none."""
    for container in pod["spec"].get("containers") or ():
        for one in container.get("env") or ():
            key = (one.get("valueFrom") or {}).get("secretKeyRef") or {}
            name = key.get("name")
            is_key = name and f"key {key.get('key')} in Secret" in said and f"/{name}" in said
            if is_key or (name and f'secret "{name}" not found' in said):
                return f"Secret {name}, key {key.get('key')}"
    return ""


def with_finding(found: Finding | None, seen: Observation) -> Observation:
    """Return what was seen with why it is so."""
    if found is None:
        return seen
    return replace(
        seen, because=found.because, failure=found.reason, object=found.object,
        evidence=found.evidence,
    )  # fmt: skip


def disrupted(name: str, condition: Json, node: tuple[str, ...] = ()) -> Finding:
    """Return what the condition DisruptionTarget means."""
    why, said = condition.get("reason") or "", condition.get("message") or ""
    reason = _DISRUPTED.get(why, Reason.EVICTED)
    return Finding(reason, f"{why}: {said}", name, (*filter(None, [why, said]), *node))


def condition(of: Json, kind: str) -> Json | None:
    """Return the condition of a pod or Job that is so; whether a pod is scheduled: also that it is not."""
    for one in (of.get("status") or {}).get("conditions") or ():
        if one["type"] == kind and (one["status"] == "True" or kind == "PodScheduled"):
            return dict(one)
    return None
