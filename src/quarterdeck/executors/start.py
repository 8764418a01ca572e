"""Starts a process that outlives us, in a PID namespace of its own where that is possible."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

_OWN_SIGNALS: Final = (
    signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD,
)  # fmt: skip


@cache
def namespace_command() -> tuple[str, ...]:
    """Return what starts a command in a PID namespace that dies with it; empty where it is not possible."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    user = () if os.geteuid() == 0 else ("--user", "--map-current-user")
    command = (unshare, *user, "--pid", "--fork", "--kill-child", "--")
    try:
        tried = subprocess.run(  # noqa: S603  # no shell; the words are ours
            [*command, "true"], capture_output=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return command if tried.returncode == 0 else ()


def spawn(command: list[str], env: Mapping[str, str], out: Path, err: Path) -> int:
    """Start a process in a session of its own that outlives us; return its id.

    Not through `subprocess`, whose objects complain about children that outlive them.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(out), flags, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, str(err), flags, 0o600),
    ]
    return os.posix_spawn(
        command[0],
        command,
        env,
        file_actions=actions,
        setsid=True,
        setsigmask=(),
        setsigdef=_OWN_SIGNALS,
    )


def failed(pid: int) -> bool:
    """Whether this child of ours ended with an error; takes its exit."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return False
    return bool(ended and status)
