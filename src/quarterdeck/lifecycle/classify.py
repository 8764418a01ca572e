"""What an ended attempt means: its final state and failure, from the runner's last word or without one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from quarterdeck.model.failure import Failure, Reason
from quarterdeck.model.observation import Observation, Phase
from quarterdeck.model.run import Cancel, RunState


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ended. `because` is the fact; `failure` is None for a success."""

    state: RunState
    because: str
    failure: Failure | None = None


_OF_CODE = frozenset({Reason.USER_ERROR, Reason.CONFIG_ERROR})
"""Reasons for which the error that the code met is the answer; for others it is only what followed from it."""
_BY_REASON = {
    Reason.TIMEOUT: RunState.TIMED_OUT,
    Reason.CANCELLED: RunState.CANCELLED,
    Reason.LOST: RunState.LOST,
    Reason.QUOTA: RunState.REJECTED,
}


def state_of(reason: Reason) -> RunState:
    """Return the state in which a run ends for this reason."""
    return _BY_REASON.get(reason, RunState.FAILED)


def classify(seen: Observation, cancel: Cancel | None) -> End:
    """Return how the attempt ended that was seen `ended` or `gone`.

    The runner's own word holds, also when a cancel came too late; if it says that it was cancelled, the cancel
    knows why. Without it nothing is green: a cancel under way decides, then the executor's finding, then `lost`.
    """
    if seen.last_word is not None:
        end = _from_word(seen.last_word, seen)
        if (
            end.state is not RunState.CANCELLED
            or cancel is None
            or cancel.reason is Reason.CANCELLED
        ):
            return end
        found = ended_by(cancel, end.because, end.failure.evidence if end.failure else ())
        # Room came after all, and too late: what began was not refused.
        return replace(found, state=RunState.FAILED) if found.state is RunState.REJECTED else found
    if cancel is not None and cancel.step is not None:
        return ended_by(cancel, f"{seen.because}, after the cancel", seen.evidence)
    if seen.failure is not None:
        failure = Failure(seen.failure, seen.object, seen.evidence)
        return End(state_of(seen.failure), seen.because, failure)
    if seen.phase is Phase.GONE:
        failure = Failure(Reason.DELETED_EXTERNALLY, seen.object, seen.evidence)
        return End(RunState.FAILED, seen.because, failure)
    return End(RunState.LOST, seen.because, Failure(Reason.LOST, seen.object, seen.evidence))


def ended_by(cancel: Cancel, because: str, evidence: tuple[str, ...] = ()) -> End:
    """Return the end that a completed cancel brings: its reason says whether it was asked for or a deadline."""
    if cancel.reason is Reason.CANCELLED:
        evidence = (f"asked for by {cancel.asked_by}", *evidence)
    evidence = (*cancel.evidence, *evidence)
    return End(state_of(cancel.reason), because, Failure(cancel.reason, cancel.object, evidence))


def _from_word(word: Mapping[str, Any], seen: Observation) -> End:
    state = RunState(word["state"])
    because = f"the runner's last word: {state}, exit code {word['exit_code']}"
    if state is RunState.SUCCEEDED:
        return End(state, because)
    reason = Reason(word["reason"])
    if reason is Reason.LOST:
        state = RunState.LOST
    said = [word["message"]] if word.get("message") else []
    if word.get("line") and not word.get("place"):  # before the start, or of an earlier runner
        column = f", column {word['column']}" if word.get("column") else ""
        said.append(f"line {word['line']}{column}")
    evidence = _once((*said, *word.get("evidence", ()), *seen.evidence))
    headline = str(word.get("headline") or "") if reason in _OF_CODE else ""
    return End(
        state,
        because,
        Failure(reason, word.get("object") or "", evidence, headline, word.get("place") or None),
    )


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts without those that an earlier one holds: the last word may have a long one cut, too."""
    found: list[str] = []
    for text in texts:
        if not any(text in one for one in found):
            found.append(text)
    return tuple(found)
