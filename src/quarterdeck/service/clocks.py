"""Whether this machine's clock was set while it was up: what every process holds its own against."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.clock import CLOCK_ID, Mark, Step, WallClock
from quarterdeck.model.errors import ConflictError, DamagedDocumentError, StaleError
from quarterdeck.model.instants import format_instant, parse_instant

if TYPE_CHECKING:
    from quarterdeck.ports.store import Kept
    from quarterdeck.service.context import Context

STEP_S: Final = 5.0
"""A clock that is further from the uptime than it was has been set."""
TOLD_FOR: Final = timedelta(hours=1)
"""A clock that stays as it was set is taken for right after that."""


class Clocks:
    """The wall clock as this process sees it, held against what the workspace knows of this boot.

    All of that is a hint: what of it is damaged counts for nothing, and this process goes by what it saw itself.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._own = WallClock(CLOCK_ID, context.mark())

    def look(self) -> WallClock:
        """Return what is known, and the step as it is seen here and now; nothing is written."""
        here = self._context.mark()
        try:
            kept = self._context.ports.store.clocks.find(CLOCK_ID)
        except DamagedDocumentError as error:
            self._context.pass_over(error)
            return noticed(self._own, here)
        return noticed(self._known(kept, here), here)

    def notice(self) -> WallClock:
        """Return the same, and keep it where it is new: then all see since when it is so."""
        self._own = seen = self.look()
        if self._context.read_only:
            return seen
        with suppress(StaleError, ConflictError, DamagedDocumentError):
            kept = self._context.ports.store.clocks.find(CLOCK_ID)
            if kept is None or kept.value != seen:
                with self._context.transaction("a clock") as tx:
                    tx.clocks.put(seen, seen=kept.rev if kept is not None else None)
        return seen

    def _known(self, kept: Kept[WallClock] | None, here: Mark) -> WallClock:
        """Return what was kept in this boot, else the newest run's clock, else what this process saw itself."""
        if kept is not None and kept.value.mark.uptime.boot == here.uptime.boot:
            return kept.value
        rows = self._context.ports.store.runs.rows(descending=True, limit=1, flawed=True)
        clock = rows[0].body.get("clock") if rows else None
        if clock is None:
            return self._own
        try:
            mark = Mark(parse_instant(clock["at"]), replace(here.uptime, **clock["uptime"]))
        except (ValueError, TypeError, KeyError, AttributeError):  # it is damaged
            return self._own
        return self._own if mark.uptime.boot != here.uptime.boot else WallClock(CLOCK_ID, mark)

    def document(self) -> dict[str, Any]:
        """Return the step in seconds (0: none), when it was noticed first, and what is known since when."""
        seen, here = self.look(), self._context.mark()
        step = seen.step
        return {
            "step_s": round(step.size_s, 3) if step is not None else 0.0,
            "noticed_at": format_instant(step.noticed.at) if step is not None else None,
            "since": format_instant(seen.mark.at),
            "up_s": here.uptime.up_s,
            "asleep_s": round(here.uptime.asleep_s, 3),
        }


def noticed(known: WallClock, here: Mark) -> WallClock:
    """Return what is known after a look at all clocks: of a new step, or that an old one is taken for right."""
    then = known.mark.reads(here.uptime)
    size_s = (here.at - then).total_seconds() if then is not None else 0.0
    if abs(size_s) < STEP_S:
        return known if known.step is None else replace(known, step=None)
    step = known.step
    if step is None or abs(step.size_s - size_s) >= STEP_S:
        return replace(known, step=Step(size_s, here))
    seen_first = step.noticed.reads(here.uptime)
    is_old = seen_first is not None and seen_first - step.noticed.at >= TOLD_FOR
    return WallClock(known.id, here) if is_old else known
