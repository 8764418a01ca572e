"""The workspace itself: its admins, ceilings and deadlines."""

from typing import Annotated

from pydantic import AfterValidator, Field

from quarterdeck.model import limits
from quarterdeck.model.base import (
    ConcurrentRuns,
    Frozen,
    Name,
    PositiveDuration,
    Size,
    Text,
    Workers,
)
from quarterdeck.model.text import control


def _folder(value: str) -> str:
    if not value.startswith("/") or ".." in value.split("/"):
        raise ValueError("must be an absolute folder without `..`: /srv/jobs")
    if found := control(value):
        raise ValueError(found)
    return value


class Ceilings(Frozen):
    """What no job or profile may exceed."""

    timeout: PositiveDuration = limits.TIMEOUT_CEILING.total_seconds()
    max_workers: Workers = limits.WORKERS_CEILING
    max_driver_memory: Size = limits.MEMORY_CEILING_BYTES
    max_concurrent_runs: ConcurrentRuns = limits.CONCURRENT_RUNS_CEILING


class WorkspaceFile(Frozen):
    """An organisation's settings; durations are seconds."""

    name: Name
    org_admins: list[Name] = Field(default_factory=list)
    ceilings: Ceilings = Field(default_factory=Ceilings)
    queue_deadline: PositiveDuration = limits.QUEUE_DEADLINE.total_seconds()
    start_deadline: PositiveDuration = limits.START_DEADLINE.total_seconds()
    evidence_kept: PositiveDuration = limits.EVIDENCE_KEPT.total_seconds()
    kept: PositiveDuration = limits.KEPT.total_seconds()
    file_roots: list[Annotated[Text, AfterValidator(_folder)]] = Field(default_factory=list)
