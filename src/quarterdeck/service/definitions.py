"""Teams, clusters, catalogs, profiles, queries and the workspace: list, show, create, edit, delete, history.

One table of kinds; what a field may hold is in `model.problems`, what a cluster's checks are in `clusters`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from quarterdeck.model.codec import to_document
from quarterdeck.model.errors import (
    NotAllowedError,
    NotFoundError,
    OvertakenError,
    Problem,
    StaleError,
    raise_problems,
)
from quarterdeck.model.ids import DefinitionId, TeamId
from quarterdeck.model.instants import format_instant
from quarterdeck.model.job import Definition, Revision, revision_id
from quarterdeck.model.shown import Deletion
from quarterdeck.policy import access, ceilings
from quarterdeck.ports.store import Documents
from quarterdeck.service import clusters, filing, saving, uses, views
from quarterdeck.service.context import ALL, Context, expect
from quarterdeck.service.overtaken import ASK_AGAIN
from quarterdeck.service.references import World

OWNED = ("profile", "query")  # by a team; the others are the org admins'
KINDS = ("team", "cluster", "catalog", "profile", "query")
PREFIX = {"team": "t", "cluster": "c", "catalog": "k", "profile": "p", "query": "q"}


class Definitions:
    """Use cases over every kind of definition."""

    def __init__(self, context: Context) -> None:
        self._context = context

    # --- reading

    def page(self, kind: str) -> list[dict[str, Any]]:
        """Return all of the kind that can be read, by name."""
        if not self._context.actor_sees_definitions():
            return []
        world = World(self._context)
        found = self._context.readable_definitions(kind)
        return [views.definition(world, kept) for kept in found]

    def show(self, kind: str, name: str) -> dict[str, Any]:
        """Return one with its body."""
        kept = self._context.get_definition(kind, name)
        return views.definition(World(self._context), kept)

    def document(self, kind: str, name: str) -> dict[str, Any]:
        """Return {"document", "rev"}: it as its file would say it, and what it was read at."""
        kept = self._context.get_definition(kind, name)
        return {"document": views.file_form(World(self._context), kept.value), "rev": kept.rev}

    def read(self, kind: str, path: str) -> dict[str, Any]:
        """Return the one document of this kind that a file holds, for `edit`; InvalidInputError."""
        return filing.only(self._context.ports.files.definitions(path), kind)

    def history(self, kind: str, name: str) -> list[dict[str, Any]]:
        """Return its revisions, newest first, each with author, time and body."""
        kept = self._context.get_definition(kind, name)
        found = self._context.ports.store.revisions.page(
            views.where("definition", kept.value.id), descending=True, limit=ALL
        )
        return [views.revision(one.value) for one in found]

    def between(self, kind: str, name: str, a: int, b: int) -> list[dict[str, Any]]:
        """Return what differs between two revisions: path, a, b, and the lines of a text."""
        kept = self._context.get_definition(kind, name)
        found = []
        for number in (a, b):
            one = self._context.ports.store.revisions.find(revision_id(kept.value.id, number))
            if one is None:
                raise NotFoundError(
                    f"{kind} {name} has no revision {number}.",
                    advice=f"It is at revision {kept.value.revision}.",
                )
            found.append(one.value)
        return uses.between(*found)

    def impact(
        self, kind: str, name: str, document: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the jobs whose live version or draft uses it; those not visible are only counted.

        With `document`, as for `edit`: what changes for each. What it could not be saved for is raised.
        """
        kept = self._context.get_definition(kind, name)
        if document is None:
            return uses.of_edit(self._context, kept.value, None)
        world = World(self._context)
        value, found, _ = self.validate(kind, document, world, edited=kept.value)
        raise_problems(found)
        return uses.of_edit(self._context, kept.value, _body(value or {}))

    def reach(self, kind: str, name: str) -> frozenset[str]:
        """Return the ids of the jobs, visible or not, whose live version or draft an edit of it reaches."""
        one = self._context.get_definition(kind, name).value
        return frozenset(use.job["id"] for use in uses.uses(self._context, one))

    def deletion(self, kind: str, name: str) -> Deletion:
        """Return what would be deleted, and what keeps it, as far as the actor sees that."""
        one = self._context.get_definition(kind, name).value
        used, hidden = uses.keepers(self._context, one)
        return Deletion(kind, one.id, views.reference(one), one.revision, tuple(used), hidden)

    def runs_by_revision(self, kind: str, name: str) -> list[dict[str, Any]]:
        """Return how many of the last runs took which revision of a profile or query, newest first."""
        return uses.runs_by_revision(self._context, self._context.get_definition(kind, name).value)

    def why_not(self, kind: str, name: str, action: str) -> str | None:
        """Return the words with which `edit` or `delete` is refused to the actor; None if it is allowed."""
        one = self._context.get_definition(kind, name).value
        try:
            access.demand(
                self._context.actor(), action, f"{kind} {one.name}", one.team,
                names=self._context.team_name,
            )  # fmt: skip
        except NotAllowedError as error:
            return f"{error.message} {error.advice}".strip()
        return None

    # --- writing

    def validate(
        self,
        kind: str,
        document: Mapping[str, Any],
        world: World,
        *,
        edited: Definition | None = None,
    ) -> tuple[dict[str, Any] | None, list[Problem], list[Problem]]:
        """Return the stored form (or None), problems and warnings of a file of this kind."""
        from quarterdeck.model import problems as checks  # pydantic

        if edited is not None:
            world_document = {**views.file_form(world, edited), **document}
        else:
            world_document = dict(document)
            if kind in OWNED and "team" not in world_document:
                world_document["team"] = self._default_team()
        parsed = checks.parse(kind, world_document)
        actor = self._context.actor()
        found = list(parsed.problems)
        if kind in OWNED:
            teamless = saving.team_problems(world, actor, world_document.get("team"))
            if any(one.code == "prerequisite" for one in teamless):  # what the field lacks is moot
                found = [one for one in found if one.path != "team"]
            found += teamless
        elif not actor.is_org_admin:
            found.append(Problem("", f"only org admins may create or edit a {kind}", "denied"))
        found += self._name_problems(kind, world_document, edited)
        if kind == "profile" and parsed.value is not None:
            limits = self._context.workspace().value.ceilings
            found += ceilings.profile_problems(parsed.value, limits)
        return parsed.value, found, list(parsed.warnings)

    def create(self, kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Save a new one; all problems at once, nothing written."""
        world = World(self._context)
        team = document.get("team") if kind in OWNED else None
        asked = saving.refusals(
            world, f"{kind}.create", f"{kind}/", name=document.get("name"), team=team
        )
        with asked, self._context.transaction(f"creating a {kind}") as tx:
            value, found, warnings = self.validate(kind, document, world)
            raise_problems(found)
            made = self.make(tx, world, kind, value or {})
        if kind == "cluster":
            clusters.Clusters(self._context).check(made.name)
        return {**self.show(kind, views.reference(made)), **views.warnings(warnings)}

    def bring(self, world: World, kind: str, value: Mapping[str, Any]) -> None:
        """Let the rest of a file refer to a definition of it, wrong or not; a cluster is looked at."""
        name = value.get("name")
        if not isinstance(name, str):
            return
        known = (value.get("id") or self._query_id(name)) if kind == "query" else name
        brought = filing.brought(kind, value, known)
        if kind == "cluster" and "kind" in value:
            checks = clusters.Clusters(self._context).look_at(brought)
            world.looked[name] = checks
            brought = replace(brought, status=clusters.status_of(checks))
        world.extra[kind, known] = brought

    def make(self, tx: Documents, world: World, kind: str, value: Mapping[str, Any]) -> Definition:
        """Write a checked definition in the caller's transaction and return it."""
        from quarterdeck.model.text import name_key

        body = _body(value)
        name = value["name"]
        new = value.get("id") or (
            self._query_id(name) if kind == "query" else self._context.ports.new_id(PREFIX[kind])
        )
        team = world.find("team", value["team"]) if kind in OWNED else None
        looked = world.looked.get(name) if kind == "cluster" else None
        made = Definition(
            id=DefinitionId(new), kind=kind, name=name, name_key=name_key(name),
            team=TeamId(team.id) if team else None, revision=1, body=body,
            author=self._context.who, at=self._context.now(),
            status="" if kind != "cluster" else clusters.status_of(looked) if looked else "unchecked",
            checked_at=self._context.now() if looked else None,
            checks=tuple(to_document(check) for check in looked or ()),
        )  # fmt: skip
        tx.definitions.put(made, seen=None)
        self._keep_revision(tx, made)
        tx.audit.append(
            f"{kind}.create", f"{kind}/{made.id}", name=name, team=made.team, after=made
        )
        world.extra[kind, new if kind == "query" else name] = made
        return made

    def edit(
        self, kind: str, name: str, document: Mapping[str, Any], *, expect_rev: int | None = None,
        revision: int | None = None, reach: frozenset[str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Lay `document` over it as a new revision; keys left out stay.

        `revision` is the one that was shown, StaleError if there is another; a check of a cluster makes none.
        `reach` are the jobs that were shown as those that take it; another by now is an OvertakenError.
        """
        kept = self._context.get_definition(kind, name)
        self._demand(kind, kept.value, "edit")
        world = World(self._context)
        expect(f"{kind} {name}", kept, expect_rev)
        if revision is not None and kept.value.revision != revision:
            raise StaleError(
                f"{kind} {name}", actor=kept.value.author, at=format_instant(kept.value.at),
                rev=kept.rev,
            )  # fmt: skip
        team = document.get("team") if kind in OWNED else None
        subject = f"{kind}/{kept.value.id}"
        asked = saving.refusals(world, f"{kind}.edit", subject, name=kept.value.name, team=team)
        with asked, self._context.transaction(f"editing {kind} {name}") as tx:
            if reach is not None:
                uses.demand_reach(self._context, kept.value, reach)
            value, found, warnings = self.validate(kind, document, world, edited=kept.value)
            raise_problems(found)
            after = self._edited(world, kept.value, value or {})
            if after is not None:
                tx.definitions.put(after, seen=kept.rev)
                self._keep_revision(tx, after)
                tx.audit.append(
                    f"{kind}.edit", f"{kind}/{after.id}", name=after.name, team=after.team,
                    before=kept.value, after=after,
                )  # fmt: skip
                if kind == "cluster" and after.name != kept.value.name:
                    self._rename_in_teams(tx, kept.value.name, after.name)
        now = after or kept.value
        if kind == "cluster":
            clusters.Clusters(self._context).check(now.name)
        return {**self.show(kind, views.reference(now)), **views.warnings(warnings)}

    def delete(
        self, kind: str, name: str, *, shown: Deletion | None = None,
        expect_rev: int | None = None, dry_run: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """Remove it; in use anywhere it can still run from is a conflict that lists the uses.

        Another revision than was `shown` is an OvertakenError. `dry_run`: the same, but nothing is removed.
        """
        self._demand(kind, self._context.get_definition(kind, name).value, "delete")
        with self._context.transaction(f"deleting {kind} {name}", dry_run=dry_run) as tx:
            kept = self._context.get_definition(kind, name)
            one = kept.value
            expect(f"{kind} {name}", kept, expect_rev)
            if shown is not None and (one.id, one.revision) != (shown.id, shown.revision):
                at = format_instant(one.at)
                raise OvertakenError(
                    f"{kind} {name} is at revision {one.revision}, saved by {one.author} at {at}; "
                    f"revision {shown.revision} was shown.",
                    advice=ASK_AGAIN,
                    conflict={"actor": one.author, "at": at, "rev": kept.rev},
                )
            uses.demand_unused(self._context, one)
            gone = replace(one, deleted=True, author=self._context.who, at=self._context.now())
            tx.definitions.put(gone, seen=kept.rev)
            tx.audit.append(
                f"{kind}.delete", f"{kind}/{gone.id}", name=name, team=gone.team, before=one
            )
        return {"deleted": name, "kind": kind}

    # --- inside

    def _edited(
        self, world: World, before: Definition, value: Mapping[str, Any]
    ) -> Definition | None:
        from quarterdeck.model.text import name_key

        body = _body(value)
        team = world.find("team", value["team"]) if before.kind in OWNED else None
        after = replace(
            before, name=value["name"], name_key=name_key(value["name"]), body=body,
            team=TeamId(team.id) if team else None, doubt="",
        )  # fmt: skip
        if after == before:
            return None
        return replace(
            after,
            revision=before.revision + 1,
            author=self._context.who,
            at=self._context.now(),
        )

    def _rename_in_teams(self, tx: Documents, old: str, new: str) -> None:
        """Let teams go on meaning a cluster that has another name: where their runs go must not change with it."""
        from quarterdeck.model.text import named

        for kept in self._context.definitions("team"):
            places = kept.value.body.get("clusters") or {}
            if known := named(places, old, str):
                moved = {new if name == known else name: place for name, place in places.items()}
                team = replace(
                    kept.value, body={**kept.value.body, "clusters": moved},
                    revision=kept.value.revision + 1, author=self._context.who, at=self._context.now(),
                )  # fmt: skip
                tx.definitions.put(team, seen=kept.rev)
                self._keep_revision(tx, team)
                tx.audit.append(
                    "team.edit", f"team/{team.id}", name=team.name, team=team.team,
                    before=kept.value, after=team,
                )  # fmt: skip

    def _demand(self, kind: str, one: Definition, action: str) -> None:
        actor, what = self._context.actor(), f"{kind} {one.name}"
        record = (f"{kind}.{action}", f"{kind}/{one.id}")
        with self._context.recording(*record, name=one.name, team=one.team):
            access.demand(actor, action, what, one.team, names=self._context.team_name)

    def _name_problems(
        self, kind: str, document: Mapping[str, Any], edited: Definition | None
    ) -> list[Problem]:
        from quarterdeck.model.text import same_name

        name, found = document.get("name"), []
        others = [
            k.value
            for k in self._context.definitions(kind)
            if edited is None or k.value.id != edited.id
        ]
        wanted = same_name(name) if isinstance(name, str) else None
        same = [one.name for one in others if same_name(one.name) == wanted]
        if isinstance(name, str) and same:
            found.append(Problem("name", saving.in_use(name, name if name in same else same[0])))
        new = document.get("id")
        if kind != "query" or not isinstance(new, str) or (edited and edited.id == new):
            return found
        if edited is not None:
            found.append(
                Problem("id", f"is {edited.id} for good; leave it out, or create another")
            )
            return found
        if self._context.ports.store.definitions.find(new) is not None:
            found.append(Problem("id", f"{new} was used before; ids are never used again"))
        return found

    def _query_id(self, name: str) -> str:
        base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:56] or "query"
        new, number = base, 1
        while self._context.ports.store.definitions.find(new) is not None:
            number += 1
            new = f"{base}-{number}"
        return new

    def _default_team(self) -> str | None:
        actor = self._context.actor()
        team = actor.acting_as or (actor.teams[0] if len(actor.teams) == 1 else None)
        return self._context.team_name(team) if team else None

    @staticmethod
    def _keep_revision(tx: Documents, one: Definition) -> None:
        kept = Revision(
            revision_id(one.id, one.revision), one.id, one.kind, one.revision, one.name, one.body,
            one.author, one.at,
        )  # fmt: skip
        tx.revisions.put(kept, seen=None)


def _body(value: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in value.items() if k not in ("id", "name", "team", "type")}
