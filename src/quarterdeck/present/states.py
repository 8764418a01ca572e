"""The word, mark and tone of each run state. What a state means and which follows: `lifecycle`."""

from typing import Final, NamedTuple

from quarterdeck.model.states import RunState
from quarterdeck.present import glyphs


class Shown(NamedTuple):
    """How a state is shown: the word says it all; mark and tone (good, bad, busy, dim) only help the eye."""

    word: str
    mark: str
    tone: str


STATES: Final[dict[RunState, Shown]] = {
    RunState.QUEUED: Shown("queued", glyphs.WAITING, "dim"),
    RunState.DISPATCHING: Shown("dispatching", glyphs.WAITING, "busy"),
    RunState.SUBMITTED: Shown("submitted", glyphs.WAITING, "busy"),
    RunState.PENDING: Shown("pending", glyphs.WAITING, "busy"),
    RunState.STARTING: Shown("starting", glyphs.WAITING, "busy"),
    RunState.RUNNING: Shown("running", glyphs.RUNNING, "busy"),
    RunState.CANCELLING: Shown("cancelling", glyphs.CANCELLING, "busy"),
    RunState.SUCCEEDED: Shown("succeeded", glyphs.SUCCEEDED, "good"),
    RunState.FAILED: Shown("failed", glyphs.FAILED, "bad"),
    RunState.TIMED_OUT: Shown("timed out", glyphs.FAILED, "bad"),
    RunState.CANCELLED: Shown("cancelled", glyphs.CANCELLED, "dim"),
    RunState.REJECTED: Shown("rejected", glyphs.FAILED, "bad"),
    RunState.LOST: Shown("lost", glyphs.FAILED, "bad"),
}


def shown(state: str) -> Shown:
    """Return how the state of that name is shown."""
    return STATES[RunState(state)]
