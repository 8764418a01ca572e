"""Measures what a screen waits for: pages of runs at the service, with few and with many runs in the store.

`python -m tests.bench.lists [--runs 1000 250000] [--small]` prints one JSON document. Times are in milliseconds,
memory in KiB; every page is measured in a fresh process, which opens the workspace first.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from quarterdeck import config, wiring
from quarterdeck.model.ids import JobId
from quarterdeck.service.bundle import Services
from quarterdeck.service.listing import RunFilter
from quarterdeck.service.setup import init
from tests.bench.store import BATCH, a_run, peak, timed
from tests.support.quarterdeck import job
from tests.support.stores import START

FILTERS = {
    "first": RunFilter(),
    "job": RunFilter(job="daily"),
    "job_and_state": RunFilter(job="daily", states=("failed",)),
    "state": RunFilter(states=("failed",)),
    "reason_and_time": RunFilter(reason="user_error", since=START + timedelta(seconds=500)),
    "trigger": RunFilter(trigger="schedule"),
    "drafts": RunFilter(drafts=True),
    "nothing": RunFilter(states=("lost",)),
}


def services(folder: Path) -> Services:
    settings = config.load({"store": folder}, {"QUARTERDECK_ACTOR": "ana"})
    if not folder.exists():
        made = wiring.create_services(settings)
        init(made.context, "bench")
        return made
    return wiring.open_services(settings)


def fill(folder: Path, count: int) -> None:
    """Make a workspace with one job and `count` ended runs, every 200th of that job."""
    made = services(folder)
    made.jobs.create([job("daily")])
    daily = JobId(made.lists.jobs()[0]["id"])
    store = made.ports.store
    for start in range(0, count, BATCH):
        with store.transaction("ana") as tx:
            for number in range(start, min(start + BATCH, count)):
                run = replace(a_run(number), is_open=False, ended_at=START)
                tx.runs.put(replace(run, job=daily) if number % 200 == 0 else run, seen=None)
    made.close()


def page(folder: Path, name: str) -> dict[str, Any]:
    made = services(folder)
    found: list[Any] = []
    took = timed(lambda: found.extend(made.lists.runs(FILTERS[name])))
    return {"page": round(took, 2), "rows": len(found), "peak": peak()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[1_000, 250_000])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--page", nargs=2, metavar=("FOLDER", "FILTER"))
    options = parser.parse_args()
    if options.page:
        sys.stdout.write(json.dumps(page(Path(options.page[0]), options.page[1])) + "\n")
        return
    report: dict[str, Any] = {"bench": "lists", "pages": []}
    with tempfile.TemporaryDirectory() as scratch:
        for count in [200] if options.small else options.runs:
            folder = Path(scratch) / str(count)
            fill(folder, count)
            found: dict[str, Any] = {"runs": count}
            for name in FILTERS:
                command = [sys.executable, "-m", "tests.bench.lists", "--page", str(folder), name]
                answer = subprocess.run(command, check=True, capture_output=True, text=True)
                found[name] = json.loads(answer.stdout)
            report["pages"].append(found)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
