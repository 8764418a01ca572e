"""Writes a file outside of the store: beside its place first, so that there is never half of it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from quarterdeck.model.errors import StoreFaultError

_NOT_IN_NAMES: Final = str.maketrans("/\0", "__")


class Saved(NamedTuple):
    """What was written: where, how many lines (gaps among them), how many bytes."""

    path: Path
    lines: int
    bytes: int


def file_name(job: str, run: str) -> str:
    """Return the name of the file for a run's log."""
    return f"{job.translate(_NOT_IN_NAMES)}-{run}.log"


def save(path: Path, lines: Iterable[bytes]) -> Saved:
    """Write lines to a file that is not there yet; StoreFaultError if it is, or cannot be written.

    It gets its name when all of it is on the disk. Who is ended before leaves a file whose name begins with a dot
    and ends in `.part`.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    count = size = 0
    try:
        if path.exists() or path.is_symlink():
            raise FileExistsError  # noqa: TRY301  # as `link` would say it in the end
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for line in lines:
                file.write(line)
                count, size = count + 1, size + len(line)
            file.flush()
            os.fsync(file.fileno())
        _name(part, path)
    except FileExistsError as error:
        raise StoreFaultError(
            f"{path} is there already, and it is not replaced.",
            advice="Name another file, or remove that one.",
        ) from error
    except OSError as error:
        raise StoreFaultError(
            f"{path} cannot be written: {error.strerror}.", advice="Name another file."
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()
    return Saved(path, count, size)


def _name(part: Path, path: Path) -> None:
    """Give the file its name, unless another has it meanwhile."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if path.exists():
            raise FileExistsError from None
        part.rename(path)
