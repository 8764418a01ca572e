"""Forms and the editor of saved queries when a save answers late, is asked for twice, or others save meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.definitions.query import QueryPage
from quarterdeck.tui.screens.form.screen import FormPage
from tests.support.services import workspace
from tests.tui.pages import Held, Ui, held, running
from tests.tui.test_draft_session import until
from tests.tui.test_form import to_field

SALES: dict[str, Any] = {"name": "Sales", "team": "ana", "text": "SELECT 1\n"}
QUERY = Place("query", "sales")
LATE_S = 0.3  # by then a call that nothing holds back is made


@pytest.fixture
def services(tmp_path: Path) -> Services:
    found = workspace(tmp_path)[0]
    found.definitions.create("query", SALES)
    found.definitions.edit("team", "ana", {"members": ["ana", "ben"]})
    return found


def ben(services: Services) -> Services:
    return Services(services.ports, "ben")


def saved(services: Services) -> dict[str, Any]:
    return services.definitions.show("query", "sales")


@asynccontextmanager
async def slow(services: Services, *places: Place) -> AsyncIterator[tuple[Ui, Held]]:
    both, hand = held(services)
    async with running(both, places=places) as ui:
        yield ui, hand


def query(ui: Ui) -> QueryPage:
    return cast("QueryPage", ui.page)


def unsaved_files(folder: Path) -> list[str]:
    return [found.read_text() for found in folder.rglob("sales*.sql")]


# --- the editor of a saved query


@pytest.mark.row("T4")
async def test_what_is_typed_behind_the_save_of_a_query_stays(services: Services) -> None:
    async with slow(services, Place("queries"), QUERY) as (ui, hand):
        await ui.pilot.press("A")
        hand.hold()
        await ui.pilot.press("ctrl+s", "B")
        await ui.pilot.pause(LATE_S)
        hand.release()
        await ui.until("is saved as revision 2")
        assert saved(services)["text"] == "ASELECT 1\n"
        assert query(ui).typed["text"] == "ABSELECT 1\n"
        assert "not saved" in ui.crumb
        await ui.press("escape", "e")
        await ui.until("ABSELECT 1")
        await ui.press("ctrl+s")
        await ui.until("is saved as revision 3")
        assert saved(services)["text"] == "ABSELECT 1\n"


@pytest.mark.row("T4")
async def test_a_query_that_is_saved_twice_at_once_is_one_revision(services: Services) -> None:
    async with slow(services, QUERY) as (ui, hand):
        await ui.pilot.press("A")
        hand.hold()
        await ui.pilot.press("ctrl+s")
        await ui.pilot.pause(LATE_S)
        await ui.pilot.press("ctrl+s")
        hand.release()
        await ui.until("is saved as revision 2")
        await ui.settle()
        assert ui.app.screen is ui.page
        assert saved(services)["revision"] == 2
        assert " saved" in ui.crumb


@pytest.mark.row("T4")
async def test_keys_behind_e_wait_for_the_text_of_a_query(services: Services) -> None:
    async with slow(services, Place("queries")) as (ui, hand):
        hand.hold()
        for key in ("e", "end", "x", "down", "y"):
            ui.post(key)
        await ui.pilot.pause(LATE_S)
        hand.release()
        await ui.until("1  SELECT 1x")
        assert query(ui).typed["text"] == "SELECT 1x\ny"


@pytest.mark.row("R2")
async def test_theirs_is_taken_and_undo_brings_mine_back(services: Services) -> None:
    async with running(services, places=[QUERY]) as ui:
        await ui.press("A")
        ben(services).definitions.edit("query", "sales", {"text": "SELECT 2\n"})
        await ui.press("ctrl+s")
        await ui.confirm("t")
        assert query(ui).typed["text"] == "SELECT 2\n"
        assert "saved" in ui.crumb
        assert "not saved" not in ui.crumb
        await ui.press("ctrl+z")
        assert query(ui).typed["text"] == "ASELECT 1\n"
        assert saved(services)["text"] == "SELECT 2\n"


@pytest.mark.row("R2")
async def test_a_query_left_unsaved_does_not_go_over_what_another_saved_since(
    services: Services,
) -> None:
    async with running(services, places=[Place("queries")]) as ui:
        await ui.press("e")
        await ui.pilot.press("A")
        await ui.press("escape")
        ben(services).definitions.edit("query", "sales", {"text": "SELECT 2\n"})
        await ui.press("e")
        await ui.until("ASELECT 1")
        assert "ben saved revision 2 meanwhile" in ui.screen
        await ui.press("ctrl+s")
        await ui.until("Somebody saved sales meanwhile")
        assert "-SELECT 2" in ui.dialog.text
        assert saved(services)["text"] == "SELECT 2\n"
        await ui.confirm("m")
        await ui.until("is saved as revision 3")
        assert saved(services)["text"] == "ASELECT 1\n"


@pytest.mark.row("T4")
@pytest.mark.parametrize("key", ["escape", "ctrl+q"])
async def test_leaving_a_query_that_was_deleted_keeps_its_text_in_a_file(
    services: Services, own_folders: Path, key: str
) -> None:
    async with running(services, places=[Place("queries"), QUERY]) as ui:
        await ui.press("A")
        services.definitions.delete("query", "sales")
        await ui.press(key)
        await until(ui, lambda: ui.app.unsaved)
        assert "sales is gone; your text is in" in ui.app.unsaved[0]
    assert unsaved_files(own_folders) == ["ASELECT 1\n"]


@pytest.mark.row("D3")
async def test_who_lost_the_right_to_a_query_keeps_what_was_typed(
    services: Services, own_folders: Path
) -> None:
    services.definitions.create("team", {"name": "ops", "members": ["bo"]})
    services.definitions.edit("query", "sales", {"team": "ops"})
    async with running(Services(services.ports, "bo"), places=[Place("queries"), QUERY]) as ui:
        await ui.press("A")
        services.definitions.edit("query", "sales", {"team": "ana"})
        await ui.until("read-only: only members of ana", deadline_s=5)
        assert "ASELECT 1" in ui.screen
        await ui.press("escape")
        await until(ui, lambda: ui.app.unsaved)
    assert unsaved_files(own_folders) == ["ASELECT 1\n"]


# --- forms


def form(ui: Ui) -> FormPage:
    return cast("FormPage", ui.page)


def profile(services: Services) -> dict[str, Any]:
    return services.definitions.show("profile", "small")


@pytest.mark.row("T4")
async def test_what_is_typed_behind_the_save_of_a_form_is_here_again(services: Services) -> None:
    services.definitions.create("team", {"name": "ops", "members": ["bo"]})
    async with slow(services, Place("new", "ops", "team")) as (ui, hand):
        await to_field(ui, "Members")
        await ui.press("end")
        await ui.type(", cy")
        hand.hold()
        await ui.pilot.press("ctrl+s")
        await ui.pilot.pause(LATE_S)
        for key in (",", " ", "d", "i"):
            await ui.pilot.press(key)
        hand.release()
        await ui.until("what you typed before is here again")
        assert services.definitions.show("team", "ops")["members"] == ["bo", "cy"]
        assert "bo, cy, di" in ui.screen
        assert "not saved" in ui.crumb
        await ui.press("ctrl+s")
        await until(ui, lambda: len(services.definitions.show("team", "ops")["members"]) == 3)


@pytest.mark.row("A14")
async def test_what_is_typed_behind_the_first_save_of_a_job_is_in_its_draft(
    services: Services,
) -> None:
    async with slow(services, Place("new", "", "job")) as (ui, hand):
        await ui.type("hourly")
        await to_field(ui, "SQL")
        await ui.press("enter")
        await ui.type("SELECT 1")
        await ui.press("escape")
        await to_field(ui, "Timeout")
        hand.hold()
        await ui.pilot.press("ctrl+s")
        await ui.pilot.pause(LATE_S)
        for key in ("9", "m"):
            await ui.pilot.press(key)
        hand.release()
        await ui.until("hourly › Draft")
        await until(ui, lambda: services.jobs.show("hourly")["draft_version"])
        assert services.drafts.show("hourly")["spec"]["timeout"] == 540
        assert services.jobs.show("hourly")["spec"]["timeout"] == 3600


@pytest.mark.row("A14")
async def test_a_form_that_is_saved_twice_at_once_makes_one_thing(services: Services) -> None:
    async with slow(services, Place("new", "", "team")) as (ui, hand):
        await ui.type("twice")
        await to_field(ui, "Members")
        await ui.type("bo")
        hand.hold()
        await ui.pilot.press("ctrl+s")
        await ui.pilot.pause(LATE_S)
        await ui.pilot.press("ctrl+s")
        hand.release()
        await until(ui, lambda: ui.page.opened.kind != "new")
        assert "in use" not in ui.screen
        assert services.definitions.show("team", "twice")["members"] == ["bo"]


@pytest.mark.row("R2")
async def test_theirs_is_taken_in_a_form_and_what_was_typed_can_be_had_again(
    services: Services,
) -> None:
    services.jobs.edit("daily", {"description": "first"})
    async with running(services, places=[Place("new", "daily", "settings")]) as ui:
        await to_field(ui, "Description")
        await ui.press("end")
        await ui.type(" mine")
        services.jobs.edit("daily", {"description": "theirs"})
        await ui.press("ctrl+s")
        await ui.until("changed meanwhile")
        await ui.confirm("t")
        assert "theirs" in ui.screen
        assert "first mine" not in ui.screen
        await ui.press("f8")
        assert "first mine" in ui.screen
        assert services.jobs.show("daily")["description"] == "theirs"


@pytest.mark.row("R2")
async def test_a_form_left_unsaved_does_not_go_over_what_another_saved_since(
    services: Services,
) -> None:
    services.jobs.edit("daily", {"description": "first"})
    settings = Place("new", "daily", "settings")
    async with running(services, places=[settings]) as ui:
        await to_field(ui, "Description")
        await ui.press("end")
        await ui.type(" mine")
        place = ui.page.place()
        await ui.press("escape")
        services.jobs.edit("daily", {"description": "theirs"})
        ui.app.go(settings)
        await ui.until("first mine")
        await ui.press("ctrl+s")
        await ui.until("changed meanwhile")
        assert services.jobs.show("daily")["description"] == "theirs"
    async with running(services, places=[place]) as ui:  # after the terminal was gone
        await ui.press("ctrl+s")
        await ui.until("changed meanwhile")
        await ui.confirm("m")
        await until(ui, lambda: services.jobs.show("daily")["description"] == "first mine")


@pytest.mark.row("B16")
async def test_settings_are_saved_while_somebody_types_in_the_draft(services: Services) -> None:
    """What they show is bound, not the draft."""
    async with running(services, places=[Place("new", "daily", "settings")]) as ui:
        await to_field(ui, "Description")
        await ui.type("mine")
        now = services.drafting.open("daily")
        assert now is not None
        spec = {**now.spec, "timeout": "9m"}
        services.drafting.save("daily", spec, seen=now.seen)
        await ui.press("ctrl+s")
        await until(ui, lambda: services.jobs.show("daily")["description"] == "mine")
        assert services.drafts.show("daily")["spec"]["timeout"] == 540


@pytest.mark.row("T4")
async def test_keys_behind_the_one_that_opens_a_form_wait_for_it(services: Services) -> None:
    services.jobs.edit("daily", {"description": "x"})
    async with slow(services) as (ui, hand):
        hand.hold()
        for key in ("s", "Z"):
            ui.post(key)
        await ui.pilot.pause(LATE_S)
        hand.release()
        await ui.until("dailyZ")
