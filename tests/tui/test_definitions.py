"""Lists of definitions and the page of one: what they say, who may do what, what keeps one from going away."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from quarterdeck.ports.executor import Check
from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.definitions.item import ItemPage
from quarterdeck.tui.screens.definitions.screen import DefinitionsPage
from quarterdeck.tui.widgets.dialog import Dialog
from quarterdeck.tui.widgets.menu import Menu
from quarterdeck.tui.widgets.panel import Panel
from tests.support.quarterdeck import job
from tests.support.services import FakePorts, workspace
from tests.tui.pages import Ui, running

WIDE = {
    "name": "wide", "team": "ana", "mode": "cluster", "driver": {"disk_gib": 20},
    "worker": {"instance_type": "m7i.xlarge", "disk_gib": 50, "max_nodes": 4, "capacity_type": "spot"},
}  # fmt: skip


def deck(folder: Path) -> tuple[Services, FakePorts]:
    """Return a workspace of two teams, two profiles, a query and jobs that use them."""
    services, ports = workspace(folder)
    made = services.definitions.create
    made("team", {"name": "bi", "members": ["ben", "cy"]})
    made("profile", WIDE)
    made("query", {"name": "Sales", "team": "ana", "text": "SELECT 1 AS v\n"})
    made(
        "catalog",
        {
            "name": "lake",
            "kind": "iceberg-rest",
            "uri": "https://c.example/",
            "token": "secret://a/b",
        },
    )
    services.jobs.create(
        [job("report", team="bi", source={"kind": "saved_query", "query_id": "sales"})]
    )
    return services, ports


def run(services: Services, name: str) -> str:
    made = str(services.runs.start(name)["id"])
    for _ in range(5):
        services.runs.dispatch(made)
    return made


def names(ui: Ui) -> list[str]:
    page = cast("DefinitionsPage", ui.page)
    return [str(row["name"]) for row in page.rows.in_sight]


async def holds(ui: Ui, fact: Callable[[], bool]) -> None:
    """Wait until something holds that the feed brings."""
    end = time.monotonic() + 10
    while not fact():
        assert time.monotonic() < end, ui.screen
        await ui.settle()
        await asyncio.sleep(0.02)


async def test_each_list_shows_its_kinds_with_their_columns(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    async with running(services) as ui:
        for key, words in (
            ("4", ("Profiles 2", "wide", "cluster", "standalone")),
            ("5", ("Queries 1", "sales", "Sales")),
            ("6", ("Clusters+catalogs 3", "✓ active", "lake", "iceberg-rest", "CHECKED")),
            ("7", ("Teams 2", "ben, cy")),
        ):
            await ui.press(key)
            for word in words:
                assert word in ui.screen_text(), word
            assert max(map(len, ui.screen_text().splitlines())) <= 80


async def test_filter_and_sort_keep_to_what_is_typed(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    async with running(services, places=[Place("teams")]) as ui:
        await ui.press("slash", "c", "y", "enter")
        assert names(ui) == ["bi"]  # by a member
        await ui.press("escape")
        assert names(ui) == ["ana", "bi"]
        await ui.press("o", "o", "O")
        assert names(ui) == ["bi", "ana"]


@pytest.mark.row("C1")
async def test_a_standalone_profile_has_no_worker_fields(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    async with running(services, places=[Place("item", "small", "profile")]) as ui:
        assert "mode: standalone" in ui.screen_text()
        assert "worker" not in ui.screen_text()
        assert "rev 1" in ui.screen_text()
    async with running(services, places=[Place("item", "wide", "profile")]) as ui:
        assert "instance_type: m7i.xlarge" in ui.screen_text()


@pytest.mark.row("C1")
@pytest.mark.row("A18")
async def test_any_two_revisions_are_compared(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    for text in ("SELECT 2 AS v\n", "SELECT 3 AS v\n"):
        services.definitions.edit("query", "sales", {"text": text})
    async with running(services, places=[Place("item", "sales", "query")]) as ui:
        await ui.press("v")
        assert "revision 2 → 3" in ui.screen_text()
        assert "-SELECT 2 AS v" in ui.screen_text()
        await ui.press("space", "G")  # marks 3, goes to 1
        assert "revision 1 → 3" in ui.screen_text()
        assert "-SELECT 1 AS v" in ui.screen_text()
        assert "+SELECT 3 AS v" in ui.screen_text()
        await ui.press("enter")
        assert isinstance(ui.app.screen, Panel)
        assert "revision 1 by ana" in ui.app.screen.text
        assert "SELECT 1 AS v" in ui.app.screen.text


@pytest.mark.row("C3")
async def test_a_profile_shows_which_runs_took_which_revision(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    run(services, "daily")
    services.definitions.edit("profile", "small", {"env": {"A": "1"}})
    run(services, "daily")
    run(services, "report")
    async with running(
        services, places=[Place("item", "small", "profile", {"pane": "revisions"})]
    ) as ui:
        page = cast("ItemPage", ui.page)
        rows = [(row["revision"], row.get("runs")) for row in page.revisions]
        assert rows == [(2, 2), (1, 1)]
        assert "report" in ui.screen_text()


@pytest.mark.row("C4")
async def test_the_jobs_that_use_it_are_listed_and_opened(tmp_path: Path) -> None:
    services, ports = deck(tmp_path)
    async with running(services, places=[Place("profiles")]) as ui:
        await ui.press("d")
        assert "2 jobs of 2 teams use it" in ui.status
        assert "report" in ui.screen_text()
        page = cast("ItemPage", ui.page)
        assert [row["job"] for row in page.jobs.in_sight] == ["daily", "report"]
    async with running(Services(ports, "ben"), places=[Place("item", "small", "profile")]) as ui:
        await ui.press("d")
        assert "1 job of 1 team uses it, and 1 that you may not see" in ui.status
        assert "daily" not in ui.screen_text()


@pytest.mark.row("A15")
async def test_a_cluster_shows_status_checks_and_what_to_do(tmp_path: Path) -> None:
    services, ports = deck(tmp_path)
    async with running(services, places=[Place("item", "local", "cluster")]) as ui:
        assert "status: ✓ active  checked" in ui.screen_text()
        ports.fake.checks = [
            Check("namespace", "failed", "may not create pods", "Bind the role qd-runner.")
        ]
        await ui.press("c")
        assert "cluster local is inactive: namespace failed" in ui.status
        text = ui.screen_text()
        assert "status: ✗ inactive" in text
        assert "✗ namespace  may not create pods" in text
        assert "Next: Bind the role qd-runner." in text
        await ui.press("6", "exclamation_mark")
        assert names(ui) == ["local"]
        assert "1 needs attention" in ui.screen_text()


@pytest.mark.row("A16")
@pytest.mark.row("C5")
async def test_what_is_in_use_stays_and_each_use_opens(tmp_path: Path) -> None:
    services, ports = deck(tmp_path)
    async with running(services, places=[Place("clusters")]) as ui:
        await ui.press("G", "X")
        assert isinstance(ui.app.screen, Menu)
        assert [one.value for one in ui.app.screen.choices] == ["daily", "report"]
        assert "In use by 2; it stays." in ui.screen_text()
        await ui.press("escape")
        assert services.definitions.show("catalog", "main")
    async with running(Services(ports, "ben"), places=[Place("queries")]) as ui:
        await ui.press("X")
        assert isinstance(ui.app.screen, Panel)
        assert "only members of ana and org admins may delete" in ui.app.screen.text


@pytest.mark.row("A16")
async def test_what_nothing_uses_is_deleted_after_its_name(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    async with running(services, places=[Place("item", "lake", "catalog")]) as ui:
        assert "token: secret://a/b" in ui.screen_text()
        await ui.press("X")
        assert isinstance(ui.app.screen, Dialog)
        await ui.type("lake")
        await ui.listens()
        await ui.press("enter", "right", "enter")
        assert "catalog lake is deleted" in ui.status
        assert ui.page.opened.kind == "jobs"
    assert [row["name"] for row in services.definitions.page("catalog")] == ["main"]


@pytest.mark.row("D8")
async def test_teams_are_the_org_admins_and_owned_things_keep_them(tmp_path: Path) -> None:
    services, ports = deck(tmp_path)
    async with running(services, places=[Place("teams")]) as ui:
        await ui.press("G", "X")
        assert isinstance(ui.app.screen, Menu)
        assert [one.value for one in ui.app.screen.choices] == ["report"]
        await ui.press("escape", "k", "X")
        assert isinstance(ui.app.screen, Menu)
        assert "profile small" in [one.value for one in ui.app.screen.choices]
    async with running(Services(ports, "ben"), places=[Place("teams")]) as ui:
        await ui.press("e")
        assert isinstance(ui.app.screen, Panel)
        assert "org admins may edit" in ui.app.screen.text


@pytest.mark.row("D8")
async def test_who_left_the_team_may_not_edit_in_an_open_screen(tmp_path: Path) -> None:
    services, ports = deck(tmp_path)
    services.definitions.create("profile", {**WIDE, "name": "bi-wide", "team": "bi"})
    async with running(Services(ports, "ben"), places=[Place("item", "bi-wide", "profile")]) as ui:
        assert ui.page.check_action("item_edit", ()) is True
        services.definitions.edit("team", "bi", {"members": ["cy"]})
        await holds(ui, lambda: ui.page.check_action("item_edit", ()) is None)


@pytest.mark.row("T4")
async def test_another_ones_edit_appears_and_the_cursor_stays(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    async with running(services, places=[Place("profiles")]) as ui:
        await ui.press("j")
        services.definitions.create("profile", {**WIDE, "name": "aaa"})
        services.definitions.edit("profile", "wide", {"env": {"A": "1"}})
        page = cast("DefinitionsPage", ui.page)
        await holds(
            ui, lambda: page.rows.current is not None and page.rows.current["revision"] == 2
        )
        assert page.rows.current is not None
        assert page.rows.current["name"] == "wide"
        assert "1 new: R" in ui.screen_text()


@pytest.mark.row("T1")
async def test_wide_and_hostile_names_stay_inert(tmp_path: Path) -> None:
    services, _ = deck(tmp_path)
    hostile = "[red]漢字" + "x" * 40
    services.definitions.create("profile", {**WIDE, "name": hostile, "env": {"A": "\x1b[31m[/]"}})
    for size in ((80, 24), (120, 40), (59, 20), (40, 12)):
        async with running(services, size=size, places=[Place("profiles")]) as ui:
            assert "[red]" in ui.screen_text()
            await ui.press("enter")
            assert "[red]" in ui.screen_text()
            assert "\x1b" not in ui.screen_text()


def editor(monkeypatch: pytest.MonkeyPatch, *edits: tuple[str, str]) -> list[str]:
    """Let somebody's editor replace one text by another, once for each time it is opened."""
    seen: list[str] = []
    left = list(edits)

    def edit(_: object, text: str, suffix: str) -> tuple[str | None, str]:
        seen.append(text)
        old, new = left.pop(0)
        assert old in text
        return text.replace(old, new), f"back from an editor of {suffix}"

    monkeypatch.setattr("quarterdeck.tui.external.edit", edit)
    return seen


@pytest.mark.row("C4")
async def test_a_file_from_the_editor_is_checked_asked_about_and_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, _ = deck(tmp_path)
    seen = editor(monkeypatch, ("disk_gib: 10", "disk_gib: -1"), ("-1", "40"))
    async with running(services, places=[Place("item", "small", "profile")]) as ui:
        await ui.press("f4")
        assert "driver.disk_gib" in ui.dialog.text
        await ui.confirm("e")
        assert "disk_gib: -1" in seen[1]  # what was typed is there again
        assert "Taken by the NEXT run of 2 jobs of 2 teams." in ui.dialog.text
        await ui.confirm("s")
        assert "profile small is saved as revision 2" in ui.status
        assert "disk_gib: 40" in ui.screen


async def test_what_is_not_saved_from_the_editor_is_kept_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, _ = deck(tmp_path)
    editor(monkeypatch, ("disk_gib: 10", "disk_gib: 40"), ("disk_gib", "disk_gib"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with running(services, places=[Place("item", "small", "profile")]) as ui:
        await ui.press("f4")
        await ui.confirm("escape")
        assert "not saved; what you typed is in " in ui.status
        await ui.press("f4")
        assert "nothing was changed" in ui.status
    (kept,) = tmp_path.glob("profile-*.yaml")  # noqa: ASYNC240  # after the application has ended
    assert "disk_gib: 40" in kept.read_text()
    assert services.definitions.show("profile", "small")["revision"] == 1
