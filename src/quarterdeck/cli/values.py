"""What people type, read: instants, parameters, files of definitions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from quarterdeck.cli.session import Session
from quarterdeck.model.errors import InvalidInputError, Problem
from quarterdeck.model.instants import parse_instant
from quarterdeck.model.units import parse_duration

_EXAMPLE: Final = "for example --{} 2h, --{} 2026-11-22 or --{} 2026-11-22T06:00:00Z"


def period(
    session: Session, since: str | None, until: str | None = None
) -> tuple[datetime | None, datetime | None]:
    """Return both instants; one that cannot be read, lies ahead or stands the wrong way round is refused."""
    now = session.now()
    start = None if since is None else _instant("since", since, now)
    end = None if until is None else _instant("until", until, now)
    if start is not None and start > now:
        _refuse("since", f"{since} lies in the future")
    if start is not None and end is not None and start >= end:
        _refuse("since", f"{since} is not before --until {until}")
    return start, end


def _instant(option: str, text: str, now: datetime) -> datetime:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        if text[:1].isdecimal() and text[-1:] in "smhd":
            return now - parse_duration(text)
        return parse_instant(text)
    except (ValueError, OverflowError):
        _refuse(option, f"{text!r} is no instant")


def _refuse(option: str, text: str) -> NoReturn:
    raise InvalidInputError([Problem(option, f"{text}; {_EXAMPLE.replace('{}', option)}")])


def parameters(given: Sequence[str]) -> dict[str, str]:
    """Return the values of `--param NAME=VALUE`, each name once."""
    found: dict[str, str] = {}
    problems = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            words = f"{text!r} is not NAME=VALUE; for example --param day=2026-11-22"
            problems.append(Problem(f"parameters.{name}", words))
        elif name in found:
            problems.append(Problem(f"parameters.{name}", "is given twice"))
        found[name] = value
    if problems:
        raise InvalidInputError(problems)
    return found


def documents(session: Session, file: str) -> tuple[list[Mapping[str, Any]], str]:
    """Return the file's documents and the folder that its relative paths count from."""
    folder = Path.cwd() if file == "-" else Path(file).absolute().parent
    return session.services.ports.files.definitions(file), str(folder)


def one_document(session: Session, file: str, kind: str) -> tuple[dict[str, Any], str]:
    """Return the file's only document, of this kind, without its `type`; and its folder."""
    from quarterdeck.service.filing import only

    found, folder = documents(session, file)
    return only(found, kind), folder
