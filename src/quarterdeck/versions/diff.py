"""What differs between two specs, by dotted path, in the order of the form."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One path with both values; None where there is none. `lines` is a unified diff of a text."""

    path: str
    a: Any
    b: Any
    lines: tuple[str, ...] = ()


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Return every leaf that differs; lists are leaves."""
    found = []
    for path, left, right in _leaves(a, b, ""):
        lines: tuple[str, ...] = ()
        if isinstance(left, str) and isinstance(right, str) and "\n" in left + right:
            lines = tuple(
                difflib.unified_diff(left.split("\n"), right.split("\n"), "a", "b", lineterm="")
            )
        found.append(Difference(path, left, right, lines))
    return found


def paths(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[str, ...]:
    """Return only the paths that differ."""
    return tuple(path for path, _, _ in _leaves(a, b, ""))


def left_out(
    a: Mapping[str, Any], b: Mapping[str, Any], given: Mapping[str, Any] | None
) -> list[str]:
    """Return the paths of keys that differ in `a` and `b` and that `given`, of which `b` was made, lacks."""
    if given is None:
        return []
    found = (_first_missing(path.split("."), a, b, given) for path in paths(a, b))
    return list(dict.fromkeys(path for path in found if path))


def _first_missing(keys: Sequence[str], *specs: Any) -> str:
    """Return the path of the first key on the way that only the last spec lacks; empty if there is none."""
    for place, key in enumerate(keys, 1):
        *full, given = specs
        if not all(isinstance(one, Mapping) for one in specs) or any(
            key not in one for one in full
        ):
            return ""
        if key not in given:
            return ".".join(keys[:place])
        specs = tuple(one[key] for one in specs)
    return ""


def _leaves(
    a: Mapping[str, Any], b: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, Any, Any]]:
    for key in [*a, *(key for key in b if key not in a)]:
        left, right = a.get(key, _MISSING), b.get(key, _MISSING)
        path = f"{prefix}{key}"
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            yield from _leaves(left, right, f"{path}.")
        elif left != right:
            yield path, None if left is _MISSING else left, None if right is _MISSING else right
