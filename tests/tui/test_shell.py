"""What every page has: the frame, help, palette, commands, messages, waits, and facts that come by themselves."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.model.errors import PrerequisiteError
from quarterdeck.model.job import Job
from quarterdeck.model.lease import Holder
from quarterdeck.ports.store import Change
from quarterdeck.service.bundle import Services
from quarterdeck.tui.app import Quarterdeck as Application
from quarterdeck.tui.listing import CHANGER_S
from quarterdeck.tui.place import Place
from quarterdeck.tui.workspace import Making
from tests.support.quarterdeck import job
from tests.support.services import FakePorts, workspace
from tests.tui.pages import Ui, held, running
from tests.tui.test_random_keys import PLACES, deck

FRESH_S = 2.0
PROMPT_S = 1.0  # of a held store that would take 20 s; the figure itself is the bench's


@pytest.fixture
def services(tmp_path: Path) -> Services:
    found, _ = workspace(tmp_path)
    found.jobs.create([job("orders"), job("stock")])
    return found


def shared_member(services: Services) -> Services:
    """Return the services of somebody whose team may run `daily` and look at it, nothing else."""
    ports = services.ports
    services.definitions.create("team", {"name": "bi", "members": ["bo"]})
    services.jobs.edit("daily", {"shared_teams": ["bi"]})
    return Services(ports, "bo")


async def test_the_frame_says_who_is_where(services: Services) -> None:
    async with running(services) as ui:
        assert "fake" in ui.header
        assert "ana" in ui.header
        assert "schedules do not fire" in ui.header
        assert "Sun 22 Nov 06:00" in ui.header
        assert ui.crumb.startswith("Jobs 3")
        assert "? Help" in ui.footer
        assert [len(line) <= 80 for line in ui.lines] == [True] * 24


@pytest.mark.row("H11")
@pytest.mark.row("T8")
async def test_help_lists_the_keys_of_the_screen_and_filters_them(services: Services) -> None:
    async with running(services) as ui:
        await ui.press("question_mark")
        assert "log of the latest run" in ui.dialog.text
        await ui.type("versions")
        assert "versions of the job" in ui.dialog.text
        assert "log of the latest run" not in ui.dialog.text
        await ui.press("escape")
        assert ui.app.screen is ui.page


@pytest.mark.row("T8")
async def test_the_palette_does_an_act_by_name(services: Services) -> None:
    async with running(services) as ui:
        await ui.press("colon")
        await ui.type("saved queries")
        await ui.press("enter")
        assert ui.page.opened.kind == "queries"


@pytest.mark.row("T8")
async def test_the_palette_goes_to_a_job_by_name(services: Services) -> None:
    async with running(services) as ui:
        await ui.press("2", "colon")
        await ui.type("stock")
        await ui.until("job stock")
        await ui.press("enter")
        assert ui.page.place()[:2] == ("job", "stock")


async def test_quit_is_in_the_palette(services: Services) -> None:
    async with running(services) as ui:
        await ui.press("colon")
        await ui.type("quit")
        await ui.pilot.press("enter")
        await ui.pilot.pause()
        assert ui.app.return_code == 0


@pytest.mark.row("H4")
async def test_the_command_behind_a_key_is_copied(services: Services) -> None:
    async with running(services) as ui:
        await ui.press("j", "Y")
        await ui.type("versions")
        await ui.press("enter")
        assert ui.app.clipboard == "quarterdeck job versions orders"
        assert "copied 31 characters" in ui.status


async def test_a_key_from_elsewhere_says_what_it_needs(services: Services) -> None:
    async with running(services, places=[Place("audit")]) as ui:
        await ui.press("a")
        assert ui.status == "a: activate, on a version"


@pytest.mark.row("D5")
async def test_a_refused_key_is_dimmed_and_says_who_may(services: Services) -> None:
    bo = shared_member(services)
    async with running(bo) as ui:
        edit = next(cell for cell in ui.page._box("footer")._lines[0] if cell.text == "Edit ")
        assert edit.tone == "dim"
        await ui.press("e")
        await ui.until("Not allowed")
        assert "only members of ana" in ui.dialog.text
        assert "org admins" in ui.dialog.text


@pytest.mark.row("Q4")
async def test_read_only_removes_what_writes_and_says_so(tmp_path: Path) -> None:
    _, ports = workspace(tmp_path)
    async with running(Services(ports, "ana", read_only=True)) as ui:
        assert "READ-ONLY" in ui.header
        assert "e Edit" not in ui.footer
        await ui.press("r")
        assert "--read-only" in ui.status


@pytest.mark.row("T7")
async def test_what_another_process_writes_is_drawn_within_two_seconds(services: Services) -> None:
    async with running(services) as ui:
        await ui.press("j", "j")
        assert ui.page.place().more["cursor"]
        before = ui.page.place()
        other = Services(services.ports, "ben")
        services.definitions.edit("team", "ana", {"members": ["ana", "ben"]})
        other.jobs.edit("daily", {"description": "by ben"})
        other.jobs.edit("stock", {"spec": {**job("stock")["spec"], "timeout": "2h"}})
        begun = time.monotonic()
        shown = await ui.until("v1 •", deadline_s=FRESH_S)
        assert time.monotonic() - begun < FRESH_S
        assert "▌ stock" in shown
        assert ui.page.place() == before


@pytest.mark.row("T7")
async def test_who_makes_the_rounds_is_in_the_header(services: Services) -> None:
    holder = Holder("bastion", 7, "ana", "s-one")
    async with running(services) as ui:
        services.leases.take(holder)
        await ui.until("scheduler bastion, just now", deadline_s=FRESH_S)
        services.leases.give_back(holder)
        await ui.until("schedules do not fire", deadline_s=FRESH_S)


@pytest.mark.row("T7")
async def test_who_else_changed_what_is_told_for_five_seconds(services: Services) -> None:
    async with running(services) as ui:
        services.definitions.edit("team", "ana", {"members": ["ana", "ben"]})
        services.jobs.edit("daily", {"description": "by ana"})
        await ui.settle()
        assert "changed" not in ui.crumb
        Services(services.ports, "ben").jobs.edit("stock", {"description": "by ben"})
        await ui.until("ben changed stock", deadline_s=FRESH_S)
        await asyncio.sleep(CHANGER_S + 0.3)
        assert "ben changed" not in ui.crumb
        assert "sort:" in ui.crumb


@pytest.mark.row("T7")
async def test_a_job_deleted_elsewhere_says_so_and_by_whom(services: Services) -> None:
    async with running(services) as ui:
        await ui.press("j")
        assert "▌ orders" in ui.screen
        other = Services(services.ports, "ben")
        services.definitions.edit("team", "ana", {"members": ["ana", "ben"]})
        other.jobs.delete("orders")
        await ui.until("orders was deleted by ben", deadline_s=FRESH_S)
        assert "▌ stock" in ui.screen


@pytest.mark.row("T2")
async def test_rows_below_those_in_sight_are_there_before_the_cursor(tmp_path: Path) -> None:
    real, _ = workspace(tmp_path)
    real.jobs.create([job(f"job-{number:03d}") for number in range(200)])
    services, hand = held(real)
    async with running(services) as ui:
        for _ in range(4):
            await ui.press("pagedown")
        hand.hold()
        try:
            for _ in range(30):
                ui.post("j")
            await ui.pilot.pause()
            assert "▌ job-105" in ui.screen, ui.screen
        finally:
            hand.release()


@pytest.mark.row("T2")
@pytest.mark.parametrize("place", PLACES)
async def test_a_store_that_hangs_holds_up_no_key(tmp_path: Path, place: str) -> None:
    real, _, run = deck(tmp_path)
    services, hand = held(real)
    wanted = PLACES[place]._replace(name=PLACES[place].name.replace("RUN", run))
    async with running(services, places=[wanted]) as ui:
        hand.hold()
        try:
            for key in (
                "R",
                "j",
                "k",
                "question_mark",
                "escape",
                "right",
                "n",
                "slash",
                "o",
                "escape",
                "R",
            ):
                begun = time.monotonic()
                ui.post(key)
                await ui.pilot.pause()
                assert time.monotonic() - begun < PROMPT_S, key
            await asyncio.sleep(0.3)
            front = ui.page
            for _ in range(4):
                ui.post("escape")
                await ui.pilot.pause()
            assert ui.page.opened.kind in ("jobs", front.opened.kind)
        finally:
            hand.release()
        await ui.settle()


@pytest.mark.row("T2")
async def test_a_wait_shows_its_age_and_is_left_with_esc(services: Services) -> None:
    slow, hand = held(services)
    async with running(slow) as ui:
        hand.hold()
        try:
            ui.post("R")
            await asyncio.sleep(0.4)
            await ui.pilot.pause()
            assert "waiting for the jobs (0 s). Esc leaves it" in ui.status
            await ui.pilot.press("escape")
            assert "left" in ui.status
        finally:
            hand.release()
        await ui.settle()
        assert "waiting" not in ui.status


@pytest.mark.row("T2")
async def test_a_late_answer_never_lands_on_another_screen(services: Services) -> None:
    slow, hand = held(services)
    async with running(slow) as ui:
        hand.hold()
        try:
            ui.post("r")
            await ui.pilot.pause()
            ui.post("8")
            await ui.pilot.pause()
            await asyncio.sleep(0.2)
        finally:
            hand.release()
        await ui.until("Audit")
        await ui.settle()
        assert ui.app.screen is ui.page
        assert ui.page.opened.kind == "audit"


HOSTILE = "x\x1b]0;pwned\x07\x1b[2J\x9b31m[bold]red[/] [/ \u202egnp.exe\u2066 \u200b漢字\U0001f600"


@pytest.mark.row("T6")
@pytest.mark.parametrize("place", [name for name in PLACES if name != "draft"])
async def test_text_of_others_is_shown_and_does_nothing(tmp_path: Path, place: str) -> None:
    services, ports, run = deck(tmp_path)
    poison(services, ports)
    services.definitions.create(
        "query", {"id": "odd", "name": "odd", "text": f"SELECT '{HOSTILE}'"}
    )
    wanted = PLACES[place]._replace(
        name=PLACES[place].name.replace("RUN", run).replace("daily", "daily")
    )
    async with running(services, places=[wanted]) as ui:
        shown = ui.screen
        for bad in ("\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\u200b"):
            assert bad not in shown
        assert all(len(line) <= 80 for line in ui.lines)


def poison(services: Services, ports: FakePorts) -> None:
    """Give jobs, versions and teams names and texts that a terminal or a toolkit would obey; past the checks."""
    from dataclasses import replace

    with ports.store.transaction("ana") as tx:
        for kept in tx.jobs.page(limit=10):
            value: Job = replace(kept.value, description=HOSTILE)
            tx.jobs.put(value, seen=kept.rev)
        for version in tx.versions.page(limit=10):
            tx.versions.put(replace(version.value, note=HOSTILE, author=HOSTILE), seen=version.rev)
        for one in tx.definitions.page(limit=50):
            if one.value.kind == "team":
                body = {**one.value.body, "members": [*one.value.body["members"], HOSTILE]}
                tx.definitions.put(replace(one.value, body=body, author=HOSTILE), seen=one.rev)
        for kept_run in tx.runs.page(limit=10):
            ran = replace(kept_run.value, job_name=HOSTILE, notes=(HOSTILE,), actor=HOSTILE)
            tx.runs.put(ran, seen=kept_run.rev)
    assert services.lists.jobs()


@pytest.mark.row("D7")
async def test_acting_for_another_team_new_things_are_its_and_the_header_says_so(
    services: Services,
) -> None:
    services.definitions.create("team", {"name": "web", "members": ["ana"]})
    async with running(services) as ui:
        await ui.press("colon")
        await ui.type("act as")
        await ui.press("enter")
        assert ui.dialog.text.split("\n")[1:] == ["ana", "web"]
        await ui.press("j", "enter")
        await ui.until("ana@web")
        await ui.press("i")
        assert "< web >" in await ui.until("Team")


@pytest.mark.row("T1")
async def test_at_200_columns_the_job_under_the_cursor_is_beside_the_list(
    services: Services,
) -> None:
    services.jobs.edit("orders", {"description": "what it is for"})
    async with running(services, size=(200, 50)) as ui:
        assert "No run yet" in ui.screen
        await ui.press("j")
        await ui.until("what it is for")


@pytest.mark.row("T2")
async def test_a_page_under_another_reads_what_changed_once_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, _ = workspace(tmp_path)
    read: list[str] = []
    job_page, changes, told = services.pages.job, services.changes.read, threading.Event()

    def counted(name: str) -> dict[str, Any]:
        read.append(name)
        return job_page(name)

    def watched() -> list[Change]:
        found = changes()
        if found:
            told.set()
        return found

    monkeypatch.setattr(services.pages, "job", counted)
    monkeypatch.setattr(services.changes, "read", watched)
    async with running(services, places=[Place("job", "daily")]) as ui:
        await ui.press("e")
        await ui.until("Draft")
        before = len(read)
        told.clear()
        services.jobs.edit("daily", {"description": "changed by somebody"})
        assert await asyncio.to_thread(told.wait, 5.0)
        await ui.settle()
        assert len(read) == before
        await ui.press("escape")
        assert len(read) == before + 1
        await ui.until("changed by somebody")


@pytest.mark.row("B6")
async def test_without_a_workspace_the_palette_and_keys_offer_no_view() -> None:
    def none() -> Services:
        raise PrerequisiteError("There is no workspace.", advice="Make one.")

    app = Application(none, zone=UTC, making=Making("/nowhere", none))
    async with app.run_test(size=(80, 24)) as pilot:
        ui = Ui(app, pilot)
        await ui.press("4")
        assert "There is no workspace here yet." in ui.screen
        await ui.press("colon", *"theme")
        assert "choose the colours" in ui.screen
        assert "compute profiles" not in ui.screen
