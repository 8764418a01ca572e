"""Jobs: list, show, create, validate, edit, delete. Drafts and versions: `drafts`, `publishing`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quarterdeck.model.codec import to_document
from quarterdeck.model.errors import (
    InvalidInputError,
    Problem,
    StaleError,
    raise_problems,
)
from quarterdeck.model.ids import JobId, RunId, TeamId
from quarterdeck.model.instants import format_instant
from quarterdeck.model.job import Activation, Definition, Draft, Job
from quarterdeck.policy import access
from quarterdeck.ports.store import Documents, Kept
from quarterdeck.service import filing, listing, outside, references, saving, views
from quarterdeck.service.context import Context, expect
from quarterdeck.service.references import World
from quarterdeck.service.replacing import give_way, save_draft

if TYPE_CHECKING:
    from quarterdeck.model.actor import Actor
    from quarterdeck.model.shown import Cascade

AT_ONCE = ("name", "team", "shared_teams", "description", "schedule")


class Jobs:
    """Use cases on a job as a whole."""

    def __init__(self, context: Context) -> None:
        self._context = context

    # --- reading

    def show(self, name: str) -> dict[str, Any]:
        """Return the job with its live spec and the effective settings."""
        return self._whole(self._context.get_job(self._context.actor(), name))

    def _whole(self, kept: Kept[Job]) -> dict[str, Any]:
        from quarterdeck.versions import effective

        context, job = self._context, kept.value
        world = World(context)
        live = context.get_version(job, job.live_version)
        draft = context.ports.store.drafts.find(job.id)
        last = listing.last_run(context, job.id)
        if last is not None and last["is_open"] and not context.read_only:
            from quarterdeck.service.advancing import (
                Advancing,
            )  # its rooms load only for a run under way

            last = to_document(Advancing(context).step(RunId(last["id"])))
        raw = to_document(job)
        row = views.job(context, raw, rev=kept.rev, draft=draft is not None, last_run=last)
        profile = world.by_id("profile", live.spec["profile"])
        options = effective.settings(profile.body, live.spec) if profile else []
        history = [
            {"actor": a.actor, "at": format_instant(a.at), "from": a.previous, "to": a.number}
            for a in job.activations
        ]
        return {
            **row,
            "spec": references.to_names(world, live.spec),
            "effective": options,
            "activations": history,
        }

    # --- validating and creating

    def validate(
        self, documents: Sequence[Mapping[str, Any]], *, folder: str = "", is_new: bool = False
    ) -> dict[str, Any]:
        """Check a file as `create` would and write nothing; raises what `create` would raise.

        A job of that name that is there already is checked as an edit of it, unless it `is_new`. `folder` is the
        file's.
        """
        documents = [outside.placed(document, folder) for document in documents]
        warnings = self._check_all(documents, World(self._context), editing=not is_new)
        return {"ok": True, "fields": [], **views.warnings(warnings)}

    def create(
        self, documents: Sequence[Mapping[str, Any]], *, folder: str = ""
    ) -> list[dict[str, Any]]:
        """Create everything in a file, or nothing: jobs and what they need beside them.

        Relative paths count from `folder`, the file's. Returns the jobs.
        """
        documents = [outside.placed(document, folder) for document in documents]
        context, world = self._context, World(self._context)
        context.demand_writable("creating a job")
        first = next((d for d in documents if filing.kind_of(d) == "job"), documents[0])
        name, team = first.get("name"), first.get("team")
        with saving.refusals(world, "job.create", "job/", name=name, team=team):
            warnings = self._check_all(documents, world, editing=False)
            with context.transaction("creating a job") as tx:
                now = World(context, looked=world.looked)
                made = [self._make(tx, now, one) for _, one in filing.in_order(documents)]
        more = views.warnings(warnings)
        return [{**self.show(one.name), **more} for one in made if isinstance(one, Job)]

    def _check_all(
        self, documents: Sequence[Mapping[str, Any]], world: World, *, editing: bool
    ) -> list[Problem]:
        """Return the warnings of all documents; raises their problems, in the order of the file."""
        from quarterdeck.model.text import same_name

        found: dict[int, list[Problem]] = {}
        warnings: dict[int, list[Problem]] = {}
        named: set[tuple[str | None, str]] = set()
        for place, document in filing.in_order(documents):
            problems, more = self._check(document, world, editing=editing)
            name = str(document.get("name"))
            this = filing.kind_of(document), same_name(name)
            if this in named:
                problems = [*problems, Problem("name", f"{name} stands in the file twice")]
            named.add(this)
            prefix = f"documents[{place}]." if len(documents) > 1 else ""
            found[place] = [one._replace(path=prefix + one.path) for one in problems]
            warnings[place] = [one._replace(path=prefix + one.path) for one in more]
        raise_problems([one for place in sorted(found) for one in found[place]])
        return [one for place in sorted(warnings) for one in warnings[place]]

    def _check(
        self, document: Mapping[str, Any], world: World, *, editing: bool
    ) -> tuple[list[Problem], list[Problem]]:
        kind = filing.kind_of(document)
        if kind is None:
            text = "not a kind of file; use job, profile, query, cluster, catalog or team"
            return [Problem("type", text)], []
        if kind != "job":
            from quarterdeck.service.definitions import Definitions

            body = filing.without_type(document)
            value, found, warnings = Definitions(self._context).validate(kind, body, world)
            Definitions(self._context).bring(world, kind, body if found else value or body)
            return found, warnings
        this = self._edited_by(document) if editing else None
        _, found, warnings = self.check_job(document, world, this=this)
        return found, warnings

    def _edited_by(self, document: Mapping[str, Any]) -> Job | None:
        """Return the job of the document's name, if the actor sees one."""
        from quarterdeck.model.text import one_form

        name = document.get("name")
        found = self._context.find_job(name) if isinstance(name, str) else None
        if found is None or one_form(found.value.name) != one_form(str(name)):  # an id is no name
            return None
        job, actor = found.value, self._context.actor()
        return job if access.is_visible(actor, job.team, job.shared_teams) else None

    def check_job(
        self, document: Mapping[str, Any], world: World, *, this: Job | None = None
    ) -> tuple[dict[str, Any] | None, list[Problem], list[Problem]]:
        """Return the stored form (names inside), problems and warnings of one job's document."""
        from quarterdeck.model import problems as checks  # pydantic

        context, actor = self._context, self._context.actor()
        whole = self._with_defaults(document, actor)
        parsed = checks.parse("job", whole)
        found = list(parsed.problems)
        warnings = list(parsed.warnings)
        teamless = saving.team_problems(world, actor, whole.get("team"))
        if any(
            one.code == "prerequisite" for one in teamless
        ):  # then what the field lacks is moot
            found = [one for one in found if one.path != "team"]
        found += teamless
        found += saving.shared_problems(world, whole)
        named, looks = saving.name_problems(context, actor, whole.get("name"), this=this)
        found += named
        warnings += looks
        spec = whole.get("spec")
        if parsed.value is not None:
            spec = parsed.value["spec"]
        if isinstance(spec, Mapping):
            more, also = saving.spec_problems(context, world, spec)
            found = saving.joined(found, more)
            warnings += also
        return parsed.value, filing.in_order_of_the_form(found), warnings

    def _with_defaults(self, document: Mapping[str, Any], actor: Actor) -> dict[str, Any]:
        whole = {k: v for k, v in document.items() if not (k == "type" and v == "job")}
        team = actor.acting_as or (actor.teams[0] if len(actor.teams) == 1 else None)
        if "team" not in whole and team is not None:
            whole["team"] = self._context.team_name(team)
        return whole

    def _make(self, tx: Documents, world: World, document: Mapping[str, Any]) -> Job | Definition:
        kind = filing.kind_of(document)
        if kind is not None and kind != "job":
            from quarterdeck.service.definitions import Definitions

            definitions = Definitions(self._context)
            value, found, _ = definitions.validate(kind, filing.without_type(document), world)
            raise_problems(found)
            return definitions.make(tx, world, kind, value or {})
        value, found, _ = self.check_job(document, world)
        raise_problems(found)
        return self._make_job(tx, world, value or {})

    def _make_job(self, tx: Documents, world: World, value: Mapping[str, Any]) -> Job:
        from quarterdeck.model.text import name_key
        from quarterdeck.versions import publish

        context, now = self._context, self._context.now()
        spec = references.to_ids(world, value["spec"])
        new = JobId(context.ports.new_id("j"))
        seen = outside.seen(context, spec)
        version = publish.first_version(new, spec, author=context.who, at=now, seen=seen)
        job = Job(
            id=new, name=value["name"], name_key=name_key(value["name"]),
            team=_team(world, value["team"]), type=publish.job_type(spec), live_version=1,
            next_number=2, created_by=context.who, created_at=now,
            shared_teams=tuple(_team(world, name) for name in value["shared_teams"]),
            description=value["description"], schedule=value["schedule"],
            activations=(Activation(context.who, now, None, 1),),
        )  # fmt: skip
        tx.jobs.put(job, seen=None)
        tx.versions.put(version, seen=None)
        tx.audit.append(
            "job.create", f"job/{new}", name=job.name, team=job.team, after=(job, spec)
        )
        return job

    # --- editing

    def edit(
        self,
        name: str,
        document: Mapping[str, Any],
        *,
        expect_rev: int | None = None,
        seen: Mapping[str, Any] | None = None,
        replace_draft: bool = False,
        folder: str = "",
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Lay `document` over the job: `spec` replaces the draft's whole, the rest acts at once.

        A draft that somebody else saved is replaced only with `expect_rev`, `seen` or `replace_draft`; else it is
        a StaleError. `expect_rev` is the job's revision, which every save of its draft raises, too. `seen` are
        those keys of the job's document that the edit was made from, as they were then: StaleError if one of them
        is another now; what else was edited refuses nothing. A draft that is replaced is dropped as by
        `drafts.discard`. Returns the job with `draft_changed` and `changed_now`, the paths that changed, and
        `back_to_default`, keys of `spec` that `document` left out and that so changed. `dry_run`: the same, but
        nothing is saved.
        """
        from quarterdeck.versions import diff

        document = outside.placed(document, folder)
        context, actor = self._context, self._context.actor()
        kept = context.get_job(actor, name)
        job = kept.value
        context.demand(actor, "edit", f"job {job.name}", job)
        world = World(context)
        asked = saving.refusals(
            world, "job.edit", f"job/{job.id}", name=job.name, team=document.get("team")
        )
        with asked, context.transaction(f"editing job {name}", dry_run=dry_run) as tx:
            kept = context.get_job(actor, job.id)
            job, draft = kept.value, tx.drafts.find(job.id)
            expect(f"job {name}", kept, expect_rev)
            before = self._document(world, job, draft)
            if seen is not None and any(before.get(key) != seen[key] for key in seen):
                raise StaleError(
                    f"job {name}", actor=kept.by, at=format_instant(kept.at), rev=kept.rev
                )
            value, found, warnings = self._laid_over(before, document, world, job)
            after = self._edited(world, job, value)
            changed_now = [k for k in AT_ONCE if getattr(after, k) != getattr(job, k)]
            spec = was = self._base(job, draft)
            if "spec" in document:
                raise_problems(references.problems(world, value["spec"]))  # a draft keeps ids
                spec = references.to_ids(world, value["spec"])
            draft_changed = diff.paths(was, spec)
            if draft_changed:
                if draft is not None:
                    is_seen = replace_draft or expect_rev is not None or "spec" in (seen or ())
                    after = give_way(context, tx, kept, draft, after=after, is_seen=is_seen)
                save_draft(context, tx, kept._replace(value=after), draft, spec)
            elif changed_now:
                tx.jobs.put(after, seen=kept.rev)
            if changed_now:
                tx.audit.append(
                    "job.edit",
                    f"job/{job.id}",
                    name=after.name,
                    team=after.team,
                    before=job,
                    after=after,
                )
        blocked = [one for one in found if one.code == "prerequisite"]
        notes = [one._replace(message=f"cannot be published: {one.message}") for one in blocked]
        shown = self.show(job.id)
        if draft_changed:
            shown["draft_version"] = job.next_number
        changes = {
            "draft_changed": list(draft_changed),
            "changed_now": changed_now,
            "back_to_default": diff.left_out(was, spec, document.get("spec")),
        }
        return {**shown, **changes, **views.warnings([*warnings, *notes])}

    def _laid_over(
        self, before: Mapping[str, Any], document: Mapping[str, Any], world: World, job: Job
    ) -> tuple[Mapping[str, Any], list[Problem], list[Problem]]:
        """Return the document laid over the one before, problems that refuse nothing, and warnings."""
        value, found, warnings = self.check_job(
            {**before, **filing.without_type(document)}, world, this=job
        )
        if (
            "spec" not in document
        ):  # what is wrong there already keeps nobody from mending the rest
            found = [one for one in found if not one.path.startswith("spec")]
            warnings = [one for one in warnings if not one.path.startswith("spec")]
        raise_problems([one for one in found if one.code != "prerequisite"])
        if value is None:
            raise InvalidInputError([Problem("", "the file holds no job")])
        return value, found, warnings

    def _document(self, world: World, job: Job, draft: Kept[Draft] | None) -> dict[str, Any]:
        from quarterdeck.model import problems as checks

        spec = self._base(job, draft)
        return checks.dump("job", {
            "name": job.name, "team": world.name_of("team", job.team),
            "shared_teams": [world.name_of("team", team) for team in job.shared_teams],
            "description": job.description, "schedule": job.schedule,
            "spec": references.to_names(world, spec),
        })  # fmt: skip

    def document(self, name: str) -> dict[str, Any]:
        """Return the job as its file would say it, with the draft's spec if there is one: for `$EDITOR`."""
        kept = self._context.get_job(self._context.actor(), name)
        draft = self._context.ports.store.drafts.find(kept.value.id)
        return self._document(World(self._context), kept.value, draft)

    def _base(self, job: Job, draft: Kept[Draft] | None) -> Mapping[str, Any]:

        if draft is not None:
            return draft.value.spec
        return self._context.get_version(job, job.live_version).spec

    def _edited(self, world: World, job: Job, value: Mapping[str, Any]) -> Job:
        from quarterdeck.model.text import name_key

        return replace(
            job,
            name=value["name"],
            name_key=name_key(value["name"]),
            team=_team(world, value["team"]),
            shared_teams=tuple(_team(world, name) for name in value["shared_teams"]),
            description=value["description"],
            schedule=value["schedule"],
        )

    # --- deleting

    def cascade(self, name: str) -> Cascade:
        """Return what would go with the job, and the runs under way, which have to end before."""
        from quarterdeck.service import deleting

        context, actor = self._context, self._context.actor()
        job = context.get_job(actor, name).value
        context.demand(actor, "delete", f"job {job.name}", job)
        return deleting.cascade(context, job)

    def delete(
        self, name: str, *, shown: Cascade | None = None, expect_rev: int | None = None,
        dry_run: bool = False,
    ) -> Cascade:  # fmt: skip
        """Remove the job, its versions and draft, and return what went; runs stay readable.

        Active runs are a conflict, and so is what would go and was not `shown`. `dry_run`: the same, but nothing
        is removed.
        """
        from quarterdeck.service import deleting

        return deleting.delete(
            self._context, name, shown=shown, expect_rev=expect_rev, dry_run=dry_run
        )


def _team(world: World, name: str) -> TeamId:
    found = world.find("team", name)
    if found is None:
        raise AssertionError(f"team {name} was checked before")
    return TeamId(found.id)
