"""A workspace that has grown: five thousand jobs and a quarter of a million runs, on screen and by commands."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.bench.lists import services
from tests.bench.tui_spaces import reference
from tests.bench.windows import fill
from tests.support.quarterdeck import Quarterdeck, sql
from tests.support.screen import Terminal
from tests.tui.test_draft import read
from tests.tui.test_terminal import opened

JOBS, RUNS = 5_000, 250_000
OF_VERSIONS = RUNS * 6 // 7  # every seventh run is a draft's, and in a list of its own
PAINT_S, FILLED_S, PAGE_S, SAVE_S, MEMORY_KIB = 0.5, 2.0, 0.5, 0.05, 400 * 1024
REFERENCE_S = 0.355  # a start of the smallest application with a table, where the figures were set
TRIES = 20  # at most, of which the best counts: the machine has others to serve


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarterdeck]:
    found = Quarterdeck(tmp_path_factory.mktemp("growth"), init=False)
    fill(found.store, JOBS, RUNS)
    found.create("daily")
    yield found
    found.end()


def answered(terminal: Terminal, keys: str, words: str) -> float:
    """Return how long it takes from these keys to these words."""
    begun = time.monotonic()
    terminal.press(keys)
    terminal.until(words)
    return time.monotonic() - begun


def start(deck: Quarterdeck) -> dict[str, float]:
    """Return how long a start takes to its first paint, and until the list is filled."""
    begun = time.monotonic()
    with opened(deck, "--fresh") as terminal:
        terminal.until("quarterdeck")
        painted = time.monotonic() - begun
        terminal.until(f"Jobs {JOBS + 1:,}")
        filled = time.monotonic() - begun
        terminal.press("q")
        terminal.end()
    return {"painted": painted, "filled": filled}


def reference_start(deck: Quarterdeck) -> float:
    """Return how long the smallest application with a table of a hundred rows takes to its first paint."""
    program = reference("table", "100")
    environ = {**deck.environ(), "TERM": "xterm-256color", **program.environ}
    begun = time.monotonic()
    with Terminal(program.command, environ) as terminal:
        terminal.until(program.ready)
        return time.monotonic() - begun


def hold(
    deck: Quarterdeck, measure: Callable[[], Mapping[str, float]], limits: Mapping[str, float]
) -> None:
    """Measure until each figure was met once: one machine takes from 0.4 s to 0.8 s for the same start.

    A figure that is never met is held beside the starts of the reference: this machine may be slower than the one
    of the figures.
    """
    best = dict.fromkeys(limits, float("inf"))
    references = []
    for _ in range(TRIES):
        best |= {what: min(best[what], took) for what, took in measure().items()}
        if all(best[what] < limits[what] for what in limits):
            return
        references.append(reference_start(deck))
    slow = min(references) / REFERENCE_S
    assert all(best[what] < limits[what] * slow for what in limits), (best, limits, slow)


@pytest.mark.row("R3")
@pytest.mark.long
def test_the_application_starts_as_fast_as_ever(deck: Quarterdeck) -> None:
    start(deck)  # standings are made once
    hold(deck, lambda: start(deck), {"painted": PAINT_S, "filled": FILLED_S})


def pages_and_filters(terminal: Terminal) -> dict[str, float]:
    """Return how long each step takes through the lists of jobs and runs, and back to the jobs."""
    took = {
        "last jobs": answered(terminal, "G", "▌ Job 999 "),
        "page": answered(terminal, "\x1b[5~", "▌ Job 98"),
    }
    terminal.press("/", *"job 7")
    took["filter of jobs"] = answered(terminal, "7", f"11 of {JOBS + 1:,}")
    terminal.press("\x1b")
    took["runs"] = answered(terminal, "2", f"Runs {OF_VERSIONS:,}")
    took["last runs"] = answered(terminal, "G", "▌ Job 1 ")
    terminal.press("/", *"job 7")
    took["filter of runs"] = answered(terminal, "7", f" of {OF_VERSIONS:,}")
    terminal.press("\x1b", "q")
    terminal.until(f"Jobs {JOBS + 1:,}")
    return took


@pytest.mark.row("R3")
@pytest.mark.long
def test_pages_and_filters_take_half_a_second_and_memory_stays_small(deck: Quarterdeck) -> None:
    with opened(deck, "--fresh") as terminal:
        terminal.until(f"Jobs {JOBS + 1:,}")
        limits = dict.fromkeys(pages_and_filters(terminal), PAGE_S)
        hold(deck, lambda: pages_and_filters(terminal), limits)
        status = Path(f"/proc/{terminal.process.pid}/status").read_text()
        terminal.press("q")
        terminal.end()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    assert int(peak[1]) < MEMORY_KIB


@pytest.mark.row("R3")
@pytest.mark.long
def test_a_save_is_as_fast_as_ever_and_a_job_runs(deck: Quarterdeck) -> None:
    made = services(deck.store)
    took = []
    for number in range(20):
        now = read(made)
        begun = time.monotonic()
        spec = {**now.spec, "source": sql(f"SELECT {number}")}
        made.drafting.save("daily", spec, seen=now.seen)
        took.append(time.monotonic() - begun)
    made.close()
    assert statistics.median(took) < SAVE_S, took
    assert deck.run("daily")["state"] == "succeeded"
    documents = deck.ok("store", "stats")["documents"]
    assert documents["jobs"] == JOBS + 1
    assert documents["runs"] == RUNS + 1
