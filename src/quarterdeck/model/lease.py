"""The scheduler's lease: which process moves runs on while nobody looks, and when it was last heard."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

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
    """The one document of its kind; `heard_at` is None once it was given back."""

    id: str
    holder: Holder
    taken_at: datetime
    heard_at: datetime | None

    def is_fresh(self, now: datetime) -> bool:
        """Whether its holder need not say yet that it is there."""
        return self.heard_at is not None and now - self.heard_at < LEASE_RENEWED

    def is_held(self, now: datetime) -> bool:
        """Whether its holder was heard lately."""
        return self.heard_at is not None and now - self.heard_at < LEASE_LASTS
