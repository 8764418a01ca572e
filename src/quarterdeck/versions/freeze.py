"""Build the frozen spec from what was resolved, and its SHA-256. Reading what is outside: `service.freezing`.

The frozen spec holds nothing of one run (no run id, attempt, trigger, actor, tick), so that an exact re-run has
the same hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from quarterdeck.model.codec import to_document
from quarterdeck.model.errors import Problem
from quarterdeck.model.job import Definition
from quarterdeck.model.limits import FROZEN_BYTES
from quarterdeck.ports.executor import Place
from quarterdeck.versions import effective

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Resolved:
    """Everything that a spec refers to, read at dispatch. `source` is complete but for what is in files."""

    job: str
    version: int | None
    spec: Mapping[str, Any]
    source: Mapping[str, Any]
    profile: Definition
    cluster: Definition
    catalogs: tuple[Definition, ...]
    place: Place


def freeze(resolved: Resolved) -> tuple[bytes, str]:
    """Return the frozen spec's canonical bytes and their SHA-256."""
    profile, cluster, spec = resolved.profile, resolved.cluster, resolved.spec
    document = {
        "format": FORMAT,
        "job": resolved.job,
        "version": resolved.version,
        "source": resolved.source,
        "profile": {"name": profile.name, "revision": profile.revision, **profile.body},
        "cluster": {
            "name": cluster.name,
            "revision": cluster.revision,
            "kind": cluster.body["kind"],
        },
        "catalogs": [
            {"name": c.name, "revision": c.revision, **c.body} for c in resolved.catalogs
        ],
        "parameters": spec["parameters"],
        "settings": effective.settings(profile.body, spec),
        "env": effective.environment(profile.body, spec),
        "timeout_s": spec["timeout"],
        "limits": spec["limits"],
        "retry": spec["retry"],
        "place": to_document(resolved.place),
    }
    content = canonical(document)
    return content, digest(content)


def canonical(document: Any) -> bytes:
    """Return JSON with sorted keys and no blanks: one text for one value."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(content: bytes) -> str:
    """Return the SHA-256 of `content` in lower-case hex."""
    import hashlib  # 3 MiB: a terminal where nothing is started needs none

    return hashlib.sha256(content).hexdigest()


def digest_of(content: BinaryIO) -> str:
    """Return the same of a file, read piece by piece."""
    import hashlib

    found = hashlib.sha256()
    for block in iter(lambda: content.read(1024 * 1024), b""):
        found.update(block)
    return found.hexdigest()


def problems(content: bytes) -> list[Problem]:
    """Return why a frozen spec cannot be carried, if it cannot."""
    if len(content) <= FROZEN_BYTES:
        return []
    text = f"the frozen spec has {len(content):,} bytes; at most {FROZEN_BYTES:,} can be carried"
    return [Problem("spec", text)]
