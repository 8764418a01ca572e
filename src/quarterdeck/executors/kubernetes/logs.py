"""Reads an attempt's log from the cluster: its driver's lines and its workers', by time as they come.

How lines are known again is `sources`' to say, how they are got `lines`'.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from quarterdeck.executors.kubernetes import choice, names, observe, podfacts, sources
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.executors.kubernetes.creating import refused
from quarterdeck.executors.kubernetes.lines import Fetched, Stream, pieces
from quarterdeck.executors.kubernetes.sources import ENDED, Piece
from quarterdeck.model.instants import Clock
from quarterdeck.model.logline import Cursor, LogChunk
from quarterdeck.model.receipt import AttemptId, Receipt

Json = Mapping[str, Any]

CHUNK_LINES: Final = 1_000
QUIET_S: Final = 1.0
PODS_S: Final = 1.0  # a worker that is new is seen within that, while streams are open
GATHER_S: Final = 0.05  # following: lines that come one by one are given together
DRAIN_S: Final = 5.0  # how long after its container's end a stream may take to end
SLICE_S: Final = 1.0  # how far one source's lines may run ahead of another's
STREAMS: Final = 64  # open at once; beyond that each look asks anew
REST_S: Final = (0.5, 30.0)  # after a stream in vain; twice as long each time, up to the second
ASKED_S: Final = 10.0  # for a byte of what was written just now
LOST: Final = "the pod is gone, and with it the rest of its log"
NO_LOG: Final = "the node does not have the rest of the log any more"


class Known(NamedTuple):
    """An attempt's pods, and its Job, as a watch has them."""

    pods: Sequence[Json]
    job: Json | None


class Logs:
    """The logs of one cluster's attempts; who looks again and again at one has its streams kept open.

    One attempt is for one thread at a time: whoever writes its run's log. `known` says what a watch
    has; None: ask.
    """

    def __init__(
        self, client: Client, known: Callable[[Receipt], Known | None], clock: Clock
    ) -> None:
        self._client = client
        self._known = known
        self._clock = clock
        self._readers: dict[AttemptId, Reader] = {}

    def read(
        self, receipt: Receipt, selector: Any, cursor: Cursor, *, follow: bool
    ) -> Iterator[LogChunk]:
        """Yield what stands behind the cursor; the last chunk of an ended attempt says so."""
        if follow:
            reader = self._reader(receipt, selector)
            try:
                yield from reader.follow(cursor)
            finally:
                reader.close()
            return
        reader = self._readers.setdefault(receipt.id, self._reader(receipt, selector))
        room = STREAMS - sum(one.streams for one in list(self._readers.values()))
        yield from reader.look(cursor, room=room)

    def _reader(self, receipt: Receipt, selector: Any) -> Reader:
        return Reader(self._client, receipt, selector, self._known, self._clock)

    def forget(self, attempt: AttemptId) -> None:
        """End what is open of an attempt."""
        reader = self._readers.pop(attempt, None)
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """End what is open."""
        for attempt in list(self._readers):
            self.forget(attempt)


class Reader:
    """Reads one attempt. Streams stay open from one look to the next while the cursor is the one it gave."""

    def __init__(
        self, client: Client, receipt: Receipt, selector: Any,
        known: Callable[[Receipt], Known | None], clock: Clock,
    ) -> None:  # fmt: skip
        self._client = client
        self._known = known
        self._clock = clock
        self._receipt = receipt
        self._selector = selector
        self._driver: AttemptId = receipt.id
        self._positions: dict[str, int] = {}
        self._given: dict[str, int] | None = None
        self._open: dict[str, Stream] = {}
        self._read_out: set[str] = set()  # their streams were ended by the node
        self._gone: set[str] = set()  # their nodes have no log of them any more
        self._rests: dict[str, tuple[float, float]] = {}  # until when, and for how long
        self._news = threading.Event()
        self._pods: Sequence[Json] = []
        self._is_over = ""
        self._asked_at = 0.0

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._open)

    def close(self) -> None:
        """Let the streams end."""
        for stream in self._open.values():
            stream.stop()
        self._open = {}

    def follow(self, cursor: Cursor) -> Iterator[LogChunk]:
        """Yield lines as they come, and a chunk each second, until the attempt has ended."""
        self._given = sources.own(self._driver, cursor.positions)
        while True:
            self._news.clear()
            ended = False
            for chunk in self.look(cursor, room=STREAMS):
                cursor, ended = chunk.cursor, chunk.ended and chunk.source == self._driver
                yield chunk
            if ended:
                return
            if self._news.wait(QUIET_S):
                threading.Event().wait(GATHER_S)

    def look(self, cursor: Cursor, *, room: int) -> Iterator[LogChunk]:
        """Yield what came since; a second look in a row leaves streams open, at most `room` more."""
        self._positions = dict(cursor.positions)
        own = sources.own(self._driver, self._positions)
        goes_on = self._given == own
        if not goes_on:
            self.close()
            self._read_out.clear()
        self._given = own
        self._ask(anew=not goes_on)
        driver = next((pod for pod in self._pods if self._is_ours(pod)), None)
        workers = [pod for pod in self._pods if names.is_worker(pod)]
        has_ended = driver is not None and observe.has_said(driver)
        if has_ended or self._is_over:
            yield from self._drained(workers)
        found: dict[str, Stream | Fetched] = {}
        fetched: list[Iterator[Piece]] = []
        try:
            pods = (*workers, *([driver] if driver is not None else ()))
            for name, pod in self._readable(pods, may_rest=goes_on and not has_ended):
                stream = self._open.get(name)
                if stream is None and goes_on and room > 0 and not has_ended:
                    stream = self._opened(pod)
                    room -= stream is not None
                if stream is not None:
                    found[name] = stream
                else:
                    lines = self._fetch(pod, has_ended=observe.has_said(pod))
                    fetched.append(lines)
                    found[name] = Fetched(lines)
            for name, stream in self._open.items():
                found.setdefault(name, stream)  # its pod is gone; what it wrote is not
            yield from self._merged(found)
            yield from self._ends(workers, is_over=has_ended)
        finally:
            for one in fetched:
                one.close()  # type: ignore[attr-defined]  # generators of our own
        self._settle()
        is_lost = self._is_over == "lost" and self._driver not in self._read_out
        gap = NO_LOG if self._driver in self._gone else LOST if is_lost else ""
        yield self._chunk(self._driver, gap=gap, ended=has_ended or bool(self._is_over))

    # --- which pods there are

    def _ask(self, *, anew: bool) -> None:
        """Ask for the attempt's pods, and where there is no driver's whether there will be one."""
        for stream in self._open.values():
            stream.look()
        known = self._known(self._receipt)
        is_due = time.monotonic() - self._asked_at >= PODS_S
        if known is None and not (
            anew or is_due or not self._open or any(s.is_over for s in self._open.values())
        ):
            return
        namespace, facts = self._receipt.facts["namespace"], self._receipt.facts
        self._is_over = ""
        is_chosen = choice.is_chosen(self._receipt)
        if known is not None and (
            any(map(self._is_ours, known.pods)) or (self._is_going(known.job) and not is_chosen)
        ):
            self._pods = known.pods
            return
        try:
            self._pods = self._client.get(names.pods(namespace), self._selector)["items"]
            if not any(self._is_ours(pod) for pod in self._pods):
                job = self._client.get(f"{names.jobs(namespace)}/{facts['name']}")
                if job["metadata"]["uid"] != facts["uid"]:
                    self._is_over = "reaped"
                elif is_chosen or _has_finished(job):
                    self._is_over = "lost"
        except ApiError as error:
            if not error.is_gone:
                raise refused(error) from error
            self._is_over = "reaped"
        self._asked_at = time.monotonic()

    def _is_going(self, job: Json | None) -> bool:
        return (
            job is not None
            and job["metadata"]["uid"] == self._receipt.facts["uid"]
            and not _has_finished(job)
        )

    def _is_ours(self, pod: Json) -> bool:
        return choice.is_driver(pod, self._receipt)

    # --- their lines

    def _name(self, pod: Json) -> str:
        return sources.worker_name(self._driver, pod) if names.is_worker(pod) else self._driver

    def _source(self, pod: Json) -> sources.Source:
        name = self._name(pod)
        if name == self._driver:
            return sources.Driver(name, self._positions)
        origin = names.worker_origin(pod)
        return sources.Worker(name, origin, self._positions, sources.started_at(pod))

    def _fetch(self, pod: Json, *, has_ended: bool) -> Iterator[Piece]:
        source = self._source(pod)
        try:
            yield from pieces(self._client, pod, source, follow=False, has_ended=has_ended)
        except sources.NoLogError:
            if not podfacts.is_log_gone(pod, self._clock()):
                raise
            if source.name not in self._read_out:
                self._gone.add(source.name)

    def _opened(self, pod: Json) -> Stream | None:
        """Open a stream; None for a container that has ended, which is read to its end at once."""
        if observe.has_said(pod):
            return None
        source = self._source(pod)
        self._read_out.discard(source.name)
        self._open[source.name] = Stream(self._client, pod, source, self._news)
        return self._open[source.name]

    def _readable(self, pods: Sequence[Json], *, may_rest: bool) -> Iterator[tuple[str, Json]]:
        """Yield what has a log not read to its end; what was opened in vain just now rests, until it has ended."""
        for pod in pods:
            name = self._name(pod)
            if f"{name}{ENDED}" in self._positions or sources.started_at(pod) is None:
                continue
            until, _ = self._rests.get(name, (0.0, 0.0))
            if not (may_rest and time.monotonic() < until and not observe.has_said(pod)):
                yield name, pod

    def _merged(self, found: Mapping[str, Stream | Fetched]) -> Iterator[LogChunk]:
        """Yield all that there is, the oldest first; a source may run a little ahead, so that chunks are few."""
        while True:
            heads = {
                name: piece for name, one in found.items() if (piece := one.peek()) is not None
            }
            if not heads:
                return
            name = min(heads, key=lambda one: heads[one].at)
            others = [piece.at for other, piece in heads.items() if other != name]
            yield self._taken(name, found[name], min(others, default=None))

    def _taken(self, name: str, one: Stream | Fetched, other: Any) -> LogChunk:
        """Return one source's next lines, until another's turn or a gap comes."""
        batch: list[Piece] = []
        count = 0
        while (piece := one.peek()) is not None:
            is_ahead = other is not None and (piece.at - other).total_seconds() > SLICE_S
            if batch and (piece.gap or is_ahead or count + len(piece.lines) > CHUNK_LINES):
                break
            batch.append(piece)
            count += len(piece.lines)
            one.pop()
        self._positions.update(batch[-1].mark)
        lines = tuple(line for piece in batch for line in piece.lines)
        return self._chunk(name, lines, gap=batch[0].gap)

    def _drained(self, workers: list[Json]) -> Iterator[LogChunk]:
        """Yield what open streams hold at the driver's end, and let go of them: the rest is asked for anew."""
        living = {self._name(pod) for pod in workers if not observe.has_said(pod)}
        until = time.monotonic() + DRAIN_S
        while True:
            self._news.clear()
            yield from self._merged(self._open)
            waits = any(not one.is_over for name, one in self._open.items() if name not in living)
            if not waits or time.monotonic() > until:
                break
            self._news.wait(GATHER_S)
        self._settle()
        self.close()

    def _ends(self, workers: list[Json], *, is_over: bool) -> Iterator[LogChunk]:
        """Yield the end of each worker that has ended and was read, and of each that is gone.

        A run's log ends with its driver: what a worker says after that belongs to no run.
        """
        there = {self._name(pod): pod for pod in workers}
        for name, pod in there.items():
            is_told = f"{name}{ENDED}" in self._positions
            if not is_told and (is_over or observe.has_said(pod)) and name not in self._open:
                yield self._end(name, gap=NO_LOG if name in self._gone else "")
        for name in sources.workers_of(self._driver, self._positions):
            stream = self._open.get(name)
            is_told = f"{name}{ENDED}" in self._positions
            if is_told or name in there or (stream is not None and not stream.is_over):
                continue
            is_whole = name in self._read_out or (stream is not None and stream.is_clean)
            yield self._end(name, gap="" if is_whole else LOST)

    def _end(self, name: str, gap: str = "") -> LogChunk:
        self._positions[f"{name}{ENDED}"] = 1
        return self._chunk(name, gap=gap, ended=True)

    def _settle(self) -> None:
        """Let go of streams that are over: the next look asks how their containers stand."""
        for name, stream in list(self._open.items()):
            if stream.is_over:
                del self._open[name]
                _, rest_s = self._rests.pop(name, (0.0, REST_S[0] / 2))
                if stream.is_in_vain:
                    rest_s = min(rest_s * 2, REST_S[1])
                    self._rests[name] = time.monotonic() + rest_s, rest_s
                if stream.error is not None:
                    raise stream.error
                if stream.is_clean:
                    self._read_out.add(name)

    def _chunk(
        self, source: str, lines: Any = (), *, gap: str = "", ended: bool = False
    ) -> LogChunk:
        cursor = Cursor(dict(self._positions))
        self._given = sources.own(self._driver, self._positions)
        is_uncounted = bool(gap and lines and source != self._driver)
        return LogChunk(source, lines, cursor, gap, ended, is_uncounted)


def is_written(client: Client, pod: Json, within_s: float) -> bool | None:
    """Whether the driver wrote anything within so many seconds, by its node's clock; None: it may not be read."""
    meta = pod["metadata"]
    path = f"{names.pods(meta['namespace'])}/{meta['name']}/log"
    query = [("container", names.CONTAINER), ("sinceSeconds", f"{within_s:.0f}")]
    query.append(("limitBytes", "1"))
    try:
        with client.stream(path, query, read_s=ASKED_S) as blocks:
            return any(blocks)
    except ApiError:
        return None


def _has_finished(job: Json) -> bool:
    """Whether no pod will come of the Job any more."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(c["type"] in ("Failed", "Complete") and c["status"] == "True" for c in conditions)
