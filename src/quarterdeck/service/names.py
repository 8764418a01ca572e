"""Names that several things of a kind bear, from before names were compared without case and Unicode form.

What keeps a new one from being saved: `saving` and `definitions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from quarterdeck.model.errors import Problem
from quarterdeck.model.text import same_name
from quarterdeck.policy import access
from quarterdeck.service.context import ALL

if TYPE_CHECKING:
    from quarterdeck.service.context import Context

_KINDS = ("team", "cluster", "catalog", "profile", "query")


def borne_twice(context: Context) -> list[Problem]:
    """Return each thing whose name another one of its kind bears, too; its path is kind/NAME, or kind/ID.

    A job that the actor may not see is told by its id alone.
    """
    actor, found = context.actor(), []
    rows = context.ports.store.jobs.rows(order="name_key", limit=ALL)
    jobs = [
        (row.body["name"], row.id, access.is_visible(actor, row.body["team"], row.body["shared_teams"]))
        for row in rows
    ]  # fmt: skip
    found += _twice("job", jobs)
    for kind in _KINDS:
        known = [(one.value.name, one.value.id, True) for one in context.definitions(kind)]
        found += _twice(kind, known)
    return found


def _twice(kind: str, known: Iterable[tuple[str, str, bool]]) -> list[Problem]:
    """Return the problems of `known`: name, id, and whether the name may be told."""
    by_name: dict[str, list[str]] = {}
    for name, key, is_seen in known:
        told = f"{kind}/{name if is_seen else key}"
        by_name.setdefault(same_name(name), []).append(f"{told} ({key})" if is_seen else told)
    text = "is called as {} is: case and Unicode form do not count; give one of them another name"
    return [
        Problem(one, text.format(", ".join(other for other in same if other != one)))
        for same in by_name.values()
        for one in same
        if len(same) > 1
    ]
