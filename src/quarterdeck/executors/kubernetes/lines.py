"""Gets the lines of one container from the API: those that are there now, or all as they come, by a thread.

Whether a line is a new one, its source says; which containers are read and in what order: `logs`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from quarterdeck.executors.kubernetes import names
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.executors.kubernetes.creating import refused
from quarterdeck.executors.kubernetes.sources import Piece, Source
from quarterdeck.model.errors import DeniedError, PrerequisiteError, UnreachableError

READ_S: Final = 60.0
BUFFERED: Final = 20_000  # pieces that wait for whoever reads; then the node has to wait
LINE_BYTES: Final = 1024 * 1024
FULL_S: Final = 0.05  # between two looks whether there is room
IDLE_S: Final = 15.0  # nobody looked: the stream ends
VAIN_S: Final = 5.0  # a stream that ends so soon without a line was none

_BAD_REQUEST: Final = 400


def pieces(
    client: Client, pod: Mapping[str, Any], source: Source, *, follow: bool, has_ended: bool
) -> Iterator[Piece]:
    """Yield what the node has behind the source's position; following, until the stream ends."""
    meta = pod["metadata"]
    path = f"{names.pods(meta['namespace'])}/{meta['name']}/log"
    container = names.CONTAINER if names.is_driver(pod) else names.WORKER_CONTAINER
    query = [("container", container), ("timestamps", "true")]
    since = source.begin()
    if since is not None:
        text = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query.append(("sinceTime", text))
    if follow:
        query.append(("follow", "true"))
    try:
        with client.stream(path, query, read_s=READ_S) as blocks:
            for raw in split(blocks, is_whole=has_ended):
                piece = source.take(raw) if raw.strip() else None
                if piece is not None:
                    yield piece
    except ApiError as error:
        if error.is_gone or error.code == _BAD_REQUEST:  # still waiting, or gone just now
            return
        raise refused(error) from error


def split(blocks: Iterator[bytes], *, is_whole: bool) -> Iterator[bytes]:
    """Yield lines; the rest of one that was cut off is left out, for it comes again, unless nothing more comes.

    Of a line that does not end within a mebibyte the rest is left out, and its size is said.
    """
    rest, dropped = b"", 0
    for block in blocks:
        *whole, last = (rest + block).split(b"\n")
        for line in whole:
            yield _cut(line, dropped)
            dropped = 0
        rest, over = last[:LINE_BYTES], len(last) - LINE_BYTES
        dropped += max(0, over)
    if is_whole and rest:
        yield _cut(rest, dropped)


def _cut(line: bytes, dropped: int) -> bytes:
    over = dropped + max(0, len(line) - LINE_BYTES)
    return line[:LINE_BYTES] + b" [%d more bytes are left out]" % over if over else line


class Stream:
    """One open stream: its thread takes lines as they come, `peek` and `pop` give them out."""

    def __init__(
        self, client: Client, pod: Mapping[str, Any], source: Source, news: threading.Event
    ) -> None:
        self._client = client
        self._pod = pod
        self._source = source
        self._news = news
        self._found: deque[Piece] = deque()  # one thread appends, one takes: no lock is needed
        self._stopped = threading.Event()
        self._over = threading.Event()
        self._looked_at = self._opened_at = time.monotonic()
        self.is_in_vain = False  # it ended at once without a line: another would not do better
        self.error: PrerequisiteError | DeniedError | None = None
        self.is_clean = False  # the node ended it, so all was read that there was
        name = f"log of {source.name}"
        threading.Thread(target=self._pump, name=name, daemon=True).start()

    @property
    def is_over(self) -> bool:
        """Whether no more will come and all was given out."""
        return self._over.is_set() and self.peek() is None

    def peek(self) -> Piece | None:
        """Return what is next, if it is there by now."""
        return self._found[0] if self._found else None

    def pop(self) -> None:
        """Go on to what comes after it."""
        self._found.popleft()

    def look(self) -> None:
        """Say that somebody reads."""
        self._looked_at = time.monotonic()

    def stop(self) -> None:
        """Let the thread end; what it holds is read again."""
        self._stopped.set()

    def _pump(self) -> None:
        gave = False
        try:
            for piece in pieces(
                self._client, self._pod, self._source, follow=True, has_ended=False
            ):
                while len(self._found) >= BUFFERED and self._is_wanted():
                    self._stopped.wait(FULL_S)
                if not self._is_wanted():
                    return
                self._found.append(piece)
                gave = True
                if not self._news.is_set():
                    self._news.set()
            self.is_clean = True
        except (PrerequisiteError, DeniedError) as error:
            self.error = error
        except UnreachableError:
            pass  # cut off, or silent for a minute: whoever reads opens another
        finally:
            self.is_in_vain = not gave and time.monotonic() - self._opened_at < VAIN_S
            self._over.set()
            self._news.set()

    def _is_wanted(self) -> bool:
        return not self._stopped.is_set() and time.monotonic() - self._looked_at < IDLE_S


class Fetched:
    """What the node has now, to be read beside others: `peek` and `pop` as a stream has them."""

    def __init__(self, found: Iterator[Piece]) -> None:
        self._found = found
        self._head = next(found, None)

    def peek(self) -> Piece | None:
        """Return what is next."""
        return self._head

    def pop(self) -> None:
        """Go on to what comes after it."""
        self._head = next(self._found, None)
