"""The audit trail on screen: newest first, filtered, read on, and only what the reader may see."""

from pathlib import Path
from typing import cast

import pytest

from quarterdeck.model.errors import NotAllowedError
from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.audit.screen import AuditPage
from quarterdeck.tui.widgets.menu import Menu
from tests.support.quarterdeck import job
from tests.support.services import FakePorts, workspace
from tests.tui.pages import Ui, running


def deck(folder: Path) -> tuple[Services, FakePorts]:
    """Return a workspace with a second team and a refused act of its member."""
    services, ports = workspace(folder)
    services.definitions.create("team", {"name": "bi", "members": ["ben"]})
    services.jobs.create([job("report", team="bi", shared_teams=["ana"])])
    with pytest.raises(NotAllowedError):
        Services(ports, "ben").definitions.delete("profile", "small")
    return services, ports


def audit(ui: Ui) -> AuditPage:
    return cast("AuditPage", ui.page)


@pytest.mark.row("D4")
async def test_acts_stand_newest_first_with_refused_ones(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    async with running(services, places=[Place("audit")]) as ui:
        first = audit(ui).records[0]
        assert (first["actor"], first["action"], first["outcome"]) == (
            "ben",
            "profile.delete",
            "refused",
        )
        assert "refused" in ui.lines[3]
        await ui.press("exclamation_mark")
        assert [row["action"] for row in audit(ui).records] == ["profile.delete"]
        await ui.press("exclamation_mark", "O")
        assert audit(ui).records[0]["action"] == "workspace.create"
        assert "oldest first" in ui.crumb


@pytest.mark.row("D4")
async def test_a_filter_finds_by_subject_and_a_record_opens(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    async with running(services, places=[Place("audit")]) as ui:
        await ui.press("slash")
        await ui.type("small")
        await ui.press("enter")
        assert {row["subject_name"] for row in audit(ui).records} == {"small"}
        await ui.press("enter")
        assert isinstance(ui.dialog, Menu)
        assert "outcome: refused" in ui.screen
        await ui.press("o")
        await ui.until("mode: standalone")
        assert ui.page.opened.kind == "item"


@pytest.mark.row("D4")
async def test_only_what_the_reader_may_see_is_shown(tmp_path: Path) -> None:
    _, ports = deck(tmp_path)
    async with running(Services(ports, "ben"), places=[Place("audit")]) as ui:
        assert "report" in ui.screen
        assert "daily" not in ui.screen


async def test_the_trail_is_read_on_as_one_scrolls(tmp_path: Path) -> None:
    services, _ = workspace(tmp_path)
    for number in range(130):
        services.definitions.edit("profile", "small", {"env": {"N": str(number)}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quarterdeck.service.upkeep.PAGE", 50)
        async with running(services, places=[Place("audit")]) as ui:
            assert "Audit 100+" in ui.crumb
            await ui.press("G")
            await ui.until("Audit 137 ")
            await ui.press("G")
            last = audit(ui).rows.current or {}
            assert last["action"] == "workspace.create"
            assert "+" not in ui.crumb


@pytest.mark.row("T4")
async def test_new_acts_are_counted_while_the_cursor_is_elsewhere(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    async with running(services, places=[Place("audit")]) as ui:
        await ui.press("j")
        before = audit(ui).rows.current
        services.definitions.edit("profile", "small", {"env": {"N": "1"}})
        await ui.until("1 new: R")
        assert audit(ui).rows.current is before
        await ui.press("R")
        assert audit(ui).records[0]["action"] == "profile.edit"
        assert (audit(ui).rows.current or {})["id"] == (before or {})["id"]


async def test_an_empty_filter_result_says_how_to_get_back(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    async with running(services, places=[Place("audit")]) as ui:
        await ui.press("slash")
        await ui.type("nothing-like-it")
        assert 'no record holds "nothing-like-it". Esc clears.' in ui.screen
        await ui.press("escape")
        assert len(audit(ui).records) > 5
