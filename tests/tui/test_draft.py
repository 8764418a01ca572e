"""The draft editor from the keys: typing, saving, running, publishing, and somebody else at the same draft."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from quarterdeck.model.draft import Opened
from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from quarterdeck.tui.widgets.editor import CodeEditor
from quarterdeck.tui.widgets.entries import Sheet
from quarterdeck.tui.widgets.spec_sheet import SpecSheet
from tests.support.quarterdeck import job, python, sql
from tests.support.services import workspace
from tests.tui.pages import Ui, running

SAVED_S = 3.0  # generous: the promise of 1 s is counted from the key to the service's call
DRAFT = Place("draft", "daily")


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return workspace(tmp_path)[0]


def text_of(services: Services, name: str = "daily") -> str:
    spec = services.drafts.show(name)["spec"]
    return str(spec["source"]["text"])


def read(services: Services, name: str = "daily") -> Opened:
    """Return the draft as an editor reads it."""
    found = services.drafting.open(name)
    assert found is not None
    return found


def editor(ui: Ui) -> CodeEditor:
    return ui.page.query_one(CodeEditor)


def fields(ui: Ui) -> Sheet:
    return ui.page.query_one(SpecSheet).sheet


def publish_beside(other: Services, spec: dict[str, object], mine: Services) -> None:
    """Let somebody publish while a draft of the older version stands: theirs, then mine on its older base."""
    base = read(mine)
    other.jobs.edit("daily", {"spec": spec}, replace_draft=True)
    other.publishing.publish("daily")
    kept = {**base.spec, "source": sql("SELECT 3")}
    mine.drafting.save("daily", kept, seen=read(mine).seen, based_on=base.based_on)


async def saved(ui: Ui, services: Services, text: str) -> None:
    """Wait until the draft holds this text."""
    end = time.monotonic() + SAVED_S
    while time.monotonic() < end:
        await ui.settle()
        if services.jobs.show("daily")["draft_version"] and text_of(services) == text:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{text!r} was not saved:\n{ui.screen}")


def ben(services: Services) -> Services:
    """Return the services of another member of the owning team."""
    services.definitions.edit("team", "ana", {"members": ["ana", "ben"]})
    return Services(services.ports, "ben")


@pytest.mark.row("T4")
async def test_the_cursor_goes_by_its_keys_and_its_place_is_told(services: Services) -> None:
    now = read(services)
    spec = {**now.spec, "source": sql("SELECT 1\nFROM x\nWHERE y")}
    services.drafting.save("daily", spec, seen=now.seen)
    async with running(services, places=[DRAFT]) as ui:
        await ui.press("down", "right")
        assert editor(ui).place == (2, 2)
        assert ui.status == ""
        await ui.until(" 2:2 ")
        await ui.press("end", "pagedown", "home")
        await ui.until(" 3:1 ")
        assert ui.status == ""


@pytest.mark.row("B2")
@pytest.mark.row("T4")
async def test_what_is_typed_is_in_the_draft_within_a_second_and_not_live(
    services: Services,
) -> None:
    async with running(services) as ui:
        await ui.press("e")
        await ui.until("based on v1")
        assert "SELECT 1 AS v" in ui.screen
        begun = time.monotonic()
        await ui.pilot.press("X")
        await saved(ui, services, "XSELECT 1 AS v")
        assert time.monotonic() - begun < SAVED_S
        assert "as draft, not live" in ui.crumb
        assert services.jobs.show("daily")["live_version"] == 1
        assert services.jobs.show("daily")["spec"]["source"]["text"] == "SELECT 1 AS v"


@pytest.mark.row("T4")
async def test_where_the_cursor_is_is_told_with_each_key(services: Services) -> None:
    async with running(services) as ui:
        await ui.press("e")
        await ui.until("based on v1")
        for key, place in (("right", "1:2"), ("X", "1:3"), ("enter", "2:1"), ("delete", "2:1")):
            await ui.press(key)
            assert f" {place}  " in ui.lines[2], key


@pytest.mark.row("T3")
async def test_a_page_still_being_made_is_remembered_where_it_was_opened(
    services: Services,
) -> None:
    async with running(services) as ui:
        ui.app.go(DRAFT)
        assert ui.app.remembered()["places"][-1]["name"] == "daily"


@pytest.mark.row("B2")
async def test_every_tab_of_the_job_says_what_is_live_and_what_is_not(services: Services) -> None:
    services.jobs.edit("daily", {"spec": {**job("daily")["spec"], "timeout": "2h"}})
    async with running(services, places=[Place("job", "daily")]) as ui:
        for _ in range(4):
            assert "live v1 · draft v2 (not live, 1 field)" in ui.screen
            await ui.press("full_stop")


@pytest.mark.row("B4")
@pytest.mark.row("B5")
@pytest.mark.row("T5")
async def test_publish_shows_the_diff_asks_and_says_what_is_live(services: Services) -> None:
    async with running(services, places=[DRAFT]) as ui:
        await ui.press("end")
        await ui.type(", 2 AS w")
        await ui.press("ctrl+g")
        assert "Make the draft of daily live as v2?" in ui.dialog.text
        assert "+ SELECT 1 AS v, 2 AS w" in ui.dialog.text
        await ui.listens()
        await ui.type("more")
        await ui.press("enter", "y")
        await ui.until("version 2 is live")
        shown = services.publishing.history("daily")[0]
        assert (shown["number"], shown["note"], shown["live"]) == (2, "more", True)


@pytest.mark.row("B5")
async def test_a_draft_that_equals_live_is_not_published(services: Services) -> None:
    async with running(services, places=[DRAFT]) as ui:
        await ui.press("ctrl+g")
        assert ui.app.screen is ui.page
        assert "nothing to publish" in ui.status


@pytest.mark.row("T5")
async def test_publish_is_not_confirmed_by_its_own_key_nor_by_enter(services: Services) -> None:
    async with running(services, places=[DRAFT]) as ui:
        await ui.type("X")
        await ui.press("ctrl+g")
        await ui.listens()
        await ui.press("ctrl+g", "enter", "enter")
        assert services.jobs.show("daily")["live_version"] == 1


@pytest.mark.row("A9")
@pytest.mark.row("T4")
async def test_what_is_wrong_is_kept_shown_at_its_line_and_refuses_the_publish(
    services: Services,
) -> None:
    async with running(services, places=[DRAFT]) as ui:
        await ui.press("end")
        await ui.type(", 'open")
        await ui.until("1 problem")
        assert "line 1" in ui.screen
        assert text_of(services) == "SELECT 1 AS v, 'open"
        await ui.press("home", "ctrl+n")
        assert editor(ui).cursor_location == (0, 15)
        await ui.press("ctrl+g")
        await ui.listens()
        await ui.press("tab", "y")
        await ui.until("source.text")
        assert services.jobs.show("daily")["live_version"] == 1


@pytest.mark.row("A9")
@pytest.mark.row("T4")
async def test_what_is_wrong_stays_marked_in_a_pane_that_comes_back(services: Services) -> None:
    now = read(services)
    services.drafting.save("daily", {**now.spec, "source": sql("SELECT 'open")}, seen=now.seen)
    async with running(services, places=[DRAFT]) as ui:
        await ui.until("1 problem")
        await ui.settle()
        for begin in ("1! SELECT", "1  ", "1! SELECT"):
            assert f"{ui.lines[3]}  ".lstrip().startswith(begin)
            await ui.press("ctrl+t")
            await ui.settle()


@pytest.mark.row("A9")
@pytest.mark.row("T4")
async def test_what_is_wrong_stands_beside_its_field_in_a_sheet_that_is_opened_later(
    services: Services,
) -> None:
    now = read(services)
    spec = {**now.spec, "source": {"kind": "py_file", "uri": "/not-there.py"}}
    services.drafting.save("daily", spec, seen=now.seen)
    async with running(services, places=[DRAFT]) as ui:
        await ui.until("1 problem")
        for _ in range(2):  # the sheet is made the first time, shown again the second
            await ui.press("ctrl+o")
            await ui.settle()
            wrong = [one.path for one in fields(ui).there() if one.notes]
            assert wrong == ["spec.source.uri"]
            await ui.press("ctrl+o")


@pytest.mark.row("B3")
@pytest.mark.row("F1")
async def test_a_draft_run_from_inside_is_labelled_everywhere(services: Services) -> None:
    async with running(services, places=[DRAFT]) as ui:
        await ui.type("-- x")
        await ui.press("enter", "ctrl+r")
        shown = await ui.until("DRAFT")
        assert "daily › run" in shown
        await ui.press("2")
        await ui.until("Runs")
        assert "No runs yet" in ui.screen
        await ui.press("D")
        assert "DRAFT" in await ui.until("daily")


@pytest.mark.row("B7")
@pytest.mark.row("R2")
async def test_two_at_one_draft_never_overwrite_unseen(services: Services) -> None:
    other = ben(services)
    async with running(services, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        other.jobs.edit("daily", {"spec": {**job("daily")["spec"], "source": sql("SELECT 'ben'")}})
        await ui.until("Somebody else saved meanwhile")
        assert "ben saved" in ui.dialog.text
        assert "SELECT 'ben'" in ui.dialog.text
        assert "ASELECT 1 AS v" in ui.dialog.text
        assert text_of(services) == "SELECT 'ben'"
        await ui.confirm("m")
        await saved(ui, services, "ASELECT 1 AS v")


@pytest.mark.row("B7")
@pytest.mark.row("R2")
async def test_mine_goes_on_top_of_what_went_live_and_what_only_they_changed_stays(
    services: Services,
) -> None:
    other = ben(services)
    spec = job("daily")["spec"]
    services.jobs.edit("daily", {"spec": {**spec, "source": sql("SELECT 2")}})
    publish_beside(other, {**spec, "source": sql("SELECT 2"), "timeout": "9m"}, services)
    assert services.drafts.show("daily")["stale"]
    async with running(services, places=[DRAFT]) as ui:
        await ui.until("based on v1, live is v2")
        await ui.press("ctrl+g")
        shown = await ui.until("Somebody else saved meanwhile")
        assert "ben made v2 live" in shown
        assert "timeout" in ui.dialog.text
        await ui.confirm("m")
        await ui.until("based on v2")
        await ui.press("ctrl+g")
        assert "SELECT 3" in await ui.until("Make the draft of daily live as v3")
        assert "timeout" not in ui.dialog.text
        await ui.listens()
        await ui.press("enter", "y")
        await ui.until("version 3 is live")
    assert services.jobs.show("daily")["spec"]["timeout"] == 540
    assert services.jobs.show("daily")["spec"]["source"]["text"] == "SELECT 3"


@pytest.mark.row("B7")
async def test_mine_is_kept_on_its_older_base_and_is_not_published_unseen(
    services: Services,
) -> None:
    other = ben(services)
    spec = job("daily")["spec"]
    async with running(services, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        other.jobs.edit("daily", {"spec": {**spec, "source": sql("SELECT 'ben'")}})
        other.publishing.publish("daily")
        await ui.until("Somebody else saved meanwhile")
        await ui.confirm("k")
        await ui.until("based on v1, live is v2")
        await saved(ui, services, "ASELECT 1 AS v")
        assert services.drafts.show("daily")["based_on"] == 1
        await ui.press("ctrl+g")
        await ui.until("Somebody else saved meanwhile")
    assert services.jobs.show("daily")["live_version"] == 2


@pytest.mark.row("B6")
async def test_a_dropped_draft_is_brought_back_from_the_list(services: Services) -> None:
    spec = job("daily")["spec"]
    for text in ("SELECT 2", "SELECT 3"):
        services.jobs.edit("daily", {"spec": {**spec, "source": sql(text)}})
        services.drafts.discard("daily")
    async with running(services) as ui:
        await ui.press("colon")
        await ui.type("dropped")
        await ui.press("enter")
        await ui.until("Dropped drafts of daily")
        assert len(ui.dialog.choices) == 2
        await ui.press("down", "enter")
        await ui.until("is back")
        assert text_of(services) == "SELECT 2"
        assert len(services.drafts.dropped("daily")) == 1


@pytest.mark.row("B7")
async def test_theirs_can_be_taken(services: Services) -> None:
    other = ben(services)
    async with running(services, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        other.jobs.edit("daily", {"spec": {**job("daily")["spec"], "source": sql("SELECT 'ben'")}})
        await ui.until("Somebody else saved meanwhile")
        await ui.confirm("t")
        await ui.until("SELECT 'ben'")
        assert text_of(services) == "SELECT 'ben'"


@pytest.mark.row("T7")
async def test_what_another_saved_is_shown_where_nothing_is_typed(services: Services) -> None:
    other = ben(services)
    async with running(services, places=[DRAFT]) as ui:
        other.jobs.edit("daily", {"spec": {**job("daily")["spec"], "source": sql("SELECT 'ben'")}})
        await ui.until("SELECT 'ben'", deadline_s=5)


@pytest.mark.row("D3")
async def test_who_lost_the_right_is_told_at_once_and_keeps_the_text(services: Services) -> None:
    services.definitions.create("team", {"name": "ops", "members": ["bo"]})
    bo = Services(services.ports, "bo")
    services.jobs.edit("daily", {"team": "ops"})
    async with running(bo, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        services.jobs.edit("daily", {"team": "ana", "shared_teams": ["ops"]})
        await ui.until("NOT SAVED", deadline_s=5)
        assert "ASELECT 1 AS v" in ui.screen
        assert "members of ana" in ui.screen


@pytest.mark.row("B6")
async def test_a_discarded_draft_comes_back_with_undo(services: Services) -> None:
    services.jobs.edit("daily", {"spec": {**job("daily")["spec"], "source": sql("SELECT 2")}})
    async with running(services) as ui:
        await ui.press("colon")
        await ui.type("discard")
        await ui.press("enter")
        await ui.until("was discarded")
        assert services.jobs.show("daily")["draft_version"] is None
        await ui.press("u")
        await ui.until("undone")
        assert text_of(services) == "SELECT 2"


@pytest.mark.row("T4")
async def test_the_other_pane_is_offered_and_taken(services: Services) -> None:
    async with running(services, places=[DRAFT]) as ui:
        await ui.press("ctrl+t")
        assert "[Python]" in ui.screen
        assert "read-only" in ui.screen
        await ui.press("f10", "ctrl+p")
        await ui.type("take it")
        await ui.press("enter")
        await ui.until("[Python *]")
        await saved(ui, services, "# Python of this job\n")
        assert services.drafts.show("daily")["spec"]["source"]["kind"] == "py_file"
    async with running(services, places=[DRAFT]) as ui:
        await ui.until("[Python *]")
        await ui.press("ctrl+t")
        assert "SELECT 1 AS v" in ui.screen  # the other text is kept with the draft


@pytest.mark.row("A17")
async def test_a_saved_query_is_shown_and_taken_into_the_job(services: Services) -> None:
    services.definitions.create(
        "query", {"id": "shared", "name": "shared", "text": "SELECT 'shared'"}
    )
    services.jobs.create([job("asks", source={"kind": "saved_query", "query_id": "shared"})])
    async with running(services, places=[Place("draft", "asks")]) as ui:
        await ui.until("SELECT 'shared'")
        assert "saved query shared" in ui.screen
        await ui.press("X")
        assert "XSELECT" not in ui.screen
        await ui.press("ctrl+p")
        await ui.type("take it")
        await ui.press("enter")
        await ui.until("as draft, not live")
        assert services.drafts.show("asks")["spec"]["source"]["text"] == "SELECT 'shared'"


@pytest.mark.row("T4")
async def test_python_is_edited_and_find_counts(services: Services) -> None:
    services.jobs.create([job("script", source=python("import os\nprint(os)\n"))])
    async with running(services, places=[Place("draft", "script")]) as ui:
        await ui.press("ctrl+f")
        await ui.type("os")
        await ui.until("1 of 2")
        await ui.press("enter")
        await ui.until("2 of 2")
        await ui.press("escape")
        assert ui.page.opened.kind == "draft"
        assert ui.page.focused is editor(ui)


@pytest.mark.row("T3")
async def test_what_was_typed_and_not_saved_is_offered_at_the_same_place(
    services: Services,
) -> None:
    rev = read(services).rev
    spec = {**job("daily")["spec"], "source": sql("SELECT 'lost?'")}
    more = {"line": 1, "column": 5, "typed": {"spec": spec, "rev": rev}}
    async with running(services, places=[Place("draft", "daily", "", more)]) as ui:
        await ui.until("SELECT 'lost?'")
        await saved(ui, services, "SELECT 'lost?'")
        assert editor(ui).place == (1, 5)


@pytest.mark.row("T4")
async def test_esc_leaves_and_keeps(services: Services) -> None:
    async with running(services) as ui:
        await ui.press("e")
        await ui.pilot.press("Q")
        await ui.press("escape")
        assert ui.page.opened.kind == "jobs"
        await saved(ui, services, "QSELECT 1 AS v")
