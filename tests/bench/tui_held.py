"""How soon a key is answered on each screen while every call of the store hangs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench.tui_goals import goal
from tests.tui.pages import held, running
from tests.tui.test_random_keys import PLACES, deck

if TYPE_CHECKING:
    from tests.bench.tui_spaces import Spaces

KEYS: Final = ("R", "j", "k", "G", "question_mark", "escape", "right", "n", "slash", "o", "escape")
ANSWERED_MS: Final = 100.0


async def _answers(folder: Path, place: str) -> list[float]:
    """Return the milliseconds from each key to the end of what it made the screen do."""
    real, _, run = deck(folder)
    services, hand = held(real)
    wanted = PLACES[place]._replace(name=PLACES[place].name.replace("RUN", run))
    found = []
    async with running(services, places=[wanted]) as ui:
        hand.hold()
        try:
            for key in KEYS:
                begun = time.perf_counter()
                ui.post(key)
                await ui.pilot.pause()
                found.append((time.perf_counter() - begun) * 1000)
        finally:
            hand.release()
        await ui.settle()
    return found


def measure_held(spaces: Spaces) -> dict[str, Any]:
    """Return the slowest answer over all screens, and of each."""
    slowest = {}
    for place in list(PLACES)[: 2 if spaces.small else None]:
        folder = spaces.folder / f"held-{place}"
        folder.mkdir()
        slowest[place] = round(max(asyncio.run(_answers(folder, place))), 1)
    line = goal(0, "key while the store hangs, slowest screen", max(slowest.values()), ANSWERED_MS)
    return {"goals": [line], "slowest_ms": slowest}
