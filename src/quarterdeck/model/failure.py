"""Why a run ended badly: the reasons of the design, and the object and evidence of one failure."""

from dataclasses import dataclass
from enum import StrEnum


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
    """A reason with what it is about (pod, statement 2 of 3, package) and what was seen."""

    reason: Reason
    object: str = ""
    evidence: tuple[str, ...] = ()
