"""Move runs on: ask `lifecycle.advance`, save, act, observe. A crash anywhere repeats an act, invents none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from quarterdeck.lifecycle.advance import advance
from quarterdeck.lifecycle.steps import HELD
from quarterdeck.model.errors import (
    DamagedDocumentError,
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
    Fact,
    Fenced,
    Prepared,
    Reaped,
    Refused,
    Released,
    Room,
    Silent,
    Stepped,
)
from quarterdeck.model.receipt import ReapReport, Receipt
from quarterdeck.model.run import Act, ActKind, Run, RunState
from quarterdeck.ports.executor import FencedError
from quarterdeck.ports.store import Documents, Kept
from quarterdeck.service import freezing, lost_nodes
from quarterdeck.service.archiving import Archiving
from quarterdeck.service.context import ALL, OPEN, Context

if TYPE_CHECKING:
    from quarterdeck.ports.executor import Executor, Launch

WAITING = (RunState.QUEUED, RunState.DISPATCHING)
FULL_FOR = timedelta(seconds=10)
"""How long a cluster that had no room for a run is not asked again by the same process."""


class Advancing:
    """The loop body: every process that looks at a run may call it; compare-and-set picks one writer."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._archiving = Archiving(context)
        self._full: dict[RunId, tuple[datetime, str]] = {}

    def open_runs(self) -> list[Run]:
        """Return the runs that are not finished: under way, or still to be cleaned up after."""
        found = self._context.ports.store.runs.page(OPEN, limit=ALL)
        return [kept.value for kept in found]

    def reconcile(self, runs: Iterable[Run]) -> list[Run]:
        """Bring each open run to where it really stands; one question per cluster. Returns them all.

        A run whose document is damaged stays where it is, and holds up no other: a note of it says so.
        """
        runs = list(runs)
        facts = self._observe([run for run in runs if run.is_open])
        settled = []
        for run in runs:
            try:
                settled.append(self._settle(run, facts.get(run.id)) if run.is_open else run)
            except DamagedDocumentError as error:
                settled.append(replace(run, notes=(*run.notes, error.message)))
        return settled

    def step(self, run_id: RunId) -> Run:
        """Move one run on as far as it goes without waiting, and return it."""
        run = self._context.ports.store.runs.get(run_id).value
        if not run.is_open:
            return run
        return self._settle(run, self._observe([run]).get(run.id))

    def _settle(self, seen: Run, fact: Fact | None) -> Run:
        """Decide and act until there is nothing to do but wait: an act that is asked for again waits."""
        run, act = self._decide(seen, fact)
        done: Act | None = None
        while act is not None and act != done:
            outcome = self._do(run, act)
            if outcome is None:
                return self._context.ports.store.runs.get(run.id).value
            done = act
            run, act = self._decide(run, outcome)
            if isinstance(outcome, Prepared) and run.archived:
                # Others brought the run to its end meanwhile: what was made again waits for nothing.
                self.executor(run).reap(outcome.receipt)
        return run

    def _decide(self, seen: Run, fact: Fact | None) -> tuple[Run, Act | None]:
        """Save what a fact about `seen` means; a run that somebody else moved meanwhile is read again.

        A fact about an earlier attempt than the one that is under way by now says nothing.
        """
        store = self._context.ports.store
        if seen.state is not RunState.QUEUED:
            run, act = advance(seen, fact, self._context.now())
            if run == seen and act is None:
                return seen, None  # what others did meanwhile is for the next look
        for _ in range(20):
            kept = store.runs.get(seen.id)
            if kept.value.state is RunState.QUEUED:
                return self._admit(seen.id)
            said = fact if len(kept.value.attempts) == len(seen.attempts) else None
            run, act = advance(kept.value, said, self._context.now())
            if run == kept.value:
                return run, act
            try:
                self._save(run, kept)
            except StaleError:
                continue
            return run, act
        raise AssertionError(f"{seen.id} was changed by others 20 times in a row")

    def _save(self, run: Run, kept: Kept[Run]) -> None:
        with self._context.transaction("moving a run on") as tx:
            tx.runs.put(run, seen=kept.rev)

    def _admit(self, run_id: RunId) -> tuple[Run, Act | None]:
        """Claim a queued run if there is room; counting and claiming are one transaction."""
        with self._context.transaction("claiming a run") as tx:
            kept = tx.runs.get(run_id)
            fact = self._room(tx, kept.value) if kept.value.state is RunState.QUEUED else None
            run, act = advance(kept.value, fact, self._context.now())
            if run != kept.value:
                tx.runs.put(run, seen=kept.rev)
        return run, act

    def _room(self, tx: Documents, run: Run) -> Room:
        """Whether ceilings leave a place: the job's `max_concurrent_runs` (not for drafts), the workspace's."""
        active = [k.value for k in tx.runs.page(OPEN, limit=ALL)]
        others = [one for one in active if not one.is_terminal and one.id != run.id]
        going = [one for one in others if one.state is not RunState.QUEUED]
        ahead = [one for one in others if one.state is RunState.QUEUED and one.id < run.id]
        mine = [one for one in going if one.job == run.job and not one.draft]
        limit = run.spec["limits"]["max_concurrent_runs"]
        if limit is not None and not run.draft and len(mine) >= limit:
            place = 1 + sum(one.job == run.job for one in ahead)
            return Room(free=False, what=f"{len(mine)} of {limit} runs of the job", position=place)
        most = self._context.workspace().value.ceilings["max_concurrent_runs"]
        if most is not None and len(going) >= most:
            what = f"{len(going)} of {most} runs of the workspace"
            return Room(free=False, what=what, position=1 + len(ahead))
        at, what = self._full.get(run.id, (None, ""))
        if at is not None and self._context.now() - at < FULL_FOR:
            return Room(free=False, what=what, position=_place(run, ahead))
        return Room(free=True)

    # --- acts

    def _do(self, run: Run, act: Act) -> Fact | None:
        """Do the act that was saved and say what came of it; None: it cannot be done now."""
        try:
            return self._act(run, act)
        except UnreachableError as error:
            return Silent(self._context.now(), error.message)

    def _act(self, run: Run, act: Act) -> Fact | None:
        doing: dict[ActKind, Callable[[], Fact | None]] = {
            ActKind.FREEZE: lambda: freezing.resolve(self._context, run),
            ActKind.CHECK: lambda: self._check(run),
            ActKind.PREPARE: lambda: self._prepare(run),
            ActKind.RELEASE: lambda: self._release(run),
            ActKind.CANCEL: lambda: self._cancel(run, act),
            ActKind.REAP: lambda: self._reap(run),
            ActKind.NEXT_ATTEMPT: lambda: self._reap(run),
        }
        return doing[act.kind]()

    def executor(self, run: Run) -> Executor:
        """Return the executor of the run's cluster, also when its definition was deleted since."""
        cluster = self._context.ports.store.definitions.get(run.cluster).value
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
            return Silent(self._context.now(), silent[0].message)
        wrong = [check for check in failed if check.code != "quota"]
        if wrong:
            problems = [Problem(check.name, f"{check.message} {check.advice}") for check in wrong]
            return Refused(Reason.CONFIG_ERROR, tuple(problems), wrong[0].name)
        if failed:
            return self._no_room(run, failed[0].message)
        return Checked(tuple(f"{c.name}: {c.message}" for c in checks if c.level == "warning"))

    def _no_room(self, run: Run, why: str) -> Room:
        """Return the run to the line, and leave the cluster alone about it for a while."""
        what = f"{HELD}: {why}"
        self._full[run.id] = (self._context.now(), what)
        found = self._context.ports.store.runs.page(OPEN, limit=ALL)
        ahead = [
            k.value for k in found if k.value.state is RunState.QUEUED and k.value.id < run.id
        ]
        return Room(free=False, what=what, position=_place(run, ahead))

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

    def _release(self, run: Run) -> Fact:
        try:
            self.executor(run).release(_receipt(run))
        except FencedError as error:
            return Fenced(str(error))
        return Released()

    def _cancel(self, run: Run, act: Act) -> Fact:
        if act.step is None:
            raise AssertionError(f"{run.id}: a cancel without a step")
        try:
            self.executor(run).cancel(_receipt(run), act.step)
        except UnreachableError as error:  # whether it answers at all is seen at the next look
            return Stepped(error.message)
        return Stepped()

    def _reap(self, run: Run) -> Fact | None:
        """Archive the log, then leave nothing behind of any attempt."""
        receipts = [attempt.receipt for attempt in run.attempts if attempt.receipt is not None]
        try:
            if not run.archived and not self._archiving.finish(run, self.executor(run)):
                return None
        except StoreFaultError as error:  # the attempts stay until their log is kept
            return Silent(self._context.now(), error.message)
        reports = [self.executor(run).reap(receipt) for receipt in receipts]
        removed = tuple(name for report in reports for name in report.removed)
        left = tuple(name for report in reports for name in report.left)
        left += lost_nodes.left(run, self.executor(run))
        return Reaped(ReapReport(removed, left))

    # --- observing

    def _observe(self, runs: list[Run]) -> dict[RunId, Fact]:
        """Ask each cluster once about all of its runs that were released."""
        by_cluster: dict[str, list[Run]] = defaultdict(list)
        for run in runs:
            attempt = run.attempt
            is_out = attempt is not None and attempt.receipt is not None
            if is_out and not run.is_terminal and run.state not in WAITING:
                by_cluster[run.cluster].append(run)
        facts: dict[RunId, Fact] = {}
        for group in by_cluster.values():
            facts |= self._observe_cluster(group)
        return facts

    def _observe_cluster(self, runs: list[Run]) -> dict[RunId, Fact]:
        receipts = {run.id: _receipt(run) for run in runs}
        executor, now = self.executor(runs[0]), self._context.now()
        try:
            seen = executor.observe(list(receipts.values()))
        except UnreachableError as error:
            return {run.id: Silent(run.silent_since or now, error.message) for run in runs}
        return {
            run.id: lost_nodes.seen_on_its_node(run, seen[receipts[run.id].id], executor, now)
            for run in runs
            if receipts[run.id].id in seen
        }


def _place(run: Run, ahead: Iterable[Run]) -> int:
    """Return the place in the line of those that wait for the same cluster."""
    return 1 + sum(one.cluster == run.cluster for one in ahead)


def _receipt(run: Run) -> Receipt:
    attempt = run.attempt
    if attempt is None or attempt.receipt is None:
        raise AssertionError(f"{run.id} has no receipt")
    return attempt.receipt
