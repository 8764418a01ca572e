"""Jobs, versions, drafts and definitions as the store keeps them: specs are plain data with ids inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from quarterdeck.model.ids import DefinitionId, JobId, TeamId


@dataclass(frozen=True, slots=True)
class Activation:
    """A line of the history: who put which version in place of which, and when."""

    actor: str
    at: datetime
    previous: int | None
    number: int


@dataclass(frozen=True, slots=True)
class DroppedDraft:
    """A draft that was discarded or reset, or gave way to another; its texts are kept as frozen specs are.

    `number` names it within its job for good (0: it was dropped before drafts were numbered).
    `aside_sha256` is the text of the other language that was kept with it; empty for none, as in older lines.
    """

    spec_sha256: str
    based_on: int
    author: str
    at: datetime
    dropped_by: str
    dropped_at: datetime
    number: int = 0
    aside_sha256: str = ""

    @property
    def key(self) -> str:
        """What it is compared by: see `shown.DraftShown`."""
        return self.spec_sha256 + self.aside_sha256


@dataclass(frozen=True, slots=True)
class Job:
    """A job without its specs. `name_key` is the name folded for look-alikes; `next_number` the next version's.

    `drops` is the number of the draft that was dropped last; none is given twice.
    """

    id: JobId
    name: str
    name_key: str
    team: TeamId
    type: str  # sql | python
    live_version: int
    next_number: int
    created_by: str
    created_at: datetime
    shared_teams: tuple[TeamId, ...] = ()
    description: str = ""
    schedule: Mapping[str, Any] | None = None
    paused: bool = False
    activations: tuple[Activation, ...] = ()
    drift: Mapping[str, Any] | None = None
    dropped: tuple[DroppedDraft, ...] = ()
    drops: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable job spec. `id` is `JOB/000007`; `seen` is what it referred to when published.

    `doubt` is why it may not be what was published: a repair kept it though it was changed. It is not run.
    """

    id: str
    job: JobId
    number: int
    spec: Mapping[str, Any]
    author: str
    at: datetime
    note: str = ""
    based_on: int | None = None
    changed: tuple[str, ...] = ()
    seen: Mapping[str, Any] = field(default_factory=dict)
    doubt: str = ""


def version_id(job: JobId, number: int) -> str:
    """Return the document id of a version; ids sort by number."""
    return f"{job}/{number:09d}"


@dataclass(frozen=True, slots=True)
class Mark:
    """Which session of the editor saved a draft, and how many of its edits that holds; "" for any other save.

    It tells a save whose answer was lost from somebody else's.
    """

    session: str = ""
    edits: int = 0


NO_MARK: Final = Mark()


@dataclass(frozen=True, slots=True)
class Draft:
    """The one draft of a job (`id` is the job's); never fires on schedule.

    `aside` is a text of the other language, dropped with the draft when that is published; `doubt` as a version's,
    until it is saved again.
    `mark` came on 2026-11-30; older drafts have none.
    """

    id: JobId
    spec: Mapping[str, Any]
    based_on: int
    author: str
    at: datetime
    aside: str = ""
    doubt: str = ""
    mark: Mark = NO_MARK


@dataclass(frozen=True, slots=True)
class Definition:
    """A profile, query, cluster, catalog or team: one shape for all kinds.

    `body` is the file's content without type and name, references as ids. `revision` counts edits.
    `status` and `checks` are a cluster's. A query's `id` is the one its author chose. `doubt` is as a version's,
    until it is edited.
    """

    id: DefinitionId
    kind: str
    name: str
    name_key: str
    team: TeamId | None
    revision: int
    body: Mapping[str, Any]
    author: str
    at: datetime
    status: str = ""
    checked_at: datetime | None = None
    checks: tuple[Mapping[str, Any], ...] = ()
    deleted: bool = False
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a definition. `id` is `DEFINITION/000003`."""

    id: str
    definition: DefinitionId
    kind: str
    number: int
    name: str
    body: Mapping[str, Any]
    author: str
    at: datetime


def revision_id(definition: DefinitionId, number: int) -> str:
    """Return the document id of a revision; ids sort by number."""
    return f"{definition}/{number:09d}"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The one document of its kind: name, org admins, ceilings (seconds and bytes) and deadlines."""

    id: str
    name: str
    org_admins: tuple[str, ...]
    created_at: datetime
    ceilings: Mapping[str, Any]
    queue_deadline_s: float
    start_deadline_s: float
    evidence_kept_s: float
    kept_s: float
    file_roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One act of one actor; `hash` covers the record and `previous`, the hash of the one before."""

    id: str
    seq: int
    actor: str
    action: str
    subject: str  # kind/id
    subject_name: str
    at: datetime
    team: TeamId | None
    before: str | None
    after: str | None
    previous: str
    hash: str
    outcome: str = "done"  # done | refused
    times: int = 1
    lost: tuple[
        str, ...
    ] = ()  # of a repair: what of the store could not be kept, as table/id or file
