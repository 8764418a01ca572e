"""Stores as a killed writer leaves them: what was acknowledged lies in the write-ahead log alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Each job is a change of its own; its number is said once it is acknowledged.
WRITER = """
import os, signal, sys
from pathlib import Path
from tests.support.stores import Clock, a_job, a_version
from quarterdeck.store.open import open_store

store = open_store(Path(sys.argv[1]), Clock())
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    with store.transaction("ann") as tx:
        job = a_job(number, description=f"acknowledged {number} " + "x" * 200)
        tx.jobs.put(job, seen=None)
        tx.versions.put(a_version(job), seen=None)
        tx.audit.append("job.create", f"job/{job.id}")
    print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def written_and_killed(folder: Path, first: int = 1, behind: int = 16) -> list[int]:
    """Let a process write these jobs and be killed behind the last one; return those that it acknowledged."""
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(folder), str(first), str(behind)],
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    return [int(line) for line in done.stdout.split()]


def flip(path: Path, at: int, bit: int = 0) -> None:
    """Change one bit of the file."""
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))
