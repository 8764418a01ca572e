"""The time as the cluster's API server tells it with each answer: what the cluster wrote is held against that."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from quarterdeck.model.clock import Mark, Uptimes
from quarterdeck.model.instants import Clock
from quarterdeck.model.observation import Observation
from quarterdeck.ports.executor import Check
from quarterdeck.present import ages

EXACT: Final = timedelta(seconds=2)
"""Answers carry whole seconds and take some time: clocks that are closer are the same."""


WORTH_A_WORD_S: Final = 5.0


class ServerTime:
    """One API server's time, which goes on by this machine's uptime between its answers. For any thread."""

    def __init__(self, clock: Clock, uptime: Uptimes) -> None:
        self._clock = clock
        self._uptime = uptime
        self._heard: Mark | None = None

    def hear(self, date: str | None) -> None:
        """Take an answer's `Date`; what is none is passed over: a proxy may write it."""
        try:
            at = parsedate_to_datetime(date or "")
        except ValueError:
            return
        if at.tzinfo is not None:
            self._heard = Mark(at.astimezone(UTC) + timedelta(seconds=0.5), self._uptime())

    def ahead(self) -> timedelta | None:
        """Return how far this machine's clock is ahead of the server's; None before its first answer."""
        heard = self._heard
        there = heard.reads(self._uptime()) if heard is not None else None
        if there is None:
            return None
        ahead = self._clock() - there
        return ahead if abs(ahead) >= EXACT else timedelta(0)

    def by_clock(self, seen: Observation) -> Observation:
        """Return what was seen, its instants as this machine's clock shows them."""
        ahead = self.ahead()
        if not ahead:
            return seen
        began = seen.began_at + ahead if seen.began_at is not None else None
        happened = tuple(replace(one, at=one.at + ahead) for one in seen.happened)
        return replace(seen, began_at=began, happened=happened)

    def checks(self) -> list[Check]:
        """Return a warning if the two clocks are apart."""
        ahead_s = (self.ahead() or timedelta(0)).total_seconds()
        if abs(ahead_s) < WORTH_A_WORD_S:
            return []
        way = "ahead of" if ahead_s > 0 else "behind"
        text = f"this machine's clock is {ages.span(abs(ahead_s))} {way} the API server's"
        return [Check("clock", "warning", text, "Set the clock that is wrong.")]

    def now(self) -> datetime:
        """Return the server's time, or this machine's before its first answer."""
        return self._clock() - (self.ahead() or timedelta(0))
