"""A new database from what could be saved of a damaged one: rows as they were, what hangs on them made anew."""
# ruff: noqa: S608  # the names in these statements come from `schema`, which checks them

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.errors import StoreRefusedError
from quarterdeck.model.ids import JobId
from quarterdeck.model.instants import format_instant
from quarterdeck.model.job import version_id
from quarterdeck.ports.store import Finding, Where
from quarterdeck.store import guard, salvage, schema, standings, sums
from quarterdeck.store.audit import record_id
from quarterdeck.store.creating import create_database, new_store_id
from quarterdeck.store.documents import DECODERS
from quarterdeck.store.head import difference
from quarterdeck.store.indexes import FORMAT, INDEXES
from quarterdeck.store.salvage import Image
from quarterdeck.store.scan import RawRow
from quarterdeck.store.sqlite import SqliteBackend

if TYPE_CHECKING:
    from datetime import datetime

    from quarterdeck.store.head import Mark

# What people read before they use it; nothing of it runs until somebody saved it again.
_READ: Final = frozenset({"workspace", "versions", "drafts", "definitions"})
# The tables of what the trail's records are about.
_TABLES: Final = {
    "job": "jobs", "run": "runs", "workspace": "workspace",
    **dict.fromkeys(("team", "cluster", "catalog", "profile", "query"), "definitions"),
}  # fmt: skip
_BRIEF: Final = frozenset({standings.TABLE, "leases"})  # made anew by whoever needs them


@dataclass(slots=True)
class Rebuilt:
    """`lost` are the documents that could not be kept, `changed` those that were kept though they are damaged.

    `seq` is the last change of what was found, `acknowledged` the last that was acknowledged (None: nobody knows).
    `is_older`: what was found may stand behind what happened. `damaged_sum` is what its damaged rows would add to
    the sum of the others, if they were as they were written; `doubtful` are those that can be read all the same.
    """

    seq: int = 0
    acknowledged: int | None = None
    is_older: bool = True
    lost: list[Finding] = field(default_factory=list)
    changed: list[Finding] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    damaged_sum: int = 0
    doubtful: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)


def rebuild(
    image: Image, mark: Mark | None, target: Path, *, by: str, at: datetime
) -> tuple[SqliteBackend, Rebuilt]:
    """Make the database `target` from the image, and return it open; what is written anew is written `by`, `at`.

    Its changes go on behind the last acknowledged one, and it is a store with a history of its own.
    StoreRefusedError if not one row can be read.
    """
    create_database(target)
    backend = SqliteBackend(target)
    found = Rebuilt(acknowledged=mark.seq if mark is not None else None)
    try:
        with backend.transaction():
            for table in image.tables:
                _copy_table(image, backend, table, found)
            _copy_gone(image, backend)
            _count(image, backend, mark, found)
        _demand_any(backend)
        with backend.transaction():
            found.lost += _told_by_others(backend, {one.where for one in found.lost})
            for one in found.lost:  # none is made again under its id as if it were the first
                backend.bury(*one.where.split("/", 1), by=by, at=at)
            _put_doubtful(backend, found, by=by, at=at)
            _jobs_from_standings(backend, found)
            _stand_ins(backend, found, by=by, at=at)
            _drop_drafts_of_no_job(backend, found, by=by, at=at)
            standings.fill(backend, backend)
    except BaseException:
        backend.close()
        raise
    return backend, found


def _demand_any(backend: SqliteBackend) -> None:
    if not any(backend.count(table) for table in backend.tables()):
        raise StoreRefusedError(
            "Not one document can be read of the database; nothing was changed.",
            advice=guard.RESTORE,
        )


def _copy_table(image: Image, backend: SqliteBackend, table: str, found: Rebuilt) -> None:
    """Copy the rows that are as they were written; name those that are not, and those that cannot be read."""
    name = schema.sql_name(table)
    if table not in INDEXES:  # TinyDB's users may have any
        for statement in schema.table_statements({}, table, ()):
            backend.execute(statement)
    has_hash = image.format == FORMAT
    bad: dict[str, Finding] = {}
    for row in image.rows(table):
        if why := salvage.flaw(row, has_hash=has_hash):
            bad[row.where] = Finding(row.where, why)
            found.damaged_sum += sums.number(row.sha256)
            if table in _READ and (body := _as_it_reads(row)) is not None:
                found.doubtful[table, body["id"]] = body
        else:
            _insert(backend, name, row)
    if table not in _BRIEF:
        found.lost += _copy_stray(image, backend, table, bad)


def _copy_stray(
    image: Image, backend: SqliteBackend, table: str, bad: dict[str, Finding]
) -> list[Finding]:
    """Copy what only an index leads to, and return what could not be kept; `bad` was read, and is damaged."""
    name, known = schema.sql_name(table), image.ids(table)
    kept = {id_ for (id_,) in backend.execute(f"SELECT id FROM {name}")}
    for row in image.stray(table, known - kept):
        if not salvage.flaw(row, has_hash=image.format == FORMAT):
            _insert(backend, name, row)
            kept.add(row.id.decode())
    lost = []
    for id_ in sorted(known - kept):
        where = f"{table}/{id_}"
        lost.append(bad.pop(where, Finding(where, "cannot be read: its page is damaged")))
    rest = (one for where, one in sorted(bad.items()) if where.partition("/")[2] not in kept)
    return [*lost, *rest]


def _insert(backend: SqliteBackend, name: str, row: RawRow) -> None:
    values = _decoded(row)
    backend.execute(
        f"INSERT INTO {name} (id, rev, by, at, seq, body, sha256) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET rev = excluded.rev, by = excluded.by, at = excluded.at,"
        " seq = excluded.seq, body = excluded.body, sha256 = excluded.sha256"
        " WHERE excluded.seq > seq",
        values,
    )


def _decoded(row: RawRow) -> tuple[str, int, str, str, int, str, str]:
    id_, by, at, body = (one.decode() for one in (row.id, row.by, row.at, row.body or b""))
    sha256 = sums.of_row(row.table, id_, row.rev, by, at, row.seq, body)
    return id_, row.rev, by, at, row.seq, body, sha256


def _as_it_reads(row: RawRow) -> dict[str, Any] | None:
    """Return the body of a row that was changed with a word about that, if it can be read as a document at all."""
    with suppress(ValueError, AttributeError, TypeError, KeyError):
        body = json.loads((row.body or b"").decode())
        DECODERS[row.table](body)
        if body["id"] == row.id.decode():
            return {**body, "doubt": "was kept by a repair though it was changed"}
    return None


def _told_by_others(backend: SqliteBackend, known: set[str]) -> list[Finding]:
    """Return the documents that must have been there, as others tell, and that nothing else tells of."""
    found = []
    first = [
        ("versions", version_id(JobId(where[5:]), 1), where)
        for where in sorted(known)
        if where.startswith("jobs/")
    ]
    for table, id_, who in [*_references(backend), *first]:
        where = f"{table}/{id_}"
        if where in known or backend.get(table, id_) is not None:
            continue
        known.add(where)
        if not backend.was_deleted(table, id_):
            found.append(Finding(where, f"cannot be read; {who} tells of it"))
    return found


def _references(backend: SqliteBackend) -> Iterator[tuple[str, str, str]]:
    """Yield table and id of what documents refer to, and which one does."""
    last = 0
    published: Counter[str] = Counter()
    for row in backend.scan("audit"):
        for seq in range(last + 1, int(row.id)):
            yield "audit", record_id(seq), f"record {row.id}"
        last = int(row.id)
        kind, _, id_ = str(row.body.get("subject")).partition("/")
        if kind in _TABLES:
            yield _TABLES[kind], id_, f"record {row.id}"
        if row.body.get("action") in ("job.create", "job.publish"):
            published[id_] += 1
            yield "versions", version_id(JobId(id_), published[id_]), f"record {row.id}"
    for row in [*backend.scan("jobs"), *backend.scan(standings.TABLE)]:
        if row.body.get("deleted"):
            continue
        yield "jobs", row.id, "the list of jobs"
        for number in range(1, row.body["next_number"]):
            yield "versions", version_id(JobId(row.id), number), f"job {row.id}"
    for row in backend.scan("runs"):
        if row.body["frozen_sha256"]:
            yield "frozen", row.body["frozen_sha256"], f"run {row.id}"


def _put_doubtful(backend: SqliteBackend, found: Rebuilt, *, by: str, at: datetime) -> None:
    """Keep what a person wrote but for a byte: it is shown, and does nothing until it is saved again."""
    for (table, id_), body in found.doubtful.items():
        if backend.get(table, id_) is None:
            backend.put(table, id_, body, seen=None, by=by, at=at)
        lost = next((one for one in found.lost if one.where == f"{table}/{id_}"), None)
        if lost is not None:
            found.lost.remove(lost)
            found.changed.append(lost)


def _copy_gone(image: Image, backend: SqliteBackend) -> None:
    """Copy what tells of deletions, but where a newer row is there."""
    for row in image.gone():
        if row.flaw:
            continue
        name = schema.sql_name(row.table)
        found = backend.execute(f"SELECT seq FROM {name} WHERE id = ?", (row.id.decode(),))
        if found and found[0][0] > row.seq:
            continue
        backend.execute(f"DELETE FROM {name} WHERE id = ?", (row.id.decode(),))
        backend.execute(
            "REPLACE INTO gone (tbl, id, rev, by, at, seq, sha256) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                row.table, row.id.decode(), row.rev, row.by.decode(), row.at.decode(), row.seq,
                str(row.sha256),
            ),
        )  # fmt: skip


def _count(image: Image, backend: SqliteBackend, mark: Mark | None, found: Rebuilt) -> None:
    """Begin the new history behind the last change that anybody knows of."""
    total, newest = 0, 0
    for name in ["gone", *map(schema.sql_name, backend.tables())]:
        for sha256, seq in backend.execute(f"SELECT sha256, seq FROM {name}"):
            total = (total + sums.number(sha256)) % sums.ALL
            newest = max(newest, seq)
    before = image.totals()
    found.seq = max(newest, before.seq if before is not None else 0)
    if before is not None and mark is not None:
        adds_up = (total + found.damaged_sum) % sums.ALL == before.total
        found.is_older = not adds_up or bool(difference(mark, before))
    backend.put_totals(sums.begun(new_store_id(), max(found.seq, found.acknowledged or 0), total))


def _jobs_from_standings(backend: SqliteBackend, found: Rebuilt) -> None:
    """Make a job whose document is lost from what the list of jobs keeps of it."""
    lost = {one.where for one in found.lost}
    for row in list(backend.scan(standings.TABLE)):
        if row.body["deleted"] or f"jobs/{row.id}" not in lost:
            continue
        job = _job_of(backend, row.body)
        backend.put("jobs", row.id, job, seen=None, by=row.by, at=row.at)
        found.lost = [one for one in found.lost if one.where != f"jobs/{row.id}"]
        found.jobs.append(f"jobs/{row.id}")


def _stand_ins(backend: SqliteBackend, found: Rebuilt, *, by: str, at: datetime) -> None:
    """Put something in the place of a live version that is lost: without one its job could not even be edited."""
    lost = {one.where: one for one in found.lost}
    for job in list(backend.scan("jobs")):
        number = job.body["live_version"]
        known = version_id(JobId(job.id), number)
        if f"versions/{known}" not in lost:
            continue
        for what, spec in _specs_of(backend, job.id, number):
            why = f"is lost; what stands there is {what}"
            version = {
                "id": known, "job": job.id, "number": number, "spec": spec, "author": by,
                "at": format_instant(at), "doubt": why,
            }  # fmt: skip
            backend.put("versions", known, version, seen=None, by=by, at=at)
            found.changed.append(Finding(f"versions/{known}", why))
            found.lost.remove(lost[f"versions/{known}"])
            break


def _specs_of(backend: SqliteBackend, job: str, number: int) -> Iterator[tuple[str, Any]]:
    """Yield what comes nearest to the spec of a version, best first."""
    taken = [Where("job", "=", job), Where("version", "=", number)]
    for row in backend.page("runs", where=taken, descending=True, limit=1):
        yield f"what run {row.id} took", row.body["spec"]
    if (draft := backend.get("drafts", job)) is not None:
        yield "the draft's text", draft.body["spec"]
    for row in backend.page("versions", where=[Where("job", "=", job)], descending=True, limit=1):
        yield f"version {row.body['number']}", row.body["spec"]


def _drop_drafts_of_no_job(
    backend: SqliteBackend, found: Rebuilt, *, by: str, at: datetime
) -> None:
    for row in list(backend.scan("drafts")):
        if backend.get("jobs", row.id) is None:
            backend.delete("drafts", row.id, seen=row.rev, by=by, at=at)
            found.lost.append(Finding(f"drafts/{row.id}", "its job is lost"))


def _job_of(backend: SqliteBackend, standing: Mapping[str, Any]) -> dict[str, Any]:
    """Return the job that a standing tells of; what no list shows of it begins anew."""
    shown = {name: standing[name] for name in standings.OF_JOB}
    made = next(
        _made(backend, standing["id"]), {"actor": "unknown", "at": "1970-01-01T00:00:00.000000Z"}
    )
    live = {
        "actor": made["actor"], "at": made["at"], "previous": None,
        "number": standing["live_version"],
    }  # fmt: skip
    return {
        **shown, "created_by": made["actor"], "created_at": made["at"], "activations": [live],
        "dropped": [],
    }  # fmt: skip


def _made(backend: SqliteBackend, job: str) -> Iterator[Mapping[str, Any]]:
    """Yield the record of the job's making, if the trail has it."""
    where = [Where("subject", "=", f"job/{job}")]
    for row in backend.page("audit", where=where, limit=1):
        yield row.body
