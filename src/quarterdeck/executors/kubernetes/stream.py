"""An answer of a cluster's API that comes bit by bit, and the events of a watch in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

from quarterdeck.model.errors import UnreachableError

Json = dict[str, Any]

EVENT_BYTES: Final = 16 * 1024 * 1024  # ten times what the API keeps of one object
_SHOWN: Final = 120


class Stream:
    """The bits of one answer; UnreachableError where it is cut off."""

    def __init__(self, response: Any, blocks: Iterator[bytes]) -> None:
        self._response, self._blocks = response, blocks

    def __iter__(self) -> Iterator[bytes]:
        return self._blocks

    def __next__(self) -> bytes:
        return next(self._blocks)

    def cut(self) -> None:
        """Cut it off, from another thread than the one that waits for its next bit."""
        with suppress(ValueError, RuntimeError, OSError):  # it has ended meanwhile
            self._response.shutdown()


def events(blocks: Iterable[bytes]) -> Iterator[tuple[str, Json]]:
    """Yield type and object of each event; half an event at the end is none, for it comes again."""
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from (_event(line) for line in whole if line.strip())
        if len(rest) > EVENT_BYTES:
            raise _no_event(rest)


def _event(line: bytes) -> tuple[str, Json]:
    try:
        document = json.loads(line)
        kind, found = document["type"], document["object"]
    except (ValueError, TypeError, KeyError) as error:
        raise _no_event(line) from error
    if not isinstance(kind, str) or not isinstance(found, dict):
        raise _no_event(line)
    return kind, found


def _no_event(line: bytes) -> UnreachableError:
    shown = " ".join(line[:_SHOWN].decode(errors="replace").split())
    return UnreachableError(
        f"A watch gives what is no event: {shown}",
        advice="A proxy may stand in between; look at the server's address.",
    )
