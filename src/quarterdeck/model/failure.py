"""Why a run ended badly: the reasons of the design, and the object and evidence of one failure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Failure reasons; `lifecycle.advice` has a row for each."""

    USER_ERROR = "user_error"
    CONFIG_ERROR = "config_error"
    DEPENDENCY_INSTALL = "dependency_install"
    ENGINE_START = "engine_start"
    ENGINE_LOST = "engine_lost"
    OOM_DRIVER = "oom_driver"
    OOM_WORKER = "oom_worker"
    EVICTED = "evicted"
    PREEMPTED = "preempted"
    NODE_LOST = "node_lost"
    IMAGE_PULL = "image_pull"
    CREATE_CONTAINER = "create_container"
    VOLUME = "volume"
    UNSCHEDULABLE = "unschedulable"
    QUOTA = "quota"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    DELETED_EXTERNALLY = "deleted_externally"
    START_FENCED = "start_fenced"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Failure:
    """A reason with what it is about (pod, statement 2 of 3, package) and what was seen.

    `headline`: the error itself in one line, where the runner knew it. `place`: where in the source text:
    {"what": "statement" or "file", "number", "of", "line", "column", "file", "text", "text_from"}; lines and
    columns count from 1 in the whole text, `text` is the line, or its part that begins at column `text_from`.
    """

    reason: Reason
    object: str = ""
    evidence: tuple[str, ...] = ()
    headline: str = ""
    place: Mapping[str, Any] | None = None
