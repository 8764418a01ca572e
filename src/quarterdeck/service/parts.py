"""The pods of a run and what the cluster says of them now: asked when looked at, kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarterdeck.model.codec import to_document
from quarterdeck.model.instants import format_instant

if TYPE_CHECKING:
    from quarterdeck.service.context import Context
    from quarterdeck.service.runs import Runs


class RunParts:
    """What a run under way is made of."""

    def __init__(self, context: Context, runs: Runs) -> None:
        self._context = context
        self._runs = runs

    def of(self, run_id: str) -> dict[str, Any]:
        """Return {"has_pods", "asked_at", "pods", "events"}; of a run that has ended what is there still.

        `ahead_s`: how far the times of pods and events are ahead of our clock, if they are.

        `has_pods`: whether its cluster runs attempts in pods at all. Raises UnreachableError.
        """
        run = self._runs.get(run_id)
        attempt = run.attempt
        shown: dict[str, Any] = {"has_pods": True, "asked_at": format_instant(self._context.now())}
        executor = self._runs.advancing.executor(run)
        if executor.kind == "local":
            return {**shown, "has_pods": False, "pods": [], "events": []}
        if attempt is None or attempt.receipt is None or not run.is_open:
            return {**shown, "pods": [], "events": []}
        found = executor.parts(attempt.receipt)
        ahead_s = executor.ahead_s()
        if ahead_s:  # what it says is by its own clock
            shown["ahead_s"] = -ahead_s
        return {
            **shown,
            "pods": [to_document(one) for one in found.parts],
            "events": [to_document(one) for one in found.events],
        }
