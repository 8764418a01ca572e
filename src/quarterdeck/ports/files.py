"""What the service asks of files that lie outside the store. Implementation: `sources`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


class UnreadableError(Exception):
    """The file cannot be had: `str()` says which, as whom, and the system's own words."""


@dataclass(frozen=True, slots=True)
class WheelFacts:
    """What a wheel says of itself: name, version, tags, entry points (`name = module:function`), requires.

    `requires_python` is a range of versions (`>=3.12`), empty for any.
    """

    name: str
    version: str
    tags: tuple[str, ...]
    entry_points: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    requires_python: str = ""


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """What is said against an entry point, in words: a `flaw`, it cannot be called; a `doubt`. Empty: nothing."""

    flaw: str = ""
    doubt: str = ""


class Files(Protocol):
    """Read-only; every path is absolute and confined to `roots` when there are any."""

    def read(self, path: str, *, roots: Sequence[str], limit: int) -> bytes:
        """Return the file's bytes; UnreadableError (missing, forbidden, a folder, over `limit`, outside)."""
        ...

    def wheel(self, content: bytes, file_name: str) -> WheelFacts:
        """Read a wheel; UnreadableError says in what it is damaged."""
        ...

    def entry(self, content: bytes, entry_point: str) -> EntryFacts:
        """Return what the source of a wheel that was read says of `module:function`; nothing is imported."""
        ...

    def tags(self) -> Sequence[str]:
        """Return the wheel tags that this machine's Python takes, best first."""
        ...

    def definitions(self, path: str) -> list[Mapping[str, Any]]:
        """Parse a YAML or JSON file (`-`: standard input) of one or several documents; InvalidInputError."""
        ...
