"""Checking a store: database, head, rows, documents, version numbers, audit chain, artifacts. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from typing import Any

from quarterdeck.model.errors import QuarterdeckError
from quarterdeck.model.job import version_id
from quarterdeck.ports.store import Backend, Finding, Where
from quarterdeck.store import audit, hashes, scan, standings, sums
from quarterdeck.store.artifacts import ArtifactFolder
from quarterdeck.store.database import Database
from quarterdeck.store.indexes import FORMAT, noun

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
    lost: set[str] = set()
    checks: list[Check] = [
        lambda one: _documents(one, decoders), lambda one: _versions(one, lost), _drafts,
        standings.findings, _frozen, lambda one: audit.broken(one.scan(audit.TABLE), lost),
    ]  # fmt: skip
    if isinstance(backend, Database) and not damage:
        # The head is read before the database: others may write meanwhile.
        found += [Finding("database", what) for what in _read(lambda: _words(backend.unlike_head))]
    with backend.one_view():
        found += database(backend)
        with suppress(QuarterdeckError):  # said already
            lost |= audit.losses(backend)
        for check in checks:
            found += _checked(backend, check)
        found += _checked(backend, lambda one: missing_artifacts(one, kept, lost))
    return found + artifact_findings(kept)


def database(backend: Backend) -> list[Finding]:
    """Return what is wrong with the database below the documents: its pages, rows, sum and head."""
    if not isinstance(backend, Database):
        return []
    found = [Finding("database", text) for text in _read(backend.integrity)]
    return [*found, *_checked(backend, _sums)]


def _sums(backend: Backend) -> Iterator[Finding]:
    """Yield what the sum of all rows and their hashes tell."""
    if not isinstance(backend, Database) or backend.format < FORMAT:
        return
    totals = backend.read_totals()
    if what := totals.flaw():
        yield Finding("database", what)
    total = 0
    for row in every_row(backend):
        total = (total + sums.number(row.sha256)) % sums.ALL
        if what := row.flaw:
            yield Finding(row.where, what)
    if total != totals.total:
        yield Finding(
            "database", "its rows do not add up: some are missing, or older ones were put back"
        )


def changed_rows(backend: Backend) -> list[Finding]:
    """Return the rows that are not as they were written, with both hashes."""
    if not isinstance(backend, Database) or backend.format < FORMAT:
        return []
    return [Finding(row.where, what) for row in every_row(backend) if (what := row.flaw)]


def every_row(backend: Database) -> Iterator[scan.RawRow]:
    """Yield every row and every record of a deletion, as bytes."""
    yield from scan.gone(backend.execute)
    for table in scan.tables(backend.execute):
        yield from scan.rows(backend.execute, table)


def _read(read: Callable[[], list[str]]) -> list[str]:
    try:
        return read()
    except QuarterdeckError as error:
        return [f"cannot be read: {error.message}"]


def _words(tell: Callable[[], str]) -> list[str]:
    return [text for text in (tell(),) if text]


def _checked(backend: Backend, check: Check) -> Iterator[Finding]:
    """Yield what `check` finds; where the damage stops it, that is the last finding."""
    try:
        yield from check(backend)
    except QuarterdeckError as error:
        yield Finding("database", f"cannot be read further: {error.message}")
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        # a document is not what it should be
        yield Finding("database", f"cannot be read further: {type(error).__name__}: {error}")


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


def _versions(backend: Backend, lost: Container[str]) -> Iterator[Finding]:
    for job in backend.scan("jobs"):
        last = int(job.body["next_number"]) - 1
        live = job.body["live_version"]
        if not 1 <= live <= last:
            yield Finding(f"jobs/{job.id}", f"its live version {live} is not among 1 to {last}")
        for number in range(1, last + 1):
            known = version_id(job.body["id"], number)
            if backend.get("versions", known) is not None:
                continue
            if f"versions/{known}" not in lost:
                yield Finding(f"jobs/{job.id}", f"version {number} of {last} is missing")
            elif number == live:
                what = f"its live version {live} was lost in a repair: activate another"
                yield Finding(f"jobs/{job.id}", what)
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


def references(backend: Backend) -> Iterator[tuple[str, str]]:
    """Yield each artifact that a document refers to, by its SHA-256, and which document that is."""
    for row in backend.scan("runs"):
        if row.body.get("result_sha256"):
            yield row.body["result_sha256"], f"run {row.id}"
    for row in backend.scan("frozen"):
        kept = json.loads(row.body["spec"])
        source = kept.get("source") or {} if isinstance(kept, dict) else {}  # a draft's other text
        if "file" in source:
            yield source["sha256"], f"frozen spec {row.id}"


def missing_artifacts(
    backend: Backend, kept: ArtifactFolder, lost: Container[str]
) -> Iterator[Finding]:
    """Yield the artifacts that a document refers to and that are not there, but those that are known as lost."""
    known = {path.name for path in kept.scan()}
    for sha256, who in references(backend):
        where = f"artifacts/{sha256[:2]}/{sha256}"
        if sha256 not in known and where not in lost:
            known.add(sha256)
            yield Finding(where, f"is missing; {who} refers to it")


def artifact_findings(kept: ArtifactFolder) -> list[Finding]:
    """Return the artifacts that are not what their names say."""
    return list(_artifacts(kept))


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
