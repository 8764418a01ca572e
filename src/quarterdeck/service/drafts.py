"""The draft of a job: show, discard, reset, bring back. It is written by `jobs.edit` and `drafting`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import NotFoundError
from quarterdeck.model.instants import format_instant
from quarterdeck.service import references, views
from quarterdeck.service.context import Context, expect
from quarterdeck.service.references import World
from quarterdeck.service.replacing import drop, save_draft, still_kept

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
        name = kept.value.name
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
        """Remove the draft; runs of it keep their text. `bring_back` undoes it."""
        context = self._context
        kept, draft = self.get(name)
        job, name = kept.value, kept.value.name
        context.demand(context.actor(), "edit", f"job {name}", job)
        expect(f"job {name}", kept, expect_rev)
        with context.transaction(f"discarding the draft of {name}") as tx:
            tx.drafts.delete(job.id, seen=draft.rev)
            tx.jobs.put(drop(context, tx, job, draft.value), seen=kept.rev)
            tx.audit.append(
                "draft.discard", f"job/{job.id}", name=name, team=job.team, before=draft.value.spec
            )
        from quarterdeck.service.jobs import Jobs

        return Jobs(context).show(name)

    def reset(self, name: str, *, expect_rev: int | None = None) -> dict[str, Any]:
        """Make the draft equal to the live version again, and based on it. `bring_back` undoes it."""
        context = self._context
        kept, draft = self.get(name)
        job, name = kept.value, kept.value.name
        context.demand(context.actor(), "edit", f"job {name}", job)
        expect(f"job {name}", kept, expect_rev)
        live = context.get_version(job, job.live_version)
        with context.transaction(f"resetting the draft of {name}") as tx:
            kept = kept._replace(value=drop(context, tx, job, draft.value))
            save_draft(context, tx, kept, draft, live.spec, based_on=job.live_version)
        return self.show(name)

    # --- dropped ones

    def dropped(self, name: str) -> list[dict[str, Any]]:
        """Return the drafts that were dropped and are kept still, newest first; `number` is for `bring_back`."""
        job = self._context.get_job(self._context.actor(), name).value
        found = [
            {
                "job": job.name, "number": number, "based_on": one.based_on, "author": one.author,
                "at": format_instant(one.at), "dropped_by": one.dropped_by,
                "dropped_at": format_instant(one.dropped_at),
            }
            for number, one in enumerate(still_kept(self._context, job), start=1)
        ]  # fmt: skip
        return found[::-1]

    def bring_back(self, name: str, number: int) -> dict[str, Any]:
        """Make a dropped draft the draft again; one that is in its place is dropped for it."""
        context, actor = self._context, self._context.actor()
        context.demand(actor, "edit", f"job {name}", context.get_job(actor, name).value)
        with context.transaction(f"bringing back a draft of {name}") as tx:
            kept = context.get_job(actor, name)
            found = list(still_kept(context, kept.value))
            if not 1 <= number <= len(found):
                raise NotFoundError(
                    f"Job {name} has no dropped draft {number}.",
                    advice=f"`quarterdeck job bring-back {name}` lists those that are kept.",
                )
            wanted = found.pop(number - 1)
            spec = json.loads(tx.frozen.get(wanted.spec_sha256).value["spec"])
            aside = ""
            if wanted.aside_sha256:
                aside = json.loads(tx.frozen.get(wanted.aside_sha256).value["spec"])
            job, draft = replace(kept.value, dropped=tuple(found)), tx.drafts.find(kept.value.id)
            if draft is not None:
                job = drop(context, tx, job, draft.value)
            kept = kept._replace(value=job)
            save_draft(context, tx, kept, draft, spec, based_on=wanted.based_on, aside=aside)
        return self.show(name)
