"""Who uses a definition: jobs, what an edit changes for each of them, and which runs took which revision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from quarterdeck.model.errors import (
    ConflictError,
    OvertakenError,
)
from quarterdeck.model.ids import TeamId
from quarterdeck.model.job import version_id
from quarterdeck.model.states import TERMINAL, RunState
from quarterdeck.policy import access
from quarterdeck.ports.store import Row, Where
from quarterdeck.service import remains, views
from quarterdeck.service.context import ALL
from quarterdeck.versions import diff, impact

if TYPE_CHECKING:
    from quarterdeck.model.actor import Actor
    from quarterdeck.model.job import Definition, Revision
    from quarterdeck.service.context import Context

JOBS_LOOKED_AT: Final = 100
RUNS_OF_EACH: Final = 5
_TAKEN: Final = [state.value for state in RunState if state not in (*TERMINAL, RunState.QUEUED)]


class Use(NamedTuple):
    """A job that uses a definition: its document, where it does (`live`, `draft`, `v3`), and that spec."""

    job: Mapping[str, Any]
    by: tuple[str, ...]
    spec: Mapping[str, Any]


def uses(context: Context, one: Definition, *, past: bool = False) -> Iterator[Use]:
    """Yield the jobs, by name, whose live version or draft (with `past`: any version) refers to it.

    Of a team: the jobs that it owns or that are shared to it.
    """
    store = context.ports.store
    drafts = {row.id: row.body["spec"] for row in store.drafts.rows(limit=ALL)}
    for job in (row.body for row in store.jobs.rows(order="name_key", limit=ALL)):
        if one.kind == "team":
            by = ["owns"] if job["team"] == one.id else []
            by += ["shared"] if one.id in job["shared_teams"] else []
            if by:
                yield Use(job, tuple(by), {})
            continue
        specs = dict(_versions(context, job, past=past))
        if job["id"] in drafts:
            specs["draft"] = drafts[job["id"]]
        found = {name: spec for name, spec in specs.items() if refers(spec, one)}
        if found:
            yield Use(job, tuple(found), next(iter(found.values())))


def _versions(
    context: Context, job: Mapping[str, Any], *, past: bool
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    live, versions = job["live_version"], context.ports.store.versions
    if not past:
        found = versions.rows(Where("id", "=", version_id(job["id"], live)), limit=1)
    else:
        found = versions.rows(Where("job", "=", job["id"]), descending=True, limit=ALL)
    for row in sorted(found, key=lambda row: row.body["number"] != live):
        number = row.body["number"]
        yield "live" if number == live else f"v{number}", row.body["spec"]


def refers(spec: Mapping[str, Any], one: Definition) -> bool:
    """Whether a spec refers to the definition."""
    if one.kind == "query":
        return bool(spec["source"].get("query_id") == one.id)
    if one.kind == "catalog":
        return one.id in spec["catalogs"]
    return bool(spec.get(one.kind) == one.id)


def sees(actor: Actor, job: Mapping[str, Any]) -> bool:
    """Whether the job exists for the actor."""
    return access.is_visible(actor, job["team"], job["shared_teams"])


def keepers(context: Context, one: Definition) -> tuple[list[str], int]:
    """Return what of the actor's sight uses it in any version, and how many more do: they keep it."""
    actor = context.actor()
    jobs = [use.job for use in uses(context, one, past=True)]
    used = [job["name"] for job in jobs if sees(actor, job)]
    hidden = len(jobs) - len(used)
    if one.kind == "team":
        for kind in ("profile", "query"):
            used += [
                f"{kind} {views.reference(kept.value)}"
                for kept in context.definitions(kind)
                if kept.value.team == TeamId(one.id)
            ]
    return used, hidden


def demand_unused(context: Context, one: Definition) -> None:
    """Raise ConflictError if anything uses it; names only what the actor may see."""
    used, hidden = keepers(context, one)
    if not used and not hidden:
        return
    shown = used[:5]
    more = len(used) - len(shown) + hidden
    if more:
        shown.append(f"{more} more" if shown else "what you may not see")
    raise ConflictError(
        f"{one.kind} {views.reference(one)} is in use by {', '.join(shown)}.",
        advice="Change or delete those first.",
        used_by=used,
        hidden=hidden,
    )


def demand_reach(context: Context, one: Definition, reach: frozenset[str]) -> None:
    """Raise OvertakenError if a job uses it by now that is not in `reach`; names what the actor may see."""
    actor = context.actor()
    jobs = [use.job for use in uses(context, one) if use.job["id"] not in reach]
    if not jobs:
        return
    named = [str(job["name"]) for job in jobs if sees(actor, job)]
    hidden = len(jobs) - len(named)
    named += [f"{hidden} that you may not see"] if hidden else []
    raise OvertakenError(
        f"{one.kind} {views.reference(one)} is used by {', '.join(named)}, too, by now.",
        advice="Nothing was saved. Look at what the edit reaches now, then save again.",
        unseen=named,
    )


def of_edit(context: Context, one: Definition, after: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the jobs that the next run takes the edit to, each with what changes there.

    `after` is the body that is to be saved; None asks only who uses it. Jobs out of the actor's sight are counted.
    """
    actor, hidden, rows = context.actor(), 0, []
    for use in uses(context, one):
        if not sees(actor, use.job):
            hidden += 1
            continue
        found = [] if after is None else impact.effects(one.kind, one.body, after, use.spec)
        rows.append({
            "job": use.job["name"],
            "team": context.team_name(use.job["team"]),
            "by": list(use.by),
            "next_fire": None,
            "queued": _count(context, use.job, "=", RunState.QUEUED.value),
            "running": _count(context, use.job, "in", _TAKEN),
            "changes": [effect._asdict() for effect in found],
        })  # fmt: skip
    changed = [] if after is None else diff.differences(one.body, after)
    return {
        "name": one.name,
        "revision": one.revision,
        "changed": [_shown(each) for each in changed],
        "jobs": rows,
        "hidden": hidden,
    }


def _count(context: Context, job: Mapping[str, Any], op: Any, value: Any) -> int:
    return context.ports.store.runs.count(Where("job", "=", job["id"]), Where("state", op, value))


def _shown(one: diff.Difference) -> dict[str, Any]:
    return {"path": one.path, "a": one.a, "b": one.b, "lines": list(one.lines)}


def between(a: Revision, b: Revision) -> list[dict[str, Any]]:
    """Return what differs between two revisions of a definition, its name included."""
    left, right = ({"name": one.name, **one.body} for one in (a, b))
    return [_shown(one) for one in diff.differences(left, right)]


def runs_by_revision(context: Context, one: Definition) -> list[dict[str, Any]]:
    """Return which runs took which revision of a profile or query, newest revision first.

    Looked at are runs under way and the last few of each of the jobs that use it, as far as the actor sees them:
    `runs` and `open` count these, `last` is the newest.
    """
    found: dict[int, dict[str, Any]] = {}
    known: dict[str, int] = {}
    for row in sorted(_runs(context, one), key=lambda row: str(row.body["queued_at"])):
        sha256 = row.body["frozen_sha256"]
        if sha256 not in known:
            frozen, _ = remains.frozen_spec(context, sha256)
            if frozen is None:
                continue  # which revision it took cannot be told; `store verify` names it
            known[sha256] = frozen["profile" if one.kind == "profile" else "source"]["revision"]
        number = known[sha256]
        kept = found.setdefault(number, {"revision": number, "runs": 0, "open": 0, "last": None})
        kept["runs"] += 1
        kept["open"] += row.body["state"] not in TERMINAL
        kept["last"] = {name: row.body[name] for name in ("id", "job_name", "state", "queued_at")}
    return [found[number] for number in sorted(found, reverse=True)]


def _runs(context: Context, one: Definition) -> list[Row]:
    actor, runs = context.actor(), context.ports.store.runs
    rows: dict[str, Row] = {}
    for place, use in enumerate(use for use in uses(context, one) if sees(actor, use.job)):
        if place == JOBS_LOOKED_AT:
            break
        mine = Where("job", "=", use.job["id"])
        for row in [
            *runs.rows(mine, descending=True, limit=RUNS_OF_EACH),
            *runs.rows(mine, Where("state", "in", _TAKEN), limit=ALL),
        ]:
            if row.body["frozen_sha256"] and refers(row.body["spec"], one):
                rows[row.id] = row
    return list(rows.values())
