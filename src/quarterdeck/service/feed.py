"""What changed since: the store's change feed for screens and followers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.ports.store import Change
    from quarterdeck.service.context import Context


@dataclass
class Changes:
    """Reads the feed from where it stood when made; `read` returns each change once."""

    context: Context
    since: int = field(default=-1)

    def __post_init__(self) -> None:
        """Begin at the newest change."""
        if self.since < 0:
            self.since = self.context.ports.store.last_change()

    def read(self) -> list[Change]:
        """Return what changed since the last call, over all processes."""
        found = self.context.ports.store.changes(self.since)
        if found:
            self.since = found[-1].seq
        return found
