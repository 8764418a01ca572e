"""The store's bench works; its numbers are read by people."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_bench_prints_one_document() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "tests.bench.store", "--small"],
        check=True, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    report = json.loads(answer.stdout)
    assert report["writes"][0]["write"]["p50"] > 0
    assert report["pages"][0]["first"]["rows"] == 50
