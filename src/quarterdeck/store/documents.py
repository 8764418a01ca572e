"""The store that the service sees: documents as dataclasses over a backend, with audit and artifacts.

Opening one is `open`'s; TinyDB's interface to the same documents is `table`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from quarterdeck.model.errors import DamagedDocumentError, NotFoundError, StoreRefusedError
from quarterdeck.ports.store import Change, Documents, Finding, Ids, Kept, Row, Where
from quarterdeck.store import faults, guard, standings
from quarterdeck.store.artifacts import ArtifactFolder
from quarterdeck.store.indexes import INDEXES, noun

if TYPE_CHECKING:
    from quarterdeck.model.actor import Actor
    from quarterdeck.model.clock import WallClock
    from quarterdeck.model.ids import Rev
    from quarterdeck.model.instants import Clock
    from quarterdeck.model.job import Definition, Draft, Job, Revision, Version, Workspace
    from quarterdeck.model.lease import Lease
    from quarterdeck.model.run import Run
    from quarterdeck.ports.store import Audit, Backend, Collection

T = TypeVar("T")
Decode = Callable[[Mapping[str, Any]], Any]


class DocumentCollection(Generic[T]):
    """Documents of one table; `actor` is None outside a transaction, and then it is for reading."""

    def __init__(
        self,
        backend: Backend,
        table: str,
        decode: Callable[[Mapping[str, Any]], T],
        clock: Clock,
        actor: str | None,
    ) -> None:
        self._backend = backend
        self._table = table
        self._decode = decode
        self._clock = clock
        self._actor = actor

    def find(self, id: str, *, sound: bool = False) -> Kept[T] | None:  # the design's word
        """Return the document with its revision, or None.

        Inside a transaction it is held against its hash: what is read there is written somewhere else.
        """
        row = self._backend.get(self._table, id, sound=sound or self._actor is not None)
        return None if row is None else self._kept(row)

    def get(self, id: str, *, sound: bool = False) -> Kept[T]:
        """Return the document; NotFoundError names its kind and id."""
        found = self.find(id, sound=sound)
        if found is None:
            raise NotFoundError(f"There is no {noun(self._table)} {id}.")
        return found

    def put(self, value: T, *, seen: Rev | None) -> Rev:
        """Write it as the transaction's actor; StaleError or ConflictError says who wrote."""
        from quarterdeck.model.codec import to_document

        body = to_document(value)
        by = self._writer()
        return self._backend.put(self._table, body["id"], body, seen=seen, by=by, at=self._clock())

    def delete(self, id: str, *, seen: Rev) -> None:
        """Remove it as the transaction's actor."""
        self._backend.delete(self._table, id, seen=seen, by=self._writer(), at=self._clock())

    def page(
        self,
        *where: Where,
        order: str = "id",
        descending: bool = False,
        after: str | None = None,
        offset: int = 0,
        limit: int = 50,
    ) -> list[Kept[T]]:
        """Return a page; see `ports.store.Backend.page`."""
        rows = self.rows(
            *where, order=order, descending=descending, after=after, offset=offset, limit=limit
        )
        return [self._kept(row) for row in rows]

    def readable(
        self, *where: Where, order: str = "id", limit: int = 50
    ) -> tuple[list[Kept[T]], list[DamagedDocumentError]]:
        """Return those of a page that can be read, and an error for each of the others."""
        found: list[Kept[T]] = []
        damaged: list[DamagedDocumentError] = []
        for row in self.rows(*where, order=order, limit=limit, flawed=True):
            try:
                found.append(self._kept(row))
            except DamagedDocumentError as error:
                damaged.append(error)
        return found, damaged

    def rows(
        self,
        *where: Where,
        order: str = "id",
        descending: bool = False,
        after: str | None = None,
        offset: int = 0,
        limit: int = 50,
        flawed: bool = False,
    ) -> list[Row]:
        """Return a page as plain data; `flawed`: a row that cannot be read comes with its flaw."""
        return self._backend.page(
            self._table, where=where, order=order, descending=descending, after=after,
            offset=offset, limit=limit, flawed=flawed,
        )  # fmt: skip

    def count(self, *where: Where) -> int:
        """Return how many match."""
        return self._backend.count(self._table, where)

    def _writer(self) -> str:
        if self._actor is None:
            raise RuntimeError(f"a {noun(self._table)} is written inside a transaction")
        return self._actor

    def _kept(self, row: Row) -> Kept[T]:
        where = f"{self._table}/{row.id}"
        if row.flaw:
            raise faults.altered(where, row.flaw)
        try:
            return Kept(self._decode(row.body), row.rev, row.by, row.at)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            for finding in self._backend.unsound(self._table, [row.id]):
                raise faults.altered(*finding) from None
            raise faults.unknown(where, noun(self._table), error) from error


def _decoder(module: str, name: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return how to make a model of a document; its module is loaded with the first one."""

    def decode(body: Mapping[str, Any]) -> Any:
        from quarterdeck.model.codec import from_document

        return from_document(getattr(import_module(f"quarterdeck.model.{module}"), name), body)

    return decode


DECODERS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "workspace": _decoder("job", "Workspace"),
    "definitions": _decoder("job", "Definition"),
    "revisions": _decoder("job", "Revision"),
    "jobs": _decoder("job", "Job"),
    "versions": _decoder("job", "Version"),
    "drafts": _decoder("job", "Draft"),
    "runs": _decoder("run", "Run"),
    "frozen": dict,
    "leases": _decoder("lease", "Lease"),
    "clocks": _decoder("clock", "WallClock"),
    standings.TABLE: dict,
}


class _Collections:
    """The collections for one actor, or for reading. Standings are nobody's to write."""

    workspace: Collection[Workspace]
    definitions: Collection[Definition]
    revisions: Collection[Revision]
    jobs: Collection[Job]
    versions: Collection[Version]
    drafts: Collection[Draft]
    runs: Collection[Run]
    frozen: Collection[Mapping[str, Any]]
    leases: Collection[Lease]
    clocks: Collection[WallClock]

    def _collect(self, backend: Backend, clock: Clock, actor: str | None) -> None:
        self._of = (backend, clock, actor)
        for table, decode in DECODERS.items():
            if table == standings.TABLE:
                continue
            setattr(self, table, DocumentCollection(backend, table, decode, clock, actor))

    @cached_property
    def audit(self) -> Audit:
        """The trail, for this actor."""
        from quarterdeck.store.audit import AuditTrail

        return AuditTrail(*self._of)


class _Transaction(_Collections):
    def __init__(self, backend: Backend, clock: Clock, actor: str) -> None:
        self._collect(backend, clock, actor)


def _standings_in_memory(backend: Backend) -> Backend:
    from quarterdeck.store.memory import MemoryBackend  # rarely needed

    copy = MemoryBackend({standings.TABLE: INDEXES[standings.TABLE]})
    standings.fill(backend, copy)
    return copy


class DocumentStore(_Collections):
    """See `ports.store.Store`. `damage` names what is wrong with a store opened for reading.

    `notices` are what opening it did that a person should know.
    """

    folder: str

    def __init__(
        self,
        backend: Backend,
        folder: Path,
        clock: Clock,
        *,
        read_only: bool = False,
        shared: bool = False,
        damage: str = "",
        notices: Sequence[str] = (),
    ) -> None:
        self.folder = str(folder)
        self.damage = damage
        self.notices = tuple(notices)
        self.read_only = read_only
        self.backend = backend
        self._clock = clock
        self.artifacts = ArtifactFolder(folder / guard.ARTIFACTS, shared=shared)
        self._collect(backend, clock, None)
        self._standings = self._reading(backend)
        self._copied_at = -1

    @property
    def standings(self) -> Collection[Mapping[str, Any]]:
        """How each job stands; see `standings`.

        An older store that is open for reading only keeps none: they are made in memory, anew after each change.
        """
        if self._copied_at < 0 and self.backend.keeps_standings():
            return self._standings
        newest = self.last_change()
        if self._copied_at != newest:
            self._standings = self._reading(_standings_in_memory(self.backend))
            self._copied_at = newest
        return self._standings

    def jobs_where(self, *where: Where) -> Ids | list[str]:
        """Return what an `in` over the job of other documents takes for the jobs whose standings match."""
        if self.backend.keeps_standings():
            return Ids(standings.TABLE, where)
        return [row.id for row in self.standings.rows(*where, limit=self.standings.count(*where))]

    def _reading(self, backend: Backend) -> DocumentCollection[Mapping[str, Any]]:
        return DocumentCollection(backend, standings.TABLE, dict, self._clock, None)

    @contextmanager
    def transaction(self, actor: Actor | str) -> Iterator[Documents]:
        """Open a transaction whose writes are `actor`'s; what it gives is for inside it only."""
        name = actor if isinstance(actor, str) else actor.name
        with self.backend.transaction():
            yield _Transaction(self.backend, self._clock, name)

    def changes(self, since: int, limit: int = 1_000) -> list[Change]:
        """Return the last change of each document that changed after `since`, oldest first."""
        return self.backend.changes(since, limit)

    def last_change(self) -> int:
        """Return the newest change's number."""
        return self.backend.last_change()

    def unsound(self, *documents: tuple[str, str]) -> list[Finding]:
        """Return those of the documents (table, id) that are not as they were written, with both hashes.

        Without any they are sought among all that there are.
        """
        if not documents:
            from quarterdeck.store import verify

            return verify.changed_rows(self.backend)
        return [
            finding for table, id_ in documents for finding in self.backend.unsound(table, [id_])
        ]

    def demand_sound(self, *documents: tuple[str, str]) -> None:
        """Raise DamagedDocumentError for the first of the documents that is not as it was written."""
        for finding in self.unsound(*documents):
            raise faults.altered(*finding)

    def artifact_put(self, content: bytes) -> str:
        """Keep `content` durably under its SHA-256 and return that."""
        if self.damage:
            raise faults.damaged(str(self.folder), self.damage)
        if self.read_only:
            raise StoreRefusedError(
                f"{self.folder} is open for reading only; nothing was written.",
                advice="Leave out --read-only to write.",
            )
        return self.artifacts.put(content)

    def artifact_path(self, sha256: str) -> str:
        """Return where the artifact lies; NotFoundError if it is not kept."""
        return str(self.artifacts.path(sha256))

    def verify(self) -> list[Finding]:
        """Check database, documents, revisions, version numbers, audit chain and artifacts."""
        from quarterdeck.store import verify  # not on the way to a list

        return verify.findings(self.backend, DECODERS, self.artifacts, self.damage)

    def lost(self) -> set[str]:
        """Return what repairs could not keep, as table/id or the file's path in the store."""
        from quarterdeck.store import audit

        return audit.losses(self.backend)

    def wide_files(self) -> list[str]:
        """Return the files and folders that others than the owner (or group) may use."""
        return [str(path) for path in guard.wide_files(Path(self.folder))]

    def stats(self) -> Mapping[str, Any]:
        """Return documents, bytes, changes, growth and format; see `stats.measure`."""
        from quarterdeck.store import stats

        return stats.measure(self.backend, Path(self.folder), self._clock())

    def backup(self, target: str) -> Mapping[str, Any]:
        """Write a consistent copy while in use; see `backup.write`."""
        from quarterdeck.store import backup

        return backup.write(self.backend, Path(self.folder), Path(target), self._clock())

    def close(self) -> None:
        """Release files and connections."""
        self.backend.close()
