"""The rows of jobs and runs that lists show, read as plain data: no model is built on the way to a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from quarterdeck.model.instants import format_instant
from quarterdeck.policy import access
from quarterdeck.ports.store import Row, Where
from quarterdeck.service import views
from quarterdeck.service.context import ALL, NO_DRAFT, Context

if TYPE_CHECKING:
    from datetime import datetime

    from quarterdeck.model.actor import Actor


class RunFilter(NamedTuple):
    """Which runs a page shows. Draft runs are shown only when asked for (`drafts`)."""

    job: str | None = None
    states: tuple[str, ...] = ()
    trigger: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    version: int | None = None
    drafts: bool = False
    after: str | None = None
    limit: int = 50


class Lists:
    """The lists of jobs and runs. `unfinished` brings runs to where they stand and gives their rows."""

    def __init__(
        self, context: Context, unfinished: Callable[[list[str]], list[dict[str, Any]]]
    ) -> None:
        self._context = context
        self._unfinished = unfinished

    def jobs(self) -> list[dict[str, Any]]:
        """Return the rows of all visible jobs, by name; each with its last run that is no draft's."""
        context = self._context
        where = LISTED, *readers(context.actor())
        rows = context.ports.store.standings.rows(*where, order="by_name", limit=ALL, flawed=True)
        found = context.whole("standings", rows)
        last = {row.id: row.body["last_run"] for row in found}
        moved = self._moved([run["id"] for run in last.values() if run and run["is_open"]])
        return [
            views.job(
                context, row.body, rev=row.body["job_rev"], draft=row.body["draft"],
                last_run=(run := last[row.id]) and moved.get(run["id"], run),
            )
            for row in found
        ]  # fmt: skip

    def _moved(self, is_open: list[str]) -> dict[str, dict[str, Any]]:
        """Return the rows of unfinished runs as they really stand, by id."""
        return {one["id"]: one for one in self._unfinished(is_open)} if is_open else {}

    def runs(self, shown: RunFilter) -> list[dict[str, Any]]:
        """Return a page of runs, newest first, its unfinished ones brought to where they really stand."""
        actor = self._context.actor()
        jobs = _Jobs(self._context, actor)
        rows = _run_page(self._context, actor, jobs, shown)
        moved = self._moved([row.id for row in rows if row.body.get("is_open")])

        def show(row: Row) -> dict[str, Any]:
            return moved.get(row.id) or views.raw_run_row(row.body, jobs.name(row.body))

        return self._context.shown("runs", rows, show)


LISTED: Final = Where("by_name", "!=", None)  # not the standings of deleted jobs


def readers(actor: Actor) -> list[Where]:
    """Return the condition on standings that a job exists for the actor."""
    if actor.is_org_admin:
        return []
    return [Where("readers", "contains", [f"|{team}|" for team in actor.teams])]


def last_run(context: Context, job: str) -> Mapping[str, Any] | None:
    """Return the document of the job's last run that is no draft's."""
    where = Where("job", "=", job), NO_DRAFT
    found = context.ports.store.runs.rows(*where, descending=True, limit=1)
    return found[0].body if found else None


def _run_page(context: Context, actor: Actor, jobs: _Jobs, shown: RunFilter) -> list[Row]:
    """Return a page of the runs that the actor may see, newest first, as documents."""
    where = [Where("draft", "=", shown.drafts), *narrowed(shown)]
    if shown.job is not None:
        where.append(Where("job", "=", context.get_job(actor, shown.job).value.id))
    found: list[Row] = []
    after = shown.after
    while len(found) < shown.limit:
        rows = context.ports.store.runs.rows(
            *where, descending=True, after=after, limit=shown.limit, flawed=True
        )
        found += [row for row in context.whole("runs", rows) if jobs.sees(row.body)]
        if len(rows) < shown.limit:
            break
        after = rows[-1].id
    return found[: shown.limit]


class _Jobs:
    """Names and visibility of the jobs that a page's runs are of, each read once."""

    def __init__(self, context: Context, actor: Actor) -> None:
        self._context = context
        self._actor = actor
        self._known: dict[str, Mapping[str, Any] | None] = {}

    def _get(self, job: str) -> Mapping[str, Any] | None:
        if job not in self._known:
            rows = self._context.ports.store.jobs.rows(Where("id", "=", job), limit=1, flawed=True)
            found = self._context.whole("jobs", rows)
            self._known[job] = found[0].body if found else None
        return self._known[job]

    def name(self, run: Mapping[str, Any]) -> str:
        """Return the job's name now, or the one it had when the run was made."""
        job = self._get(run["job"])
        name: str = run["job_name"] if job is None else job["name"]
        return name

    def sees(self, run: Mapping[str, Any]) -> bool:
        """Whether the run exists for the actor."""
        if self._actor.is_org_admin:
            return True
        job = self._get(run.get("job", ""))
        if job is None:
            return access.is_visible(self._actor, run.get("team", ""))
        return access.is_visible(self._actor, job["team"], job["shared_teams"])


def narrowed(shown: RunFilter) -> list[Where]:
    """Return the conditions on runs that `shown` asks for, besides job and draft."""
    where = list[Where]()
    if len(shown.states) == 1:
        where.append(Where("state", "=", shown.states[0]))
    elif shown.states:
        where.append(Where("state", "in", list(shown.states)))
    for field in ("trigger", "reason", "version"):
        value = getattr(shown, field)
        if value is not None:
            where.append(Where(field, "=", value))
    if shown.since is not None:
        where.append(Where("queued_at", ">=", format_instant(shown.since)))
    if shown.until is not None:
        where.append(Where("queued_at", "<", format_instant(shown.until)))
    return where
