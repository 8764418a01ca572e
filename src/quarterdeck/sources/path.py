"""Reads one regular file by its absolute path, within the allowed folders. Not what is in it."""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections.abc import Sequence
from pathlib import Path

from quarterdeck.ports.files import UnreadableError


def read(path: str, *, roots: Sequence[str], limit: int) -> bytes:
    """Return the file's bytes, at most `limit`; where links lead is held against `roots`.

    UnreadableError names the path, the user that we are, and the system's own words.
    """
    if "\0" in path or not path.startswith("/"):
        raise UnreadableError(f"{path!r} is not an absolute path; write it from the root, /…")
    try:
        resolved = Path(path).resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: a circle of links
        raise UnreadableError(f"{path}: {_words(error)} (as user {user_name()})") from error
    allowed = [Path(root).resolve() for root in roots]
    if allowed and not any(resolved.is_relative_to(root) for root in allowed):
        outside = path if str(resolved) == path else f"{path} (that is {resolved})"
        raise UnreadableError(f"{outside} lies outside the allowed folders: {', '.join(roots)}")
    return read_regular(str(resolved), path, limit)


def read_regular(path: str, shown: str, limit: int) -> bytes:
    """Return the bytes of a regular file, called `shown` in errors; never waits on a pipe."""
    try:
        # The path was resolved: a link that stands there now was put there meanwhile.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise UnreadableError(f"{shown} is {_kind(facts.st_mode)}, not a file")
            if facts.st_size > limit:
                raise _too_large(shown, facts.st_size, limit)
            content = file.read(limit + 1)
    except OSError as error:
        if error.errno == errno.EISDIR:
            raise UnreadableError(f"{shown} is a folder, not a file") from error
        text = f"{shown} cannot be read as user {user_name()}: {_words(error)}"
        raise UnreadableError(text) from error
    if len(content) > limit:  # it grew while it was read
        raise _too_large(shown, len(content), limit)
    return content


def user_name() -> str:
    """Return the name of the user that we run as, or its number if it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _too_large(shown: str, size: int, limit: int) -> UnreadableError:
    return UnreadableError(f"{shown} has {size:,} bytes; at most {limit:,} are read")


def _words(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
