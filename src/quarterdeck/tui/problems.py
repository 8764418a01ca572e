"""From what was raised to what the reader sees: the whole error tree, each kind in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.model.errors import (
    ConflictError,
    InvalidInputError,
    NotAllowedError,
    NotFoundError,
    PrerequisiteError,
    QuarterdeckError,
    UnreachableError,
)
from quarterdeck.present import ages, inert
from quarterdeck.present.table import Cell, Line

if TYPE_CHECKING:
    from collections.abc import Iterator


TITLES = {
    InvalidInputError: "To fix",
    NotAllowedError: "Not allowed",
    NotFoundError: "Not there",
    ConflictError: "Conflict",
    PrerequisiteError: "Something is missing",
    UnreachableError: "No answer",
}


def here(text: str) -> str:
    """Return a sentence of the service, inert, with its instants in the zone of this machine."""
    return inert.line(ages.localised(text, None))


def lines(error: BaseException) -> Iterator[Line]:
    """Yield message, every problem by its path, and advice."""
    if not isinstance(error, QuarterdeckError):
        yield (Cell(f"{type(error).__name__}: {inert.line(str(error))}"),)
        return
    found = getattr(error, "problems", None) or error.facts.get("problems") or []
    if len(found) > 1:
        yield (Cell(f"{len(found)} things to fix:"),)
        for one in found:
            path = f"{inert.line(one.path)}: " if one.path else ""
            yield (Cell(f"  {path}", "head"), Cell(here(one.message)))
    else:
        yield (Cell(here(error.message)),)
    for name in error.facts.get("used_by", ()):
        yield (Cell(f"  used by {inert.line(str(name))}"),)
    if error.advice:
        yield ()
        yield (Cell(here(error.advice), "key"),)


def title(error: BaseException) -> str:
    """Return what kind of trouble it is."""
    for kind, text in TITLES.items():
        if isinstance(error, kind):
            return text
    return "The store says no" if isinstance(error, QuarterdeckError) else "A defect of ours"


def brief(error: BaseException) -> str:
    """Return message and advice in one inert line."""
    if isinstance(error, QuarterdeckError):
        return here(f"{error.message} {error.advice}".strip())
    return inert.line(f"{type(error).__name__}: {error}")
