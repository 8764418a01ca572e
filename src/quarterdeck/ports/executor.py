"""What the service asks of a place where runs execute. Implementations: `executors`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, Protocol

from quarterdeck.model.ids import RunId
from quarterdeck.model.logline import Cursor, LogChunk
from quarterdeck.model.observation import Observation, Silent
from quarterdeck.model.parts import Parts
from quarterdeck.model.receipt import AttemptId, Owned, ReapReport, Receipt
from quarterdeck.model.run import CancelStep

UNSEEN: Final = "unseen"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a cluster or of a launch: what was looked at, and what to do if it failed.

    `level`: `ok`, `warning` or `failed`; `code` of a failed one: prerequisite, unreachable, quota (of a launch:
    there is no room for it now, and there may be later) or denied (of a launch: who asks is not allowed `what`;
    `doubt` is why that may pass, if there is a reason). A warning that says only that somebody may not look there
    is `unseen`: it is the same for each launch.
    """

    name: str
    level: str
    message: str
    advice: str = ""
    evidence: str = ""
    code: str = "prerequisite"
    what: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """What freeze pins of a place: engine (`pysail 0.7.2`), client, Python, platform, image, tz data.

    `image` is as written in the definition, `image_id` what a node said it ran for it.
    """

    engine: str
    client: str
    python: str
    platform: str
    timezone_data: str
    image: str = ""
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that the runner needs beside its spec; `open` gives its bytes."""

    name: str
    sha256: str
    size: int
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class Launch:
    """One attempt as plain data, made by the service.

    `frozen` are the exact bytes whose SHA-256 is `frozen_sha256`; `wait_s` is how long what was prepared may wait
    for the word to begin, `start_s` how long it may take from there to its engine. `namespace` and
    `service_account` are the team's on a Kubernetes cluster.
    """

    workspace: str
    run: RunId
    attempt: int
    actor: str
    trigger: str
    tick: str | None
    frozen: bytes
    frozen_sha256: str
    wait_s: float
    files: tuple[InputFile, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""
    service_account: str = ""
    start_s: float = 900.0


class FencedError(Exception):
    """What stands under the attempt's name is not ours, or what was chosen is gone: nothing begins."""


class Executor(Protocol):
    """One per cluster; never reads the store. May be called from any thread.

    Every call that asks the cluster raises UnreachableError within its own time limit when there is no answer.
    """

    kind: str

    def check(self, launch: Launch | None) -> list[Check]:
        """Check the cluster itself (None), or whether this run could start there, before `prepare`."""
        ...

    def place(self) -> Place:
        """Return what freeze pins; PrerequisiteError when the engine is not there."""
        ...

    def plan(self, launch: Launch) -> list[Mapping[str, Any]]:
        """Return what `prepare` would make of it, as documents without the bulk of its inputs; nothing is made.

        No document holds the value of a secret.
        """
        ...

    def prepare(self, launch: Launch) -> Receipt:
        """Make all of the attempt exist and wait. Idempotent by run and attempt, also after a crash.

        Raises FencedError when something else stands under that name.
        """
        ...

    def release(self, receipt: Receipt, wait_s: float = 0.0) -> Receipt:
        """Let the place make what will begin, and return the receipt with that as `chosen`.

        It stays None if the place has not made it within `wait_s`: `observe` tells when it has. What was made
        waits for `start`. A second call changes nothing, whatever others did since. FencedError, here or there, if
        it is not ours any more.
        """
        ...

    def start(self, receipt: Receipt) -> None:
        """Give the word to begin to what the receipt has chosen and to nothing else; it is stored before.

        A second call changes nothing. FencedError if that is gone and nobody can say whether it had the word.
        """
        ...

    def observe(self, receipts: Collection[Receipt]) -> Mapping[AttemptId, Observation | Silent]:
        """Say of each what is seen now; no answer is a value."""
        ...

    def is_heard(self, receipt: Receipt, within_s: float) -> bool | None:
        """Say whether the runner said within so many seconds that it lives; None: that is not known.

        By the clock of its place, not by the time of who asks.
        """
        ...

    def ask_now(self) -> None:
        """Let the next question be asked without waiting for what failed before: a person wants to know."""
        ...

    def ahead_s(self) -> float | None:
        """Return how far this machine's clock is ahead of the place's own; None where that is not known."""
        ...

    def logs(self, receipt: Receipt, cursor: Cursor, *, follow: bool) -> Iterator[LogChunk]:
        """Yield lines behind `cursor`, oldest first, at most 1,000 to a chunk.

        Following: a chunk, perhaps empty, each second until the source has ended.
        """
        ...

    def parts(self, receipt: Receipt) -> Parts:
        """Return what the attempt is made of now, with what its place says of it lately; for people only."""
        ...

    def cancel(self, receipt: Receipt, step: CancelStep) -> None:
        """Take one step of the ladder; idempotent, returns at once."""
        ...

    def reap(self, receipt: Receipt) -> ReapReport:
        """Leave nothing behind; say what was found. Safe to repeat. The log must have been archived before."""
        ...

    def may_run(self, receipt: Receipt, node: str, ago_s: float) -> str | None:
        """Say why what ran on this node so many seconds ago may run on though nobody saw it; empty: it ended.

        None: nobody here may look.
        """
        ...

    def owned(self) -> list[Owned]:
        """Return all that carries this workspace's label."""
        ...

    def rights(self, *, full: bool) -> list[Mapping[str, Any]]:
        """Return the documents that give what is needed there; PrerequisiteError where there are none."""
        ...

    def close(self) -> None:
        """End its threads."""
        ...


ExecutorFactory = Callable[[Mapping[str, Any]], Executor]
