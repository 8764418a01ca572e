"""From a failure to the text to be fixed: draft, saved query, or what the run took. The failure: `views`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quarterdeck.model.shown import Fix
from quarterdeck.service import remains

if TYPE_CHECKING:
    from quarterdeck.model.job import Job
    from quarterdeck.model.run import Run
    from quarterdeck.service.context import Context


def fix(context: Context, run: Run) -> Fix:
    """Return where what failed in the run can be edited now.

    The draft (or live, where there is none) if its line there is as it was; else the run's own text, read-only.
    A saved query in its own place; of a wheel, and of a file that lies elsewhere, only why not here.
    """
    place = run.place
    job = context.job_by_id(run.job)
    if place is None:
        return Fix("draft", run.job_name) if job is None else Fix("draft", job.name)
    frozen, _ = remains.frozen_spec(context, run.frozen_sha256)
    source: Mapping[str, Any] = (frozen or {}).get("source") or {}
    if source.get("kind") == "wheel":
        known = f"{source.get('package', '')} {source.get('version') or ''}".strip()
        return Fix("none", why=f"the code is in the wheel {known}: fix it there and build it anew")
    text = source.get("text")
    at = int(place["line"]), int(place.get("column") or 1)
    if not isinstance(text, str) or not _is_of(place, source):
        where = place.get("file") or source.get("uri") or "a file"
        return Fix("none", why=f"{where}, line {at[0]}, is not kept here: fix it where it lies")
    if source.get("kind") == "saved_query":
        return _query(context, str(source.get("query_id") or ""), text, at)
    if job is None:
        return Fix("text", run.job_name, *at, text, "the job was deleted")
    now = _edited(context, job)
    if now.get("kind") != source.get("kind") or "text" not in now:
        return Fix("text", job.name, *at, text, f"the draft's source is {_kind(now)} now")
    if _line(str(now["text"]), at[0]) != _line(text, at[0]):
        return Fix("text", job.name, *at, text, "the draft differs")
    return Fix("draft", job.name, *at)


def _is_of(place: Mapping[str, Any], source: Mapping[str, Any]) -> bool:
    """Whether the place is in the job's own text, and not in a file that it imports."""
    return place.get("what") != "file" or place.get("file") in (None, "", source.get("file"))


def _query(context: Context, known: str, text: str, at: tuple[int, int]) -> Fix:
    query = context.find_definition("query", known)
    if query is None:
        return Fix("text", known, *at, text, f"saved query {known} is gone")
    if _line(str(query.value.body["text"]), at[0]) != _line(text, at[0]):
        return Fix("text", known, *at, text, f"saved query {known} differs")
    return Fix("query", known, *at)


def _edited(context: Context, job: Job) -> Mapping[str, Any]:
    """Return the source of the draft, or of the live version that a draft would begin from."""
    draft = context.ports.store.drafts.find(job.id)
    kept = context.get_version(job, job.live_version) if draft is None else draft.value
    source: Mapping[str, Any] = kept.spec["source"]
    return source


def _kind(source: Mapping[str, Any]) -> str:
    return str(source.get("kind", "another")).replace("_", " ")


def _line(text: str, number: int) -> str | None:
    lines = text.splitlines()
    return lines[number - 1] if number <= len(lines) else None
