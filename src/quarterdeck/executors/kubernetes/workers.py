"""What became of an attempt's workers: which of them died and of what. Pure; what ends an attempt: `observe`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from quarterdeck.executors.kubernetes import names, observe, podfacts
from quarterdeck.executors.kubernetes.observe import Seen
from quarterdeck.executors.kubernetes.podfacts import Finding
from quarterdeck.executors.kubernetes.pods import WORKER_GRACE_S
from quarterdeck.model.failure import Failure, Reason
from quarterdeck.model.observation import Happened, Observation, Phase
from quarterdeck.model.run import RunState

Json = Mapping[str, Any]

_LATE: Final = Reason.TIMEOUT.value
# What is said of a worker that nobody saw end.
_UNSEEN: Final = frozenset({Reason.ENGINE_LOST, Reason.DELETED_EXTERNALLY})
# How a payload hears from its engine that a worker does not answer any more.
_LOST: Final = re.compile(
    r"h2 protocol error|transport error|error reading a body from connection|failed in worker \d"
    r"|Exception: (connection (reset|refused|closed)|broken pipe)"
    r"|\(os error (32|101|104|110|111|113)\)"  # a connection's, none of a file's
)


# How it hears that they were never there.
_NOT_THERE: Final = re.compile(
    r"task scheduling timeout|failed to start worker|could not start a worker"
)
REPLACED: Final = timedelta(minutes=1)  # an engine gives up a worker after minutes only
LETS_GO_WITHIN: Final = timedelta(seconds=3)
"""How soon after one another an engine asks its workers to go; times in a cluster are whole seconds."""


@dataclass(frozen=True, slots=True)
class Death:
    """One worker's end before its time."""

    at: datetime
    why: Finding

    @property
    def happened(self) -> Happened:
        """What a timeline says of it."""
        failure = Failure(self.why.reason, self.why.object, (self.why.because, *self.why.evidence))
        return Happened(self.at, self.why.because, names.WORKER, failure)


def told(seen: Seen, found: Observation) -> Observation:
    """Return the observation with what befell workers; of a run that ended by it, with their reason."""
    dead, missing = _dead(seen, found.at), _missing(seen, found.at)
    if found.phase is Phase.ENDED:
        return _told_at_the_end(seen, found, dead, missing)
    some_work = any(map(_is_at_work, seen.pods))
    is_at_work = found.phase is Phase.RUNNING and some_work
    gone = missing if is_at_work else []  # else the engine itself may be letting go of them
    happened = (*found.happened, *(one.happened for one in (*dead, *gone)))
    found = replace(found, happened=happened, is_whole=some_work)
    waits = _unplaced(seen.pods)
    if waits is None or found.failure is not None:
        return found
    why = waits.why
    return replace(
        found, failure=why.reason, object=why.object, evidence=why.evidence,
        happened=(*found.happened, Happened(waits.at, f"{why.object} waits for a node")),
    )  # fmt: skip


def _told_at_the_end(
    seen: Seen, found: Observation, dead: list[Death], missing: list[Death]
) -> Observation:
    word, cause = found.last_word, None
    waits = _unplaced((*seen.pods, *seen.gone_pods))
    not_there = _says(word, _NOT_THERE)
    if not_there:
        found = replace(found, unexplained=names.WORKER)
    if waits is not None and word is not None and (not_there or word.get("reason") == _LATE):
        cause = waits
    elif _says(word, _LOST):
        cause = _cause(seen, dead, missing, found.at)
    happened = tuple(one.happened for one in dead)
    if word is None or cause is None:
        return replace(found, happened=happened)
    why = cause.why
    said = [*why.evidence, *filter(None, [word.get("message")]), *(word.get("evidence") or ())]
    corrected = {
        **word, "state": RunState.FAILED.value, "reason": why.reason.value, "object": why.object,
        "message": why.because, "evidence": said,
    }  # fmt: skip
    if cause not in dead:
        happened = (*happened, cause.happened)
    unexplained = names.WORKER if why.reason in _UNSEEN else ""
    return replace(found, last_word=corrected, happened=happened, unexplained=unexplained)


def _cause(seen: Seen, dead: list[Death], missing: list[Death], now: datetime) -> Death | None:
    """Return the death that ended a run: one whose cause was seen before one that was not."""
    by_memory = [one for one in dead if one.why.reason is Reason.OOM_WORKER]
    workers = [pod for pod in (*seen.pods, *seen.gone_pods) if names.is_worker(pod)]
    if dead:
        return (by_memory or dead)[0]
    if missing and (len(missing) == 1 or len(missing) < len(workers)):
        return missing[0]
    because = "the engine lost a worker; nobody saw which, or why"
    is_known = bool(workers) or any(map(_makes_workers, seen.pods))
    return Death(now, Finding(Reason.ENGINE_LOST, because, "a worker")) if is_known else None


def _unplaced(pods: Sequence[Json]) -> Death | None:
    """Return the first worker that the scheduler found no node for when it was seen last, in its words.

    One in whose place the engine made another, which has a node, is not waited for any more.
    """
    workers = [pod for pod in pods if names.is_worker(pod)]
    for pod in sorted(workers, key=lambda one: str(one["metadata"]["name"])):
        placed = podfacts.condition(pod, "PodScheduled")
        is_over = _end(pod).get("exitCode") is not None
        if is_over or placed is None or placed["status"] != "False" or _is_replaced(pod, workers):
            continue
        said = str(placed.get("message") or placed.get("reason") or "no word why")
        because = f"{_who(pod)} found no node: {said}"
        since = podfacts.instant(placed.get("lastTransitionTime")) or _made_at(pod)
        if since is not None:
            return Death(since, Finding(Reason.UNSCHEDULABLE, because, _who(pod), (said,)))
    return None


def _is_replaced(pod: Json, workers: list[Json]) -> bool:
    made_at = _made_at(pod)
    later = (_made_at(one) for one in workers if one["spec"].get("nodeName"))
    return made_at is not None and any(at is not None and at - made_at > REPLACED for at in later)


def _made_at(pod: Json) -> datetime | None:
    return podfacts.instant(pod["metadata"].get("creationTimestamp"))


def _says(word: Json | None, pattern: re.Pattern[str]) -> bool:
    """Whether the run failed, and the last word speaks of that."""
    if word is None or word["state"] != RunState.FAILED:
        return False
    said = [str(word.get("message") or ""), *map(str, word.get("evidence") or ())]
    return pattern.search(" ".join(said)) is not None


def _dead(seen: Seen, now: datetime) -> list[Death]:
    """Return the workers of which the cluster says that, and why, they ended before their time."""
    found = []
    for pod in (*seen.pods, *seen.gone_pods):
        if not names.is_worker(pod):
            continue
        who, why, code = _who(pod), observe.why_ended(pod), _end(pod).get("exitCode")
        reason, evidence = Reason.ENGINE_LOST, tuple[str, ...]()
        because = f"its container ended with exit code {code}"
        if why is not None:
            reason, because, evidence = why.reason, why.because, why.evidence
        elif not code or pod["metadata"].get("deletionTimestamp"):
            continue
        if reason is Reason.OOM_DRIVER:
            reason = Reason.OOM_WORKER
        died = Finding(reason, f"{who} died: {because}", who, evidence)
        found.append(Death(_ended_at(pod) or now, died))
    return found


def _missing(seen: Seen, now: datetime) -> list[Death]:
    """Return the workers whose pods were deleted, but not by their engine."""
    pods = [pod for pod in (*seen.pods, *seen.gone_pods) if names.is_worker(pod)]
    found = []
    for pod in pods:
        if observe.why_ended(pod) is not None or _end(pod).get("exitCode") == 0:
            continue
        if _asked_at(pod) is None:
            is_lost = pod in seen.gone_pods and _end(pod).get("exitCode") is None
        else:
            is_lost = _is_asked_alone(pod, pods, now)
        if is_lost:
            because = f"{_who(pod)} is lost: its pod was deleted"
            found.append(Death(now, Finding(Reason.DELETED_EXTERNALLY, because, _who(pod))))
    return found


def _is_asked_alone(pod: Json, workers: list[Json], now: datetime) -> bool:
    """Whether it was asked to go well before another worker was: the engine asks all of them at once."""
    asked_at = _asked_at(pod)
    later = [now if _is_at_work(one) else _asked_at(one) for one in workers]
    return asked_at is not None and any(
        at is not None and at - asked_at > LETS_GO_WITHIN for at in later
    )


def _makes_workers(pod: Json) -> bool:
    """Whether it is the driver of workers, who alone is given a token: who looks late sees none of them."""
    return names.is_driver(pod) and bool(pod["spec"].get("automountServiceAccountToken"))


def _asked_at(pod: Json) -> datetime | None:
    """Return when it was given time to end, as the engine does; None if never: without any it is forced away."""
    meta = pod["metadata"]
    until, grace_s = (
        podfacts.instant(meta.get("deletionTimestamp")),
        meta.get("deletionGracePeriodSeconds"),
    )
    if until is None or grace_s == 0:
        return None
    return until - timedelta(seconds=grace_s or WORKER_GRACE_S)


def _is_at_work(pod: Json) -> bool:
    is_asked = pod["metadata"].get("deletionTimestamp")
    return names.is_worker(pod) and observe.is_alive(pod) and not is_asked


def _who(pod: Json) -> str:
    node = pod["spec"].get("nodeName")
    where = f" on {node}" if node else ""
    return f"{names.worker_origin(pod)} (pod {pod['metadata']['name']}{where})"


def _end(pod: Json) -> Json:
    return podfacts.terminated(pod) or {}


def _ended_at(pod: Json) -> datetime | None:
    return podfacts.instant(_end(pod).get("finishedAt"))
