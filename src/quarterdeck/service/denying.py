"""What a refusal of a place means for a run: whether it may pass, and whom it holds against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quarterdeck.lifecycle.denied import PATIENCE
from quarterdeck.lifecycle.dispatching import ASKING, BEFORE_THE_WORD
from quarterdeck.model.errors import DeniedError, Problem
from quarterdeck.model.failure import Reason
from quarterdeck.model.observation import Denied, PutBack, Refused, Silent
from quarterdeck.model.run import Act, ActKind, Run
from quarterdeck.service.context import OPEN, Context

if TYPE_CHECKING:
    from quarterdeck.model.observation import Fact

OTHERS: Final = "somebody who may start it"


def denied(context: Context, run: Run, error: DeniedError) -> Denied:
    """Return what a place does not allow as a fact about the run."""
    problem = Problem("spec.cluster", f"{error.message} {error.advice}".strip())
    refused = Refused(Reason.CONFIG_ERROR, (problem,), error.what)
    return Denied(error.what, refused, error.doubt or doubt(context, run))


def doubt(context: Context, run: Run) -> str:
    """Return whether the run's cluster did not answer to another run a moment ago, in words."""
    for kept in context.readable(context.ports.store.runs, OPEN):
        other, at = kept.value, kept.value.silent_at
        is_late = at is not None and context.now_of(other) - at <= PATIENCE
        if is_late and other.cluster == run.cluster and other.id != run.id:
            return f"the cluster did not answer to run {other.id} a moment ago"
    return ""


def held_against(context: Context, run: Run, act: Act, outcome: Refused | Denied) -> Fact:
    """Return a refusal as it counts for the run: what who looks lacks ends nothing that others began.

    A run that does not exist for them goes back into the line, or waits. What is prepared waits for whoever made
    the run, or has the right.
    """
    refused = outcome.refused if isinstance(outcome, Denied) else outcome
    why = refused.problems[0].message
    if act.kind in (ActKind.RELEASE, ActKind.START):
        is_theirs = run.actor != context.who
    else:
        is_asked = act.kind in BEFORE_THE_WORD
        is_theirs = is_asked and not context.sees_run(context.actor(), run)
    if not is_theirs:
        return outcome
    if act.kind in ASKING:
        return PutBack(OTHERS, why)
    return Silent(None, f"asked by {context.who}: {why}")
