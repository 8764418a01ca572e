"""TinyDB over a backend: its documents and queries as its users know them, each call one transaction.

Documents as dataclasses are in `documents`; nothing here is cached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Final, NoReturn

from tinydb import TinyDB
from tinydb.queries import QueryLike
from tinydb.storages import Storage
from tinydb.table import Document, Table

from quarterdeck.model.errors import StoreRefusedError
from quarterdeck.model.ids import Rev
from quarterdeck.model.instants import Clock
from quarterdeck.ports.store import Backend, Row
from quarterdeck.store import translate
from quarterdeck.store.indexes import INDEXES, Indexes, declared

REV: Final = "_rev"
_BATCH: Final = 500
Fields = Mapping[str, Any] | Callable[[MutableMapping[str, Any]], None]


class StoredDocument(Document):
    """A document with its id (`doc_id`) and revision (`_rev`).

    A write that carries `_rev` is done only if the document still has that revision.
    """

    doc_id: str  # type: ignore[assignment]  # TinyDB's own are whole numbers

    @property
    def rev(self) -> Rev:
        """The revision at which it was read."""
        return Rev(self[REV])


class DocumentStorage(Storage):
    """What TinyDB calls a storage; reading or writing all there is at once is refused."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def read(self) -> NoReturn:
        """Refuse."""
        self._refuse("read")

    def write(self, data: Mapping[str, Mapping[str, Any]]) -> NoReturn:
        """Refuse."""
        self._refuse(f"written ({len(data)} tables)")

    def close(self) -> None:
        """Leave the backend open: the store closes it."""

    @staticmethod
    def _refuse(what: str) -> NoReturn:
        raise StoreRefusedError(
            f"A store is never {what} as a whole.",
            advice="Use the methods of `table(name)`: search, get, insert, update, remove.",
        )


class DocumentTable(Table):
    """A TinyDB table in a backend. Documents come by id; ids are texts.

    A document inserted without an id gets one that sorts by time. Conditions over declared fields
    are answered by index, all others by reading the table a batch at a time. Where TinyDB would
    raise TypeError for comparing a field with a value of another type, an index leaves it out.
    """

    document_class = StoredDocument
    document_id_class = str  # type: ignore[assignment]  # see StoredDocument

    def __init__(
        self, storage: DocumentStorage, name: str, *, actor: str, clock: Clock, indexes: Indexes
    ) -> None:
        super().__init__(storage, name, cache_size=0)
        self._backend = storage.backend
        self._actor = actor
        self._clock = clock
        self._fields = declared(indexes, name)

    def insert(self, document: Mapping[str, Any]) -> str:  # type: ignore[override]
        """Insert a document and return its id; ValueError if its id is taken."""
        return self.insert_multiple([document])[0]

    def insert_multiple(self, documents: Iterable[Mapping[str, Any]]) -> list[str]:  # type: ignore[override]
        """Insert all documents or none, and return their ids."""
        with self._backend.transaction():
            return [self._insert(document) for document in documents]

    def _insert(self, document: Mapping[str, Any]) -> str:
        if not isinstance(document, Mapping):
            raise ValueError("Document is not a Mapping")  # noqa: TRY004  # TinyDB's error
        if isinstance(document, Document):
            doc_id = str(document.doc_id)
            if self._backend.get(self.name, doc_id) is not None:
                raise ValueError(f"Document with ID {doc_id} already exists")
        else:
            doc_id = self._free_id()
        body = {key: value for key, value in document.items() if key != REV}
        self._put(doc_id, body, seen=None)
        return doc_id

    def _free_id(self) -> str:
        """Return an id that no document has: the number of the change that makes it, or later."""
        number = self._backend.last_change() + 1
        while self._backend.get(self.name, f"{number:012d}") is not None:
            number += 1
        return f"{number:012d}"

    def _put(self, doc_id: str, body: Mapping[str, Any], *, seen: Rev | None) -> None:
        now = self._clock()
        self._backend.put(self.name, doc_id, body, seen=seen, by=self._actor, at=now)

    def all(self) -> list[StoredDocument]:  # type: ignore[override]
        """Return all documents."""
        return list(iter(self))

    def search(self, cond: QueryLike) -> list[StoredDocument]:  # type: ignore[override]
        """Return the documents that match."""
        return list(self._matching(cond))

    def get(  # type: ignore[override]
        self,
        cond: QueryLike | None = None,
        doc_id: str | None = None,
        doc_ids: Sequence[str] | None = None,
    ) -> StoredDocument | list[StoredDocument] | None:
        """Return the document with this id or the first that matches, or None; a list for `doc_ids`."""
        if doc_id is not None:
            return self._find(doc_id)
        if doc_ids is not None:
            wanted = sorted({str(one) for one in doc_ids})
            return [found for one in wanted if (found := self._find(one)) is not None]
        if cond is not None:
            return next(self._matching(cond), None)
        raise RuntimeError("You have to pass either cond or doc_id or doc_ids")

    def contains(self, cond: QueryLike | None = None, doc_id: str | None = None) -> bool:  # type: ignore[override]
        """Return whether a document matches or has this id."""
        if doc_id is None and cond is None:
            raise RuntimeError("You have to pass either cond or doc_id")
        return self.get(cond, doc_id) is not None

    def update(  # type: ignore[override]
        self,
        fields: Fields,
        cond: QueryLike | None = None,
        doc_ids: Iterable[str] | None = None,
    ) -> list[str]:
        """Change all documents that match (all, if nothing is said) and return their ids."""
        with self._backend.transaction():
            targets = self._targets(cond, doc_ids)
            for document in targets:
                self._change(document, fields)
        return [document.doc_id for document in targets]

    def update_multiple(  # type: ignore[override]
        self, updates: Iterable[tuple[Fields, QueryLike]]
    ) -> list[str]:
        """Apply each change to the documents that match its condition, and return their ids."""
        changes, updated = list(updates), []
        with self._backend.transaction():
            for document in self:
                for fields, cond in changes:
                    if cond(document):
                        self._change(document, fields)
                        updated.append(document.doc_id)
        return updated

    def _change(self, document: StoredDocument, fields: Fields) -> None:
        """Change the document, here and in the backend; `_rev` in `fields` says what was seen."""
        if callable(fields):
            fields(document)
        else:
            document.update(fields)
        body = dict(document)
        seen = Rev(body.pop(REV))
        self._put(document.doc_id, body, seen=seen)
        document[REV] = seen + 1

    def upsert(self, document: Mapping[str, Any], cond: QueryLike | None = None) -> list[str]:  # type: ignore[override]
        """Change the documents that match (or have the document's id), or insert it; returns ids."""
        doc_ids = [str(document.doc_id)] if isinstance(document, Document) else None
        if doc_ids is None and cond is None:
            raise ValueError(
                "If you don't specify a search query, you must specify a doc_id."
                " Hint: use a table.Document object."
            )
        with self._backend.transaction():
            return self.update(document, cond, doc_ids) or [self.insert(document)]

    def remove(  # type: ignore[override]
        self, cond: QueryLike | None = None, doc_ids: Iterable[str] | None = None
    ) -> list[str]:
        """Remove the documents that match or have these ids, and return the ids removed."""
        if cond is None and doc_ids is None:
            raise RuntimeError("Use truncate() to remove all documents")
        return self._remove(cond, doc_ids)

    def truncate(self) -> None:
        """Remove all documents."""
        self._remove(None, None)

    def _remove(self, cond: QueryLike | None, doc_ids: Iterable[str] | None) -> list[str]:
        with self._backend.transaction():
            targets = self._targets(cond, doc_ids)
            for one in targets:
                self._backend.delete(
                    self.name, one.doc_id, seen=one.rev, by=self._actor, at=self._clock()
                )
        return [one.doc_id for one in targets]

    def clear_cache(self) -> None:
        """Do nothing: nothing is cached."""

    def __len__(self) -> int:
        return self._backend.count(self.name)

    def __iter__(self) -> Iterator[StoredDocument]:
        return map(_document, self._backend.scan(self.name))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name!r}, total={len(self)}>"

    def _find(self, doc_id: str) -> StoredDocument | None:
        row = self._backend.get(self.name, str(doc_id))
        return None if row is None else _document(row)

    def _targets(
        self, cond: QueryLike | None, doc_ids: Iterable[str] | None
    ) -> list[StoredDocument]:
        if doc_ids is not None:
            wanted = dict.fromkeys(str(one) for one in doc_ids)
            return [found for one in wanted if (found := self._find(one)) is not None]
        return self.all() if cond is None else self.search(cond)

    def _matching(self, cond: QueryLike) -> Iterator[StoredDocument]:
        """Yield what matches, by id: an index narrows it down where it can, TinyDB decides."""
        choices = translate.narrow(cond, self._fields)
        if choices is None:
            return (document for document in self if cond(document))
        rows = {row.id: row for choice in choices for row in self._narrowed(choice)}
        found = (_document(row) for _, row in sorted(rows.items()))
        return (document for document in found if cond(document))

    def _narrowed(self, choice: translate.Choice) -> Iterator[Row]:
        after = None
        while found := self._backend.page(self.name, where=choice, after=after, limit=_BATCH):
            yield from found
            after = found[-1].id


class Database(TinyDB):
    """TinyDB over a backend; every write is `actor`'s, at the time `clock` gives."""

    def __init__(
        self, backend: Backend, *, actor: str, clock: Clock, indexes: Indexes = INDEXES
    ) -> None:
        super().__init__(backend, storage=DocumentStorage)
        self._backend = backend
        self._actor = actor
        self._clock = clock
        self._indexes = indexes

    def table(self, name: str, **options: object) -> DocumentTable:
        """Return a table; TinyDB's options are about its cache and whole-file writes, so none apply."""
        if options:
            raise ValueError(f"A stored table has no options ({', '.join(options)}).")
        return DocumentTable(
            DocumentStorage(self._backend),
            name,
            actor=self._actor,
            clock=self._clock,
            indexes=self._indexes,
        )

    def tables(self) -> set[str]:
        """Return the names of the tables that hold documents."""
        return {name for name in self._backend.tables() if self._backend.count(name)}

    def drop_table(self, name: str) -> None:
        """Remove all documents of a table."""
        self.table(name).truncate()

    def drop_tables(self) -> None:
        """Remove all documents of all tables."""
        with self._backend.transaction():
            for name in self.tables():
                self.drop_table(name)


def open_tinydb(
    backend: Backend, *, actor: str, clock: Clock, indexes: Indexes = INDEXES
) -> Database:
    """Return TinyDB's interface to the documents of `backend`."""
    return Database(backend, actor=actor, clock=clock, indexes=indexes)


def _document(row: Row) -> StoredDocument:
    return StoredDocument({**row.body, REV: row.rev}, row.id)  # type: ignore[arg-type]
