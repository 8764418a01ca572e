"""Repeats the tests of what once did harm, and counts those that failed: texts, answers, imports, the line.

`python -m tests.bench.again [--small] [--times N] [--only text,…]` prints one JSON document. The usual tests do
each of them five times (names of files: once), this 50 times. It ends with 1 if any failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from tests.bench.commands import show

ROOT: Final = Path(__file__).parents[2]
PARTS: Final[dict[str, tuple[str, ...]]] = {
    "text": ("tests/tui/test_draft_repeats.py",),
    "bound": ("tests/tui/test_binding.py", "tests/cli/test_binding.py"),
    "imports": (
        "tests/cli/test_import_paths.py::test_a_file_of_any_name_runs_once_as_main",
        "tests/cli/test_import_paths.py::test_a_wheel_steers_neither_runner_nor_engine_and_its_functions_are_found_by_both",
    ),
    "line": (
        "tests/cli/test_queue.py::test_ten_processes_at_once_start_the_oldest_and_none_above_the_ceiling",
    ),
}
"""What was found to do harm, by the tests that repeat it as often as they are told."""


def measure(name: str, times: int) -> dict[str, Any]:
    """Return how many tests of a part ran, and which failed."""
    with tempfile.TemporaryDirectory(prefix="quarterdeck-again-") as scratch:
        report = Path(scratch) / "report.xml"
        begun = time.monotonic()
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-n",
                "2",
                f"--junitxml={report}",
                *PARTS[name],
            ],
            cwd=ROOT,
            env=os.environ
            | {"QUARTERDECK_TEST_AGAIN": str(times), "QUARTERDECK_TEST_NAMES": str(times)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if not report.is_file():
            raise RuntimeError(f"{name}: pytest ended with {done.returncode}:\n{done.stdout}")
        cases = list(ET.parse(report).iter("testcase"))  # noqa: S314  # written by pytest just now
    failed = [str(one.get("name")) for one in cases if one.find("failure") is not None]
    failed += [str(one.get("name")) for one in cases if one.find("error") is not None]
    return {
        "part": name, "times": times, "tests": len(cases), "failed": failed,
        "seconds": round(time.monotonic() - begun, 1), "ended": done.returncode,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="once each, to see that it works")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    given = parser.parse_args()
    names = given.only.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"{', '.join(unknown)}: there are {', '.join(PARTS)}")
    parts = [measure(name, 1 if given.small else given.times) for name in names]
    show({"bench": "again", "small": given.small, "parts": parts})
    return int(any(part["ended"] for part in parts))


if __name__ == "__main__":
    sys.exit(main())
