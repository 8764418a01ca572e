"""Aware UTC instants and their one written form, RFC 3339 with microseconds and a Z."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def format_instant(at: datetime) -> str:
    """Return `at` as `2026-11-22T06:00:00.000000Z`; the fixed width makes text order time order."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_instant(text: str) -> datetime:
    """Return the instant written by `format_instant`, or any ISO 8601 text that has a zone."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return at.astimezone(UTC)


def from_epoch_ms(epoch_ms: float) -> datetime:
    """Return the instant `epoch_ms` milliseconds after 1970."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)


def seconds_between(start: datetime, end: datetime) -> float:
    """Return the seconds from `start` to `end`; never negative, whatever the clock did."""
    return max(0.0, (end - start) / timedelta(seconds=1))
