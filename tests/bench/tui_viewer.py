"""The log viewer beside lnav: a long log opened, searched and gone through, and one that grows."""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from quarterdeck.logs import FolderRunLogs
from quarterdeck.model.ids import RunId
from quarterdeck.model.logline import Cursor, LogChunk, LogLine
from tests.bench.pty_timer import Terminal, spread
from tests.bench.tui_goals import beside_nothing, goal
from tests.bench.tui_spaces import NEEDLE, SOURCE, Program, Spaces, reference
from tests.bench.tui_start import start
from tests.support.stores import START, Clock

WIDE = (120, 40)
TICK_S = 0.01
SAMPLE_S = 0.05
QUIET = 40  # so often each key is pressed before anything comes
STAMP = re.compile(r"t=(\d+\.\d{3}) seq=(\d{8})")


class Step(NamedTuple):
    """Keys, the last of which is timed, and what the screen shows when it is done."""

    name: str
    keys: Sequence[str]
    shows: str


def viewers(spaces: Spaces) -> dict[str, tuple[Program, list[Step]]]:
    """Return the viewers of the long log, each with what is done in it."""
    last = f"seq={spaces.lines:08d}"
    store, run = spaces.logs
    ours = spaces.ours(store, "open", f"run/{run}", ready="seq=0", hint="seq=0", size=WIDE)
    steps = [
        Step("end", ["G"], last),
        Step("start", ["g"], "seq=00000001"),
        Step("search", ["/", NEEDLE, "enter"], NEEDLE),
    ]
    found = {"ours": (ours, steps)}
    if shutil.which("lnav"):
        lnav = Program(["lnav", str(spaces.plain)], "seq=0", "seq=0", size=WIDE)
        theirs = [
            Step("start", ["g"], "seq=00000001"),
            Step("search", ["/", NEEDLE, "enter"], f"seq.*{NEEDLE}"),
            Step("end", ["G"], last),
        ]
        found["lnav"] = (lnav, theirs)
    if shutil.which("less"):
        less = Program(["less", str(spaces.plain)], "seq=0", "seq=0", size=WIDE)
        found["less"] = (
            less,
            [
                Step("end", ["G"], last),
                Step("start", ["g"], "seq=00000001"),
                Step("search", [f"/{NEEDLE}", "enter"], f"seq.*{NEEDLE}"),
            ],
        )
    return found


def walk(program: Program, steps: Sequence[Step]) -> dict[str, float]:
    """Open the log, take each step, and return the ms of each; `rss` in MiB."""
    found: dict[str, float] = {}
    with program.start() as terminal:
        found["open"] = terminal.until(program.ready, limit_s=60) * 1e3
        terminal.settle(0.5)
        terminal.run_for(0.5)
        for step in steps:
            for key in step.keys[:-1]:
                terminal.send(key)
                terminal.settle(0.2)
            before = len(terminal.chunks)
            at = terminal.send(step.keys[-1])
            found[step.name] = (terminal.until(step.shows, since=before, limit_s=60) - at) * 1e3
            terminal.settle(0.3)
        found["rss"] = terminal.usage().rss_mib
    return found


def measure_log(spaces: Spaces) -> dict[str, Any]:
    """Goals 15 to 18: a log of a million lines."""
    rounds = 1 if spaces.small else 5
    every = viewers(spaces)
    table = reference("table", "100")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in every}
    bare = []
    for _ in range(rounds):
        bare.append(start(table))
        for name, (program, steps) in every.items():
            found[name].append(walk(program, steps))
    p50 = {
        name: {key: statistics.median(one[key] for one in runs) for key in runs[0]}
        for name, runs in found.items()
    }
    ours, rss = p50["ours"], statistics.median(one.rss_mib for one in bare)
    opened = statistics.median(one.useful_ms for one in bare)
    goals = [
        goal(
            15,
            "log opened, useful screen",
            ours["open"],
            1.1,
            beside=opened,
            of="a start of a table of 100 rows",
        ),
        goal(16, "to the end", ours["end"], 60),
        goal(16, "to the start", ours["start"], 60),
        goal(18, "memory above a table of 100 rows", ours["rss"] - rss, 10, unit="MiB"),
    ]
    if "lnav" in p50:
        goals.append(
            goal(
                15,
                "log opened, useful screen",
                ours["open"],
                0.75,
                beside=p50["lnav"]["open"],
                of="lnav",
            )
        )
        goals.append(
            goal(
                17, "search at 90 %", ours["search"], 0.25, beside=p50["lnav"]["search"], of="lnav"
            )
        )
    else:
        goals.append(beside_nothing(17, "search at 90 %", "lnav"))
    rounded = {
        name: {key: round(value, 1) for key, value in one.items()} for name, one in p50.items()
    }
    return {
        "goals": goals,
        "lines": spaces.lines,
        "p50": rounded,
        "table": {"useful": opened, "rss": rss},
    }


# --- a log that grows


class Followed(NamedTuple):
    """What following cost: lag in ms, percent of a processor, bytes/s, keys in ms meanwhile and before, lines."""

    lag_ms: dict[str, float]
    cpu_pct: float
    bytes_per_s: float
    key_ms: dict[str, float]
    quiet_key_ms: dict[str, float]
    wrote: int
    shown: int


def follow(
    program: Program, writer: Sequence[str], *, rate: int, seconds: float, keys: Sequence[str] = ()
) -> Followed:
    """Watch a log to which `rate` lines a second are written, and press `keys` in turn meanwhile."""
    with program.open() as terminal:
        quiet = [_answer(terminal, key) for key in list(keys) * QUIET]
        first, cpu_s, begun = len(terminal.chunks), terminal.usage().cpu_s, terminal.now
        command = [
            sys.executable,
            "-m",
            "tests.bench.tui_viewer",
            *writer,
            str(rate),
            str(seconds),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            answers: list[float] = []
            while process.poll() is None:
                terminal.run_for(0.13)
                if keys:
                    answers.append(_answer(terminal, keys[len(answers) % len(keys)]))
            spent, took = terminal.usage().cpu_s - cpu_s, terminal.now - begun
            written, ended = terminal.written(first), terminal.now
            told, _ = process.communicate()
        assert process.returncode == 0, "the log could not be written"
        terminal.run_for(2.0)
        lags, shown = _lags(terminal, first, begun, ended)
    assert lags, "nothing of what was written was shown"
    return Followed(
        spread(lags, 1), round(100 * spent / took, 2), round(written / took), spread(answers, 1) if keys else {},
        spread(quiet, 1) if keys else {}, int(json.loads(told)["wrote"]), shown,
    )  # fmt: skip


def _answer(terminal: Terminal, key: str) -> float:
    """Press a key and return the ms to the first byte of what it changes."""
    terminal.settle(0.02, 0.1)
    before = len(terminal.chunks)
    at = terminal.send(key)
    assert terminal.pump(5.0), f"{key} changed nothing"
    return (terminal.chunks[before].at - at) * 1e3


def _lags(terminal: Terminal, first: int, begun: float, ended: float) -> tuple[list[float], int]:
    """Return how old the newest line on the screen was, looking every 50 ms, and the last number shown."""
    lags: list[float] = []
    newest, shown, due = 0.0, 0, 0.0
    for at, text in terminal.screens(first):
        while newest and due < min(at, ended):
            lags.append((terminal.begun + due - newest) * 1e3)
            due += SAMPLE_S
        for stamp, number in STAMP.findall(text):
            if float(stamp) > terminal.begun + begun and int(number) > shown:
                newest, shown = float(stamp), int(number)
        due = max(due, at)
    return lags, shown


def measure_follow(spaces: Spaces) -> dict[str, Any]:
    """Goals 19 and 20: five thousand and fifty thousand lines a second."""
    seconds = 2.0 if spaces.small else 10.0
    goals: list[dict[str, Any]] = []
    report: dict[str, Any] = {}
    for rate in (5_000,) if spaces.small else (5_000, 50_000):
        ours, keyed, theirs = _followed(spaces, rate, seconds)
        report[str(rate)] = {"ours": ours._asdict(), "with_keys": keyed._asdict()}
        report[str(rate)] |= {"lnav": theirs._asdict()} if theirs else {}
        beside = theirs.lag_ms if theirs else None
        if rate == 5_000:
            goals.append(
                goal(19, "following 5,000 lines/s, processor", ours.cpu_pct, 12, unit="%")
            )
            if beside:
                goals.append(
                    goal(
                        19,
                        "following 5,000 lines/s, lag p50",
                        ours.lag_ms["p50"],
                        0.5,
                        beside=beside["p50"],
                        of="lnav",
                    )
                )
        else:
            goals.append(
                goal(
                    20,
                    "lines not shown of 50,000 lines/s",
                    ours.wrote - ours.shown,
                    0,
                    unit="lines",
                )
            )
            goals += [
                goal(20, f"key while following 50,000 lines/s, {which}", keyed.key_ms[which], limit,
                     beside=keyed.quiet_key_ms[which], of="the same key when nothing comes")
                for which, limit in (("p50", 3), ("p99", 10))
            ]  # fmt: skip
            if beside:
                goals.append(
                    goal(
                        20,
                        "following 50,000 lines/s, lag p95",
                        ours.lag_ms["p95"],
                        1.0,
                        beside=beside["p95"],
                        of="lnav",
                    )
                )
    return {"goals": goals, "follow": report}


def _followed(
    spaces: Spaces, rate: int, seconds: float
) -> tuple[Followed, Followed, Followed | None]:
    store, run = spaces.going
    ours = spaces.ours(
        store, "--read-only", "open", f"run/{run}", ready="seq=0", hint="seq=0", size=WIDE
    )
    kept = ["kept", str(store / "logs"), run]
    mine = follow(ours, kept, rate=rate, seconds=seconds)
    keyed = follow(ours, kept, rate=rate, seconds=seconds, keys=["t"])
    if not shutil.which("lnav"):
        return mine, keyed, None
    path = spaces.folder / f"grows{rate}.log"
    path.write_text("seq=00000000 before\n" * 100, encoding="utf-8")
    lnav = Program(["lnav", str(path)], "seq=0", "seq=0", size=WIDE)
    return mine, keyed, follow(lnav, ["plain", str(path), "-"], rate=rate, seconds=seconds)


def grown(number: int) -> str:
    """Return a line that says when it was written."""
    return f"t={time.perf_counter():.3f} seq={number:08d} INFO user.code stage 7 task 41 finished rows=123456"


def write(kind: str, path: str, run: str, rate: int, seconds: float) -> int:
    """Append lines, a hundred times a second; return the last number."""
    if kind == "plain":
        with Path(path).open("a", encoding="utf-8") as file:

            def add(lines: list[str], first: int) -> None:
                del first
                file.write("".join(f"{one}\n" for one in lines))
                file.flush()

            return _batches(rate, seconds, add)
    with FolderRunLogs(Path(path), Clock()).writer(RunId(run)) as writer:
        assert writer is not None
        before = int(writer.cursor.positions.get(SOURCE, 1))

        def keep(lines: list[str], first: int) -> None:
            begin = before + first - 1
            kept = tuple(
                LogLine(begin + n, START, "payload", "stdout", one) for n, one in enumerate(lines)
            )
            writer.append(LogChunk(SOURCE, kept, Cursor({SOURCE: begin + len(lines)})))

        return _batches(rate, seconds, keep)


def _batches(rate: int, seconds: float, keep: Callable[[list[str], int], None]) -> int:
    begun, number = time.perf_counter(), 0
    for tick in range(1, int(seconds / TICK_S) + 1):
        upto = int(rate * tick * TICK_S)
        keep([grown(n) for n in range(number + 1, upto + 1)], number + 1)
        number = upto
        time.sleep(max(0.0, begun + tick * TICK_S - time.perf_counter()))
    return number


if __name__ == "__main__":
    kind, path, run, rate, seconds = sys.argv[1:]
    sys.stdout.write(json.dumps({"wrote": write(kind, path, run, int(rate), float(seconds))}))
