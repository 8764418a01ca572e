"""The draft of a job: show, discard, reset. It is written by `jobs.edit`; published by `publishing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import NotFoundError
from quarterdeck.service import references, views
from quarterdeck.service.context import Context, expect
from quarterdeck.service.jobs import save_draft
from quarterdeck.service.references import World

if TYPE_CHECKING:
    from quarterdeck.model.job import Draft, Job
    from quarterdeck.ports.store import Kept


class Drafts:
    """Use cases on the one draft of a job."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, name: str) -> tuple[Kept[Job], Kept[Draft]]:
        """Return job and draft; NotFoundError when there is none."""
        kept = self._context.get_job(self._context.actor(), name)
        draft = self._context.ports.store.drafts.find(kept.value.id)
        if draft is None:
            raise NotFoundError(
                f"Job {name} has no draft.", advice=f"`quarterdeck job edit {name}` begins one."
            )
        return kept, draft

    def show(self, name: str) -> dict[str, Any]:
        """Return the draft with its spec, base, author and time."""
        kept, draft = self.get(name)
        world = World(self._context)
        return views.draft(kept, draft.value, references.to_names(world, draft.value.spec))

    def discard(self, name: str, *, expect_rev: int | None = None) -> dict[str, Any]:
        """Remove the draft; runs of it keep their text."""
        context = self._context
        kept, draft = self.get(name)
        job = kept.value
        context.demand(context.actor(), "edit", f"job {name}", job)
        expect(f"job {name}", kept, expect_rev)
        with context.transaction(f"discarding the draft of {name}") as tx:
            tx.drafts.delete(job.id, seen=draft.rev)
            tx.jobs.put(job, seen=kept.rev)
            tx.audit.append(
                "draft.discard", f"job/{job.id}", name=name, team=job.team, before=draft.value.spec
            )
        from quarterdeck.service.jobs import Jobs

        return Jobs(context).show(name)

    def reset(self, name: str) -> dict[str, Any]:
        """Make the draft equal to the live version again, and based on it."""
        context = self._context
        kept, draft = self.get(name)
        job = kept.value
        context.demand(context.actor(), "edit", f"job {name}", job)
        live = context.get_version(job, job.live_version)
        with context.transaction(f"resetting the draft of {name}") as tx:
            from dataclasses import replace

            based = draft._replace(value=replace(draft.value, based_on=job.live_version))
            save_draft(context, tx, kept, based, live.spec)
        return self.show(name)
