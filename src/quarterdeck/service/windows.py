"""Windows of the lists of jobs and runs: so many rows from such a place, with what the actor may do to each.

Rows are read as plain data and as they are stored: no model is built, and no run is moved on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from quarterdeck.model.failure import Reason
from quarterdeck.model.instants import parse_instant
from quarterdeck.model.job import version_id
from quarterdeck.model.states import ENDED_BADLY, TERMINAL, RunState
from quarterdeck.policy import access
from quarterdeck.ports.store import Row, Where
from quarterdeck.service import views
from quarterdeck.service.context import NO_DRAFT, Context
from quarterdeck.service.listing import LISTED, RunFilter, narrowed, readers

if TYPE_CHECKING:
    from quarterdeck.model.actor import Actor
    from quarterdeck.model.clock import Mark

JOB_ORDERS: Final = {
    "attention": "rank", "name": "by_name", "state": "by_state", "last_run": "by_last_run", "team": "by_name",
}  # fmt: skip
WAITING: Final = tuple(list(RunState)[:5])
PROBLEMS: Final = (*sorted(ENDED_BADLY), *WAITING)  # of runs: ended badly, or does not run yet
PREVIEWED: Final = 20
ID_LEAST: Final = 4  # characters of an id that are looked for
_OF_DELETED: Final = frozenset({"view", "log", "export"})


class JobsShown(NamedTuple):
    """Which jobs a list shows in which order: `order` is one of `JOB_ORDERS`.

    `text` is found in name, owner, state and reason, whatever its case; `problems`: only what needs attention.
    """

    text: str = ""
    problems: bool = False
    order: str = "attention"
    reverse: bool = False


class RunsShown(NamedTuple):
    """Which runs a list shows, the newest first: those of versions, or those of drafts.

    `text` is found in the job's name, in state, reason and id, or is the actor; `problems`: only runs that ended
    badly or wait.
    """

    job: str | None = None
    text: str = ""
    problems: bool = False
    drafts: bool = False
    states: tuple[str, ...] = ()
    trigger: str | None = None
    reason: str | None = None
    version: int | None = None
    reverse: bool = False


class Counts(NamedTuple):
    """How many there are, how many of them are shown, how many `problems` would show."""

    total: int
    matching: int
    attention: int


class Windows:
    """What lists on screens read, as the actor may see it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    # --- jobs

    def jobs(self, shown: JobsShown, offset: int = 0, limit: int = 100) -> list[dict[str, Any]]:
        """Return at most `limit` rows of jobs behind the first `offset`."""
        actor, names = self._context.actor(), self._context.team_names()
        standings, order = self._context.ports.store.standings, JOB_ORDERS[shown.order]
        found: list[Row] = []
        parts = self._job_parts(actor, names, shown)
        for part in parts:
            if len(parts) > 1 and offset >= (size := standings.count(*part)):
                offset -= size
                continue
            found += standings.rows(
                *part,
                order=order,
                descending=shown.reverse,
                offset=offset,
                limit=limit - len(found),
                flawed=True,
            )
            offset = 0
            if len(found) == limit:
                break
        return self._told(
            self._context.shown("standings", found, lambda row: _job(actor, names, row))
        )

    def count_jobs(self, shown: JobsShown) -> Counts:
        """Return how many jobs there are for the actor, and how many are shown."""
        actor, names = self._context.actor(), self._context.team_names()
        seen = [LISTED, *readers(actor)]
        count = self._context.ports.store.standings.count
        total, attention = count(*seen), count(*seen, _ATTENTION)
        wanted = _jobs_wanted(names, shown)
        return Counts(total, count(*seen, *wanted) if wanted else total, attention)

    def position_of_job(self, job: str, shown: JobsShown) -> int | None:
        """Return how many rows stand before the job of this id; None if it is not shown."""
        actor, names = self._context.actor(), self._context.team_names()
        standings, order = self._context.ports.store.standings, JOB_ORDERS[shown.order]
        before = 0
        for part in self._job_parts(actor, names, shown):
            found = standings.rows(*part, Where("id", "=", job), limit=1)
            if not found:
                before += standings.count(*part)
                continue
            place = found[0].body[order]
            before += standings.count(*part, _before(order, place, shown))
            return before + standings.count(
                *part, Where(order, "=", place), _before("id", job, shown)
            )
        return None

    def jobs_by_id(self, ids: Sequence[str]) -> dict[str, dict[str, Any] | None]:
        """Return the rows of these jobs as they stand now; None for what is gone or hidden."""
        actor, names = self._context.actor(), self._context.team_names()
        where = Where("id", "in", list(ids)), LISTED, *readers(actor)
        found = self._context.ports.store.standings.rows(*where, limit=len(ids), flawed=True)
        shown = self._told(
            self._context.shown("standings", found, lambda row: _job(actor, names, row))
        )
        rows = {row["id"]: row for row in shown}
        return {one: rows.get(one) for one in ids}

    def _told(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Add why the last run ended badly, as `failure`, and which cluster takes no runs."""
        wanted = [row["last_run"]["id"] for row in rows if (row["last_run"] or {}).get("reason")]
        if wanted:
            found = self._context.ports.store.runs.rows(
                Where("id", "in", wanted), limit=len(wanted), flawed=True
            )
            runs = dict(self._context.shown("runs", found, lambda row: (row.id, row.body)))
            for row in rows:
                last = row["last_run"]
                if last is not None:
                    body = runs.get(last["id"])
                    last["failure"] = body and views.failure(body, row["name"])
        return self._placed(rows)

    def _placed(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Add to each job whose cluster takes no runs which one that is, and its status, as `cluster`."""
        clusters = {
            kept.value.id: {"name": kept.value.name, "status": kept.value.status}
            for kept in self._context.readable_definitions("cluster")
            if kept.value.status != "active"
        }
        if clusters and rows:
            wanted = [version_id(row["id"], row["live_version"]) for row in rows]
            versions = self._context.ports.store.versions
            found = versions.rows(Where("id", "in", wanted), limit=len(wanted), flawed=True)

            def place(row: Row) -> tuple[str, Mapping[str, Any] | None]:
                return row.body["job"], clusters.get(row.body["spec"]["cluster"])

            places = dict(self._context.shown("versions", found, place))
            rows = [{**row, "cluster": places.get(row["id"])} for row in rows]
        return rows

    def _job_parts(
        self, actor: Actor, names: Mapping[str, str], shown: JobsShown
    ) -> list[list[Where]]:
        """Return the conditions of the list's parts, which stand one behind the other: by team, one each."""
        order = JOB_ORDERS[shown.order]
        wanted = [Where(order, "!=", None), *readers(actor), *_jobs_wanted(names, shown)]
        if shown.order != "team":
            return [wanted]
        teams = sorted(names, key=lambda team: (names[team], team), reverse=shown.reverse)
        return [[Where("team", "=", team), *wanted] for team in teams]

    def preview(self, job: str) -> list[dict[str, Any]]:
        """Return id, state and end of the last 20 runs of the job with this id or name, the oldest first."""
        kept = self._context.get_job(self._context.actor(), job).value
        found = self._context.ports.store.runs.rows(
            Where("job", "=", kept.id), NO_DRAFT, descending=True, limit=PREVIEWED, flawed=True
        )
        shown = ("id", "state", "reason", "ended_at")
        return self._context.shown(
            "runs", reversed(found), lambda row: {name: row.body[name] for name in shown}
        )

    # --- runs

    def runs(self, shown: RunsShown, offset: int = 0, limit: int = 100) -> list[dict[str, Any]]:
        """Return at most `limit` rows of runs behind the first `offset`."""
        actor = self._context.actor()
        where = [*self._runs_seen(actor, shown), *self._runs_wanted(shown)]
        found = self._context.ports.store.runs.rows(
            *where, descending=not shown.reverse, offset=offset, limit=limit, flawed=True
        )
        return self._run_rows(actor, found)

    def count_runs(self, shown: RunsShown) -> Counts:
        """Return how many runs there are for the actor, and how many are shown."""
        seen = self._runs_seen(self._context.actor(), shown)
        count = self._context.ports.store.runs.count
        total, attention = count(*seen), count(*seen, Where("state", "in", PROBLEMS))
        wanted = self._runs_wanted(shown)
        return Counts(total, count(*seen, *wanted) if wanted else total, attention)

    def position_of_run(self, run: str, shown: RunsShown) -> int | None:
        """Return how many rows stand before the run of this id; None if it is not shown."""
        where = [*self._runs_seen(self._context.actor(), shown), *self._runs_wanted(shown)]
        count = self._context.ports.store.runs.count
        if not count(*where, Where("id", "=", run)):
            return None
        return count(*where, Where("id", "<" if shown.reverse else ">", run))

    def runs_by_id(self, ids: Sequence[str]) -> dict[str, dict[str, Any] | None]:
        """Return the rows of these runs as they are stored now; None for what is gone or hidden."""
        actor = self._context.actor()
        where = Where("id", "in", list(ids)), *self._jobs_seen(actor)
        found = self._context.ports.store.runs.rows(*where, limit=len(ids), flawed=True)
        rows = {row["id"]: row for row in self._run_rows(actor, found)}
        return {one: rows.get(one) for one in ids}

    def _jobs_seen(self, actor: Actor) -> list[Where]:
        may_read, store = readers(actor), self._context.ports.store
        return [Where("job", "in", store.jobs_where(*may_read))] if may_read else []

    def _runs_seen(self, actor: Actor, shown: RunsShown) -> list[Where]:
        """Return the conditions of the whole list: of one job, or of all that the actor may see."""
        is_draft = Where("draft", "=", shown.drafts)
        if shown.job is None:
            return [is_draft, *self._jobs_seen(actor)]
        return [is_draft, Where("job", "=", self._context.get_job(actor, shown.job).value.id)]

    def _runs_wanted(self, shown: RunsShown) -> list[Where]:
        only = RunFilter(
            states=shown.states, trigger=shown.trigger, reason=shown.reason, version=shown.version
        )
        problems = [Where("state", "in", PROBLEMS)] if shown.problems else []
        return [*narrowed(only), *problems, *self._holding(shown.text)]

    def _holding(self, text: str) -> list[Where]:
        """Return the condition that a run is found by `text`."""
        if not (key := _folded(text)):
            return []
        store, typed = self._context.ports.store, text.strip()
        jobs = store.jobs_where(Where("by_name", "contains", [key]))
        ways = [Where("job", "in", jobs), Where("actor", "=", typed)]
        for field, words in (("state", RunState), ("reason", Reason)):
            if holding := [str(word) for word in words if key in word]:
                ways.append(Where(field, "in", holding))
        if len(key) >= ID_LEAST and key.isalnum() and any(map(str.isdigit, key)):
            ways.append(Where("id", "contains", [key]))
        return [Where("", "any", ways)]

    def _run_rows(self, actor: Actor, found: Sequence[Row]) -> list[dict[str, Any]]:
        context, here = self._context, self._context.mark()
        ids = list({row.body.get("job") for row in found})
        standings = context.ports.store.standings.rows(
            Where("id", "in", ids), limit=len(ids), flawed=True
        )
        jobs = {job.id: job.body for job in context.whole("standings", standings)}
        return context.shown(
            "runs", found, lambda row: _run(actor, row.body, jobs.get(row.body["job"]), here)
        )


_ATTENTION: Final = Where("attention", "=", value=True)


def _before(field: str, place: str, shown: JobsShown) -> Where:
    return Where(field, ">" if shown.reverse else "<", place)


def _folded(text: str) -> str:
    if not text.strip():
        return ""
    from quarterdeck.model.text import name_key  # Unicode tables

    return name_key(text)


def _jobs_wanted(names: Mapping[str, str], shown: JobsShown) -> list[Where]:
    where = [_ATTENTION] if shown.problems else []
    if key := _folded(shown.text):
        ways = [Where("text", "contains", [key])]
        if teams := [team for team, name in names.items() if key in _folded(name)]:
            ways.append(Where("team", "in", teams))
        where.append(Where("", "any", ways))
    return where


class _Names:
    """Names of teams for `views`."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def team_name(self, team: str) -> str:
        return self._names.get(team, team)


def _job(actor: Actor, names: Mapping[str, str], row: Row) -> dict[str, Any]:
    body = row.body
    last = body["last_run"]
    shown = views.job(_Names(names), body, rev=body["job_rev"], draft=body["draft"], last_run=last)
    if last is not None:
        more = {"object": last["object"] or None, "queued_at": last["queued_at"]}
        shown["last_run"] |= {**more, "advice": views.advice(last)}
    return {**shown, "may": access.actions(actor, body["team"], body["shared_teams"])}


def _run(
    actor: Actor, raw: Mapping[str, Any], job: Mapping[str, Any] | None, here: Mark
) -> dict[str, Any]:
    row = views.raw_run_row(raw, raw["job_name"] if job is None else job["name"])
    now = views.now_of(raw, here)
    row |= views.ahead(now, here.at)
    if raw["state"] not in TERMINAL and raw["submitted_at"] is not None:
        seen = raw["seen_at"]
        row["stale"] = seen is None or now - parse_instant(seen) > views.FRESH
    if job is None or job["deleted"]:
        return {**row, "may": _OF_DELETED}
    return {**row, "may": access.actions(actor, job["team"], job["shared_teams"])}
