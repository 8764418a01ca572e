"""How each job stands, as one document: what a list of jobs shows and is sorted by.

It is made of the job, its draft and its last run, in the transaction that writes one of these. Reading windows of
it is the service's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.states import ENDED_BADLY, TERMINAL, RunState
from quarterdeck.ports.store import Backend, Finding, Row, Where
from quarterdeck.store import faults

if TYPE_CHECKING:
    from quarterdeck.store.indexes import Indexes

Body = Mapping[str, Any]

TABLE: Final = "standings"
_SOURCES: Final = ("jobs", "drafts", "runs")
OF_JOB: Final = (
    "id", "name", "name_key", "team", "shared_teams", "description", "type", "live_version",
    "next_number", "paused", "schedule", "drift",
)  # fmt: skip
_OF_RUN: Final = (
    "id", "state", "reason", "object", "queued_at", "started_at", "ended_at", "is_open",
)  # fmt: skip
_NO_DRAFT: Final = Where("draft", "=", value=False)
_BACKWARDS: Final = str.maketrans("0123456789", "9876543210")  # of an instant: the newest first
_LAST: Final = "~"  # behind every instant
_BY_STATE: Final = {
    state: chr(ord("a") + place)
    for place, state in enumerate(
        [
            *sorted(ENDED_BADLY),
            *reversed(list(RunState)[:7]),
            RunState.CANCELLED,
            RunState.SUCCEEDED,
        ]
    )
}


def is_source(indexes: Indexes, table: str) -> bool:
    """Return whether a write to `table` may change how a job stands."""
    return table in _SOURCES and TABLE in indexes


def follow(backend: Backend, table: str, row: Row, *, is_gone: bool = False) -> None:
    """Take over `row`, just written to `table` or, `is_gone`, deleted; in the transaction of that write.

    Of the runs only a job's last that is no draft's counts: what is written to an older one changes nothing.
    """
    if table == "runs":
        _follow_run(backend, row, is_gone=is_gone)
        return
    kept = backend.get(TABLE, row.id)
    if table == "jobs" and is_gone:
        _follow_deletion(backend, row, kept)
    elif table == "jobs":
        before = kept.body if kept and not kept.body["deleted"] else _beside(backend, row.id)
        _write(backend, row, kept, _of_job(row, before))
    elif kept is not None and not kept.body["deleted"]:
        _write(backend, row, kept, {**kept.body, "draft": not is_gone})


def _follow_deletion(backend: Backend, job: Row, kept: Row | None) -> None:
    if backend.page("runs", where=[Where("job", "=", job.id)], limit=1):
        _write(backend, job, kept, _deleted(job))
    elif kept is not None:
        backend.delete(TABLE, job.id, seen=kept.rev, by=job.by, at=job.at)


def _follow_run(backend: Backend, row: Row, *, is_gone: bool) -> None:
    if row.body["draft"]:
        return
    kept = backend.get(TABLE, row.body["job"])
    if kept is None or kept.body["deleted"]:
        return
    last = kept.body["last_run"]
    if last is not None and row.id < last["id"]:
        return
    run = _last_run(backend, kept.id) if is_gone else row.body
    _write(backend, row, kept, _placed({**kept.body, "last_run": _shown(run)}))


def _write(backend: Backend, source: Row, kept: Row | None, body: Body) -> None:
    if kept is None or kept.body != body:
        seen = kept.rev if kept else None
        backend.put(TABLE, body["id"], body, seen=seen, by=source.by, at=source.at)


def _of_job(job: Row, before: Body) -> Body:
    """Return the standing of the job whose draft and last run stand in `before`."""
    shown = {**{name: job.body[name] for name in OF_JOB}, "id": job.id}
    readers = "|".join(["", job.body["team"], *job.body["shared_teams"], ""])
    more = {"draft": before["draft"], "last_run": before["last_run"], "deleted": False}
    return _placed({**shown, "job_rev": job.rev, "readers": readers, **more})


def _deleted(job: Row) -> Body:
    """Return what is left of a deleted job that has run: who may read its runs. It has a place in no order."""
    kept = {name: job.body[name] for name in ("name", "team")}
    return {"id": job.id, **kept, "readers": f"|{job.body['team']}|", "deleted": True}


def _beside(backend: Backend, job: str) -> Body:
    """Return what is not the job's own."""
    has_draft = backend.get("drafts", job) is not None
    return {"draft": has_draft, "last_run": _shown(_last_run(backend, job))}


def _shown(run: Body | None) -> Body | None:
    return None if run is None else {name: run[name] for name in _OF_RUN}


def _placed(body: Body) -> Body:
    """Return the standing with its places in the orders of lists, and what its text is found by."""
    name, run = body["name_key"], body["last_run"]
    state = run["state"] if run else None
    is_bad = state in ENDED_BADLY
    newest = (run["ended_at"] or run["started_at"] or run["queued_at"]) if run else _LAST
    first = "2" if state is None or state in TERMINAL else "1"
    return {
        **body,
        "attention": is_bad or body["drift"] is not None,
        "rank": f"0{newest.translate(_BACKWARDS)}" if is_bad else f"{first}{name}",
        "by_name": name,
        "by_state": f"{_BY_STATE[state] if state else _LAST}{name}",
        "by_last_run": newest.translate(_BACKWARDS),
        "text": "\n".join([name, state or "", (run and run["reason"]) or ""]),
    }


# --- made anew, and checked


def fill(backend: Backend, target: Backend) -> None:
    """Bring every standing in `target` to what its sources in `backend` say.

    For a store that was written by who kept none.
    """
    with target.transaction():
        for source, kept, body in list(_expected(backend, target)):
            _write(target, source, kept, body)


def findings(backend: Backend) -> Iterator[Finding]:
    """Yield the standings that are not what their sources say; none if the store keeps none yet."""
    if not backend.keeps_standings():
        return
    for _, kept, body in _expected(backend, backend):
        if kept is None:
            yield Finding(f"{TABLE}/{body['id']}", "is missing")
        elif kept.body != body:
            wrong = [name for name in body if kept.body.get(name) != body[name]]
            what = ", ".join(wrong) or "more than it should"
            yield Finding(
                f"{TABLE}/{kept.id}", f"does not say what its job, draft and runs say: {what}"
            )


def _expected(backend: Backend, target: Backend) -> Iterator[tuple[Row, Row | None, Body]]:
    """Yield the source, the standing as it is kept, and what it should be, of every job there was."""
    for job in backend.scan("jobs"):
        yield job, target.get(TABLE, job.id), _of_job(job, _beside(backend, job.id))
    for run in _one_run_of_each_job(backend):
        if backend.get("jobs", run.body["job"]) is None:
            kept = target.get(TABLE, run.body["job"])
            if kept is None or not kept.body["deleted"]:
                yield run, kept, _deleted(_job_of(run))
    for kept in target.scan(TABLE):
        if not kept.body["deleted"] and backend.get("jobs", kept.id) is None:
            yield kept, kept, _deleted(kept)


def _job_of(run: Row) -> Row:
    """Return what a run says of its job."""
    body = {"id": run.body["job"], "name": run.body["job_name"], "team": run.body["team"]}
    return run._replace(id=run.body["job"], body=body)


def _last_run(backend: Backend, job: str) -> Body | None:
    where = [Where("job", "=", job), _NO_DRAFT]
    found = backend.page("runs", where=where, descending=True, limit=1)
    return found[0].body if found else None


def _one_run_of_each_job(backend: Backend) -> Iterator[Row]:
    """Yield the last run of each job, job by job: the runs between them are passed over."""
    job = ""
    while found := backend.page("runs", where=[Where("job", ">", job)], order="job", limit=1):
        before, job = job, found[0].body["job"]
        last = backend.page("runs", where=[Where("job", "=", job)], descending=True, limit=1)
        if job <= before or not last:  # the next would be the same again and again
            raise faults.damaged("table runs", "its index by job is out of order")
        yield last[0]
