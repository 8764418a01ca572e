"""Measures the application on a terminal beside the smallest of its kind, and beside lnav, less and htop.

`python -m tests.bench.tui [--small] [--only start,list,…]` prints one JSON document: each goal with what was
measured, its ratio within this run, the limit, and whether it is met. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import tui_held, tui_keys, tui_start, tui_viewer
from tests.bench.tui_goals import missed
from tests.bench.tui_spaces import Spaces

PARTS: dict[str, tuple[tuple[int, ...], Callable[[Spaces], dict[str, Any]]]] = {
    "start": ((1, 2, 3, 5), tui_start.measure_start),
    "commands": ((4,), tui_start.measure_commands),
    "list": ((6, 7), tui_keys.measure_list),
    "editor": ((8, 9), tui_keys.measure_editor),
    "large": ((0,), tui_keys.measure_large),
    "tabs": ((10,), tui_keys.measure_tabs),
    "idle": ((11, 12), tui_start.measure_idle),
    "memory": ((13, 14), tui_start.measure_memory),
    "log": ((15, 16, 17, 18), tui_viewer.measure_log),
    "follow": ((19, 20), tui_viewer.measure_follow),
    "held": ((0,), tui_held.measure_held),
}
"""Each part, the goals it measures, and how."""


def measure(names: list[str], *, small: bool) -> dict[str, Any]:
    """Return the report of these parts; what a part could not do is said in place of its goals."""
    report: dict[str, Any] = {
        "bench": "tui",
        "size": "80x24",
        "small": small,
        "goals": [],
        "parts": {},
    }
    with tempfile.TemporaryDirectory(prefix="quarterdeck-bench-") as scratch:
        spaces = Spaces(Path(scratch), small=small)
        for name in names:
            numbers, part = PARTS[name]
            try:
                found = part(spaces)
            except AssertionError as error:
                report["goals"] += [missed(number, name, str(error)) for number in numbers]
                continue
            report["goals"] += found.pop("goals")
            report["parts"][name] = found
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only to see that it works")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    given = parser.parse_args()
    names = given.only.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"{', '.join(unknown)}: there are {', '.join(PARTS)}")
    report = measure(names, small=given.small)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return int(given.small and any("not_measured" in line for line in report["goals"]))


if __name__ == "__main__":
    sys.exit(main())
