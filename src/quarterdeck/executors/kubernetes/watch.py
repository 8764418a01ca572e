"""One watch of Jobs and one of pods for each namespace, shared by all runs of a cluster.

A watch lists, then follows from there in streams of some seconds that the server ends: each beginning, bookmark
and end proves it alive, so that its news is never older than `FRESH_S` without that being known. After anything
but such an end it lists again. It ends by itself when nobody has looked for a while.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from quarterdeck.executors.kubernetes import jobfacts, names
from quarterdeck.executors.kubernetes.client import ApiError, Client, Target
from quarterdeck.executors.kubernetes.creating import refused
from quarterdeck.executors.kubernetes.stream import Stream, events
from quarterdeck.model.clock import Uptimes
from quarterdeck.model.errors import PrerequisiteError, UnreachableError
from quarterdeck.model.instants import Clock

Json = dict[str, Any]

STREAM_S: Final = (14, 18)  # how long the server is asked to hold one stream
SLACK_S: Final = 5.0  # what it may be late with bookmark and end
FRESH_S: Final = 25.0
IDLE_S: Final = 120.0  # a watch at which nobody looks ends
FIRST_S: Final = 0.5  # before the first try after a failure; then doubled
LONGEST_S: Final = 15.0
KNOWN: Final = 2  # so many lists in vain are an answer; after one, whoever looks asks once more


class ExpiredError(Exception):
    """The server does not remember what came after the version that was known."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The Jobs by name and the pods of a namespace, as they were known to be at `at`."""

    jobs: Mapping[str, Json]
    pods: Iterable[Json]
    at: datetime


class Watches:
    """The watches of one cluster; may be asked from any thread."""

    def __init__(
        self, client: Client, workspace: str, clock: Clock, uptime: Uptimes, *,
        keep: Callable[[Iterable[Json]], None],
    ) -> None:  # fmt: skip
        self._client = client
        self._selector = (("labelSelector", names.selector(workspace)),)
        self._clock = clock
        self._uptime = uptime
        self._keep = keep
        self._lock = threading.Lock()
        self._looked: dict[str, float] = {}
        self._pairs: dict[str, tuple[Watch, Watch]] = {}
        self._is_closed = False

    def look(self, namespace: str) -> Shown | None:
        """Return what is known of a namespace; None when the cluster must be asked: no look waits for a watch.

        The second look begins the watches. Raises UnreachableError or PrerequisiteError while they know that there
        is no answer.
        """
        pair = self._pair(namespace)
        if pair is None:
            return None
        target = self._client.target()
        jobs, pods = (watch.shown(target) for watch in pair)
        if jobs is None or pods is None:
            return None
        by_name = {job["metadata"]["name"]: job for job in jobs[0]}
        age = timedelta(seconds=max(jobs[1], pods[1]))
        return Shown(by_name, pods[0], self._clock() - age)

    def close(self) -> None:
        """End all watches."""
        with self._lock:
            self._is_closed = True
            pairs = list(self._pairs.values())
            self._pairs.clear()
        for pair in pairs:
            for watch in pair:
                watch.end()

    def _pair(self, namespace: str) -> tuple[Watch, Watch] | None:
        now = time.monotonic()
        with self._lock:
            before, self._looked[namespace] = self._looked.get(namespace), now
            is_staying = before is not None and now - before <= IDLE_S
            if self._is_closed or not is_staying:
                return None
            pair = self._pairs.get(namespace)
            if pair is None or any(watch.is_over for watch in pair):
                for watch in pair or ():
                    watch.end()
                pair = self._watch(names.jobs(namespace)), self._watch(names.pods(namespace))
                self._pairs[namespace] = pair
            return pair

    def _watch(self, path: str) -> Watch:
        keep = self._keep if path.endswith("/pods") else _keep_nothing
        return Watch(self._client, path, self._selector, self._uptime, keep=keep)


class Watch:
    """One kind of object in one namespace, kept as it is by a thread of its own."""

    def __init__(
        self, client: Client, path: str, selector: tuple[tuple[str, str], ...], uptime: Uptimes,
        *, keep: Callable[[Iterable[Json]], None],
    ) -> None:  # fmt: skip
        self._client, self._path, self._selector = client, path, selector
        self._uptime = uptime
        self._keep = keep  # is given all that is seen, for it may be gone at the next look
        self._lock = threading.Lock()
        self._objects: dict[str, Json] = {}  # by UID
        self._version: str | None = None  # None: what is known has to be listed again
        self._target: Target | None = None
        self._news = uptime().up_s  # goes on while the machine sleeps
        self._failure: UnreachableError | PrerequisiteError | None = None
        self._failed: Target | None = None  # where: it says nothing of another
        self._failures = 0  # since there was progress: how long the next try waits
        self._in_vain = 0  # since a list was answered
        self._defect: Exception | None = None
        self._stream: Stream | None = None
        self._looked_at = time.monotonic()
        self._is_over = False
        self._ended = threading.Event()
        name = f"watch {path}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether it has ended and what it knew with it."""
        with self._lock:
            return self._is_over and self._defect is None

    def shown(self, target: Target) -> tuple[list[Json], float] | None:
        """Return the objects and how old the news is, in seconds; None unless it is fresh and of this target.

        Raises what kept it from listing there while it waits before it tries again.
        """
        with self._lock:
            self._looked_at = time.monotonic()
            defect, self._defect = self._defect, None
            if defect is not None:
                raise defect
            failure = self._failure
            if failure is not None and self._failed == target and self._in_vain >= KNOWN:
                raise type(failure)(failure.message, advice=failure.advice)
            if failure is not None or self._is_over or self._version is None:
                return None
            age_s = self._uptime().up_s - self._news
            if self._target == target and age_s <= FRESH_S:
                return list(self._objects.values()), age_s
            stream = self._stream
        if stream is not None:  # the machine slept, or the context leads elsewhere
            stream.cut()
        return None

    def end(self) -> None:
        """End its thread; returns at once."""
        self._ended.set()
        with self._lock:
            stream = self._stream
        if stream is not None:
            stream.cut()

    # --- its thread

    def _run(self) -> None:
        try:
            while self._goes_on():
                self._turn()
        except Exception as error:  # noqa: BLE001  # a defect of ours: raised where somebody looks
            with self._lock:
                self._defect = error
        with self._lock:
            self._is_over = True
            self._objects.clear()

    def _goes_on(self) -> bool:
        with self._lock:
            is_idle = time.monotonic() - self._looked_at > IDLE_S
            self._is_over = is_idle or self._ended.is_set()
            return not self._is_over

    def _turn(self) -> None:
        """List if need be, and follow one stream to its end; wait after a failure."""
        target = None
        try:
            target = self._client.target()
            if self._version is None or target != self._target:
                self._list(target)
            self._follow()
        except ExpiredError:
            with self._lock:
                self._version = None
            # It is listed at once, but not without end where the server forgets faster than we follow.
            self._ended.wait(random.uniform(0, FIRST_S))  # noqa: S311  # no secret
        except (UnreachableError, PrerequisiteError, ApiError) as error:
            self._fail(error, target)

    def _fail(
        self, error: UnreachableError | PrerequisiteError | ApiError, target: Target | None
    ) -> None:
        failure = refused(error) if isinstance(error, ApiError) else error
        with self._lock:
            self._failure, self._failed = failure, target
            self._failures += 1
            self._in_vain += 1
            self._version = None
            wait_s = min(LONGEST_S, FIRST_S * 2.0 ** (self._failures - 1))
        self._ended.wait(wait_s * random.uniform(0.5, 1))  # noqa: S311  # no secret

    def _list(self, target: Target) -> None:
        found = self._client.get(self._path, self._selector)
        objects = dict(map(_kept, _items(found)))
        version = _version(found)
        if self._client.target() != target:
            raise UnreachableError("The context was changed while it was asked.")
        self._keep(objects.values())
        with self._lock:
            self._objects, self._version, self._target = objects, version, target
            self._in_vain = 0
            self._tell()

    def _follow(self) -> None:
        lasts_s = random.randint(*STREAM_S)  # noqa: S311  # not all at once
        query = (
            *self._selector, ("watch", "1"), ("allowWatchBookmarks", "true"),
            ("resourceVersion", self._version or ""), ("timeoutSeconds", str(lasts_s)),
        )  # fmt: skip
        began, is_moving = time.monotonic(), False
        try:
            with self._client.stream(
                self._path, query, read_s=lasts_s + SLACK_S, documents=True
            ) as stream:
                self._opened(stream)
                for kind, found in events(stream):
                    self._take(kind, found)
                    is_moving = True
        except ApiError as error:
            if error.is_expired:
                raise ExpiredError from error
            raise
        finally:
            with self._lock:
                self._stream = None
        lasted_s = time.monotonic() - began
        # An end that comes at once would be asked for again without a pause.
        if not is_moving and lasted_s < lasts_s / 2:
            raise UnreachableError(f"The watch of {self._path} was ended after {lasted_s:.1f} s.")
        with self._lock:
            self._failures = 0
            self._tell()

    def _opened(self, stream: Stream) -> None:
        with self._lock:
            self._stream = stream
            self._failure = None
            self._tell()
        if self._ended.is_set():  # `end` came before there was a stream to cut
            stream.cut()

    def _tell(self) -> None:
        self._news = self._uptime().up_s

    def _take(self, kind: str, found: Json) -> None:
        """Keep what an event says."""
        if kind == "ERROR":
            error = ApiError("GET", self._path, found, 500)
            if error.is_expired:
                raise ExpiredError
            raise UnreachableError(f"The watch of {self._path} was ended: {error.message}")
        version = _version(found)
        if kind == "BOOKMARK":
            uid, one = "", found
        else:
            uid, one = _kept(found)
            self._keep([one])
        with self._lock:
            if kind == "DELETED":
                self._objects.pop(uid, None)
            elif kind != "BOOKMARK":
                self._objects[uid] = one
            self._version, self._failures = version, 0
            self._tell()


def _keep_nothing(_: Iterable[Json]) -> None:
    """Keep nothing: what a Job said last is told by its pod."""


def _items(found: Json) -> list[Json]:
    items = found.get("items")
    if not isinstance(items, list):
        raise UnreachableError("The cluster's list is none.")
    return items


def _version(found: Json) -> str:
    version = (found.get("metadata") or {}).get("resourceVersion")
    if not isinstance(version, str) or not version:
        raise UnreachableError("The cluster gives an object without a version.")
    return version


def _kept(found: Json) -> tuple[str, Json]:
    """Return UID and object without what nobody asks for: memory is paid for each run."""
    meta, spec = found.get("metadata") or {}, found.get("spec") or {}
    if not meta.get("uid") or not meta.get("name"):
        raise UnreachableError("The cluster gives an object without a name.")
    if suspenders := jobfacts.suspenders(meta):
        meta["managedFields"] = suspenders
    else:
        meta.pop("managedFields", None)
    spec.pop("template", None)
    spec.pop("volumes", None)
    return str(meta["uid"]), found
