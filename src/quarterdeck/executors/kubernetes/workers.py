"""What became of an attempt's workers: which of them died and of what. Pure; what ends an attempt: `observe`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from quarterdeck.executors.kubernetes import names, observe, podfacts
from quarterdeck.executors.kubernetes.observe import Seen
from quarterdeck.executors.kubernetes.podfacts import Finding
from quarterdeck.model.failure import Reason
from quarterdeck.model.observation import Happened, Observation, Phase
from quarterdeck.model.run import RunState

Json = Mapping[str, Any]

# How a payload hears from its engine that a worker does not answer any more.
_LOST: Final = re.compile(
    r"h2 protocol error|transport error|error reading a body from connection|failed in worker \d"
    r"|Exception: (connection (reset|refused|closed)|broken pipe)"
    r"|\(os error (32|101|104|110|111|113)\)"  # a connection's, none of a file's
)


@dataclass(frozen=True, slots=True)
class Death:
    """One worker's end before its time."""

    at: datetime
    why: Finding

    @property
    def happened(self) -> Happened:
        """What a timeline says of it."""
        return Happened(self.at, self.why.because)


def told(seen: Seen, found: Observation) -> Observation:
    """Return the observation with the workers that died; of a run that ended by it, the worker's reason."""
    dead, missing = _dead(seen, found.at), _missing(seen, found.at)
    if found.phase is not Phase.ENDED:
        is_at_work = found.phase is Phase.RUNNING and any(map(_is_at_work, seen.pods))
        gone = missing if is_at_work else []  # else the engine itself may be letting go of them
        return replace(found, happened=tuple(one.happened for one in (*dead, *gone)))
    word, cause = found.last_word, None
    if word is not None and word["state"] == RunState.FAILED and _is_lost(word):
        cause = _cause(seen, dead, missing, found.at)
    if word is None or cause is None:
        return replace(found, happened=tuple(one.happened for one in dead))
    why = cause.why
    said = [*why.evidence, *filter(None, [word.get("message")]), *(word.get("evidence") or ())]
    corrected = {
        **word, "reason": why.reason.value, "object": why.object, "message": why.because,
        "evidence": said,
    }  # fmt: skip
    happened = (*dead, *([] if cause in dead else [cause]))
    return replace(
        found, last_word=corrected, happened=tuple(one.happened for one in happened),
    )  # fmt: skip


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


def _is_lost(word: Json) -> bool:
    said = [str(word.get("message") or ""), *map(str, word.get("evidence") or ())]
    return _LOST.search(" ".join(said)) is not None


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
    """Return the workers that are gone though nobody had asked them to go when they were seen last."""
    found = []
    for pod in seen.gone_pods:
        is_over = _end(pod).get("exitCode") is not None or observe.why_ended(pod) is not None
        if names.is_worker(pod) and not is_over and not _is_asked_to_go(pod):
            because = f"{_who(pod)} is gone: its pod was deleted"
            found.append(Death(now, Finding(Reason.DELETED_EXTERNALLY, because, _who(pod))))
    return found


def _makes_workers(pod: Json) -> bool:
    """Whether it is the driver of workers, who alone is given a token: who looks late sees none of them."""
    return names.is_driver(pod) and bool(pod["spec"].get("automountServiceAccountToken"))


def _is_asked_to_go(pod: Json) -> bool:
    """Whether it was given time to end, as the engine does; without any it is forced away."""
    meta = pod["metadata"]
    return bool(meta.get("deletionTimestamp")) and meta.get("deletionGracePeriodSeconds") != 0


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
