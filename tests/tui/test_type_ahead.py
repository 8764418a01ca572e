"""Keys that come faster than what they open is drawn, as they do over a slow connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.screen import ModalScreen
from textual.widget import Widget

from quarterdeck.present.table import Cell
from quarterdeck.tui import app, routes
from quarterdeck.tui.type_ahead import IDLE_S, Passed, TypeAhead
from quarterdeck.tui.widgets.choice_field import Pick, Word
from quarterdeck.tui.widgets.dialog import DEAF_S, Answer, Choice, Dialog, Field
from quarterdeck.tui.widgets.menu import Menu
from quarterdeck.tui.widgets.panel import Panel
from tests.support.services import workspace
from tests.tui.pages import held, running


@pytest.mark.parametrize("place", ["jobs", "runs"])
async def test_a_filter_is_typed_whole_however_fast(tmp_path: Path, place: str) -> None:
    services, _ = workspace(tmp_path)
    async with running(services) as ui:
        if place == "runs":
            await ui.press("2")
        for key in ("slash", "s", "q", "l", "1", "x"):
            ui.post(key)
        await ui.until("filter: sql1x")
        assert ui.app.is_running


async def test_enter_behind_it_keeps_the_filter(tmp_path: Path) -> None:
    services, _ = workspace(tmp_path)
    async with running(services) as ui:
        for key in ("slash", "d", "a", "i", "enter"):
            ui.post(key)
        await ui.until("filter: dai   1 of 1")
        await ui.settle()
        assert not ui.page.query("FilterBar")


async def test_a_draft_takes_what_was_typed_before_it_was_read(tmp_path: Path) -> None:
    services, hand = held(workspace(tmp_path)[0])
    async with running(services) as ui:
        hand.hold()
        for key in ("e", "X", "Y"):
            ui.post(key)
            await ui.pilot.pause(0.05)
        hand.release()
        await ui.until("1  XYSELECT 1 AS v")
        await ui.until("as draft, not live")


async def test_the_settings_open_however_early_they_are_asked_for(tmp_path: Path) -> None:
    services, hand = held(workspace(tmp_path)[0])
    async with running(services) as ui:
        hand.hold()
        for key in ("e", "ctrl+o"):
            ui.post(key)
            await ui.pilot.pause(0.05)
        hand.release()
        await ui.until("Kind of source", deadline_s=5)


async def test_keys_behind_one_that_opens_a_page_are_the_new_page_s(tmp_path: Path) -> None:
    services, _ = workspace(tmp_path)
    async with running(services) as ui:
        for key in ("e", "ctrl+o"):
            ui.post(key)
        await ui.until("Kind of source", deadline_s=5)


async def test_a_run_asked_for_before_the_draft_was_read_is_started(tmp_path: Path) -> None:
    services, hand = held(workspace(tmp_path)[0])
    async with running(services) as ui:
        hand.hold()
        for key in ("e", "X", "ctrl+r"):
            ui.post(key)
            await ui.pilot.pause(0.05)
        hand.release()
        await ui.until("manual by ana", deadline_s=5)
        assert "DRAFT" in ui.crumb


async def test_a_draft_that_is_live_is_not_run_as_one(tmp_path: Path) -> None:
    services, _ = workspace(tmp_path)
    async with running(services) as ui:
        await ui.press("e", "ctrl+r")
        assert "nothing differs from live" in ui.status


async def test_the_patience_for_one_page_does_not_end_that_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module of the second page takes longer than what is left of the first page's time."""
    monkeypatch.setattr(app, "PATIENCE_S", 0.8)
    services, _ = workspace(tmp_path)
    async with running(services) as ui:
        await ui.press("2", "1")
        await asyncio.sleep(0.4)
        monkeypatch.setattr(routes, "is_there", lambda _: False)
        monkeypatch.setattr(routes, "fetch", lambda _: time.sleep(0.6))
        for key in ("e", "X", "Y"):
            ui.post(key)
        await ui.until("1  XYSELECT 1 AS v", deadline_s=5)


@pytest.mark.row("T1")
async def test_a_key_that_overtakes_the_word_of_the_one_before_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What says that the first is done with stands behind the third in the application's queue."""
    services, _ = workspace(tmp_path)
    passed, behind = TypeAhead.passed, ["i"]

    async with running(services) as ui:

        async def passed_late(self: TypeAhead, message: Passed) -> None:
            while behind:
                ui.post(behind.pop())
                await asyncio.sleep(5 * IDLE_S)
            await passed(self, message)

        await ui.press("colon")
        monkeypatch.setattr(TypeAhead, "passed", passed_late)
        for key in "da":
            ui.post(key)
        await ui.until("/ dai_", deadline_s=5)
        assert not behind


async def answered(answers: Sequence[object], count: int) -> None:
    """Wait until so many dialogs were answered, but not for ever."""
    for _ in range(100):
        await asyncio.sleep(0 if len(answers) >= count else 0.05)


@pytest.mark.row("T4")
async def test_a_key_right_behind_enter_goes_where_enter_leads(tmp_path: Path) -> None:
    """Of a dialog's line to its choices: a letter that takes one is none of the line's text."""
    services, _ = workspace(tmp_path)
    answers: list[Answer | None] = []
    async with running(services) as ui:
        for number in range(10):
            yes, note = Choice("a", "Yes", "y"), Field("note", "Note")
            dialog = Dialog("Sure?", [], [yes], harmful=True, fields=[note])
            ui.app.push_screen(dialog, answers.append)
            await ui.until("Note")
            await asyncio.sleep(DEAF_S)
            for key in ("x", "enter", "y"):
                ui.post(key)
            await answered(answers, number + 1)
            assert answers[number:] == [Answer("a", {"note": "x"})]


@pytest.mark.row("T4")
async def test_a_key_right_behind_a_filter_s_enter_is_the_list_s(tmp_path: Path) -> None:
    services, _ = workspace(tmp_path)
    async with running(services) as ui:
        for _ in range(5):
            for key in ("slash", "d", "a", "enter", "e"):
                ui.post(key)
            await ui.until("1  SELECT 1 AS v", deadline_s=5)
            await ui.press("escape")
            await ui.until("filter: da   1 of 1")
            await ui.press("escape")


DIALOGS: dict[str, Callable[[], ModalScreen[Any]]] = {
    "menu": lambda: Menu("Which?", [Choice("a", "The first"), Choice("b", "The second")]),
    "pick": lambda: Pick("Which?", [Word("first"), Word("second")]),
    "dialog": lambda: Dialog("Sure?", [], [Choice("a", "Yes", "y")], opened_by="r"),
    "panel": lambda: Panel("Seen", [(Cell("this"),)]),
}


@pytest.mark.row("T1")
@pytest.mark.parametrize("kind", DIALOGS)
async def test_keys_wait_for_a_dialog_that_is_not_drawn_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It is made on a task of its own, which a busy machine lets wait."""
    services, _ = workspace(tmp_path)
    dialog = DIALOGS[kind]()
    answers: list[object] = []

    async def compose(self: ModalScreen[Any]) -> None:
        await asyncio.sleep(0.4)
        await Widget._compose(self)

    async with running(services) as ui:
        monkeypatch.setattr(type(dialog), "_compose", compose)
        ui.app.push_screen(dialog, answers.append)
        await asyncio.sleep(0.1)
        await ui.app._on_key(events.Key("down", None))  # on its way from the page behind
        for key in ("down", "up", "escape"):
            ui.post(key)
        await asyncio.sleep(0.1)
        assert answers == []
        await answered(answers, 1)
        assert answers == [None]
        assert ui.app.screen is ui.page


@pytest.mark.row("T1")
@pytest.mark.parametrize("kind", DIALOGS)
async def test_a_dialog_that_is_left_before_it_is_drawn_is_gone(tmp_path: Path, kind: str) -> None:
    services, _ = workspace(tmp_path)
    async with running(services) as ui:
        dialog = DIALOGS[kind]()
        ui.app.push_screen(dialog)
        dialog.dismiss(None)
        await ui.settle()
        assert ui.app.screen is ui.page
