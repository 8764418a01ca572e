"""Where somebody is: what `open` names, what is remembered, what one screen asks another for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

KINDS: Final = (
    "jobs", "runs", "profiles", "queries", "clusters", "teams", "audit",
    "job", "draft", "run", "item", "query", "new", "compare",
)  # fmt: skip
VIEWS: Final[dict[str, str]] = {
    "1": "jobs", "2": "runs", "4": "profiles", "5": "queries", "6": "clusters", "7": "teams", "8": "audit",
}  # fmt: skip
"""The digit of each list."""


class Place(NamedTuple):
    """A screen and where on it: `kind` is one of KINDS, `name` the job, run or definition, `tab` its tab.

    `more` is plain data of the screen's own: filter, cursor, position, and what was typed and not saved.
    """

    kind: str
    name: str = ""
    tab: str = ""
    more: Mapping[str, Any] = {}


def to_document(place: Place) -> dict[str, Any]:
    """Return it as plain data."""
    return {"kind": place.kind, "name": place.name, "tab": place.tab, "more": dict(place.more)}


def from_document(document: Mapping[str, Any]) -> Place | None:
    """Return the place, or None for what is no place of this version."""
    kind, name, tab = (document.get(key) for key in ("kind", "name", "tab"))
    more = document.get("more")
    if kind not in KINDS or not isinstance(name, str) or not isinstance(tab, str):
        return None
    return Place(str(kind), name, tab, more if isinstance(more, Mapping) else {})
