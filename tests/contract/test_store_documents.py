"""The store that the service sees: documents, actors, the audit chain, artifacts; over each backend."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.model.actor import Actor
from quarterdeck.model.errors import ConflictError, NotFoundError, StaleError, StoreRefusedError
from quarterdeck.model.ids import Rev
from quarterdeck.model.job import Activation
from quarterdeck.model.run import Attempt, Entered, RunState
from quarterdeck.ports.store import Documents, Store, Where
from quarterdeck.store.documents import DocumentStore
from quarterdeck.store.memory import MemoryBackend
from quarterdeck.store.open import create_store, open_store
from tests.support.stores import START, Clock, a_job, a_run, a_version

Make = Callable[[Path, Clock], DocumentStore]


def memory_store(folder: Path, clock: Clock) -> DocumentStore:
    (folder / "artifacts").mkdir()
    return DocumentStore(MemoryBackend(), folder, clock)


STORES: dict[str, Make] = {
    "memory": memory_store,
    "sqlite": lambda folder, clock: create_store(folder / "store", clock),
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[DocumentStore]:
    made = STORES[request.param](tmp_path, clock)
    yield made
    made.close()


def test_it_is_what_the_port_says(store: DocumentStore) -> None:
    port: Store = store
    with port.transaction("ann") as tx:
        documents: Documents = tx
        assert documents.jobs.count() == 0


def test_a_document_comes_back_whole(store: DocumentStore, clock: Clock) -> None:
    job = a_job(activations=(Activation("ann", START, None, 1),), schedule={"cron": "* * * * *"})
    run = a_run(
        state=RunState.RUNNING,
        attempts=(Attempt(1, START),),
        timeline=(Entered(1, RunState.QUEUED, START, "asked"),),
    )
    clock.tick(5)
    with store.transaction(Actor("ann")) as tx:
        assert tx.jobs.put(job, seen=None) == 1
        tx.runs.put(run, seen=None)
        tx.frozen.put({"id": "f1", "spec": "{}"}, seen=None)
    kept = store.jobs.get(job.id)
    assert (kept.value, kept.rev, kept.by, kept.at) == (
        job,
        1,
        "ann",
        START + timedelta(seconds=5),
    )
    assert store.runs.get(run.id).value == run
    assert store.frozen.get("f1").value == {"id": "f1", "spec": "{}"}


def test_what_is_missing_is_named(store: DocumentStore) -> None:
    assert store.runs.find("r7") is None
    with pytest.raises(NotFoundError, match="no run r7"):
        store.runs.get("r7")


def test_a_write_needs_a_transaction(store: DocumentStore) -> None:
    with pytest.raises(RuntimeError, match="inside a transaction"):
        store.jobs.put(a_job(), seen=None)
    with pytest.raises(RuntimeError, match="inside a transaction"):
        store.jobs.delete("j1", seen=Rev(1))
    with pytest.raises(RuntimeError, match="inside a transaction"):
        store.audit.append("create", "job/j1")


def test_a_stale_put_changes_none_of_several(store: DocumentStore) -> None:
    with store.transaction("ann") as tx:
        first = tx.jobs.put(a_job(), seen=None)
    with store.transaction("bob") as tx:
        tx.jobs.put(a_job(name="theirs"), seen=first)
    with (  # noqa: PT012  # all of it fails
        pytest.raises(StaleError, match="job j1 was changed by bob"),
        store.transaction("ann") as tx,
    ):
        tx.versions.put(a_version(a_job()), seen=None)
        tx.audit.append("publish", "job/j1")
        tx.jobs.put(a_job(name="mine"), seen=first)
    assert store.jobs.get("j1").value.name == "theirs"
    assert store.versions.count() == 0
    assert store.audit.page() == []
    with pytest.raises(ConflictError, match="exists already"), store.transaction("ann") as tx:
        tx.jobs.put(a_job(), seen=None)


def test_a_page_is_of_documents(store: DocumentStore) -> None:
    with store.transaction("ann") as tx:
        for number in range(5):
            tx.runs.put(a_run(number, draft=number % 2 == 0), seen=None)
    page = store.runs.page(Where("draft", "=", value=True), descending=True, limit=2)
    assert [kept.value.id for kept in page] == ["r000000004", "r000000002"]
    newest = store.runs.page(order="queued_at", descending=True, after="r000000002")
    assert [kept.value.id for kept in newest] == ["r000000001", "r000000000"]
    assert store.runs.count(Where("state", "=", RunState.QUEUED)) == 5
    with store.transaction("bob") as tx:
        tx.runs.delete("r000000000", seen=Rev(1))
    assert store.changes(5)[0].rev is None
    assert store.last_change() == 6


def test_the_audit_is_a_chain(store: DocumentStore) -> None:
    for number, actor in enumerate(("ann", "bob", "ann"), start=1):
        with store.transaction(actor) as tx:
            tx.audit.append(
                "edit", f"job/j{number}", name="Job", team="t1", before=None, after=a_job(number)
            )
    third, second, first = store.audit.page()
    assert [one.seq for one in (first, second, third)] == [1, 2, 3]
    assert (first.previous, second.previous, third.previous) == ("", first.hash, second.hash)
    assert first.before is None
    assert first.after is not None
    assert first.after != third.after
    assert store.audit.page(Where("actor", "=", "bob")) == [second]
    assert store.audit.page(after=third.id, limit=1) == [second]
    assert store.verify() == []


def save(store: DocumentStore, actor: str = "ann", subject: str = "job/j1", **how: Any) -> None:
    with store.transaction(actor) as tx:
        tx.audit.append("draft.save", subject, merge_s=600, **how)


def test_autosaves_are_one_record_until_a_pause(store: DocumentStore, clock: Clock) -> None:
    save(store, before=1, after=2)
    clock.tick(599)
    save(store, before=2, after=3)
    clock.tick(599)
    save(store, before=3, after=4)
    (merged,) = store.audit.page()
    assert (merged.times, merged.at) == (3, clock.now)
    clock.tick(601)
    save(store, before=4, after=5)
    save(store, actor="bob")
    save(store, actor="bob", subject="job/j2")
    save(store, actor="bob", subject="job/j2", outcome="refused")
    assert [one.times for one in store.audit.page()] == [1, 1, 1, 1, 3]
    assert store.verify() == []


def test_an_artifact_is_kept_once_by_its_hash(store: DocumentStore) -> None:
    content = b"x" * 100_000
    name = hashlib.sha256(content).hexdigest()
    assert store.artifact_put(content) == name
    assert store.artifact_put(content) == name
    path = Path(store.artifact_path(name))
    assert path.read_bytes() == content
    assert path.parent.name == name[:2]
    assert [one.name for one in path.parent.iterdir()] == [name]
    for missing in ("0" * 64, "../../etc/passwd", ""):
        with pytest.raises(NotFoundError):
            store.artifact_path(missing)


def test_an_artifact_that_was_cut_is_written_again(store: DocumentStore) -> None:
    path = Path(store.artifact_path(store.artifact_put(b"whole")))
    path.write_bytes(b"who")
    assert [finding.where for finding in store.verify()] == [
        f"artifacts/{path.parent.name}/{path.name}"
    ]
    store.artifact_put(b"whole")
    assert store.verify() == []


def test_read_only_refuses_every_write(tmp_path: Path, clock: Clock) -> None:
    create_store(tmp_path / "store", clock).close()
    store = open_store(tmp_path / "store", clock, read_only=True)
    with pytest.raises(StoreRefusedError, match="reading only"), store.transaction("ann"):
        pass
    with pytest.raises(StoreRefusedError, match="reading only"):
        store.artifact_put(b"x")
    assert store.jobs.page() == []
    store.close()


BREAKS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "rewritten": ("audit", "000000000002", {"actor": "eve"}, "audit/000000000002"),
    "rehashed": ("audit", "000000000001", {"hash": "0" * 64}, "audit/000000000001"),
    "renumbered": ("audit", "000000000003", {"seq": 4}, "audit/000000000003"),
    "no such version": ("jobs", "j1", {"next_number": 3}, "jobs/j1"),
    "no live version": ("jobs", "j1", {"live_version": 9}, "jobs/j1"),
    "unreadable": ("jobs", "j1", {"created_at": "yesterday"}, "jobs/j1"),
    "another id": ("jobs", "j1", {"name": "x", "id": "j2"}, "jobs/j1"),
    "frozen changed": ("frozen", hashlib.sha256(b"{}").hexdigest(), {"spec": "{ }"}, "frozen/"),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_verify_names_what_is_wrong(store: DocumentStore, broken: str) -> None:
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(), seen=None)
        tx.versions.put(a_version(a_job()), seen=None)
        tx.frozen.put({"id": hashlib.sha256(b"{}").hexdigest(), "spec": "{}"}, seen=None)
        for _ in range(3):
            tx.audit.append("edit", "job/j1")
    assert store.verify() == []
    table, key, changes, where = BREAKS[broken]
    row = store.backend.get(table, key)
    assert row is not None
    body = {**row.body, **changes}
    store.backend.put(table, key, body, seen=row.rev, by="eve", at=START)
    found = store.verify()
    assert found
    assert found[0].where.startswith(where)


def test_verify_misses_no_record_and_no_job(store: DocumentStore) -> None:
    with store.transaction("ann") as tx:
        for _ in range(3):
            tx.audit.append("edit", "job/j1")
        tx.versions.put(a_version(a_job()), seen=None)
    store.backend.delete("audit", "000000000002", seen=Rev(1), by="eve", at=START)
    store.backend.put("drafts", "j9", {"id": "j9"}, seen=None, by="eve", at=START)
    found = {finding.where: finding.what for finding in store.verify()}
    assert "belongs to no job" in found["drafts/j9"]
    assert "record 2" in found["audit/000000000003"]


def test_changing_a_kept_value_changes_nothing_kept(store: DocumentStore) -> None:
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(schedule={"cron": "0 * * * *"}), seen=None)
    kept = store.jobs.get("j1").value
    replace(kept, name="other")
    dict(kept.schedule or {})["cron"] = "changed"
    assert store.jobs.get("j1").value.schedule == {"cron": "0 * * * *"}
