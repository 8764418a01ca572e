"""What was made of a run already by retry and exact re-run, and which of its statements would run again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.codec import to_document
from quarterdeck.model.errors import ConflictError, PrerequisiteError
from quarterdeck.model.instants import format_instant
from quarterdeck.model.shown import Again, Done, Made
from quarterdeck.model.states import RunState
from quarterdeck.service import remains

if TYPE_CHECKING:
    from quarterdeck.model.job import Job
    from quarterdeck.model.run import Run
    from quarterdeck.service.context import Context

HEAD: Final = 60  # characters of a statement that are shown


def again(context: Context, run: Run, job: Job, read_file: Callable[[str], bytes]) -> Again:
    """Return what running a run of this job again rests on."""
    return Again(
        id=run.id, job_id=job.id, job=job.name, state=run.state, version=run.version,
        draft=run.draft, live=job.live_version, done=done(context, run, read_file),
        made=made(context, run),
    )  # fmt: skip


def made(context: Context, run: Run) -> tuple[Made, ...]:
    """Return the runs that were made of it, oldest first."""
    found = (context.ports.store.runs.find(one) for one in run.retried_by)
    return tuple(
        Made(one.id, one.trigger, one.state, one.actor, one.queued_at, one.is_terminal)
        for one in (kept.value for kept in found if kept is not None)
    )


def demand_first_retry(context: Context, run: Run, beside: Collection[str] | None) -> None:
    """Raise ConflictError if a retry of the run was made that is not in `beside` (None: all are)."""
    _demand_none([one for one in made(context, run) if one.trigger == "retry"], run, beside)


def demand_no_exact_under_way(context: Context, run: Run, beside: Collection[str] | None) -> None:
    """Raise ConflictError while an exact re-run of the run has not ended that is not in `beside`."""
    found = [one for one in made(context, run) if one.trigger == "exact" and not one.has_ended]
    _demand_none(found, run, beside)


def keep(context: Context, run: Run, old: Run, beside: Collection[str] | None) -> None:
    """Keep the new run that was made of `old`, linked both ways; whether it is the first is decided here."""
    action, demand = "run.exact", demand_no_exact_under_way
    if run.retry_of:
        action, demand = "run.retry", demand_first_retry
    with context.transaction(f"running {run.job_name}") as tx:
        kept = tx.runs.get(old.id)
        if context.job_by_id(old.job) is None:
            raise job_gone(old)
        demand(context, kept.value, beside)
        linked = replace(kept.value, retried_by=(*kept.value.retried_by, run.id))
        tx.runs.put(run, seen=None)
        tx.runs.put(linked, seen=kept.rev)
        tx.audit.append(action, f"run/{run.id}", name=run.job_name, team=run.team, after=old.id)


def row(
    context: Context, shown: Mapping[str, Any], old: Run, read_file: Callable[[str], bytes]
) -> dict[str, Any]:
    """Return the row of a run that was made of `old`, with what had completed there: `will_run_again`."""
    found = done(context, old, read_file)
    return {**shown, "will_run_again": [to_document(one) for one in found]}


def job_gone(run: Run) -> PrerequisiteError:
    """Return the error that the job of the run was deleted."""
    return PrerequisiteError(
        f"Job {run.job_name} of run {run.id} was deleted.", advice="Create it again."
    )


def _demand_none(found: list[Made], run: Run, beside: Collection[str] | None) -> None:
    unknown = [] if beside is None else [one for one in found if one.id not in beside]
    if not unknown:
        return
    last = unknown[-1]
    what = "retried" if last.trigger == "retry" else "run again exactly"
    at = format_instant(last.at)
    exact = "" if last.trigger == "retry" else " --exact"
    command = f"{'retry' if not exact else 'rerun'} {run.id}{exact}"
    raise ConflictError(
        f"Run {run.id} was {what} already: run {last.id}, {last.state}, by {last.actor} at {at}.",
        advice=f"`quarterdeck run-show {last.id}` shows that one; "
        f"`quarterdeck {command} --again` makes another beside it.",
        conflict={"actor": last.actor, "at": at, "run": last.id},
        made=[one.id for one in unknown],
    )


def done(context: Context, run: Run, read_file: Callable[[str], bytes]) -> tuple[Done, ...]:
    """Return the statements that the run's last attempt had completed, in order; none of a run that succeeded.

    They run one after the other. How far they came is known by the runner's last word, and by what is kept of the
    result where there is no such word.
    """
    if run.state is RunState.SUCCEEDED:
        return ()
    word = run.last_word or {}
    current, _ = word.get("statement") or (1, 1)
    last = max(
        [current - 1, *(word.get("statements_done") or ()), *_in_result(context, run, read_file)]
    )
    heads = _heads(context, run) if last else {}
    return tuple(Done(number, heads.get(number, "")) for number in range(1, last + 1))


def _in_result(context: Context, run: Run, read_file: Callable[[str], bytes]) -> list[int]:
    """Return the numbers of the statements whose rows are kept to their end."""
    result, _ = remains.result(context, run.result_sha256, read_file)
    if result is None:
        return []  # what was kept of it went; the last word stands
    return [one["number"] for one in result["statements"] if one["seconds"] is not None]


def _heads(context: Context, run: Run) -> dict[int, str]:
    """Return the beginning of each statement of the text that was frozen, by number."""
    from quarterdeck.model import sqltext

    frozen, _ = remains.frozen_spec(context, run.frozen_sha256)
    text = frozen["source"].get("text") if frozen is not None else None
    if not isinstance(text, str):
        return {}
    return {one.number: " ".join(one.text.split())[:HEAD] for one in sqltext.split(text)}
