"""What a runner on this machine says of its clocks: when it began, when it was heard last, how long it slept.

All by the machine's uptime, which nobody sets. The file is written by `runner.py`, every `wire.BEAT_S`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from quarterdeck.executors.folder import AttemptFolder, Identity
from quarterdeck.model.clock import Uptime
from quarterdeck.model.instants import from_epoch_ms

APART: Final = timedelta(seconds=1)
"""An instant that the runner told is no further from what the uptime says, unless a clock was set in between."""
TICKS: Final = os.sysconf("SC_CLK_TCK")


class Began(NamedTuple):
    """When the attempt began, and how long this machine was awake and asleep since; None: not yet, or unknown."""

    began_at: datetime | None = None
    ran_s: float | None = None
    asleep_s: float = 0.0


def began(folder: AttemptFolder, runner: Identity, now: datetime, here: Uptime) -> Began:
    """Return when the attempt began, by the clock that shows `now` at this uptime.

    A runner of an earlier version says no uptime: it is as old as its process, for the word comes at once.
    """
    began_ms, said = folder.began_ms(), folder.beat()
    if began_ms is None:
        return Began()
    told = from_epoch_ms(began_ms)
    then = _uptime(said, "began", here)
    if then is None:
        is_older = said is None and runner.boot_id == here.boot
        return Began(told, here.up_s - runner.process.start_ticks / TICKS if is_older else None)
    at = now - timedelta(seconds=here.up_s - then.up_s)
    at = told if abs(told - at) < APART else at  # the uptime is counted in hundredths
    return Began(at, here.awake_s - then.awake_s, max(0.0, here.asleep_s - then.asleep_s))


def silent_s(folder: AttemptFolder, here: Uptime) -> float | None:
    """Return for how many seconds, in which this machine was awake, the runner was not heard; None: not known."""
    then = _uptime(folder.beat(), "at", here)
    return None if then is None else here.awake_s - then.awake_s


def said_s(folder: AttemptFolder, word: Mapping[str, Any], now: datetime, here: Uptime) -> float:
    """Return how many seconds ago the runner said its last word: it is heard then for the last time."""
    silent = silent_s(folder, here)
    return (now - from_epoch_ms(word["ended_ms"])).total_seconds() if silent is None else silent


def _uptime(said: Mapping[str, Any] | None, key: str, here: Uptime) -> Uptime | None:
    """Return an uptime that the runner told; None if it told none, or of another boot."""
    if said is None or said.get("boot_id") != here.boot:
        return None
    return Uptime(here.boot, *said[key])
