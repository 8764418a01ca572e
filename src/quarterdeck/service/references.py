"""References by name (files, JSON) to ids (store) and back, over what the workspace and one file define."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import Problem
from quarterdeck.model.job import Definition

if TYPE_CHECKING:
    from quarterdeck.ports.executor import Check
    from quarterdeck.service.context import Context


@dataclass
class World:
    """What can be referred to: the store's definitions and those that the same file brings along."""

    context: Context
    extra: dict[tuple[str, str], Definition] = field(default_factory=dict)
    looked: dict[str, Sequence[Check]] = field(default_factory=dict)  # at clusters of the file
    _kept: dict[str, list[Definition]] = field(default_factory=dict)

    def all(self, kind: str) -> list[Definition]:
        """Return every definition of the kind that can be read."""
        if kind not in self._kept:
            kept = self.context.readable_definitions(kind)
            self._kept[kind] = [one.value for one in kept]
        brought = [d for (k, _), d in self.extra.items() if k == kind]
        return [*self._kept[kind], *brought]

    def find(self, kind: str, name: str) -> Definition | None:
        """Return the one of that name in either Unicode form (a query: its id)."""
        from quarterdeck.model.text import named

        if kind == "query":
            return self.by_id(kind, name)
        return named(self.all(kind), name, lambda one: one.name)

    def by_id(self, kind: str, known: str) -> Definition | None:
        """Return the one with that id."""
        return next((one for one in self.all(kind) if one.id == known), None)

    def name_of(self, kind: str, known: str) -> str:
        """Return the name for an id; what is gone keeps its last known name, in angle brackets."""
        one = self.by_id(kind, known)
        if one is not None:
            return one.name
        return f"<{self.context.last_name_of(known) or known}>"

    def missing(self, kind: str, name: str, path: str) -> Problem:
        """Return the problem of a reference to nothing, with the nearest name.

        DamagedDocumentError if one of the kind cannot be read: it may be that one.
        """
        from quarterdeck.model.text import nearest

        self.context.definitions(kind)
        known = [one.id if kind == "query" else one.name for one in self.all(kind)]
        near = nearest(name, known)
        hint = f"; did you mean {near[0]}?" if near else ""
        return Problem(path, f"there is no {kind} {name}{hint}")


def problems(world: World, spec: Mapping[str, Any]) -> list[Problem]:
    """Return what a spec in file form refers to and is not there, by path, all at once."""
    found: list[Problem] = []
    source = spec.get("source")
    query = source.get("query_id") if isinstance(source, Mapping) else None
    if isinstance(query, str) and world.find("query", query) is None:
        found.append(world.missing("query", query, "spec.source.query_id"))
    for kind in ("profile", "cluster"):
        name = spec.get(kind)
        if isinstance(name, str) and name and world.find(kind, name) is None:
            found.append(world.missing(kind, name, f"spec.{kind}"))
    catalogs = spec.get("catalogs")
    for place, name in enumerate(catalogs if isinstance(catalogs, list | tuple) else ()):
        if isinstance(name, str) and world.find("catalog", name) is None:
            found.append(world.missing("catalog", name, f"spec.catalogs[{place}]"))
    return found


def to_ids(world: World, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec with names replaced by ids; every name must be there."""
    return _mapped(spec, lambda kind, name: _id(world, kind, name))


def to_names(world: World, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec with ids replaced by names."""
    return _mapped(spec, world.name_of)


def _id(world: World, kind: str, name: str) -> str:
    one = world.find(kind, name)
    if one is None:
        raise AssertionError(f"{kind} {name} was checked before")
    return one.id


def _mapped(spec: Mapping[str, Any], to: Any) -> dict[str, Any]:
    return {
        **spec,
        "profile": to("profile", spec["profile"]),
        "cluster": to("cluster", spec["cluster"]),
        "catalogs": [to("catalog", name) for name in spec["catalogs"]],
    }
