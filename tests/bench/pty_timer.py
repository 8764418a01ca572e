"""A program on a terminal of its own, timed from outside: what it writes is kept with its times.

Screens are rebuilt later: nothing is emulated while a time is taken. What is measured, and beside what, is in
`tui` and its parts.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import statistics
import struct
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import pyte

SIZE: Final = (80, 24)
QUIET_S: Final = 0.05  # a redraw is over when nothing came for so long
KEYS: Final = {
    "down": b"\x1b[B", "up": b"\x1b[A", "pagedown": b"\x1b[6~", "home": b"\x1b[H", "end": b"\x1b[F",
    "enter": b"\r", "escape": b"\x1b", "space": b" ", "ctrl+q": b"\x11", "ctrl+end": b"\x1b[1;5F", "f3": b"\x1bOR",
}  # fmt: skip
_ANSWERS: Final = (
    (re.compile(rb"\x1b\[0?c"), b"\x1b[?62;22c"),
    (re.compile(rb"\x1b\[6n"), b"\x1b[1;1R"),
    (re.compile(rb"\x1b\[\?2026\$p"), b"\x1b[?2026;2$y"),
    (re.compile(rb"\x1b\[\?2048\$p"), b"\x1b[?2048;0$y"),
    (re.compile(rb"\x1b\]10;\?(?:\x07|\x1b\\)"), b"\x1b]10;rgb:dddd/dddd/dddd\x1b\\"),
    (re.compile(rb"\x1b\]11;\?(?:\x07|\x1b\\)"), b"\x1b]11;rgb:1111/1111/1111\x1b\\"),
)
"""What programs ask a terminal, and what it says; some wait for it."""
_STEERING: Final = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]"
)
_FOREIGN: Final = re.compile(
    rb"\x1b\[[<=>][0-9;:]*[@-~]|\x1b\[\??[0-9;]*\$p|\x1b\[[0-9;]*t|\x1b[P^_X][^\x1b]*\x1b\\"
)
"""What pyte would print as text."""


class Chunk(NamedTuple):
    """What came at once; `at` in seconds since the start of the program."""

    at: float
    data: bytes


class Usage(NamedTuple):
    """Seconds of processor, and MiB resident, of a program and all it started."""

    cpu_s: float
    rss_mib: float


class _Screen(pyte.Screen):
    """A screen that scrolls when told to, as curses programs do."""

    def scroll_up(self, count: int = 1, **_: Any) -> None:
        self._scroll(count, self.index, last=True)

    def scroll_down(self, count: int = 1, **_: Any) -> None:
        self._scroll(count, self.reverse_index, last=False)

    def _scroll(self, count: int, move: Callable[[], None], *, last: bool) -> None:
        top, bottom = self.margins or (0, self.lines - 1)
        kept, self.cursor.y = self.cursor.y, bottom if last else top
        for _ in range(min(count or 1, self.lines)):
            move()
        self.cursor.y = kept


class _Stream(pyte.ByteStream):
    csi = pyte.ByteStream.csi | {"S": "scroll_up", "T": "scroll_down"}  # as pyte's
    events = pyte.ByteStream.events | {"scroll_up", "scroll_down"}


class Replay:
    """The screen, rebuilt chunk by chunk."""

    def __init__(self, size: tuple[int, int] = SIZE) -> None:
        self._screen = _Screen(*size)
        self._stream = _Stream(self._screen)

    def feed(self, data: bytes) -> str:
        """Take what came and return what is to be seen."""
        self._stream.feed(_FOREIGN.sub(b"", data))
        return self.text

    @property
    def text(self) -> str:
        """What is to be seen, line by line."""
        return "\n".join(self._screen.display)


class Terminal:
    """A program on a pseudo-terminal. `environ` is laid over ours; leaving the `with` ends the program."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        size: tuple[int, int] = SIZE,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.size = size
        self.chunks: list[Chunk] = []
        self.is_over = False
        self._asked = b""
        self._sends_application_keys = False
        full = {**_plain_environ(), **(environ or {})}
        self.begun = time.perf_counter()
        self.pid, self._fd = os.forkpty()
        if not self.pid:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
                os.execvpe(command[0], list(command), full)  # noqa: S606  # the program that is timed
            finally:
                os._exit(127)
        os.set_blocking(self._fd, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.begun

    # --- what it writes

    def pump(self, timeout_s: float) -> bool:
        """Wait for output, take what there is and answer what it asks; False if nothing came."""
        if self.is_over or not select.select([self._fd], [], [], max(0.0, timeout_s))[0]:
            return False
        at = self.now
        try:
            data = os.read(self._fd, 1 << 18)
        except OSError:  # nobody holds the other end any more
            data = b""
        if not data:
            self.is_over = True
            return False
        self.chunks.append(Chunk(at, data))
        self._answer(data)
        return True

    def _answer(self, data: bytes) -> None:
        on, off = data.rfind(b"\x1b[?1h"), data.rfind(b"\x1b[?1l")
        if on != off:
            self._sends_application_keys = on > off
        asked = self._asked + data
        for question, answer in _ANSWERS:
            for found in question.finditer(asked):
                if found.end() > len(self._asked):
                    os.write(self._fd, answer)
        self._asked = asked[-24:]

    def run_for(self, seconds: float) -> None:
        """Take output for so long."""
        end = self.now + seconds
        while not self.is_over and (left := end - self.now) > 0:
            self.pump(left)

    def settle(self, quiet_s: float = QUIET_S, limit_s: float = 10.0) -> None:
        """Take output until nothing came for `quiet_s`."""
        end = self.now + limit_s
        while self.now < end and self.pump(quiet_s):
            pass

    def wrote(self, pattern: str, *, since: int = 0, limit_s: float = 30.0) -> bool:
        """Return as soon as `pattern` is in what was written, chunks from `since` on; False if it never is.

        Nothing is emulated: what is drawn in pieces is not found by this, but by `until`.
        """
        wanted, end, seen, text = re.compile(pattern), self.now + limit_s, since, b""
        while self.now < end:
            text = text[-32_768:] + b"".join(one.data for one in self.chunks[seen:])
            seen = len(self.chunks)
            if wanted.search(_STEERING.sub(b"", text).decode("utf-8", "replace")):
                return True
            if not self.pump(end - self.now):
                break
        return False

    def until(self, pattern: str, *, since: int = 0, limit_s: float = 30.0) -> float:
        """Return when the screen first showed `pattern`, with the chunk `since` or a later one.

        The screen is rebuilt whenever nothing came for a moment, so that this costs the program nothing.
        """
        wanted, screen, end, seen, found = (
            re.compile(pattern),
            Replay(self.size),
            self.now + limit_s,
            0,
            None,
        )
        while found is None and self.now < end:
            if self.pump(0.03) and self.now < end:
                continue
            while found is None and seen < len(self.chunks):
                text = screen.feed(self.chunks[seen].data)
                if seen >= since and wanted.search(text):
                    found = self.chunks[seen].at
                seen += 1
            if self.is_over:
                break
        if found is None:
            raise AssertionError(f"{pattern!r} was never on the screen:\n{self.screen()}")
        return found

    def seen_at(self, pattern: str, since: int = 0) -> float | None:
        """Return when the rebuilt screen first showed `pattern`, from the chunk `since` on; None for never."""
        wanted, screen = re.compile(pattern), Replay(self.size)
        for number, chunk in enumerate(self.chunks):
            text = screen.feed(chunk.data)
            if number >= since and wanted.search(text):
                return chunk.at
        return None

    def screens(self, since: int = 0) -> Iterator[tuple[float, str]]:
        """Yield each time something came and what was to be seen then."""
        screen = Replay(self.size)
        for number, chunk in enumerate(self.chunks):
            text = screen.feed(chunk.data)
            if number >= since:
                yield chunk.at, text

    def screen(self) -> str:
        """Return what is to be seen."""
        screen = Replay(self.size)
        for chunk in self.chunks:
            screen.feed(chunk.data)
        return screen.text

    def written(self, since: int = 0) -> int:
        """Return how many bytes came, from the chunk `since` on."""
        return sum(len(chunk.data) for chunk in self.chunks[since:])

    # --- what it is told

    def send(self, *keys: str) -> float:
        """Press keys by name, or type text; return the time just before."""
        data = b"".join(KEYS.get(key, key.encode()) for key in keys)
        if self._sends_application_keys:
            data = re.sub(rb"\x1b\[([ABHF])", b"\x1bO\\1", data)
        at = self.now
        os.write(self._fd, data)
        return at

    def usage(self) -> Usage:
        """Return what the program uses, with all it started."""
        tree = list(_tree(self.pid))
        return Usage(sum(map(_cpu_s, tree)), sum(map(_rss_mib, tree)))

    def end(self) -> None:
        """End the program, harder each time, and wait for it."""
        for number, patience_s in (
            (signal.SIGHUP, 1.0),
            (signal.SIGTERM, 1.0),
            (signal.SIGKILL, 5.0),
        ):
            os.kill(self.pid, number)
            until = time.monotonic() + patience_s
            while time.monotonic() < until:
                self.pump(0.01)
                if self.is_over:
                    time.sleep(0.002)
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    os.close(self._fd)
                    return
        raise AssertionError(f"process {self.pid} does not end")


@contextmanager
def together(terminals: Mapping[str, Callable[[], Terminal]]) -> Iterator[dict[str, Terminal]]:
    """Start several programs, one after the other, and end them all."""
    running: dict[str, Terminal] = {}
    try:
        for name, start in terminals.items():
            running[name] = start()
        yield running
    finally:
        for one in running.values():
            one.end()


def pump_all(terminals: Sequence[Terminal], seconds: float) -> None:
    """Take output of all of them for so long."""
    by_fd = {one._fd: one for one in terminals}
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        for fd in select.select(list(by_fd), [], [], left)[0]:
            by_fd[fd].pump(0)


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Return least, median, p95, p99, greatest and number of the values."""
    ordered = sorted(values)
    last = len(ordered) - 1
    found = {
        "min": ordered[0], "p50": statistics.median(ordered), "p95": ordered[min(last, int(0.95 * len(ordered)))],
        "p99": ordered[min(last, int(0.99 * len(ordered)))], "max": ordered[-1],
    }  # fmt: skip
    return {name: round(value, digits) for name, value in found.items()} | {"n": len(ordered)}


def _plain_environ() -> dict[str, str]:
    """Return our environment as on a terminal of true colours, without what changes how programs draw."""
    ours = (
        "NO_COLOR",
        "LINES",
        "COLUMNS",
        "TMUX",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
        "TEXTUAL_THEME",
    )
    kept = {key: value for key, value in os.environ.items() if key not in ours}
    return {
        **kept,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:  # it has ended meanwhile
        return
    for child in children:
        yield from _tree(int(child))


def _cpu_s(pid: int) -> float:
    spent = 0
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            spent += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
    except OSError:  # a thread has ended meanwhile
        pass
    return spent / 1e9


def _rss_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:  # it has ended meanwhile
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024
