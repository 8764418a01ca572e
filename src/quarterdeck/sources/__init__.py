"""Reads what lies outside the store: files, wheels, definition files. What they mean: `model`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quarterdeck.sources import path as paths

if TYPE_CHECKING:
    from quarterdeck.ports.files import EntryFacts, WheelFacts


class LocalFiles:
    """This machine's files, as port `Files` says; readers of wheels and YAML load at first use."""

    def read(self, path: str, *, roots: Sequence[str], limit: int) -> bytes:
        """Return the file's bytes; UnreadableError says why it cannot be had."""
        return paths.read(path, roots=roots, limit=limit)

    def wheel(self, content: bytes, file_name: str) -> WheelFacts:
        """Read a wheel; UnreadableError says in what it is damaged."""
        from quarterdeck.sources import wheel  # only for wheels

        return wheel.read(content, file_name)

    def entry(self, content: bytes, entry_point: str) -> EntryFacts:
        """Return what the wheel's source says of `module:function`."""
        from quarterdeck.sources import entry  # only for wheels

        return entry.look_at(content, entry_point)

    def tags(self) -> Sequence[str]:
        """Return the wheel tags that this machine's Python takes, best first."""
        from quarterdeck.sources import wheel  # only for wheels

        return wheel.tags()

    def definitions(self, path: str) -> list[Mapping[str, Any]]:
        """Parse a YAML or JSON file (`-`: standard input); InvalidInputError names the line."""
        from quarterdeck.sources import documents  # only for definition files

        return documents.load(path, sys.stdin.buffer)
