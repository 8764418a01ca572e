"""Whether a failed attempt is followed by another, by the job's policy, and the rule that decided."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from quarterdeck.model.failure import Reason

NEVER: Final = frozenset(
    {Reason.USER_ERROR, Reason.CONFIG_ERROR, Reason.CANCELLED, Reason.START_FENCED, Reason.TIMEOUT}
)
WAIT_MOST: Final = timedelta(hours=24)


def next_at(
    policy: Mapping[str, Any], reason: Reason, attempt: int, now: datetime
) -> tuple[datetime | None, str]:
    """Return when attempt `attempt` + 1 may start, or None, and the rule in words.

    `policy` is the spec's {"attempts", "backoff" in seconds, "on"}; the wait doubles with each attempt.
    """
    if reason in NEVER:
        return None, f"{reason} is never retried by itself"
    if reason not in policy["on"]:
        return None, f"the retry policy does not list {reason}"
    if attempt >= policy["attempts"]:
        return None, f"attempt {attempt} was the last of {policy['attempts']}"
    wait = min(WAIT_MOST, timedelta(seconds=policy["backoff"] * 2 ** (attempt - 1)))
    return now + wait, f"{reason} is retried, attempt {attempt + 1} of {policy['attempts']}"
