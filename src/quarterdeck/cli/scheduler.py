"""`scheduler`: the loop that moves runs on while no screen is open, or one round of it."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from quarterdeck.cli.base import Command, pass_session
from quarterdeck.cli.session import Session
from quarterdeck.model.errors import ConflictError, QuarterdeckError
from quarterdeck.model.instants import format_instant
from quarterdeck.present import ages, columns

if TYPE_CHECKING:
    from quarterdeck.model.lease import Lease
    from quarterdeck.scheduler.loop import Loop, Round


@click.command(cls=Command, example="quarterdeck scheduler --once")
@click.option("--once", is_flag=True, help="One round, then end.")
@pass_session
def scheduler(session: Session, once: bool) -> None:
    """Take every unfinished run to where it really stands, until it is ended; --once: one round.

    One process of a workspace at a time holds the lease; a second one waits until the first is not heard for 30 s.
    """
    from quarterdeck.scheduler import loop

    session.demand_writable("scheduler")
    services, holder = session.services, loop.this_process(session.services)
    teller = _Teller(session)
    rounds = loop.Loop(services, holder, teller.tell, teller.failed)
    if once:
        done = rounds.step()
        if not done.is_ours:
            raise ConflictError(
                f"The scheduler's lease is held by {_whom(session, done.lease)}.",
                advice="Let that process make the rounds, or end it.",
            )
        services.leases.give_back(holder)
        _answer(session, done)
        return
    with _ended_by_signals(rounds):
        rounds.run()
    session.out.note("The lease is given back; runs go on.")


def _answer(session: Session, done: Round) -> None:
    if session.out.as_json:
        document = {"fired": [], "skipped": [], "reconciled": list(done.reconciled)}
        session.out.document(document)
        session.tell_passed_over()
    else:
        rows = [dict(one) for one in done.reconciled]
        session.listing(rows, columns.RECONCILED, "No run is unfinished.")


def _whom(session: Session, lease: Lease) -> str:
    heard_at = session.services.leases.heard_at(lease)
    heard = format_instant(heard_at) if heard_at else None
    age = f", last heard {ages.age(heard, session.now())}" if heard else ""
    return f"process {lease.holder.pid} on {lease.holder.host}{age}"


class _Teller:
    """Says on standard output what rounds did: once who holds the lease, then each run that moved."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._said = ""
        self._passed_over: set[str] = set()

    def tell(self, done: Round) -> None:
        """Say what is new of a round."""
        holder = done.lease.holder
        if done.is_ours:
            self._once("holds", f"holds the lease: process {holder.pid} on {holder.host}")
        else:
            whom = _whom(self._session, done.lease)
            was = "stepped down; " if self._said == "holds" else ""
            self._once(f"waits {holder.token}", f"{was}waits: the lease is held by {whom}")
        for one in done.moved:
            self._say(f"run {one['run']} of {one['job']}: {one['before']} -> {one['state']}", one)
        for one in done.checked:
            self._say(f"cluster {one['cluster']}: {one['before']} -> {one['status']}", one)
        for where, text in self._session.services.context.passed_over.items():
            if where not in self._passed_over:
                self._passed_over.add(where)
                self._say(f"passed over: {text}", {"passed_over": where, "message": text})

    def failed(self, error: QuarterdeckError) -> None:
        """Say what kept a round from being made."""
        self._said = ""
        self._say(f"no round: {error.message} {error.advice}".rstrip(), {"failed": error.message})

    def _once(self, key: str, text: str) -> None:
        if self._said != key:
            self._said = key
            self._say(text, {"lease": text})

    def _say(self, text: str, document: object) -> None:
        if self._session.out.as_json:
            self._session.out.one_line(document)
        else:
            self._session.out.say(f"{format_instant(self._session.now())[:19]}Z {text}")
        sys.stdout.flush()


@contextlib.contextmanager
def _ended_by_signals(rounds: Loop) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP end the loop after the round that is being made."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {one: signal.signal(one, lambda *_: rounds.stop()) for one in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
