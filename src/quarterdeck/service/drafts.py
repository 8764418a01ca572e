"""The draft of a job: show, discard, reset, bring back. It is written by `jobs.edit` and `drafting`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import NotFoundError
from quarterdeck.model.instants import format_instant
from quarterdeck.model.job import DroppedDraft
from quarterdeck.model.shown import Shelf, key_of, of_draft
from quarterdeck.service import references, views
from quarterdeck.service.context import Context, expect
from quarterdeck.service.overtaken import demand_draft
from quarterdeck.service.references import World
from quarterdeck.service.replacing import drop, last_number, save_draft, still_kept

if TYPE_CHECKING:
    from quarterdeck.model.job import Draft, Job
    from quarterdeck.model.shown import DraftShown
    from quarterdeck.ports.store import Documents, Kept


@dataclass(frozen=True, slots=True)
class Dropped:
    """A draft that was dropped just now, and the key of the draft that is in its place (NO_DRAFT for none)."""

    job_id: str
    job: str
    draft: DroppedDraft
    left: str

    def document(self) -> dict[str, Any]:
        """Return it as a row of `job bring-back`."""
        return row(self.job, self.draft)


class Drafts:
    """Use cases on the one draft of a job."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, name: str) -> tuple[Kept[Job], Kept[Draft]]:
        """Return job and draft; NotFoundError when there is none."""
        kept = self._context.get_job(self._context.actor(), name)
        draft = self._context.ports.store.drafts.find(kept.value.id)
        if draft is None:
            name = kept.value.name
            raise NotFoundError(
                f"Job {name} has no draft.", advice=f"`quarterdeck job edit {name}` begins one."
            )
        return kept, draft

    def show(self, name: str) -> dict[str, Any]:
        """Return the draft with its spec, base, author and time."""
        kept, draft = self.get(name)
        world = World(self._context)
        return views.draft(kept, draft.value, references.to_names(world, draft.value.spec))

    def shelf(self, name: str) -> Shelf:
        """Return what a list of the job's dropped drafts shows."""
        job = self._context.get_job(self._context.actor(), name).value
        return Shelf(job.id, job.name, self.in_place(job.id), tuple(self.dropped(job.id)))

    def in_place(self, name: str) -> DraftShown | None:
        """Return what is shown of the draft before it is dropped or gives way; None where there is none."""
        job = self._context.get_job(self._context.actor(), name).value
        kept = self._context.ports.store.drafts.find(job.id)
        return of_draft(kept.value if kept else None)

    def discard(self, name: str, *, expect_rev: int | None = None) -> dict[str, Any]:
        """Remove the draft, as `give_up` does, and return the job with `dropped`, the draft that was there."""
        from quarterdeck.service.jobs import Jobs

        gone = self.give_up(name, expect_rev=expect_rev)
        return {**Jobs(self._context).show(gone.job_id), "dropped": gone.document()}

    def reset(self, name: str, *, expect_rev: int | None = None) -> dict[str, Any]:
        """Make the draft equal to live, as `give_up` does, and return it with `dropped`, the one that was."""
        gone = self.give_up(name, to_live=True, expect_rev=expect_rev)
        return {**self.show(gone.job_id), "dropped": gone.document()}

    def give_up(
        self, name: str, *, to_live: bool = False, expect_rev: int | None = None,
        expect_draft: str | None = None,
    ) -> Dropped:  # fmt: skip
        """Drop the draft; runs of it keep their text, and `bring_back` undoes it.

        `to_live`: the draft is then equal to the live version and based on it. `expect_draft` is the key of the
        draft that was shown.
        """
        context, actor = self._context, self._context.actor()
        job = context.get_job(actor, name).value
        context.demand(actor, "edit", f"job {job.name}", job)
        act = "reset" if to_live else "discard"
        with context.transaction(f"{act}ing the draft of {job.name}") as tx:
            kept, draft = self.get(job.id)
            expect(f"job {kept.value.name}", kept, expect_rev)
            demand_draft(kept.value, draft.value, expect_draft)
            after = drop(context, tx, kept.value, draft.value)
            left = None
            if to_live:
                live = context.get_version(after, after.live_version)
                context.ports.store.demand_sound(("versions", live.id))
                kept = kept._replace(value=after)
                left = save_draft(context, tx, kept, draft, live.spec, based_on=after.live_version)
            else:
                tx.drafts.delete(job.id, seen=draft.rev)
                tx.jobs.put(after, seen=kept.rev)
                tx.audit.append(
                    "draft.discard", f"job/{job.id}", name=after.name, team=after.team,
                    before=draft.value.spec,
                )  # fmt: skip
        return Dropped(
            after.id, after.name, after.dropped[-1], key_of(left.value if left else None)
        )

    # --- dropped ones

    def dropped(self, name: str) -> list[dict[str, Any]]:
        """Return the drafts that were dropped and are kept still, newest first; `number` is for `bring_back`."""
        job = self._context.get_job(self._context.actor(), name).value
        return [row(job.name, one) for one in reversed(still_kept(self._context, job))]

    def bring_back(
        self, name: str, number: int, *, expect_rev: int | None = None,
        expect_draft: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Make a dropped draft the draft again; one that is in its place is dropped for it.

        `number` means the same draft for good. `expect_draft` is the key of the one that was shown in its place.
        Returns the draft with `dropped`: the one that gave way, or None.
        """
        context, actor = self._context, self._context.actor()
        job = context.get_job(actor, name).value
        context.demand(actor, "edit", f"job {job.name}", job)
        with context.transaction(f"bringing back a draft of {job.name}") as tx:
            kept = context.get_job(actor, job.id)
            expect(f"job {kept.value.name}", kept, expect_rev)
            found = still_kept(context, kept.value)
            wanted = next((one for one in found if one.number == number), None)
            if wanted is None:
                raise NotFoundError(
                    f"Job {job.name} has no dropped draft {number}.",
                    advice=f"`quarterdeck job bring-back {job.name}` lists those that are kept.",
                )
            draft = tx.drafts.find(job.id)
            demand_draft(kept.value, draft.value if draft else None, expect_draft)
            spec = _kept(tx, wanted.spec_sha256)
            aside = _kept(tx, wanted.aside_sha256) if wanted.aside_sha256 else ""
            rest = tuple(one for one in found if one.number != number)
            after = replace(kept.value, dropped=rest, drops=last_number(kept.value))
            if draft is not None:
                after = drop(context, tx, after, draft.value)
            kept = kept._replace(value=after)
            save_draft(context, tx, kept, draft, spec, based_on=wanted.based_on, aside=aside)
        gone = row(after.name, after.dropped[-1]) if draft is not None else None
        return {**self.show(job.id), "dropped": gone}


def _kept(tx: Documents, sha256: str) -> Any:
    return json.loads(tx.frozen.get(sha256).value["spec"])


def row(job: str, one: DroppedDraft) -> dict[str, Any]:
    """Return a dropped draft as `job bring-back` lists it."""
    return {
        "job": job, "number": one.number, "based_on": one.based_on, "author": one.author,
        "at": format_instant(one.at), "dropped_by": one.dropped_by,
        "dropped_at": format_instant(one.dropped_at),
    }  # fmt: skip
