"""A job as its file says it, and the job spec that a version freezes."""

import re
from datetime import timedelta
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field

from quarterdeck.model.base import (
    ConcurrentRuns,
    Duration,
    Env,
    Frozen,
    Name,
    Options,
    Parameters,
    PositiveDuration,
    Reference,
    Size,
    Text,
    Workers,
    kind_word,
    longest,
    whole,
)
from quarterdeck.model.failure import Reason
from quarterdeck.model.limits import (
    CRON_LENGTH,
    DESCRIPTION_LENGTH,
    RETRY_ATTEMPTS,
    RETRY_BACKOFF,
    TIMEOUT,
    TIMEZONE_LENGTH,
)
from quarterdeck.model.source import Source
from quarterdeck.model.text import nearest, shown

NEVER_RETRIED: Final = {
    Reason.USER_ERROR: "the same code fails again",
    Reason.CONFIG_ERROR: "the same settings fail again",
    Reason.TIMEOUT: "it had its time; raise the timeout",
    Reason.CANCELLED: "somebody asked for the end",
    Reason.START_FENCED: "its code may have started",
}
"""Reasons that no retry policy may list, and why."""

_COUNTED: Final = r"(?:=([1-9][0-9]{0,3})|\(([1-9][0-9]{0,3})\))"
_ZONES: Final = frozenset({"UTC", "GMT"})  # the ones without a region


def _zone(value: str) -> str:
    if value in _ZONES:
        return value
    if re.fullmatch(r"[A-Z][A-Z0-9]{1,7}", value):
        raise ValueError(
            f"{value} is an abbreviation, which may mean several zones; write Region/City"
        )
    if re.match(r"(?:UTC|GMT)?[+-]\d", value):
        raise ValueError(
            f"{shown(value)} is an offset, which knows no summer time; write Region/City"
        )
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):  # KeyError: not found
        near = nearest(value, sorted(available_timezones()), count=3)
        hint = (
            f"; did you mean {' or '.join(near)}?"
            if near
            else "; write Region/City: Europe/Berlin"
        )
        raise ValueError(f"{shown(value)} is no time zone{hint}") from None
    if "/" not in value or value.startswith(("posix/", "right/")):
        raise ValueError(f"{value} is no region's time zone; write Region/City: Europe/Berlin")
    return value


def _counted(words: str, word: str, example: str) -> AfterValidator:
    """Return the check of `words` (with a bar between) or `word=N`; `word(N)` is kept as `word=N`."""

    def check(value: str) -> str:
        if match := re.fullmatch(word + _COUNTED, value.strip()):
            return f"{word}={match[1] or match[2]}"
        if value not in words.split("|"):
            allowed = f"{', '.join(words.split('|'))} or {example}"
            raise ValueError(f"{shown(value)} is not allowed; use {allowed}")
        return value

    return AfterValidator(check)


def _reason(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"is {kind_word(value)}; name a failure reason, such as node_lost")  # noqa: TRY004
    if value not in set(Reason):
        near = nearest(value, [str(reason) for reason in Reason])
        hint = (
            f"; did you mean {near[0]}?" if near else "; known are node_lost, preempted, evicted …"
        )
        raise ValueError(f"{shown(value)} is no failure reason{hint}")
    if why := NEVER_RETRIED.get(Reason(value)):
        raise ValueError(f"{value} is never retried: {why}")
    return value


def _backoff(seconds: float) -> float:
    if seconds > RETRY_BACKOFF.total_seconds():
        raise ValueError(f"is too long; at most {RETRY_BACKOFF // timedelta(hours=1)}h")
    return seconds


class Schedule(Frozen):
    """When a job runs by itself. The rule is read by `schedule`; an empty one means by hand only."""

    cron: Annotated[Text, longest(CRON_LENGTH)]
    timezone: Annotated[Text, longest(TIMEZONE_LENGTH), AfterValidator(_zone)] = "UTC"
    concurrency: Annotated[Text, _counted("skip|replace", "allow", "allow=3")] = "skip"
    missed: Annotated[Text, _counted("skip|latest", "all", "all=3")] = "skip"


class Settings(Frozen):
    """Environment and engine options of the job, laid over the profile's."""

    env: Env = Field(default_factory=dict)
    sail: Options = Field(default_factory=dict)


class Limits(Frozen):
    """What a run of the job may take at most; none: the workspace's ceiling."""

    max_workers: Workers | None = None
    max_driver_memory: Size | None = None
    max_concurrent_runs: ConcurrentRuns | None = None


class Retry(Frozen):
    """How many attempts, the wait before the second (doubled each time), and after which failures."""

    attempts: Annotated[int, whole(1, RETRY_ATTEMPTS, 2)] = 1
    backoff: Annotated[Duration, AfterValidator(_backoff)] = 30.0
    on: list[Annotated[str, BeforeValidator(_reason)]] = Field(default_factory=list)


class Spec(Frozen):
    """What a version freezes. Durations are seconds, sizes bytes; references are names."""

    source: Source
    profile: Reference
    cluster: Reference
    catalogs: list[Reference] = Field(default_factory=list)
    parameters: Parameters = Field(default_factory=dict)
    settings: Settings = Field(default_factory=Settings)
    timeout: PositiveDuration = TIMEOUT.total_seconds()
    limits: Limits = Field(default_factory=Limits)
    retry: Retry = Field(default_factory=Retry)


class JobFile(Frozen):
    """A job: what takes effect immediately, and its spec, which is versioned."""

    name: Name
    team: Reference
    shared_teams: list[Reference] = Field(default_factory=list)
    description: Annotated[Text, longest(DESCRIPTION_LENGTH)] = ""
    type: Literal["sql", "python", "job"] | None = None
    schedule: Schedule | None = None
    spec: Spec
