"""What of a job a run takes: its live version, its draft or a version; and whether that is what was shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from quarterdeck.model.errors import NotFoundError

if TYPE_CHECKING:
    from quarterdeck.model.job import Job
    from quarterdeck.model.shown import Runnable, RunShown
    from quarterdeck.ports.store import Documents
    from quarterdeck.service.context import Context


class Chosen(NamedTuple):
    """What a run takes: a spec, of which version (a draft: none), based on which."""

    spec: Mapping[str, Any]
    version: int | None
    based_on: int | None = None


def chosen(context: Context, name: str, *, draft: bool, version: int | None) -> tuple[Job, Chosen]:
    """Return the job and what a run of live, the draft or that version would take, if the actor may see it."""
    job = context.get_job(context.actor(), name).value
    if not draft:
        number = job.live_version if version is None else version
        return job, Chosen(context.get_version(job, number).spec, number)
    kept = context.ports.store.drafts.find(job.id)  # a damaged one is refused by its freeze
    if kept is None:
        raise NotFoundError(
            f"Job {job.name} has no draft.",
            advice=f"`quarterdeck job edit {job.name}` begins one.",
        )
    return job, Chosen(kept.value.spec, None, kept.value.based_on)


def as_shown(
    context: Context, tx: Documents, job: Job, rests_on: RunShown, **which: Any
) -> tuple[Job, Chosen]:
    """Return what `chosen` does, if live version, draft and parameters are those that were shown."""
    from quarterdeck.model.shown import sha256_of
    from quarterdeck.service import overtaken

    now, draft = tx.jobs.get(job.id).value, context.ports.store.drafts.find(job.id)
    overtaken.demand_live(now, rests_on.live)
    there = draft.value if draft else None
    overtaken.demand_draft(now, there, rests_on.draft, told_by=sha256_of)
    now, found = chosen(context, job.id, **which)
    if rests_on.parameters is not None:
        is_draft = found.version is None
        what = f"The draft of {now.name}" if is_draft else f"Version {found.version}"
        overtaken.demand_parameters(what, found.spec["parameters"], rests_on.parameters)
    return now, found


def runnable(context: Context, name: str, *, draft: bool, version: int | None) -> Runnable:
    """Return what can be run of the job; the parameters are live's, the draft's or that version's."""
    from quarterdeck.model.shown import Runnable, of_draft

    store = context.ports.store
    job, found = chosen(context, name, draft=draft, version=version)
    kept = store.drafts.find(job.id)
    return Runnable(
        id=job.id, job=job.name, live=job.live_version, draft=of_draft(kept.value if kept else None),
        draft_version=job.next_number if kept else None, parameters=found.spec["parameters"],
    )  # fmt: skip
