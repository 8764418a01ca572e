"""Reads a driver's log from the cluster: resumes by the runner's own numbers, whatever the cluster repeats.

The API filters by whole seconds, so lines come again; each carries its number, by which it is known.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from quarterdeck.executors.kubernetes import names, observe
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.model.errors import PrerequisiteError, UnreachableError
from quarterdeck.model.instants import from_epoch_ms
from quarterdeck.model.logline import Cursor, LogChunk, LogLine
from quarterdeck.model.receipt import AttemptId, Receipt

CHUNK_LINES: Final = 1_000
QUIET_S: Final = 1.0
READ_S: Final = 60.0
BUFFERED_LINES: Final = 20_000
LINE_BYTES: Final = 1024 * 1024
ROTATED: Final = "the node keeps only the newest part of a log"
LOST: Final = "the pod is gone, and with it the rest of its log"
SECOND: Final = "@second"  # a position's second half: when its line was written, in whole seconds

_BAD_REQUEST: Final = 400


def read(
    client: Client, receipt: Receipt, selector: Any, cursor: Cursor, *, follow: bool
) -> Iterator[LogChunk]:
    """Yield what stands behind the cursor; the last chunk of an ended source says so."""
    tail = _Tail(client, receipt, selector, cursor)
    while True:
        pod, is_over = tail.pod()  # asked before reading: what it wrote until then is read below
        has_ended = pod is not None and observe.has_said(pod)
        if pod is None:
            yield (
                tail.chunk(ended=is_over == "reaped")
                if is_over != "lost"
                else tail.chunk(gap=LOST, ended=True)
            )
        elif follow and not has_ended:
            yield from tail.followed(pod)
        else:
            yield from tail.plain(pod)
            yield tail.chunk(ended=has_ended)
        if not follow or has_ended or is_over:
            return
        threading.Event().wait(QUIET_S if pod is None else 0.05)


class _Tail:
    """Where reading stands: the number of the last line, and the second in which it was written."""

    def __init__(self, client: Client, receipt: Receipt, selector: Any, cursor: Cursor) -> None:
        self._client = client
        self._receipt = receipt
        self._selector = selector
        self._source: AttemptId = receipt.id
        self._positions = dict(cursor.positions)

    @property
    def _at(self) -> int:
        return self._positions.get(self._source, 0)

    def pod(self) -> tuple[Mapping[str, Any] | None, str]:
        """Return the driver's pod, or None and whether there will be none: `reaped` or `lost`."""
        namespace, uid = self._receipt.facts["namespace"], self._receipt.facts["uid"]
        try:
            pods = self._client.get(names.pods(namespace), self._selector)["items"]
            for pod in pods:
                owners = pod["metadata"].get("ownerReferences") or ()
                if any(owner["uid"] == uid for owner in owners):
                    return pod, ""
            job = self._client.get(f"{names.jobs(namespace)}/{self._receipt.facts['name']}")
        except ApiError as error:
            if error.is_gone:
                return None, "reaped"
            raise _refused(error) from error
        if job["metadata"]["uid"] != uid:
            return None, "reaped"
        conditions = (job.get("status") or {}).get("conditions") or ()
        is_over = any(
            c["type"] in ("Failed", "Complete") and c["status"] == "True" for c in conditions
        )
        return None, "lost" if is_over else ""

    def chunk(
        self, lines: tuple[LogLine, ...] = (), *, gap: str = "", ended: bool = False
    ) -> LogChunk:
        return LogChunk(self._source, lines, Cursor(dict(self._positions)), gap, ended)

    def plain(self, pod: Mapping[str, Any]) -> Iterator[LogChunk]:
        """Yield what the node has now."""
        batch: list[LogLine] = []
        for line in self._lines(pod, follow=False, read_s=READ_S):
            batch.append(line)
            if len(batch) == CHUNK_LINES:
                yield self._take(batch)
                batch = []
        if batch:
            yield self._take(batch)

    def followed(self, pod: Mapping[str, Any]) -> Iterator[LogChunk]:
        """Yield lines as they come, and a chunk each second, until the stream ends."""
        lines: queue.Queue[LogLine | Exception | None] = queue.Queue(BUFFERED_LINES)
        stopped = threading.Event()
        reader = threading.Thread(target=self._pump, args=(pod, lines, stopped), daemon=True)
        reader.start()
        try:
            is_open = True
            while is_open:
                batch: list[LogLine] = []
                try:
                    item = lines.get(timeout=QUIET_S)
                    while True:
                        if item is None:
                            is_open = False
                            break
                        if isinstance(item, Exception):
                            raise item
                        batch.append(item)
                        if len(batch) == CHUNK_LINES:
                            break
                        item = lines.get_nowait()
                except queue.Empty:
                    pass
                yield self._take(batch)
        finally:
            stopped.set()

    def _pump(
        self, pod: Mapping[str, Any], lines: queue.Queue[Any], stopped: threading.Event
    ) -> None:
        end: Exception | None = None
        try:
            for line in self._lines(pod, follow=True, read_s=READ_S):
                while not stopped.is_set():
                    try:
                        lines.put(line, timeout=0.2)
                        break
                    except queue.Full:
                        continue
                if stopped.is_set():
                    return
        except UnreachableError:
            pass  # cut off, or silent for a minute: whoever reads asks for the pod, then goes on
        except PrerequisiteError as error:
            end = error
        while not stopped.is_set():
            try:
                lines.put(end, timeout=0.2)
            except queue.Full:
                continue
            return

    def _take(self, batch: list[LogLine]) -> LogChunk:
        fresh = [line for line in batch if line.number > self._at]
        if not fresh:
            return self.chunk()
        gap = ROTATED if fresh[0].number > self._at + 1 else ""
        self._positions[self._source] = fresh[-1].number
        self._positions[f"{self._source}{SECOND}"] = int(fresh[-1].at.timestamp())
        return self.chunk(tuple(fresh), gap=gap)

    def _lines(self, pod: Mapping[str, Any], *, follow: bool, read_s: float) -> Iterator[LogLine]:
        """Yield the runner's lines from a second before the position on; some are known already."""
        meta = pod["metadata"]
        path = f"{names.pods(meta['namespace'])}/{meta['name']}/log"
        query = [("container", names.CONTAINER), ("timestamps", "true")]
        second = self._positions.get(f"{self._source}{SECOND}")
        if second is not None:
            since = datetime.fromtimestamp(second - 1, UTC)
            query.append(("sinceTime", since.strftime("%Y-%m-%dT%H:%M:%SZ")))
        if follow:
            query.append(("follow", "true"))
        at = self._at
        try:
            with self._client.stream(path, query, read_s=read_s) as blocks:
                for raw in _split(blocks):
                    line = _parse(raw)
                    if line is not None and line.number > at:
                        at = line.number
                        yield line
        except ApiError as error:
            if error.is_gone or error.code == _BAD_REQUEST:  # still waiting, or gone just now
                return
            raise _refused(error) from error


def _split(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield whole lines; the rest of one that was cut off is left out, for it comes again."""
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
        if len(rest) > LINE_BYTES:
            rest = b""


def _parse(raw: bytes) -> LogLine | None:
    """Return the runner's line behind the kubelet's time; UnreachableError for what is no log at all."""
    stamp, _, text = raw.partition(b" ")
    if not raw.strip():
        return None
    if stamp[:2] != b"20" or b"T" not in stamp:
        raise UnreachableError(
            f"The node cannot give the log: {raw[:200].decode(errors='replace')}"
        )
    try:
        number, at_ms, origin, stream, more, said = json.loads(text)
        return LogLine(number, from_epoch_ms(at_ms), origin, stream, said, bool(more))
    except (ValueError, TypeError):
        return None


def _refused(error: ApiError) -> PrerequisiteError:
    return PrerequisiteError(
        f"The log may not be read: {error.message}",
        advice="See `quarterdeck cluster rbac` for the rights that are needed.",
    )
