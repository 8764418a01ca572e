"""Every benchmark runs small and prints one JSON document: for life, not for time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHES = ("cli", "lists", "overhead", "store", "tpch", "tui", "windows")


@pytest.mark.bench
@pytest.mark.parametrize("name", BENCHES)
def test_it_prints_one_document(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{name}", "--small"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    missed = [line for line in done.stdout.splitlines() if "not_measured" in line]
    assert done.returncode == 0, "\n".join([done.stderr, *missed])
    assert json.loads(done.stdout)["bench"] == name
