"""The scheduler's lease: taken, kept and given back by one process of the workspace at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quarterdeck.model.lease import LEASE_ID, Lease

if TYPE_CHECKING:
    from datetime import datetime

    from quarterdeck.model.lease import Holder
    from quarterdeck.service.context import Context


class Leases:
    """Use cases on the one lease."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def held(self) -> Lease | None:
        """Return the lease if its holder was heard lately."""
        kept = self._context.ports.store.leases.find(LEASE_ID)
        here = self._context.mark()
        if kept is None or not kept.value.is_held(here):
            return None
        return kept.value

    def heard_at(self, lease: Lease) -> datetime | None:
        """Return when its holder was heard last, as our clock shows it."""
        here = self._context.mark()
        age = lease.age(here)
        return None if age is None else here.at - age

    def take(self, holder: Holder, is_alive: Callable[[Holder], bool] = lambda _: True) -> Lease:
        """Take the lease, or keep it, and return it; another's, if that one was heard lately and may be alive."""
        here = self._context.mark()
        with self._context.transaction("taking the scheduler's lease") as tx:
            kept = tx.leases.find(LEASE_ID)
            taken_at = here.at
            if kept is not None:
                before = kept.value
                is_ours = before.holder == holder
                is_others = not is_ours and before.is_held(here) and is_alive(before.holder)
                if is_others or (is_ours and before.is_fresh(here)):
                    return before
                taken_at = before.taken_at if is_ours else here.at
            lease = Lease(LEASE_ID, holder, taken_at, here.at, here.uptime)
            tx.leases.put(lease, seen=kept.rev if kept is not None else None)
        return lease

    def give_back(self, holder: Holder) -> None:
        """Let the next one have it at once; nothing happens if another holds it by now."""
        with self._context.transaction("giving back the scheduler's lease") as tx:
            kept = tx.leases.find(LEASE_ID)
            if kept is not None and kept.value.holder == holder:
                lease = Lease(LEASE_ID, holder, kept.value.taken_at, None)
                tx.leases.put(lease, seen=kept.rev)
