"""What somebody is shown before an act, as values: the act is given them back and compares them. Pure.

They are tuples, which cost a start nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from quarterdeck.model.codec import to_document
from quarterdeck.model.instants import format_instant

if TYPE_CHECKING:
    from quarterdeck.model.job import Draft

NO_DRAFT: Final = ""
"""In the place of a draft's hash, or its key: there was none."""


class DraftShown(NamedTuple):
    """A draft as it was shown: the hashes of its spec and of the text beside it, its base, who saved it when."""

    sha256: str
    aside_sha256: str
    based_on: int
    author: str
    at: datetime

    @property
    def key(self) -> str:
        """What is another for each other draft: of the spec, or of the text beside it."""
        return self.sha256 + self.aside_sha256


def canonical(content: Any) -> tuple[str, str]:
    """Return a spec, or another piece of JSON, as one text, and that text's SHA-256."""
    import hashlib  # a list of jobs needs none

    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return text, hashlib.sha256(text.encode()).hexdigest()


def of_draft(draft: Draft | None) -> DraftShown | None:
    """Return what is shown of a draft."""
    if draft is None:
        return None
    aside = aside_sha256_of(draft.aside)
    return DraftShown(canonical(draft.spec)[1], aside, draft.based_on, draft.author, draft.at)


def aside_sha256_of(aside: str) -> str:
    """Return the hash of a text beside a draft; empty for none."""
    return canonical(aside)[1] if aside else ""


def key_of(draft: Draft | None) -> str:
    """Return `DraftShown.key` of a draft; NO_DRAFT for none."""
    shown = of_draft(draft)
    return NO_DRAFT if shown is None else shown.key


def sha256_of(draft: Draft | None) -> str:
    """Return the hash of a draft's spec; NO_DRAFT for none."""
    return NO_DRAFT if draft is None else canonical(draft.spec)[1]


class Shelf(NamedTuple):
    """The dropped drafts of a job, newest first, and the draft that is `there`, which one would replace."""

    id: str
    job: str
    there: DraftShown | None
    dropped: tuple[Mapping[str, Any], ...]


class Activating(NamedTuple):
    """What making version `to` live in the place of `live` changes, by field, and what it leaves."""

    id: str
    job: str
    live: int
    to: int
    goes_back: tuple[Mapping[str, Any], ...]
    stays: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return it as `job activate --dry-run` prints it."""
        return {
            "job": self.job, "from": self.live, "to": self.to,
            "goes_back": list(self.goes_back), "stays": list(self.stays),
        }  # fmt: skip


class Runnable(NamedTuple):
    """What can be run of a job, as a dialog shows it; `parameters` are those of the spec that was asked about."""

    id: str
    job: str
    live: int
    draft: DraftShown | None
    draft_version: int | None
    parameters: Mapping[str, Any]


class RunShown(NamedTuple):
    """What a run rests on: which version was shown as live, or the hash of the draft, and the declared parameters.

    None: it was not shown.
    """

    live: int | None = None
    draft: str | None = None
    parameters: Mapping[str, Any] | None = None


class Fix(NamedTuple):
    """Where what failed can be edited: `kind` is "draft", "query", "text" (read-only, the run's own) or "none".

    `name` is the job's or the query's; line and column count from 1, line 0 is no place; `why` it is read-only or
    nowhere.
    """

    kind: str
    name: str = ""
    line: int = 0
    column: int = 1
    text: str = ""
    why: str = ""


class Done(NamedTuple):
    """A statement that a run had completed; `head` is its first line, empty where its text is not known."""

    number: int
    head: str


class Made(NamedTuple):
    """A run that was made of another one: by a retry, or as an exact re-run."""

    id: str
    trigger: str
    state: str
    actor: str
    at: datetime
    has_ended: bool


class Again(NamedTuple):
    """A run that has ended, and what running it again rests on.

    `live` is the job's live version; `done` ran to their end and will run again; `made` is what was made of it
    already.
    """

    id: str
    job_id: str
    job: str
    state: str
    version: int | None
    draft: bool
    live: int | None
    done: tuple[Done, ...]
    made: tuple[Made, ...]


class Cascade(NamedTuple):
    """What goes with a job, and what keeps it: `active` runs. `runs` stay readable.

    `newest` is the highest version; `dropped` are the keys of dropped drafts.
    """

    id: str
    job: str
    team: str
    shared_teams: tuple[str, ...]
    schedule: Mapping[str, Any] | None
    versions: int
    newest: int
    draft: DraftShown | None
    dropped: tuple[str, ...]
    runs: int
    active: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return it as `job delete --dry-run` prints it."""
        return {
            "job": self.job, "team": self.team, "shared_teams": list(self.shared_teams),
            "schedule": to_document(self.schedule), "versions": self.versions,
            "draft": self.draft is not None, "dropped_drafts": len(self.dropped), "runs": self.runs,
            "active": list(self.active),
        }  # fmt: skip

    def new_since(self, shown: Cascade) -> list[str]:
        """Return what would go and was not shown, in words."""
        found = []
        if self.job != shown.job:
            found.append(f"it is called {self.job} now")
        teams = {self.team, *self.shared_teams} - {shown.team, *shown.shared_teams}
        if teams:
            found.append(f"it is owned by or shared with {', '.join(sorted(teams))} now")
        if self.schedule and self.schedule != shown.schedule:
            found.append(f"it has the schedule {self.schedule.get('cron')} now")
        if self.newest > shown.newest:
            found.append(f"version {self.newest} was published")
        texts = {shown.draft.key if shown.draft else "", *shown.dropped}
        if self.draft is not None and self.draft.key not in texts:
            found.append(f"{self.draft.author} saved a draft at {format_instant(self.draft.at)}")
        here = {self.draft.key} if self.draft else set()
        if set(self.dropped) - texts - here:
            found.append("another draft was dropped, which can be brought back")
        active = [one for one in self.active if one not in shown.active]
        if active:
            found.append(f"{', '.join(active)} became active")
        return found


class Deletion(NamedTuple):
    """A definition that is to be deleted, at its revision; `used_by` and `hidden` (a number) keep it."""

    kind: str
    id: str
    name: str
    revision: int
    used_by: tuple[str, ...]
    hidden: int
