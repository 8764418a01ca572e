"""The job's page from the keys: what it is, its versions, its runs, who may what."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from tests.support.quarterdeck import job, sql
from tests.support.services import FakePorts, workspace
from tests.tui.pages import Ui, running

JOB = Place("job", "daily")
VERSIONS = Place("job", "daily", "versions")


def versions(services: Services, *texts: str) -> None:
    """Publish one version per text, noted by its number."""
    for number, text in enumerate(texts, 2):
        services.jobs.edit("daily", {"spec": {**job("daily")["spec"], "source": sql(text)}})
        services.publishing.publish("daily", note=f"note {number}")


@pytest.fixture
def deck(tmp_path: Path) -> tuple[Services, FakePorts]:
    services, ports = workspace(tmp_path)
    versions(services, "SELECT 2\nFROM b", "SELECT 3\nFROM c")
    return services, ports


def ran(services: Services, state: str = "succeeded") -> str:
    run = str(services.runs.start("daily")["id"])
    for _ in range(6):
        services.runs.dispatch(run)
    assert services.runs.get(run).state == state
    return run


@pytest.mark.row("A14")
async def test_the_overview_says_how_it_ran_and_what_it_uses(
    deck: tuple[Services, FakePorts],
) -> None:
    services, _ = deck
    run = ran(services)
    async with running(services) as ui:
        await ui.press("enter")
        shown = await ui.until("USES")
        assert "LAST RUN  ✓ succeeded" in shown
        assert run in shown
        assert "profile small rev 1 · cluster local rev 1 active · catalog main" in shown
        assert "owner ana" in shown
        assert "[Overview]" in shown
        assert "Versions 3" in shown
        assert "Runs 1" in shown
        assert "Schedule" not in shown


@pytest.mark.row("B8")
async def test_versions_are_found_by_note_and_text(deck: tuple[Services, FakePorts]) -> None:
    services, _ = deck
    async with running(services, places=[VERSIONS]) as ui:
        await ui.press("slash")
        await ui.type("from b")
        assert "v2" in ui.screen
        assert "▌ v3" not in ui.screen
        assert "found in text: FROM b" in ui.status
        await ui.press("escape")
        assert "v3" in ui.screen
        await ui.press("slash")
        await ui.type("note 3")
        await ui.press("enter")
        assert "▌ v3" in ui.screen


@pytest.mark.row("B8")
async def test_three_hundred_versions_are_searched_at_once_and_the_oldest_opens(
    tmp_path: Path,
) -> None:
    services, ports = workspace(tmp_path)
    from dataclasses import replace

    from quarterdeck.model.job import version_id

    with ports.store.transaction("ana") as tx:
        first = tx.versions.page(limit=1)[0].value
        for number in range(2, 301):
            one = replace(
                first, id=version_id(first.job, number), number=number,
                note=f"change {number}", based_on=number - 1,
            )  # fmt: skip
            tx.versions.put(one, seen=None)
        kept = tx.jobs.get(first.job)
        tx.jobs.put(replace(kept.value, live_version=300, next_number=301), seen=kept.rev)
    async with running(services, places=[VERSIONS]) as ui:
        await ui.press("slash")
        begun = time.monotonic()
        await ui.type("change 217")
        await ui.until("▌ v217")
        assert time.monotonic() - begun < 5.0
        await ui.press("escape", "G")
        assert "▌ v1" in ui.screen
        await ui.press("enter")
        assert "SELECT 1 AS v" in ui.dialog.text


@pytest.mark.row("B9")
async def test_any_two_versions_are_compared(deck: tuple[Services, FakePorts]) -> None:
    services, _ = deck
    async with running(services, places=[VERSIONS]) as ui:
        await ui.press("j")
        await ui.until("v3 (live) → v2")
        assert "+SELECT 2" in ui.screen
        await ui.press("space")
        await ui.until("--- v2 → v1")
        await ui.press("d")
        assert "v2 → v1" in ui.dialog.text
        assert "+SELECT 1 AS v" in ui.dialog.text


@pytest.mark.row("B9")
async def test_the_live_version_is_compared_with_the_one_that_it_is_based_on(
    deck: tuple[Services, FakePorts],
) -> None:
    services, _ = deck
    async with running(services, places=[VERSIONS]) as ui:
        await ui.until("v3 (live), based on v2")
        assert "1 field: 4 lines of source.text" in ui.screen
        assert "made live by ana just now, in place of v2" in ui.status
        await ui.press("d")
        assert "v2 → v3" in ui.dialog.text
        assert "+SELECT 3" in ui.dialog.text
        await ui.press("escape", "G", "a")
        await ui.confirm("y")
        await ui.until("v1 is live (before: v3)")
        await ui.until("Nothing to compare it with")
        first = services.publishing.history("daily")[-1]
        assert (first["made_live"]["by"], first["made_live"]["from"]) == ("ana", 3)
        await ui.press("d")
        assert "v1 is based on no other version" in ui.status


@pytest.mark.row("B10")
@pytest.mark.row("B11")
@pytest.mark.row("T5")
async def test_activate_says_what_goes_back_and_what_stays_and_asks(
    deck: tuple[Services, FakePorts],
) -> None:
    services, _ = deck
    async with running(services, places=[VERSIONS]) as ui:
        await ui.press("j", "a")
        text = ui.dialog.text
        assert "Activate v2 of daily?" in text
        assert "source.text: 4 lines" in text
        for word in (
            "schedule and pause state",
            "owning and shared teams",
            "data already written",
        ):
            assert word in text
        await ui.listens()
        await ui.press("a", "enter")
        assert services.jobs.show("daily")["live_version"] == 3
        await ui.press("a")
        await ui.confirm("y")
        await ui.until("v2 is live")
        assert services.jobs.show("daily")["live_version"] == 2
        assert "live v2" in ui.screen


@pytest.mark.row("B10")
async def test_lengths_and_sizes_are_told_as_people_write_them(
    deck: tuple[Services, FakePorts],
) -> None:
    services, _ = deck
    spec = {**job("daily")["spec"], "timeout": "2h", "limits": {"max_driver_memory": "4Gi"}}
    services.jobs.edit("daily", {"spec": spec})
    services.publishing.publish("daily")
    async with running(services, places=[VERSIONS]) as ui:
        await ui.press("G", "a")
        text = ui.dialog.text
        assert "timeout: 2h → 1h" in text
        assert "limits.max_driver_memory: 4Gi → (nothing)" in text
        await ui.listens()
        await ui.press("escape", "d")
        assert "- 2h" in ui.dialog.text
        assert "+ 1h" in ui.dialog.text


@pytest.mark.row("B10")
async def test_activating_the_live_one_changes_nothing(deck: tuple[Services, FakePorts]) -> None:
    services, _ = deck
    async with running(services, places=[VERSIONS]) as ui:
        await ui.press("a")
        assert "v3 is live already" in ui.status
        assert ui.app.screen is ui.page


@pytest.mark.row("B10")
async def test_a_version_whose_profile_is_gone_is_refused(
    deck: tuple[Services, FakePorts],
) -> None:
    services, ports = deck
    from dataclasses import replace

    with ports.store.transaction("ana") as tx:
        for kept in tx.definitions.page(limit=50):
            if kept.value.kind == "profile":
                tx.definitions.put(replace(kept.value, deleted=True), seen=kept.rev)
    async with running(services, places=[VERSIONS]) as ui:
        await ui.press("j", "a")
        await ui.confirm("y")
        await ui.until("Something is missing")
        assert services.jobs.show("daily")["live_version"] == 3


@pytest.mark.row("F1")
async def test_run_offers_live_draft_and_any_version(deck: tuple[Services, FakePorts]) -> None:
    services, _ = deck
    services.jobs.edit("daily", {"spec": {**job("daily")["spec"], "timeout": "2h"}})
    async with running(services, places=[JOB]) as ui:
        await ui.press("r")
        labels = [one.label for one in ui.dialog.choices]
        assert labels == ["Cancel", "Run live v3", "Run draft v4 (DRAFT)", "Run the version below"]
        await ui.listens()
        await ui.press("enter")
        await ui.until("daily › run")
        assert "  v3" in ui.crumb


@pytest.mark.row("F11")
async def test_the_runs_of_the_job_are_listed_with_trigger_and_reason(
    deck: tuple[Services, FakePorts],
) -> None:
    services, _ = deck
    ran(services)
    async with running(services, places=[JOB]) as ui:
        await ui.press("h")
        assert "✓ succeeded" in await ui.until("QUEUED")
        assert "manual by ana" in ui.status
        await ui.press("enter")
        await ui.until("daily › run")


@pytest.mark.row("D1")
@pytest.mark.row("B16")
async def test_access_shows_owner_shared_and_who_may_what(
    deck: tuple[Services, FakePorts],
) -> None:
    services, _ = deck
    services.definitions.create("team", {"name": "bi", "members": ["bo"]})
    services.jobs.edit("daily", {"shared_teams": ["bi"]})
    async with running(services, places=[Place("job", "daily", "access")]) as ui:
        shown = await ui.until("OWNER")
        assert "ana" in shown
        assert "SHARED   bi  bo" in shown
        assert "takes effect immediately" in shown
        assert "Shared teams may:         view, log, run, retry, export" in shown


@pytest.mark.row("D6")
@pytest.mark.row("T5")
async def test_delete_lists_what_goes_and_wants_the_name(deck: tuple[Services, FakePorts]) -> None:
    services, _ = deck
    async with running(services, places=[JOB]) as ui:
        await ui.press("X")
        assert "With it go 3 versions and no draft" in ui.dialog.text
        await ui.listens()
        await ui.press("enter", "enter")
        assert services.lists.jobs()
        await ui.press("escape", "X")
        await ui.listens()
        await ui.type("daily")
        await ui.press("tab", "tab", "enter")
        await ui.until("daily is deleted")
        assert not services.lists.jobs()
        assert ui.page.opened.kind == "jobs"


@pytest.mark.row("T1")
async def test_there_is_room_for_two_panes_at_120_columns(
    deck: tuple[Services, FakePorts],
) -> None:
    services, _ = deck
    ran(services)
    async with running(services, size=(120, 40), places=[JOB]) as ui:
        shown = await ui.until("USES")
        assert "QUEUED" in shown


async def test_the_tabs_go_round(deck: tuple[Services, FakePorts]) -> None:
    services, _ = deck

    def tab(ui: Ui) -> str:
        return ui.page.place().tab

    async with running(services, places=[JOB]) as ui:
        seen = []
        for _ in range(4):
            seen.append(tab(ui))
            await ui.press("right_square_bracket")
        assert seen == ["overview", "versions", "runs", "access"]
        await ui.press("comma")
        assert tab(ui) == "access"


@pytest.mark.row("H11")
@pytest.mark.parametrize("letter", ["x", "漢"])
async def test_a_long_name_gives_way_to_what_follows_it(tmp_path: Path, letter: str) -> None:
    services, _ = workspace(tmp_path)
    name = letter * 255
    services.jobs.create([job(name)])
    async with running(services, places=[Place("job", name)]) as ui:
        assert "… › Overview " in ui.lines[1]
        assert ui.lines[1].endswith("owner ana")
    async with running(services, places=[Place("draft", name)]) as ui:
        assert ui.lines[1].endswith("… › Draft   based on v1")
