"""Keys: from the moment one is pressed to the last byte of what it changes on the screen."""

from __future__ import annotations

import random
import re
from bisect import bisect_right
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


def measure_large(spaces: Spaces) -> dict[str, Any]:
    """SQL of almost 512 KiB: how soon the editor is there, and each key at both ends of the text.

    A key is answered when the cursor's place is shown anew: what is saved meanwhile draws as well.
    """
    program = spaces.ours(spaces.texts, "open", "job/sql-large", ready="Overview")
    pressed: list[float] = []
    with together({"large": program.open}) as running:
        terminal = running["large"]
        at, since = terminal.send("e"), len(terminal.chunks)
        opens_ms = (terminal.until(EDITOR, since=since) - at) * 1e3
        terminal.run_for(2.0)
        some = random.Random(7)  # noqa: S311  # no secret
        since = len(terminal.chunks)
        for where in ("ctrl+home", "ctrl+end"):
            terminal.send(where)
            terminal.run_for(1.0)
            for key in islice(cycle(TYPED), 9 if spaces.small else 144):
                terminal.settle()
                terminal.run_for(some.random() * FRAME_S)
                pressed.append(terminal.send(key))
                terminal.run_for(0.15)
        answers = _answers(terminal, pressed, since)
    goals = [
        goal(0, "SQL of 512 KiB opens", opens_ms, 1_000.0),
        goal(0, "a key in SQL of 512 KiB, slowest", max(answers), 100.0),
    ]
    return {"goals": goals, "answered_ms": spread(answers)}


def _answers(terminal: Terminal, pressed: Sequence[float], since: int) -> list[float]:
    """Return the milliseconds from each key to the cursor's new place on the screen."""
    found: dict[int, float] = {}
    shown = ""
    for at, text in terminal.screens(since):
        place = re.search(r"\d+:\d+(?= +profile)", text)
        now = place[0] if place else shown
        number = bisect_right(pressed, at) - 1
        if now != shown and number >= 0:
            found.setdefault(number, (at - pressed[number]) * 1e3)
        shown = now
    assert len(found) == len(pressed), f"{len(pressed) - len(found)} keys moved no cursor"
    return list(found.values())


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
