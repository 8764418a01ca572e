"""What stands in a form: its entries, the text of each, and the document that they make. Drawing: `form`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from quarterdeck.model import form
from quarterdeck.model.errors import Problem
from quarterdeck.present import inert, written

HEADS: Final = {
    "spec.source": "Source", "spec.settings": "Settings", "spec.limits": "Limits", "spec.retry": "Retry",
    "driver": "Driver", "worker": "Worker", "ceilings": "Ceilings",
}  # fmt: skip
"""Blocks whose fields stand under a line of their own."""
_ORIGIN: Final = "spec.source.origin"
_SQL: Final = frozenset({"saved_query", "snapshot"})
Words = Sequence[str]


@dataclass(eq=False)
class Entry:
    """One field: what it is about, what stands in it, and what it was given.

    `only`: the field that decides whether it is there, and the words of that field with which it is. `given` is
    the value of the document that was loaded with `written`, how that looks; while the text is still this one, the
    value is too. `needed`: in the document even if nothing stands in it. A switch has no value of its own: it says
    whether its block is given.
    """

    path: str
    label: str
    help: str
    shape: str = "line"
    words: Words = ()
    named: str = ""
    only: tuple[str, frozenset[str]] | None = None
    mark: str = ""
    default: str = ""
    locked: bool = False
    needed: bool = False
    text: str = ""
    given: Any = None
    is_given: bool = False
    written: str = ""
    notes: list[Problem] = field(default_factory=list)

    @property
    def key(self) -> str:
        """A name for what was typed into it; two fields of one path have two."""
        return f"{','.join(sorted(self.only[1]))}:{self.path}" if self.only else self.path

    @property
    def is_choice(self) -> bool:
        """Whether it is chosen, not typed."""
        return self.shape in ("choice", "switch")

    @property
    def is_changed(self) -> bool:
        """Whether something else stands in it than what was loaded."""
        return self.text != self.written


def entries(
    kind: str,
    *,
    only: Callable[[str], bool] = lambda path: True,
    mark: Callable[[str], str] = lambda path: "",
) -> list[Entry]:
    """Return the entries of a kind in the order of its form; `only` says which, `mark` what is beside each."""
    fields = [one for one in form.FORM[kind] if only(one.path)]
    paths = [one.path for one in fields]
    found: list[Entry] = []
    for one in fields:
        inside = any(path.startswith(f"{one.path}.") for path in paths)
        if inside and one.path != _ORIGIN:
            continue
        found += _entries_of(kind, one, mark(one.path), asks_type="type" in paths)
    return found


def _entries_of(kind: str, one: form.Field, mark: str, *, asks_type: bool) -> list[Entry]:
    path = one.path
    shape = form.SHAPES.get(kind, {}).get(path, "line")
    words = form.CHOICES.get(kind, {}).get(path, ())
    named = form.NAMED.get(kind, {}).get(path, "")
    if shape == "line" and (words or named):
        shape = "choice"
    made = Entry(
        path, one.label, one.help, shape, words, named, mark=mark,
        default=form.DEFAULTS.get(kind, {}).get(path, ""), needed=path in ("name", "team", "text"),
    )  # fmt: skip
    if path == _ORIGIN:
        made.shape, made.words = "switch", ("none", "given")
        made.text = made.written = "none"
        made.only = ("spec.source.kind", frozenset({"snapshot"}))
    elif path.startswith(f"{_ORIGIN}."):
        made.only = (_ORIGIN, frozenset({"given"}))
    elif path == "spec.source.kind" and asks_type:
        return [_of_type(made, "sql"), _of_type(made, "python")]
    else:
        return _variants_of(kind, made)
    return [made]


def _of_type(kind: Entry, job_type: str) -> Entry:
    words = [one for one in kind.words if (one in _SQL) == (job_type == "sql")]
    return Entry(
        kind.path, kind.label, kind.help, "choice", words, only=("type", frozenset({job_type})),
        mark=kind.mark, text=words[-1], written=words[-1],
    )  # fmt: skip


def _variants_of(kind: str, one: Entry) -> list[Entry]:
    """Return the entry with the words that it is there for; the texts of SQL and of a script are two."""
    if kind not in form.VARIANTS:
        return [one]
    switch, variants = form.VARIANTS[kind]
    known = [word for word, paths in variants.items() if one.path in paths]
    if not known:
        return [one]
    if one.path != "spec.source.text":
        one.only = (switch, frozenset(known))
        return [one]
    return [
        Entry(one.path, "Script" if word == "py_file" else "SQL", one.help, one.shape,
              only=(switch, frozenset({word})), mark=one.mark, needed=word == "snapshot")
        for word in known
    ]  # fmt: skip


class Sheet:
    """The entries of one form over one document."""

    def __init__(self, made: Iterable[Entry]) -> None:
        self.entries = list(made)
        deciding = {one.only[0] for one in self.entries if one.only}
        self._switches = {
            path: [one for one in self.entries if one.path == path] for path in deciding
        }
        self.problems: list[Problem] = []
        self.unplaced: list[Problem] = []

    # --- from and to the document

    def load(self, document: Mapping[str, Any]) -> None:
        """Take what the document holds; what the form does not ask for is not kept."""
        for one in self.entries:
            value, is_given = _get(document, one.path)
            if one.shape == "switch":
                one.text = one.written = "given" if is_given else one.words[0]
                continue
            if not is_given and one.is_choice and one.words and one.only and one.only[0] == "type":
                continue  # the kind of source of the other type
            one.given, one.is_given = value, is_given
            one.text = one.written = written.write(one.shape, value) if is_given else ""
        for one in self.entries:
            if not self.is_there(one) and one.shape != "switch":
                one.is_given, one.given = False, None
                one.text = one.written = one.text if one.is_choice else ""

    def preset(self, texts: Mapping[str, str]) -> None:
        """Put these texts into fields where nothing was typed, by path, as if they had been there."""
        for one in self.entries:
            if one.path in texts and not one.is_changed and not one.is_given:
                one.text = one.written = texts[one.path]

    def document(self) -> dict[str, Any]:
        """Return what the fields that are there say; one that cannot be read, what was loaded."""
        made: dict[str, Any] = {}
        for one in self.there():
            if one.shape == "switch":
                continue
            if one.is_given and not one.is_changed:
                _set(made, one.path, one.given)
                continue
            if not one.text and not one.needed:
                continue
            try:
                _set(made, one.path, written.read(one.shape, one.text))
            except ValueError:
                if one.is_given:
                    _set(made, one.path, one.given)
        return made

    def flaws(self) -> list[Problem]:
        """Return what cannot be read of what was typed."""
        found = []
        for one in self.there():
            if one.is_changed and one.text:
                try:
                    written.read(one.shape, one.text)
                except ValueError as error:
                    found.append(Problem(one.path, str(error)))
        return found

    def typed(self) -> dict[str, str]:
        """Return what was typed, by entry, hidden ones too; empty: nothing."""
        return {one.key: one.text for one in self.entries if one.is_changed}

    def retype(self, typed: Mapping[str, Any]) -> None:
        """Put back what was typed."""
        for one in self.entries:
            if isinstance(text := typed.get(one.key), str):
                one.text = text

    # --- which are there

    def there(self) -> list[Entry]:
        """Return the entries that are there now, in order."""
        return [one for one in self.entries if self.is_there(one)]

    def is_there(self, one: Entry) -> bool:
        """Whether the fields that decide have the words for it."""
        if one.only is None:
            return True
        path, words = one.only
        return any(
            switch.text in words and self.is_there(switch) for switch in self._switches[path]
        )

    def is_switch(self, one: Entry) -> bool:
        """Whether other fields are there or not because of it."""
        return one.path in self._switches

    def dropped(self, one: Entry) -> list[str]:
        """Return what is kept here but not saved, because this field says something else."""
        shown = {other.path for other in self.there()}
        return [
            f"{other.label} {brief(other)}"
            for other in self.entries
            if other.only is not None
            and other.only[0] == one.path
            and other.text
            and not other.is_choice
            and other.path not in shown
        ]

    # --- what is wrong

    def place(self, problems: Sequence[Problem]) -> None:
        """Put each problem to the field it is about; one that has none here is `unplaced`."""
        self.problems, self.unplaced = list(problems), []
        for one in self.entries:
            one.notes = []
        for problem in problems:
            found = self.at(problem.path)
            if found is None:
                self.unplaced.append(problem)
            else:
                found.notes.append(problem)

    def at(self, path: str) -> Entry | None:
        """Return the field of a path that is there: itself, the one it is in, or the first inside it."""
        bare = re.sub(r"\[.*", "", path)
        there = self.there()
        while bare and bare != "spec":  # no field is about all of the spec
            for one in there:
                if one.path == bare:
                    return one
            inside = [one for one in there if one.path.startswith(f"{bare}.")]
            if inside:
                return inside[0]
            bare = bare.rpartition(".")[0]
        return None


def brief(one: Entry) -> str:
    """Return what stands in a field in a few words."""
    if one.shape == "block":
        lines = one.text.count("\n") + (not one.text.endswith("\n"))
        return f"({lines} lines)" if lines != 1 else "(1 line)"
    text = inert.line(one.text)
    return text if len(text) <= 24 else f"{text[:24]}..."  # noqa: PLR2004  # a hint, not the value


def _get(document: Mapping[str, Any], path: str) -> tuple[Any, bool]:
    value: Any = document
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None, False
        value = value[part]
    return value, True


def _set(document: dict[str, Any], path: str, value: Any) -> None:
    *parts, last = path.split(".")
    for part in parts:
        document = document.setdefault(part, {})
    document[last] = value
