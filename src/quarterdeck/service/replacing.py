"""How a draft is written in the place of another: what may be replaced, and what is kept of what was.

All of it happens in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import StaleError
from quarterdeck.model.instants import format_instant
from quarterdeck.model.job import NO_MARK, Draft, DroppedDraft, Job, Mark, version_id
from quarterdeck.model.limits import OWN_DROPPED_MOST
from quarterdeck.model.shown import canonical
from quarterdeck.service.context import MERGE_S, Context

if TYPE_CHECKING:
    from quarterdeck.ports.store import Documents, Kept


def save_draft(  # noqa: PLR0913  # a draft has so many facts
    context: Context, tx: Documents, kept: Kept[Job], draft: Kept[Draft] | None,
    spec: Mapping[str, Any], *, based_on: int | None = None, aside: str | None = None,
    mark: Mark = NO_MARK,
) -> Kept[Draft]:  # fmt: skip
    """Write the draft of a job in the caller's transaction; a new one is based on the live version, or `based_on`.

    The job is written with it, so that one revision tells of a change to either.
    """
    job = kept.value
    if based_on is None:
        based_on = draft.value.based_on if draft else job.live_version
    if aside is None:
        aside = draft.value.aside if draft else ""
    if draft is None:  # then what nobody changed is the version's
        context.ports.store.demand_sound(("versions", version_id(job.id, based_on)))
    new = Draft(job.id, spec, based_on, context.who, context.now(), aside, mark=mark)
    tx.drafts.put(new, seen=draft.rev if draft else None)
    tx.jobs.put(job, seen=kept.rev)
    tx.audit.append(
        "draft.save", f"job/{job.id}", name=job.name, team=job.team, merge_s=MERGE_S,
        before=draft.value.spec if draft else None, after=spec,
    )  # fmt: skip
    return tx.drafts.get(job.id)


def give_way(
    context: Context,
    tx: Documents,
    kept: Kept[Job],
    draft: Kept[Draft],
    *,
    after: Job,
    is_seen: bool,
) -> Job:
    """Return `after` with the draft among the dropped ones; StaleError if it is another's and was not seen."""
    name = kept.value.name
    if not is_seen and draft.value.author != context.who:
        raise StaleError(
            f"The draft of {name}",
            actor=draft.value.author,
            at=format_instant(draft.value.at),
            rev=kept.rev,
            advice=f"See `quarterdeck job draft {name}`; then --expect-rev {kept.rev}, or --replace-draft. "
            f"What is replaced can be had again: `quarterdeck job bring-back {name}`.",
        )
    return drop(context, tx, after, draft.value)


def stale_draft(kept: Kept[Job], draft: Kept[Draft] | None) -> StaleError:
    """Return the error that says who saved the draft (without one: who wrote the job last), and when."""
    job = kept.value
    if draft is not None:
        at = format_instant(draft.value.at)
        return StaleError(
            f"The draft of {job.name}", actor=draft.value.author, at=at, rev=kept.rev
        )
    return StaleError(
        f"The draft of {job.name}", actor=kept.by, at=format_instant(kept.at), rev=kept.rev
    )


def drop(context: Context, tx: Documents, job: Job, draft: Draft) -> Job:
    """Keep the draft's texts and return the job with a line about it; lines past the kept period go.

    The same draft dropped twice in a row is one line, under its number. Of too many that their authors dropped the
    oldest goes.
    """
    others, drops = still_kept(context, job), last_number(job)
    line = DroppedDraft(
        _keep(tx, draft.spec), draft.based_on, draft.author, draft.at, context.who, context.now(),
        drops + 1, _keep(tx, draft.aside) if draft.aside else "",
    )  # fmt: skip
    if others and _is_same(others[-1], line):
        line = replace(line, number=others[-1].number)
        others = others[:-1]
    kept = [*others, line]
    own = [one for one in kept if one.author == one.dropped_by]
    if len(own) > OWN_DROPPED_MOST:
        kept.remove(own[0])
    return replace(job, dropped=tuple(kept), drops=max(drops, line.number))


def _keep(tx: Documents, content: Mapping[str, Any] | str) -> str:
    """Keep a draft's spec, or the text beside it, under the hash of its JSON, and return that."""
    text, sha256 = canonical(content)
    if tx.frozen.find(sha256) is None:
        tx.frozen.put({"id": sha256, "spec": text}, seen=None)
    return sha256


def _is_same(one: DroppedDraft, other: DroppedDraft) -> bool:
    fields = ("spec_sha256", "aside_sha256", "based_on", "author")
    return all(getattr(one, field) == getattr(other, field) for field in fields)


def still_kept(context: Context, job: Job) -> tuple[DroppedDraft, ...]:
    """Return the job's dropped drafts that are not past the workspace's kept period, oldest first."""
    oldest = context.now() - timedelta(seconds=context.workspace().value.kept_s)
    return tuple(one for one in _numbered(job) if one.dropped_at >= oldest)


def last_number(job: Job) -> int:
    """Return the highest number that a dropped draft of the job ever had."""
    return max([job.drops, *(one.number for one in _numbered(job))])


def _numbered(job: Job) -> tuple[DroppedDraft, ...]:
    """Return the job's dropped drafts; those from before there were numbers are numbered by their place."""
    return tuple(
        one if one.number else replace(one, number=place)
        for place, one in enumerate(job.dropped, 1)
    )
