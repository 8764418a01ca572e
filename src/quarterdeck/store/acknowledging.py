"""Between a commit and its acknowledgement: the head of one database is held against it, and written behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.model.errors import StoreFaultError, StoreRefusedError
from quarterdeck.store import faults, head
from quarterdeck.store.head import Head, HeadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarterdeck.store.head import Mark
    from quarterdeck.store.sums import Totals


class Acknowledging:
    """The part of a database that knows its head. `fault` is why it could not be written."""

    def __init__(self, kept: Head, database: Path) -> None:
        self.fault = ""
        self._head = kept
        self._database = database
        self._owed: Mark | None = None  # committed, and not in the head yet: its disk was full

    def unlike(self, totals: Callable[[], Totals]) -> str:
        """Return in words why all that was acknowledged cannot be there; empty if it may be.

        `totals` reads them from the database: after the head, for others may go on meanwhile.
        """
        try:
            mark = self._head.read()
        except HeadError as error:
            return str(error)
        if mark is None:
            return f"the head beside it ({self._head.path.name}) is missing: it was removed"
        return head.difference(mark, totals())

    def unlike_old(self, last_change: Callable[[], int]) -> str:
        """Return the same for a database of format 1, that has a head only if its migration was cut off."""
        try:
            mark = self._head.read()
        except HeadError:
            return ""
        seq = last_change()
        return head.behind(seq, mark.seq) if mark is not None and mark.seq > seq else ""

    def catch_up(self, done: Mark) -> str:
        """Bring a head that is behind up to date; returns in words why that cannot be."""
        try:
            self._head.write(done)
        except (OSError, HeadError) as error:
            return f"the head beside it cannot be written ({error})"
        return ""

    def demand_ready(self) -> None:
        """Refuse to begin a change whose acknowledgement could not be written."""
        if self._owed is not None:
            owed, self._owed = self._owed, None
            self.acknowledge(owed)

    def demand_in_place(self) -> None:
        """Refuse to write beside a head that is no longer the one at its path."""
        try:
            is_there = self._head.is_in_place()
        except OSError as error:
            raise StoreFaultError(
                f"{self._head.path} cannot be written ({error.strerror}); nothing was written.",
                advice="Check the rights of the store's files, and its disk.",
            ) from error
        if not is_there:
            raise StoreRefusedError(
                f"{self._head.path} was exchanged or taken away while it was open; nothing was written.",
                advice="Open the store again.",
            )

    def demand_reached(self, totals: Totals) -> None:
        """Refuse to write to a database that stands behind what this process knows to be acknowledged.

        The write lock must be held: nobody else is ahead then.
        """
        known = self._head.known
        if known is not None and known.store == totals.store and known.seq > totals.seq:
            raise faults.damaged(str(self._database), head.behind(totals.seq, known.seq))

    def acknowledge(self, done: Mark) -> None:
        """Write the head behind a commit. Until it is there nothing is acknowledged, nor written."""
        try:
            self._head.write(done)
        except (OSError, HeadError) as error:
            if getattr(error, "errno", None) in faults.NO_ROOM:
                self._owed = done
            else:
                self.fault = str(error)
            raise StoreFaultError(
                f"The change is in {self._database}, but the head beside it could not be written"
                f" ({error}), so it is not confirmed.",
                advice="Check the disk; then read what is there before the change is repeated.",
            ) from error

    def close(self) -> None:
        """Release the file."""
        self._head.close()
