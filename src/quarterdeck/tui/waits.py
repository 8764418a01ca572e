"""Calls of the service that a page has on their way: what each is about, what is said of a late one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

SHOWN_AFTER_S: Final = 0.08  # a key whose only effect is a call is answered within 100 ms
SPINNER: Final = "|/-\\"


class Wait:
    """One call under way: what it is about, since when, and what is done with the answer."""

    def __init__(
        self,
        what: str,
        group: str,
        then: Callable[[Any], None] | None,
        failed: Callable[[BaseException], None] | None,
        *,
        is_left: bool,
    ) -> None:
        self.what = what
        self.is_left = is_left  # with Esc
        self.group = group
        self.then = then
        self.failed = failed
        self.since = time.monotonic()


def words(calls: Iterable[Wait]) -> str:
    """Return what is waited for, since when; empty while nothing is late."""
    now = time.monotonic()
    late = [wait for wait in calls if now - wait.since >= SHOWN_AFTER_S]
    if not late:
        return ""
    oldest = min(late, key=lambda wait: wait.since)
    seconds = now - oldest.since
    sign = SPINNER[int(seconds * 2) % len(SPINNER)]
    more = f", {len(late) - 1} more" if len(late) > 1 else ""
    word = "still waiting for" if seconds >= 10 else "waiting for"  # noqa: PLR2004  # worth another word
    return f"{sign} {word} {oldest.what} ({seconds:.0f} s{more}). Esc leaves it"
