"""Moving on whatever is unfinished, as long as somebody looks. How one run moves on is `advancing`'s."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from quarterdeck.model.errors import ConflictError, QuarterdeckError
from quarterdeck.service.context import OPEN, Context

if TYPE_CHECKING:
    from quarterdeck.model.run import Run


class Mover:
    """Brings unfinished runs to where they stand; `reconcile` does it for those it is given."""

    def __init__(self, context: Context, reconcile: Callable[[Iterable[Run]], list[Run]]) -> None:
        self._context = context
        self._reconcile = reconcile

    def unfinished(self) -> int:
        """Return how many runs have not ended that the actor may see."""
        if not self._context.ports.store.runs.count(OPEN):
            return 0
        return sum(not run.is_terminal for run in self._open_runs())

    def _open_runs(self) -> list[Run]:
        context = self._context
        actor = context.actor()
        found = context.readable(context.ports.store.runs, OPEN)
        return [kept.value for kept in found if context.sees_run(actor, kept.value)]

    def ask_now(self) -> None:
        """Let the clusters of unfinished runs be asked at the next turn, whatever failed there before."""
        ports = self._context.ports
        for cluster in {run.cluster for run in self._open_runs()}:
            with contextlib.suppress(QuarterdeckError):  # such a run says so itself
                ports.executor(ports.store.definitions.get(cluster).value).ask_now()

    def turn(self) -> bool:
        """Move on every unfinished run that the actor may see; return whether one is unfinished still.

        With none, it is one look at an index. Read-only, nothing is moved. While another process holds the
        write lock, what is left is for the next turn.
        """
        context = self._context
        if context.read_only or not context.ports.store.runs.count(OPEN):
            return False
        runs = self._open_runs()
        with contextlib.suppress(ConflictError):
            runs = self._reconcile(runs)
        return any(run.is_open for run in runs)
