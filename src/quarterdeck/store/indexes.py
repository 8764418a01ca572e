"""Tables, their declared fields and indexes, and the numbers of the file format. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Indexes = Mapping[str, tuple[tuple[str, ...], ...]]

APPLICATION_ID: Final = 0x51444B31  # "QDK1" in the database's header
FORMAT: Final = 2  # PRAGMA user_version; a greater one is refused, a smaller one migrated

# A field named in an index is declared: it may be filtered and ordered by. `id` ends every index
# that does not name it, so a filtered page comes in the order of ids without sorting. An index
# with `id` in it holds all else that the table is filtered by: a filter that no other index fits
# reads this one alone, never a body.
INDEXES: Final[Indexes] = {
    "workspace": (),
    "definitions": (("kind", "name_key"), ("name_key",), ("team",)),
    "revisions": (("definition",),),
    "jobs": (("name_key",), ("team",)),
    "versions": (("job",),),
    "drafts": (),
    "runs": (
        ("job",),
        ("job", "state"),
        ("job", "draft"),
        ("state",),
        ("state", "draft"),
        ("is_open",),
        ("queued_at",),
        ("retry_of",),
        ("exact_of",),
        ("frozen_sha256",),
        ("draft", "id", "job", "state", "reason", "actor"),
        (
            "id", "job", "state", "draft", "version", "trigger", "actor", "team", "reason",
            "cluster", "is_open", "queued_at",
        ),
    ),
    "standings": (
        ("rank", "id", "attention", "readers", "team", "text"),
        ("by_name", "id", "attention", "readers", "team", "text"),
        ("by_state",),
        ("by_last_run",),
        ("team", "by_name"),
    ),
    "frozen": (),
    "leases": (),
    "clocks": (),
    "audit": (("subject",), ("actor",), ("id", "seq", "action", "team", "at")),
}  # fmt: skip

NOUNS: Final[Mapping[str, str]] = {
    "definitions": "definition",
    "revisions": "revision",
    "jobs": "job",
    "versions": "version",
    "drafts": "draft",
    "runs": "run",
    "standings": "standing",
    "frozen": "frozen spec",
    "leases": "lease",
    "clocks": "clock",
    "audit": "audit record",
}


def noun(table: str) -> str:
    """Return what one document of `table` is called."""
    return NOUNS.get(table, table)


def declared(indexes: Indexes, table: str) -> tuple[str, ...]:
    """Return the declared fields of `table`, each once, without `id`."""
    named = (field for index in indexes.get(table, ()) for field in index)
    return tuple(dict.fromkeys(field for field in named if field != "id"))
