"""Commands of people in a hurry beside `python -c pass`: medians, ratios, and which heavy modules they load.

`python -m tests.bench.cli [--small]` prints one JSON document; times are in milliseconds.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any, NamedTuple

from tests.bench.commands import COMMAND, Workspace, a_job, show, workspace

JOBS = 100
HEAVY = (
    "textual",
    "pydantic",
    "kubernetes",
    "boto3",
    "httpx",
    "pyspark",
    "pysail",
    "tinydb",
    "yaml",
)
VERBS = {
    "--version": ["--version"],
    "job list": ["job", "list"],
    "runs": ["runs"],
    "--help": ["--help"],
}
GOALS = {"--version": 4.0, "job list": 8.0, "runs": 8.0}
# The modules are told on standard error, behind what the command itself wrote there.
LOADED = """
import sys
from quarterdeck.cli.main import main
code = main(sys.argv[2:])
sys.stderr.write("\\n" + " ".join(name for name in sys.argv[1].split() if name in sys.modules))
sys.exit(code)
"""


class Took(NamedTuple):
    """Milliseconds of one process: from fork to exit, and of the processor, which other load moves less."""

    wall_ms: float
    cpu_ms: float


def timed(command: list[str], environment: dict[str, str]) -> Took:
    """Run a command that must succeed and return what it took."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, capture_output=True, check=True)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(wall * 1000, cpu * 1000)


def loaded(space: Workspace, arguments: list[str]) -> list[str]:
    """Return the heavy modules that the command loads."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, " ".join(HEAVY), *arguments],
        env=space.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr.rpartition("\n")[2].split()


def measure(*, rounds: int, jobs: int) -> dict[str, Any]:
    """Return medians and ratios of interleaved rounds over a store with `jobs` jobs."""
    commands = {"python -c pass": [sys.executable, "-c", "pass"]}
    commands |= {name: [*COMMAND, *arguments] for name, arguments in VERBS.items()}
    with workspace() as space:
        space.create([a_job(f"job-{number:03d}", "SELECT 1 AS v") for number in range(jobs)])
        assert len(json.loads(space.run("job", "list", "--json"))) == jobs
        times: dict[str, list[Took]] = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, command in commands.items():
                took = timed(command, space.environment)
                if number:  # the first round warms the page cache
                    times[name].append(took)
        modules = {name: loaded(space, arguments) for name, arguments in VERBS.items()}
    medians = {
        name: Took(*(statistics.median(part) for part in zip(*found, strict=True)))
        for name, found in times.items()
    }
    unit = medians["python -c pass"]
    return {
        "bench": "cli",
        "rounds": rounds,
        "jobs": jobs,
        "median_ms": {name: round(found.wall_ms, 2) for name, found in medians.items()},
        "ratio": {name: round(found.wall_ms / unit.wall_ms, 2) for name, found in medians.items()},
        "cpu_ratio": {
            name: round(found.cpu_ms / unit.cpu_ms, 2) for name, found in medians.items()
        },
        "goal": GOALS,
        "heavy_modules": modules,
    }


if __name__ == "__main__":
    small = "--small" in sys.argv[1:]
    show(measure(rounds=2 if small else 25, jobs=5 if small else JOBS))
