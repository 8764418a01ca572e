"""A document as a user wrote it to its stored form, with every problem at once, by path and in words; and back.

What a single field may hold is in the kinds' own modules, what several say together in `checks`;
references, ceilings and files outside are checked by those who know them.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError, create_model

from quarterdeck.model import checks
from quarterdeck.model.base import EMPTY, Frozen, Name, kind_word
from quarterdeck.model.catalog import CATALOGS
from quarterdeck.model.cluster import CLUSTERS
from quarterdeck.model.errors import Problem
from quarterdeck.model.form import FORM, SOURCE_GUIDE, help_of, place_of
from quarterdeck.model.profile import ProfileFile
from quarterdeck.model.query import QueryFile
from quarterdeck.model.source import JOB_TYPES, RESERVED_KINDS, SOURCES
from quarterdeck.model.spec import JobFile, Spec
from quarterdeck.model.team import TeamFile
from quarterdeck.model.text import flaw, nearest, printable, shown
from quarterdeck.model.units import format_duration, format_size
from quarterdeck.model.workspace import WorkspaceFile

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

__all__ = ["FORM", "SOURCE_GUIDE", "Parsed", "dump", "parse"]

FILES: Final[dict[str, type[Frozen]]] = {
    "job": JobFile, "profile": ProfileFile, "query": QueryFile, "team": TeamFile,
    "workspace": WorkspaceFile,
}  # fmt: skip
VARIANTS: Final = {"cluster": CLUSTERS, "catalog": CATALOGS}
_DURATIONS: Final = frozenset({
    "spec.timeout", "spec.retry.backoff", "ceilings.timeout", "queue_deadline", "start_deadline",
    "evidence_kept", "kept",
})  # fmt: skip
_SIZES: Final = frozenset({
    "spec.limits.max_driver_memory", "driver.memory", "worker.memory", "ceilings.max_driver_memory",
})  # fmt: skip
_SOURCE: Final = ("spec", "source")


@dataclass(frozen=True, slots=True)
class Parsed:
    """The stored form, or None if there are problems; both lists are in the order of the form.

    The stored form is plain JSON data with every key present: durations are seconds, sizes bytes,
    references names.
    """

    value: dict[str, Any] | None
    problems: list[Problem]
    warnings: list[Problem]


class _Anything(Frozen, extra="ignore"):
    """Stands for a document of unknown kind, so that its other fields are still checked."""

    name: Name


def parse(kind: str, document: Mapping[str, Any], *, partial: bool = False) -> Parsed:
    """Check a document of `kind` (job, profile, query, cluster, catalog, team, workspace).

    `partial`: keys may be left out, and the value holds only what was given; of a cluster or catalog
    `kind` must be given. Nothing is raised for what a user wrote.
    """
    plain = _plain(document)
    if kind != "job" and plain.get("type") == kind:
        del plain["type"]
    if kind == "job" and not partial and plain.get("spec") is None:
        plain["spec"] = {}  # so that each missing part of it is told
    form, found = _model(kind, plain)
    checked, warnings = checks.check(kind, plain)
    found += checked
    told = {problem.path for problem in found}
    value = None
    try:
        made = (_partial(form) if partial else form).model_validate(plain)
        value = _stored(kind, made.model_dump(exclude_unset=partial))
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            problem = _problem(kind, plain, form, detail)
            if problem.path not in told and not _is_inside(problem.path, told):
                found.append(problem)
    found.sort(key=lambda problem: (place_of(kind, problem.path), _numbers(problem.path)))
    return Parsed(None if found else value, found, warnings)


def dump(kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the file form of a stored form: `30m`, `4Gi`; what is empty by default is left out."""
    form = VARIANTS[kind][value["kind"]] if kind in VARIANTS else FILES[kind]
    found = dict(_written(form, value, ""))
    if kind == "job":
        found.pop("type", None)  # the source says it
    return found


# --- from a document


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _key(key: object) -> str:
    """Return a key as text that pydantic reads; half a surrogate pair is written out."""
    return str(key).encode("utf-8", "backslashreplace").decode()


def _model(kind: str, document: dict[str, Any]) -> tuple[type[Frozen], list[Problem]]:
    if kind not in VARIANTS:
        return FILES[kind], []
    known, given = VARIANTS[kind], document.get("kind")
    if isinstance(given, str) and given in known:
        return known[given], []
    return _Anything, [Problem("kind", _wrong_kind(given, list(known)))]


def _wrong_kind(given: object, known: list[str]) -> str:
    allowed = f"use one of {', '.join(known)}"
    if given is None:
        return f"is missing; {allowed}"
    if isinstance(given, str) and given in RESERVED_KINDS:
        return "reserved, not supported yet"
    near = nearest(given, known) if isinstance(given, str) else []
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{shown(given)} is not allowed; {allowed}{hint}"


@cache
def _partial(form: type[Frozen]) -> type[Frozen]:
    """Return the form with every key of its first level optional."""
    fields: dict[str, tuple[Any, FieldInfo]] = {}
    for name, field in form.model_fields.items():
        if field.is_required():
            loose = copy(field)
            loose.default = None
            fields[name] = (field.annotation, loose)
    return create_model(f"Partial{form.__name__}", __base__=form, **fields)  # type: ignore[call-overload,no-any-return]  # fields by name


def _stored(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    if kind == "job" and "spec" in value:
        value["type"] = JOB_TYPES[value["spec"]["source"]["kind"]]
    if kind == "job" and (value.get("schedule") or {}).get("cron", "-").strip() == "":
        value["schedule"] = None
    if kind == "profile" and value.get("mode") == "standalone":
        value.pop("worker", None)
    return value


# --- pydantic's findings in the user's words


def _problem(
    kind: str, document: dict[str, Any], form: type[Frozen], detail: ErrorDetails
) -> Problem:
    location = detail["loc"]
    if location[:2] == _SOURCE and len(location) > 2:  # noqa: PLR2004  # the union's tag is no key
        location = _SOURCE + location[3:]
    if location[-1:] == ("[key]",):
        location = location[:-1]
    if location == _SOURCE and not isinstance(detail["input"], int | float | str | list):
        source = document["spec"].get("source") or {}
        return Problem("spec.source.kind", _wrong_kind(source.get("kind"), list(SOURCES)))
    if detail["type"] == "extra_forbidden":
        return Problem(_path(location), _unknown(kind, document, form, location))
    path = _path(location)
    return Problem(path, _words(detail, help_of(kind, path)))


def _words(detail: ErrorDetails, help_line: str) -> str:
    fault, given = detail["type"], detail["input"]
    more = f"; {help_line}" if help_line else ""
    if fault == "missing":
        return f"is missing{more}"
    if fault == "value_error":
        text = str(detail["ctx"]["error"])
        return f"{text}{more}" if text == EMPTY else text
    if given is None:
        return f"{EMPTY}{more}"
    if fault == "literal_error":
        return (
            f"{shown(given)} is not allowed; use {detail['ctx']['expected'].replace(chr(39), '')}"
        )
    if fault == "string_unicode":
        return flaw(given)
    hint = ""
    if fault == "string_type" and not isinstance(given, list | dict):
        hint = "; write it in quotes"
    elif fault == "list_type" and isinstance(given, str):
        hint = f"; write [{shown(given)}]"
    return f"must be {_WANTED[fault]}, not {kind_word(given)}{hint}"


_WANTED: Final = {
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def _path(location: tuple[int | str, ...]) -> str:
    found = ""
    for part in location:
        found += f"[{part}]" if isinstance(part, int) else f".{part}" if found else part
    return printable(found)


def _numbers(path: str) -> list[int]:
    """Return the places in lists that a path names."""
    return [int(one) for one in re.findall(r"\[(\d+)\]", path)]


def _is_inside(path: str, told: set[str]) -> bool:
    """Whether a problem stands for the whole block that `path` is in."""
    return any(path.startswith((f"{outer}.", f"{outer}[")) for outer in told)


def _unknown(
    kind: str, document: dict[str, Any], form: type[Frozen], location: tuple[int | str, ...]
) -> str:
    key = str(location[-1])
    block, noun = _block(kind, document, form, location[:-1])
    known = list(block.model_fields)
    text = f"not a field of {noun}"
    if location[:2] == _SOURCE and len(location) == 3:  # noqa: PLR2004  # a key of the source itself
        others = [name for name, one in SOURCES.items() if key in one.model_fields]
        if others:
            return f"{text}; it belongs to {' and '.join(others)}"
    if kind == "job" and len(location) == 1 and key in Spec.model_fields:
        return f"{text}; it belongs under spec"
    near = nearest(key, known)
    return f"{text}; did you mean {near[0]}?" if near else f"{text}; it has {', '.join(known)}"


def _block(
    kind: str, document: dict[str, Any], form: type[Frozen], location: tuple[int | str, ...]
) -> tuple[type[BaseModel], str]:
    """Return the class of the block at `location` and what messages call it."""
    noun = f"{kind} {document['kind']}" if kind in VARIANTS and "kind" in document else kind
    block: type[BaseModel] = form
    value: Any = document
    for part in location:
        value = value[part]
        if isinstance(part, str) and part in block.model_fields:
            block = _inner(block.model_fields[part], value) or block
            noun = value["kind"] if part == "source" else part
    return block, noun


def _is_named(field: FieldInfo) -> bool:
    """Whether the field's keys are names that the user chose."""
    return typing.get_origin(field.annotation) is dict


def _inner(field: FieldInfo, value: Any) -> type[BaseModel] | None:
    """Return the class of a field's block; None if it holds no block."""
    if field.discriminator:
        return SOURCES[value["kind"]]
    for one in (field.annotation, *typing.get_args(field.annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


# --- to a document


def _written(
    form: type[BaseModel], value: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, Any]]:
    for name, field in form.model_fields.items():
        if name not in value:
            continue
        item, path = value[name], f"{prefix}{name}"
        default = field.get_default(call_default_factory=True)
        if item == default and item in (None, "", [], {}):
            continue
        if path in _DURATIONS:
            item = format_duration(timedelta(seconds=item))
        elif path in _SIZES:
            item = format_size(item)
        elif isinstance(item, Mapping) and (inner := _inner(field, item)) and not _is_named(field):
            item = dict(_written(inner, item, f"{path}."))
            if not item:  # nothing in it but what is empty by default
                continue
        yield name, item
