"""Standings say at any moment what their job, draft and runs say; over each backend."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.model.codec import to_document
from quarterdeck.model.ids import Rev, RunId, TeamId
from quarterdeck.model.job import Draft
from quarterdeck.model.run import RunState
from quarterdeck.ports.store import Ids, Where
from quarterdeck.store import guard, standings
from quarterdeck.store.documents import DocumentStore
from quarterdeck.store.indexes import INDEXES
from quarterdeck.store.memory import MemoryBackend
from quarterdeck.store.open import create_store, open_store
from quarterdeck.store.sqlite import SqliteBackend
from tests.support.stores import START, Clock, a_job, a_run, a_version


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DocumentStore]:
    if request.param == "memory":
        made = DocumentStore(MemoryBackend(), tmp_path, Clock())
    else:
        made = create_store(tmp_path / "store", Clock())
    yield made
    made.close()


def standing(store: DocumentStore, job: str = "j1") -> dict[str, Any]:
    return dict(store.standings.get(job).value)


def order(store: DocumentStore, by: str) -> list[str]:
    return [row.id for row in store.standings.rows(Where(by, "!=", None), order=by)]


def test_it_tells_of_job_draft_and_last_run(store: DocumentStore) -> None:
    with store.transaction("ann") as tx:
        job = tx.jobs.put(a_job(shared_teams=(TeamId("t2"),)), seen=None)
        draft = tx.drafts.put(Draft(a_job().id, {}, 1, "ann", START), seen=None)
    found = standing(store)
    assert (found["name"], found["readers"], found["job_rev"]) == ("Job 1", "|t1|t2|", 1)
    assert (found["draft"], found["last_run"], found["attention"]) == (True, None, False)
    with store.transaction("bob") as tx:
        tx.drafts.delete("j1", seen=draft)
        tx.jobs.put(a_job(name="Other", name_key="other", paused=True), seen=job)
        tx.runs.put(a_run(7, state=RunState.FAILED, ended_at=START), seen=None)
    found = standing(store)
    assert (found["name"], found["draft"], found["paused"]) == ("Other", False, True)
    assert (found["last_run"]["id"], found["attention"]) == ("r000000007", True)
    assert store.standings.get("j1").by == "bob"
    assert store.verify() == [] or store.verify()[0].where == "jobs/j1"  # it has no versions


def test_an_older_run_and_a_draft_run_change_nothing(store: DocumentStore) -> None:
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(), seen=None)
        old = tx.runs.put(a_run(1, state=RunState.FAILED, ended_at=START), seen=None)
        tx.runs.put(a_run(2), seen=None)
        before = store.standings.get("j1")
        tx.runs.put(a_run(1, retried_by=(RunId("r000000002"),)), seen=old)
        tx.runs.put(a_run(3, draft=True, state=RunState.FAILED), seen=None)
    assert store.standings.get("j1") == before
    assert before.value["last_run"]["id"] == "r000000002"


def test_what_does_not_show_is_not_written(store: DocumentStore) -> None:
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(), seen=None)
        rev = tx.runs.put(a_run(1), seen=None)
    before = store.standings.get("j1").rev
    with store.transaction("ann") as tx:
        tx.runs.put(a_run(1, seen_at=START), seen=rev)
    assert store.standings.get("j1").rev == before


def test_a_deleted_job_is_in_no_list_but_its_readers_are_known(store: DocumentStore) -> None:
    with store.transaction("ann") as tx:
        rev = tx.jobs.put(a_job(shared_teams=(TeamId("t2"),)), seen=None)
        run = tx.runs.put(a_run(1), seen=None)
        tx.jobs.delete("j1", seen=rev)
        tx.runs.put(a_run(1, state=RunState.SUCCEEDED), seen=run)
    found = standing(store)
    assert (found["deleted"], found["readers"]) == (True, "|t1|")
    assert [order(store, by) for by in ("rank", "by_name", "by_state", "by_last_run")] == [[]] * 4
    assert list(standings.findings(store.backend)) == []
    assert store.runs.count(Where("job", "in", store.jobs_where())) == 1


def test_a_deleted_job_that_never_ran_leaves_none(store: DocumentStore) -> None:
    with store.transaction("ann") as tx:
        rev = tx.jobs.put(a_job(), seen=None)
        tx.jobs.delete("j1", seen=rev)
    assert store.standings.find("j1") is None
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(), seen=None)
    assert standing(store)["name"] == "Job 1"


def test_what_needs_attention_comes_first_then_what_is_under_way(store: DocumentStore) -> None:
    ends = {
        1: (RunState.FAILED, 10), 2: (RunState.LOST, 20), 3: (RunState.RUNNING, None),
        4: (RunState.SUCCEEDED, 90), 6: (RunState.QUEUED, None), 7: (RunState.CANCELLED, 5),
    }  # fmt: skip
    with store.transaction("ann") as tx:
        for number in range(1, 8):
            tx.jobs.put(a_job(number), seen=None)
        for number, (state, after) in ends.items():
            ended = None if after is None else START + timedelta(seconds=after)
            run = a_run(number, state=state, ended_at=ended)
            tx.runs.put(replace(run, job=a_job(number).id), seen=None)
    assert order(store, "rank") == ["j2", "j1", "j3", "j6", "j4", "j5", "j7"]
    assert order(store, "by_name") == [f"j{number}" for number in range(1, 8)]
    assert order(store, "by_state") == ["j1", "j2", "j3", "j6", "j7", "j4", "j5"]
    assert order(store, "by_last_run") == ["j4", "j2", "j1", "j6", "j7", "j3", "j5"]


def shaken(store: DocumentStore, seed: int) -> None:
    """Write, change and delete jobs, drafts and runs at random."""
    choose = random.Random(seed)  # noqa: S311  # no secret
    revs: dict[tuple[str, str], Rev] = {}
    for _ in range(120):
        number, is_gone = choose.randint(1, 5), choose.random() < 0.2
        job = a_job(number, paused=choose.random() < 0.5, team=choose.choice(["t1", "t2"]))
        turn = choose.randint(1, 15)
        run = a_run(
            turn, job=job.id, draft=turn % 4 == 0, ended_at=START,
            state=choose.choice(list(RunState)),
        )  # fmt: skip
        run = replace(run, id=RunId(f"{run.id}-{job.id}"))
        draft = Draft(job.id, {}, 1, "ann", START)
        table, value = choose.choice([("jobs", job), ("runs", run), ("drafts", draft)])
        has_job, seen = ("jobs", job.id) in revs, revs.get((table, value.id))  # type: ignore[attr-defined]  # each has an id
        if (table != "jobs" and not has_job) or (is_gone and seen is None):
            continue
        with store.transaction("ann") as tx:
            if is_gone:
                if table == "jobs" and ("drafts", job.id) in revs:
                    tx.drafts.delete(job.id, seen=revs.pop(("drafts", job.id)))
                getattr(tx, table).delete(value.id, seen=seen)  # type: ignore[attr-defined]  # each has an id
                del revs[table, value.id]  # type: ignore[attr-defined]  # each has an id
            else:
                revs[table, value.id] = getattr(tx, table).put(value, seen=seen)  # type: ignore[attr-defined]  # each has an id


@pytest.mark.parametrize("seed", range(8))
def test_they_are_right_after_any_writes(store: DocumentStore, seed: int) -> None:
    shaken(store, seed)
    assert list(standings.findings(store.backend)) == []
    assert store.standings.count() > 0


def test_a_transaction_that_fails_takes_them_back(store: DocumentStore) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction("ann") as tx:  # noqa: PT012  # all of it fails
        tx.jobs.put(a_job(), seen=None)
        raise ZeroDivisionError
    assert store.standings.count() == 0


def without_standings(folder: Path) -> SqliteBackend:
    """Open the database as a program would that knows of none."""
    old = {table: fields for table, fields in INDEXES.items() if table != standings.TABLE}
    return SqliteBackend(folder / guard.DATABASE, indexes=old)


def old_store(folder: Path) -> Path:
    store = create_store(folder / "store", Clock())
    with store.transaction("ann") as tx:
        for number in (1, 2):
            job = a_job(number, next_number=2)
            tx.jobs.put(job, seen=None)
            tx.versions.put(a_version(job), seen=None)
    store.close()
    backend = without_standings(folder / "store")
    for number in range(1, 4):
        run = a_run(number, job="j2" if number == 1 else "j9", job_name="Gone", ended_at=START)
        backend.put("runs", run.id, to_document(run), seen=None, by="old", at=START)
    backend.close()
    return folder / "store"


def test_a_store_that_kept_none_is_filled_when_it_is_opened_for_writing(tmp_path: Path) -> None:
    folder = old_store(tmp_path)
    store = open_store(folder, Clock())
    assert standing(store, "j2")["last_run"]["id"] == "r000000001"
    assert standing(store, "j9") == {
        "id": "j9", "name": "Gone", "team": "t1", "readers": "|t1|", "deleted": True,
    }  # fmt: skip
    assert store.verify() == []
    store.close()


def test_read_only_they_are_made_in_memory_and_follow_what_others_write(tmp_path: Path) -> None:
    folder = old_store(tmp_path)
    store = open_store(folder, Clock(), read_only=True)
    assert order(store, "by_name") == ["j1", "j2"]
    assert sorted(store.jobs_where()) == ["j1", "j2", "j9"]
    assert store.runs.count(Where("job", "in", store.jobs_where())) == 3
    assert store.verify() == []
    other = without_standings(folder)
    row = other.get("jobs", "j1")
    assert row is not None
    other.put("jobs", "j1", {**row.body, "name_key": "zz"}, seen=row.rev, by="old", at=START)
    assert order(store, "by_name") == ["j2", "j1"]
    open_store(folder, Clock()).close()
    assert isinstance(store.jobs_where(), Ids)
    assert order(store, "by_name") == ["j2", "j1"]
    store.close()
    other.close()


def test_what_was_changed_by_hand_is_named(tmp_path: Path) -> None:
    folder = old_store(tmp_path)
    open_store(folder, Clock()).close()
    with sqlite3.connect(folder / guard.DATABASE) as connection:
        connection.execute("UPDATE t_standings SET body = replace(body, 'Job 1', 'Job X')")
        connection.execute("DELETE FROM t_standings WHERE id = 'j2'")
    connection.close()
    store = open_store(folder, Clock())
    found = {finding.where: finding.what for finding in store.verify()}
    assert found["standings/j2"] == "is missing"
    assert found["standings/j1"].endswith("say: name")
    store.close()
