"""Measures windows of the lists on screens: jobs and runs by place, with their counts and filters.

`python -m tests.bench.windows [--jobs 100 10000 100000] [--runs 1000000] [--small]` prints one JSON document.
Times are in milliseconds, memory in KiB; each question is asked in a fresh process that opens the workspace first.
What begins with `ben_` asks somebody who may see one job in ten.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from quarterdeck.model.codec import to_document
from quarterdeck.model.ids import JobId, RunId, TeamId
from quarterdeck.model.job import Job
from quarterdeck.model.run import Run
from quarterdeck.service.bundle import Services
from quarterdeck.service.windows import JobsShown, RunsShown
from quarterdeck.store.guard import DATABASE
from quarterdeck.store.indexes import INDEXES
from quarterdeck.store.sqlite import SqliteBackend
from quarterdeck.store.standings import TABLE
from tests.bench.lists import services
from tests.bench.store import BATCH, a_run, peak, timed
from tests.support.stores import START

WINDOW = 100
Ask = Callable[[Services], object]
BENS = 10  # one job in so many is of ben's team


def jobs(offset_of: Callable[[int], int] = lambda _: 0, **shown: Any) -> Ask:
    def ask(made: Services) -> object:
        wanted = JobsShown(**shown)
        count = made.windows.count_jobs(wanted).matching
        return made.windows.jobs(wanted, offset_of(count), WINDOW)

    return ask


def runs(offset_of: Callable[[int], int] = lambda _: 0, **shown: Any) -> Ask:
    def ask(made: Services) -> object:
        wanted = RunsShown(**shown)
        count = made.windows.count_runs(wanted).matching
        return made.windows.runs(wanted, offset_of(count), WINDOW)

    return ask


def middle(count: int) -> int:
    return count // 2


def end(count: int) -> int:
    return max(0, count - WINDOW)


JOBS: dict[str, Ask] = {
    "first": jobs(),
    "middle": jobs(middle),
    "end": jobs(end),
    "by_name": jobs(order="name"),
    "by_team": jobs(middle, order="team"),
    "text": jobs(text="job 7"),
    "text_end": jobs(end, text="job 7"),
    "text_nowhere": jobs(text="no such job"),
    "problems": jobs(problems=True),
    "ben_first": jobs(),
    "ben_end": jobs(end),
}
RUNS: dict[str, Ask] = {
    "first": runs(),
    "middle": runs(middle),
    "end": runs(end),
    "text": runs(text="job 7"),
    "text_end": runs(end, text="job 7"),
    "text_nowhere": runs(text="no such job"),
    "problems": runs(problems=True),
    "problems_end": runs(end, problems=True),
    "of_one_job": runs(middle, job="Job 7"),
    "ben_first": runs(),
    "ben_end": runs(end),
}


def fill(folder: Path, jobs: int, runs: int) -> None:
    """Make a workspace; standings are made when it is opened next, as those of an older store are."""
    made = services(folder)
    made.definitions.create("team", {"name": "bens", "members": ["ben"]})
    teams = {name: TeamId(team) for team, name in made.context.team_names().items()}
    made.close()
    without = {table: fields for table, fields in INDEXES.items() if table != TABLE}
    backend = SqliteBackend(folder / DATABASE, indexes=without)
    put(backend, "jobs", jobs, lambda number: a_job(number, teams))
    put(backend, "runs", runs, lambda number: run_of(number, jobs))
    backend.close()


def put(backend: SqliteBackend, table: str, count: int, make: Callable[[int], Job | Run]) -> None:
    for start in range(0, count, BATCH):
        with backend.transaction():
            for number in range(start, min(start + BATCH, count)):
                body = to_document(make(number))
                backend.put(table, body["id"], body, seen=None, by="ana", at=START)


def a_job(number: int, teams: Mapping[str, TeamId]) -> Job:
    team = teams["bens" if number % BENS == 0 else "ana"]
    return Job(
        JobId(f"j{number}"), f"Job {number}", f"job {number}", team, "sql", 1, 2, "ana", START
    )


def run_of(number: int, jobs: int) -> Run:
    run = replace(a_run(number), job=JobId(f"j{number % jobs}"), ended_at=START, is_open=False)
    at = START + timedelta(seconds=number)
    return replace(run, id=RunId(f"r{number:016d}"), spec={}, timeline=(), queued_at=at)


def ask(folder: Path, kind: str, name: str) -> dict[str, Any]:
    made: Any = None

    def opening() -> None:
        nonlocal made
        made = services(folder)
        if name.startswith("ben_"):
            made = Services(made.ports, "ben")

    opened = timed(opening)
    question = (JOBS if kind == "jobs" else RUNS)[name]
    first = timed(lambda: question(made))
    again = timed(lambda: question(made))
    made.close()
    return {
        "open": round(opened, 1),
        "first": round(first, 1),
        "again": round(again, 1),
        "peak": peak(),
    }


def report(folder: Path, kind: str, jobs: int, runs: int) -> dict[str, Any]:
    found: dict[str, Any] = {"jobs": jobs, "runs": runs}
    found["fill_s"] = round(timed(lambda: fill(folder, jobs, runs)) / 1_000, 1)
    found["standings_ms"] = round(timed(lambda: services(folder).close()), 1)
    for name in JOBS if kind == "jobs" else RUNS:
        command = [sys.executable, "-m", "tests.bench.windows", "--ask", str(folder), kind, name]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        found[name] = json.loads(answer.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, nargs="*", default=[100, 10_000, 100_000])
    parser.add_argument("--runs", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--small", action="store_true", help="only to see that it works")
    parser.add_argument(
        "--ask", nargs=3, metavar=("FOLDER", "KIND", "NAME"), help=argparse.SUPPRESS
    )
    given = parser.parse_args()
    if given.ask:
        sys.stdout.write(json.dumps(ask(Path(given.ask[0]), given.ask[1], given.ask[2])) + "\n")
        return
    job_counts, run_counts = ([20], [100]) if given.small else (given.jobs, given.runs)
    with tempfile.TemporaryDirectory() as scratch:
        found: dict[str, Any] = {"bench": "windows", "window": WINDOW}
        found["of_jobs"] = [
            report(Path(scratch) / f"jobs{count}", "jobs", count, count) for count in job_counts
        ]
        found["of_runs"] = [
            report(Path(scratch) / f"runs{count}", "runs", min(5_000, count), count)
            for count in run_counts
        ]
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
