"""What is kept of a text that is not saved: plain data for whoever comes back, files where the job is gone."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from quarterdeck import config
from quarterdeck.model.draft import Seen
from quarterdeck.model.job import Mark
from quarterdeck.tui.screens.draft.protocol import Unsaved

FOLDER: Final = "unsaved"  # in the state folder


def to_document(unsaved: Unsaved) -> dict[str, Any]:
    """Return it as plain data."""
    seen = unsaved.seen
    return {
        "spec": dict(unsaved.spec), "aside": unsaved.aside, "rev": unsaved.rev,
        "seen": None if seen is None else [seen.spec, seen.based_on, seen.aside],
        "mark": [unsaved.mark.session, unsaved.mark.edits],
    }  # fmt: skip


def from_document(document: Any) -> Unsaved | None:
    """Return what was kept; None for nothing, or for what another version kept in another way."""
    if not isinstance(document, Mapping) or not isinstance(document.get("spec"), Mapping):
        return None
    try:
        seen, mark = document.get("seen"), document.get("mark")
        return Unsaved(
            document["spec"], str(document.get("aside", "")),
            None if seen is None else Seen(str(seen[0]), int(seen[1]), str(seen[2])),
            int(document.get("rev", 0)), Mark(str(mark[0]), int(mark[1])) if mark else Mark(),
        )  # fmt: skip
    except (TypeError, ValueError, IndexError, KeyError):
        return None


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


def words_of(job: str, paths: list[Path]) -> str:
    """Return where the texts of a job are, a home folder written ~."""
    home = str(Path.home())
    named = [re.sub(rf"^{re.escape(home)}(?=/)", "~", str(path)) for path in paths]
    return f"{job} is gone; your text is in {' and '.join(named)}"
