"""`edit` without a file: the text in `$EDITOR`, again with its problems on top until it is right or given up."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from quarterdeck.cli.session import Session
from quarterdeck.model.errors import (
    InvalidInputError,
    PrerequisiteError,
    Problem,
    QuarterdeckError,
)
from quarterdeck.present.file_text import to_yaml, with_ends_of, with_lf
from quarterdeck.service.filing import only

T = TypeVar("T")
_MARK: Final = "#! "


def edit(
    session: Session,
    kind: str,
    name: str,
    document: Callable[[], Mapping[str, Any]],
    save: Callable[[dict[str, Any]], T],
) -> T | None:
    """Open `document` in the editor and save what comes back; None when nothing was changed.

    Texts come back byte for byte; one whose lines end in CRLF is shown with LF and gets them again. What cannot be
    saved stays in a file whose path is said.
    """
    session.demand_writable(f"editing {kind} {name}")
    if not session.is_interactive():
        text = "is needed where there is no terminal: -f FILE, or -f - for standard input"
        raise InvalidInputError([Problem("file", text)])
    given = document()
    before = to_yaml(with_lf(given)).encode()
    descriptor, path = tempfile.mkstemp(prefix=f"{kind}-", suffix=".yaml")
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(before)

    def save_again(edited: dict[str, Any]) -> T:
        return save(with_ends_of(given, edited))

    try:
        saved = _rounds(session, kind, Path(path), before, save_again)
    except BaseException:
        session.out.note(f"What you typed is kept in {path}")
        raise
    Path(path).unlink()
    if saved is None:
        session.out.note("Nothing was changed.")
    return saved


def _rounds(
    session: Session, kind: str, path: Path, before: bytes, save: Callable[[dict[str, Any]], T]
) -> T | None:
    refused = b""
    while True:
        _open(path)
        text = _bare(path.read_bytes())
        if text == before:
            return None
        try:
            return save(only(session.services.ports.files.definitions(str(path)), kind))
        except InvalidInputError as error:
            if text == refused:  # left as it was: given up
                raise
            refused = text
            path.write_bytes(_with_problems(error, text))


def _bare(text: bytes) -> bytes:
    return b"\n".join(one for one in text.split(b"\n") if not one.startswith(_MARK.encode()))


def _with_problems(error: QuarterdeckError, text: bytes) -> bytes:
    problems = getattr(error, "problems", [])
    lines = [
        f"{_MARK}{one.path}: {one.message}" if one.path else f"{_MARK}{one.message}"
        for one in problems
    ]
    lines.append(f"{_MARK}Fix it and save; leave it as it is to give up (the text is kept).")
    return "\n".join(lines).encode() + b"\n" + text


def _open(path: Path) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        done = subprocess.run([*shlex.split(command), str(path)], check=False)  # noqa: S603  # the user's own editor
    except OSError as error:
        raise PrerequisiteError(
            f"The editor {command} cannot be started: {error.strerror}.",
            advice="Set EDITOR, or use -f FILE.",
        ) from error
    if done.returncode != 0:
        raise PrerequisiteError(
            f"The editor {command} ended with exit code {done.returncode}; nothing was saved.",
            advice="Open the file again, or give it with -f.",
        )
