"""Starts, memory and quiet: what the application costs before anybody presses much."""

from __future__ import annotations

import shutil
import statistics
from typing import Any, NamedTuple

from tests.bench import cli
from tests.bench.pty_timer import pump_all, spread, together
from tests.bench.tui_goals import goal
from tests.bench.tui_spaces import EDITOR, Program, Spaces, plain_lines, reference

GOALS = {"--version": 4.0, "job list": 6.0}
HEAVY = {"textual", "pydantic", "kubernetes", "boto3", "httpx"}


class Start(NamedTuple):
    """One start: ms to the useful screen and to the answer to the first key, which is pressed then."""

    useful_ms: float
    keyed_ms: float
    cpu_ms: float
    bytes: int
    rss_mib: float


def start(program: Program, key: str = "down") -> Start:
    """Start a program, press a key as soon as its screen is of use, and end it."""
    with program.start() as terminal:
        is_there = terminal.wrote(program.hint, limit_s=60)
        assert is_there, terminal.screen()
        terminal.send(key)
        terminal.settle(0.25)
        usage = terminal.usage()
        useful = terminal.seen_at(program.ready)
        assert useful is not None, terminal.screen()
        last = terminal.chunks[-1].at
        return Start(
            useful * 1e3, last * 1e3, usage.cpu_s * 1e3, terminal.written(), usage.rss_mib
        )


def starts(programs: dict[str, Program], rounds: int) -> dict[str, list[Start]]:
    """Start each program in every round; a first round warms the page cache and is not counted."""
    found: dict[str, list[Start]] = {name: [] for name in programs}
    for number in range(rounds + 1):
        for name, program in programs.items():
            one = start(program)
            if number:
                found[name].append(one)
    return found


def ratio(found: dict[str, list[Start]], name: str, of: str, field: str) -> float:
    """Return the median over the rounds of this program's figure divided by the other's."""
    pairs = zip(found[name], found[of], strict=True)
    ratios: list[float] = [getattr(a, field) / getattr(b, field) for a, b in pairs]
    return statistics.median(ratios)


def others(spaces: Spaces) -> dict[str, Program]:
    """Return lnav, less and htop, as far as they are installed."""
    short = spaces.folder / "short.log"
    short.write_text("".join(plain_lines(1, 101)), encoding="utf-8")
    programs = {"lnav": [str(short)], "less": [str(short)], "htop": []}
    ready = {"htop": "PID"}
    return {
        name: Program([name, *arguments], ready.get(name, "seq="), ready.get(name, "seq="))
        for name, arguments in programs.items()
        if shutil.which(name)
    }


def described(found: dict[str, list[Start]]) -> dict[str, Any]:
    """Return the spread of every figure."""
    return {
        name: {field: spread([getattr(one, field) for one in every], 1) for field in Start._fields}
        for name, every in found.items()
    }


def measure_start(spaces: Spaces) -> dict[str, Any]:
    """Goals 1, 2, 3 and 5, beside other programs."""
    many = 500 if spaces.small else 10_000
    programs = {
        "table": reference("table", "100"),
        "jobs": spaces.ours(spaces.jobs(100)),
        "jobs_many": spaces.ours(spaces.jobs(many)),
    }
    programs |= others(spaces)
    found = starts(programs, 1 if spaces.small else 9)
    goals = []
    for number, what, field, limit in (
        (1, "jobs list painted, 100 jobs", "useful_ms", 1.25),
        (2, "first key answered, screen quiet", "keyed_ms", 1.25),
        (3, "bytes written by a start", "bytes", 0.35),
    ):
        measured = statistics.median(getattr(one, field) for one in found["jobs"])
        beside = measured / ratio(found, "jobs", "table", field)
        unit = "bytes" if field == "bytes" else "ms"
        goals.append(
            goal(number, what, measured, limit, beside=beside, of="a table of 100 rows", unit=unit)
        )
    painted = statistics.median(one.useful_ms for one in found["jobs_many"])
    beside = painted / ratio(found, "jobs_many", "jobs", "useful_ms")
    goals.append(
        goal(5, f"jobs list painted, {many:,} jobs", painted, 1.3, beside=beside, of="100 jobs")
    )
    return {"goals": goals, "starts": described(found)}


def measure_idle(spaces: Spaces) -> dict[str, Any]:
    """Goals 11 and 12: nothing is pressed, and nothing happens."""
    seconds = 2.0 if spaces.small else 30.0
    programs = {"clock": reference("clock"), "jobs": spaces.ours(spaces.jobs(100))}
    programs |= others(spaces)
    found: dict[str, dict[str, float]] = {}
    with together({name: program.open for name, program in programs.items()}) as running:
        pump_all(list(running.values()), 3.0)
        before = {
            name: (one.usage().cpu_s, len(one.chunks), one.now) for name, one in running.items()
        }
        pump_all(list(running.values()), seconds)
        for name, one in running.items():
            cpu_s, chunks, at = before[name]
            took = one.now - at
            found[name] = {
                "cpu_pct": round(100 * (one.usage().cpu_s - cpu_s) / took, 3),
                "bytes_per_s": round(one.written(chunks) / took, 1),
                "writes_per_s": round((len(one.chunks) - chunks) / took, 2),
            }
    ours, clock = found["jobs"], found["clock"]
    goals = [
        goal(
            11,
            "idle processor",
            ours["cpu_pct"],
            1.5,
            beside=clock["cpu_pct"],
            of="a clock of 1 s",
            unit="%",
        )
    ]
    if "lnav" in found:
        goals.append(
            goal(
                11,
                "idle processor",
                ours["cpu_pct"],
                1.0,
                beside=found["lnav"]["cpu_pct"],
                of="lnav",
                unit="%",
            )
        )
    goals.append(
        goal(
            12,
            "idle bytes",
            ours["bytes_per_s"],
            1.25,
            beside=clock["bytes_per_s"],
            of="a clock of 1 s",
            unit="bytes/s",
        )
    )
    return {"goals": goals, "idle": found, "seconds": seconds}


def measure_memory(spaces: Spaces) -> dict[str, Any]:
    """Goals 13 and 14: resident memory once the screen is quiet."""
    many = 500 if spaces.small else 100_000
    found: dict[str, float] = {}
    for name, program in {
        "table": reference("table", "100"),
        "jobs": spaces.ours(spaces.jobs(100)),
        "jobs_many": spaces.ours(spaces.jobs(many)),
    }.items():
        with program.open() as terminal:
            if name == "jobs_many":
                for key in ("G", "pagedown", "up", "g", "pagedown"):
                    terminal.send(key)
                    terminal.settle(0.2)
            found[name] = terminal.usage().rss_mib
    goals = [
        goal(
            13,
            "memory, jobs list open",
            found["jobs"],
            1.5,
            beside=found["table"],
            of="a table of 100 rows",
            unit="MiB",
        ),
        goal(
            14, f"memory of {many:,} jobs more", found["jobs_many"] - found["jobs"], 10, unit="MiB"
        ),
    ]
    with spaces.ours(spaces.texts, "open", "job/sql-100", ready="sql-100").open() as terminal:
        terminal.send("e")
        terminal.until(EDITOR)
        terminal.settle(0.3)
        found["editor"] = terminal.usage().rss_mib
    goals.append(
        goal(13, "memory, after an editor was opened", found["editor"], 2.2, beside=found["table"],
             of="a table of 100 rows", unit="MiB")
    )  # fmt: skip
    return {"goals": goals, "rss_mib": {name: round(value, 1) for name, value in found.items()}}


def measure_commands(spaces: Spaces) -> dict[str, Any]:
    """Goal 4: commands that need no screen, beside an interpreter that does nothing."""
    small = spaces.small
    found = cli.measure(rounds=2 if small else 15, jobs=5 if small else 100)
    unit = found["median_ms"]["python -c pass"]
    goals = [
        goal(4, name, found["median_ms"][name], limit, beside=unit, of="python -c pass")
        for name, limit in GOALS.items()
    ]
    loaded = {module for name in GOALS for module in found["heavy_modules"][name]}
    goals.append(goal(4, "heavy modules that they load", len(loaded & HEAVY), 0, unit="modules"))
    return {"goals": goals, "commands": found}
