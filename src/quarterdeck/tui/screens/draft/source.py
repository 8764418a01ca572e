"""What stands in the editor of a draft: its spec and the texts of both panes. Pure values.

The text that is not the draft's source is kept beside it; a publish drops it, to be had again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

OTHER: Final = {"SQL": "snapshot", "Python": "py_file"}
_PANES: Final = {"snapshot": "SQL", "saved_query": "SQL", "py_file": "Python", "wheel": "Python"}
_OTHER_PANE: Final = {"SQL": "Python", "Python": "SQL"}
_EMPTY: Final = {"SQL": "-- SQL of this job\n", "Python": "# Python of this job\n"}


@dataclass(frozen=True, slots=True)
class Document:
    """A spec in file form, the text of each pane, and which pane is in front.

    The text of the spec's own source is the one of its pane; `written` puts it in.
    """

    spec: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=lambda: dict(_EMPTY))
    pane: str = "SQL"

    def holding(self, spec: Mapping[str, Any], aside: str = "") -> Document:
        """Return another spec with its texts, its pane in front; a text that it does not have stays."""
        own = _own(spec)
        texts = dict(self.texts)
        if own:
            if "text" in _source(spec):
                texts[own] = str(_source(spec)["text"])
            if aside:
                texts[_OTHER_PANE[own]] = aside
        return Document(spec, texts, own or self.pane)

    def with_spec(self, spec: Mapping[str, Any]) -> Document:
        """Return it with other settings; the texts are those that stand here."""
        return replace(self, spec=spec)

    # --- what it is

    @property
    def own(self) -> str:
        """The pane of the draft's source; empty for a kind that is not known yet."""
        return _own(self.spec)

    @property
    def text(self) -> str:
        """The text of the pane in front, as far as it is kept here."""
        return self.texts[self.pane]

    @property
    def aside(self) -> str:
        """The text of the pane that is not the draft's source; empty for none."""
        other = _OTHER_PANE.get(self.own, "SQL")
        return "" if self.texts[other] == _EMPTY[other] else self.texts[other]

    @property
    def is_elsewhere(self) -> bool:
        """Whether what is shown is not kept with the job, but can be taken into it."""
        return self.pane != self.own or "text" not in _source(self.spec)

    def written(self) -> dict[str, Any]:
        """Return the spec with the text of its pane."""
        source = dict(_source(self.spec))
        if self.own and ("text" in source or source.get("kind") == "snapshot"):
            source["text"] = self.texts[self.own]
        return {**self.spec, "source": source}

    def shown(self, queries: Mapping[str, str]) -> tuple[str, str, str]:
        """Return the text of the pane in front, its language, and why it is read-only (empty: it is not)."""
        language = "sql" if self.pane == "SQL" else "python"
        if self.pane != self.own:
            return self.text, language, f"not this draft's source, which is {self.own}"
        if not self.is_elsewhere:
            return self.text, language, ""
        text, why = _elsewhere(_source(self.spec), queries)
        return text, language, why

    # --- what becomes of it

    def typed(self, text: str) -> Document:
        """Return it with this text in the pane in front; itself if that was there before, or is not kept here."""
        if self.is_elsewhere or self.text == text:
            return self
        return replace(self, texts={**self.texts, self.pane: text})

    def turned(self) -> Document:
        """Return it with the other pane in front."""
        return replace(self, pane=_OTHER_PANE[self.pane])

    def taken(self, queries: Mapping[str, str]) -> Document:
        """Return it with what the pane in front shows as the job's own text."""
        text = self.shown(queries)[0]
        source: dict[str, Any] = {"kind": OTHER[self.pane], "text": text}
        if self.pane == "Python":
            source["args"] = list(_source(self.spec).get("args") or ())
        spec = {**self.spec, "source": source}
        return replace(self, spec=spec, texts={**self.texts, self.pane: text})


def _source(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = spec.get("source") or {}
    return found


def _own(spec: Mapping[str, Any]) -> str:
    return _PANES.get(str(_source(spec).get("kind")), "")


def _elsewhere(source: Mapping[str, Any], queries: Mapping[str, str]) -> tuple[str, str]:
    """Return a text that is not kept with the job, and where it is edited."""
    kind = source.get("kind")
    if kind == "saved_query":
        known = str(source.get("query_id", ""))
        return queries.get(known, ""), f"saved query {known}: edited in its own place"
    if kind == "wheel":
        package = source.get("package", "")
        text = f"# {package}: {source.get('entry_point', '')}\n"
        return text, "a wheel: its code is in the package"
    return f"# {source.get('uri', '')}\n", "read at dispatch from where it lies"


def lay_over(
    base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return their spec with all that I changed since the base laid over it; a source is one thing."""
    whole = dict(theirs)
    for key in {**base, **mine}:
        was, now, other = base.get(key), mine.get(key), theirs.get(key)
        if was == now:
            continue
        if key not in mine:
            whole.pop(key, None)
        elif key != "source" and isinstance(now, Mapping) and isinstance(other, Mapping):
            whole[key] = lay_over(was if isinstance(was, Mapping) else {}, now, other)
        else:
            whole[key] = now
    return whole
