"""Refusals of acts for which what was shown is not so any more; each says who changed what, and when.

They are asked for in the act's transaction, with what the act was given back: `model.shown`. None: not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.errors import NotFoundError, OvertakenError
from quarterdeck.model.instants import format_instant
from quarterdeck.model.shown import NO_DRAFT, canonical, key_of

if TYPE_CHECKING:
    from quarterdeck.model.job import Draft, Job

ASK_AGAIN: Final = "Nothing was changed. Look at it as it is now, then ask again."


def demand_draft(
    job: Job, draft: Draft | None, shown: str | None, *,
    told_by: Callable[[Draft | None], str] = key_of,
) -> None:  # fmt: skip
    """Raise OvertakenError unless the job's draft is the one shown, `told_by` its key or the hash of its spec.

    None: whatever is there was meant.
    """
    if shown is None or told_by(draft) == shown:
        return
    if draft is not None:
        who, when = draft.author, format_instant(draft.at)
        not_it = "no draft was shown" if shown == NO_DRAFT else "it is not the one that was shown"
        text = f"{who} saved a draft of {job.name} at {when}; {not_it}."
    else:
        who, when, did = _ended(job, shown)
        text = f"The draft of {job.name} that was shown is gone: {who} {did} at {when}."
    raise OvertakenError(
        text,
        advice=f"{ASK_AGAIN} `quarterdeck job draft {job.name}` shows the draft, "
        f"`quarterdeck job bring-back {job.name}` lists those that were dropped.",
        conflict={"actor": who, "at": when, "draft_shown": shown or None},
    )


def _ended(job: Job, shown: str) -> tuple[str, str, str]:
    """Return who ended the draft that was shown, when, and how."""
    for one in reversed(job.dropped):
        if shown in (one.key, one.spec_sha256):
            return one.dropped_by, format_instant(one.dropped_at), "dropped it"
    last = job.activations[-1]
    return last.actor, format_instant(last.at), f"made version {last.number} live"


def demand_live(job: Job, number: int | None) -> None:
    """Raise OvertakenError, who made which version live and when, unless `number` is live; None: any was meant."""
    if number is None or job.live_version == number:
        return
    last = job.activations[-1]
    at = format_instant(last.at)
    raise OvertakenError(
        f"{last.actor} made version {job.live_version} of {job.name} live at {at}; "
        f"version {number} was shown as live.",
        advice=f"{ASK_AGAIN} `quarterdeck job diff {job.name} {number} {job.live_version}` shows what differs.",
        conflict={
            "actor": last.actor, "at": at, "live_version": job.live_version, "live_shown": number,
        },
    )  # fmt: skip


def demand_same_job(job: Job, id: str) -> None:
    """Raise NotFoundError if the name means another job than the one that was shown."""
    if job.id != id:
        raise NotFoundError(f"The job that was shown is gone; {job.name} is another one.")


def demand_parameters(what: str, declared: Mapping[str, Any], shown: Mapping[str, Any]) -> None:
    """Raise OvertakenError unless a spec declares the parameters that were shown, with their values."""
    before, now = ({k: canonical(v) for k, v in one.items()} for one in (shown, declared))
    if before == now:
        return
    others = sorted(name for name in {**before, **now} if before.get(name) != now.get(name))
    told = [
        f"{name} is {declared[name]!r}" if name in declared else f"{name} is not declared"
        for name in others
    ]
    raise OvertakenError(
        f"{what} has other parameters than were shown: {'; '.join(told)}.",
        advice="Nothing was started. Look at them as they are, then ask again.",
        parameters=dict(declared),
    )
