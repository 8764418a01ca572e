"""How a draft is written in the place of another: what may be replaced, and what is kept of what was.

All of it happens in the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import StaleError
from quarterdeck.model.instants import format_instant
from quarterdeck.model.job import NO_MARK, Draft, DroppedDraft, Job, Mark
from quarterdeck.service.context import MERGE_S, Context
from quarterdeck.versions import drafts

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
    new = Draft(job.id, spec, based_on, context.who, context.now(), aside, mark)
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

    The same draft dropped twice in a row is one line.
    """
    text = drafts.spec_text(draft.spec)
    aside = json.dumps(draft.aside) if draft.aside else ""
    line = DroppedDraft(
        drafts.sha256(text), draft.based_on, draft.author, draft.at, context.who, context.now(),
        drafts.sha256(aside) if aside else "",
    )  # fmt: skip
    for sha256, kept in ((line.spec_sha256, text), (line.aside_sha256, aside)):
        if sha256 and tx.frozen.find(sha256) is None:
            tx.frozen.put({"id": sha256, "spec": kept}, seen=None)
    others = still_kept(context, job)
    if others and _is_same(others[-1], line):
        others = others[:-1]
    return replace(job, dropped=(*others, line))


def _is_same(one: DroppedDraft, other: DroppedDraft) -> bool:
    fields = ("spec_sha256", "aside_sha256", "based_on", "author")
    return all(getattr(one, field) == getattr(other, field) for field in fields)


def still_kept(context: Context, job: Job) -> tuple[DroppedDraft, ...]:
    """Return the job's dropped drafts that are not past the workspace's kept period, oldest first."""
    oldest = context.now() - timedelta(seconds=context.workspace().value.kept_s)
    return tuple(one for one in job.dropped if one.dropped_at >= oldest)
