"""TinyDB's interface over both backends: what its users know holds, by an index or without."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinydb import Query, TinyDB, where
from tinydb.operations import add, delete, increment
from tinydb.queries import QueryInstance
from tinydb.storages import MemoryStorage
from tinydb.table import Document

from quarterdeck.model.errors import StaleError, StoreRefusedError
from quarterdeck.store import translate
from quarterdeck.store.table import Database, DocumentTable, StoredDocument, open_tinydb
from tests.support.stores import BACKENDS, FIELDS, THINGS, Clock, memory_backend

DOCUMENTS: list[dict[str, Any]] = [
    {"kind": "a", "size": 1, "flag": True, "tags": ["x"], "in": {"n": 1}},
    {"kind": "b", "size": 2, "tags": ["x", "y"]},
    {"kind": "a", "size": 3, "flag": None},
    {"kind": None, "size": 4, "flag": False},
    {"size": 5},
]


@pytest.fixture(params=BACKENDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    backend = BACKENDS[request.param](tmp_path)
    yield open_tinydb(backend, actor="ann", clock=Clock(), indexes=THINGS)
    backend.close()


@pytest.fixture
def table(database: Database) -> DocumentTable:
    return database.table("things")


def contents(table: Any) -> list[dict[str, Any]]:
    """Return the documents without what is ours, in the order in which they were inserted."""
    found = sorted(table.all(), key=lambda document: int(document.doc_id))
    return [{key: value for key, value in one.items() if key != "_rev"} for one in found]


Thing = Query()
ACTS: dict[str, Callable[[Any], Any]] = {
    "insert": lambda t: len({t.insert({"kind": "z"}), t.insert({"kind": "z"})}),
    "insert_multiple": lambda t: len(t.insert_multiple([{"size": 9}, {"size": 9}])),
    "insert nothing": lambda t: t.insert_multiple([]),
    "update all": lambda t: len(t.update({"new": 1})),
    "update some": lambda t: len(t.update({"size": 0}, where("kind") == "a")),
    "update by function": lambda t: len(t.update(increment("size"), Thing.size > 2)),
    "update adds": lambda t: len(t.update(add("size", 10), Thing.size.exists())),
    "update deletes": lambda t: len(t.update(delete("size"), Thing.size < 3)),
    "update none": lambda t: t.update({"x": 1}, where("kind") == "none"),
    "update missing ids": lambda t: t.update({"x": 1}, doc_ids=["777"]),
    "update_multiple": lambda t: len(
        t.update_multiple(
            [({"kind": "b"}, where("kind") == "a"), ({"x": 1}, where("kind") == "b")]
        )
    ),
    "upsert old": lambda t: len(t.upsert({"kind": "a", "y": 2}, where("kind") == "a")),
    "upsert new": lambda t: len(t.upsert({"kind": "q"}, where("kind") == "q")),
    "remove": lambda t: len(t.remove(where("kind") == "a")),
    "remove missing ids": lambda t: t.remove(doc_ids=["777"]),
    "truncate": lambda t: t.truncate(),
    "count": lambda t: t.count(where("kind") == "a"),
    "contains": lambda t: (t.contains(where("size") == 5), t.contains(where("size") == 6)),
    "contains id": lambda t: t.contains(doc_id="777"),
    "get none": lambda t: (t.get(where("kind") == "none"), t.get(doc_id="777")),
    "get ids": lambda t: t.get(doc_ids=["777"]),
    "len": len,
    "iter": lambda t: len(list(t)),
    "name": lambda t: t.name,
}


@pytest.mark.parametrize("act", ACTS)
def test_an_act_does_what_tinydb_does(table: DocumentTable, act: str) -> None:
    reference = TinyDB(storage=MemoryStorage).table("things")
    for one in (reference, table):
        one.insert_multiple(DOCUMENTS)
    assert ACTS[act](table) == ACTS[act](reference)
    assert contents(table) == contents(reference)


REFUSED: dict[str, Callable[[Any], Any]] = {
    "no mapping": lambda t: t.insert([1]),
    "no mapping among others": lambda t: t.insert_multiple([{"a": 1}, 7]),
    "get what": lambda t: t.get(),
    "contains what": lambda t: t.contains(),
    "remove what": lambda t: t.remove(),
    "upsert what": lambda t: t.upsert({"a": 1}),
    "taken": lambda t: [t.insert(Document({}, 3)), t.insert(Document({}, 3))],
}


@pytest.mark.parametrize("act", REFUSED)
def test_what_tinydb_refuses_is_refused_with_its_error(table: DocumentTable, act: str) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011  # whichever it is
        REFUSED[act](TinyDB(storage=MemoryStorage).table("things"))
    with pytest.raises(theirs.type, match=re.escape(str(theirs.value).split(".", maxsplit=1)[0])):
        REFUSED[act](table)
    assert len(table) in (0, 1)


SIMPLE = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([0.5, 1.0, 2.5, 2.0**60]),
    st.sampled_from(["", "a", "b", "a\0b", "ä", "\ud800"]), st.just([1]), st.just({"a": 1}),
)  # fmt: skip
STORED = st.lists(st.dictionaries(st.sampled_from([*FIELDS, "free"]), SIMPLE), max_size=6)
FIELD = st.sampled_from([*FIELDS, "free"])


@st.composite
def leaves(draw: st.DrawFn) -> Any:
    path, value = where(draw(FIELD)), draw(SIMPLE)
    kind = draw(st.sampled_from(["==", "!=", "exists", "one_of", "test", "matches", "any", "sub"]))
    match kind:
        case "==":
            return path == value
        case "!=":
            return path != value
        case "exists":
            return path.exists()
        case "one_of":
            return path.one_of(draw(st.lists(SIMPLE, max_size=3)))
        case "test":
            return path.test(lambda found: isinstance(found, str))
        case "matches":
            return path.matches("[ab]")
        case "any":
            return path.any([1, 2])
        case _:
            return path["a"] == 1


QUERIES = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=5,
)


def test_a_query_finds_what_it_matches(database: Database) -> None:
    table = database.table("things")

    @settings(max_examples=150, deadline=None)
    @given(documents=STORED, query=QUERIES)
    def agree(documents: list[dict[str, Any]], query: QueryInstance) -> None:
        reference = TinyDB(storage=MemoryStorage).table("things")
        table.truncate()
        table.insert_multiple(documents)
        reference.insert_multiple(documents)
        found = [{k: v for k, v in one.items() if k != "_rev"} for one in table.search(query)]
        assert found == [dict(one) for one in reference.search(query)]

    agree()


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">="])
def test_an_order_finds_what_it_matches(database: Database, sign: str) -> None:
    table, path = database.table("things"), Query().kind
    texts = ["", "a", "a\0b", "ab", "b"]
    table.insert_multiple({"kind": text} for text in texts)
    for edge in ("", "a", "a\0", "b"):
        query = {"<": path < edge, "<=": path <= edge, ">": path > edge, ">=": path >= edge}[sign]
        found = [one["kind"] for one in table.search(query)]
        assert found == [text for text in texts if query({"kind": text})]


def test_declared_fields_are_read_by_index() -> None:
    query = ((where("kind") == "a") | (where("kind") == "b")) & where("free").exists()
    choices = translate.narrow(query, FIELDS)
    assert choices is not None
    assert sorted(one[0].value for one in choices) == ["a", "b"]
    assert translate.narrow(where("free") == 1, FIELDS) is None
    assert translate.narrow(~(where("kind") == "a"), FIELDS) is None
    assert translate.narrow(lambda document: True, FIELDS) is None


def test_a_document_carries_its_revision(table: DocumentTable) -> None:
    key = table.insert({"kind": "a"})
    first = table.get(doc_id=key)
    assert isinstance(first, StoredDocument)
    assert (first.doc_id, first.rev) == (key, 1)
    table.update({"kind": "b", "_rev": 1}, doc_ids=[key])
    with pytest.raises(StaleError, match="changed by ann"):
        table.update({**first, "kind": "c"}, doc_ids=[key])
    with pytest.raises(StaleError):
        table.upsert(first)
    again = table.get(doc_id=key)
    assert isinstance(again, StoredDocument)
    assert (again["kind"], again.rev) == ("b", 2)


def test_an_update_that_fails_changes_none(table: DocumentTable) -> None:
    table.insert_multiple({"size": n} for n in (1, 2, 0))
    with pytest.raises(ZeroDivisionError):
        table.update(lambda document: document.update(size=6 // document["size"]))
    assert [one["size"] for one in table] == [1, 2, 0]


def test_nothing_is_cached(tmp_path: Path) -> None:
    backend = memory_backend(tmp_path)
    one, other = (
        open_tinydb(backend, actor=name, clock=Clock(), indexes=THINGS).table("things")
        for name in ("ann", "bob")
    )
    query = where("kind") == "a"
    assert one.search(query) == []
    other.insert({"kind": "a"})
    assert len(one.search(query)) == 1


def test_all_at_once_is_refused(database: Database) -> None:
    with pytest.raises(StoreRefusedError, match="as a whole"):
        database.storage.read()
    with pytest.raises(StoreRefusedError, match="as a whole"):
        database.storage.write({})
    with pytest.raises(ValueError, match="no options"):
        database.table("things", cache_size=3)


def test_the_database_knows_its_tables(database: Database) -> None:
    assert database.tables() == set()
    database.insert({"a": 1})
    database.table("things").insert({"a": 1})
    assert database.tables() == {"_default", "things"}
    assert "_default" in repr(database)
    assert "total=1" in repr(database.table("things"))
    assert len(database) == 1
    database.drop_table("things")
    assert database.tables() == {"_default"}
    database.drop_tables()
    assert database.tables() == set()
    database.close()
    assert len(database.table("things")) == 0
