"""What is remembered of a session in the state folder: the place that somebody was at, the theme, what was copied.

Jobs, drafts and runs are in the store, not here.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from quarterdeck import config

PAUSE_S: Final = 0.3
"""The thread writes at most once in this time."""
FRESH: Final = timedelta(hours=24)
CLIPBOARD: Final = "clipboard.txt"


def place_file(store: Path, actor: str) -> Path:
    """Return the file that holds where this actor was in this store."""
    whose = f"{store}\0{actor}".encode(errors="surrogateescape")
    key = (
        f"{zlib.crc32(whose):08x}{zlib.adler32(whose):08x}"  # hashlib would take 3 MiB, for a name
    )
    return config.state_folder(os.environ) / "places" / f"{key}.json"


def read(path: Path, now: datetime) -> dict[str, Any]:
    """Return the document that was kept within the last 24 hours; empty for none that can be read."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        at = datetime.fromisoformat(kept["at"])
        document = kept["document"]
        if not timedelta(0) <= now - at < FRESH or not isinstance(document, dict):
            return {}
    except (OSError, ValueError, KeyError, TypeError):  # none, half a disk, or another version's
        return {}
    return document


class Keeper:
    """Writes the newest document that it was given, on a thread of its own.

    `clock` gives aware times; `failed` is told once, on that thread, when the state folder cannot be written.
    """

    def __init__(
        self, path: Path, clock: Callable[[], datetime], failed: Callable[[str], None]
    ) -> None:
        self._path = path
        self._clock = clock
        self._failed = failed
        self._given: Mapping[str, Any] = {}
        self._written: Mapping[str, Any] = {}
        self._is_new = threading.Event()
        self._is_closed = threading.Event()
        self._thread: threading.Thread | None = None

    def keep(self, document: Mapping[str, Any]) -> None:
        """Take a document of plain data, not changed afterwards; nothing happens if it is the last one again."""
        if document == self._given:
            return
        self._given = document
        self._is_new.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="places", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Write what is not written yet; waits for one second at most."""
        self._is_closed.set()
        self._is_new.set()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def _work(self) -> None:
        told = is_last = False
        while not is_last:
            self._is_new.wait()
            self._is_new.clear()
            is_last = self._is_closed.is_set()
            try:
                self._write(self._given)
            except OSError as error:
                if not told:
                    told = True
                    self._failed(f"where you are is not remembered: {error}")
            self._is_closed.wait(PAUSE_S)

    def _write(self, document: Mapping[str, Any]) -> None:
        if document != self._written:
            kept = {"at": self._clock().isoformat(), "document": document}
            write(self._path, json.dumps(kept))
            self._written = document


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all, for its owner alone, its folders too. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        Path(draft).replace(path)
    except OSError:
        Path(draft).unlink(missing_ok=True)
        raise


def write_clipboard(text: str) -> Path:
    """Keep what was copied in a file, for terminals that take no text from us; return its path. Raises OSError."""
    path = config.state_folder(os.environ) / CLIPBOARD
    write(path, text)
    return path


def write_theme(name: str) -> bool:
    """Keep the theme for the next start; return whether it will be taken then: `config.toml` goes before it.

    Raises OSError, and InvalidInputError for a `config.toml` that cannot be read.
    """
    write(config.state_folder(os.environ) / config.CHOSEN_THEME, f"{name}\n")
    return not config.names_theme(os.environ)
