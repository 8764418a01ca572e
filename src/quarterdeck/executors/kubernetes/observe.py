"""What a Job and its pods mean for an attempt: phase, finding, evidence. Pure; who asked for them: `executor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from quarterdeck.executors import lastword
from quarterdeck.executors.kubernetes import choice, jobends, jobfacts, names, podfacts
from quarterdeck.executors.kubernetes.podfacts import Finding
from quarterdeck.model import units
from quarterdeck.model.failure import Failure, Reason
from quarterdeck.model.instants import from_epoch_ms
from quarterdeck.model.observation import Happened, Observation, Phase
from quarterdeck.model.receipt import Receipt
from quarterdeck.model.run import RunState

Json = Mapping[str, Any]

EVENTS_AFTER: Final = timedelta(seconds=5)
"""How long something may wait before its events are worth a question."""
LOST_AFTER: Final = timedelta(seconds=50)
"""How long past its grace a pod may be there before it counts as lost with its node.

The cluster itself asks a pod to go only after minutes of its node's silence.
"""
_GATED: Final = "SchedulingGated"
_MEMORY_KILLED: Final = "OOMKilled"
_KILLED: Final = 137
_IMAGE: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
    | {"ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"}
)
_CREATE: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)
_CANNOT_RUN: Final = frozenset({"StartError", "ContainerCannotRun"})
_VOLUME: Final = frozenset({"FailedMount", "FailedAttachVolume"})
_PEAK: Final = "peak: the limit, at which it was killed; what it asked for is not known"
# What the runner says of an end that the kernel brought to its child.
_TOLD_OF_MEMORY: Final = frozenset({Reason.ENGINE_LOST, Reason.ENGINE_START, Reason.LOST})


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one attempt: its Job, the pods of its run (also of some that are gone), their events."""

    job: Json | None
    pods: Sequence[Json] = ()
    gone_pods: Sequence[Json] = ()  # as they were when they were seen last
    events: Sequence[Json] = ()


def observation(receipt: Receipt, seen: Seen, now: datetime) -> Observation:
    """Return what is seen of the attempt now."""
    uid, name = receipt.facts["uid"], receipt.facts["name"]
    job = seen.job if seen.job is not None and seen.job["metadata"]["uid"] == uid else None
    pod = _driver(seen, receipt)
    left = tuple(_named(one) for one in seen.pods if is_alive(one))
    if pod is not None and (terminated := podfacts.terminated(pod)) is not None:
        return replace(_ended(receipt, job, pod, terminated, now), left=left)
    if job is None:
        because = f"the Job {name} is gone"
        return Observation(now, Phase.GONE, because, object=f"Job {name}", left=left)
    if pod is not None and pod in seen.pods:
        found = _finding_of_pod(pod, seen.events, now)
        if found is not None and found.reason is Reason.NODE_LOST:
            node = str(pod["spec"].get("nodeName") or "")
            return podfacts.with_finding(
                found, Observation(now, Phase.ENDED, found.because, node=node, left=left)
            )
        is_running = "running" in (podfacts.container(pod).get("state") or {})
        if _status(pod).get("phase") == "Failed" and not is_running:  # it never ran
            return replace(_ended(receipt, job, pod, {}, now), left=left)
        return podfacts.with_finding(
            found, replace(_of_living(pod, now), happened=_going(job, pod, now))
        )
    made = choice.made(seen.pods, receipt) if choice.is_unmade(receipt) else None
    if made is not None:
        return Observation(now, Phase.WAITING, f"pod {made.name} waits for the word", made=made)
    ended = jobends.without_pod(receipt, job, pod, seen.pods, now)
    return replace(ended, left=left) if ended is not None else _of_waiting(job, seen, now)


def _of_waiting(job: Json, seen: Seen, now: datetime) -> Observation:
    """Return what a Job without a pod waits for."""
    if job["spec"].get("suspend"):
        who, at = jobfacts.suspender(job)
        by_others = jobfacts.is_released(job) and who != names.PRODUCT
        because = f"{who} suspended the Job at {at:%H:%M:%S} UTC" if by_others and at else ""
        because = because or "the Job is suspended: it waits for the word"
        return Observation(now, Phase.WAITING, because)
    found = jobends.refused_pod(job, seen.events)
    if found is not None and found.reason is Reason.CONFIG_ERROR:
        return podfacts.with_finding(found, Observation(now, Phase.ENDED, found.because))
    started = podfacts.instant((job.get("status") or {}).get("startTime"))
    is_fresh = started is None or now - started <= EVENTS_AFTER
    is_held = found is not None and found.reason is Reason.QUOTA
    # What a full quota holds back is no pod that waits for a node; whether it does is known after a moment.
    phase = Phase.WAITING if is_fresh or is_held else Phase.PENDING
    said = jobends.why_no_pod(seen.events)
    because = f"the Job has no pod yet: {said}" if said else "released; the Job has no pod yet"
    return podfacts.with_finding(found, Observation(now, phase, because))


def wants_events(receipt: Receipt, seen: Seen, now: datetime) -> str | None:
    """Return the UID of the object whose events may say why nothing moves, or None."""
    job, pod = seen.job, _driver(seen, receipt)
    if job is None or job["spec"].get("suspend"):
        return None
    if pod is None:
        if choice.is_unmade(receipt) and choice.made(seen.pods, receipt) is not None:
            return None
        started = podfacts.instant((job.get("status") or {}).get("startTime"))
        waits = started is not None and now - started > EVENTS_AFTER
        return str(job["metadata"]["uid"]) if waits else None
    if _status(pod).get("phase") != "Pending":
        return None
    made = podfacts.instant(pod["metadata"].get("creationTimestamp"))
    waits = made is not None and now - made > EVENTS_AFTER
    return str(pod["metadata"]["uid"]) if waits else None


def is_alive(pod: Json) -> bool:
    """Whether containers of the pod may still run."""
    return _status(pod).get("phase") not in ("Succeeded", "Failed") and not (
        podfacts.terminated(pod) is not None
        and len(_status(pod).get("containerStatuses") or ()) == 1
    )


def has_said(pod: Json) -> bool:
    """Whether the pod's container has ended: what is seen now will not be seen better."""
    return podfacts.terminated(pod) is not None


def why_ended(pod: Json) -> Finding | None:
    """Return what the pod itself says of why it ended, or is about to."""
    return _why_ended(None, pod, podfacts.terminated(pod) or {})


# --- one pod ------------------------------------------------------------------------------


def _of_living(pod: Json, now: datetime) -> Observation:
    node = pod["spec"].get("nodeName")
    where = f"pod {pod['metadata']['name']}" + (f" on {node}" if node else "")
    state = podfacts.container(pod).get("state") or {}
    if "running" in state:
        began = podfacts.instant(state["running"].get("startedAt"))
        is_begun = bool(podfacts.container(pod).get("started"))
        phase = Phase.RUNNING if is_begun else Phase.STARTING
        because = "the payload has begun" if is_begun else "the container runs"
        ran_s = (now - began).total_seconds() if began is not None else None
        return Observation(
            now, phase, because, began_at=began, placement=where, node=node or "", ran_s=ran_s
        )
    if node:
        waiting = (state.get("waiting") or {}).get("reason") or "ContainerCreating"
        because = f"{waiting} on {node}"
        return Observation(now, Phase.STARTING, because, placement=where, node=node)
    if podfacts.is_gated(pod):
        return Observation(now, Phase.WAITING, f"{where} waits for the word", placement=where)
    return Observation(now, Phase.PENDING, "the pod waits for a node", placement=where)


def _going(job: Json, pod: Json, now: datetime) -> tuple[Happened, ...]:
    """Return that the driver was told to go, and why: who sees it gone may not have seen that."""
    why = _why_ended(job, pod, {})
    if why is None or why.reason is Reason.TIMEOUT:
        return ()
    failure = Failure(why.reason, why.object, (why.because, *why.evidence))
    what = f"{_named(pod)} has to go: {why.because}"
    return (Happened(now, what, names.DRIVER, failure),)


def _finding_of_pod(pod: Json, events: Sequence[Json], now: datetime) -> Finding | None:
    """Return why a pod that has not ended stands still or must not go on, or None."""
    name = _named(pod)
    if (other := podfacts.other_image(pod, podfacts.container(pod))) is not None:
        return other
    waiting = (podfacts.container(pod).get("state") or {}).get("waiting") or {}
    words = tuple(filter(None, [waiting.get("message")]))
    if waiting.get("reason") in _IMAGE:
        image = podfacts.container(pod).get("image") or pod["spec"]["containers"][0].get("image")
        return Finding(Reason.IMAGE_PULL, f"{waiting['reason']}: {image}", f"image {image}", words)
    if waiting.get("reason") in _CREATE:
        because = f"{waiting['reason']}: {waiting.get('message') or 'no word why'}"
        return Finding(
            Reason.CREATE_CONTAINER, because, podfacts.secret_of(pod, because) or name, words
        )
    scheduled = podfacts.condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.get("reason") == _GATED:
        others = [gate for gate in podfacts.gates(pod) if gate != names.GATE]
        because = f"the pod is held by {', '.join(others)}; whoever set that takes it away"
        return Finding(Reason.UNSCHEDULABLE, because, name, tuple(others)) if others else None
    if scheduled is not None and scheduled["status"] == "False":
        said = scheduled.get("message") or scheduled.get("reason") or ""
        return Finding(Reason.UNSCHEDULABLE, f"no node fits: {said}", name, (said,))
    disrupted = podfacts.condition(pod, "DisruptionTarget")
    if is_stuck(pod, now):
        node = pod["spec"].get("nodeName")
        because = f"node {node} does not answer; the pod's containers may still run there"
        said = (disrupted or {}).get("message") or ""
        return Finding(Reason.NODE_LOST, because, f"node {node}", tuple(filter(None, [said])))
    mount = next((event for event in events if event.get("reason") in _VOLUME), None)
    if mount is not None and _status(pod).get("phase") == "Pending":
        said = str(mount.get("message") or "")
        return Finding(Reason.VOLUME, f"{mount['reason']}: {said}", name, (said,))
    return None


def is_stuck(pod: Json, now: datetime) -> bool:
    """Whether the pod should have gone minutes ago and nobody on its node says that it has."""
    deleted = podfacts.instant(pod["metadata"].get("deletionTimestamp"))  # the grace is in it
    return (
        bool(pod["spec"].get("nodeName"))
        and deleted is not None
        and now - deleted > LOST_AFTER
        and podfacts.terminated(pod) is None
    )


def _ended(
    receipt: Receipt, job: Json | None, pod: Json, terminated: Json, now: datetime
) -> Observation:
    """Return the end of a driver whose container has ended."""
    code, name = terminated.get("exitCode"), _named(pod)
    where = f"pod {pod['metadata']['name']} on {pod['spec'].get('nodeName') or 'no node'}"
    evidence: tuple[str, ...] = ()
    word = None
    message = terminated.get("message") or ""
    try:
        if message:
            word = lastword.parse(message, receipt.run, receipt.attempt)
    except lastword.DamagedWordError as error:
        evidence = (str(error), *message.splitlines()[-6:])
    found = _why_ended(job, pod, terminated)
    if (other := podfacts.other_image(pod, podfacts.container(pod))) is not None:
        said = f"its last word was {word['state']}" if word else "it said no last word"
        found, word, evidence = other, None, (*evidence, said)
    if word is not None:
        word, told = _corrected(word, found)
        because = f"the runner ended; its last word is {word['state']}"
        found, evidence = None, told
    elif found is not None:
        because, evidence = found.because, (*found.evidence, *evidence)
    elif not terminated:
        because = f"the pod failed before its container ran: {_status(pod).get('message') or 'no word why'}"
    else:
        because = f"the container ended with exit code {code} and without a last word"
        if code == _KILLED:
            because = "the container was killed (exit code 137) before it said its last word"
    began = podfacts.instant(terminated.get("startedAt"))
    if word is not None and word.get("began_ms"):
        began = from_epoch_ms(word["began_ms"])
    return Observation(
        now, Phase.ENDED, because, last_word=word, evidence=evidence,
        failure=found.reason if found else None, object=found.object if found else name,
        exit_code=code, began_at=began, placement=where, node=pod["spec"].get("nodeName") or "",
    )  # fmt: skip


def _why_ended(job: Json | None, pod: Json, terminated: Json) -> Finding | None:
    """Return why a container ended that was not asked to by us."""
    name, status = _named(pod), _status(pod)
    reason, code = terminated.get("reason"), terminated.get("exitCode")
    if reason == _MEMORY_KILLED:
        limit = _memory_limit(pod)
        evidence = (f"memory limit {limit}" if limit else "no memory limit was set", _PEAK)
        because = f"{_MEMORY_KILLED}: the kernel killed for lack of memory"
        return Finding(Reason.OOM_DRIVER, because, name, evidence)
    if reason in _CANNOT_RUN:
        said = terminated.get("message") or ""
        return Finding(Reason.CREATE_CONTAINER, f"{reason}: {said}", name, (said,))
    disrupted = podfacts.condition(pod, "DisruptionTarget")
    if disrupted is not None:
        return podfacts.disrupted(name, disrupted, _node(pod))
    if status.get("reason") in ("Evicted", "Preempting"):
        said = status.get("message") or ""
        kind = Reason.EVICTED if status["reason"] == "Evicted" else Reason.PREEMPTED
        return Finding(kind, f"{status['reason']}: {said}", name, (said, *_node(pod)))
    if jobends.is_past_deadline(job):
        because = "the Job's own deadline passed"
        return Finding(Reason.TIMEOUT, because, name, (f"exit code {code}",))
    if pod["metadata"].get("deletionTimestamp") and not _is_asked(job, pod):
        made_at = podfacts.instant(pod["metadata"].get("creationTimestamp"))
        if job is not None and jobfacts.was_suspended(job, made_at):
            return jobends.suspended(job)
        because = f"the {name} was deleted from outside"
        return Finding(Reason.DELETED_EXTERNALLY, because, name)
    return None


def _is_asked(job: Json | None, pod: Json) -> bool:
    """Whether we asked it to go: whoever cancels leaves a mark on the Job, or ends the pod's time."""
    marks = (job or {}).get("metadata", {}).get("annotations") or {}
    return names.CANCELLED in marks or "activeDeadlineSeconds" in pod["spec"]


def _node(pod: Json) -> tuple[str, ...]:
    """Return the node that a pod had to leave, as evidence."""
    node = pod["spec"].get("nodeName")
    return (f"it was on node {node}",) if node else ()


def _corrected(word: Json, found: Finding | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the word with the reason that only the cluster knows, and what the cluster said.

    The runner knows that it was told to go, not why: that it was evicted or deleted is the cluster's to say.
    """
    corrected = dict(word)
    if found is None:
        return corrected, ()
    if word["state"] == RunState.CANCELLED:
        is_late = found.reason is Reason.TIMEOUT
        corrected["state"] = (RunState.TIMED_OUT if is_late else RunState.FAILED).value
        corrected |= {
            "reason": found.reason.value,
            "object": found.object,
            "message": found.because,
        }
        return corrected, found.evidence
    if found.reason is not Reason.OOM_DRIVER or word["state"] != RunState.FAILED:
        return corrected, ()
    is_killed = word["reason"] == Reason.USER_ERROR and word["exit_code"] == _KILLED
    if word["reason"] in _TOLD_OF_MEMORY or is_killed:
        corrected["reason"] = Reason.OOM_DRIVER.value
    return corrected, (found.because, *found.evidence)


# --- parts --------------------------------------------------------------------------------


def _driver(seen: Seen, receipt: Receipt) -> Json | None:
    """Return the attempt's pod: one that is there before one that is gone, one that ended before all."""
    pods = [pod for pod in (*seen.pods, *seen.gone_pods) if choice.is_driver(pod, receipt)]
    return next((pod for pod in pods if has_said(pod)), pods[0] if pods else None)


def _named(pod: Json) -> str:
    role = (pod["metadata"].get("labels") or {}).get(names.ROLE)
    return f"{'worker ' if role == names.WORKER else ''}pod {pod['metadata']['name']}"


def _status(pod: Json) -> Json:
    return pod.get("status") or {}


def _memory_limit(pod: Json) -> str:
    limits = (pod["spec"]["containers"][0].get("resources") or {}).get("limits") or {}
    said = str(limits.get("memory") or "")
    return units.format_size(int(said)) if said.isdecimal() else said
