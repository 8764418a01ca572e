"""Instants and lengths of time in words for people. `--json` and files have their own forms: `model`.

Instants are told in the zone of `now`: on screens and terminals the reader's.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from typing import Final

from quarterdeck.model.instants import parse_instant

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
_UTC: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
)


def age(at: str, now: datetime) -> str:
    """Return when the instant was: `just now`, `3 min ago`; from a day on `02:14 yesterday`, then its date.

    What happened cannot lie before us: of an instant that does it is said how far its clock is ahead of this one.
    """
    moment = parse_instant(at)
    seconds = (now - moment).total_seconds()
    away = abs(seconds)
    if away < 10:  # noqa: PLR2004  # a glance
        return "just now"
    if seconds >= DAY_S:
        return _date(moment.astimezone(now.tzinfo), now)
    if away < MINUTE_S:
        text = f"{away:.0f} s"
    elif away < HOUR_S:
        text = f"{away // MINUTE_S:.0f} min"
    else:
        text = f"{away // HOUR_S:.0f} h"
    return f"{text} ago" if seconds >= 0 else f"by a clock {text} ahead"


def _date(local: datetime, now: datetime) -> str:
    if local.date() == (now - timedelta(days=1)).date():
        return f"{local:%H:%M} yesterday"
    if local.year == now.year:
        return f"{local.day} {local:%b %H:%M}"
    return f"{local.day} {local:%b %Y}"


def moment(at: str, now: datetime) -> str:
    """Return the instant to the second in the zone of `now`: `2026-11-22 07:00:00`; in UTC it says so."""
    local = parse_instant(at).astimezone(now.tzinfo)
    return f"{local:%Y-%m-%d %H:%M:%S}" + (" UTC" if local.tzname() == "UTC" else "")


def clock(at: str, now: datetime) -> str:
    """Return the time of day to the second in the zone of `now`."""
    return f"{parse_instant(at).astimezone(now.tzinfo):%H:%M:%S}"


def localised(text: str, zone: tzinfo | None) -> str:
    """Return a sentence with each instant that stands in it in UTC told in this zone (None: the machine's)."""

    def told(found: re.Match[str]) -> str:
        local = parse_instant(found[0].replace(" UTC", "Z")).astimezone(zone)
        return f"{local:%Y-%m-%d %H:%M:%S}"

    return _UTC.sub(told, text)


def span(seconds: float) -> str:
    """Return a length of time in at most two units: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 10:  # noqa: PLR2004  # below, a tenth is worth telling
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller, part in (
        (DAY_S, "d", HOUR_S, "h"),
        (HOUR_S, "h", MINUTE_S, "min"),
        (MINUTE_S, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


def step(seconds: float) -> str:
    """Return how far a clock was set: `+3 h 00 m`, `-4 m 20 s`, `+7 s`."""
    whole = abs(round(seconds))
    sign = "+" if seconds > 0 else "-"
    if whole >= HOUR_S:
        return f"{sign}{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S:02} m"
    if whole >= MINUTE_S:
        return f"{sign}{whole // MINUTE_S} m {whole % MINUTE_S:02} s"
    return f"{sign}{whole} s"


def count(number: int, noun: str) -> str:
    """Return `1 run`, `3 runs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size(count_bytes: float) -> str:
    """Return bytes in the largest binary unit that leaves a whole part: `812 B`, `4.2 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count_bytes < 1024:  # noqa: PLR2004  # the step of binary units
            return f"{count_bytes:.1f}".removesuffix(".0") + f" {unit}"
        count_bytes /= 1024
    return f"{count_bytes:.1f} TiB"
