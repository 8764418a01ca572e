"""A draft between the store and who edits it: what is read of it, what a save answers, what acts are bound to.

As it is stored: `job.Draft`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quarterdeck.model.errors import Problem
from quarterdeck.model.ids import JobId
from quarterdeck.model.job import Mark


@dataclass(frozen=True, slots=True)
class Seen:
    """A draft as somebody saw it, or the live version that one would begin from: what a save is bound to.

    `spec` and `aside` are SHA-256 of the spec as stored and of the text kept beside it ("" for none).
    """

    spec: str
    based_on: int
    aside: str = ""

    @property
    def key(self) -> str:
        """What it is compared by: see `shown.DraftShown`."""
        return self.spec + self.aside


@dataclass(frozen=True, slots=True)
class Bound:
    """What a publish is bound to: the draft that was shown, its base, and the live version that it replaces."""

    seen: Seen
    live_version: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A draft with all that is needed to edit it; where there is none, the live version that it would begin from.

    Specs are in file form: `spec` the draft's, `live` the live version's, `base` that of the version `based_on`.
    `rev` is the job's, `number` the version that a publish would make. `live_by` made the live version live.
    `author` and `at` are None without a draft. `queries`: text by id; `choices`: names by kind. `session` is a
    new id for whoever begins to edit now.
    """

    job: str
    id: JobId
    rev: int
    number: int
    live_version: int
    live_by: str
    live_at: str
    based_on: int
    is_draft: bool
    author: str | None
    at: str | None
    seen: Seen
    mark: Mark
    session: str
    spec: Mapping[str, Any]
    aside: str
    live: Mapping[str, Any]
    base: Mapping[str, Any]
    profile: str
    queries: Mapping[str, str]
    choices: Mapping[str, Sequence[str]]
    problems: Sequence[Problem]
    warnings: Sequence[Problem]

    @property
    def bound(self) -> Bound:
        """What a publish of this is bound to."""
        return Bound(self.seen, self.live_version)


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save answers: never a text, for who typed on knows a newer one.

    `at`: when the draft was saved last, None without one. `unread`: paths of fields that could not be read; the
    draft has their last value, and `problems` says why.
    """

    rev: int
    number: int
    based_on: int
    is_draft: bool
    at: str | None
    seen: Seen
    profile: str
    problems: Sequence[Problem]
    warnings: Sequence[Problem]
    unread: Sequence[str] = ()
