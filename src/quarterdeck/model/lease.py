"""The scheduler's lease: which process moves runs on while nobody looks, and when it was last heard."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from quarterdeck.model.clock import Mark, Uptime

LEASE_ID: Final = "scheduler"
LEASE_LASTS: Final = timedelta(seconds=30)
"""After so long without a word of its holder it is anybody's."""


LEASE_RENEWED: Final = timedelta(seconds=10)
"""So often its holder says that it is there."""


@dataclass(frozen=True, slots=True)
class Holder:
    """One process: `token` is its own for life, so that a process id used again is not taken for it."""

    host: str
    pid: int
    actor: str
    token: str


@dataclass(frozen=True, slots=True)
class Lease:
    """The one document of its kind; `heard_at` is None once it was given back. `heard` is the uptime then."""

    id: str
    holder: Holder
    taken_at: datetime
    heard_at: datetime | None
    heard: Uptime | None = None

    def age(self, here: Mark) -> timedelta | None:
        """Return how long its holder was not heard; None once it was given back.

        In one boot that is the time in which the machine was awake: a clock that is set changes nothing, and who
        slept could not say anything. In another boot the clock is all there is, whichever way it was set.
        """
        if self.heard_at is None:
            return None
        if self.heard is not None and self.heard.boot == here.uptime.boot:
            return timedelta(seconds=here.uptime.awake_s - self.heard.awake_s)
        return abs(here.at - self.heard_at)

    def is_fresh(self, here: Mark) -> bool:
        """Whether its holder need not say yet that it is there."""
        age = self.age(here)
        return age is not None and age < LEASE_RENEWED

    def is_held(self, here: Mark) -> bool:
        """Whether its holder was heard lately."""
        age = self.age(here)
        return age is not None and age < LEASE_LASTS
