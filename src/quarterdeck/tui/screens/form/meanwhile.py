"""What happens while a form is saved: somebody types on, or saves the same thing. Decisions of its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quarterdeck.present import inert
from quarterdeck.present.table import Cell
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.form.kinds import NewJob
from quarterdeck.tui.widgets.entries import Sheet, brief

if TYPE_CHECKING:
    from quarterdeck.present.table import Line
    from quarterdeck.tui.screens.form.kinds import Kind, Saved


def further(
    kind: Kind, tab: str, saved: Saved, sheet: Sheet, texts: Mapping[str, str]
) -> Place | None:
    """Return where what was typed behind a save is taken up; None if nothing was.

    `texts` stood in the fields when Save was pressed. Of a new job that is its draft, or, where nothing of the
    spec was typed, its settings; of anything else the form over it.
    """
    since = {one.key: one.text for one in sheet.entries if one.text != texts[one.key]}
    if not since:
        return None
    typed: dict[str, Any] = {"fields": since}
    if not isinstance(kind, NewJob):
        return Place("new", saved.name, tab, {"typed": typed})
    if not any("spec." in key for key in since):
        return Place("new", saved.name, "settings", {"typed": typed})
    typed = {"spec": sheet.document()["spec"], "rev": saved.rev}
    return Place("draft", saved.name, "", {"typed": typed})


def kept_under(place: Place) -> tuple[str, str]:
    """Return the key under which the application keeps what is to be taken up at this place."""
    return (place.kind if place.kind == "draft" else f"new {place.tab}"), place.name


def differences(what: str, mine: Sheet, theirs: Sheet) -> list[Line]:
    """Return what was done, and what differs between two sheets of one form over one document."""
    lines: list[Line] = [(Cell(inert.line(what)),), ()]
    for one, other in zip(mine.entries, theirs.entries, strict=True):
        text = f"{one.label}: {brief(other) or 'nothing'}"
        if one.is_changed:
            lines.append((Cell(f"{text} → yours: {brief(one) or 'nothing'}"),))
        elif one.text != other.text:
            lines.append((Cell(f"{text} (theirs; kept)", "dim"),))
    return lines
