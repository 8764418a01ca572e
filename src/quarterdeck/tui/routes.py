"""Which page shows which kind of place; its module is imported when it is first opened."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

from quarterdeck.tui.place import Place

if TYPE_CHECKING:
    from quarterdeck.tui.page import Page

PAGES: Final[Mapping[str, tuple[str, str]]] = {
    "jobs": ("jobs.screen", "JobsPage"),
    "runs": ("runs.screen", "RunsPage"),
    "profiles": ("definitions.screen", "ProfilesPage"),
    "queries": ("definitions.screen", "QueriesPage"),
    "clusters": ("definitions.screen", "ClustersPage"),
    "teams": ("definitions.screen", "TeamsPage"),
    "audit": ("audit.screen", "AuditPage"),
    "job": ("job.screen", "JobPage"),
    "draft": ("draft.screen", "DraftPage"),
    "run": ("run.screen", "RunPage"),
    "item": ("definitions.item", "ItemPage"),
    "query": ("definitions.query", "QueryPage"),
    "new": ("form.screen", "FormPage"),
    "compare": ("run.compare", "ComparePage"),
    "welcome": ("welcome.screen", "WelcomePage"),
}
"""Each kind of place: the module below `screens` and the class of its page, imported when it is first opened."""


def _module(place: Place) -> str:
    return f"quarterdeck.tui.screens.{PAGES[place.kind][0]}"


def is_there(place: Place) -> bool:
    """Whether the page's module is imported."""
    return _module(place) in sys.modules


def fetch(place: Place) -> None:
    """Import the page's module; on a thread, for it takes its time."""
    import_module(_module(place))


def make(place: Place) -> Page:
    """Return a new page for the place."""
    made: Page = getattr(import_module(_module(place)), PAGES[place.kind][1])(place)
    return made


def warm() -> None:
    """Import what most people open next; the editor, which is heavy, waits for its first use."""
    for kind in ("jobs", "runs", "job", "run"):
        fetch(Place(kind))
