"""Which state may follow which, in one table; no path leaves a terminal state."""

from typing import Final

from quarterdeck.model.run import TERMINAL, RunState

S = RunState
_ENDS: Final = frozenset({S.SUCCEEDED, S.FAILED, S.TIMED_OUT, S.CANCELLED, S.LOST})

FOLLOWS: Final[dict[RunState, frozenset[RunState]]] = {
    S.QUEUED: frozenset({S.DISPATCHING, S.CANCELLED, S.REJECTED, S.LOST}),
    S.DISPATCHING: frozenset({S.SUBMITTED, S.CANCELLING, S.REJECTED, S.QUEUED})
    | _ENDS - {S.SUCCEEDED},
    S.SUBMITTED: frozenset({S.PENDING, S.STARTING, S.RUNNING, S.CANCELLING, S.QUEUED}) | _ENDS,
    S.PENDING: frozenset({S.STARTING, S.RUNNING, S.CANCELLING, S.QUEUED}) | _ENDS,
    S.STARTING: frozenset({S.RUNNING, S.CANCELLING, S.QUEUED}) | _ENDS,
    S.RUNNING: frozenset({S.CANCELLING, S.QUEUED}) | _ENDS,
    S.CANCELLING: frozenset({S.QUEUED, S.REJECTED}) | _ENDS,
    **{state: frozenset() for state in TERMINAL},
}
"""`queued` after a dispatched state is the next attempt of the run; `rejected` after `cancelling` never began.

`lost` before anything was submitted is a run whose store lost what was written after it: see `unsure`.
"""

ORDER: Final = {state: place for place, state in enumerate(RunState)}
