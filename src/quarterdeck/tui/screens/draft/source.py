"""Which text the editor shows of a draft: its own, the other pane's, or one that lies elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

OTHER: Final = {"SQL": "snapshot", "Python": "py_file"}
_PANES: Final = {"snapshot": "SQL", "saved_query": "SQL", "py_file": "Python", "wheel": "Python"}
_OTHER_PANE: Final = {"SQL": "Python", "Python": "SQL"}
_EMPTY: Final = {"SQL": "-- SQL of this job\n", "Python": "# Python of this job\n"}


class Texts:
    """The texts of both panes. The one that is not the draft's source is kept with the draft until publish."""

    def __init__(self) -> None:
        self.pane = "SQL"
        self._texts: dict[str, str] = dict(_EMPTY)
        self._queries: Mapping[str, str] = {}

    def take(self, spec: Mapping[str, Any], queries: Mapping[str, str], aside: str = "") -> None:
        """Take a draft as it was read; the pane of its source is in front, `aside` is the other's text."""
        self._queries = queries
        source = spec.get("source") or {}
        own = self.own(spec)
        if own:
            self.pane = own
            if "text" in source:
                self._texts[own] = str(source["text"])
            if aside:
                self._texts[_OTHER_PANE[own]] = aside

    def aside(self, spec: Mapping[str, Any]) -> str:
        """Return the text of the pane that is not the draft's source; empty for none."""
        other = _OTHER_PANE.get(self.own(spec), "SQL")
        return "" if self._texts[other] == _EMPTY[other] else self._texts[other]

    def own(self, spec: Mapping[str, Any]) -> str:
        """Return the pane of the draft's source; empty for a kind that is not known yet."""
        return _PANES.get(str((spec.get("source") or {}).get("kind")), "")

    def turn(self) -> None:
        """Bring the other pane to the front."""
        self.pane = _OTHER_PANE[self.pane]

    def is_elsewhere(self, spec: Mapping[str, Any]) -> bool:
        """Whether what is shown is not kept with the job, but can be taken into it."""
        return self.pane != self.own(spec) or not self._is_here(spec)

    def _is_here(self, spec: Mapping[str, Any]) -> bool:
        return "text" in (spec.get("source") or {})

    def shown(self, spec: Mapping[str, Any]) -> tuple[str, str, str]:
        """Return the text of the pane in front, its language, and why it is read-only (empty: it is not)."""
        language = "sql" if self.pane == "SQL" else "python"
        source = spec.get("source") or {}
        if self.pane != self.own(spec):
            return (
                self._texts[self.pane],
                language,
                f"not this draft's source, which is {self.own(spec)}",
            )
        if self._is_here(spec):
            return self._texts[self.pane], language, ""
        kind = source.get("kind")
        if kind == "saved_query":
            known = str(source.get("query_id", ""))
            return (
                self._queries.get(known, ""),
                language,
                f"saved query {known}: edited in its own place",
            )
        if kind == "wheel":
            package = source.get("package", "")
            return (
                f"# {package}: {source.get('entry_point', '')}\n",
                language,
                "a wheel: its code is in the package",
            )
        return f"# {source.get('uri', '')}\n", language, "read at dispatch from where it lies"

    def says(self, spec: Mapping[str, Any]) -> str:
        """Return what is to be known of the pane in front."""
        locked = self.shown(spec)[2]
        return f" read-only: {locked}" if locked else ""

    def typed(self, spec: Mapping[str, Any], text: str) -> bool:
        """Take what stands in the pane in front; False if that was there before."""
        if self.is_elsewhere(spec) or self._texts[self.pane] == text:
            return False
        self._texts[self.pane] = text
        return True

    def document(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return the spec with the text that was typed."""
        source = dict(spec.get("source") or {})
        own = self.own(spec)
        if own and ("text" in source or (source.get("kind") == "snapshot")):
            source["text"] = self._texts[own]
        return {**spec, "source": source}

    def merged(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return a spec as it was saved, with the text that stands here now."""
        return self.document(spec)

    def adopt(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return the spec with what the pane in front shows as its own text."""
        text = self.shown(spec)[0]
        self._texts[self.pane] = text
        source: dict[str, Any] = {"kind": OTHER[self.pane], "text": text}
        if self.pane == "Python":
            source["args"] = list((spec.get("source") or {}).get("args") or ())
        return {**spec, "source": source}
