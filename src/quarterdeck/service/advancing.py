"""Move runs on: ask `lifecycle.advance`, save, act, observe. A crash anywhere repeats an act, invents none."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from quarterdeck.lifecycle import clocks, late
from quarterdeck.lifecycle.advance import advance
from quarterdeck.lifecycle.dispatching import ASKING
from quarterdeck.lifecycle.steps import HELD, SILENT
from quarterdeck.model.clock import Mark
from quarterdeck.model.errors import (
    DamagedDocumentError,
    DeniedError,
    NotFoundError,
    PrerequisiteError,
    Problem,
    StaleError,
    StoreFaultError,
    UnreachableError,
)
from quarterdeck.model.failure import Reason
from quarterdeck.model.ids import RunId
from quarterdeck.model.observation import (
    Checked,
    Denied,
    Fact,
    Fenced,
    Observation,
    Prepared,
    PutBack,
    Reaped,
    Refused,
    Released,
    Room,
    Silent,
    Started,
    Stepped,
)
from quarterdeck.model.receipt import ReapReport, Receipt
from quarterdeck.model.run import Act, ActKind, Run, RunState
from quarterdeck.ports.executor import UNSEEN, FencedError
from quarterdeck.ports.store import Kept
from quarterdeck.service import denying, freezing, lost_nodes
from quarterdeck.service.archiving import Archiving
from quarterdeck.service.context import OPEN, Context
from quarterdeck.service.queueing import Queue
from quarterdeck.service.views import Standing

if TYPE_CHECKING:
    from quarterdeck.ports.executor import Executor, Launch

WAITING = (RunState.QUEUED, RunState.DISPATCHING)
POD_S: Final = 5.0
"""How long a command that makes a run waits for its place to make what begins."""
ROUND_S: Final = 1.0
"""How long a look at many runs waits so, for all of them together."""
TURNS: Final = 20
"""How often one look serves the line: each turn may make room for another."""


CLEARING: Final = (ActKind.REAP, ActKind.NEXT_ATTEMPT)
"""These keep an attempt's log, and then wait for what the attempt leaves behind to be gone."""


@dataclass(slots=True)
class _Patience:
    """How long places may still take to make what begins, all runs of one look together."""

    left_s: float


class Advancing:
    """The loop body: every process that looks at a run may call it; compare-and-set picks one writer."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._archiving = Archiving(context)
        self._queue = Queue(context)

    def open_runs(self) -> list[Run]:
        """Return the runs that are not finished and can be read: under way, or still to be cleaned up after."""
        found = self._context.readable(self._context.ports.store.runs, OPEN)
        return [kept.value for kept in found]

    def reconcile(
        self, runs: Iterable[Run], patience_s: float = ROUND_S, *, clears: bool = True
    ) -> list[Run]:
        """Bring each open run to where it really stands; one question per cluster. Returns them all.

        Those that are queued come last: what has ended by then makes room. A run whose document is damaged stays
        where it is, and holds up no other: a note of it says so.
        `patience_s`: how long all of it waits at most for places to make what begins. Without `clears` the log of
        an attempt that has ended is kept, and what the attempt leaves behind stays for the next look.
        """
        runs = list(runs)
        patience = _Patience(patience_s)
        facts = self._observe([run for run in runs if run.is_open])
        moved = {
            run.id: self._looked_at(run, facts.get(run.id), patience, clears=clears)
            for run in runs
            if run.is_open and run.state is not RunState.QUEUED
        }
        now = [moved.get(run.id, run) for run in runs]
        queued = [run for run in now if run.state is RunState.QUEUED]
        moved |= self._serve(queued, patience) if queued else {}
        return [moved.get(run.id, run) for run in runs]

    def step(self, run_id: RunId, patience_s: float = ROUND_S, *, clears: bool = True) -> Run:
        """Move one run on as far as it goes, waiting for what it begins with and for what it leaves; return it."""
        run = self._context.ports.store.runs.get(run_id).value
        return self.reconcile([run], patience_s, clears=clears)[0]

    def standing(self, run: Run) -> Standing:
        """Return what is shown of the run besides itself."""
        here = self._context.mark()
        return Standing(clocks.now(run, here), here.at, self._queue.position(run))

    def _serve(self, queued: list[Run], patience: _Patience) -> dict[RunId, Run]:
        """Give the places that are free to the oldest in the line, and return how these stand then.

        Runs older than the youngest of these are begun, too, whoever's they are; younger ones have no turn yet.
        """
        ids = {run.id for run in queued}
        moved: dict[RunId, Run] = {}
        rooms: Mapping[str, Room] = {}
        for _ in range(TURNS):
            claimed, rooms = self._queue.serve(max(ids))
            if not claimed:
                break
            for run in claimed:  # one that ends at once, or is put back, makes room
                moved[run.id] = self._looked_at(run, None, patience)
        for run in queued:
            seen = moved.get(run.id, run)
            if seen.state is RunState.QUEUED:
                moved[run.id] = self._looked_at(seen, rooms.get(run.id), patience)
        return {known: run for known, run in moved.items() if known in ids}

    def _looked_at(
        self, run: Run, fact: Fact | None, patience: _Patience, *, clears: bool = True
    ) -> Run:
        try:
            return self._settle(run, fact, patience, clears=clears)
        except DamagedDocumentError as error:
            return replace(run, notes=(*run.notes, error.message))

    def _settle(self, seen: Run, fact: Fact | None, patience: _Patience, *, clears: bool) -> Run:
        """Decide and act until there is nothing to do but wait: an act that is asked for again waits."""
        run, act = self._decide(seen, fact)
        done: Act | None = None
        while act is not None and act != done:
            outcome = self._do(run, act, patience, clears=clears)
            if outcome is None:
                return self._context.ports.store.runs.get(run.id).value
            if isinstance(outcome, Refused | Denied):
                outcome = denying.held_against(self._context, run, act, outcome)
            done = act
            run, act = self._decide(run, outcome, of=act)
            if isinstance(outcome, Prepared) and run.archived:
                # Others brought the run to its end meanwhile: what was made again waits for nothing.
                self.executor(run).reap(outcome.receipt)
        return run

    def _decide(
        self, seen: Run, fact: Fact | None, *, of: Act | None = None
    ) -> tuple[Run, Act | None]:
        """Save what a fact about `seen` means; a run that somebody else moved meanwhile is read again.

        A fact about an earlier claim than the one that is under way by now says nothing, nor does the outcome `of`
        an act behind which others went meanwhile.
        """
        run, act = self._advanced(seen, fact)
        if run == seen and act is None:
            return seen, None  # what others did meanwhile is for the next look
        for _ in range(20):
            kept = self._context.ports.store.runs.get(seen.id)
            is_behind = of is not None and kept.value.act != of
            said = None if is_behind or _claim(kept.value) != _claim(seen) else fact
            run, act = self._advanced(kept.value, said)
            if run == kept.value:
                return run, act
            try:
                self._save(run, kept)
            except StaleError:
                continue
            return run, act
        raise AssertionError(f"{seen.id} was changed by others 20 times in a row")

    def _advanced(self, run: Run, fact: Fact | None) -> tuple[Run, Act | None]:
        """Decide what a fact means, all by the run's clock; instants in the fact are by ours."""
        mark = self._context.mark()
        here = self._corrected(run, mark)
        now = clocks.now(run, here)
        return advance(clocks.aligned(run, here), clocks.told(fact, now - mark.at), now)

    def _corrected(self, run: Run, here: Mark) -> Mark:
        """Return this moment for a run that nobody looked at in this boot: its cluster has a clock of its own."""
        is_known = run.clock is not None and run.clock.uptime.boot == here.uptime.boot
        if is_known or run.is_terminal or run.receipt is None:
            return here
        ahead_s = self.executor(run).ahead_s() or 0.0
        return replace(here, at=here.at - timedelta(seconds=ahead_s))

    def _save(self, run: Run, kept: Kept[Run]) -> None:
        with self._context.transaction("moving a run on") as tx:
            tx.runs.put(run, seen=kept.rev)

    # --- acts

    def _do(self, run: Run, act: Act, patience: _Patience, *, clears: bool) -> Fact | None:
        """Do the act that was saved and say what came of it; None: it cannot be done now, or not yet."""
        try:
            return self._act(run, act, patience, clears=clears)
        except DeniedError as error:
            if act.kind in CLEARING:  # asked again without end
                return Silent(None, error.message)
            return denying.denied(self._context, run, error)
        except UnreachableError as error:
            if act.kind in ASKING:  # nothing of it can exist yet
                return PutBack(SILENT, error.message)
            return Silent(None, error.message)

    def _act(self, run: Run, act: Act, patience: _Patience, *, clears: bool) -> Fact | None:
        doing: dict[ActKind, Callable[[], Fact | None]] = {
            ActKind.FREEZE: lambda: freezing.resolve(self._context, run),
            ActKind.CHECK: lambda: self._check(run),
            ActKind.PREPARE: lambda: self._prepare(run),
            ActKind.RELEASE: lambda: self._release(run, patience),
            ActKind.START: lambda: self._start(run),
            ActKind.CANCEL: lambda: self._cancel(run, act),
            ActKind.REAP: lambda: self._reap(run, clears=clears),
            ActKind.NEXT_ATTEMPT: lambda: self._reap(run, clears=clears),
        }
        return doing[act.kind]()

    def executor(self, run: Run) -> Executor:
        """Return the executor of the run's cluster, also when its definition was deleted since."""
        cluster = self._context.ports.store.definitions.get(run.cluster, sound=True).value
        return self._context.ports.executor(cluster)

    def _launch(self, run: Run) -> Launch | Refused:
        try:
            return freezing.launch(self._context, run)
        except (NotFoundError, DamagedDocumentError) as error:  # what was frozen is not there
            return Refused(Reason.CONFIG_ERROR, (Problem("frozen", error.message),))

    def _check(self, run: Run) -> Fact:
        launch = self._launch(run)
        if isinstance(launch, Refused):
            return launch
        if damaged := [*freezing.unsound(self._context, run), *freezing.changed_files(launch)]:
            return Refused(Reason.CONFIG_ERROR, tuple(damaged))
        try:
            checks = self.executor(run).check(launch)
        except PrerequisiteError as error:
            problem = Problem("spec.cluster", f"{error.message} {error.advice}")
            return Refused(Reason.CONFIG_ERROR, (problem,))
        failed = [check for check in checks if check.level == "failed"]
        silent = [check for check in failed if check.code == "unreachable"]
        if silent:
            return PutBack(SILENT, silent[0].message)
        wrong = [check for check in failed if check.code != "quota"]
        if wrong:
            problems = [Problem(check.name, f"{check.message} {check.advice}") for check in wrong]
            refused = Refused(Reason.CONFIG_ERROR, tuple(problems), wrong[0].name)
            if any(check.code != "denied" for check in wrong):
                return refused
            doubt = wrong[0].doubt or denying.doubt(self._context, run)
            return Denied(wrong[0].what or wrong[0].name, refused, doubt)
        if failed:
            return PutBack(f"{HELD}: {failed[0].message}")
        warnings = [one for one in checks if one.level == "warning" and one.code != UNSEEN]
        return Checked(tuple(f"{one.name}: {one.message}" for one in warnings))

    def _prepare(self, run: Run) -> Fact:
        launch = self._launch(run)
        if isinstance(launch, Refused):
            return launch
        try:
            return Prepared(self.executor(run).prepare(launch))
        except FencedError as error:
            return Fenced(str(error))
        except PrerequisiteError as error:
            said = [error.message, *error.facts.get("evidence", ())]
            problems = tuple(Problem("spec.cluster", text) for text in said)
            return Refused(Reason.CONFIG_ERROR, problems)

    def _release(self, run: Run, patience: _Patience) -> Fact:
        begun = time.monotonic()
        try:
            return Released(self.executor(run).release(_receipt(run), patience.left_s))
        except FencedError as error:
            return Fenced(str(error))
        finally:
            patience.left_s = max(0.0, patience.left_s - (time.monotonic() - begun))

    def _start(self, run: Run) -> Fact:
        try:
            self.executor(run).start(_receipt(run))
        except FencedError as error:
            return Fenced(str(error))
        return Started()

    def _cancel(self, run: Run, act: Act) -> Fact:
        if act.step is None:
            raise AssertionError(f"{run.id}: a cancel without a step")
        try:
            self.executor(run).cancel(_receipt(run), act.step)
        except DeniedError:
            raise
        except UnreachableError as error:  # whether it answers at all is seen at the next look
            return Stepped(error.message)
        return Stepped()

    def _reap(self, run: Run, *, clears: bool) -> Fact | None:
        """Archive the log, then leave nothing behind of any attempt, unless that is for a later look."""
        executor = self.executor(run)
        receipts = [attempt.receipt for attempt in run.attempts if attempt.receipt is not None]
        try:
            if not run.archived and not self._archiving.finish(run, executor):
                return None
        except StoreFaultError as error:  # the attempts stay until their log is kept
            return Silent(None, error.message)
        if not clears:
            return None
        reports = [executor.reap(receipt) for receipt in receipts]
        removed = tuple(name for report in reports for name in report.removed)
        left = tuple(name for report in reports for name in report.left)
        left += lost_nodes.left(run, executor, self._context.now_of(run))
        return Reaped(ReapReport(removed, left))

    # --- observing

    def _observe(self, runs: list[Run]) -> dict[RunId, Fact]:
        """Ask each cluster once about all of its runs that were released, or wait for what they begin with."""
        by_cluster: dict[str, list[Run]] = defaultdict(list)
        for run in runs:
            attempt = run.attempt
            is_out = attempt is not None and attempt.receipt is not None
            is_asked = run.state not in WAITING or _is_unmade(run)
            if is_out and not run.is_terminal and is_asked:
                by_cluster[run.cluster].append(run)
        facts: dict[RunId, Fact] = {}
        for group in by_cluster.values():
            try:
                facts |= self._observe_cluster(group)
            except DamagedDocumentError as error:  # without it nobody can ask
                facts |= {run.id: Silent(None, error.message) for run in group}
        return facts

    def _observe_cluster(self, runs: list[Run]) -> dict[RunId, Fact]:
        receipts = {run.id: _receipt(run) for run in runs}
        executor = self.executor(runs[0])
        try:
            seen = executor.observe(list(receipts.values()))
        except UnreachableError as error:
            return {run.id: Silent(None, error.message) for run in runs}
        found: dict[RunId, Fact] = {}
        for run in runs:
            fact = seen.get(receipts[run.id].id)
            if fact is not None:
                now = clocks.now(run, self._corrected(run, self._context.mark()))
                fact = lost_nodes.seen_on_its_node(run, fact, executor, now)
                found[run.id] = self._heard(run, fact, now)
        return found

    def _heard(self, run: Run, fact: Observation | Silent, now: datetime) -> Observation | Silent:
        """Ask whether a runner that should have ended its run by now says that it lives."""
        if not isinstance(fact, Observation) or not late.is_late(run, fact, now):
            return fact
        with suppress(UnreachableError, PrerequisiteError):  # what hides it may hide it for ever
            is_heard = self.executor(run).is_heard(_receipt(run), late.HEARD_S)
            return replace(fact, is_heard=is_heard)
        return fact


def _claim(run: Run) -> tuple[int, datetime | None]:
    """Return what tells one claim of a run from another: an attempt may be put back and claimed again."""
    return len(run.attempts), run.attempts[-1].claimed_at if run.attempts else None


def _is_unmade(run: Run) -> bool:
    """Whether the run was released and its place has not made what begins."""
    return run.act == Act(ActKind.START) and _receipt(run).chosen is None


def _receipt(run: Run) -> Receipt:
    if run.receipt is None:
        raise AssertionError(f"{run.id} has no receipt")
    return run.receipt
