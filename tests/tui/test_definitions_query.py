"""The editor of a saved query, and the question before the save of what jobs use."""

from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.definitions.query import QueryPage
from quarterdeck.tui.widgets.dialog import Dialog
from tests.support.quarterdeck import job
from tests.support.services import FakePorts, workspace
from tests.tui.pages import Ui, running

SALES: dict[str, Any] = {"name": "Sales", "team": "ana", "text": "SELECT 1 AS v\n"}


def deck(folder: Path, jobs: int = 2) -> tuple[Services, FakePorts]:
    """Return a workspace with a query that jobs of three teams use in turn."""
    services, ports = workspace(folder)
    services.definitions.create("query", SALES)
    for team in ("bi", "ops"):
        services.definitions.create("team", {"name": team, "members": ["ben"]})
    teams = ("ana", "bi", "ops")
    source = {"kind": "saved_query", "query_id": "sales"}
    for number in range(jobs):
        services.jobs.create([job(f"sales_{number:02d}", team=teams[number % 3], source=source)])
    return services, ports


def query(ui: Ui) -> QueryPage:
    return cast("QueryPage", ui.page)


@pytest.mark.row("A18")
@pytest.mark.row("I14")
async def test_characters_are_counted_and_one_too_many_is_refused_with_both_numbers(
    tmp_path: Path,
) -> None:
    services, _ = deck(tmp_path)
    async with running(services, places=[Place("queries")]) as ui:
        await ui.press("e")
        assert "14 of 8,191 characters" in ui.status
        await ui.type("/**/")
        assert "18 of 8,191 characters" in ui.status
        page = query(ui)
        text = "SELECT 1 -- " + "x" * 8_180
        page.editor.replace_all(text)
        await ui.settle()
        assert "8,192 of 8,191 characters: 1 too many" in ui.status
        await ui.press("ctrl+s")
        assert "text: " in ui.screen
        assert "8,192" in ui.screen
        assert "8,191" in ui.screen
        assert page.editor.text == text
        assert "1 problem  not saved" in ui.crumb
    assert services.definitions.show("query", "sales")["revision"] == 1


@pytest.mark.row("A18")
async def test_a_new_query_has_an_id_and_its_first_revision(tmp_path: Path) -> None:
    services, _ = workspace(tmp_path)
    async with running(services, places=[Place("queries")]) as ui:
        await ui.press("i")
        assert query(ui).typed["team"] == "ana"
        await ui.type("Daily Sales")
        await ui.press("enter", "enter")
        await ui.type("SELECT 1")
        await ui.press("ctrl+s")
        assert "query daily-sales is saved as revision 1" in ui.status
        assert "saved" in ui.crumb
        await ui.press("escape")
        assert "daily-sales" in ui.screen
    made = services.definitions.show("query", "daily-sales")
    assert (made["text"], made["author"], made["revision"]) == ("SELECT 1", "ana", 1)


@pytest.mark.row("A18")
async def test_a_copy_begins_with_the_text(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    async with running(services, places=[Place("item", "sales", "query")]) as ui:
        await ui.app.run_action("item_duplicate", ui.page)
        await ui.settle()
        assert query(ui).typed == {**SALES, "name": "Sales copy"}
        await ui.press("ctrl+s")
        assert "query sales-copy is saved as revision 1" in ui.status


@pytest.mark.row("C4")
async def test_whom_an_edit_reaches_is_asked_before_the_save(tmp_path: Path) -> None:
    services, ports = deck(tmp_path, jobs=12)
    ports.fake.silence()  # it stays in the queue
    services.runs.start("sales_03")
    async with running(services, places=[Place("query", "sales")]) as ui:
        await ui.type("/**/")
        await ui.press("ctrl+s")
        dialog = ui.dialog
        assert isinstance(dialog, Dialog)
        assert "Taken by the NEXT run of 12 jobs of 3 teams." in dialog.text
        assert "Running runs keep revision 1. 1 run in the queue will take it." in dialog.text
        assert "sales_03  ana  live, 1 queued" in dialog.text
        await ui.confirm("escape")
        assert "not saved; what you typed is here" in ui.status
        assert services.definitions.show("query", "sales")["revision"] == 1
        await ui.press("ctrl+s")
        await ui.confirm("s")
        assert "query sales is saved as revision 2" in ui.status
    assert services.definitions.show("query", "sales")["text"] == "/**/SELECT 1 AS v\n"


@pytest.mark.row("C4")
async def test_a_profile_says_what_the_job_sets_itself(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    services.jobs.create([job("own", settings={"env": {"TZ": "CET"}, "sail": {}})])
    found = services.definitions.impact("profile", "small", {"env": {"TZ": "UTC"}})
    async with running(services, size=(120, 40), places=[Place("profiles")]) as ui:
        from quarterdeck.tui.impact import ask_impact

        saved: list[bool] = []
        ask = partial(
            ask_impact, ui.page, "profile", "small", failed=ui.page.fail, left=lambda: None
        )
        ask({"env": {"TZ": "UTC"}}, lambda _: saved.append(True))
        await ui.settle()
        assert "env.TZ: none: the job sets CET itself" in ui.screen
        assert f"{len(found['jobs'])} jobs" in ui.screen
        await ui.confirm("s")
        assert saved == [True]
        ask({"env": {}}, lambda _: saved.append(True))
        await ui.settle()
        assert saved == [True, True]  # nothing of it changes: nothing to ask


@pytest.mark.row("C4")
async def test_hidden_jobs_are_counted_not_named(tmp_path: Path) -> None:
    services, ports = deck(tmp_path, jobs=3)
    services.definitions.create("query", {**SALES, "name": "Ours", "team": "bi"})
    services.jobs.create([job("secret", source={"kind": "saved_query", "query_id": "ours"})])
    async with running(Services(ports, "ben"), places=[Place("query", "ours")]) as ui:
        await ui.type("/**/")
        await ui.press("ctrl+s")
        assert "and 1 job that you may not see" in ui.dialog.text
        assert "secret" not in ui.dialog.text


async def test_what_was_typed_comes_back(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    async with running(services, places=[Place("queries")]) as ui:
        await ui.press("e")
        await ui.type("/**/")
        place = ui.page.place()
        await ui.press("escape")
        assert ui.page.opened.kind == "queries"
        await ui.press("e")
        assert query(ui).typed["text"].startswith("/**/SELECT")
        assert "what you typed last is here again" in ui.status
        await ui.press("ctrl+z")
        assert query(ui).typed == SALES
    async with running(services, places=[place]) as ui:  # after the terminal was gone
        assert query(ui).typed["text"].startswith("/**/SELECT")


@pytest.mark.row("R2")
async def test_what_somebody_saved_meanwhile_is_shown_not_overwritten(tmp_path: Path) -> None:
    services, _ = deck(tmp_path, jobs=0)
    async with running(services, places=[Place("query", "sales")]) as ui:
        await ui.type("/*mine*/ ")
        services.definitions.edit("query", "sales", {"text": "SELECT 2 AS theirs\n"})
        await ui.press("ctrl+s")
        assert "Somebody saved sales meanwhile" in ui.screen
        assert "-SELECT 2 AS theirs" in ui.dialog.text
        assert "+/*mine*/ SELECT 1 AS v" in ui.dialog.text
        await ui.confirm("escape")
        assert services.definitions.show("query", "sales")["text"] == "SELECT 2 AS theirs\n"
        await ui.press("ctrl+s")
        await ui.confirm("m")
        assert "saved as revision 3" in ui.status


async def test_who_may_not_edit_reads_only(tmp_path: Path) -> None:
    services, ports = deck(tmp_path)
    del services
    async with running(Services(ports, "ben"), places=[Place("query", "sales")]) as ui:
        assert "read-only: only members of ana and org admins may edit it" in ui.status
        await ui.type("xyz")
        assert query(ui).typed == SALES
        await ui.press("ctrl+s")
        assert "read-only" in ui.status
