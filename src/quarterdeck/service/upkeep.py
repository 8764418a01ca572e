"""What `scheduler --once`, `doctor`, `audit` and `store` ask: reconcile all, leftovers, checks, the trail."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from quarterdeck.model.codec import to_document
from quarterdeck.model.errors import (
    DamagedDocumentError,
    PrerequisiteError,
    QuarterdeckError,
    StoreFaultError,
    UnreachableError,
)
from quarterdeck.model.ids import JobId, RunId
from quarterdeck.model.instants import format_instant
from quarterdeck.model.limits import PAGE_MOST
from quarterdeck.policy import access
from quarterdeck.ports.executor import Check
from quarterdeck.ports.store import Finding, Where
from quarterdeck.present import ages
from quarterdeck.service.archiving import Archiving
from quarterdeck.service.clusters import Clusters, other_status
from quarterdeck.service.context import ALL, Context
from quarterdeck.service.repairing import damaged_logs

if TYPE_CHECKING:
    from quarterdeck.model.job import AuditRecord, Definition
    from quarterdeck.model.receipt import AttemptId, Owned
    from quarterdeck.model.run import Run
    from quarterdeck.ports.executor import Executor
    from quarterdeck.service.clocks import Clocks
    from quarterdeck.service.runs import Runs


CHECKED_EVERY = timedelta(minutes=5)
ARCHIVED_CHUNKS = 200  # of each run in one turn
PAGE, PAGES = 200, 20  # records that one look at the trail takes at once, and how often at most
_WORDS = ("actor", "action", "subject", "subject_name", "outcome")


class TrailShown(NamedTuple):
    """Which records a look at the trail shows: those that hold `text` somewhere, perhaps only refused acts."""

    text: str = ""
    refused: bool = False
    oldest_first: bool = False


class Trail(NamedTuple):
    """Records of one look, and the id behind which the next look begins; None at the end of the trail."""

    rows: list[dict[str, Any]]
    next: str | None


class Leftover(NamedTuple):
    """One thing that was left behind: the cluster's name and its own there."""

    cluster: str
    name: str


class Leftovers(NamedTuple):
    """What no unfinished run owns, and which clusters did not say, with why."""

    rows: list[dict[str, Any]]
    silent: list[str]


class Upkeep:
    """Use cases over the whole workspace."""

    def __init__(self, context: Context, runs: Runs, clocks: Clocks) -> None:
        self._context = context
        self._clocks = clocks
        self._runs = runs
        self._archiving = Archiving(context)
        self._swept: set[AttemptId] = set()

    def reconcile_all(self) -> list[dict[str, Any]]:
        """Take up every unfinished run where it really stands; returns those, with the state before."""
        self._context.demand_writable("taking up runs")
        before = self._runs.advancing.open_runs()
        after = self._runs.advancing.reconcile(before)
        self._archive(after)
        return [
            {
                "run": new.id,
                "job": new.job_name,
                "before": old.state.value,
                "state": new.state.value,
            }
            for old, new in zip(before, after, strict=True)
        ]

    def _archive(self, runs: Sequence[Run]) -> None:
        """Bring home what runs under way have written: what holds a log may be gone at any time.

        A log that cannot be kept holds up no other; it is said at the end.
        """
        trouble: StoreFaultError | None = None
        for run in runs:
            if run.is_terminal or run.submitted_at is None:
                continue
            # The run's own state tells of these.
            with suppress(UnreachableError, DamagedDocumentError):
                try:
                    executor = self._runs.advancing.executor(run)
                    self._archiving.collect(run, executor, most=ARCHIVED_CHUNKS)
                except StoreFaultError as error:
                    trouble = error
        if trouble is not None:
            raise trouble

    def check_clusters(self) -> list[dict[str, Any]]:
        """Check the cluster that was not looked at for longest, if that is long; returns it if its status changed.

        Runs that start there are refused, and lists say so, before anybody wonders.
        """
        now = self._context.now()
        due = [
            one
            for one in self._clusters()
            if one.checked_at is not None  # one that lies before us is by a clock set back
            and not timedelta(0) <= now - one.checked_at <= CHECKED_EVERY
        ]
        if not due:
            return []
        oldest = min(due, key=lambda one: one.checked_at or now)
        checked = Clusters(self._context).check(oldest.name)
        if checked["status"] == oldest.status:
            return []
        return [{"cluster": oldest.name, "before": oldest.status, "status": checked["status"]}]

    def sweep(self, is_enough: Callable[[], bool]) -> bool:
        """Remove what came late for runs that have ended; the rest is for a person to say.

        False: `is_enough` said so before all was looked at; the next call goes on behind that.
        """
        self._context.demand_writable("removing what came late")
        for executor, _ in self._executors():
            with suppress(UnreachableError):  # asked again at the next sweep
                for owned in self._owned(executor, of_ended_runs=True):
                    if owned.receipt.id in self._swept:
                        continue
                    if is_enough():
                        return False
                    self._swept.add(owned.receipt.id)
                    executor.reap(owned.receipt)
        self._swept.clear()
        return True

    def leftovers(self, *, remove: Collection[Leftover] = ()) -> Leftovers:
        """Return what carries this workspace's label and no unfinished run owns; remove what `remove` names."""
        if remove:
            self._context.demand_writable("removing leftovers")
        found, silent = [], []
        for executor, name in self._executors():
            try:
                for owned in self._owned(executor):
                    row = {"cluster": name, "name": owned.name, "alive": owned.alive}
                    if Leftover(name, owned.name) in remove:
                        report = executor.reap(owned.receipt)
                        row |= {"removed": list(report.removed), "left": list(report.left)}
                    found.append(row)
            except UnreachableError as error:
                silent.append(f"{name}: {error.message}")
        return Leftovers(found, silent)

    def _executors(self) -> Iterator[tuple[Executor, str]]:
        for one in self._clusters():
            executor = self._executor(one)
            if executor is not None:
                yield executor, one.name

    def _clusters(self) -> list[Definition]:
        """Return the clusters whose documents are as they were written; the others are noted as passed over."""
        context = self._context
        found = []
        for kept in context.readable_definitions("cluster"):
            try:
                context.ports.store.demand_sound(("definitions", kept.value.id))
            except DamagedDocumentError as error:
                context.pass_over(error)
            else:
                found.append(kept.value)
        return found

    def _owned(self, executor: Executor, *, of_ended_runs: bool = False) -> Iterator[Owned]:
        """Yield what no unfinished run owns, and none that cannot be read."""
        for owned in executor.owned():
            try:
                run = self._context.ports.store.runs.find(owned.receipt.run)
            except DamagedDocumentError as error:
                self._context.pass_over(error)
                continue
            is_open = run is not None and run.value.is_open
            if not is_open and (run is not None or not of_ended_runs):
                yield owned

    def _executor(self, cluster: Definition) -> Executor | None:
        try:
            return self._context.ports.executor(cluster)
        except PrerequisiteError:
            return None  # what cannot run jobs leaves nothing; its check says why it cannot

    def checks(self) -> list[dict[str, Any]]:
        """Return the workspace's half of `doctor`: store, clusters, leftovers; each with what to do."""
        found = [self._store_check(), self._rights_check(), self._clock_check()]
        for cluster in self._clusters():
            checks = Clusters(self._context).look(cluster.name)
            checks += other_status(cluster, checks)
            found += [_row(f"cluster {cluster.name}: {check.name}", check) for check in checks]
        left, silent = self.leftovers()
        text = "; ".join([f"{len(left)} without an owner" if left else "none found", *silent])
        advice = "`quarterdeck doctor --leftovers --remove --yes` removes them." if left else ""
        level = "warning" if left or silent else "ok"
        found.append(_row("leftovers", Check("leftovers", level, text, advice)))
        return found

    def clock(self) -> dict[str, Any]:
        """Return whether this machine's clock was set, and how far it is ahead of the clusters'."""
        ahead = {name: executor.ahead_s() for executor, name in self._executors()}
        rows = [{"cluster": name, "ahead_s": found} for name, found in ahead.items()]
        return {**self._clocks.document(), "clusters": rows}

    def _store_check(self) -> dict[str, Any]:
        try:
            findings = self._findings()
        except QuarterdeckError as error:
            return _row("store", Check("store", "failed", error.message, error.advice))
        if not findings:
            return _row(
                "store", Check("store", "ok", f"{self._context.ports.store.folder} is clean")
            )
        text = f"{len(findings)} findings, first: {findings[0].where}: {findings[0].what}"
        advice = (
            "`quarterdeck store verify` lists them; `quarterdeck store repair` keeps the rest."
        )
        return _row("store", Check("store", "failed", text, advice))

    def _clock_check(self) -> dict[str, Any]:
        step = self._clocks.notice().step
        if step is None:
            return _row("clock", Check("clock", "ok", "goes on as it did before"))
        noticed = ages.age(format_instant(step.noticed.at), self._context.now())
        text = (
            f"stepped {ages.step(step.size_s)}, seen first {noticed}; deadlines go by the uptime"
        )
        return _row("clock", Check("clock", "warning", text, "Set it, if it is wrong now."))

    def _rights_check(self) -> dict[str, Any]:
        wide = self._context.ports.store.wide_files()
        if not wide:
            return _row("rights", Check("rights", "ok", "the store is open to its owner alone"))
        advice = f"`chmod -R go-rwx {self._context.ports.store.folder}` closes it."
        text = f"others may use {', '.join(wide[:5])}"
        return _row("rights", Check("rights", "warning", text, advice))

    def audit(
        self,
        *,
        subject: str | None = None,
        since: datetime | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[dict[str, Any]]:
        """Return audit records that the actor may see, newest first."""
        where = []
        if subject is not None:
            where.append(Where("subject", "=", self._subject(subject)))
        if since is not None:
            where.append(Where("at", ">=", format_instant(since)))
        sees = _Readers(self._context)
        found: list[AuditRecord] = []
        while len(found) < limit:
            page = self._context.ports.store.audit.page(*where, after=after, limit=PAGE_MOST)
            found += [one for one in page if sees.record(one)]
            if len(page) < PAGE_MOST:
                break
            after = page[-1].id
        return [to_document(one) for one in found[:limit]]

    def trail(self, shown: TrailShown, after: str | None = None, limit: int = PAGE) -> Trail:
        """Return at least `limit` records behind `after`, fewer where a look went far enough without them."""
        sees, text = _Readers(self._context), shown.text.casefold()
        found: list[dict[str, Any]] = []
        for _ in range(PAGES):
            page = self._context.ports.store.audit.page(
                descending=not shown.oldest_first, after=after, limit=PAGE
            )
            for one in page:
                told = " ".join(str(getattr(one, word)) for word in _WORDS).casefold()
                if shown.refused and one.outcome != "refused":
                    continue
                if text in told and sees.record(one):
                    team = self._context.team_name(one.team) if one.team else None
                    found.append({**to_document(one), "team": team})
            if len(page) < PAGE:
                return Trail(found, None)
            after = page[-1].id
            if len(found) >= limit:
                break
        return Trail(found, after)

    def _subject(self, text: str) -> str:
        """Return kind/id for kind/NAME."""
        kind, _, name = text.partition("/")
        if kind == "job":
            kept = self._context.find_job(name)
            return f"job/{kept.value.id}" if kept else self._deleted(kind, name) or text
        if kind in ("team", "cluster", "catalog", "profile"):
            one = self._context.find_definition(kind, name)
            return f"{kind}/{one.value.id}" if one else self._deleted(kind, name) or text
        return text

    def _deleted(self, kind: str, name: str) -> str | None:
        """Return the subject that had the name when it was deleted last."""
        from quarterdeck.model.text import named

        gone = self._context.ports.store.audit.page(
            Where("action", "=", f"{kind}.delete"), limit=ALL
        )
        found = named(gone, name, lambda one: one.subject_name)
        return found.subject if found else None

    def verify(self) -> dict[str, Any]:
        """Return {"ok", "findings"} of the store and the logs of its runs; `warnings`: names borne twice."""
        from quarterdeck.service import names, views

        findings = self._findings()
        twice = [] if findings else names.borne_twice(self._context)
        listed = [to_document(one) for one in findings]
        return {"ok": not findings, "findings": listed, **views.warnings(twice)}

    def _findings(self) -> list[Finding]:
        found = self._context.ports.store.verify()
        try:
            return [*found, *damaged_logs(self._context.ports.store, self._context.ports.logs)]
        except QuarterdeckError as error:  # damage that was found already stops it
            return found or [Finding("logs", f"cannot be checked: {error.message}")]

    def stats(self) -> Mapping[str, Any]:
        """Return counts, sizes and growth of the store."""
        return self._context.ports.store.stats()

    def whoami(self) -> dict[str, Any]:
        """Return actor, teams, rights and store."""
        context = self._context
        actor = context.actor()
        acting = context.team_name(actor.acting_as) if actor.acting_as else None
        return {
            "actor": actor.name,
            "teams": [context.team_name(team) for team in actor.teams],
            "org_admin": actor.is_org_admin,
            "acting_as": acting,
            "workspace": context.workspace().value.name,
            "store": str(context.ports.store.folder),
            "read_only": context.read_only,
        }


class _Readers:
    """Which audit records the actor may see: those of subjects that exist for the actor now."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._actor = context.actor()
        self._jobs: dict[str, bool | None] = {}

    def record(self, one: AuditRecord) -> bool:
        """Whether it is shown; what is no job, or no more, goes by the team that owned it."""
        kind, _, known = one.subject.partition("/")
        if kind == "run":
            run = self._context.ports.store.runs.find(RunId(known))
            kind, known = "job", run.value.job if run else ""
        seen = self._job(known) if kind == "job" else None
        return access.is_visible(self._actor, one.team) if seen is None else seen

    def _job(self, known: str) -> bool | None:
        if known not in self._jobs:
            job = self._context.job_by_id(JobId(known))
            self._jobs[known] = (
                None if job is None else access.is_visible(self._actor, job.team, job.shared_teams)
            )
        return self._jobs[known]


def _row(name: str, check: Check) -> dict[str, Any]:
    return {
        "name": name, "ok": check.level != "failed", "level": check.level,
        "message": check.message, "fix": check.advice,
        "code": check.code if check.level == "failed" else "",
    }  # fmt: skip
