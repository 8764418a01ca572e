"""SHA-256 of bytes and of files. OpenSSL is loaded when the first one is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Final

_BLOCK: Final = 1024 * 1024


def of_bytes(content: bytes) -> str:
    """Return the SHA-256 of `content` in 64 hex digits."""
    import hashlib  # a list of jobs needs none

    return hashlib.sha256(content).hexdigest()


def of_file(path: Path) -> str:
    """Return the SHA-256 of a file's content in 64 hex digits."""
    with path.open("rb") as file:
        return of_stream(file)


def of_stream(stream: IO[bytes]) -> str:
    """Return the SHA-256 of what can be read from `stream` on, in 64 hex digits."""
    import hashlib

    found = hashlib.sha256()
    while block := stream.read(_BLOCK):
        found.update(block)
    return found.hexdigest()
