"""What an edit of a definition changes for one job: each value that its runs get, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from quarterdeck.versions import diff

OVERLAID: Final = {"sail_config": "sail", "env": "env"}
"""Blocks of a profile that a job may set over, and what the job's settings call them."""


class Effect(NamedTuple):
    """A value that the definition changes, as the job gets it: `a` before, `b` after; None where there is none.

    `set_by` is "job" where the job sets the value itself: then `a` and `b` are the same.
    """

    path: str
    a: Any
    b: Any
    set_by: str


def effects(
    kind: str, before: Mapping[str, Any], after: Mapping[str, Any], spec: Mapping[str, Any]
) -> list[Effect]:
    """Return what an edit of a definition's body from `before` to `after` does to a job with this spec."""
    overlaid = OVERLAID if kind == "profile" else {}
    bare = [{k: v for k, v in body.items() if k not in overlaid} for body in (before, after)]
    found = [Effect(one.path, one.a, one.b, kind) for one in diff.differences(*bare)]
    for block, settings in overlaid.items():
        own: Mapping[str, Any] = spec["settings"][settings]
        old, new = before[block], after[block]
        for name in sorted({**old, **new}):
            a, b = old.get(name), new.get(name)
            if a == b:
                continue
            path = f"{block}.{name}"
            if name in own:
                found.append(Effect(path, own[name], own[name], "job"))
            else:
                found.append(Effect(path, a, b, kind))
    return found
