"""A command typed at a terminal: what only a person sees and is asked."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.quarterdeck import Quarterdeck


def environ(deck: Quarterdeck, *, edit: str) -> dict[str, str]:
    """Return the environment of somebody whose editor makes this `sed` edit."""
    editor = deck.folder / "editor.sh"
    editor.write_text(f"#!/bin/sh\nsed -i '{edit}' \"$1\"\n")
    editor.chmod(0o700)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**deck.environ(), "PATH": path, "EDITOR": str(editor), "VISUAL": ""}


def typed(
    deck: Quarterdeck, command: str, *, edit: str = "", says: str = "y",
    meanwhile: Callable[[], object] | None = None,
) -> tuple[int, str]:  # fmt: skip
    """Type the command, and `says` for whatever asks; return its exit code and what was to be seen.

    `meanwhile` is done while a question stands there; without it the answer is typed ahead.
    """
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=theirs, stdout=theirs, stderr=theirs, cwd=deck.folder,
        env=environ(deck, edit=edit), start_new_session=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        if meanwhile is not None:
            while not shown.endswith(b"[y/N] ") and (chunk := _read(ours)):
                shown += chunk
            meanwhile()
        os.write(ours, says.encode() + b"\n")
        while chunk := _read(ours):
            shown += chunk
        os.close(ours)
        return process.wait(timeout=60), shown.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # nobody holds the other end any more
        return b""
