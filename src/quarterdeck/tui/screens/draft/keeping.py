"""What is kept of a draft that is not saved, as plain data for whoever comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quarterdeck.model.draft import Seen
from quarterdeck.model.job import Mark
from quarterdeck.tui.screens.draft.protocol import Unsaved


def to_document(unsaved: Unsaved) -> dict[str, Any]:
    """Return it as plain data."""
    seen = unsaved.seen
    return {
        "spec": dict(unsaved.spec), "aside": unsaved.aside, "rev": unsaved.rev,
        "seen": None if seen is None else [seen.spec, seen.based_on, seen.aside],
        "mark": [unsaved.mark.session, unsaved.mark.edits],
    }  # fmt: skip


def from_document(document: Any) -> Unsaved | None:
    """Return what was kept; None for nothing, or for what another version kept in another way."""
    if not isinstance(document, Mapping) or not isinstance(document.get("spec"), Mapping):
        return None
    try:
        seen, mark = document.get("seen"), document.get("mark")
        return Unsaved(
            document["spec"], str(document.get("aside", "")),
            None if seen is None else Seen(str(seen[0]), int(seen[1]), str(seen[2])),
            int(document.get("rev", 0)), Mark(str(mark[0]), int(mark[1])) if mark else Mark(),
        )  # fmt: skip
    except (TypeError, ValueError, IndexError, KeyError):
        return None
