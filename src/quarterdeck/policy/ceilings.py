"""What a spec or profile asks for held against the workspace's ceilings. What a field may hold: `model`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from quarterdeck.model.errors import Problem
from quarterdeck.model.units import format_duration, format_size, parse_duration, parse_size

WHERE = "set in the workspace (quarterdeck workspace edit)"


def problems(
    spec: Mapping[str, Any], ceilings: Mapping[str, Any], prefix: str = "spec."
) -> list[Problem]:
    """Return what of a spec is over a ceiling; durations and sizes may be stored numbers or as written.

    What cannot be read is passed over: `model.problems` has told it.
    """
    found = _over(spec, "timeout", ceilings["timeout"], f"{prefix}timeout")
    for key in ("max_workers", "max_driver_memory", "max_concurrent_runs"):
        found += _over(spec.get("limits"), key, ceilings[key], f"{prefix}limits.{key}")
    return found


def profile_problems(
    profile: Mapping[str, Any], ceilings: Mapping[str, Any], prefix: str = ""
) -> list[Problem]:
    """Return what of a profile is over a ceiling, as `problems` does for a spec."""
    memory, workers = ceilings["max_driver_memory"], ceilings["max_workers"]
    return [
        *_over(profile.get("driver"), "memory", memory, f"{prefix}driver.memory"),
        *_over(profile.get("worker"), "max_nodes", workers, f"{prefix}worker.max_nodes"),
    ]


def _over(block: object, key: str, ceiling: float, path: str) -> list[Problem]:
    read, words = _UNITS.get(key, (float, "{:,.0f}".format))
    given = block.get(key) if isinstance(block, Mapping) else None
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return []
    try:
        value = read(given) if isinstance(given, str) and key in _UNITS else float(given)
    except (ValueError, OverflowError):
        return []
    if not value > ceiling:
        return []
    return [Problem(path, f"{words(value)} is over the ceiling of {words(ceiling)}, {WHERE}")]


def _seconds(text: str) -> float:
    return parse_duration(text).total_seconds()


def _length(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds))


def _bytes(size: float) -> str:
    return format_size(int(size))


_UNITS: dict[str, tuple[Callable[[str], float], Callable[[float], str]]] = {
    "timeout": (_seconds, _length),
    "max_driver_memory": (parse_size, _bytes),
    "memory": (parse_size, _bytes),
}
