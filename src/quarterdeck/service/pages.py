"""What the page of one job shows, in one reading; acts on it are in `jobs`, `drafts`, `publishing`, `runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarterdeck.model.instants import format_instant
from quarterdeck.model.shown import key_of
from quarterdeck.policy import access
from quarterdeck.ports.store import Where
from quarterdeck.service.context import NO_DRAFT, Context
from quarterdeck.service.references import World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quarterdeck.model.actor import Actor
    from quarterdeck.model.job import Job
    from quarterdeck.service.jobs import Jobs
    from quarterdeck.service.windows import Windows

VERBS = (
    "view", "log", "run", "retry", "export", "run_draft", "cancel", "edit", "publish", "activate",
    "share", "delete",
)  # fmt: skip


class Pages:
    """Readings for the pages of jobs."""

    def __init__(self, context: Context, jobs: Jobs, windows: Windows) -> None:
        self._context = context
        self._jobs = jobs
        self._windows = windows

    def job(self, name: str) -> dict[str, Any]:
        """Return the job as `job show` gives it, and more: its draft, numbers, runs, what it uses, who may what.

        `draft`: author, at, based_on, stale and the `changed` paths, or None; `marks`: the last 20 runs, oldest
        first; `good`: the last run that succeeded, or None; `uses`: what the live version refers to.
        """
        from quarterdeck.versions import diff

        context, actor = self._context, self._context.actor()
        job = context.get_job(actor, name).value
        store = context.ports.store
        live = context.get_version(job, job.live_version)
        kept = store.drafts.find(job.id)
        draft = None
        if kept is not None:
            draft = {
                "key": key_of(kept.value),
                "author": kept.value.author,
                "at": format_instant(kept.value.at),
                "based_on": kept.value.based_on,
                "stale": kept.value.based_on != job.live_version,
                "changed": list(diff.paths(live.spec, kept.value.spec)),
            }
        runs = [Where("job", "=", job.id), NO_DRAFT]
        good = store.runs.rows(*runs, Where("state", "=", "succeeded"), descending=True, limit=1)
        return {
            **self._jobs.show(name),
            "live": {"author": live.author, "at": format_instant(live.at), "note": live.note},
            "draft": draft,
            "versions": store.versions.count(Where("job", "=", job.id)),
            "runs": store.runs.count(*runs),
            "marks": self._windows.preview(job.id),
            "good": _run(good[0].body) if good else None,
            "uses": self._uses(live.spec),
            "may": list(access.actions(actor, job.team, job.shared_teams)),
            "rights": self._rights(actor, job),
        }

    def _uses(self, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
        world = World(self._context)
        wanted = [("profile", spec["profile"]), ("cluster", spec["cluster"])]
        wanted += [("catalog", known) for known in spec["catalogs"]]
        if spec["source"]["kind"] == "saved_query":
            wanted.insert(1, ("query", spec["source"]["query_id"]))
        found = []
        for kind, known in wanted:
            one = world.by_id(kind, known)
            name = world.name_of(kind, known)
            found.append(
                {
                    "kind": kind,
                    "name": known if kind == "query" else name,
                    "revision": one.revision if one else None,
                    "status": (one.status or "ok") if one else "gone",
                }
            )
        return found

    def _rights(self, actor: Actor, job: Job) -> dict[str, Any]:
        """Return the teams of the job, who is in them, and what each may do; and what the actor may."""
        context = self._context
        teams = {str(kept.value.id): kept.value for kept in context.definitions("team")}

        def shown(team: str) -> dict[str, Any]:
            one = teams.get(team)
            return {
                "name": context.team_name(team),
                "members": list(one.body["members"]) if one else [],
            }

        mine = access.actions(actor, job.team, job.shared_teams)
        return {
            "owner": shown(job.team),
            "shared": [shown(team) for team in job.shared_teams],
            "owner_may": list(VERBS),
            "shared_may": sorted(access.SHARED_ACTIONS, key=VERBS.index),
            "mine": [verb for verb in VERBS if verb in mine],
            "teams": [context.team_name(team) for team in actor.teams],
            "org_admins": list(context.workspace().value.org_admins),
        }


def _run(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: body[name]
        for name in ("id", "state", "reason", "version", "started_at", "ended_at", "queued_at")
    }
