"""What several fields of a document say together, and SQL texts; a single field: the module of its kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from quarterdeck.model import sqltext
from quarterdeck.model.errors import Problem
from quarterdeck.model.form import help_of
from quarterdeck.model.limits import DESCRIPTION_WARNING, QUERY_LENGTH, SNAPSHOT_BYTES
from quarterdeck.model.source import JOB_TYPES
from quarterdeck.model.text import Folded, flaw, one_form, shown

Found = tuple[list[Problem], list[Problem]]
"""Problems, and warnings that refuse nothing."""


def check(kind: str, document: Mapping[str, Any]) -> Found:
    """Return problems and warnings; fields of a wrong type are passed over."""
    checked = _CHECKS.get(kind)
    return ([], []) if checked is None else checked(document)


def _check_job(document: Mapping[str, Any]) -> Found:
    found: list[Problem] = []
    warnings: list[Problem] = []
    description = document.get("description")
    if isinstance(description, str) and len(description) > DESCRIPTION_WARNING:
        text = (
            f"has {len(description):,} characters; some places show only {DESCRIPTION_WARNING:,}"
        )
        warnings.append(Problem("description", text))
    spec = document.get("spec")
    if not isinstance(spec, Mapping):
        return found, warnings
    found += _check_catalogs(spec)
    source = spec.get("source")
    if not isinstance(source, Mapping):
        return found, warnings
    kind = source.get("kind")
    given, actual = document.get("type"), JOB_TYPES.get(kind) if isinstance(kind, str) else None
    if given in ("sql", "python") and actual not in (given, None):
        kinds = " or ".join(name for name, one in JOB_TYPES.items() if one == given)
        found.append(Problem("type", f"{given} needs a source of kind {kinds}, not {kind}"))
    if kind == "snapshot" and isinstance(source.get("text"), str):
        more, longer = _check_snapshot(source["text"])
        found += more
        warnings += longer
    if kind == "py_file":
        found += _check_py_file(source)
        if isinstance(source.get("text"), Folded):
            words = "its lines were joined by the file; write `text: |` to keep them"
            warnings.append(Problem("spec.source.text", words))
    return found, warnings


def _check_catalogs(spec: Mapping[str, Any]) -> list[Problem]:
    given = spec.get("catalogs")
    listed = given if isinstance(given, list) else []
    names = [one_form(name) if isinstance(name, str) else name for name in listed]
    return [
        Problem(f"spec.catalogs[{place}]", f"{shown(name)} stands here twice")
        for place, name in enumerate(names)
        if name in names[:place]
    ]


def _check_snapshot(text: str) -> Found:
    path = "spec.source.text"
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > SNAPSHOT_BYTES:
        words = (
            f"has {size:,} bytes; at most {SNAPSHOT_BYTES:,} are allowed: split it or use a wheel"
        )
        return [Problem(path, words)], []
    warnings = []
    if len(text) > QUERY_LENGTH:
        words = f"has {len(text):,} characters; a saved query could hold {QUERY_LENGTH:,} at most"
        warnings.append(Problem(path, words))
    return _check_sql(path, text), [*warnings, *_check_folded_sql(path, text)]


def _check_folded_sql(path: str, text: str) -> list[Problem]:
    if not isinstance(text, Folded) or not sqltext.has_line_comment(text):
        return []
    words = (
        "its lines were joined by the file, so all that follows `--` is a comment; write `text: |`"
    )
    return [Problem(path, words)]


def _check_sql(path: str, text: str) -> list[Problem]:
    if found := flaw(text):
        return [Problem(path, found)]
    return [Problem(path, str(problem)) for problem in sqltext.problems(text)]


def _check_py_file(source: Mapping[str, Any]) -> list[Problem]:
    text, uri = source.get("text"), source.get("uri")
    if text is None and uri is None:
        return [
            Problem("spec.source.uri", "is missing; give the script as text, or its place as uri")
        ]
    if text is not None and uri is not None:
        return [Problem("spec.source.uri", "text is given as well; give one of them")]
    return _check_coding(text) if isinstance(text, str) else []


_CODING: Final = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")  # as PEP 263 says


def _check_coding(text: str) -> list[Problem]:
    """Return that a script says another encoding than the one that its text is kept in."""
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n")[:2], 1):
        found = _CODING.match(line)
        if found:
            named = found[1].lower().replace("_", "-")
            if named not in ("utf-8", "utf8", "utf-8-sig", "utf8-sig", "u8"):
                words = (
                    f"line {number} says {found[1]}, but a text is kept as UTF-8: delete that line"
                )
                return [Problem("spec.source.text", words)]
            break
        if line.strip() and not line.lstrip().startswith("#"):
            break
    return []


def _check_query(document: Mapping[str, Any]) -> Found:
    text = document.get("text")
    if not isinstance(text, str):
        return [], []
    if len(text) > QUERY_LENGTH:
        words = f"has {len(text):,} characters; at most {QUERY_LENGTH:,} are allowed: split it or use a wheel"
        return [Problem("text", words)], []
    return _check_sql("text", text), _check_folded_sql("text", text)


def _check_profile(document: Mapping[str, Any]) -> Found:
    mode, worker = document.get("mode"), document.get("worker")
    if mode == "standalone" and worker is not None:
        return [
            Problem("worker", "not a field of mode standalone; leave it out, or use mode cluster")
        ], []
    if mode == "cluster" and worker is None:
        return [Problem("worker", f"is missing; {help_of('profile', 'worker')}")], []
    return [], []


_CHECKS: Final = {"job": _check_job, "query": _check_query, "profile": _check_profile}
