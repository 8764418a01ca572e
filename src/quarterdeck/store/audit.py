"""The audit trail: records numbered without holes, each chained to the one before by its hash.

Who may read which record is `policy`'s.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from quarterdeck.model.codec import from_document, to_document
from quarterdeck.model.instants import Clock, format_instant, parse_instant, seconds_between
from quarterdeck.model.job import AuditRecord
from quarterdeck.ports.store import Backend, Finding, Row, Where
from quarterdeck.store import hashes

TABLE: Final = "audit"
REPAIR: Final = "store.repair"  # the act whose records say what was lost
_REPAIRS: Final = 10_000


def canonical(value: object) -> str:
    """Return `value` as JSON text that is the same for equal values."""
    document = to_document(value)
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: object) -> str | None:
    """Return the SHA-256 of a value's canonical JSON; None for None."""
    return None if value is None else hashes.of_bytes(canonical(value).encode())


def record_hash(body: Mapping[str, Any]) -> str:
    """Return the hash of a record: of all that it holds but the hash."""
    return str(digest({key: value for key, value in body.items() if key != "hash"}))


def record_id(seq: int) -> str:
    """Return the document id of record `seq` (1 is the first); ids sort by number."""
    return f"{seq:012d}"


class AuditTrail:
    """The trail in a backend; `actor` is None where nobody acts, and then it is for reading."""

    def __init__(self, backend: Backend, clock: Clock, actor: str | None = None) -> None:
        self._backend = backend
        self._clock = clock
        self._actor = actor

    def append(  # noqa: PLR0913  # the port's words, all but two by name
        self,
        action: str,
        subject: str,
        *,
        name: str = "",
        team: str | None = None,
        before: object = None,
        after: object = None,
        outcome: str = "done",
        merge_s: float | None = None,
        lost: Sequence[str] = (),
    ) -> None:
        """Record the act in the transaction under way; see `ports.store.Audit.append`."""
        if self._actor is None:
            raise RuntimeError("an act is recorded inside a transaction")
        now = self._clock()
        newest = self._newest()
        act = {
            "actor": self._actor,
            "action": action,
            "subject": subject,
            "subject_name": name,
            "team": team,
            "outcome": outcome,
        }
        if merge_s is not None and newest is not None and _is_same(newest, act, now, merge_s):
            body = {
                **newest.body,
                "after": digest(after),
                "at": format_instant(now),
                "times": newest.body["times"] + 1,
            }
            seen = newest.rev
        else:
            seq = newest.body["seq"] + 1 if newest else 1
            while f"{TABLE}/{record_id(seq)}" in lost:
                seq += 1
            body = {
                "id": record_id(seq),
                "seq": seq,
                **act,
                "at": format_instant(now),
                "before": digest(before),
                "after": digest(after),
                "previous": newest.body["hash"] if newest else "",
                "times": 1,
            }
            seen = None
        if lost:
            body["lost"] = list(lost)
        body["hash"] = record_hash(body)
        self._backend.put(TABLE, body["id"], body, seen=seen, by=self._actor, at=now)

    def page(
        self, *where: Where, descending: bool = True, after: str | None = None, limit: int = 50
    ) -> list[AuditRecord]:
        """Return records, newest first."""
        rows = self._backend.page(
            TABLE, where=where, descending=descending, after=after, limit=limit
        )
        return [from_document(AuditRecord, row.body) for row in rows]

    def _newest(self) -> Row | None:
        found = self._backend.page(TABLE, descending=True, limit=1)
        return found[0] if found else None


def _is_same(newest: Row, act: Mapping[str, Any], now: datetime, merge_s: float) -> bool:
    """Return whether `act` repeats the newest record within `merge_s` seconds."""
    same = all(newest.body[key] == value for key, value in act.items())
    return same and seconds_between(parse_instant(newest.body["at"]), now) <= merge_s


def losses(backend: Backend) -> set[str]:
    """Return what repairs could not keep, as their records say."""
    found = backend.page(TABLE, where=[Where("action", "=", REPAIR)], limit=_REPAIRS)
    return {name for row in found for name in row.body.get("lost", ())}


def broken(rows: Iterable[Row], lost: Container[str] = ()) -> Iterator[Finding]:
    """Yield the first record at which the chain does not hold; `rows` are all, by id, but those `lost`."""
    previous: str | None = ""
    seq = 0
    for row in rows:
        seq += 1
        while f"{TABLE}/{record_id(seq)}" in lost and row.id != record_id(seq):
            seq, previous = seq + 1, None  # what the lost one said of itself nobody knows
        where = f"{TABLE}/{row.id}"
        if row.body.get("seq") != seq or row.id != record_id(seq):
            yield Finding(where, f"stands where record {seq} should: one is missing or added")
            return
        if previous not in (None, row.body.get("previous")):
            yield Finding(where, "does not follow the record before it: that one was changed")
            return
        previous = row.body.get("hash", "")
        if previous != record_hash(row.body):
            yield Finding(where, "was changed after it was written: its hash does not fit")
            return
