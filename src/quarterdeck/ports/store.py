"""What the service asks of a store, and what a store asks of its backend. Implementations: `store`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

    from quarterdeck.model.actor import Actor
    from quarterdeck.model.clock import WallClock
    from quarterdeck.model.errors import DamagedDocumentError
    from quarterdeck.model.ids import Rev
    from quarterdeck.model.job import (
        AuditRecord,
        Definition,
        Draft,
        Job,
        Revision,
        Version,
        Workspace,
    )
    from quarterdeck.model.lease import Lease
    from quarterdeck.model.run import Run

T = TypeVar("T")
Op = Literal["=", "!=", "<", "<=", ">", ">=", "in", "contains", "any"]


class Where(NamedTuple):
    """One condition over a declared field; several are joined by AND.

    `in` takes a sequence of values or `Ids`, `contains` one of texts: a text field holds at least one of them, by
    code points. `any` takes a sequence of conditions, of which at least one holds; its field is empty.
    None compares as SQL's IS NULL with `=` and IS NOT NULL with `!=`.
    """

    field: str
    op: Op
    value: Any


class Ids(NamedTuple):
    """In the place of an `in`'s values: the ids of those rows of `table` that match."""

    table: str
    where: tuple[Where, ...]


class Row(NamedTuple):
    """A document as the backend keeps it: `by` and `at` are its last writer's.

    `flaw`: why it cannot be read, both hashes or words; then there is nothing in its body.
    """

    id: str
    rev: Rev
    body: Mapping[str, Any]
    by: str
    at: datetime
    flaw: str = ""


class Change(NamedTuple):
    """One line of the change feed; `seq` grows over all tables and processes."""

    seq: int
    table: str
    id: str
    rev: Rev | None  # None: deleted
    by: str


class Finding(NamedTuple):
    """What `verify` found wrong: where (table/id, file) and what."""

    where: str
    what: str


class ToRestore(NamedTuple):
    """What a restore was shown to rest on: the backup's hash and time, and the store in place.

    `change` is the number of that store's newest change, `newest` when it was made, `folder` its inode; all None
    where there is none that can be read.
    """

    sha256: str
    created_at: datetime
    change: int | None
    newest: str | None
    folder: int | None


class Backend(Protocol):
    """Transactional rows by table and id. Callable from any thread; one suite holds every implementation.

    `put` and `delete` outside a `transaction` are transactions of their own. Acknowledged means: survives
    `kill -9` and power loss. Each row carries the hash of its bytes; a row that they do not fit is not written
    over. Raises StaleError, ConflictError (lock not given in 5 s), StoreFaultError, DamagedDocumentError.
    """

    def get(self, table: str, id: str, *, sound: bool = False) -> Row | None:
        """Return the row, or None; with `sound`, DamagedDocumentError for one that is not as it was written."""
        ...

    def unsound(self, table: str, ids: Sequence[str]) -> list[Finding]:
        """Return those of these rows that are not as they were written, with both hashes; not those missing."""
        ...

    def put(
        self,
        table: str,
        id: str,
        body: Mapping[str, Any],
        *,
        seen: Rev | None,
        by: str,
        at: datetime,
    ) -> Rev:
        """Write the row; `seen` is the revision it had (None: it must not exist). StaleError says who wrote."""
        ...

    def delete(self, table: str, id: str, *, seen: Rev, by: str, at: datetime) -> None:
        """Remove the row seen at `seen`."""
        ...

    def page(  # noqa: PLR0913  # what a page is
        self, table: str, *, where: Sequence[Where] = (), order: str = "id", descending: bool = False,
        after: str | None = None, offset: int = 0, limit: int = 50, flawed: bool = False,
    ) -> list[Row]:  # fmt: skip
        """Return at most `limit` rows behind the row with id `after`, by the declared field `order`, then id.

        `offset` rows of these are passed over. Reads by index; a field that is not declared is a ValueError.
        `flawed`: a row that cannot be read comes with its flaw, and is no DamagedDocumentError.
        """
        ...

    def scan(self, table: str) -> Iterable[Row]:
        """Yield every row by id, a batch at a time; for TinyDB's own conditions and for verify."""
        ...

    def count(self, table: str, where: Sequence[Where] = ()) -> int:
        """Return how many rows match."""
        ...

    def changes(self, since: int, limit: int = 1_000) -> list[Change]:
        """Return what changed after `since`, oldest first; of one row only its last change need be told."""
        ...

    def last_change(self) -> int:
        """Return the sequence number of the newest change; 0 for none."""
        ...

    def keeps_standings(self) -> bool:
        """Whether the table `standings` is up to date with every write of a job, draft or run."""
        ...

    def one_view(self) -> AbstractContextManager[None]:
        """Let several reads see one state, though others write meanwhile."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Everything inside happens or nothing does; nested calls join. The write lock is taken at once."""
        ...

    def tables(self) -> list[str]:
        """Return the names of the tables that exist."""
        ...

    def close(self) -> None:
        """End this thread's and all other connections."""
        ...


class Collection(Protocol, Generic[T]):
    """Documents of one kind. Revisions travel beside the value: `Kept`."""

    def find(self, id: str) -> Kept[T] | None:
        """Return the document with its revision, or None."""
        ...

    def get(self, id: str, *, sound: bool = False) -> Kept[T]:
        """Return the document; NotFoundError names its kind and id. `sound`: see Backend.get."""
        ...

    def put(self, value: T, *, seen: Rev | None) -> Rev:
        """Write it; StaleError says who wrote what meanwhile. Only inside a transaction."""
        ...

    def delete(self, id: str, *, seen: Rev) -> None:
        """Remove it. Only inside a transaction."""
        ...

    def page(
        self, *where: Where, order: str = "id", descending: bool = False, after: str | None = None,
        offset: int = 0, limit: int = 50,
    ) -> list[Kept[T]]:  # fmt: skip
        """Return a page; see Backend.page. DamagedDocumentError for the first that cannot be read."""
        ...

    def readable(
        self, *where: Where, order: str = "id", limit: int = 50
    ) -> tuple[list[Kept[T]], list[DamagedDocumentError]]:
        """Return those of a page that can be read, and an error for each of the others."""
        ...

    def rows(
        self, *where: Where, order: str = "id", descending: bool = False, after: str | None = None,
        offset: int = 0, limit: int = 50, flawed: bool = False,
    ) -> list[Row]:  # fmt: skip
        """Return a page as plain data, for lists that need no models; see Backend.page."""
        ...

    def count(self, *where: Where) -> int:
        """Return how many match."""
        ...


class Kept(NamedTuple, Generic[T]):
    """A value with the revision it was read at, its last writer and time."""

    value: T
    rev: Rev
    by: str
    at: datetime


class Audit(Protocol):
    """The audit trail: appended in the transaction of the act."""

    def append(  # noqa: PLR0913  # one record's fields
        self, action: str, subject: str, *, name: str = "", team: str | None = None,
        before: object = None, after: object = None, outcome: str = "done", merge_s: float | None = None,
        lost: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Record the act of the transaction's actor; digests are taken of `before` and `after`.

        `lost` is what a repair could not keep. `merge_s`: seconds within which the newest record of the same
        actor, action and subject is counted up instead (autosaves). Only inside a transaction.
        """
        ...

    def page(
        self, *where: Where, descending: bool = True, after: str | None = None, limit: int = 50
    ) -> list[AuditRecord]:
        """Return records, newest first."""
        ...


class Documents(Protocol):
    """The collections; reads outside a transaction see the newest committed state."""

    workspace: Collection[Workspace]
    definitions: Collection[Definition]
    revisions: Collection[Revision]
    jobs: Collection[Job]
    versions: Collection[Version]
    drafts: Collection[Draft]
    runs: Collection[Run]
    frozen: Collection[Mapping[str, Any]]  # {"id": sha256, "spec": canonical JSON text}
    leases: Collection[Lease]
    clocks: Collection[WallClock]

    @property
    def audit(self) -> Audit:
        """The trail of acts."""
        ...


class Store(Documents, Protocol):
    """One workspace's documents, artifacts and their upkeep."""

    folder: str

    @property
    def standings(self) -> Collection[Mapping[str, Any]]:
        """How each job stands: kept by the store with every write of a job, draft or run, by nobody else."""
        ...

    def jobs_where(self, *where: Where) -> Ids | list[str]:
        """Return what an `in` over the job of other documents takes for the jobs whose standings match."""
        ...

    @property
    def damage(self) -> str:
        """What is wrong with it, in words; then it is open for reading only. Empty when it is whole."""
        ...

    @property
    def notices(self) -> Sequence[str]:
        """What opening it did that a person should know: that it was migrated, and where its backup lies."""
        ...

    def unsound(self, *documents: tuple[str, str]) -> list[Finding]:
        """Return those of the documents (table, id) that are not as they were written, with both hashes.

        Without any they are sought among all that there are.
        """
        ...

    def demand_sound(self, *documents: tuple[str, str]) -> None:
        """Raise DamagedDocumentError for the first of the documents that is not as it was written."""
        ...

    def transaction(self, actor: Actor | str) -> AbstractContextManager[Documents]:
        """Open a transaction whose writes are `actor`'s; commits at the end, nothing at an exception."""
        ...

    def changes(self, since: int, limit: int = 1_000) -> list[Change]:
        """The change feed, over all processes."""
        ...

    def last_change(self) -> int:
        """The newest change's number."""
        ...

    def artifact_put(self, content: bytes) -> str:
        """Keep `content` durably under its SHA-256 and return that; a second call changes nothing."""
        ...

    def artifact_path(self, sha256: str) -> str:
        """Return where the artifact lies; NotFoundError if it is not kept."""
        ...

    def verify(self) -> list[Finding]:
        """Check database, documents, revisions, version numbers, audit chain and artifacts."""
        ...

    def lost(self) -> set[str]:
        """Return what repairs could not keep, as table/id or the file's path in the store."""
        ...

    def wide_files(self) -> list[str]:
        """Return the files and folders that others than the owner (or group) may use."""
        ...

    def stats(self) -> Mapping[str, Any]:
        """Return {"documents": {table: n}, "bytes": {...}, "changes": n, "format": n}."""
        ...

    def backup(self, target: str) -> Mapping[str, Any]:
        """Write a consistent copy while in use (one file); returns {"path", "bytes", "sha256"}."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


class Repair(Protocol):
    """A repair under way: what could be saved stands in a new database that is not in its place yet.

    `store` is over it. `lost` could not be kept, `changed` was kept though it is damaged, `rebuilt` was made of
    other documents. `seq` is the last change that was found, `acknowledged` the last that was acknowledged (None:
    nobody knows). `is_older`: what was found may stand behind what happened. `copy` is where the old files lie;
    None: this is only a look, and nothing will be changed.
    """

    @property
    def store(self) -> Store: ...  # noqa: D102  # see the class
    @property
    def copy(self) -> str | None: ...  # noqa: D102
    @property
    def lost(self) -> list[Finding]: ...  # noqa: D102
    @property
    def changed(self) -> list[Finding]: ...  # noqa: D102
    @property
    def rebuilt(self) -> list[str]: ...  # noqa: D102
    @property
    def seq(self) -> int: ...  # noqa: D102
    @property
    def acknowledged(self) -> int | None: ...  # noqa: D102
    @property
    def is_older(self) -> bool: ...  # noqa: D102

    def kept(self) -> Mapping[str, int]:
        """Return how many documents of each table there are."""
        ...

    def clear_artifacts(self) -> list[Finding]:
        """Take files that are not what their names say out of the store; returns them and those missing."""
        ...

    def keep_log(self, run: str) -> None:
        """Copy the files of a run's log beside the old database, before they are changed."""
        ...

    def finish(self) -> Mapping[str, Any]:
        """Put the new database and its head in the old ones' place; returns {"store", "change"} of the head."""
        ...


NewId = Callable[[str], str]
