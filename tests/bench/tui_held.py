"""How soon a key is answered on each screen, on a terminal, while every call of the store hangs."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench.pty_timer import Terminal
from tests.bench.tui_goals import goal
from tests.tui.test_random_keys import PLACES

if TYPE_CHECKING:
    from tests.bench.tui_spaces import Spaces

KEYS: Final = (
    "R",
    "down",
    "up",
    "G",
    "?",
    "escape",
    "]",
    "n",
    "/",
    "o",
    "escape",
    "down",
    "escape",
)
ANSWERS: Final = 5  # of the keys, at least, change something everywhere
ANSWERED_MS: Final = 100.0
_WAITING: Final = re.compile(r". (?:still )?waiting for (.*) \(\d+ s(.*)\)\. Esc.*")
WINDOW_S: Final = 0.3  # later changes are of their own
ROOT: Final = Path(__file__).parents[2]


def _answers(folder: Path, place: str) -> dict[str, float]:
    """Return the milliseconds from each key to the end of what it changes; a key that changes nothing has none.

    Where it changes nothing but the line that says what is waited for, it is that line.
    """
    command = [sys.executable, "-m", "tests.bench.held_app", str(folder), place]
    body: dict[str, float] = {}
    waits: dict[str, float] = {}
    with Terminal(command, environ={"PYTHONPATH": str(ROOT)}) as terminal:
        terminal.until("schedules do not fire")
        terminal.run_for(1.5)
        os.kill(terminal.pid, signal.SIGUSR1)
        times = []
        for key in KEYS:
            times.append(terminal.send(key))
            terminal.run_for(0.5)
        assert not terminal.is_over, terminal.screen()
        os.kill(terminal.pid, signal.SIGUSR2)
        shown: tuple[str, str] = "", ""
        for at, text in terminal.screens():
            since = max((one for one in times if one <= at < one + WINDOW_S), default=None)
            now = _WAITING.sub("", text), str(_WAITING.findall(text))
            if since is not None:
                key = f"{times.index(since)} {KEYS[times.index(since)]}"
                for old, new, found in zip(shown, now, (body, waits), strict=True):
                    if old != new:
                        found[key] = round((at - since) * 1000, 1)
            shown = now
    answers = waits | body
    assert len(answers) >= ANSWERS, answers
    return answers


def measure_held(spaces: Spaces) -> dict[str, Any]:
    """Return the slowest answer over all screens, and every key's of each."""
    found = {}
    for place in list(PLACES)[: 2 if spaces.small else None]:
        folder = spaces.folder / f"held-{place}"
        folder.mkdir()
        found[place] = _answers(folder, place)
    slowest = max(max(keys.values()) for keys in found.values())
    line = goal(0, "key while the store hangs, slowest of all screens", slowest, ANSWERED_MS)
    return {"goals": [line], "keys_ms": found}
