"""The workspaces and programs that benchmarks of the application are run on. Measuring is done elsewhere."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from quarterdeck.logs import FolderRunLogs
from quarterdeck.model.ids import RunId
from quarterdeck.model.logline import Cursor, LogChunk, LogLine
from quarterdeck.model.run import RunState
from tests.bench import windows
from tests.bench.lists import services
from tests.bench.pty_timer import SIZE, Terminal
from tests.bench.reference_app import text
from tests.support.quarterdeck import job, python, sql
from tests.support.stores import START, Clock

REFERENCE = str(Path(__file__).with_name("reference_app.py"))
SOURCE = "attempt1"
NEEDLE = "a-needle-at-ninety"
CHUNK = 20_000
LARGE = 512 * 1024 - 4_000  # bytes; what is typed stays below the limit of a text
EDITOR = r"SQL \*|Python \*"  # the tab of the text that is the draft's
ROWS = r"Job \d+ +(. \w+|never ran)"  # a row of the list in full


class Program(NamedTuple):
    """A command, what its useful screen shows, what tells of that in its output, and what its environment adds."""

    command: Sequence[str]
    ready: str
    hint: str = ""
    environ: Mapping[str, str] = {}
    size: tuple[int, int] = SIZE

    def start(self) -> Terminal:
        """Start it on a terminal; nothing is remembered of another start."""
        if "XDG_STATE_HOME" in self.environ:
            shutil.rmtree(self.environ["XDG_STATE_HOME"], ignore_errors=True)
        return Terminal(self.command, environ=self.environ, size=self.size)

    def open(self, wait_s: float = 1.0) -> Terminal:
        """Start it and wait for its useful screen, and until it is quiet."""
        terminal = self.start()
        try:
            terminal.until(self.ready)
            terminal.settle(0.3)
            terminal.run_for(wait_s)
        except BaseException:
            terminal.end()
            raise
        return terminal


def reference(*arguments: str) -> Program:
    """Return one of the smallest applications, its animations off."""
    ready = "sum|count" if arguments[0] == "editor" else "job-0000"
    command = [sys.executable, REFERENCE, *arguments]
    return Program(command, ready, ready, {"TEXTUAL_ANIMATIONS": "none"})


class Spaces:
    """Workspaces in a folder, made when they are first asked for."""

    def __init__(self, folder: Path, *, small: bool) -> None:
        self.folder = folder
        self.small = small
        self.lines = 20_000 if small else 1_000_000

    def ours(
        self,
        store: Path,
        *arguments: str,
        ready: str = ROWS,
        hint: str = r"Job \d",
        size: tuple[int, int] = SIZE,
    ) -> Program:
        """Return our application over a store."""
        environ = {
            "QUARTERDECK_STORE": str(store), "QUARTERDECK_ACTOR": "ana",
            "XDG_CONFIG_HOME": str(self.folder / "config"), "XDG_STATE_HOME": f"{store}.state",
        }  # fmt: skip
        return Program(
            [sys.executable, "-m", "quarterdeck", *arguments], ready, hint, environ, size
        )

    def jobs(self, count: int) -> Path:
        """Return a store of so many jobs, most of which ran once."""
        folder = self.folder / f"jobs{count}"
        if not folder.exists():
            windows.fill(folder, count, min(count, 10_000))
            services(folder).close()  # standings are made
        return folder

    @cached_property
    def texts(self) -> Path:
        """A store with jobs whose texts are long: `sql-100`, `sql-2000`, `python-2000`, `sql-large`."""
        folder = self.folder / "texts"
        windows.fill(folder, 20, 20)
        made = services(folder)
        texts = {
            "sql-100": ("sql", 100),
            "sql-2000": ("sql", 2_000),
            "python-2000": ("python", 2_000),
        }
        sources = {
            name: (sql if of == "sql" else python)(text(of, n)) for name, (of, n) in texts.items()
        }
        large = text("sql", 9_000).encode()[:LARGE].decode("utf-8", "ignore")
        sources["sql-large"] = sql(large)
        made.jobs.create([job(name, source=source) for name, source in sources.items()])
        made.close()
        return folder

    @cached_property
    def logs(self) -> tuple[Path, str]:
        """A store whose one run has a long log, and that run."""
        folder = self.folder / "logs"
        windows.fill(folder, 1, 0)
        self._put(folder, RunId("long1"), lines=self.lines)
        return folder, "long1"

    @cached_property
    def going(self) -> tuple[Path, str]:
        """A store with a run under way whose log another process keeps."""
        folder = self.folder / "going"
        windows.fill(folder, 1, 0)
        self._put(folder, RunId("going1"), lines=100)
        return folder, "going1"

    def _put(self, folder: Path, run_id: RunId, *, lines: int) -> None:
        made = services(folder)
        is_going = run_id == "going1"
        run = replace(
            windows.run_of(1, 1),
            id=run_id,
            draft=False,
            archived=not is_going,
            is_open=is_going,
            frozen_sha256=None,
        )
        if is_going:
            run = replace(
                run, state=RunState.RUNNING, reason=None, ended_at=None, started_at=START
            )
        else:
            run = replace(run, state=RunState.SUCCEEDED, reason=None, started_at=START)
        with made.ports.store.transaction("ana") as tx:
            tx.runs.put(run, seen=None)
        made.close()
        with FolderRunLogs(folder / "logs", Clock()).writer(run_id) as writer:
            assert writer is not None
            for first in range(1, lines + 1, CHUNK):
                writer.append(chunk(first, min(lines + 1, first + CHUNK), lines))

    @cached_property
    def plain(self) -> Path:
        """The long log as a file of text, for other viewers."""
        path = self.folder / "long.log"
        with path.open("w", encoding="utf-8") as file:
            for first in range(1, self.lines + 1, CHUNK):
                file.writelines(plain_lines(first, min(self.lines + 1, first + CHUNK), self.lines))
        return path


def chunk(first: int, end: int, total: int = 0) -> LogChunk:
    """Return lines `first` to `end` as a runner writes them."""
    lines = (
        LogLine(n, START + timedelta(milliseconds=n), "payload", "stdout", line(n, total))
        for n in range(first, end)
    )
    return LogChunk(SOURCE, tuple(lines), Cursor({SOURCE: end}))


def plain_lines(first: int, end: int, total: int = 0) -> Iterator[str]:
    """Yield the same lines as text."""
    for n in range(first, end):
        at = (START + timedelta(milliseconds=n)).isoformat(timespec="milliseconds")[:23]
        yield f"{at} {line(n, total)}\n"


def line(number: int, total: int = 0) -> str:
    """Return the text of a line: its number, and the needle where it is looked for."""
    about = NEEDLE if number == int(total * 0.9) and total else "stage 7 task 41 finished"
    return f"seq={number:08d} INFO user.code {about} rows=123456 took 17 ms {'x' * 8}"
