"""Draft to version to live: what publish, activate and first save change on a job. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from quarterdeck.model.errors import InvalidInputError, Problem
from quarterdeck.model.ids import JobId
from quarterdeck.model.job import Activation, Draft, Job, Version, version_id
from quarterdeck.versions import diff

PYTHON_KINDS = ("wheel", "py_file")


def job_type(spec: Mapping[str, Any]) -> str:
    """Return `sql` or `python`, as the source's kind says."""
    return "python" if spec["source"]["kind"] in PYTHON_KINDS else "sql"


def first_version(
    job: JobId, spec: Mapping[str, Any], *, author: str, at: datetime, seen: Mapping[str, Any]
) -> Version:
    """Return version 1 of a new job."""
    return Version(
        version_id(job, 1),
        job,
        1,
        spec,
        author,
        at,
        note="first version",
        based_on=None,
        seen=seen,
    )


def publish(
    job: Job, live: Version, draft: Draft, *, author: str, at: datetime, note: str,
    seen: Mapping[str, Any],
) -> tuple[Job, Version]:  # fmt: skip
    """Return the job with the draft as its new live version, and that version."""
    changed = diff.paths(live.spec, draft.spec)
    if not changed and not live.doubt:
        raise InvalidInputError(
            [Problem("", f"nothing to publish: the draft of {job.name} equals live")]
        )
    number = job.next_number
    version = Version(
        version_id(job.id, number), job.id, number, draft.spec, author, at, note, draft.based_on,
        changed, seen,
    )  # fmt: skip
    activation = Activation(author, at, job.live_version, number)
    published = replace(
        job,
        live_version=number,
        next_number=number + 1,
        type=job_type(draft.spec),
        activations=(*job.activations, activation),
    )
    return published, version


def activate(job: Job, version: Version, *, by: str, at: datetime) -> Job:
    """Return the job with `version` live; history and draft stay as they are."""
    activation = Activation(by, at, job.live_version, version.number)
    return replace(
        job,
        live_version=version.number,
        type=job_type(version.spec),
        activations=(*job.activations, activation),
    )


def stays(job: Job, version: Version) -> list[str]:
    """Return what activating `version` leaves as it is, in words."""
    return [
        "schedule and pause state",
        "owning and shared teams",
        "name and description",
        "the compute profile's revision",
        "saved query text" if version.spec["source"]["kind"] == "saved_query" else "files outside",
        "data already written",
        "runs already dispatched or queued",
    ]
