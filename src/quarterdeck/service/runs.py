"""Runs: start, list, show, cancel, retry, run again exactly, compare."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import (
    ConflictError,
    DamagedDocumentError,
    IllegalTransitionError,
    NotFoundError,
    PrerequisiteError,
    Problem,
    StaleError,
    raise_problems,
)
from quarterdeck.model.ids import DefinitionId, RunId
from quarterdeck.model.instants import parse_instant, seconds_between
from quarterdeck.model.run import Cancel, Entered, Run, RunState, Trigger
from quarterdeck.ports.store import Where
from quarterdeck.service import choosing, freezing, lost_nodes, remains, views
from quarterdeck.service.advancing import POD_S, WAITING, Advancing
from quarterdeck.service.context import NO_DRAFT, Context

if TYPE_CHECKING:
    from quarterdeck.model.job import Job
    from quarterdeck.model.shown import Again, Fix, Runnable, RunShown


class Runs:
    """Use cases on runs. `read_file` gives the bytes of an artifact's path."""

    def __init__(self, context: Context, read_file: Callable[[str], bytes]) -> None:
        self._context = context
        self._read_file = read_file
        self.advancing = Advancing(context)

    # --- making

    def start(
        self,
        name: str,
        *,
        draft: bool = False,
        version: int | None = None,
        parameters: Mapping[str, str] | None = None,
        rests_on: RunShown | None = None,
    ) -> dict[str, Any]:
        """Make a run of the live version, the draft or a version; it is queued, `dispatch` moves it on.

        Refused with OvertakenError if what it `rests_on` is not so any more.
        """
        context, actor = self._context, self._context.actor()
        first = context.get_job(actor, name).value
        context.demand(actor, "run_draft" if draft else "run", f"job {first.name}", first)
        with context.transaction(f"running {first.name}") as tx:
            which: dict[str, Any] = {"draft": draft, "version": version}
            if rests_on is None:
                job, chosen = choosing.chosen(context, first.id, **which)
            else:
                job, chosen = choosing.as_shown(context, tx, first, rests_on, **which)
            spec = chosen.spec
            if parameters:
                from quarterdeck.service import given

                spec = given.laid_over(spec, parameters)
            raise_problems(self.prerequisites(spec))
            run = self.made(job, spec, Trigger.MANUAL, version=chosen.version)
            if draft:
                run = replace(run, draft=True, based_on=chosen.based_on)
            tx.runs.put(run, seen=None)
            tx.audit.append(
                "run.start", f"run/{run.id}", name=job.name, team=job.team, after=run.id
            )
        return self._row(run)

    def runnable(self, name: str, *, draft: bool = False, version: int | None = None) -> Runnable:
        """Return what can be run of the job; the parameters are live's, the draft's or that version's."""
        return choosing.runnable(self._context, name, draft=draft, version=version)

    def made(
        self, job: Job, spec: Mapping[str, Any], trigger: Trigger, *, version: int | None
    ) -> Run:
        """Return a new run, queued; it is not kept yet."""
        context, clock = self._context, self._context.mark()
        workspace, now = context.workspace().value, clock.at
        queued = Entered(1, RunState.QUEUED, now, f"{trigger} by {context.who}")
        return Run(
            id=context.new_run_id(), job=job.id, job_name=job.name, team=job.team,
            cluster=DefinitionId(spec["cluster"]), version=version, draft=False, trigger=trigger,
            actor=context.who, spec=spec, queued_at=now, clock=clock,
            queue_deadline=now + timedelta(seconds=workspace.queue_deadline_s),
            start_deadline_s=workspace.start_deadline_s, timeout_s=spec["timeout"],
            timeline=(queued,),
        )  # fmt: skip

    def prerequisites(self, spec: Mapping[str, Any]) -> list[Problem]:
        """Return what a person must mend before this can run; no run is made meanwhile."""
        definitions = self._context.ports.store.definitions
        found = []
        wanted = [("profile", spec["profile"]), ("cluster", spec["cluster"])]
        wanted += [("catalog", known) for known in spec["catalogs"]]
        if spec["source"]["kind"] == "saved_query":
            wanted.append(("query", spec["source"]["query_id"]))
        for kind, known in wanted:
            kept = definitions.find(known)
            path = "spec.source.query_id" if kind == "query" else f"spec.{kind}"
            if kept is None or kept.value.deleted:
                name = self._context.last_name_of(known) or known
                found.append(Problem(path, f"{kind} {name} is gone", "prerequisite"))
            elif kind == "cluster" and kept.value.status != "active":
                name = kept.value.name
                text = f"cluster {name} is {kept.value.status}: `quarterdeck cluster check {name}`"
                found.append(Problem(path, text, "prerequisite"))
        return found

    def dispatch(self, run_id: str) -> dict[str, Any]:
        """Move the run on as far as it goes now: to `submitted`, or to where it has to wait."""
        self._context.demand_writable(f"moving run {run_id} on")
        return self._row(self.advancing.step(RunId(run_id), POD_S))

    # --- looking

    def reconcile(self, run_ids: Iterable[str]) -> list[dict[str, Any]]:
        """Bring runs to where they really stand and return their rows; one that cannot be read is passed over.

        Read-only, or while another process holds the write lock: the stored facts with their age.
        """
        store = self._context.ports.store
        runs = []
        for known in run_ids:
            try:
                runs.append(store.runs.get(known).value)
            except DamagedDocumentError as error:
                self._context.pass_over(error)
        if not self._context.read_only:
            with contextlib.suppress(ConflictError):
                runs = self.advancing.reconcile(runs)
        return [self._row(run) for run in runs]

    def show(self, run_id: str) -> dict[str, Any]:
        """Return everything about a run, brought to where it really stands."""
        run = self.get(run_id)
        if run.is_open and not self._context.read_only:
            run = self.advancing.step(run.id)
        return self._whole(run)

    def stored(self, run_id: str) -> dict[str, Any]:
        """Return everything about a run as it is stored, for screens: who moves it on is `moving`."""
        return self._whole(self.get(run_id))

    def executed(self, run_id: str) -> dict[str, Any]:
        """Return the version as the run took it, whatever became of its job since; references by name."""
        from quarterdeck.service import references
        from quarterdeck.service.references import World

        run = self.get(run_id)
        spec = references.to_names(World(self._context), run.spec)
        return {"job": run.job_name, "version": run.version, "draft": run.draft, "spec": spec}

    def fix(self, run_id: str) -> Fix:
        """Return where what failed in the run can be edited now."""
        from quarterdeck.service import failing

        return failing.fix(self._context, self.get(run_id))

    def last_good(self, run_id: str) -> str:
        """Return the newest other run of the same job that succeeded and is no draft's; empty for none."""
        run = self.get(run_id)
        found = self._context.ports.store.runs.rows(
            Where("job", "=", run.job), Where("state", "=", RunState.SUCCEEDED.value), NO_DRAFT,
            Where("id", "!=", run.id), descending=True, limit=1,
        )  # fmt: skip
        return found[0].id if found else ""

    def get(self, run_id: str) -> Run:
        """Return the run as it stands in the store, if the actor may see it."""
        return self._context.get_run(self._context.actor(), run_id).value

    def _whole(self, run: Run) -> dict[str, Any]:
        context = self._context
        frozen, lost = remains.frozen_spec(context, run.frozen_sha256)
        if frozen is not None:
            frozen["source"] |= self._since_publish(run, frozen["source"])
        result, more = remains.result(context, run.result_sha256, self._read_file)
        damage = [
            f"{where} {what}" for where, what in context.ports.store.unsound(("runs", run.id))
        ]
        run = replace(run, notes=(*run.notes, *lost, *more, *damage))
        return views.run_whole(
            run, self._job_name(run), self.advancing.standing(run), frozen=frozen, result=result
        )

    def _since_publish(self, run: Run, source: Mapping[str, Any]) -> dict[str, Any]:
        """Return how what ran differs from what its version saw when it was published, and from now."""
        context = self._context
        if source["kind"] == "snapshot" or (
            run.version is None and source["kind"] != "saved_query"
        ):
            return {}
        job = context.job_by_id(run.job)
        seen: Mapping[str, Any] = {}
        if job is not None and run.version is not None:
            with contextlib.suppress(NotFoundError):  # a repair could not keep it
                seen = context.get_version(job, run.version).seen
        if source["kind"] != "saved_query":
            before = seen.get("sha256")
            return {
                "changed_since_publish": None if before is None else before != source["sha256"]
            }
        query = context.find_definition("query", source["query_id"])
        return {
            "published_revision": seen.get("query_revision"),
            "newest_revision": query.value.revision if query else None,
        }

    def _job_name(self, run: Run) -> str:
        job = self._context.job_by_id(run.job)
        return job.name if job is not None else run.job_name

    def _row(self, run: Run) -> dict[str, Any]:
        return views.run_row(run, self._job_name(run), self.advancing.standing(run))

    def compare(self, a: str, b: str) -> dict[str, Any]:
        """Return what differs between two runs: what was decided and what came of it first, hashes last.

        A text has the `lines` of a unified diff. How long each took stands in `seconds`: no two are alike.
        """
        from quarterdeck.versions import diff

        shown = [self._whole(self.get(one)) for one in (a, b)]
        left, right = map(_comparable, shown)
        found = sorted(diff.differences(left, right), key=lambda one: "sha256" in one.path)
        rows = [
            {"path": d.path, "a": d.a, "b": d.b} | ({"lines": list(d.lines)} if d.lines else {})
            for d in found
        ]
        parts = {path.split(".")[0] for path in diff.paths(left, right)}
        return {
            "a": a, "b": b, "seconds": [_seconds(one) for one in shown], "differences": rows,
            "equal_count": len({*left, *right} - parts),
        }  # fmt: skip

    # --- acts on a run

    def cancel(self, run_id: str) -> dict[str, Any]:
        """Ask for the run's end; a second cancel is harmless, a run that has ended is a conflict."""
        context, actor = self._context, self._context.actor()
        run = self.get(run_id)
        job = context.job_by_id(run.job)
        if job is not None:
            context.demand(actor, "cancel", f"run {run_id}", job)
        context.demand_writable(f"cancelling run {run_id}")
        # It may have ended; what was not begun is not begun to be cancelled.
        if run.state not in WAITING:
            self.advancing.step(run.id)
        for _ in range(20):
            kept = context.get_run(actor, run_id)
            run = kept.value
            if run.is_terminal:
                raise IllegalTransitionError(
                    f"Run {run_id} has ended: {run.state}.",
                    advice=f"`quarterdeck retry {run_id}` runs it again.",
                    state=run.state.value,
                )
            if run.cancel is not None:
                break
            asked = replace(run, cancel=Cancel(asked_by=actor.name, asked_at=context.now_of(run)))
            try:
                with context.transaction(f"cancelling run {run_id}") as tx:
                    tx.runs.put(asked, seen=kept.rev)
                    tx.audit.append(
                        "run.cancel", f"run/{run_id}", name=run.job_name, team=run.team
                    )
            except StaleError:
                continue
            break
        return self._whole(self.advancing.step(run.id))

    def again(self, run_id: str) -> Again:
        """Return what running a run again rests on; IllegalTransitionError unless it has ended."""
        from quarterdeck.service import reruns

        run, job = self._ended(run_id, "retry")
        return reruns.again(self._context, run, job, self._read_file)

    def retry(
        self, run_id: str, *, node_off: bool = False, attempt: int | None = None,
        beside: Collection[str] | None = (),
    ) -> dict[str, Any]:  # fmt: skip
        """Make a new run of the same version (or the same draft text); what it refers to is resolved anew.

        ConflictError if a retry of it was made already, unless that is one of `beside`, the runs that the caller
        knows of (None: whatever there is). Returns the new run with `will_run_again`: what had completed.
        `node_off`: the actor says that the machine of the lost node is off; a run that waits for it goes on.
        `attempt` is the one that was shown as lost.
        """
        context, actor = self._context, self._context.actor()
        from quarterdeck.service import reruns

        if node_off:
            run = self.get(run_id)
            owner = context.job_by_id(run.job)
            if owner is not None:
                context.demand(
                    actor, "run_draft" if run.draft else "retry", f"run {run_id}", owner
                )
            if run.is_terminal:
                reruns.demand_first_retry(context, run, beside)
            if not lost_nodes.say_off(context, run_id, actor.name, attempt).is_terminal:
                gone_on = self._row(self.advancing.step(run.id))
                return reruns.row(context, gone_on, run, self._read_file)
        old, job = self._ended(run_id, "retry")
        context.demand(actor, "run_draft" if old.draft else "retry", f"run {run_id}", job)
        lost_nodes.demand_cleared(context, old, self.advancing.executor)
        raise_problems(self.prerequisites(old.spec))
        run = self.made(job, old.spec, Trigger.RETRY, version=old.version)
        run = replace(run, draft=old.draft, based_on=old.based_on, retry_of=old.id)
        reruns.keep(context, run, old, beside)
        return reruns.row(context, self._row(run), old, self._read_file)

    def rerun_exactly(self, run_id: str, *, beside: Collection[str] | None = ()) -> dict[str, Any]:
        """Make a new run of the same frozen spec; what cannot be had any more refuses it, listed.

        ConflictError while another exact re-run of it is under way, unless that is in `beside`, as for `retry`.
        """
        from quarterdeck.service import reruns

        context, actor = self._context, self._context.actor()
        old, job = self._ended(run_id, "run again")
        context.demand(actor, "run_draft" if old.draft else "run", f"run {run_id}", job)
        if old.frozen_sha256 is None:
            raise IllegalTransitionError(
                f"Run {run_id} was never dispatched, so nothing was frozen.",
                advice=f"`quarterdeck retry {run_id}` resolves everything anew.",
            )
        raise_problems([p for p in self.prerequisites(old.spec) if p.path == "spec.cluster"])
        lost_nodes.demand_cleared(context, old, self.advancing.executor)
        frozen = freezing.frozen_spec(context, old.frozen_sha256)
        cluster = context.ports.store.definitions.get(old.cluster).value
        gone = freezing.differs(context, frozen, cluster)
        if gone:
            raise PrerequisiteError(
                f"Run {run_id} cannot be run again exactly: {gone[0].path} {gone[0].message}.",
                advice=f"`quarterdeck retry {run_id}` runs it with what is here now.",
                problems=gone,
            )
        run = self.made(job, old.spec, Trigger.EXACT, version=old.version)
        run = replace(
            run, draft=old.draft, based_on=old.based_on, exact_of=old.id,
            frozen_sha256=old.frozen_sha256, timeout_s=old.timeout_s,
            notes=("secret values are today's; everything else is as it was",),
        )  # fmt: skip
        reruns.keep(context, run, old, beside)
        return reruns.row(context, self._row(run), old, self._read_file)

    def _ended(self, run_id: str, verb: str) -> tuple[Run, Job]:
        run = self.get(run_id)
        if run.is_open and not self._context.read_only:
            run = self.advancing.step(run.id)
        if not run.is_terminal:
            raise IllegalTransitionError(
                f"Run {run_id} is {run.state}; only a run that has ended can be retried."
                if verb == "retry"
                else f"Run {run_id} is {run.state}; it has to end before it can run again.",
                advice=f"`quarterdeck cancel {run_id}` ends it.",
                state=run.state.value,
            )
        job = self._context.job_by_id(run.job)
        if job is None:
            from quarterdeck.service import reruns

            raise reruns.job_gone(run)
        return run, job


def _comparable(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a run that can be alike in two, in the order in which they are told."""
    failure = shown["failure"] or {}
    found = {key: shown[key] for key in ("job", "version", "state", "reason", "object")}
    found |= {"failure": failure.get("headline"), "place": failure.get("place")}
    found |= {f"frozen.{key}": value for key, value in (shown["frozen"] or {}).items()}
    for one in (shown["result"] or {}).get("statements", ()):
        kept = {key: value for key, value in one.items() if key not in ("number", "seconds")}
        found[f"statement {one['number']}"] = kept
    return found


def _seconds(shown: Mapping[str, Any]) -> float | None:
    """Return how long a run took from its start to its end."""
    if shown["started_at"] is None or shown["ended_at"] is None:
        return None
    return round(
        seconds_between(parse_instant(shown["started_at"]), parse_instant(shown["ended_at"])), 3
    )
