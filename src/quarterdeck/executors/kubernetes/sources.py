"""Where the log of one container was read to, and how its lines are known again. No I/O; reading: `logs`.

A driver's lines carry the runner's numbers. A worker's carry none: its latest time by the kubelet's clock and how
many lines came since that one tell where reading stands, whatever comes again; the numbers are counted here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from quarterdeck.executors.kubernetes import names, podfacts
from quarterdeck.model import wire
from quarterdeck.model.errors import UnreachableError
from quarterdeck.model.instants import from_epoch_ms
from quarterdeck.model.logline import LogLine

SECOND: Final = "@second"  # of a driver: when its last line came to its node, in whole seconds
LATEST: Final = "@latest"  # of a worker: the latest time of a line that was taken, in nanoseconds
SINCE: Final = "@since"  # of a worker: how many lines were taken from that one on, it included
ENDED: Final = "@ended"  # of a worker: it was read to its end
ROTATED: Final = "the node keeps only the newest part of a log"
LATE: Final = timedelta(seconds=60)
"""How long after its container a worker's log may begin before that is worth a word."""

_ENGINE: Final = re.compile(rb"\[\d{4}-\d\d-\d\dT\S+Z (TRACE|DEBUG|INFO|WARN|ERROR) ")
_NANO: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class NoLogError(UnreachableError):
    """The node answers with words of its own in place of a log: not now, or never again."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One line as it was written, in pieces; the position behind it; why lines are missing before it."""

    at: datetime
    lines: tuple[LogLine, ...]
    mark: Mapping[str, int]
    gap: str = ""


class Source(Protocol):
    """One container's log; `begin` before it is read from its position on."""

    name: str

    def begin(self) -> int | None:
        """Start over at the position; return since when lines are wanted, in seconds."""
        ...

    def take(self, raw: bytes) -> Piece | None:
        """Return a line that was not taken before."""
        ...


class Driver:
    """The runner's own lines: known by their numbers."""

    def __init__(self, name: str, positions: Mapping[str, int]) -> None:
        self.name = name
        self._number = positions.get(name, 0)
        self._second = positions.get(f"{name}{SECOND}")
        self._stamp = b""

    def begin(self) -> int | None:
        """Start a second early: lines of one second come again, and are known by their numbers."""
        return None if self._second is None else self._second - 1

    def take(self, raw: bytes) -> Piece | None:
        """Return the runner's line if its number is a new one."""
        stamp, text = stamped(raw)
        try:
            number, at_ms, origin, stream, more, said = json.loads(text)
            line = LogLine(number, from_epoch_ms(at_ms), origin, stream, said, bool(more))
        except (ValueError, TypeError):
            return None
        if number <= self._number:
            return None
        gap = ROTATED if number > self._number + 1 else ""
        if (
            self._second is None or stamp[:19] != self._stamp
        ):  # the second; many lines have the same
            self._stamp, self._second = stamp[:19], nanoseconds(stamp) // _NANO
        self._number = number
        return Piece(
            line.at, (line,), {self.name: number, f"{self.name}{SECOND}": self._second}, gap
        )


class Worker:
    """A worker's output as it is: known by the kubelet's times and a count."""

    def __init__(
        self, name: str, origin: str, positions: Mapping[str, int], started: datetime | None
    ) -> None:
        self.name = name
        self._origin = origin
        self._started = started
        self._number = positions.get(name, 0)
        self._latest = positions.get(f"{name}{LATEST}", 0)
        self._since = positions.get(f"{name}{SINCE}", 0)
        self._is_found = False
        self._known = 0

    def begin(self) -> int | None:
        """Start a second early: two streams of one container may change places by a little."""
        self._is_found, self._known = not self._latest, 0
        return self._latest // _NANO - 1 if self._latest else None

    def take(self, raw: bytes) -> Piece | None:
        """Return the line if it stands behind those that were taken."""
        stamp, text = stamped(raw)
        at_ns = nanoseconds(stamp)
        gap = ""
        if not self._is_found:
            if at_ns < self._latest:
                return None
            self._is_found, self._known = True, self._since
            if at_ns > self._latest:  # what was taken last is not there any more
                gap, self._known = _between(self._latest, at_ns), 0
        if self._known:
            self._known -= 1
            return None
        if not self._number and self._started is not None:
            gap = _late(self._started, at_ns)
        self._since = 1 if at_ns > self._latest else self._since + 1
        self._latest = max(self._latest, at_ns)
        at = _EPOCH + timedelta(microseconds=at_ns // 1000)
        stream = "stderr" if _ENGINE.match(text) else "stdout"
        parts = _parts(text)
        first = self._number + 1
        self._number += len(parts)
        lines = tuple(
            LogLine(number, at, self._origin, stream, part, number < self._number)
            for number, part in enumerate(parts, first)
        )
        mark = {
            self.name: self._number,
            f"{self.name}{LATEST}": self._latest,
            f"{self.name}{SINCE}": self._since,
        }
        return Piece(at, lines, mark, gap)


def worker_name(attempt: str, pod: Mapping[str, Any]) -> str:
    """Return the name of a worker's source: the engine's number of it, and of its set of workers."""
    of_set = pod["metadata"]["name"].partition("-w-")[2].rpartition("-")[0]
    return f"{attempt}/{names.worker_origin(pod)}.{of_set}"


def workers_of(attempt: str, positions: Mapping[str, int]) -> list[str]:
    """Return the sources of workers that a cursor knows."""
    return [key for key in positions if key.startswith(f"{attempt}/") and "@" not in key]


def own(attempt: str, positions: Mapping[str, int]) -> dict[str, int]:
    """Return what of a cursor is about this attempt."""
    return {
        key: value
        for key, value in positions.items()
        if key == attempt or key.startswith((f"{attempt}@", f"{attempt}/"))
    }


def started_at(pod: Mapping[str, Any]) -> datetime | None:
    """Return when a pod's container started, if it has."""
    state = podfacts.container(pod).get("state") or {}
    return podfacts.instant(
        (state.get("running") or state.get("terminated") or {}).get("startedAt")
    )


def stamped(raw: bytes) -> tuple[bytes, bytes]:
    """Return the kubelet's time and the text; UnreachableError for what is no log at all."""
    stamp, _, text = raw.partition(b" ")
    if stamp[:2] != b"20" or b"T" not in stamp:
        raise NoLogError(f"The node cannot give the log: {raw[:200].decode(errors='replace')}")
    return stamp, text


def nanoseconds(stamp: bytes) -> int:
    """Return a time of the kubelet as nanoseconds since 1970."""
    found = re.fullmatch(r"(.{19})(?:\.(\d+))?(.+)", stamp.decode("ascii", "replace"))
    try:
        whole = datetime.fromisoformat(found[1] + found[3] if found else "")
    except ValueError as error:
        raise UnreachableError(f"The node gives a log without times: {stamp[:60]!r}") from error
    digits = found[2] if found and found[2] else "0"
    return int(whole.timestamp()) * _NANO + int(digits.ljust(9, "0")[:9])


def _between(latest: int, at_ns: int) -> str:
    return f"{ROTATED}: those between {_clock(latest)} and {_clock(at_ns)} UTC"


def _late(started: datetime, at_ns: int) -> str:
    begun = int(started.timestamp()) * _NANO
    if at_ns - begun <= LATE.total_seconds() * _NANO:
        return ""
    return f"{ROTATED}: those between its start at {_clock(begun)} and {_clock(at_ns)} UTC"


def _clock(at_ns: int) -> str:
    return f"{_EPOCH + timedelta(microseconds=at_ns // 1000):%H:%M:%S.%f}"[:-3]


def _parts(text: bytes) -> list[str]:
    """Return a line in pieces of at most `LINE_LIMIT` bytes, none in the middle of a letter."""
    found: list[str] = []
    while len(text) > wire.LINE_LIMIT:
        end = wire.LINE_LIMIT
        while end > wire.LINE_LIMIT - 4 and text[end] & 0xC0 == 0x80:  # noqa: PLR2004  # UTF-8's own
            end -= 1
        found.append(text[:end].decode("utf-8", "replace"))
        text = text[end:]
    return [*found, text.decode("utf-8", "replace")]
