"""An attempt's pods and their events as they are now, for people. What they mean for it: `observe`, `workers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from quarterdeck.executors.kubernetes import names, podfacts
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.executors.kubernetes.creating import refused
from quarterdeck.executors.kubernetes.remembered import events_of
from quarterdeck.model.parts import Part, Parts, Told
from quarterdeck.model.receipt import Receipt

Json = Mapping[str, Any]

ASKED: Final = 10  # objects whose events are asked for: driver and Job first
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parts(client: Client, receipt: Receipt, selector: Sequence[tuple[str, str]]) -> Parts:
    """Ask for the pods, and for the events of Job and pods; without the right to see events there are none."""
    namespace = receipt.facts["namespace"]
    try:
        pods = client.get(names.pods(namespace), selector)["items"]
    except ApiError as error:
        raise refused(error) from error
    pods.sort(key=lambda pod: (not names.is_driver(pod), _number(pod), pod["metadata"]["name"]))
    about = [(receipt.facts["uid"], "Job"), *((pod["metadata"]["uid"], role(pod)) for pod in pods)]
    events: list[Told] = []
    for uid, what in about[:ASKED]:
        try:
            found = events_of(client, namespace, uid)
        except ApiError as error:
            if error.is_forbidden:
                break
            raise refused(error) from error
        events += [told(one, what) for one in found if is_worth_telling(one)]
    events.sort(key=lambda one: one.at or _EPOCH, reverse=True)
    return Parts(tuple(part(pod) for pod in pods), tuple(events))


def role(pod: Json) -> str:
    """Return driver or worker-N."""
    return names.worker_origin(pod) if names.is_worker(pod) else names.DRIVER


def part(pod: Json) -> Part:
    """Return one pod as people look at it."""
    meta, status = pod["metadata"], pod.get("status") or {}
    containers = status.get("containerStatuses") or ()
    state: Json = next((one.get("state") or {} for one in containers), {})
    ended, waits = state.get("terminated") or {}, state.get("waiting") or {}
    phase = "Terminating" if meta.get("deletionTimestamp") else status.get("phase") or "Unknown"
    why = str(status.get("reason") or waits.get("reason") or ended.get("reason") or "")
    if ended.get("exitCode"):
        why = f"{why} (exit code {ended['exitCode']})"
    if not why:
        why = next(
            (
                str(one.get("reason") or "")
                for one in status.get("conditions") or ()
                if one["type"] == "PodScheduled" and one["status"] == "False"
            ),
            "",
        )
    return Part(
        name=meta["name"], role=role(pod), node=pod["spec"].get("nodeName") or "", phase=phase,
        restarts=sum(int(one.get("restartCount") or 0) for one in containers),
        made_at=podfacts.instant(meta.get("creationTimestamp")), why=why,
    )  # fmt: skip


def told(event: Json, about: str) -> Told:
    """Return one event; those of newer kinds have their time and count in a series."""
    series = event.get("series") or {}
    at = event.get("lastTimestamp") or series.get("lastObservedTime") or event.get("eventTime")
    return Told(
        at=podfacts.instant(at), about=about, reason=str(event.get("reason") or ""),
        message=str(event.get("message") or ""),
        count=int(series.get("count") or event.get("count") or 1),
        is_warning=event.get("type") == "Warning",
    )  # fmt: skip


def is_worth_telling(event: Json) -> bool:
    """Whether it says more than that a payload has not begun: a probe of ours tells that by failing."""
    said = str(event.get("message") or "")
    return event.get("reason") != "Unhealthy" or not said.startswith("Startup probe failed")


def _number(pod: Json) -> int:
    number = pod["metadata"]["name"].rpartition("-")[2]
    return int(number) if number.isdecimal() else 0
