"""What the draft editor asks: the draft with what is needed to edit it, and saving what is typed, right or wrong.

A file given to `job edit` goes through `jobs`, which refuses what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import InvalidInputError, Problem
from quarterdeck.model.instants import format_instant
from quarterdeck.service import references
from quarterdeck.service.context import Context, expect
from quarterdeck.service.drafts import drop
from quarterdeck.service.jobs import Jobs, save_draft
from quarterdeck.service.references import World
from quarterdeck.versions import diff

if TYPE_CHECKING:
    from quarterdeck.model.job import Job
    from quarterdeck.ports.store import Kept

STANDS_IN = {"snapshot": "SELECT 1", "py_file": "pass"}
"""A right text of each kind, with which the rest of a spec is read while the text is wrong."""


class Drafting:
    """Use cases of the editor."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs

    def open(self, name: str) -> dict[str, Any]:
        """Return spec, live spec, base (file form), revision, who saved it last, names to choose from, problems.

        `live_by` made the live version live. NotAllowedError for who may not edit it. `rev` is to be given to
        `save` and `publish`.
        """
        context, actor = self._context, self._context.actor()
        kept = context.get_job(actor, name)
        context.demand(actor, "edit", f"job {kept.value.name}", kept.value)
        return self._shown(kept)

    def _shown(self, kept: Kept[Job]) -> dict[str, Any]:
        context, job, world = self._context, kept.value, World(self._context)
        draft = context.ports.store.drafts.find(job.id)
        live = context.get_version(job, job.live_version)
        spec = draft.value.spec if draft else live.spec
        based_on = draft.value.based_on if draft else job.live_version
        base = live if based_on == job.live_version else context.get_version(job, based_on)
        last = job.activations[-1]
        queries = {one.id: str(one.body["text"]) for one in world.all("query")}
        profile = world.by_id("profile", spec["profile"])
        return {
            "job": job.name,
            "id": job.id,
            "number": job.next_number,
            "live_version": job.live_version,
            "live_by": last.actor,
            "live_at": format_instant(last.at),
            "based_on": based_on,
            "is_draft": draft is not None,
            "aside": draft.value.aside if draft else "",
            "author": draft.value.author if draft else None,
            "at": format_instant(draft.value.at) if draft else None,
            "rev": kept.rev,
            "spec": self._written(world, spec),
            "live": self._written(world, live.spec),
            "base": self._written(world, base.spec),
            "changed": list(diff.paths(live.spec, spec)),
            "profile": f"{profile.name} rev {profile.revision}" if profile else "",
            "queries": queries,
            "choices": {
                **{
                    kind: [one.name for one in world.all(kind)]
                    for kind in ("profile", "cluster", "catalog")
                },
                "query": list(queries),
            },
            **self._problems(world, job, spec),
        }

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

    def _problems(self, world: World, job: Job, spec: Mapping[str, Any]) -> dict[str, Any]:
        document = {**self._jobs.document(job.name), "spec": self._written(world, spec)}
        _, found, warnings = self._jobs.check_job(document, world, this=job)
        return {
            "problems": [one for one in found if one.path.startswith("spec")],
            "warnings": [one for one in warnings if one.path.startswith("spec")],
        }

    def save(
        self, name: str, spec: Mapping[str, Any], *, expect_rev: int, based_on: int | None = None,
        aside: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Keep the spec, in file form, as the draft, and return what `open` would.

        A text that is wrong is kept as it is. A field that cannot be read keeps its last value and is among the
        problems. StaleError, with who and when, if the job is not at `expect_rev` any more. `based_on` gives the
        draft another base; somebody else's draft, which it then replaces, is dropped as by `drafts.discard`.
        `aside` is a text of the other language, kept with the draft until it is published; None: as it was.
        """
        context, actor = self._context, self._context.actor()
        kept = context.get_job(actor, name)
        job = kept.value
        context.demand(actor, "edit", f"job {job.name}", job)
        world = World(context)
        with context.transaction(f"saving the draft of {job.name}") as tx:
            kept = context.get_job(actor, job.id)
            job = kept.value
            draft = tx.drafts.find(job.id)
            expect(f"the draft of {job.name}", kept, expect_rev)
            live = context.get_version(job, job.live_version)
            before = draft.value.spec if draft else live.spec
            after, unread = self._read(world, job, spec, before)
            base = draft.value.based_on if draft else job.live_version
            if diff.paths(before, after) or based_on not in (None, base):
                if draft and based_on is not None and draft.value.author != context.who:
                    kept = kept._replace(value=drop(context, tx, job, draft.value))
                save_draft(context, tx, kept, draft, after, based_on=based_on, aside=aside)
        shown = self._shown(context.get_job(actor, job.id))
        known = {one.path for one in shown["problems"]}
        shown["problems"] += [one for one in unread if one.path not in known]
        return shown

    def _read(
        self, world: World, job: Job, spec: Mapping[str, Any], before: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], list[Problem]]:
        """Return the spec in stored form, and what could not be read of it."""
        from quarterdeck.model import problems as checks

        source = dict(spec.get("source") or {})
        text = source.get("text")
        if isinstance(text, str):
            if "\0" in text:
                raise InvalidInputError([Problem("spec.source.text", "holds a NUL character")])
            source["text"] = STANDS_IN.get(str(source.get("kind")), text)
        document = {**self._jobs.document(job.name), "spec": {**spec, "source": source}}
        parsed = checks.parse("job", document)
        if parsed.value is None:
            found = [one for one in parsed.problems if one.path.startswith("spec")]
            return self._with_text(before, source, text), found
        missing = references.problems(world, parsed.value["spec"])
        if missing:
            return self._with_text(before, source, text), missing
        stored = references.to_ids(world, parsed.value["spec"])
        if isinstance(text, str):
            stored = {**stored, "source": {**stored["source"], "text": text}}
        return stored, []

    @staticmethod
    def _with_text(
        before: Mapping[str, Any], source: Mapping[str, Any], text: object
    ) -> Mapping[str, Any]:
        """Return the spec as it was, with the text that was typed if it has a place there."""
        old = before["source"]
        if not isinstance(text, str) or old["kind"] != source.get("kind") or "text" not in old:
            return before
        return {**before, "source": {**old, "text": text}}

    def diff(self, name: str) -> list[dict[str, Any]]:
        """Return what publishing would change of the version that is live now."""
        shown = self.open(name)
        return self.compared(shown["live"], shown["spec"])

    def compared(self, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what differs between two specs in file form; nothing is read."""
        from quarterdeck.model.codec import to_document

        return [to_document(one) for one in diff.differences(a, b)]
