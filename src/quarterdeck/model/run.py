"""A run, its attempts and its timeline: what we write. Which change follows which: `lifecycle`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from quarterdeck.model.clock import Mark
from quarterdeck.model.errors import Problem
from quarterdeck.model.failure import Failure, Reason
from quarterdeck.model.ids import DefinitionId, JobId, RunId, TeamId
from quarterdeck.model.logline import LogKept
from quarterdeck.model.receipt import Chosen, Receipt
from quarterdeck.model.states import TERMINAL as TERMINAL  # noqa: PLC0414  # told on as a noun of runs
from quarterdeck.model.states import RunState as RunState  # noqa: PLC0414


class Trigger(StrEnum):
    """Why a run exists."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    RETRY = "retry"
    BACKFILL = "backfill"
    EXACT = "exact"


class ActKind(StrEnum):
    """What the service is to do next; saved on the run before it is done."""

    FREEZE = "freeze"
    CHECK = "check"
    PREPARE = "prepare"
    RELEASE = "release"
    START = "start"
    CANCEL = "cancel"
    REAP = "reap"
    NEXT_ATTEMPT = "next_attempt"


class CancelStep(StrEnum):
    """Steps of a cancel, each harder than the one before."""

    ASK = "ask"
    END = "end"
    DELETE = "delete"
    FORCE = "force"


@dataclass(frozen=True, slots=True)
class Act:
    """The next act; `step` of a cancel."""

    kind: ActKind
    step: CancelStep | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """One line of the timeline: a state entered, and the fact that moved it."""

    attempt: int
    state: RunState
    at: datetime
    because: str


@dataclass(frozen=True, slots=True)
class Loss:
    """What befell a part of an attempt, and what it would mean if the attempt ended by it."""

    at: datetime
    part: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: its own receipt, reason and evidence. Times are when we saved, not when it happened there."""

    number: int
    claimed_at: datetime
    receipt: Receipt | None = None
    released_at: datetime | None = None
    began_at: datetime | None = None
    ended_at: datetime | None = None
    state: RunState | None = None  # how the attempt ended
    reason: Reason | None = None
    object: str = ""
    evidence: tuple[str, ...] = ()
    headline: str = ""  # as in `Failure`
    place: Mapping[str, Any] | None = None
    rule: str = ""  # why a next attempt was or was not made
    next_at: datetime | None = None
    node: str = ""  # where its containers run, as the cluster calls it
    cleared_by: str = (
        ""  # of a lost node: who said that nothing of the attempt runs there any more
    )
    asleep_s: float = 0.0  # how long its machine slept since it began; no deadline counts that
    losses: tuple[Loss, ...] = ()  # of its parts, whoever saw them
    held: Failure | None = None  # why a part of it has no place, when it was seen last


@dataclass(frozen=True, slots=True)
class Denial:
    """The place does not allow what is to be done, and that may pass: since when, how often, asked again when."""

    since: datetime
    times: int
    ask_at: datetime


@dataclass(frozen=True, slots=True)
class Cancel:
    """A cancel under way: who asked, why (`cancelled` or `timeout`), the step taken and the next.

    `object` and `evidence` are what held the run up when a deadline asked.
    """

    asked_by: str
    asked_at: datetime
    reason: Reason = Reason.CANCELLED
    step: CancelStep | None = None
    next_step: CancelStep | None = None
    next_step_at: datetime | None = None
    left: tuple[str, ...] = ()
    object: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reap:
    """Clean-up after the end: looks done, when the next is due (None: finished), what was found."""

    looks: int = 0
    next_at: datetime | None = None
    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class Line(StrEnum):
    """Among which queued runs one has its place: its job's, all of the workspace, its cluster's."""

    JOB = "job"
    WORKSPACE = "workspace"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a run waits for, since when, the last fact and when it was known, and the deadline.

    `line`: of a queued run that something else than its own back-off holds. Its place there is counted when it is
    shown.
    """

    what: str
    since: datetime
    last_fact: str
    last_fact_at: datetime
    deadline: datetime | None = None
    line: Line | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt chain of one frozen spec.

    `spec` is the job spec as it stood when the run was made (references as ids); `frozen_sha256` names the
    frozen spec once it was dispatched. `team` and `job_name` are the job's when the run was made.
    `is_open`: not terminal, or still to be reaped or archived; the loop reads only these.
    `clock`: by which all its instants are told, set where it was made and in each boot that looks at it.
    `asleep_s`: how long the machine slept while the run was in the line.
    """

    id: RunId
    job: JobId
    job_name: str
    team: TeamId
    cluster: DefinitionId
    version: int | None
    draft: bool
    trigger: Trigger
    actor: str
    spec: Mapping[str, Any]
    queued_at: datetime
    queue_deadline: datetime
    start_deadline_s: float
    timeout_s: float
    based_on: int | None = None
    tick: str | None = None
    retry_of: RunId | None = None
    retried_by: tuple[RunId, ...] = ()
    exact_of: RunId | None = None
    state: RunState = RunState.QUEUED
    act: Act | None = None
    reason: Reason | None = None
    object: str = ""
    evidence: tuple[str, ...] = ()
    headline: str = ""  # as in `Failure`
    place: Mapping[str, Any] | None = None
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    frozen_sha256: str | None = None
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    phase: str = ""
    placement: str = ""
    attempts: tuple[Attempt, ...] = ()
    timeline: tuple[Entered, ...] = ()
    cancel: Cancel | None = None
    reap: Reap = field(default_factory=Reap)
    waiting: Waiting | None = None
    silent_since: datetime | None = None
    silent_at: datetime | None = None  # when there was no answer last, to within 15 s
    denied: Denial | None = None
    seen_at: datetime | None = None
    result_sha256: str | None = None
    last_word: Mapping[str, Any] | None = None
    archived: bool = False
    is_open: bool = True
    clock: Mark | None = None
    asleep_s: float = 0.0
    log: LogKept | None = None  # once it is archived
    unsure: str = ""  # why nobody knows what became of it before; then no other attempt follows

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self.state in TERMINAL

    @property
    def attempt(self) -> Attempt | None:
        """The attempt under way, or the last one."""
        return self.attempts[-1] if self.attempts else None

    @property
    def receipt(self) -> Receipt | None:
        """What was prepared for that attempt."""
        attempt = self.attempt
        return None if attempt is None else attempt.receipt

    @property
    def chosen(self) -> Chosen | None:
        """The one thing of it that may begin."""
        receipt = self.receipt
        return None if receipt is None else receipt.chosen
