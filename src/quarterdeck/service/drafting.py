"""What the draft editor asks: the draft with what is needed to edit it, and saving what is typed, right or wrong.

A file given to `job edit` goes through `jobs`, which refuses what is wrong. Values: `model.draft`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quarterdeck.model.draft import Opened, Saved, Seen
from quarterdeck.model.errors import InvalidInputError, Problem
from quarterdeck.model.instants import format_instant
from quarterdeck.model.job import NO_MARK, Mark
from quarterdeck.service import references
from quarterdeck.service.context import Context
from quarterdeck.service.jobs import Jobs
from quarterdeck.service.references import World
from quarterdeck.service.replacing import drop, save_draft, stale_draft
from quarterdeck.versions import diff, drafts

if TYPE_CHECKING:
    from quarterdeck.model.job import Draft, Job
    from quarterdeck.ports.store import Kept

STANDS_IN = {"snapshot": "SELECT 1", "py_file": "pass"}
"""A right text of each kind, with which the rest of a spec is read while the text is wrong."""


class Drafting:
    """Use cases of the editor."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs

    def open(self, name: str, *, unless_rev: int | None = None) -> Opened | None:
        """Return the draft, or the live version that it would begin from, with what is needed to edit it.

        None if the job is at revision `unless_rev` still: nothing of it or its draft was written then.
        NotAllowedError for who may not edit it. `name` may be the job's id.
        """
        context, actor = self._context, self._context.actor()
        while True:
            kept = context.get_job(actor, name)
            context.demand(actor, "edit", f"job {kept.value.name}", kept.value)
            if kept.rev == unless_rev:
                return None
            draft = context.ports.store.drafts.find(kept.value.id)
            if context.get_job(actor, kept.value.id).rev == kept.rev:  # both are of one moment
                return self._opened(kept, draft)

    def _opened(self, kept: Kept[Job], draft: Kept[Draft] | None) -> Opened:
        context, job, world = self._context, kept.value, World(self._context)
        live = context.get_version(job, job.live_version)
        spec = draft.value.spec if draft else live.spec
        based_on = draft.value.based_on if draft else job.live_version
        aside = draft.value.aside if draft else ""
        base = live if based_on == job.live_version else context.get_version(job, based_on)
        last = job.activations[-1]
        queries = {str(one.id): str(one.body["text"]) for one in world.all("query")}
        names = {
            kind: [one.name for one in world.all(kind)]
            for kind in ("profile", "cluster", "catalog")
        }
        problems, warnings = self._problems(world, job, spec)
        return Opened(
            job=job.name, id=job.id, rev=kept.rev, number=job.next_number,
            live_version=job.live_version, live_by=last.actor, live_at=format_instant(last.at),
            based_on=based_on, is_draft=draft is not None,
            author=draft.value.author if draft else None,
            at=format_instant(draft.value.at) if draft else None,
            seen=drafts.seen(spec, based_on, aside), mark=draft.value.mark if draft else NO_MARK,
            session=context.ports.new_id("e"), spec=self._written(world, spec), aside=aside,
            live=self._written(world, live.spec), base=self._written(world, base.spec),
            profile=self._profile(world, spec), queries=queries,
            choices={**names, "query": list(queries)}, problems=problems, warnings=warnings,
        )  # fmt: skip

    @staticmethod
    def _profile(world: World, spec: Mapping[str, Any]) -> str:
        found = world.by_id("profile", spec["profile"])
        return f"{found.name} rev {found.revision}" if found else ""

    def _written(self, world: World, spec: Mapping[str, Any]) -> dict[str, Any]:
        from quarterdeck.model import problems as checks

        whole: dict[str, Any] = {
            "name": "x",
            "team": "x",
            "shared_teams": [],
            "description": "",
            "schedule": None,
        }
        named = references.to_names(world, spec)
        written: dict[str, Any] = checks.dump("job", {**whole, "spec": named})["spec"]
        return written

    def _problems(
        self, world: World, job: Job, spec: Mapping[str, Any]
    ) -> tuple[list[Problem], list[Problem]]:
        """Return problems and warnings of the spec."""
        document = {**self._jobs.document(job.id), "spec": self._written(world, spec)}
        _, found, warnings = self._jobs.check_job(document, world, this=job)
        return (
            [one for one in found if one.path.startswith("spec")],
            [one for one in warnings if one.path.startswith("spec")],
        )

    def save(
        self, name: str, spec: Mapping[str, Any], *, seen: Seen, based_on: int | None = None,
        aside: str | None = None, mark: Mark = NO_MARK,
    ) -> Saved:  # fmt: skip
        """Keep the spec, in file form, as the draft.

        A text that is wrong is kept as it is. A field that cannot be read keeps its last value and is among the
        problems. StaleError, with who and when, unless the draft (without one: the live version) is the one that
        was `seen`; what else is edited of the job refuses nothing. `based_on` answers a conflict: it gives the
        draft that base, and the one that it replaces is dropped as by `drafts.discard`. `aside` is a text of the
        other language, kept with the draft; None: as it was. `name` may be the job's id.
        """
        context, actor = self._context, self._context.actor()
        job = context.get_job(actor, name).value
        context.demand(actor, "edit", f"job {job.name}", job)
        world = World(context)
        with context.transaction(f"saving the draft of {job.name}") as tx:
            kept = context.get_job(actor, job.id)
            job = kept.value
            draft = tx.drafts.find(job.id)
            live = context.get_version(job, job.live_version)
            before = draft.value.spec if draft else live.spec
            beside = draft.value.aside if draft else ""
            base = draft.value.based_on if draft else job.live_version
            if drafts.seen(before, base, beside) != seen:
                raise stale_draft(kept, draft)
            after, unread = self._read(world, job, spec, before)
            aside = beside if aside is None else aside
            is_new = bool(diff.paths(before, after)) or aside != beside
            if is_new or based_on not in (None, base):
                if draft and based_on is not None:
                    kept = kept._replace(value=drop(context, tx, job, draft.value))
                base = base if based_on is None else based_on
                draft = save_draft(
                    context, tx, kept, draft, after, based_on=base, aside=aside, mark=mark
                )
            rev = context.get_job(actor, job.id).rev
        problems, warnings = self._problems(world, job, after)
        known = {one.path for one in problems}
        return Saved(
            rev=rev, number=job.next_number, based_on=base, is_draft=draft is not None,
            at=format_instant(draft.value.at) if draft else None,
            seen=drafts.seen(after, base, aside), profile=self._profile(world, after),
            problems=[*problems, *(one for one in unread if one.path not in known)],
            warnings=warnings, unread=[one.path for one in unread],
        )  # fmt: skip

    def _read(
        self, world: World, job: Job, spec: Mapping[str, Any], before: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], list[Problem]]:
        """Return the spec in stored form, and what could not be read of it: such a field is as it was."""
        stored, unread = self._stored(world, job, spec)
        if stored is None:
            written = self._written(world, before)
            stored, _ = self._stored(world, job, _with_last_values(spec, written, unread))
        if stored is None:
            stored = {**before, "source": _last_source(spec, before)}
        return stored, unread

    def _stored(
        self, world: World, job: Job, spec: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any] | None, list[Problem]]:
        """Return the spec in stored form, whatever its text is; None, and why, if a field cannot be read."""
        from quarterdeck.model import problems as checks

        source = dict(spec.get("source") or {})
        text = source.get("text")
        if isinstance(text, str):
            if "\0" in text:
                raise InvalidInputError([Problem("spec.source.text", "holds a NUL character")])
            source["text"] = STANDS_IN.get(str(source.get("kind")), text)
        document = {**self._jobs.document(job.id), "spec": {**spec, "source": source}}
        parsed = checks.parse("job", document)
        if parsed.value is None:
            return None, [one for one in parsed.problems if one.path.startswith("spec")]
        missing = references.problems(world, parsed.value["spec"])
        if missing:
            return None, missing
        stored = references.to_ids(world, parsed.value["spec"])
        if isinstance(text, str):
            stored = {**stored, "source": {**stored["source"], "text": text}}
        return stored, []

    def compared(self, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what differs between two specs in file form; nothing is read."""
        from quarterdeck.model.codec import to_document

        return [to_document(one) for one in diff.differences(a, b)]


def _with_last_values(
    spec: Mapping[str, Any], before: Mapping[str, Any], unread: list[Problem]
) -> dict[str, Any]:
    """Return the spec with the last values of the fields that could not be read, all in file form."""
    made = dict(spec)
    for one in unread:
        field = one.path.removeprefix("spec.").partition(".")[0].partition("[")[0]
        if field == "source":
            made[field] = _last_source(spec, before)
        elif field in before:
            made[field] = before[field]
        else:
            made.pop(field, None)
    return made


def _last_source(spec: Mapping[str, Any], before: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the source as it was, with the text that was typed if it has a place there."""
    source, old = spec.get("source") or {}, before["source"]
    text = source.get("text")
    if not isinstance(text, str) or old["kind"] != source.get("kind") or "text" not in old:
        last: Mapping[str, Any] = old
        return last
    return {**old, "text": text}
