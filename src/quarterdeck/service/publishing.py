"""Versions: publish, history, diff, activate. What each changes on a job is in `versions.publish`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quarterdeck.model.codec import to_document
from quarterdeck.model.errors import (
    ConflictError,
    PrerequisiteError,
    Problem,
    StaleError,
    raise_problems,
)
from quarterdeck.model.instants import format_instant
from quarterdeck.model.limits import NOTE_LENGTH
from quarterdeck.ports.store import Where
from quarterdeck.service import references, views
from quarterdeck.service.context import ALL, OPEN, Context, expect
from quarterdeck.service.references import World

if TYPE_CHECKING:
    from quarterdeck.model.draft import Bound
    from quarterdeck.model.job import Draft, Job, Version
    from quarterdeck.model.shown import Activating
    from quarterdeck.ports.store import Kept


class Publishing:
    """Use cases on the versions of a job."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def publish(
        self, name: str, *, note: str = "", expect_rev: int | None = None,
        shown: Bound | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Make the draft the live version, in one transaction: the one that is read in it, and no other.

        `shown` is what somebody confirmed: StaleError, with who and when, if the draft's spec or base or the live
        version is another by now; what else was edited of the job refuses nothing. `expect_rev` is the job's
        revision. A draft based on an older version than the live one is a conflict that names who published.
        A text of the other language beside the draft is in no version: it is dropped with the draft.
        Returns the job with `previous`, `runs_on_previous` and `dropped`, that draft. `name` may be the job's id.
        """
        from quarterdeck.service import outside, replacing, saving
        from quarterdeck.service.drafts import Drafts, row
        from quarterdeck.versions import publish

        context, actor = self._context, self._context.actor()
        seen_job = context.get_job(actor, name)
        name = seen_job.value.name
        context.demand(actor, "publish", f"job {name}", seen_job.value)
        with context.transaction(f"publishing {name}") as tx:
            kept = context.get_job(actor, seen_job.value.id)
            expect(f"job {name}", kept, expect_rev)
            if shown is not None:
                self._demand_as_shown(kept, tx.drafts.find(kept.value.id), shown)
            kept, draft = Drafts(context).get(kept.value.id)
            job = kept.value
            _demand_no_doubt(f"The draft of {name}", draft.value.doubt)
            if draft.value.based_on != job.live_version:
                self._refuse_stale(job, draft.value.based_on)
            world = World(context)
            spec = references.to_names(world, draft.value.spec)
            found, warnings = saving.spec_problems(context, world, spec)
            raise_problems([*_note_problems(note), *self._text_problems(spec), *found])
            live = context.get_version(job, job.live_version)
            after, version = publish.publish(
                job, live, draft.value, author=context.who, at=context.now(), note=note,
                seen=outside.seen(context, draft.value.spec),
            )  # fmt: skip
            if draft.value.aside:  # no version holds it
                after = replacing.drop(context, tx, after, draft.value)
            tx.versions.put(version, seen=None)
            tx.jobs.put(after, seen=kept.rev)
            tx.drafts.delete(job.id, seen=draft.rev)
            tx.audit.append(
                "job.publish", f"job/{job.id}", name=name, team=job.team,
                before=live.spec, after=version.spec,
            )  # fmt: skip
        from quarterdeck.service.jobs import Jobs

        return {
            **Jobs(context).show(after.id),
            "previous": job.live_version,
            "runs_on_previous": self._active_on(after, job.live_version),
            "dropped": row(after.name, after.dropped[-1]) if draft.value.aside else None,
            **views.warnings(warnings),
        }

    @staticmethod
    def _demand_as_shown(kept: Kept[Job], draft: Kept[Draft] | None, shown: Bound) -> None:
        """Raise StaleError unless this draft would replace that version as it was shown."""
        from quarterdeck.service.replacing import stale_draft
        from quarterdeck.versions import drafts

        job = kept.value
        if job.live_version != shown.live_version:
            last = job.activations[-1]
            raise StaleError(
                f"The live version of {job.name}", actor=last.actor, at=format_instant(last.at),
                rev=kept.rev,
            )  # fmt: skip
        if draft is not None:
            seen = drafts.seen(draft.value.spec, draft.value.based_on, draft.value.aside)
            if seen == shown.seen:
                return
        raise stale_draft(kept, draft)

    @staticmethod
    def _text_problems(spec: Mapping[str, Any]) -> list[Problem]:
        """Return what is wrong with a text that was saved while it was typed."""
        from quarterdeck.model import problems as checks

        whole: dict[str, Any] = {
            "name": "x",
            "team": "x",
            "shared_teams": [],
            "description": "",
            "schedule": None,
        }
        parsed = checks.parse("job", checks.dump("job", {**whole, "spec": spec}))
        return [one for one in parsed.problems if one.path.startswith("spec")]

    def _refuse_stale(self, job: Job, based_on: int) -> None:
        last = job.activations[-1]
        raise ConflictError(
            f"The draft of {job.name} is based on version {based_on}, but {last.actor} made "
            f"{job.live_version} live at {format_instant(last.at)}.",
            advice=f"See `quarterdeck job diff {job.name} {based_on} {job.live_version}`; then "
            f"`job edit` on top of it after `job reset {job.name}`, or `job discard {job.name}`.",
            conflict={
                "actor": last.actor, "at": format_instant(last.at), "rev": job.live_version,
                "base": based_on,
            },
        )  # fmt: skip

    def _active_on(self, job: Job, number: int) -> list[str]:
        found = self._context.ports.store.runs.page(Where("job", "=", job.id), OPEN, limit=ALL)
        runs = [kept.value for kept in found]
        return [r.id for r in runs if not r.is_terminal and not r.draft and r.version == number]

    def history(self, name: str, *, search: str = "") -> list[dict[str, Any]]:
        """Return versions, newest first; `search` matches number, author, note, changed field or text."""
        context = self._context
        job = context.get_job(context.actor(), name).value
        found = context.ports.store.versions.page(
            Where("job", "=", job.id), descending=True, limit=ALL
        )
        versions = [kept.value for kept in found]
        world = World(context)
        rows = []
        for one in versions:
            match = _match(one, world, search) if search else None
            if not search or match is not None:
                row = {"job": job.name, **views.version(one, job)}
                rows.append(row if match is None else {**row, "match": match})
        return rows

    def show(self, name: str, number: int) -> dict[str, Any]:
        """Return one version with its spec."""
        context = self._context
        job = context.get_job(context.actor(), name).value
        one = context.get_version(job, number)
        spec = references.to_names(World(context), one.spec)
        return {"job": job.name, **views.version(one, job), "spec": spec}

    def diff(self, name: str, a: str, b: str) -> dict[str, Any]:
        """Return what differs between two versions, or a version and `draft`."""
        from quarterdeck.versions import diff

        context = self._context
        job = context.get_job(context.actor(), name).value
        left, right = self._spec(job, a), self._spec(job, b)
        found = diff.differences(left, right)
        return {"job": job.name, "a": a, "b": b, "differences": [to_document(d) for d in found]}

    def _spec(self, job: Job, which: str) -> Mapping[str, Any]:
        from quarterdeck.service.drafts import Drafts

        world = World(self._context)
        if which == "draft":
            return references.to_names(world, Drafts(self._context).get(job.name)[1].value.spec)
        return references.to_names(world, self._context.get_version(job, int(which)).spec)

    def activating(
        self, name: str, number: int, *, expect_rev: int | None = None,
        expect_live: int | None = None,
    ) -> Activating:  # fmt: skip
        """Return what `activate` would change; refused as that would be, and nothing is changed."""
        before, _ = self._activate(
            name, number, expect_rev=expect_rev, expect_live=expect_live, dry_run=True
        )
        return self._preview(before, number)

    def _preview(self, job: Job, number: int) -> Activating:
        from quarterdeck.model.shown import Activating
        from quarterdeck.versions import diff, publish

        context = self._context
        world = World(context)
        target = context.get_version(job, number)
        live = context.get_version(job, job.live_version)
        back = diff.differences(
            references.to_names(world, live.spec), references.to_names(world, target.spec)
        )
        return Activating(
            job.id, job.name, job.live_version, number, tuple(to_document(d) for d in back),
            tuple(publish.stays(job, target)),
        )  # fmt: skip

    def activate(
        self, name: str, number: int, *, expect_rev: int | None = None,
        expect_live: int | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Make `number` the live version; what it refers to must be there (exit 6, live stays).

        `expect_live` is the version that was shown as live. Returns the job with `from`, `to`, `changed` and
        `stale_draft`.
        """
        from quarterdeck.service.jobs import Jobs

        before, stale = self._activate(
            name, number, expect_rev=expect_rev, expect_live=expect_live
        )
        changed = number != before.live_version
        facts = {"from": before.live_version, "to": number, "changed": changed}
        return {**Jobs(self._context).show(before.id), **facts, "stale_draft": stale}

    def _activate(
        self, name: str, number: int, *, expect_rev: int | None, expect_live: int | None,
        dry_run: bool = False,
    ) -> tuple[Job, bool]:  # fmt: skip
        """Return the job as it was, and whether its draft is based on another version then."""
        from quarterdeck.service import saving
        from quarterdeck.service.overtaken import demand_live
        from quarterdeck.versions import publish

        context, actor = self._context, self._context.actor()
        first = context.get_job(actor, name).value
        context.demand(actor, "activate", f"job {first.name}", first)
        world = World(context)
        spec = references.to_names(world, context.get_version(first, number).spec)
        found, _ = saving.spec_problems(context, world, spec)  # may look at files
        act = f"activating version {number} of {first.name}"
        with context.transaction(act, dry_run=dry_run) as tx:
            kept = context.get_job(actor, first.id)
            job = kept.value
            target = context.get_version(job, number)
            expect(f"job {job.name}", kept, expect_rev)
            demand_live(job, expect_live)
            draft = tx.drafts.find(job.id)
            if number != job.live_version:
                # a version was valid once: what is invalid now went away since
                gone = [
                    one._replace(code="prerequisite") for one in found if one.code == "invalid"
                ]
                raise_problems([*gone, *(one for one in found if one.code != "invalid")])
                context.ports.store.demand_sound(("versions", target.id))
                _demand_no_doubt(f"Version {number} of {job.name}", target.doubt)
                after = publish.activate(job, target, by=context.who, at=context.now())
                tx.jobs.put(after, seen=kept.rev)
                tx.audit.append(
                    "job.activate", f"job/{job.id}", name=job.name, team=job.team,
                    before=job.live_version, after=number,
                )  # fmt: skip
        return job, draft is not None and draft.value.based_on != number


def _demand_no_doubt(what: str, doubt: str) -> None:
    if doubt:
        raise PrerequisiteError(
            f"{what} {doubt}.", advice="Look at its text, and save what is right as a draft."
        )


def _note_problems(note: str) -> list[Problem]:
    if len(note) <= NOTE_LENGTH:
        return []
    return [Problem("note", f"has {len(note):,} characters; at most {NOTE_LENGTH:,} are kept")]


def _match(one: Version, world: World, search: str) -> dict[str, str] | None:
    """Return where the words stand: the field, and the line around the match."""
    wanted = search.casefold()
    source = one.spec["source"]
    places = {
        "number": str(one.number),
        "author": one.author,
        "note": one.note,
        "changed": " ".join(one.changed),
        "profile": world.name_of("profile", one.spec["profile"]),
        "text": source.get("text") or source.get("query_id") or source.get("uri") or "",
    }
    for place, text in places.items():
        at = text.casefold().find(wanted)
        if at >= 0:
            start = text.rfind("\n", 0, at) + 1
            end = text.find("\n", at)
            return {"in": place, "text": text[start : end if end >= 0 else None][:200]}
    return None
