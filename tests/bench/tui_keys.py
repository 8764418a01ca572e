"""Keys: from the moment one is pressed to the last byte of what it changes on the screen."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any, NamedTuple

from tests.bench.pty_timer import QUIET_S, Terminal, spread, together
from tests.bench.tui_goals import goal
from tests.bench.tui_spaces import EDITOR, Program, Spaces, reference

FRAME_S = 0.017  # keys fall anywhere between two drawings
TYPED = ("s", "e", "l", "e", "c", "t", "space", "a", "enter")
STEPS = ("down",) * 8 + ("up",) * 8


class Case(NamedTuple):
    """A program, what is pressed in turn and timed, and what before; `shows`: what the first of that brings."""

    program: Program
    keys: Sequence[str]
    before: Sequence[str] = ()
    shows: str = ""


class Redraw(NamedTuple):
    """What one key cost: ms to the first and last byte, bytes, ms of processor."""

    first_ms: float
    last_ms: float
    bytes: int
    cpu_ms: float


def measure(cases: Mapping[str, Case], count: int) -> dict[str, list[Redraw]]:
    """Press `count` keys of every case in turn, so that what else the machine does hits all alike."""
    found: dict[str, list[Redraw]] = {name: [] for name in cases}
    some = random.Random(7)  # noqa: S311  # no secret
    with together({name: case.program.open for name, case in cases.items()}) as running:
        for name, terminal in running.items():
            for key in cases[name].before:
                terminal.send(key)
                terminal.until(cases[name].shows)
                terminal.settle(0.15)
        presses = {name: islice(cycle(case.keys), 5 + count) for name, case in cases.items()}
        for number in range(5 + count):
            for name, terminal in running.items():
                for other in running.values():
                    other.settle(0)
                terminal.settle()
                terminal.run_for(some.random() * FRAME_S)
                one = press(terminal, next(presses[name]))
                if number >= 5 and one is not None:
                    found[name].append(one)
    for name, every in found.items():
        assert len(every) > 0.8 * count, (
            f"{name}: {count - len(every)} of {count} keys changed nothing"
        )
    return found


def press(terminal: Terminal, key: str) -> Redraw | None:
    """Press a key and wait until its redraw is over; None if nothing came."""
    before, cpu_s = len(terminal.chunks), terminal.usage().cpu_s
    at = terminal.send(key)
    if not terminal.pump(1.0):
        return None
    terminal.settle(QUIET_S, 3.0)
    first, last = terminal.chunks[before].at, terminal.chunks[-1].at
    spent = terminal.usage().cpu_s - cpu_s
    return Redraw((first - at) * 1e3, (last - at) * 1e3, terminal.written(before), spent * 1e3)


def described(found: Mapping[str, Sequence[Redraw]]) -> dict[str, Any]:
    """Return the spread of every figure."""
    return {
        name: {field: spread([getattr(one, field) for one in every]) for field in Redraw._fields}
        for name, every in found.items()
    }


def measure_list(spaces: Spaces) -> dict[str, Any]:
    """Goals 6 and 7: the cursor of the jobs list, in sight and scrolling."""
    few, many = (300, 500) if spaces.small else (10_000, 100_000)
    count = 10 if spaces.small else 150
    in_sight = {
        "table": Case(reference("table", "100"), STEPS),
        "jobs": Case(spaces.ours(spaces.jobs(100)), STEPS),
    }
    seen = described(measure(in_sight, count))
    down = ("down",) * 30
    scrolling = {
        "table": Case(reference("table", "1000"), ["down"], down),
        "jobs": Case(spaces.ours(spaces.jobs(few)), ["down"], down),
        "jobs_many": Case(spaces.ours(spaces.jobs(many)), ["down"], down),
    }
    scrolled = described(measure(scrolling, count))
    goals = [
        *_compared(
            6, "cursor key in sight", seen["jobs"], seen["table"], "the table", {"p50": 1.5, "p99": 2.0}, 1.0
        ),
        *_compared(
            7, f"cursor key that scrolls, {few:,} jobs", scrolled["jobs"], scrolled["table"],
            "the table scrolling", {"p50": 0.5, "p99": 0.5}, 0.35,
        ),
        goal(
            7, f"cursor key that scrolls, {many:,} jobs, p50", scrolled["jobs_many"]["last_ms"]["p50"], 1.2,
            beside=scrolled["jobs"]["last_ms"]["p50"], of=f"{few:,} jobs",
        ),
    ]  # fmt: skip
    return {"goals": goals, "in_sight": seen, "scrolling": scrolled}


def measure_editor(spaces: Spaces) -> dict[str, Any]:
    """Goals 8 and 9: typing into long texts."""
    count = 9 if spaces.small else 144
    down = ("pagedown",) * 3
    deep = ("pagedown",) * (5 if spaces.small else 50)

    def ours(name: str, before: Sequence[str]) -> Case:
        program = spaces.ours(spaces.texts, "open", f"job/{name}", ready=name)
        return Case(program, TYPED, ["e", *before], shows=EDITOR)

    cases = {
        "stock_100": Case(reference("editor", "sql", "100"), TYPED),
        "sql_100": ours("sql-100", down),
        "sql_2000": ours("sql-2000", deep),
        "python_2000": ours("python-2000", deep),
    }
    found = described(measure(cases, count))
    stock = found["stock_100"]
    of = "TextArea, 100 lines"
    limits = {"p50": 1.1, "p99": 0.7}
    p50 = stock["last_ms"]["p50"]
    goals = [
        *_compared(8, "typing, SQL of 100 lines", found["sql_100"], stock, of, limits, 0.05),
        goal(
            9,
            "typing, SQL of 2,000 lines, p50",
            found["sql_2000"]["last_ms"]["p50"],
            1.6,
            beside=p50,
            of=of,
        ),
        goal(
            9,
            "typing, Python of 2,000 lines, p50",
            found["python_2000"]["last_ms"]["p50"],
            3.6,
            beside=p50,
            of=of,
        ),
    ]
    return {"goals": goals, "typing": found}


def measure_tabs(spaces: Spaces) -> dict[str, Any]:
    """Goal 10: from tab to tab of a job."""
    ready = "Overview"
    cases = {
        "tabs": Case(reference("tabs"), ["t"]),
        "job": Case(spaces.ours(spaces.texts, "open", "job/sql-100", ready=ready), ["]"]),
    }
    found = described(measure(cases, 6 if spaces.small else 60))
    ours, theirs = found["job"], found["tabs"]
    goals = [
        goal(10, f"change of tab, {which} byte, p50", ours[which + "_ms"]["p50"], 1.2,
             beside=theirs[which + "_ms"]["p50"], of="TabbedContent, not animated")
        for which in ("first", "last")
    ]  # fmt: skip
    return {"goals": goals, "tabs": found}


def _compared(
    number: int, what: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], of: str,
    limits: Mapping[str, float], bytes_limit: float,
) -> list[dict[str, Any]]:  # fmt: skip
    lines = [
        goal(
            number,
            f"{what}, {which}",
            ours["last_ms"][which],
            limit,
            beside=theirs["last_ms"][which],
            of=of,
        )
        for which, limit in limits.items()
    ]
    sent, theirs_sent = ours["bytes"]["p50"], theirs["bytes"]["p50"]
    lines.append(
        goal(number, f"{what}, bytes", sent, bytes_limit, beside=theirs_sent, of=of, unit="bytes")
    )
    return lines
