"""Any text through the draft editor and its autosave: what was not typed stays as it was, byte for byte."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.draft import editing
from quarterdeck.tui.widgets.editor import CodeEditor
from tests.support.again import share
from tests.support.quarterdeck import sql
from tests.support.services import workspace
from tests.tui.pages import Ui, running
from tests.tui.test_draft import read
from tests.tui.test_editor import TEXTS

DEADLINE_S = 10.0


def kept(services: Services) -> str:
    return str(read(services).spec["source"]["text"])


def put(services: Services, text: str) -> None:
    """Write the text into the draft, past the editor."""
    now = read(services)
    spec: dict[str, Any] = {**now.spec, "source": sql(text)}
    services.drafting.save("daily", spec, seen=now.seen)


async def shows(ui: Ui, text: str) -> CodeEditor:
    """Read the draft again, and wait until the editor holds it."""
    ui.page.load()
    await ui.settle()
    editor = ui.page.query_one(CodeEditor)
    assert editor.text == text
    return editor


async def autosaved(ui: Ui, services: Services, text: str) -> None:
    """Wait, pressing nothing, until the draft holds the text."""
    end = asyncio.get_running_loop().time() + DEADLINE_S
    while kept(services) != text:
        assert asyncio.get_running_loop().time() < end, (text, kept(services), ui.screen)
        await asyncio.sleep(0.01)
        await ui.settle()
    await ui.settle()


@pytest.mark.row("T4")
@pytest.mark.parametrize("count", [20, pytest.param(share(200), marks=pytest.mark.long)])
def test_any_text_goes_through_editor_and_autosave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(editing, "QUIET_S", 0.0)  # the same save, sooner
    services = workspace(tmp_path)[0]
    with asyncio.Runner() as runner:
        opened = running(services, places=[Place("draft", "daily")])
        ui = runner.run(opened.__aenter__())

        async def edited(text: str, data: st.DataObject) -> None:
            editor = await shows(ui, text)
            row = data.draw(st.integers(0, editor.code.line_count - 1))
            column = data.draw(st.integers(0, len(editor.code[row])))
            lines = [editor.code.raw_line(n) for n in range(row)]
            at = len("".join(lines)) + row * len(editor.code.newline) + column
            editor.move_cursor((row, column))
            await ui.pilot.press("x")
            added = text[:at] + "x" + text[at:]
            await autosaved(ui, services, added)
            assert editor.text == added
            await ui.pilot.press("backspace")
            await autosaved(ui, services, text)
            assert editor.text == text

        @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))
        @given(TEXTS, st.data())
        def goes_through(text: str, data: st.DataObject) -> None:
            put(services, text)
            runner.run(edited(text, data))

        try:
            goes_through()
        finally:
            runner.run(opened.__aexit__(None, None, None))
