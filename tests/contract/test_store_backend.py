"""What every backend promises: compare-and-set, transactions, pages, the change feed."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from quarterdeck.model.errors import (
    ConflictError,
    DamagedDocumentError,
    NotFoundError,
    StaleError,
)
from quarterdeck.model.ids import Rev
from quarterdeck.ports.store import Backend, Change, Ids, Where
from quarterdeck.store.memory import MemoryBackend
from quarterdeck.store.sqlite import SqliteBackend
from tests.support.stores import BACKENDS, FIELDS, START, put, sqlite_backend

PAGES = [
    ([], "id", False),
    ([], "id", True),
    ([], "size", False),
    ([], "size", True),
    ([Where("kind", "=", "a")], "id", True),
    ([Where("kind", "!=", "a")], "id", True),
    ([Where("kind", "in", ["a", "c", "a", None])], "id", True),
    ([Where("kind", "in", ["a", "b"]), Where("flag", "in", [True, False])], "size", True),
    ([Where("kind", "in", [])], "id", False),
    ([Where("kind", "in", [f"k{n}" for n in range(30)] + ["a"])], "id", False),
    ([Where("flag", "=", value=True)], "size", False),
    ([Where("flag", "=", None)], "id", False),
    ([Where("flag", "!=", None), Where("size", ">=", 3)], "size", True),
    ([Where("size", "<", 5)], "id", False),
    ([Where("id", ">", "t03"), Where("id", "<=", "t07")], "id", False),
    ([Where("size", ">", "text")], "id", False),
    ([Where("size", "<", None)], "id", False),
    ([Where("id", "contains", ["3", "t01"])], "id", True),
    ([Where("size", "contains", ["ex"])], "size", False),
    ([Where("kind", "contains", [""]), Where("flag", "=", value=True)], "kind", True),
    ([Where("kind", "contains", [])], "id", False),
    ([Where("", "any", [Where("kind", "=", "a"), Where("id", "contains", ["9"])])], "size", True),
    ([Where("", "any", [])], "id", False),
    ([Where("kind", "in", ["a", "c"]), Where("", "any", [Where("flag", "=", None)])], "id", False),
    ([Where("kind", "in", Ids("others", (Where("id", "!=", "b"),)))], "id", True),
    ([Where("kind", "in", Ids("others", ())), Where("flag", "=", value=False)], "size", False),
]


@pytest.fixture(params=BACKENDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Backend]:
    name: str = request.param
    return lambda **options: BACKENDS[name](tmp_path, **options)


@pytest.fixture
def backend(make: Callable[..., Backend]) -> Iterator[Backend]:
    made = make()
    yield made
    made.close()


def ids(backend: Backend, *where: Where, **options: bool | int | str) -> list[str]:
    return [row.id for row in backend.page("things", where=where, **options)]  # type: ignore[arg-type]  # by name


def test_a_row_is_as_it_was_written(backend: Backend) -> None:
    at = START + timedelta(microseconds=1)
    body = {
        "id": "a",
        "text": "ä€😀\0\ud800",
        "list": [1, None, {"x": True}],
        "n": 10**20,
        "f": 0.1,
    }
    assert backend.put("things", "a", body, seen=None, by="ann", at=at) == 1
    row = backend.get("things", "a")
    assert row is not None
    assert (row.id, row.rev, row.body, row.by, row.at) == ("a", 1, body, "ann", at)
    assert backend.get("things", "b") is None
    assert backend.get("nowhere", "a") is None


def spoil(backend: Backend, key: str) -> None:
    """Change a byte of the row's body behind the backend's back."""
    if isinstance(backend, MemoryBackend):
        rows = backend._committed.tables["things"]
        rows[key] = rows[key]._replace(body=str(rows[key].body).replace("red", "rod"))
    elif isinstance(backend, SqliteBackend):
        with closing(sqlite3.connect(backend.path)) as connection, connection:
            connection.execute("UPDATE t_things SET body = replace(body, 'red', 'rod')")


@pytest.mark.row("F-38")
def test_a_row_that_was_changed_is_named_and_not_written_over(backend: Backend) -> None:
    rev = put(backend, "a", kind="red")
    put(backend, "b", kind="blue")
    assert backend.unsound("things", ["a", "b", "none"]) == []
    spoil(backend, "a")
    (found,) = backend.unsound("things", ["a", "b", "none"])
    assert found.where == "things/a"
    assert found.what.startswith("was changed after it was written: its SHA-256 is ")
    row = backend.get("things", "a")
    assert row is not None
    assert row.body["kind"] == "rod"  # it can be looked at
    for act in (
        lambda: backend.get("things", "a", sound=True),
        lambda: put(backend, "a", seen=rev),
        lambda: backend.delete("things", "a", seen=rev, by="ann", at=START),
    ):
        with pytest.raises(DamagedDocumentError, match="things/a was changed"):
            act()
    assert backend.get("things", "b", sound=True) is not None
    assert backend.get("things", "none", sound=True) is None
    put(backend, "b", seen=Rev(1), kind="green")


def test_one_view_stays_as_it_was(backend: Backend) -> None:
    put(backend, "a", kind="red")
    with backend.one_view(), backend.one_view():
        assert [row.id for row in backend.scan("things")] == ["a"]
        with ThreadPoolExecutor(1) as pool:
            pool.submit(put, backend, "b", kind="blue").result()
        assert [row.id for row in backend.scan("things")] == ["a"]
    assert backend.count("things") == 2


def test_what_json_cannot_hold_is_refused(backend: Backend) -> None:
    with pytest.raises(ValueError, match="JSON"):
        put(backend, "a", x=float("nan"))
    assert backend.last_change() == 0


def test_a_stale_write_says_who_wrote(backend: Backend) -> None:
    first = put(backend, "a")
    put(backend, "a", seen=first, by="bob", at=START + timedelta(hours=1))
    with pytest.raises(StaleError) as caught:
        put(backend, "a", seen=first)
    assert caught.value.facts["conflict"] == {
        "actor": "bob", "at": "2026-01-01T01:00:00.000000Z", "rev": 2,
    }  # fmt: skip
    assert "bob" in caught.value.message
    with pytest.raises(StaleError):
        backend.delete("things", "a", seen=first, by="ann", at=START)


def test_a_new_row_must_not_be_there(backend: Backend) -> None:
    put(backend, "a", by="bob")
    with pytest.raises(ConflictError, match="exists already: bob"):
        put(backend, "a")


def test_a_row_that_is_gone_says_who_deleted_it(backend: Backend) -> None:
    backend.delete("things", "a", seen=put(backend, "a"), by="bob", at=START)
    assert backend.get("things", "a") is None
    with pytest.raises(ConflictError, match="was deleted by bob"):
        put(backend, "a", seen=Rev(1))
    with pytest.raises(ConflictError, match="is not there"):
        put(backend, "never", seen=Rev(1))


def test_a_row_made_again_is_not_taken_for_the_first(backend: Backend) -> None:
    first = put(backend, "a")
    backend.delete("things", "a", seen=first, by="bob", at=START)
    assert put(backend, "a") > first
    with pytest.raises(StaleError):
        put(backend, "a", seen=first)


def test_a_transaction_that_fails_leaves_nothing(backend: Backend) -> None:
    put(backend, "a", n=1)
    with pytest.raises(ZeroDivisionError), backend.transaction():  # noqa: PT012  # all of it fails
        put(backend, "a", seen=Rev(1), n=2)
        put(backend, "b")
        put(backend, "new", table="fresh")
        backend.delete("things", "a", seen=Rev(2), by="ann", at=START)
        raise ZeroDivisionError
    row = backend.get("things", "a")
    assert row is not None
    assert (row.rev, row.body["n"]) == (1, 1)
    assert backend.get("things", "b") is None
    assert "fresh" not in backend.tables()
    assert [change.seq for change in backend.changes(0)] == [1]
    put(backend, "new", table="fresh")
    assert "fresh" in backend.tables()


def test_a_nested_transaction_joins(backend: Backend) -> None:
    with pytest.raises(ZeroDivisionError), backend.transaction():  # noqa: PT012  # all of it fails
        with backend.transaction():
            put(backend, "a")
        raise ZeroDivisionError
    assert backend.get("things", "a") is None


def test_a_nested_transaction_that_fails_undoes_its_own_part(backend: Backend) -> None:
    with backend.transaction():
        put(backend, "a")
        with pytest.raises(StaleError), backend.transaction():  # noqa: PT012  # all of it fails
            put(backend, "b")
            put(backend, "a", seen=Rev(7))
    assert ids(backend) == ["a"]


def test_others_see_only_what_is_committed(backend: Backend) -> None:
    put(backend, "a", n=1)
    with ThreadPoolExecutor(1) as other, backend.transaction():
        put(backend, "a", seen=Rev(1), n=2)
        mine = backend.get("things", "a")
        theirs = other.submit(backend.get, "things", "a").result()
        assert mine is not None
        assert theirs is not None
        assert (mine.body["n"], theirs.body["n"]) == (2, 1)


def test_a_write_does_not_wait_for_ever(make: Callable[..., Backend]) -> None:
    backend = make(wait_s=0.2)
    with ThreadPoolExecutor(1) as other, backend.transaction():
        waiting = other.submit(put, backend, "a")
        with pytest.raises(ConflictError, match=r"thread of this process.*0\.2 s"):
            waiting.result()
    put(backend, "a")
    backend.close()


def test_threads_lose_no_update(backend: Backend) -> None:
    put(backend, "a", n=0)
    barrier = threading.Barrier(4)

    def count() -> int:
        barrier.wait()
        conflicts = 0
        for _ in range(25):
            while True:
                row = backend.get("things", "a")
                assert row is not None
                try:
                    put(backend, "a", seen=row.rev, n=row.body["n"] + 1)
                except StaleError:
                    conflicts += 1
                else:
                    break
        return conflicts

    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(count) for _ in range(4)]:
            one.result()
    row = backend.get("things", "a")
    assert row is not None
    assert (row.body["n"], row.rev) == (100, 101)


def fill(backend: Backend) -> None:
    kinds = ["a", "b", None, "c", "a"]
    with backend.transaction():
        for number in range(40):
            size = [None, 1, 2.5, "text", 7][number % 5] if number % 7 else number
            flag = [True, False, None][number % 3]
            put(backend, f"t{number:02d}", size=size, kind=kinds[number % 5], flag=flag)
        put(backend, "t40")
        for key in ("a", "b"):
            put(backend, key, table="others")


@pytest.mark.parametrize(("where", "order", "descending"), PAGES)
def test_pages_together_are_the_whole(
    backend: Backend, where: list[Where], order: str, *, descending: bool
) -> None:
    fill(backend)
    whole = backend.page("things", where=where, order=order, descending=descending, limit=100)
    assert len(whole) == backend.count("things", where)
    after, found = None, []
    while page := backend.page(
        "things", where=where, order=order, descending=descending, after=after, limit=3
    ):
        assert len(page) <= 3
        found += page
        after = page[-1].id
    assert [row.id for row in found] == [row.id for row in whole]
    for offset in (0, 1, 7, 39, 41):
        page = backend.page(
            "things", where=where, order=order, descending=descending, offset=offset, limit=3
        )
        assert page == whole[offset : offset + 3]


def test_an_id_is_text_and_no_number_equals_it(backend: Backend) -> None:
    backend.put("things", "0", {"id": "0"}, seen=None, by="ann", at=START)
    for where in (Where("id", "=", 0), Where("id", "=", value=False), Where("id", "in", [0])):
        assert backend.page("things", where=[where]) == []
        assert backend.page("things", where=[where], order="kind", limit=1) == []
    assert len(backend.page("things", where=[Where("id", "in", ["0", 1])])) == 1


@pytest.mark.parametrize(("where", "order", "descending"), PAGES)
def test_backends_give_the_same_page(
    tmp_path: Path, where: list[Where], order: str, *, descending: bool
) -> None:
    found = []
    for make in BACKENDS.values():
        backend = make(tmp_path)
        fill(backend)
        page = backend.page("things", where=where, order=order, descending=descending, limit=100)
        found.append([row.id for row in page])
        backend.close()
    assert found[0] == found[1]


def test_a_page_filters_and_orders(backend: Backend) -> None:
    for key, kind, size in (("a", "x", 2), ("b", "y", 1), ("c", "x", 1), ("d", "x", None)):
        put(backend, key, kind=kind, size=size, flag=key == "a")
    assert ids(backend) == ["a", "b", "c", "d"]
    assert ids(backend, descending=True, limit=2) == ["d", "c"]
    assert ids(backend, order="size") == ["d", "b", "c", "a"]
    assert ids(backend, order="size", after="b") == ["c", "a"]
    assert ids(backend, Where("kind", "=", "x"), order="size", descending=True) == ["a", "c", "d"]
    assert ids(backend, Where("flag", "=", value=True)) == ["a"]
    assert ids(backend, Where("kind", "in", ["x", "z"]), Where("size", "!=", None)) == ["a", "c"]
    assert backend.count("things", [Where("size", "<=", 1)]) == 2


def test_a_page_goes_on_behind_a_row_that_is_gone_by_id_only(backend: Backend) -> None:
    for key in "abc":
        put(backend, key, size=1)
    backend.delete("things", "b", seen=Rev(1), by="ann", at=START)
    assert ids(backend, after="b") == ["c"]
    with pytest.raises(NotFoundError, match="cannot go on"):
        ids(backend, after="b", order="size")


def test_a_field_that_is_not_declared_is_refused(backend: Backend) -> None:
    with pytest.raises(ValueError, match="declares no field colour"):
        backend.page("things", where=[Where("colour", "=", 1)])
    with pytest.raises(ValueError, match="declares no field colour"):
        backend.page("things", order="colour")
    with pytest.raises(ValueError, match="declares no field colour"):
        backend.count("things", [Where("colour", "=", 1)])
    assert FIELDS == ("kind", "size", "flag")


def test_a_window_lies_behind_what_is_passed_over(backend: Backend) -> None:
    fill(backend)
    assert ids(backend, offset=2, limit=2) == ["t02", "t03"]
    assert ids(backend, after="t09", offset=2, limit=2) == ["t12", "t13"]
    assert ids(backend, offset=5_000, limit=2) == []
    wanted = Where("kind", "in", ["a", "c"])
    assert ids(backend, wanted, offset=4_999, limit=2) == []
    assert ids(backend, wanted, offset=1, limit=2) == ["t03", "t04"]


def test_a_text_is_found_by_code_points(backend: Backend) -> None:
    for key, kind in (("a", "Straße"), ("b", "50%_x"), ("c", "1"), ("d", 1)):
        put(backend, key, kind=kind)
    assert ids(backend, Where("kind", "contains", ["ße"])) == ["a"]
    assert ids(backend, Where("kind", "contains", ["SSE"])) == []
    assert ids(backend, Where("kind", "contains", ["%_"])) == ["b"]
    assert ids(backend, Where("kind", "contains", ["1", "Str"])) == ["a", "c"]
    with pytest.raises(ValueError, match="no text that kind could contain"):
        ids(backend, Where("kind", "contains", [1]))


def test_many_values_are_one_list(backend: Backend) -> None:
    fill(backend)
    many = [f"t{number:02d}" for number in range(30, 999)]
    assert backend.count("things", [Where("id", "in", many)]) == 11
    assert ids(backend, Where("id", "in", many), offset=9) == ["t39", "t40"]


def test_a_field_inside_is_looked_at_too(backend: Backend) -> None:
    inner = Where("colour", "=", 1)
    for where in (Where("", "any", [inner]), Where("kind", "in", Ids("things", (inner,)))):
        with pytest.raises(ValueError, match="declares no field colour"):
            backend.count("things", [where])


def test_a_scan_yields_every_row_by_id(backend: Backend) -> None:
    with backend.transaction():
        for number in range(1201):
            put(backend, f"t{number:04d}")
    assert [row.id for row in backend.scan("things")] == [f"t{n:04d}" for n in range(1201)]
    assert list(backend.scan("nowhere")) == []


def test_changes_tell_the_last_of_each_row(backend: Backend) -> None:
    put(backend, "a")
    put(backend, "b", table="others")
    put(backend, "a", seen=Rev(1), by="bob")
    assert backend.changes(0) == [
        Change(2, "others", "b", Rev(1), "ann"),
        Change(3, "things", "a", Rev(2), "bob"),
    ]
    backend.delete("others", "b", seen=Rev(1), by="cid", at=START)
    assert backend.changes(3) == [Change(4, "others", "b", None, "cid")]
    assert backend.changes(0, limit=1) == [Change(3, "things", "a", Rev(2), "bob")]
    assert backend.last_change() == 4
    put(backend, "b", table="others")
    assert [change.seq for change in backend.changes(0)] == [3, 5]


def test_two_instances_see_each_other(tmp_path: Path) -> None:
    first, second = sqlite_backend(tmp_path), sqlite_backend(tmp_path)
    put(first, "a")
    assert second.changes(0) == [Change(1, "things", "a", Rev(1), "ann")]
    put(second, "a", seen=Rev(1), by="bob")
    put(second, "x", table="fresh")
    assert first.last_change() == 3
    assert first.get("fresh", "x") is not None
    with pytest.raises(StaleError, match="bob"):
        put(first, "a", seen=Rev(1))
    first.close()
    second.close()


def test_a_closed_backend_does_not_come_back(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path)
    backend.close()
    with pytest.raises(RuntimeError, match="closed"):
        backend.get("things", "a")


def test_a_table_needs_a_plain_name(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path)
    with pytest.raises(ValueError, match="cannot name a table"):
        put(backend, "a", table='x" (y); --')
    backend.close()
