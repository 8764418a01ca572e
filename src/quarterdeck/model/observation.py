"""What was seen, unclassified: answers of an executor and outcomes of acts. `lifecycle` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from quarterdeck.model.errors import Problem
from quarterdeck.model.failure import Failure, Reason
from quarterdeck.model.receipt import Chosen, ReapReport, Receipt
from quarterdeck.model.run import Line


class Phase(StrEnum):
    """Where an attempt stands, as its executor sees it."""

    WAITING = "waiting"  # prepared; the word to begin has not been given
    PENDING = "pending"  # released; waits for a place
    STARTING = "starting"  # has its place; engine not ready
    RUNNING = "running"  # the payload has begun
    ENDED = "ended"  # stopped by itself or by us; `last_word` if the runner spoke
    GONE = "gone"  # what the receipt names does not exist


@dataclass(frozen=True, slots=True)
class Happened:
    """What befell a part of an attempt (a worker that died), in words that no other happening has.

    `failure` is what it would mean if the attempt ended by it; `part` is of which kind the part is.
    """

    at: datetime
    what: str
    part: str = ""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One attempt as seen at `at`.

    `because` is the fact that moved it (event, exit code, condition). `last_word` is the runner's, parsed
    and checked for run and attempt; without it an ended attempt is never green. `evidence` is kept.
    `failure` is the executor's own finding (image, node, memory), if it has one. `began_at` is the
    runner's first line. `node` is where it runs, if that can be lost without it. `made` is what may begin, of an
    attempt that was released and has nothing chosen yet.
    `ran_s` is how long ago that line was by a clock of its place that cannot step, without the time that the place
    slept since, `asleep_s`. `is_heard`: whether the runner said within a minute that it lives; None: not asked, or
    nobody knows. `unexplained`: of which kind the part was that it ended by, where this look does not say what
    befell it. `is_whole`: no part of it waits for a place, and none is being let go of.
    """

    at: datetime
    phase: Phase
    because: str
    last_word: Mapping[str, Any] | None = None
    evidence: tuple[str, ...] = ()
    failure: Reason | None = None
    object: str = ""
    exit_code: int | None = None
    signal: int | None = None
    began_at: datetime | None = None
    placement: str = ""
    node: str = ""
    left: tuple[str, ...] = ()
    happened: tuple[Happened, ...] = ()
    made: Chosen | None = None
    ran_s: float | None = None
    asleep_s: float = 0.0
    is_heard: bool | None = None
    unexplained: str = ""
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Silent:
    """The executor asked again and again since `since`, and got no answer; None: it keeps no count."""

    since: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class Room:
    """May a queued run be dispatched now; if not, what it waits for, in which line, and since when that is so."""

    free: bool
    what: str = ""
    why: str = ""
    line: Line | None = None
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PutBack:
    """The cluster takes no such run now, or does not answer: what was claimed goes back to its place in line."""

    what: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Frozen:
    """Freeze resolved everything. `timeout_s` and `cluster` are read by lifecycle and executor choice."""

    sha256: str
    timeout_s: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Freeze, check or prepare refused: nothing was started."""

    reason: Reason
    problems: tuple[Problem, ...]
    object: str = ""


@dataclass(frozen=True, slots=True)
class Denied:
    """The place does not allow who asks: asked again while that may pass, then it is what `refused` says.

    `what` is waited for; `doubt` is why it may pass as the place itself has it, empty if it has none.
    """

    what: str
    refused: Refused
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """The executor's preflight passed; `notes` are its warnings."""

    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """All of the attempt exists and waits."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Released:
    """The place may make what begins (since now or earlier); `receipt` names it if it has."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Started:
    """What the receipt names was given the word to begin (now or earlier)."""


@dataclass(frozen=True, slots=True)
class Fenced:
    """What stands under the attempt's name is not ours, or what was chosen is gone: nothing of it begins now."""

    detail: str


@dataclass(frozen=True, slots=True)
class Stepped:
    """A cancel step was asked for; `refused` says why it could not be."""

    refused: str = ""


@dataclass(frozen=True, slots=True)
class Reaped:
    """Reaping looked."""

    report: ReapReport


Fact = (
    Observation
    | Silent
    | Room
    | PutBack
    | Frozen
    | Refused
    | Denied
    | Checked
    | Prepared
    | Released
    | Started
    | Fenced
    | Stepped
    | Reaped
)
