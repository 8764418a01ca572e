"""Measures the store: writes beside TinyDB's JSON storage, pages of many runs, memory, opening.

`python -m tests.bench.store [--sizes 1000 10000 100000] [--runs 1000 250000] [--small]` prints one JSON document.
Times are in milliseconds, memory in KiB. Every page is measured in a fresh process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from tinydb import TinyDB
from tinydb.storages import JSONStorage

from quarterdeck.model.failure import Reason
from quarterdeck.model.ids import DefinitionId, JobId, Rev, RunId, TeamId
from quarterdeck.model.run import Entered, Run, RunState, Trigger
from quarterdeck.ports.store import Where
from quarterdeck.store import head
from quarterdeck.store.open import create_store, open_store
from quarterdeck.store.table import open_tinydb
from tests.support.stores import START, Clock

WRITES = 200
JSON_WRITES = 20
BATCH = 5_000
FILTERS: dict[str, list[Where]] = {
    "first": [],
    "job": [Where("job", "=", "j7")],
    "job_and_state": [Where("job", "=", "j7"), Where("state", "=", "failed")],
    "states": [Where("state", "in", ["running", "queued", "failed"])],
    "team_and_reason": [Where("team", "=", "t1"), Where("reason", "=", "oom_driver")],
    "actor_without_runs": [Where("trigger", "=", "manual"), Where("actor", "=", "nobody")],
    "open": [Where("is_open", "=", value=True)],
}


def timed(act: Callable[[], object]) -> float:
    """Return how many milliseconds `act` took."""
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1_000


def spread(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "p50": round(statistics.median(ordered), 4),
        "p95": round(ordered[int(len(ordered) * 0.95)], 4),
    }


def a_document(number: int) -> dict[str, Any]:
    return {
        "name": f"job {number}",
        "number": number,
        "text": "select 1 " * 20,
        "tags": ["a", "b"],
    }


def writes(folder: Path, size: int) -> dict[str, Any]:
    """Return what one acknowledged update costs among `size` documents, beside TinyDB's own."""
    documents = {f"{number:09d}": a_document(number) for number in range(size)}
    store = create_store(folder / "store", Clock())
    table = open_tinydb(store.backend, actor="ann", clock=Clock()).table("documents")
    with store.backend.transaction():
        for key, body in documents.items():
            store.backend.put("documents", key, body, seen=None, by="ann", at=START)
    keys = [f"{number:09d}" for number in range(0, size, max(1, size // WRITES))]
    ours = [timed(lambda k=key: table.update({"number": -1}, doc_ids=[k])) for key in keys]  # type: ignore[misc]  # bound now
    backend = [
        timed(
            lambda k=key: store.backend.put(  # type: ignore[misc]  # bound now
                "documents", k, documents[k], seen=Rev(2), by="ann", at=START
            )
        )
        for key in keys
    ]
    syncs, heads = bare_syncs(folder / "bare"), head_writes(folder / "head")
    reads = [timed(lambda k=key: table.get(doc_id=k)) for key in keys]  # type: ignore[misc]  # bound now
    store.close()

    plain = {str(number): a_document(number) for number in range(size)}
    (folder / "plain.json").write_text(json.dumps({"documents": plain}))
    with TinyDB(folder / "plain.json", storage=JSONStorage) as reference:
        theirs = [
            timed(
                lambda n=number: reference.table("documents").update({"number": -1}, doc_ids=[n])  # type: ignore[misc]  # bound now
            )
            for number in range(1, JSON_WRITES + 1)
        ]
    return {
        "documents": size,
        "write": spread(ours),
        "backend_write": spread(backend),
        "bare_sync": spread(syncs),
        "head_write": spread(heads),
        "read": spread(reads),
        "json_storage_write": spread(theirs),
        "ratio_p50": round(statistics.median(theirs) / statistics.median(ours), 1),
    }


def bare_syncs(path: Path) -> list[float]:
    """Return what it costs to write one page and wait for the disk: no write can take less."""

    def one() -> None:
        file.write(b"x" * 4_096)
        os.fdatasync(file.fileno())

    with path.open("wb", buffering=0) as file:
        return [timed(one) for _ in range(WRITES)]


def head_writes(path: Path) -> list[float]:
    """Return what the head alone costs, of each write."""
    mark = head.Mark("a" * 32, 0, "b" * 64)
    path.write_bytes(head.content(mark))
    kept = head.Head(path)
    found = [timed(lambda n=n: kept.write(mark._replace(seq=n))) for n in range(1, WRITES + 1)]  # type: ignore[misc]  # bound now
    kept.close()
    return found


def a_run(number: int) -> Run:
    state = RunState.FAILED if number % 1_000 == 0 else RunState.SUCCEEDED
    at = START + timedelta(seconds=number)
    return Run(
        id=RunId(f"r{number:016d}"),
        job=JobId(f"j{number % 200}"),
        job_name=f"Job {number % 200}",
        team=TeamId(f"t{number % 5}"),
        cluster=DefinitionId(f"c{number % 3}"),
        version=number % 9 + 1,
        draft=number % 7 == 0,
        trigger=Trigger.MANUAL if number % 3 else Trigger.SCHEDULE,
        actor=f"user{number % 11}",
        spec={"source": {"kind": "snapshot", "text": "select 1 from orders where x = 2\n" * 20}},
        queued_at=at,
        queue_deadline=at,
        start_deadline_s=600,
        timeout_s=3_600,
        state=state,
        reason=Reason.USER_ERROR if state is RunState.FAILED else None,
        frozen_sha256=f"{number % 5_000:064x}",
        timeline=tuple(Entered(1, one, at, "seen") for one in list(RunState)[:6]),
        is_open=number % 5_000 == 0,
    )


def fill(folder: Path, count: int) -> None:
    store = create_store(folder, Clock())
    for start in range(0, count, BATCH):
        with store.transaction("ann") as tx:
            for number in range(start, min(start + BATCH, count)):
                tx.runs.put(a_run(number), seen=None)
    store.close()


def page(folder: Path, name: str) -> dict[str, Any]:
    """Return what opening and one page cost in this process, and its peak memory so far."""
    store: Any = None

    def opening() -> None:
        nonlocal store
        store = open_store(folder, Clock())

    opened = timed(opening)
    found: list[Any] = []
    took = timed(lambda: found.extend(store.runs.page(*FILTERS[name], descending=True, limit=50)))
    return {"open": round(opened, 2), "page": round(took, 2), "rows": len(found), "peak": peak()}


def peak() -> int:
    """Return this process's peak memory in KiB (`ru_maxrss` would count the parent's before exec)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def pages(folder: Path, count: int) -> dict[str, Any]:
    fill(folder, count)
    found: dict[str, Any] = {"runs": count}
    for name in FILTERS:
        command = [sys.executable, "-m", "tests.bench.store", "--page", str(folder), name]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[name] = json.loads(answer)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--runs", type=int, nargs="*", default=[1_000, 250_000])
    parser.add_argument("--small", action="store_true", help="only to see that it works")
    parser.add_argument("--page", nargs=2, metavar=("FOLDER", "FILTER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.page:
        sys.stdout.write(json.dumps(page(Path(given.page[0]), given.page[1])))
        return
    sizes, runs = ([100], [100]) if given.small else (given.sizes, given.runs)
    with tempfile.TemporaryDirectory() as name:
        report: dict[str, Any] = {"bench": "store", "writes": [], "pages": []}
        for size in sizes:
            folder = Path(name) / f"writes{size}"
            folder.mkdir()
            report["writes"].append(writes(folder, size))
        for count in runs:
            report["pages"].append(pages(Path(name) / f"runs{count}", count))
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
