"""The end of a job: what goes with it, what keeps it, and its removal. Who may is asked before: `jobs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.model.errors import IllegalTransitionError, OvertakenError
from quarterdeck.model.instants import format_instant
from quarterdeck.model.shown import Cascade, of_draft
from quarterdeck.ports.store import Where
from quarterdeck.service.context import ALL, OPEN, Context, expect
from quarterdeck.service.overtaken import demand_same_job

if TYPE_CHECKING:
    from quarterdeck.model.job import Job
    from quarterdeck.model.run import Run
    from quarterdeck.ports.store import Kept


def cascade(context: Context, job: Job) -> Cascade:
    """Return what would go with the job, and the runs under way, which have to end before."""
    store, mine = context.ports.store, Where("job", "=", job.id)
    draft = store.drafts.find(job.id)
    return Cascade(
        id=job.id, job=job.name, team=context.team_name(job.team),
        shared_teams=tuple(context.team_name(team) for team in job.shared_teams),
        schedule=job.schedule, versions=store.versions.count(mine), newest=job.next_number - 1,
        draft=of_draft(draft.value if draft else None),
        dropped=tuple(one.key for one in job.dropped), runs=store.runs.count(mine),
        active=tuple(run.id for run in _active(context, job)),
    )  # fmt: skip


def delete(
    context: Context, name: str, *, shown: Cascade | None, expect_rev: int | None, dry_run: bool
) -> Cascade:
    """Remove the job with its versions and draft, and return what went; see `Jobs.delete`."""
    actor = context.actor()
    first = context.get_job(actor, name).value
    context.demand(actor, "delete", f"job {first.name}", first)
    with context.transaction(f"deleting job {first.name}", dry_run=dry_run) as tx:
        kept = context.get_job(actor, first.id)
        job = kept.value
        expect(f"job {job.name}", kept, expect_rev)
        gone = cascade(context, job)
        if shown is not None:
            _refuse_unseen(kept, gone, shown)
        _refuse_active(_active(context, job), job)
        draft = tx.drafts.find(job.id)
        if draft is not None:
            tx.drafts.delete(job.id, seen=draft.rev)
        for version in tx.versions.page(Where("job", "=", job.id), limit=ALL):
            tx.versions.delete(version.value.id, seen=version.rev)
        tx.jobs.delete(job.id, seen=kept.rev)
        tx.audit.append("job.delete", f"job/{job.id}", name=job.name, team=job.team, before=job)
    return gone


def _active(context: Context, job: Job) -> list[Run]:
    found = context.ports.store.runs.page(Where("job", "=", job.id), OPEN, limit=ALL)
    return [kept.value for kept in found if not kept.value.is_terminal]


def _refuse_unseen(kept: Kept[Job], now: Cascade, shown: Cascade) -> None:
    demand_same_job(kept.value, shown.id)
    unseen = now.new_since(shown)
    if unseen:
        raise OvertakenError(
            f"Job {shown.job} is not deleted: {'; '.join(unseen)}.",
            advice="Nothing was removed. Look at what goes with it now, then ask again.",
            conflict={"actor": kept.by, "at": format_instant(kept.at), "rev": kept.rev},
            unseen=unseen,
        )


def _refuse_active(active: list[Run], job: Job) -> None:
    if active:
        told = ", ".join(f"{run.id} ({run.state})" for run in active)
        raise IllegalTransitionError(
            f"Job {job.name} has runs under way: {told}.",
            advice="Cancel them first: `quarterdeck cancel RUN`.",
            active=[run.id for run in active],
        )
