"""The word, mark and tone of each run state. What a state means and which follows: `lifecycle`."""

from typing import Final, NamedTuple

from quarterdeck.model.states import RunState


class Shown(NamedTuple):
    """How a state is shown: the word says it all; mark and tone (good, bad, busy, dim) only help the eye."""

    word: str
    mark: str
    tone: str


STATES: Final[dict[RunState, Shown]] = {
    RunState.QUEUED: Shown("queued", "~", "dim"),
    RunState.DISPATCHING: Shown("dispatching", "~", "busy"),
    RunState.SUBMITTED: Shown("submitted", "~", "busy"),
    RunState.PENDING: Shown("pending", "~", "busy"),
    RunState.STARTING: Shown("starting", "~", "busy"),
    RunState.RUNNING: Shown("running", ">", "busy"),
    RunState.CANCELLING: Shown("cancelling", "x", "busy"),
    RunState.SUCCEEDED: Shown("succeeded", "+", "good"),
    RunState.FAILED: Shown("failed", "!", "bad"),
    RunState.TIMED_OUT: Shown("timed out", "!", "bad"),
    RunState.CANCELLED: Shown("cancelled", "-", "dim"),
    RunState.REJECTED: Shown("rejected", "!", "bad"),
    RunState.LOST: Shown("lost", "!", "bad"),
}


def shown(state: str) -> Shown:
    """Return how the state of that name is shown."""
    return STATES[RunState(state)]
