"""Attempts whose end nobody saw: what may still run on a node that was lost, and who says that nothing does.

The rule itself, and until when it holds: `lifecycle.nodes`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from quarterdeck.lifecycle import nodes
from quarterdeck.model.errors import (
    ConflictError,
    OvertakenError,
    PrerequisiteError,
    UnreachableError,
)
from quarterdeck.model.failure import Reason
from quarterdeck.model.instants import format_instant
from quarterdeck.model.observation import Observation, Phase, Silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from quarterdeck.model.run import Attempt, Run
    from quarterdeck.ports.executor import Executor
    from quarterdeck.service.context import Context


def seen_on_its_node(
    run: Run, seen: Observation | Silent, executor: Executor, now: datetime
) -> Observation | Silent:
    """Return what was seen; an end that nobody saw on a node that is lost is the loss of the node.

    A driver that still stands there is being ended, and its clean-up waits for it: that is no loss.
    """
    attempt = run.attempt
    if isinstance(seen, Silent) or seen.phase not in (Phase.ENDED, Phase.GONE):
        return seen
    is_seen = seen.exit_code is not None or seen.last_word is not None
    is_ending = any(one in run.placement for one in seen.left)
    if is_seen or is_ending or attempt is None or not attempt.node:
        return seen
    try:
        why = _ask(attempt, executor, now)
    except UnreachableError as error:
        return Silent(None, error.message)
    if not why:
        return seen
    if run.cancel is not None:
        return replace(seen, left=(*seen.left, why))
    return replace(
        seen, because=why, failure=Reason.NODE_LOST, object=f"node {attempt.node}",
        evidence=(seen.because, *seen.evidence),
    )  # fmt: skip


def left(run: Run, executor: Executor, now: datetime) -> tuple[str, ...]:
    """Return what may still run of the last attempt, as words; nothing unless its node was lost."""
    attempt = run.attempt
    if attempt is None or attempt.reason is not Reason.NODE_LOST or attempt.cleared_by:
        return ()
    why = _ask(attempt, executor, now)
    if why is None:
        why = f"{attempt.object} cannot be looked at without the right to get nodes"
    return (why,) if why else ()


def demand_cleared(context: Context, run: Run, executor_of: Callable[[Run], Executor]) -> None:
    """Raise PrerequisiteError while the run's last attempt may still run on a lost node."""
    attempt, now = run.attempt, context.now_of(run)
    if attempt is None or not nodes.is_held(run, attempt, now):
        return
    try:
        words = left(run, executor_of(run), now)
    except UnreachableError as error:
        words = (error.message,)
    if not words:
        return
    until = nodes.held_until(run, attempt)
    raise PrerequisiteError(
        f"Attempt {attempt.number} of run {run.id} may still run: {', '.join(words)}.",
        advice=f"Wait until {format_instant(until) if until else 'it has ended'}, or, if the machine is off:"
        f" `quarterdeck retry {run.id} --node-off`.",
    )


def say_off(context: Context, run_id: str, actor: str, shown: int | None = None) -> Run:
    """Keep that a person says that the machine of the lost node is off, and return the run.

    `shown` is the attempt that the person was asked about; another one by now is an OvertakenError.
    """
    with context.transaction(f"clearing run {run_id}") as tx:
        kept = context.get_run(context.actor(), run_id)
        run, attempt = kept.value, kept.value.attempt
        if attempt is None or attempt.reason is not Reason.NODE_LOST:
            raise ConflictError(
                f"No attempt of run {run_id} was lost with its node.",
                advice=f"`quarterdeck retry {run_id}` needs no --node-off.",
            )
        if shown is not None and attempt.number != shown:
            raise OvertakenError(
                f"Attempt {attempt.number} of run {run_id} was lost on {attempt.object} meanwhile; "
                f"attempt {shown} was asked about.",
                advice="Nothing was changed. Look whether that machine is off, then say so again.",
            )
        if attempt.cleared_by:
            return run
        cleared = replace(attempt, cleared_by=actor)
        run = replace(run, attempts=(*run.attempts[:-1], cleared))
        tx.runs.put(run, seen=kept.rev)
        tx.audit.append(
            "run.node_off", f"run/{run_id}", name=run.job_name, team=run.team,
            after=attempt.object,
        )  # fmt: skip
    return run


def _ask(attempt: Attempt, executor: Executor, now: datetime) -> str | None:
    since = attempt.began_at or attempt.released_at or attempt.claimed_at
    if attempt.receipt is None or not attempt.node:
        return None
    return executor.may_run(attempt.receipt, attempt.node, (now - since).total_seconds())
