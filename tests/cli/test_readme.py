"""README.md as a newcomer reads it: its first steps and its table of commands, typed as they are written."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.quarterdeck import ROOT, Quarterdeck
from tests.support.terminal import environ, typed

README = (ROOT / "README.md").read_text(encoding="utf-8")
CHAPTER = README.partition("## First steps\n")[2].partition("\n## ")[0]
SCRIPT = re.search(r"```sh\n(.*?)```", CHAPTER, re.DOTALL)
TABLE = re.findall(r"`(quarterdeck [^`]+)`", CHAPTER.partition("| --- |")[2].partition("\n\n")[0])
EDIT = "s/SELECT 1/SELECT 2/"


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Quarterdeck]:
    made = Quarterdeck(tmp_path, init=False)
    yield made
    made.end()


@pytest.mark.row("P2", "H6", "T5")
def test_first_steps_and_table_run_as_written(deck: Quarterdeck) -> None:
    assert SCRIPT is not None
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", SCRIPT[1]], cwd=deck.folder, env=environ(deck, edit=""), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "succeeded" in done.stdout
    assert len(TABLE) > 12
    [run] = deck.ok("runs")
    for command in TABLE:
        if command.startswith("quarterdeck cancel"):
            run = deck.ok("run", "hello")
        code, shown = typed(deck, command.replace("RUN", run["id"]), edit=EDIT)
        assert code == 0, (command, shown)
        if command.startswith("quarterdeck cancel"):
            deck.until(run["id"])
    [live] = [one for one in deck.ok("job", "versions", "hello") if one["live"]]
    assert live["number"] == 1
    assert [one["trigger"] for one in deck.ok("runs")] == ["exact", "retry", "manual", "manual"]
