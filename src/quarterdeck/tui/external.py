"""A text in the user's own editor, while the screen is theirs."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.tui.shell import Shell


def edit(app: Shell, text: str, suffix: str) -> tuple[str | None, str]:
    """Open the text in `$VISUAL` or `$EDITOR`; return what came back (None: nothing did) and what to say.

    The file holds the text byte for byte, in UTF-8, and is for its owner alone.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    descriptor, name = tempfile.mkstemp(prefix="quarterdeck-", suffix=suffix)
    path = Path(name)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode("utf-8", "surrogatepass"))
    told, back = "", None
    with app.suspend():
        try:
            done = subprocess.run([*shlex.split(command), name], check=False)  # noqa: S603  # the user's own editor
            if done.returncode:
                told = (
                    f"{command} ended with exit code {done.returncode}; the text here is as it was"
                )
            else:
                back = path.read_bytes().decode("utf-8")
        except (OSError, ValueError, KeyboardInterrupt) as error:  # nothing may leave this block
            told = f"{command}: {error}; the text here is as it was"
    if back is not None:
        path.unlink(missing_ok=True)
        return back, f"back from {command}"
    return None, f"{told}; what you typed there is in {path}"
