"""What is kept between looks: pods that are gone, events that were asked for, since when there is no answer."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from quarterdeck.executors.kubernetes import names, observe
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.executors.kubernetes.creating import refused
from quarterdeck.model.clock import Mark, Uptimes
from quarterdeck.model.errors import PrerequisiteError
from quarterdeck.model.ids import RunId
from quarterdeck.model.instants import Clock

Json = dict[str, Any]
Key = tuple[RunId, int]  # run and attempt

ATTEMPTS: Final = 1_000
FIRST_S: Final = 2.0  # after the first question for an object's events; then doubled
LONGEST_S: Final = 30.0
APART: Final = timedelta(seconds=1)
ASKED_EVERY: Final = timedelta(minutes=1)  # that nobody asked for longer is no silence


class Pods:
    """The last that was seen of each pod of an attempt, its end before all: its object lives a second longer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pods: OrderedDict[Key, dict[str, Json]] = OrderedDict()
        self._reaped: OrderedDict[Key, None] = OrderedDict()

    def see(self, pods: Iterable[Json]) -> None:
        """Keep each pod as it is; of one that has ended, what it was then."""
        with self._lock:
            for pod in pods:
                key = names.attempt_of(pod["metadata"].get("labels") or {})
                if key is None or key in self._reaped:
                    continue
                kept = self._pods.setdefault(key, {})
                self._pods.move_to_end(key)
                before = kept.get(pod["metadata"]["uid"])
                if before is None or not observe.has_said(before):
                    kept[pod["metadata"]["uid"]] = pod
            _shorten(self._pods)

    def gone(self, key: Key, here: Iterable[Json]) -> list[Json]:
        """Return those of an attempt that are not `here`, as they were seen last."""
        uids = {pod["metadata"]["uid"] for pod in here}
        with self._lock:
            return [pod for uid, pod in self._pods.get(key, {}).items() if uid not in uids]

    def forget(self, key: Key) -> None:
        """Keep nothing of an attempt from now on: it was reaped."""
        with self._lock:
            self._pods.pop(key, None)
            self._reaped[key] = None
            _shorten(self._reaped)


class Events:
    """The events of objects that stand still: each is asked for ever more seldom, whoever looks how often."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, float, list[Json]]] = OrderedDict()

    def of(self, namespace: str, uid: str) -> list[Json]:
        """Return what was said of the object with this UID."""
        now = time.monotonic()
        with self._lock:
            due, wait_s, events = self._known.get(uid, (now, FIRST_S, []))
        if now < due:
            return events
        events = self._ask(namespace, uid)
        with self._lock:
            self._known[uid] = (now + wait_s, min(LONGEST_S, wait_s * 2), events)
            self._known.move_to_end(uid)
            _shorten(self._known)
        return events

    def _ask(self, namespace: str, uid: str) -> list[Json]:
        try:
            return events_of(self._client, namespace, uid)
        except ApiError as error:
            failure = refused(error)
            if isinstance(failure, PrerequisiteError):
                return []  # they are evidence, never truth: without the right there are none
            raise failure from error


def events_of(client: Client, namespace: str, uid: str) -> list[Json]:
    """Ask for the events of the object with this UID."""
    query = (("fieldSelector", f"involvedObject.uid={uid}"),)
    found: list[Json] = client.get(f"/api/v1/namespaces/{namespace}/events", query)["items"]
    return found


class Silences:
    """Since when each namespace is asked in vain, by what no setting of the clock changes."""

    def __init__(self, clock: Clock, uptime: Uptimes) -> None:
        self._clock = clock
        self._uptime = uptime
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Mark, float]] = {}

    def since(self, namespace: str) -> datetime:
        """Return when the first of the questions without an answer was asked; the last one is asked now."""
        here = Mark(self._clock(), self._uptime())
        now = here.uptime.up_s
        with self._lock:
            first, last = self._kept.get(namespace, (here, now))
            first = here if now - last > ASKED_EVERY.total_seconds() else first
            self._kept[namespace] = first, now
        at = here.at - timedelta(seconds=now - first.uptime.up_s)
        return first.at if abs(at - first.at) < APART else at  # unless a clock was set in between

    def end(self, namespace: str) -> None:
        """There was an answer."""
        with self._lock:
            self._kept.pop(namespace, None)


def _shorten(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > ATTEMPTS:
        kept.popitem(last=False)
