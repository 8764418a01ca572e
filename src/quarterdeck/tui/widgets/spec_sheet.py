"""The settings sheet: everything of a job's spec but its text, as one form. The text: `editor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual.message import Message

from quarterdeck.tui.widgets.entries import Sheet, entries
from quarterdeck.tui.widgets.form import Form

if TYPE_CHECKING:
    from quarterdeck.model.errors import Problem

_TEXT = "spec.source.text"


class SpecSheet(Form):
    """Fields of a spec in file form, each `versioned`.

    `choices` are the names to choose from, by kind: profile, cluster, catalog, query (ids). `focus()` goes to the
    field that had it last. Esc is not taken: it is the page's. A wish for a new profile or query is a `Form.Make`;
    what was made is put into its field by `choose(path, name)`.
    """

    class Changed(Message):
        """A fact: the document is another now."""

    def __init__(
        self,
        document: Mapping[str, Any],
        choices: Mapping[str, Sequence[str]],
        *,
        id: str | None = None,
    ) -> None:
        made = entries(
            "job",
            only=lambda path: path.startswith("spec.") and path != _TEXT,
            mark=lambda path: "versioned",
        )
        super().__init__(Sheet(made), id=id)
        self._given: Mapping[str, Any] = {}
        self._take(document)
        self.put_words(choices)

    def document(self) -> dict[str, Any]:
        """Return the spec as it stands; `source.text` is in it as given, as long as the kind is the one given."""
        spec: dict[str, Any] = self.sheet.document().get("spec", {})
        source, given = spec.get("source", {}), self._given.get("source") or {}
        if "text" in given and source.get("kind") == given.get("kind") and "uri" not in source:
            spec["source"] = {**source, "text": given["text"]}
        return spec

    def load(self, document: Mapping[str, Any]) -> None:
        """Show another document, as one that was read anew; nothing is told."""
        self._take(document)
        self.lines.go_to(self.lines.current)

    def _take(self, document: Mapping[str, Any]) -> None:
        self._given = document
        self.sheet.load({"spec": document})

    def flaws(self) -> list[Problem]:
        """Return what was typed and cannot be read; the document has the old value there."""
        return self.sheet.flaws()

    def problems(self, found: Sequence[Problem]) -> None:
        """Show these beside their fields; paths begin with `spec.`. What has no field here is passed over."""
        here = [one for one in found if one.path != _TEXT and self.sheet.at(one.path)]
        self.show_problems([*self.flaws(), *here])
