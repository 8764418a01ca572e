"""Rounds of the scheduler: keep the lease, move runs on, archive and clean up; one holder per workspace."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from quarterdeck.model.errors import QuarterdeckError
from quarterdeck.model.lease import Holder, Lease

if TYPE_CHECKING:
    from quarterdeck.service.bundle import Services

TURN_S: Final = 2.0  # between rounds
SWEEP_AFTER: Final = timedelta(minutes=10)  # how often what came late for ended runs is looked for
SWEEP_S: Final = 5.0  # of a round at most: the lease must be heard of
BACK_OFF_S: Final = (2.0, 5.0, 10.0, 20.0)  # after rounds that failed; the last one stays


class Round(NamedTuple):
    """What one round did: the lease as it stands, and the runs that were taken up if it is ours."""

    lease: Lease
    is_ours: bool
    reconciled: Sequence[Mapping[str, Any]] = ()
    checked: Sequence[Mapping[str, Any]] = ()  # clusters whose status is another one now

    @property
    def moved(self) -> list[Mapping[str, Any]]:
        """The runs whose state changed."""
        return [one for one in self.reconciled if one["before"] != one["state"]]


def this_process(services: Services) -> Holder:
    """Return this process as a holder."""
    token = services.ports.new_id("s")
    return Holder(socket.gethostname(), os.getpid(), services.context.who, token)


def is_alive(holder: Holder) -> bool:
    """Whether the holder may be alive: another host's always may, this one's if its process id is in use."""
    if holder.host != socket.gethostname():
        return True
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Loop:
    """Makes rounds until it is stopped; `tell` is given each round, `failed` what kept one from being made."""

    def __init__(
        self,
        services: Services,
        holder: Holder,
        tell: Callable[[Round], None],
        failed: Callable[[QuarterdeckError], None],
    ) -> None:
        self._services = services
        self._holder = holder
        self._tell = tell
        self._failed = failed
        self._stopped = threading.Event()
        self._swept_s: float | None = None  # how long the machine had been up then

    def step(self) -> Round:
        """Make one round: nothing but a look at the lease while another holds it."""
        lease = self._services.leases.take(self._holder, is_alive)
        if lease.holder != self._holder:
            return Round(lease, is_ours=False)
        self._services.clocks.notice()
        upkeep, now_s = self._services.upkeep, self._services.ports.uptime().up_s
        reconciled = upkeep.reconcile_all()
        done = Round(lease, is_ours=True, reconciled=reconciled, checked=upkeep.check_clusters())
        if self._swept_s is None or now_s - self._swept_s >= SWEEP_AFTER.total_seconds():
            until = time.monotonic() + SWEEP_S
            if upkeep.sweep(lambda: self._stopped.is_set() or time.monotonic() > until):
                self._swept_s = now_s
        return done

    def run(self) -> None:
        """Make rounds until `stop`, then give the lease back."""
        failures = 0
        while not self._stopped.is_set():
            try:
                done = self.step()
            except QuarterdeckError as error:
                self._failed(error)
                wait_s = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
                failures += 1
            else:
                self._tell(done)
                wait_s = TURN_S
                failures = 0
            self._stopped.wait(wait_s)
        self._services.leases.give_back(self._holder)

    def stop(self) -> None:
        """End after the round that is being made; may be called by a signal's handler."""
        self._stopped.set()
