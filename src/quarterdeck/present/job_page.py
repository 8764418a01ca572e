"""One job, one draft, one version, one diff for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quarterdeck.present import columns, inert, tree
from quarterdeck.present.table import Cell, Line, Look, text

Document = Mapping[str, Any]


def lines(job: Document, look: Look) -> Iterator[Line]:
    """Yield the job with its live spec."""
    yield (Cell(inert.line(job["name"]), "head"), Cell(f"  {standing(job)}"))
    if job["description"]:
        yield from ((Cell(one),) for one in inert.block(job["description"]))
    yield ()
    shared = ", ".join(job["shared_teams"])
    rows = [
        ("team", job["team"] + (f", shared with {shared}" if shared else "")),
        ("type", job["type"]),
        ("schedule", columns.schedule(job)),
    ]
    for name, value in rows:
        if value:
            yield (Cell(f"{name:<10}", "head"), text(value))
    last = job["last_run"]
    if last is not None:
        at = columns.when(last["ended_at"] or last["started_at"], look)
        found = columns.state(last["state"], last["reason"], look)
        yield (Cell("last run  ", "head"), found, Cell("  "), at, Cell(f"  {last['id']}"))
    yield ()
    yield from tree.lines(job["spec"])
    options = [one for one in job["effective"] if one["from"] != "default"]
    if options:
        yield ()
        yield (Cell("effective engine settings", "head"),)
        for one in options:
            yield (
                text(f"  {one['option']} = {one['value']}"),
                Cell(f"  from {one['from']}", "dim"),
            )


def standing(job: Document) -> str:
    """Return `live v7 · draft v8 (not live)`."""
    draft = f" · draft v{job['draft_version']} (not live)" if job["draft_version"] else ""
    return f"live v{job['live_version']}{draft}"


def version(one: Document, look: Look) -> Iterator[Line]:
    """Yield a version or a draft with its spec."""
    based = f", based on v{one['based_on']}" if one["based_on"] else ""
    stale = " (no longer live: publish will be refused)" if one.get("stale") else ""
    head = f"v{one['number']} of {one['job']}"
    yield (text(head), Cell(f"  {one['state']}", "good" if one.get("live") else "busy"))
    yield (text(f"by {one['author']}, "), columns.when(one["at"], look), Cell(based + stale))
    if one.get("note"):
        yield (text(one["note"]),)
    yield ()
    yield from tree.lines(one["spec"])


def differences(found: Sequence[Document]) -> Iterator[Line]:
    """Yield what differs: one block for each path, texts line by line."""
    for one in found:
        yield (Cell(inert.line(one["path"]), "head"),)
        if one.get("lines"):
            for line in one["lines"][2:]:
                tone = {"+": "good", "-": "bad"}.get(line[:1], "dim")
                yield (Cell("  " + inert.line(line), tone),)
            continue
        yield (Cell("  - " + _value(one["a"]), "bad"),)
        yield (Cell("  + " + _value(one["b"]), "good"),)


def _value(value: object) -> str:
    return "(nothing)" if value is None else tree.plain(value)
