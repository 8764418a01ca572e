"""From `dispatching` to the first statement's start, beside engine start + client import + first session.

`python -m tests.bench.overhead [--small]` prints one JSON document; times are in seconds.
"""

from __future__ import annotations

import json
import statistics
import sys
from typing import Any

from quarterdeck.model.instants import parse_instant, seconds_between
from tests.bench import bare
from tests.bench.commands import Workspace, a_job, show, workspace

GOAL = 1.15
PARTS = ("engine_s", "import_s", "session_s")


def overhead_s(space: Workspace, job: str) -> float:
    """Run the job and return the seconds from `dispatching` to the start of its first statement."""
    run = space.json("run", job, "--wait")["id"]
    timeline = space.json("run-show", run)["timeline"]
    claimed = next(entry["at"] for entry in timeline if entry["state"] == "dispatching")
    lines = space.json("logs", run, "--events")
    events = [
        (line["at"], json.loads(line["text"])) for line in lines if line["stream"] == "event"
    ]
    started = next(at for at, event in events if event["event"] == "statement")
    return seconds_between(parse_instant(claimed), parse_instant(started))


def measure(*, rounds: int) -> dict[str, Any]:
    """Return medians of interleaved rounds, and their ratio."""
    ours, theirs = [], []
    with workspace() as space:
        space.create([a_job("one", "SELECT 1 AS v")])
        for number in range(rounds + 1):
            run, reference = overhead_s(space, "one"), bare.measure()
            if number:  # the first round warms the page cache
                ours.append(run)
                theirs.append({part: reference[part] for part in PARTS})
    median = {part: statistics.median(found[part] for found in theirs) for part in PARTS}
    bare_s = statistics.median(sum(found.values()) for found in theirs)
    run_s = statistics.median(ours)
    return {
        "bench": "overhead",
        "rounds": rounds,
        "run_s": round(run_s, 3),
        "bare_s": round(bare_s, 3),
        "bare_parts_s": {part: round(found, 3) for part, found in median.items()},
        "ratio": round(run_s / bare_s, 3),
        "goal": GOAL,
    }


if __name__ == "__main__":
    show(measure(rounds=1 if "--small" in sys.argv[1:] else 7))
