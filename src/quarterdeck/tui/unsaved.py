"""Texts that cannot be saved any more, because what they belong to is gone: into files, and said where."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from quarterdeck import config

if TYPE_CHECKING:
    from quarterdeck.tui.shell import Shell

FOLDER: Final = "unsaved"  # in the state folder


def keep_in_files(shell: Shell, key: tuple[str, str], name: str, texts: Mapping[str, str]) -> None:
    """Write the texts of what was called `name` and say where; on a thread.

    `key` is where the process keeps what was typed: it is forgotten then. What cannot be written stays there.
    """
    try:
        paths = write_files(name, texts)
    except OSError as error:
        shell.left_unsaved(f"{name} is gone, and your text could not be written: {error}")
        return
    shell.typed.pop(key, None)
    home = str(Path.home())
    named = [re.sub(rf"^{re.escape(home)}(?=/)", "~", str(path)) for path in paths]
    shell.left_unsaved(f"{name} is gone; your text is in {' and '.join(named)}")


def write_files(job: str, texts: Mapping[str, str]) -> list[Path]:
    """Write each text, byte for byte, into a file of its own for its owner alone; return them. Raises OSError.

    Their names begin with the job's and end as the keys say; no file that is there is replaced.
    """
    folder = config.state_folder(os.environ) / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]", "_", job).strip(".")[:100] or "draft"
    return [_written(folder, stem, end, text) for end, text in texts.items()]


def _written(folder: Path, stem: str, end: str, text: str) -> Path:
    number = 1
    while True:
        path = folder / (f"{stem}{end}" if number == 1 else f"{stem}-{number}{end}")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8", "surrogatepass"))
            file.flush()
            os.fsync(file.fileno())
        return path
