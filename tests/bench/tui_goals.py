"""A goal beside what was measured: one line of the report."""

from __future__ import annotations

from typing import Any


def goal(
    number: int, what: str, measured: float, limit: float, *, beside: float | None = None, unit: str = "ms",
    of: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Return a line: `measured` as such has to be at most `limit`, or its ratio to `beside`, which `of` names."""
    value = measured if beside is None else (measured / beside if beside else float("inf"))
    found: dict[str, Any] = {
        "goal": number,
        "what": what,
        "measured": round(measured, 2),
        "unit": unit,
    }
    if beside is not None:
        found |= {"beside": round(beside, 2), "of": of, "ratio": round(value, 3)}
    return found | {"limit": limit, "met": value <= limit}


def beside_nothing(number: int, what: str, program: str) -> dict[str, Any]:
    """Return a line for what has nothing to be held against on this machine; that is no failure."""
    return {"goal": number, "what": what, "not_installed": program}


def missed(number: int, what: str, why: str) -> dict[str, Any]:
    """Return a line for what could not be measured here."""
    return {"goal": number, "what": what, "not_measured": why}
