"""Stand-ins at the seams: a clock that is moved by hand, and an executor whose world is scripted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from quarterdeck.model.clock import Uptime
from quarterdeck.model.errors import UnreachableError
from quarterdeck.model.failure import Reason
from quarterdeck.model.logline import Cursor, LogChunk, LogLine
from quarterdeck.model.observation import Happened, Observation, Phase, Silent
from quarterdeck.model.parts import Parts
from quarterdeck.model.receipt import AttemptId, Chosen, Owned, ReapReport, Receipt, attempt_id
from quarterdeck.model.run import CancelStep
from quarterdeck.model.wire import PROTOCOL
from quarterdeck.ports.executor import Check, FencedError, Launch, Place

T = TypeVar("T")
PLACE = Place("pysail 0", "pyspark-client 0", "CPython 3", "fake", "tzdata 0")


class FakeClock:
    """A machine's clocks, which stand until they are moved: the wall clock, and how long it has been up."""

    def __init__(self, at: datetime = datetime(2026, 11, 22, 6, tzinfo=UTC)) -> None:
        self.at = at
        self.up = Uptime("boot-1", 1_000.0)

    def __call__(self) -> datetime:
        """Return the time that the wall clock shows."""
        return self.at

    def uptime(self) -> Uptime:
        """Return how long the machine has been up."""
        return self.up

    def tick(self, seconds: float) -> None:
        """Let time pass; a clock that goes back was set back."""
        self.at += timedelta(seconds=seconds)
        self.up = replace(self.up, up_s=self.up.up_s + max(0.0, seconds))

    def step(self, seconds: float) -> None:
        """Set the wall clock, forward or back; no time passes."""
        self.at += timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        """Let the machine sleep: time passes that no process counts."""
        self.tick(seconds)
        self.up = replace(self.up, asleep_s=self.up.asleep_s + seconds)

    def restart(self, seconds: float = 60) -> None:
        """Start the machine again, `seconds` later by a wall clock that went on."""
        number = int(self.up.boot.rpartition("-")[2]) + 1
        self.at += timedelta(seconds=seconds)
        self.up = Uptime(f"boot-{number}", 20.0)

    def ahead(self, seconds: float) -> AheadClock:
        """Return the clocks of a process on the same machine that is shown another time."""
        return AheadClock(self, timedelta(seconds=seconds))


class AheadClock(FakeClock):
    """The same machine as `of` is on, with a wall clock that is `by` ahead."""

    def __init__(self, of: FakeClock, by: timedelta) -> None:
        self._of, self._by = of, by

    def __call__(self) -> datetime:
        """Return the time that it shows."""
        return self._of() + self._by

    def uptime(self) -> Uptime:
        """Return how long the one machine has been up."""
        return self._of.uptime()

    def tick(self, seconds: float) -> None:
        """Let time pass, for all."""
        self._of.tick(seconds)


class CrashError(BaseException):
    """Stands for `kill -9` of the process that called; nothing may catch it on the way."""


@dataclass
class FakeAttempt:
    """One attempt in the fake's world; `began` counts real starts, `made` is what its place has made of it.

    Only the last made is there; what was made before is gone.
    """

    launch: Launch
    receipt: Receipt
    phase: Phase = Phase.WAITING
    is_released: bool = False
    made: Chosen | None = None
    begun: Chosen | None = None
    began: int = 0
    began_up: Uptime | None = None
    is_heard: bool | None = None
    lines: list[LogLine] = field(default_factory=list)
    last_word: dict[str, Any] | None = None
    because: str = ""
    evidence: tuple[str, ...] = ()
    happened: tuple[Happened, ...] = ()
    left: tuple[str, ...] = ()
    node: str = ""
    placement: str = ""
    failure: Reason | None = None
    steps: list[CancelStep] = field(default_factory=list)

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.phase not in (Phase.ENDED, Phase.GONE)


class FakeExecutor:
    """A world of attempts without processes.

    `fail(call, …)` scripts faults; `auto` lets a released attempt go on by one phase with each
    observation and succeed; otherwise a test moves it with `move`, `say` and `end`. `obeys`: which
    cancel steps end an attempt. `makes`: whether what was released is made at once; else `make` does it, and
    `make_another` what a place does when others meddle: what was there is gone, and another stands there.
    """

    kind = "fake"

    def __init__(self, clock: FakeClock, *, auto: bool = False, place: Place = PLACE) -> None:
        self.clock = clock
        self.auto = auto
        self.checks: list[Check] = []
        self.attempts: dict[AttemptId, FakeAttempt] = {}
        self.obeys = set(CancelStep)
        self.makes = True
        self.made_of = Parts()
        self.silent_since: Uptime | None = None
        self.ahead: float | None = None  # of this machine's clock, in seconds
        self.calls: list[str] = []
        self.asked_now = 0
        self.starts: Counter[AttemptId] = Counter()  # outlives the reaping of an attempt
        self.nodes: dict[str, str | None] = {}  # why what ran on one may run on there
        self.between: Callable[[], None] = lambda: None  # what happens before and after each call
        self._numbers = count(1)
        self._place = place
        self._faults: dict[str, list[tuple[str, BaseException]]] = {}

    # --- scripting

    def fail(self, call: str, error: BaseException | None = None, *, when: str = "before") -> None:
        """Let the next such call raise (a crash if nothing else is said) `before` or `after` its effect."""
        self._faults.setdefault(call, []).append((when, error or CrashError(call)))

    def lose_answer(self, call: str) -> None:
        """Let the next such call have its effect and then not answer."""
        self.fail(call, UnreachableError(f"{call}: no answer."), when="after")

    def silence(self) -> None:
        """Answer nothing until `speak`."""
        self.silent_since = self.clock.uptime()

    def speak(self) -> None:
        """Answer again."""
        self.silent_since = None

    def move(self, attempt: AttemptId, phase: Phase) -> None:
        """Let a released attempt be in this phase."""
        self.attempts[attempt].phase = phase

    def say(
        self, attempt: AttemptId, *texts: str, origin: str = "payload", stream: str = "stdout"
    ) -> None:
        """Write lines to its log."""
        lines = self.attempts[attempt].lines
        for text in texts:
            lines.append(LogLine(len(lines) + 1, self.clock(), origin, stream, text))

    def end(self, attempt: AttemptId, state: str | None = "succeeded", **word: Any) -> None:
        """End it with a last word, or without one (None: it was killed)."""
        one = self.attempts[attempt]
        one.phase = Phase.ENDED
        if state is None:
            one.because = "the runner was killed"
            return
        one.because = f"the last word is {state}"
        one.last_word = {
            "protocol": PROTOCOL,
            "run": one.launch.run,
            "attempt": one.launch.attempt,
            "state": state,
            "reason": None,
            "exit_code": 0,
        } | word

    def make(self, attempt: AttemptId) -> None:
        """Let the place make what may begin of a released attempt."""
        one = self.attempts[attempt]
        if one.is_released and one.made is None:
            number = next(self._numbers)
            one.made = Chosen(f"thing {number} of {attempt}", f"{attempt}#{number}", self.clock())

    def make_another(self, attempt: AttemptId) -> None:
        """Let others take away what the place has made, begun or not, and the place make another."""
        one = self.attempts[attempt]
        if one.made is None:
            return
        if one.begun == one.made and one.is_alive:
            one.phase, one.failure = Phase.ENDED, Reason.PREEMPTED
            one.because = "others suspended it"
        one.made = None
        self.make(attempt)

    def vanish(self, attempt: AttemptId) -> None:
        """Let somebody else delete it, from outside."""
        del self.attempts[attempt]

    def lose_node(self, attempt: AttemptId, node: str) -> None:
        """Let its node be lost: nobody sees its containers, which may run on."""
        one = self.attempts[attempt]
        one.phase, one.node, one.failure = Phase.ENDED, node, Reason.NODE_LOST
        one.because = f"node {node} does not answer"
        self.nodes[node] = f"node {node} does not answer; the containers may run on there"

    def seen_by(self, clock: FakeClock) -> FakeExecutor:
        """Return the executor of another process, which is shown another time: the same world."""
        found = copy(self)
        found.clock = clock
        return found

    def work(self) -> None:
        """Forget the faults that were not met yet, and answer."""
        self._faults.clear()
        self.speak()

    # --- the port

    def check(self, launch: Launch | None) -> list[Check]:
        """Return the scripted checks."""
        self._enter("check")
        return self._leave("check", list(self.checks))

    def place(self) -> Place:
        """Return the scripted place."""
        self._enter("place")
        return self._leave("place", self._place)

    def plan(self, launch: Launch) -> list[Mapping[str, Any]]:
        """Return the run and its inputs by name."""
        self._enter("plan")
        files = [file.name for file in launch.files]
        planned = {"kind": "Fake", "run": launch.run, "files": files}
        return self._leave("plan", [planned])

    def prepare(self, launch: Launch) -> Receipt:
        """Make the attempt, or return the receipt of the one that is there; fenced by hash."""
        self._enter("prepare")
        name = attempt_id(launch.run, launch.attempt)
        found = self.attempts.get(name)
        if found is not None and found.launch.frozen_sha256 != launch.frozen_sha256:
            raise FencedError(f"{name} holds another frozen spec.")
        if found is None:
            uid = f"{name}#{next(self._numbers)}"
            receipt = Receipt(self.kind, launch.run, launch.attempt, {"uid": uid})
            found = self.attempts[name] = FakeAttempt(launch, receipt)
        return self._leave("prepare", found.receipt)

    def release(self, receipt: Receipt, wait_s: float = 0.0) -> Receipt:
        """Make what may begin, if the script lets it; nobody waits."""
        self._enter("release")
        del wait_s
        one = self._own(receipt)
        one.is_released = True
        if self.makes:
            self.make(receipt.id)
        return self._leave("release", replace(one.receipt, chosen=one.made))

    def start(self, receipt: Receipt) -> None:
        """Begin what was chosen, once; fenced if it is not there any more."""
        self._enter("start")
        one = self._own(receipt)
        if receipt.chosen is None or receipt.chosen != one.made:
            raise FencedError(f"{receipt.chosen} is gone.")
        if one.begun != one.made:
            one.begun = one.made
            if one.is_alive:
                one.began += 1
                self.starts[one.receipt.id] += 1
                one.began_up = self.clock.uptime()
                one.phase = Phase.STARTING
                self.say(receipt.id, "{}", origin="runner", stream="event")
        self._leave("start", None)

    def observe(self, receipts: Collection[Receipt]) -> Mapping[AttemptId, Observation | Silent]:
        """Say of each what the script left it in."""
        self.calls.append("observe")
        self.between()
        for when, error in self._faults.pop("observe", []):
            assert when == "before", "an observation has no effect to be lost"
            raise error
        if self.silent_since is not None:
            since = self._at(self.silent_since)
            return {r.id: Silent(since, "no answer") for r in receipts}
        seen = {receipt.id: self._observe(receipt) for receipt in receipts}
        self.between()
        return seen

    def logs(self, receipt: Receipt, cursor: Cursor, *, follow: bool) -> Iterator[LogChunk]:
        """Yield what was said behind the cursor, which counts lines."""
        self._enter("logs")
        one = self.attempts.get(receipt.id)
        at = cursor.positions.get(receipt.id, 0)
        lines = [] if one is None else one.lines[at:]
        for first in range(0, len(lines), 1_000):
            chunk = tuple(lines[first : first + 1_000])
            at += len(chunk)
            yield LogChunk(receipt.id, chunk, Cursor({**cursor.positions, receipt.id: at}))
        if one is None or not one.is_alive:
            positions = {**cursor.positions, receipt.id: at} if at else cursor.positions
            yield LogChunk(receipt.id, (), Cursor(positions), ended=True)
        self._leave("logs", None)

    def is_heard(self, receipt: Receipt, within_s: float) -> bool | None:
        """Return what the script says of its runner."""
        self._enter("is_heard")
        del within_s
        one = self.attempts.get(receipt.id)
        return self._leave("is_heard", None if one is None else one.is_heard)

    def ask_now(self) -> None:
        """Count that somebody wants to know now."""
        self.asked_now += 1

    def ahead_s(self) -> float | None:
        """Return the scripted difference."""
        return self.ahead

    def parts(self, receipt: Receipt) -> Parts:
        """Return the scripted parts."""
        self._enter("parts")
        del receipt
        return self._leave("parts", self.made_of)

    def cancel(self, receipt: Receipt, step: CancelStep) -> None:
        """Take the step; it ends the attempt if that obeys."""
        self._enter("cancel")
        one = self.attempts.get(receipt.id)
        if one is not None and one.is_alive:
            one.steps.append(step)
            if step in self.obeys:
                is_gentle = step in (CancelStep.ASK, CancelStep.END)
                word = {"reason": "cancelled", "exit_code": 143}
                self.end(receipt.id, "cancelled" if is_gentle else None, **word)
        self._leave("cancel", None)

    def reap(self, receipt: Receipt) -> ReapReport:
        """Remove it; what `left` names stays."""
        self._enter("reap")
        one = self.attempts.get(receipt.id)
        report = ReapReport() if one is None else ReapReport((f"attempt {receipt.id}",), one.left)
        if one is not None and not one.left:
            del self.attempts[receipt.id]
        return self._leave("reap", report)

    def may_run(self, receipt: Receipt, node: str, ago_s: float) -> str | None:
        """Return the scripted word of the node."""
        self._enter("may_run")
        del receipt, ago_s
        return self._leave("may_run", self.nodes.get(node, ""))

    def owned(self) -> list[Owned]:
        """Return all that there is."""
        self._enter("owned")
        found = [Owned(name, one.receipt, one.is_alive) for name, one in self.attempts.items()]
        return self._leave("owned", found)

    def rights(self, *, full: bool) -> list[Mapping[str, Any]]:
        return [{"kind": "Role", "full": full}]

    def close(self) -> None:
        """Do nothing: it has no threads."""

    # --- within

    def _enter(self, call: str) -> None:
        self.calls.append(call)
        self.between()
        if self.silent_since is not None:
            raise UnreachableError(f"{call}: no answer.")
        self._raise(call, "before")

    def _leave(self, call: str, answer: T) -> T:
        self._raise(call, "after")
        self.between()
        return answer

    def _own(self, receipt: Receipt) -> FakeAttempt:
        one = self.attempts.get(receipt.id)
        if one is None or one.receipt != replace(receipt, chosen=None):
            raise FencedError(f"{receipt.id} is gone or not ours.")
        return one

    def _raise(self, call: str, when: str) -> None:
        faults = self._faults.get(call, [])
        if faults and faults[0][0] == when:
            raise faults.pop(0)[1]

    def _observe(self, receipt: Receipt) -> Observation:
        try:
            one = self._own(receipt)
        except FencedError:
            return Observation(self.clock(), Phase.GONE, "it does not exist", object=receipt.id)
        if self.auto and one.begun is not None and one.is_alive:
            self._go_on(one)
        seen = Observation(
            self.clock(), one.phase, one.because or f"it is {one.phase}",
            happened=one.happened, node=one.node, placement=one.placement,
            made=one.made if receipt.chosen is None else None,
        )  # fmt: skip
        if one.began_up is not None:
            here = self.clock.uptime()
            seen = replace(
                seen, began_at=self._at(one.began_up), ran_s=here.awake_s - one.began_up.awake_s,
                asleep_s=here.asleep_s - one.began_up.asleep_s,
            )  # fmt: skip
        if one.is_alive:
            return seen
        code = one.last_word["exit_code"] if one.last_word else None
        return replace(
            seen, last_word=one.last_word, evidence=one.evidence, exit_code=code, left=one.left,
            failure=one.failure, object=f"node {one.node}" if one.node else "",
        )  # fmt: skip

    def _at(self, moment: Uptime) -> datetime:
        """Return when that was by the clock of who looks."""
        return self.clock() - timedelta(seconds=self.clock.uptime().up_s - moment.up_s)

    def _go_on(self, one: FakeAttempt) -> None:
        if one.phase is Phase.STARTING:
            one.phase = Phase.RUNNING
        else:
            self.say(one.receipt.id, "done")
            self.end(one.receipt.id)
