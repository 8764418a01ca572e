"""Reports of defects of ours, kept where only their owner reads them. Who shows them: `cli.exits`, `app`."""

from __future__ import annotations

import os
import tempfile
from typing import Final

from quarterdeck import config

_SECRET_WORDS: Final = ("SECRET", "TOKEN", "PASSWORD", "PASSWD", "KEY", "CREDENTIAL")
_LEAST: Final = 6  # shorter values are no secrets, and are in every text


def keep(trace: str) -> str:
    """Save the trace in the state folder, or where temporary files are, and return its path.

    Values of the environment's variables with names like TOKEN are masked; it holds no values of local variables.
    """
    for name, value in os.environ.items():
        if len(value) >= _LEAST and any(word in name.upper() for word in _SECRET_WORDS):
            trace = trace.replace(value, f"<value of {name}>")
    folder = config.state_folder(os.environ) / "defects"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, path = tempfile.mkstemp(prefix="defect-", suffix=".txt", dir=folder)
    except OSError:  # no home to write to
        descriptor, path = tempfile.mkstemp(prefix="quarterdeck-defect-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(trace)
    return path
