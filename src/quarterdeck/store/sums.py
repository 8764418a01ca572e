"""Hashes of rows, and what all rows add up to: how a row that was changed, lost or put back is noticed. No I/O.

Reading and writing rows is `sqlite`'s, keeping the newest sum outside the database `head`'s.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from quarterdeck.store import hashes

GONE: Final = "gone"  # as the name of a table: rows that were deleted
_HISTORY: Final = (
    640  # characters; eight changes: so many writers may stop between commit and head
)

ALL: Final = 1 << 256


def of_row(table: str, id: str, rev: int, by: str, at: str, seq: int, body: str) -> str:  # a row
    """Return the SHA-256 of a row as it is stored, in hex; bytes that are no text are escaped in `body`."""
    text = f"{table}\0{id}\0{rev}\0{by}\0{at}\0{seq}\0{body}"
    return hashes.of_bytes(text.encode("utf-8", "surrogateescape"))


def of_gone(table: str, id: str, rev: int, by: str, at: str, seq: int) -> str:  # a row
    """Return the SHA-256 of the record that a row was deleted."""
    return of_row(GONE, f"{table}\0{id}", rev, by, at, seq, "")


def altered(found: str, written: object) -> str:
    """Return in words that a row has the hash `found`, but was `written` with another; empty if it was not."""
    if found == written:
        return ""
    return (
        f"was changed after it was written: its SHA-256 is {found},"
        f" it was written with {written or 'none'}"
    )


def number(sha256: object) -> int:
    """Return a hash as the number that is added up; 0 for what is none."""
    try:
        return int(sha256, 16) if isinstance(sha256, str) else 0
    except ValueError:
        return 0


class Totals(NamedTuple):
    """One row of the database: which store it is, its newest change, and the sum of the hashes of all rows.

    `history` is `SEQ:CHAIN` of the last changes that were committed, newest first; a chain is the hash of store,
    change and sum at that time.
    """

    store: str
    seq: int
    total: int
    history: str

    def columns(self) -> tuple[str, int, str, str]:
        """Return the row as it is stored."""
        return self.store, self.seq, f"{self.total:064x}", self.history

    def counted(self, added: str, removed: str = "") -> Totals:
        """Return the totals after one more change that added and removed these rows, by their hashes."""
        total = (self.total + number(added) - (number(removed) if removed else 0)) % ALL
        return Totals(self.store, self.seq + 1, total, self.history)

    def sealed(self) -> Totals:
        """Return the totals as they are committed: with their own chain in the history."""
        history = f"{self.seq}:{self._own_chain()} {self.history}"
        if len(history) > _HISTORY:
            history = history[: history.rindex(" ", 0, _HISTORY)]
        return Totals(self.store, self.seq, self.total, history)

    @property
    def chain(self) -> str:
        """The chain of the newest change, as it was written."""
        return self.history.partition(" ")[0].partition(":")[2]

    def chain_at(self, seq: int) -> str | None:
        """Return the chain of that change; None if it is not kept."""
        for one in self.history.split():
            at, _, chain = one.partition(":")
            if at == str(seq):
                return chain
        return None

    def flaw(self) -> str:
        """Return what is wrong with the row itself; empty for nothing."""
        if self.chain_at(self.seq) == self.chain == self._own_chain():
            return ""
        return "the sum of its rows was changed after it was written"

    def _own_chain(self) -> str:
        return hashes.of_bytes(f"{self.store} {self.seq} {self.total:064x}".encode())


def begun(store: str, seq: int = 0, total: int = 0) -> Totals:
    """Return the totals with which a store's history begins."""
    return Totals(store, seq, total % ALL, "").sealed()
