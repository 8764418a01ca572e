"""The program on a real pseudo-terminal, its screen rebuilt by pyte: what somebody sees, and every byte of it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence

import pyte

DEADLINE_S = 40.0


class Terminal:
    """One program in a terminal of its own; a context that ends it by its process id."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        width: int = 80,
        height: int = 24,
    ) -> None:
        self.raw = b""
        self._is_gone = False
        self._screen = pyte.Screen(width or 80, height or 24)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._ours, theirs = pty.openpty()
        _size(theirs, width, height)
        self.process = subprocess.Popen(
            list(command), stdin=theirs, stdout=theirs, stderr=theirs, env=dict(environ),
            start_new_session=True, preexec_fn=_own_terminal,  # noqa: PLW1509  # before any thread of ours
        )  # fmt: skip
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._is_gone:
            if not select.select([self._ours], [], [], 0.1)[0]:
                continue
            try:
                chunk = os.read(self._ours, 65536)
            except OSError:  # nobody holds the other end any more
                return
            with self._lock:
                self.raw += chunk
                self._stream.feed(chunk)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if not self._is_gone:
            self.vanish()

    def vanish(self) -> None:
        """Close the terminal under the program, as a window that is closed or a connection that is lost."""
        self._is_gone = True
        self._reader.join()  # a read under way would keep the terminal open
        os.close(self._ours)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen."""
        with self._lock:
            return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """The screen."""
        return "\n".join(self.lines)

    def press(self, *keys: str) -> None:
        """Send keys as the terminal would; each on its own, so that Esc is not the begin of another."""
        for key in keys:
            os.write(self._ours, key.encode())
            time.sleep(0.15 if key == "\x1b" else 0.02)

    def until(self, words: str, *, deadline_s: float = DEADLINE_S) -> str:
        """Wait until the screen shows these words, and return it."""
        end = time.monotonic() + deadline_s
        while words not in self.text:
            if time.monotonic() > end:
                raise AssertionError(
                    f"{words!r} is not on the screen:\n{self.text}\n{self.raw[-400:]!r}"
                )
            time.sleep(0.02)
        return self.text

    def resize(self, width: int, height: int) -> None:
        """Make the terminal another size; what says it has none still shows what it did."""
        with self._lock:
            if width and height:
                self._screen.resize(height, width)
        _size(self._ours, width, height)
        os.killpg(self.process.pid, signal.SIGWINCH)

    def send(self, number: int) -> None:
        """Send a signal to the program."""
        os.kill(self.process.pid, number)

    def until_stopped(self) -> None:
        """Wait until the program stands still: a shell takes the terminal back, and goes on, only then."""
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def end(self) -> int:
        """Wait until the program has ended and all that it wrote is read, and return its exit code."""
        code = self.process.wait(timeout=DEADLINE_S)
        self._reader.join(1.0)  # what it started may hold the terminal still
        return code


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _size(descriptor: int, width: int, height: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
