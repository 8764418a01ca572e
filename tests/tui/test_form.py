"""The form of a new job from the keys alone: what it asks, what it says, and that nothing typed is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from tests.support.services import workspace
from tests.tui.pages import Ui, running

NEW = Place("new", "", "job")


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return workspace(tmp_path)[0]


async def to_field(ui: Ui, label: str) -> None:
    """Go down until the cursor is on this field."""
    for _ in range(60):
        if any(line.startswith(">") and label in line for line in ui.lines):
            return
        await ui.press("down")
    raise AssertionError(f"there is no field {label!r}:\n{ui.screen}")


async def sql_text(ui: Ui, text: str) -> None:
    """Type the SQL in its own sheet."""
    await to_field(ui, "SQL")
    await ui.press("enter")
    await ui.type(text)
    await ui.press("escape")


@pytest.mark.row("A14")
@pytest.mark.row("B1")
async def test_a_job_is_made_and_run_by_keyboard_alone(services: Services) -> None:
    async with running(services) as ui:
        await ui.press("i")
        await ui.type("hourly")
        await sql_text(ui, "SELECT 42 AS answer")
        await ui.press("ctrl+s")
        await ui.until("version 1 is live")
        assert services.jobs.show("hourly")["spec"]["source"]["text"] == "SELECT 42 AS answer"
        await ui.until("hourly")


@pytest.mark.row("A14")
async def test_the_form_asks_in_the_order_of_the_design(services: Services) -> None:
    async with running(services, size=(80, 60), places=[NEW]) as ui:
        shown = await ui.until("New job")
        order = ["Name", "Team", "Type", "Source", "Profile", "Cluster", "Catalogs", "Settings"]
        places = [shown.index(f"  {word}") for word in order[1:]]
        assert places == sorted(places)


@pytest.mark.row("A2")
@pytest.mark.row("A9")
@pytest.mark.row("I1")
@pytest.mark.row("I11")
async def test_all_that_is_wrong_is_said_at_once_beside_its_field(services: Services) -> None:
    async with running(services, size=(80, 50), places=[NEW]) as ui:
        await ui.press("ctrl+s")
        shown = await ui.until("255 characters")
        assert "no statement" in shown or "text" in shown
        assert not [row for row in services.lists.jobs() if row["name"] != "daily"]
        assert any(line.startswith(">") and "Name" in line for line in ui.lines)


@pytest.mark.row("A9")
@pytest.mark.row("I4")
async def test_what_was_typed_stays_after_a_refusal(services: Services) -> None:
    async with running(services, size=(80, 50), places=[NEW]) as ui:
        await ui.type("daily")
        await sql_text(ui, "SELECT 1")
        await ui.press("ctrl+s")
        shown = await ui.until("in use")
        assert "[daily" in shown


@pytest.mark.row("A17")
@pytest.mark.row("A8")
async def test_each_source_says_when_it_fits_and_the_reserved_one_is_not_offered(
    services: Services,
) -> None:
    async with running(services, size=(80, 50), places=[NEW]) as ui:
        shown = await ui.until("Kind of source")
        for words in ("shared by several jobs", "belongs to this one job"):
            assert words in shown
        assert "reusable" not in shown
        await to_field(ui, "Type")
        await ui.press("right")
        shown = await ui.until("reusable")
        assert "one script" in shown
        assert "belongs to this one job" not in shown
        assert " file " not in shown


@pytest.mark.row("B16")
async def test_every_field_says_whether_it_is_versioned(services: Services) -> None:
    async with running(services, size=(80, 60), places=[NEW]) as ui:
        shown = await ui.until("New job")
        for label, mark in (
            ("Name", "immediately"),
            ("Description", "immediately"),
            ("Profile", "versioned"),
        ):
            line = next(one for one in shown.split("\n") if label in one)
            assert line.endswith(mark), line


@pytest.mark.row("A1")
async def test_without_an_active_cluster_the_form_says_so_and_keeps_all(tmp_path: Path) -> None:
    from dataclasses import replace

    services, ports = workspace(tmp_path)
    with ports.store.transaction("ana") as tx:
        for kept in tx.definitions.page(limit=50):
            if kept.value.kind == "cluster":
                tx.definitions.put(replace(kept.value, status="inactive"), seen=kept.rev)
    async with running(services, size=(80, 50), places=[NEW]) as ui:
        await to_field(ui, "Name")
        await ui.type("new")
        await sql_text(ui, "SELECT 1")
        await ui.press("ctrl+s")
        shown = await ui.until("inactive")
        assert "[new" in shown
        assert len(services.lists.jobs()) == 1


@pytest.mark.row("T3")
async def test_esc_keeps_what_was_typed_for_the_next_time(services: Services) -> None:
    async with running(services) as ui:
        await ui.press("i")
        await ui.type("half")
        await ui.press("escape", "i")
        assert "[half" in await ui.until("New job")


async def test_the_settings_of_a_job_act_at_once(services: Services) -> None:
    async with running(services, places=[Place("new", "daily", "settings")]) as ui:
        await to_field(ui, "Description")
        await ui.type("said anew")
        await ui.press("ctrl+s")
        await ui.until("description of daily changed, immediately")
        assert services.jobs.show("daily")["description"] == "said anew"
        assert services.jobs.show("daily")["draft_version"] is None
