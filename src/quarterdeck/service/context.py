"""Who calls, in which workspace, with which rights: what every use case starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from quarterdeck.model.actor import Actor
from quarterdeck.model.errors import (
    NotAllowedError,
    NotFoundError,
    StaleError,
    StoreRefusedError,
)
from quarterdeck.model.ids import DefinitionId, JobId, Rev, RunId, TeamId, behind
from quarterdeck.model.instants import format_instant
from quarterdeck.policy import access
from quarterdeck.ports.store import Documents, Kept, Where

if TYPE_CHECKING:
    from quarterdeck.model.clock import Mark
    from quarterdeck.model.errors import DamagedDocumentError
    from quarterdeck.model.job import Definition, Job, Version, Workspace
    from quarterdeck.model.run import Run
    from quarterdeck.ports.bundle import Ports
    from quarterdeck.ports.store import Collection, Row

T = TypeVar("T")
WORKSPACE_ID = "workspace"
ALL = 1_000_000
MERGE_S = 600.0  # what one actor repeats within it is one audit record
OPEN = Where("is_open", "=", value=True)
TEAMS = Where("kind", "=", "team")
NO_DRAFT = Where("draft", "=", value=False)


def expect(what: str, kept: Kept[Any], expect_rev: int | None) -> Rev:
    """Return the revision to write over; StaleError, who wrote and when, unless it is the expected one."""
    if expect_rev is not None and expect_rev != kept.rev:
        raise StaleError(what, actor=kept.by, at=format_instant(kept.at), rev=kept.rev)
    return kept.rev


def _name_of(kept: Kept[Definition] | Kept[Job]) -> str:
    return kept.value.name


class _GivenUpError(Exception):
    """Ends a transaction that was only to show whether it would be refused."""


class Context:
    """The caller's view of one workspace. Reads are fresh; only team names are kept, for one object's life."""

    def __init__(
        self, ports: Ports, who: str, *, as_team: str | None = None, read_only: bool = False
    ) -> None:
        self.ports = ports
        self.who = who
        self.as_team = as_team
        self.read_only = read_only or bool(ports.store.damage)
        self._teams: dict[str, str] | None = None
        self.passed_over: dict[str, str] = {}
        """What of this workspace could not be read and held up nothing else: by table/id, in words."""

    def now(self) -> datetime:
        """Return the clock's time."""
        return self.ports.clock()

    def mark(self) -> Mark:
        """Return this moment by the clock and by what cannot step."""
        from quarterdeck.model.clock import Mark  # most lists need none

        return Mark(self.ports.clock(), self.ports.uptime())

    def new_run_id(self) -> RunId:
        """Return the id of a run made now: the line and the list of runs go by ids, whatever the clock says."""
        newest = self.ports.store.runs.rows(descending=True, limit=1, flawed=True)
        made = self.ports.new_id("r")
        return RunId(behind(newest[0].id, made) if newest else made)

    def now_of(self, run: Run) -> datetime:
        """Return the time by the run's clock, by which its instants are told."""
        from quarterdeck.lifecycle import (
            clocks,
        )  # with the model of runs, which most lists need not

        return clocks.now(run, self.mark())

    def readable(
        self, collection: Collection[T], *where: Where, order: str = "id"
    ) -> list[Kept[T]]:
        """Return all that match and can be read; the others are noted in `passed_over`."""
        found, damaged = collection.readable(*where, order=order, limit=ALL)
        for error in damaged:
            self.pass_over(error)
        return found

    def pass_over(self, error: DamagedDocumentError) -> None:
        """Note a document that cannot be read and holds up nothing else."""
        self.passed_over[error.facts["document"]] = error.message

    def whole(self, table: str, rows: Iterable[Row]) -> list[Row]:
        """Return the rows that can be read; the others are noted in `passed_over`."""
        found = []
        for row in rows:
            if row.flaw:
                where = f"{table}/{row.id}"
                self.passed_over[where] = f"{where} {row.flaw}."
            else:
                found.append(row)
        return found

    def shown(self, table: str, rows: Iterable[Row], show: Callable[[Row], T]) -> list[T]:
        """Return what `show` makes of each row; one that lost what that takes is noted in `passed_over`."""
        found = []
        for row in self.whole(table, rows):
            try:
                found.append(show(row))
            except (KeyError, TypeError, ValueError, AttributeError):
                if not self.is_damaged(table, row.id):
                    raise
        return found

    def is_damaged(self, table: str, known: str) -> bool:
        """Whether the document is not as it was written; then it is noted in `passed_over`."""
        found = self.ports.store.unsound((table, known))
        self.passed_over |= {where: f"{where} {what}." for where, what in found}
        return bool(found)

    def last_name_of(self, definition: str) -> str:
        """Return what the definition of this id is called, or was last; empty if nobody knows."""
        kept = self.ports.store.definitions.find(DefinitionId(definition))
        if kept is not None:
            return kept.value.name
        found = self.ports.store.revisions.page(
            Where("definition", "=", definition), descending=True, limit=1
        )
        return found[0].value.name if found else ""

    @contextmanager
    def transaction(self, act: str, *, dry_run: bool = False) -> Iterator[Documents]:
        """Open a transaction of the actor; refused with the rule when this is `--read-only`.

        `dry_run`: all of it is done, and refused, as otherwise, and then given up.
        """
        self.demand_writable(act)
        with suppress(_GivenUpError), self.ports.store.transaction(self.who) as tx:
            yield tx
            if dry_run:
                raise _GivenUpError

    @contextmanager
    def recording(
        self, action: str, subject: str, *, name: str, team: str | None
    ) -> Iterator[None]:
        """Record that the actor may not do this, if that comes out of the block, and let it pass.

        It must stand outside of any transaction: that one is given up. `--read-only` records nothing.
        """
        try:
            yield
        except NotAllowedError:
            if not self.read_only:
                with self.ports.store.transaction(self.who) as tx:
                    tx.audit.append(
                        action, subject, name=name, team=team, outcome="refused", merge_s=MERGE_S
                    )
            raise

    def demand_writable(self, act: str) -> None:
        """Raise NotAllowedError, naming the option, when this is `--read-only`.

        StoreRefusedError for a damaged store. Asked before anything is done elsewhere that is to be kept there.
        """
        if self.ports.store.damage:
            with self.ports.store.transaction(self.who):
                return  # not reached: the store refuses it, naming the damage
        if self.read_only:
            raise NotAllowedError(
                f"Opened with --read-only: {act} would write.",
                advice="Leave out --read-only.",
                rule="--read-only: nothing is written",
            )

    # --- who

    def workspace(self) -> Kept[Workspace]:
        """Return the workspace's document."""
        kept = self.ports.store.workspace.find(WORKSPACE_ID)
        if kept is None:
            raise StoreRefusedError(
                "The store holds no workspace.",
                advice="Run `quarterdeck init` in an empty folder.",
            )
        return kept

    def actor(self) -> Actor:
        """Return the caller with teams and rights as the workspace maps them now."""
        found = self.ports.store.workspace.rows(limit=1)
        if not found:
            raise StoreRefusedError(
                "The store holds no workspace.",
                advice="Run `quarterdeck init` in an empty folder.",
            )
        teams = self._team_rows()
        mine = tuple(TeamId(t["id"]) for t in teams if self.who in t["body"]["members"])
        acting: TeamId | None = None
        if self.as_team is not None:
            from quarterdeck.model.text import named  # Unicode tables

            acting = named(mine, self.as_team, self.team_name)
            if acting is None:
                raise NotAllowedError(
                    f"{self.who} is not a member of team {self.as_team}.",
                    advice="See `quarterdeck whoami` for your teams.",
                    rule="--as takes a team of your own",
                )
        is_admin = self.who in found[0].body["org_admins"]
        if (
            not mine and not is_admin
        ):  # a team that cannot be read may be theirs: then this is refused
            self.ports.store.definitions.rows(TEAMS, limit=ALL)
        return Actor(self.who, mine, is_admin, acting)

    def team_name(self, team: str) -> str:
        """Return the team's name, or its id if it is gone."""
        if self._teams is None or team not in self._teams:
            self._teams = self.team_names()
        return self._teams.get(team, team)

    def team_names(self) -> dict[str, str]:
        """Return the names of all teams as they are now, by id."""
        return {team["id"]: team["name"] for team in self._team_rows()}

    def _team_rows(self) -> list[Mapping[str, Any]]:
        rows = self.ports.store.definitions.rows(TEAMS, limit=ALL, flawed=True)
        return [row.body for row in self.whole("definitions", rows) if not row.body["deleted"]]

    def demand(self, actor: Actor, action: str, what: str, job: Job) -> None:
        """Raise NotAllowedError unless the actor may do this to the job; a refused act is recorded."""
        with self.recording(f"job.{action}", f"job/{job.id}", name=job.name, team=job.team):
            access.demand(actor, action, what, job.team, job.shared_teams, names=self.team_name)

    # --- what

    def definitions(self, kind: str) -> list[Kept[Definition]]:
        """Return all that are not deleted, by name; one that cannot be read is a DamagedDocumentError."""
        found = self.ports.store.definitions.page(
            Where("kind", "=", kind), order="name_key", limit=ALL
        )
        return [kept for kept in found if not kept.value.deleted]

    def readable_definitions(self, kind: str) -> list[Kept[Definition]]:
        """Return those that are not deleted and can be read, by name."""
        where = Where("kind", "=", kind)
        found = self.readable(self.ports.store.definitions, where, order="name_key")
        return [kept for kept in found if not kept.value.deleted]

    def find_definition(self, kind: str, name: str) -> Kept[Definition] | None:
        """Return the one of that name in either Unicode form (a query: its id), or None."""
        from quarterdeck.model.text import named  # Unicode tables

        if kind == "query":
            kept = self.ports.store.definitions.find(name)
            is_one = kept is not None and kept.value.kind == kind and not kept.value.deleted
            return kept if is_one else None
        found = self.readable_definitions(kind)
        if kept := named(found, name, _name_of):
            return kept
        return named(self.definitions(kind), name, _name_of)

    def get_definition(self, kind: str, name: str) -> Kept[Definition]:
        """Return it; NotFoundError says the nearest name."""
        kept = self.find_definition(kind, name)
        if kept is not None and self.actor_sees_definitions():
            return kept
        names = [k.value.id if kind == "query" else k.value.name for k in self.definitions(kind)]
        raise self.not_found(kind, name, names if self.actor_sees_definitions() else [])

    def actor_sees_definitions(self) -> bool:
        """Whether the caller belongs to the workspace at all."""
        actor = self.actor()
        return bool(actor.teams) or actor.is_org_admin

    @staticmethod
    def not_found(kind: str, name: str, known: list[str]) -> NotFoundError:
        """Return the error: the same words for what is not there and what is not visible."""
        from quarterdeck.model.text import nearest

        near = nearest(name, known)
        advice = f"Did you mean {near[0]}?" if near else f"`quarterdeck {kind} list` shows all."
        return NotFoundError(f"There is no {kind} {name}.", advice=advice)

    def visible_jobs(self, actor: Actor) -> list[Kept[Job]]:
        """Return the jobs that exist for the actor, by name."""
        found = self.ports.store.jobs.page(order="name_key", limit=ALL)
        return [k for k in found if access.is_visible(actor, k.value.team, k.value.shared_teams)]

    def find_job(self, name: str) -> Kept[Job] | None:
        """Return the job of that id, or of that name in either Unicode form, visible or not.

        Nobody takes an id over by calling a job so.
        """
        from quarterdeck.model.text import name_key, named  # Unicode tables

        if kept := self.ports.store.jobs.find(name):
            return kept
        found = self.ports.store.jobs.page(Where("name_key", "=", name_key(name)), limit=ALL)
        return named(found, name, _name_of)

    def get_job(self, actor: Actor, name: str) -> Kept[Job]:
        """Return the job if it exists for the actor; NotFoundError otherwise."""
        kept = self.find_job(name)
        if kept is not None and access.is_visible(actor, kept.value.team, kept.value.shared_teams):
            return kept
        raise self.not_found("job", name, [k.value.name for k in self.visible_jobs(actor)])

    def job_by_id(self, job: JobId) -> Job | None:
        """Return the job, or None when it was deleted."""
        kept = self.ports.store.jobs.find(job)
        return None if kept is None else kept.value

    def get_version(self, job: Job, number: int) -> Version:
        """Return that version of the job; NotFoundError otherwise."""
        from quarterdeck.model.job import version_id

        found = None
        if number > 0:
            found = self.ports.store.versions.find(version_id(job.id, number))
        if found is None:
            raise NotFoundError(
                f"Job {job.name} has no version {number}.",
                advice=f"`quarterdeck job versions {job.name}` lists 1 to {job.next_number - 1}.",
            )
        return found.value

    def get_run(self, actor: Actor, run_id: str) -> Kept[Run]:
        """Return the run if its job exists for the actor; NotFoundError otherwise."""
        kept = self.ports.store.runs.find(RunId(run_id))
        if kept is not None and self.sees_run(actor, kept.value):
            return kept
        raise NotFoundError(f"There is no run {run_id}.", advice="`quarterdeck runs` shows all.")

    def sees_run(self, actor: Actor, run: Run) -> bool:
        """Whether the run exists for the actor, by its job's teams (a deleted job's: its last owner)."""
        job = self.job_by_id(run.job)
        if job is None:
            return access.is_visible(actor, run.team)
        return access.is_visible(actor, job.team, job.shared_teams)
