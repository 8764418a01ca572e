"""Random keys on every screen, at every size: no crash, Esc leads back, nothing harmful without its dialog."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.service.bundle import Services
from quarterdeck.tui.actions import ACTIONS
from quarterdeck.tui.place import Place
from quarterdeck.tui.widgets.dialog import Answer, Dialog
from tests.support.quarterdeck import job
from tests.support.services import FakePorts, workspace
from tests.tui.pages import Ui, running

MANY = int(os.environ.get("QUARTERDECK_TEST_KEYS", "2000"))
SIZES = [(10, 3), (40, 12), (59, 20), (80, 24), (120, 40), (200, 50), (300, 100)]
PLACES = {
    "jobs": Place("jobs"),
    "runs": Place("runs"),
    "profiles": Place("profiles"),
    "queries": Place("queries"),
    "clusters": Place("clusters"),
    "teams": Place("teams"),
    "audit": Place("audit"),
    "job": Place("job", "daily"),
    "versions": Place("job", "daily", "versions"),
    "job-runs": Place("job", "daily", "runs"),
    "access": Place("job", "daily", "access"),
    "draft": Place("draft", "daily"),
    "run": Place("run", "RUN", "log"),
    "inputs": Place("run", "RUN", "inputs"),
    "item": Place("item", "small", "profile"),
    "new": Place("new", "", "job"),
    "settings": Place("new", "daily", "settings"),
    "compare": Place("compare", "RUN"),
}
HARMFUL = (
    ("runs", "cancel"), ("jobs", "delete"), ("publishing", "publish"), ("publishing", "activate"),
    ("definitions", "delete"),
)  # fmt: skip
LEAVING = {"ctrl+q", "q", "f4", "m"}  # they end the application, or give the terminal away
KEYS = sorted(
    {
        key
        for action in ACTIONS.values()
        for key in action.keys.split(",")
        if key and key not in LEAVING
    }
    | {
        "a",
        "b",
        "0",
        "tab",
        "shift+tab",
        "backspace",
        "delete",
        "left",
        "right",
        "ctrl+a",
        "ctrl+z",
    }
    | {"ctrl+y", "ctrl+v", "ctrl+e", "y", "enter", "space", "é", "漢"}
)


class Guard:
    """Counts confirmed dialogs and harmful acts; one dialog may confirm an act on several rows."""

    def __init__(self, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        self.confirmed = 0
        self.harmful: set[tuple[int, str]] = set()  # after so many confirmed dialogs
        dismiss = Dialog.dismiss

        def counted(dialog: Dialog, result: Answer | None = None) -> Any:
            self.confirmed += result is not None
            return dismiss(dialog, result)

        monkeypatch.setattr(Dialog, "dismiss", counted)
        for noun, verb in HARMFUL:
            owner = getattr(services, noun)
            monkeypatch.setattr(owner, verb, self._told(verb, getattr(owner, verb)))

    def _told(self, verb: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def work(*args: Any, **more: Any) -> Any:
            self.harmful.add((self.confirmed, verb))
            return call(*args, **more)

        return work


def deck(folder: Path) -> tuple[Services, FakePorts, str]:
    """Return a workspace with two jobs, a draft, two versions, and an ended run."""
    services, ports = workspace(folder)
    services.jobs.create([job("weekly")])
    services.jobs.edit("daily", {"spec": {**job("daily")["spec"], "timeout": "2h"}})
    services.publishing.publish("daily", note="longer")
    services.jobs.edit("daily", {"spec": {**job("daily")["spec"], "timeout": "3h"}})
    run = services.runs.start("daily")["id"]
    for _ in range(5):
        services.runs.dispatch(run)
    return services, ports, run


async def wander(ui: Ui, keys: list[str], sizes: random.Random) -> None:
    for number, key in enumerate(keys):
        if number % 25 == 24:
            await ui.resize(*sizes.choice(SIZES))
        ui.post(key)
        if number % 5 == 4:
            await ui.pilot.pause()
    await ui.settle()


@pytest.mark.row("T1")
@pytest.mark.row("T5")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("count", [40, pytest.param(MANY, marks=pytest.mark.long)])
async def test_random_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, count: int
) -> None:
    chance = random.Random(f"{place} {count}")  # noqa: S311  # keys, not secrets
    monkeypatch.chdir(tmp_path)  # a log may be saved to any name
    services, _, run = deck(tmp_path)
    guard = Guard(services, monkeypatch)
    wanted = PLACES[place]._replace(name=PLACES[place].name.replace("RUN", run))
    async with running(services, size=chance.choice(SIZES), places=[wanted]) as ui:
        await wander(ui, chance.choices(KEYS, k=count), chance)
        assert len(guard.harmful) <= guard.confirmed
        for _ in range(3):
            if ui.app.screen is not ui.page:  # a dialog, and one over it
                await ui.press("escape")
        for _ in range(5):
            await ui.press("escape")
        await ui.settle()
        assert ui.page.opened.kind == "jobs", ui.page
        assert len(ui.app.screen_stack) == 1
