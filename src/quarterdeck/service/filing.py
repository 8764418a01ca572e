"""Documents of a definition file: their kinds, the order in which they are made, and of their problems."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from quarterdeck.model.errors import InvalidInputError, Problem
from quarterdeck.model.ids import DefinitionId
from quarterdeck.model.job import Definition


def kind_of(document: Mapping[str, Any]) -> str | None:
    """Return the kind of a document in a file: `type`, or job where there is none."""
    kind = document.get("type", "job")
    if kind in ("job", "sql", "python"):
        return "job"
    return kind if kind in ("profile", "query", "cluster", "catalog", "team") else None


_RANK = {"team": 0, "cluster": 1, "catalog": 2, "profile": 3, "query": 4, "job": 5, None: 6}
_FORM = (
    "name", "team", "shared_teams", "description", "type", "schedule", "spec.source", "spec.profile",
    "spec.cluster", "spec.catalogs", "spec.parameters", "spec.settings", "spec.timeout",
    "spec.limits", "spec.retry",
)  # fmt: skip


def in_order_of_the_form(found: Sequence[Problem]) -> list[Problem]:
    """Return the problems in the order in which the form asks, items of a list by number, without repetitions."""

    def rank(one: Problem) -> tuple[int, int]:
        at = next((n for n, path in enumerate(_FORM) if one.path.startswith(path)), len(_FORM))
        item = re.match(r"\[(\d+)\]", one.path[len(_FORM[at]) :]) if at < len(_FORM) else None
        return at, int(item[1]) if item else -1

    return sorted(dict.fromkeys(found), key=rank)


def in_order(documents: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the documents, each with its place in the file, what others refer to first."""
    return sorted(enumerate(documents), key=lambda one: _RANK[kind_of(one[1])])


def without_type(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document without the word that says its kind."""
    kinds = ("job", "profile", "query", "cluster", "catalog", "team")
    return {k: v for k, v in document.items() if not (k == "type" and v in kinds)}


def only(found: Sequence[Mapping[str, Any]], kind: str) -> dict[str, Any]:
    """Return the only document, without its `type`; another kind or number is refused."""
    if len(found) != 1:
        text = f"the file holds {len(found)} documents; one {kind} is taken"
        raise InvalidInputError([Problem("", text)])
    document = dict(found[0])
    said = document.get("type", kind)
    if said != kind and not (kind == "job" and said in ("sql", "python")):
        text = f"the file holds a {said}; a {kind} is taken here"
        raise InvalidInputError([Problem("type", text)])
    if said == kind:
        document.pop("type", None)
    return document


def brought(kind: str, value: Mapping[str, Any], known: str) -> Definition:
    """Return a stand-in for a definition that the same file brings, to check references against."""
    return Definition(
        id=DefinitionId(known), kind=kind, name=str(value["name"]), name_key="", team=None, revision=1, body=value,
        author="", at=datetime.min.replace(tzinfo=UTC), status="active",
    )  # fmt: skip
