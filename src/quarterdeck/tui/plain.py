"""Plain text outside the application's screen, where the mouse can mark it; `PAGER` shows it if it is set."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.tui.shell import Shell


def show(app: Shell, lines: Sequence[str]) -> None:
    """Give the terminal away for these inert lines, and take it back after Enter."""
    failed = ""
    with app.suspend():
        try:
            _tell(lines)
        except (OSError, EOFError, KeyboardInterrupt) as error:  # nothing may leave this block
            failed = str(error) or "it was left"
    if failed:
        app.pages[-1].say(f"plain view: {failed}", "dim", keep=False)


def _tell(lines: Sequence[str]) -> None:
    pager = os.environ.get("PAGER", "").strip()
    text = "".join(f"{line}\n" for line in lines)
    if pager:
        subprocess.run(  # noqa: S603  # the user's own pager
            shlex.split(pager), input=text, text=True, errors="replace", check=False
        )
        return
    out = sys.__stdout__
    if out is None:
        return
    out.write(text + "-- Enter comes back --")
    out.flush()
    if sys.__stdin__ is not None:
        sys.__stdin__.readline()
