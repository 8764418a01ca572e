"""The states of a run, by name; which follows which: `lifecycle.states`."""

from enum import StrEnum


class RunState(StrEnum):
    """States in the order in which they are entered; the last six are terminal."""

    QUEUED = "queued"
    DISPATCHING = "dispatching"
    SUBMITTED = "submitted"
    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    LOST = "lost"


TERMINAL = frozenset(list(RunState)[7:])
ENDED_BADLY = frozenset({RunState.FAILED, RunState.TIMED_OUT, RunState.REJECTED, RunState.LOST})
