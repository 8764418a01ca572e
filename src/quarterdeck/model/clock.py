"""What cannot step: how long a machine has been up. Instants are by the wall clock, which others set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final


@dataclass(frozen=True, slots=True)
class Uptime:
    """How long the machine has been up in the boot of this id, and how much of that it slept; in seconds."""

    boot: str
    up_s: float
    asleep_s: float = 0.0

    @property
    def awake_s(self) -> float:
        """How long it was awake: what a process counts that waits."""
        return self.up_s - self.asleep_s


Uptimes = Callable[[], Uptime]


@dataclass(frozen=True, slots=True)
class Mark:
    """One moment on one machine: the wall clock's time, and beside it the uptime."""

    at: datetime
    uptime: Uptime

    def reads(self, uptime: Uptime) -> datetime | None:
        """Return what a clock that was set at this moment, and never again, shows then; None in another boot."""
        if uptime.boot != self.uptime.boot:
            return None
        return self.at + timedelta(seconds=uptime.up_s - self.uptime.up_s)


CLOCK_ID: Final = "wall"


@dataclass(frozen=True, slots=True)
class Step:
    """That the wall clock was set while the machine was up: how far it is ahead since, and when that was seen."""

    size_s: float
    noticed: Mark


@dataclass(frozen=True, slots=True)
class WallClock:
    """The one document of its kind: the wall clock as it was taken for right last, and a step from there."""

    id: str
    mark: Mark
    step: Step | None = None
