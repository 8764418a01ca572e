"""What an attempt is made of at its place, and what that says of it lately: to be looked at, kept nowhere."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Part:
    """One pod: `role` is driver or worker-N; `why` is what it waits for or ended with, if it says so."""

    name: str
    role: str
    node: str
    phase: str
    restarts: int
    made_at: datetime | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the place: when it came last, how often, about what, its reason and its words."""

    at: datetime | None
    about: str
    reason: str
    message: str
    count: int = 1
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts, driver first, and events, the newest first; empty where an attempt is one process."""

    parts: tuple[Part, ...] = ()
    events: tuple[Told, ...] = ()
