"""Checking a store: database, documents, version numbers, audit chain, artifacts. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from quarterdeck.model.errors import QuarterdeckError
from quarterdeck.model.job import version_id
from quarterdeck.ports.store import Backend, Finding, Where
from quarterdeck.store import audit, hashes, standings
from quarterdeck.store.artifacts import ArtifactFolder
from quarterdeck.store.database import Database
from quarterdeck.store.indexes import noun

Decoders = Mapping[str, Callable[[Mapping[str, Any]], object]]
Check = Callable[[Backend], Iterator[Finding]]


def findings(
    backend: Backend, decoders: Decoders, kept: ArtifactFolder, damage: str = ""
) -> list[Finding]:
    """Return what is wrong, in the order of the checks; empty if nothing is.

    `decoders` read the documents of each table, `kept` are the artifacts, `damage` is what was
    found when the database was opened.
    """
    found = [Finding("database", damage)] if damage else []
    if isinstance(backend, Database):
        found += [Finding("database", text) for text in _read(backend.integrity)]
    checks: list[Check] = [
        lambda one: _documents(one, decoders), _versions, _drafts, standings.findings, _frozen, _chain,
    ]  # fmt: skip
    for check in checks:
        found += _checked(backend, check)
    return found + list(_artifacts(kept))


def _read(read: Callable[[], list[str]]) -> list[str]:
    try:
        return read()
    except QuarterdeckError as error:
        return [f"cannot be read: {error.message}"]


def _checked(backend: Backend, check: Check) -> Iterator[Finding]:
    """Yield what `check` finds; where the damage stops it, that is the last finding."""
    try:
        yield from check(backend)
    except QuarterdeckError as error:
        yield Finding("database", f"cannot be read further: {error.message}")


def _documents(backend: Backend, decoders: Decoders) -> Iterator[Finding]:
    for table, decode in decoders.items():
        for row in backend.scan(table):
            where = f"{table}/{row.id}"
            if row.rev < 1:
                yield Finding(where, f"has revision {row.rev}; the first is 1")
            if row.body.get("id") != row.id:
                yield Finding(where, f"says of itself that its id is {row.body.get('id')}")
            try:
                decode(row.body)
            except (TypeError, ValueError, KeyError, AttributeError) as error:
                yield Finding(where, f"cannot be read as a {noun(table)}: {error}")


def _versions(backend: Backend) -> Iterator[Finding]:
    for job in backend.scan("jobs"):
        last = int(job.body["next_number"]) - 1
        live = job.body["live_version"]
        if not 1 <= live <= last:
            yield Finding(f"jobs/{job.id}", f"its live version {live} is not among 1 to {last}")
        for number in range(1, last + 1):
            if backend.get("versions", version_id(job.body["id"], number)) is None:
                yield Finding(f"jobs/{job.id}", f"version {number} of {last} is missing")
        kept = backend.count("versions", [Where("job", "=", job.id)])
        if kept > last:
            yield Finding(f"jobs/{job.id}", f"has {kept} versions but numbers up to {last}")


def _drafts(backend: Backend) -> Iterator[Finding]:
    for draft in backend.scan("drafts"):
        if backend.get("jobs", draft.id) is None:
            yield Finding(f"drafts/{draft.id}", "belongs to no job")


def _frozen(backend: Backend) -> Iterator[Finding]:
    for row in backend.scan("frozen"):
        content = hashes.of_bytes(str(row.body.get("spec")).encode())
        if content != row.id:
            yield Finding(f"frozen/{row.id}", f"was changed: its SHA-256 is {content}")


def _chain(backend: Backend) -> Iterator[Finding]:
    return audit.broken(backend.scan(audit.TABLE))


def _artifacts(kept: ArtifactFolder) -> Iterator[Finding]:
    for path in kept.scan():
        where = f"artifacts/{path.parent.name}/{path.name}"
        if path.is_symlink():
            yield Finding(where, "is a symbolic link")
            continue
        try:
            content = hashes.of_file(path)
        except OSError as error:
            yield Finding(where, f"cannot be read: {error.strerror}")
            continue
        if content != path.name or path.parent.name != path.name[:2]:
            yield Finding(where, f"does not hold what its name says; its SHA-256 is {content}")
