"""The TPC-H queries as snapshot jobs, beside a bare client with a new engine for each; same run, interleaved.

`python -m tests.bench.tpch [--small]` prints one JSON document; seconds are those of a query's own statements.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from quarterdeck.demo.folder import generate, query_text
from quarterdeck.demo.samples import with_tables
from quarterdeck.model.sqltext import split
from tests.bench import bare
from tests.bench.commands import Workspace, a_job, show, workspace

GOAL = 1.10
QUERIES = range(1, 23)


def measure(
    *, queries: Sequence[int] = QUERIES, scale: str = "1", rounds: int = 1
) -> dict[str, Any]:
    """Return each query's state and its seconds as a run and bare (the least of the rounds), and the sums."""
    with workspace() as space:
        data = space.folder / "data"
        generate(data, scale)
        texts = {
            number: with_tables(lambda name: data / f"{name}.parquet", query_text(number))
            for number in queries
        }
        space.create([a_job(f"q{number}", text) for number, text in texts.items()])
        rows = [one_query(space, number, text, rounds) for number, text in texts.items()]
    run_s, bare_s = sum(row["run_s"] for row in rows), sum(row["bare_s"] for row in rows)
    return {
        "bench": "tpch",
        "scale": scale,
        "rounds": rounds,
        "succeeded": sum(row["state"] == "succeeded" for row in rows),
        "run_s": round(run_s, 3),
        "bare_s": round(bare_s, 3),
        "ratio": round(run_s / bare_s, 3),
        "goal": GOAL,
        "queries": rows,
    }


def one_query(space: Workspace, number: int, text: str, rounds: int) -> dict[str, Any]:
    """Run one query as a job and bare, `rounds` times in turn; return the least seconds of each."""
    statements = [one.text for one in split(text)]
    views = sum(one.startswith("CREATE TEMPORARY VIEW") for one in statements)
    states, ours, theirs = set(), [], []
    for _ in range(rounds):
        run = json.loads(space.process("run", f"q{number}", "--wait", "--json").stdout)
        states.add(run["state"])
        found = run["result"]["statements"] if run["result"] else []
        ours.append(sum(one["seconds"] for one in found[views:]))
        theirs.append(sum(bare.measure(statements)["statements_s"][views:]))
    return {
        "query": number,
        "state": " ".join(sorted(states)),
        "run_s": round(min(ours), 4),
        "bare_s": round(min(theirs), 4),
    }


if __name__ == "__main__":
    if "--small" in sys.argv[1:]:
        show(measure(queries=(1, 15), scale="0.01"))
    else:
        show(measure(rounds=2))
