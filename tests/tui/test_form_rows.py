"""What a form refuses: each message beside its field, the cursor there, what was typed kept, nothing written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from textual import events

from quarterdeck.model.form import SOURCE_GUIDE
from quarterdeck.present import written
from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.form.kinds import kind_of
from quarterdeck.tui.screens.form.screen import FormPage
from quarterdeck.tui.widgets.choice_field import Pick
from quarterdeck.tui.widgets.entries import Entry
from quarterdeck.tui.widgets.text_sheet import TextSheet
from tests.support.services import workspace
from tests.support.wheels import make_wheel
from tests.tui.pages import Ui, running

NEW = Place("new", "", "job")
PROFILE = Place("new", "", "profile")
KINDS = ("job", "settings", "workspace", "profile", "cluster", "catalog", "team")
"""A query has an editor of its own."""
GUIDES = tuple(f"{word} " for word in SOURCE_GUIDE)
HOSTILE = "\"a\" '$(id)' `x` ../../etc {{ 1 }} ; DROP TABLE t -- %s"


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return workspace(tmp_path)[0]


def form(ui: Ui) -> FormPage:
    return cast("FormPage", ui.page)


def entry(ui: Ui, label: str) -> Entry:
    """Return the field of this label that is there."""
    return next(one for one in form(ui).sheet.there() if one.label == label)


async def to_field(ui: Ui, label: str) -> Entry:
    """Go down until the cursor is on this field."""
    wanted = entry(ui, label)
    for _ in form(ui).sheet.entries:
        if form(ui).form.lines.current is wanted:
            return wanted
        await ui.press("down")
    raise AssertionError(f"the cursor does not reach {label!r}:\n{ui.screen}")


async def paste(ui: Ui, label: str, text: str) -> None:
    """Paste into the field of this label."""
    await to_field(ui, label)
    ui.app.post_message(events.Paste(text))
    await ui.settle()


async def turn(ui: Ui, label: str, word: str) -> None:
    """Turn a choice until it says this word."""
    one = await to_field(ui, label)
    for _ in range(len(one.words) + 1):
        if one.text == word:
            return
        await ui.press("right")
    raise AssertionError(f"{label} does not offer {word!r}: {one.words}")


async def filled(ui: Ui, name: str = "hourly") -> None:
    """Fill what a new job of SQL needs."""
    await paste(ui, "Name", name)
    await paste(ui, "SQL", "SELECT 1")


def beside(ui: Ui, label: str) -> str:
    """Return the messages that stand right under the field of this label, in one line."""
    lines = form(ui).form.lines.text.split("\n")
    at = next(n for n, line in enumerate(lines) if line[2:].lstrip().startswith(f"{label} "))
    under = []
    for line in lines[at + 1 :]:
        if not line.startswith("    ") or line.rstrip().endswith(("versioned", "immediately")):
            break
        if not line[4:].startswith(GUIDES):
            under.append(line.strip())
    return " ".join(under)


async def refused(ui: Ui, label: str, *words: str) -> None:
    """Save, and see the message beside this field, which is the first with a problem and has the cursor."""
    typed = dict(form(ui).typed)
    await ui.press("ctrl+s")
    told = beside(ui, label)
    assert told.startswith("!"), ui.screen
    for word in words:
        assert word in told, told
    assert form(ui).form.lines.current is entry(ui, label)
    assert any(line.startswith("> ") and label in line for line in ui.lines), ui.screen
    assert "not saved" in ui.status
    assert form(ui).typed == typed


async def saves(ui: Ui) -> None:
    """Save, and be on the page of what was made."""
    await ui.press("ctrl+s")
    assert not isinstance(ui.page, FormPage), ui.screen
    assert "live v1" in ui.screen


def job_names(services: Services) -> list[str]:
    return [row["name"] for row in services.lists.jobs()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_no_label_of_any_form_is_cut(
    services: Services, kind: str, size: tuple[int, int]
) -> None:
    name = "daily" if kind == "settings" else ""
    async with running(services, size=size, places=[Place("new", name, kind)]) as ui:
        made = form(ui).form.lines
        for one in kind_of(kind, name).entries():
            drawn = "".join(cell.text for cell in made._field(one, made.size.width))
            assert f"{one.label} " in drawn, drawn


async def test_an_untouched_form_has_nothing_to_save(services: Services) -> None:
    async with running(services, places=[NEW]) as ui:
        assert "not saved" not in ui.crumb
        assert not form(ui).typed
        await ui.type("x")
        assert "not saved" in ui.crumb


@pytest.mark.row("I6")
async def test_a_new_job_offers_the_teams_that_may_own_it(services: Services) -> None:
    services.definitions.create("team", {"name": "bi", "members": ["ben"]})
    services.definitions.create("team", {"name": "ops", "members": ["ben", "cleo"]})
    for actor, teams, first in (
        ("ana", ["ana", "bi", "ops"], "ana"),
        ("ben", ["bi", "ops"], ""),
        ("cleo", ["ops"], "ops"),
    ):
        for place in (NEW, PROFILE):
            async with running(Services(services.ports, actor), places=[place]) as ui:
                assert list(entry(ui, "Team").words) == teams
                assert entry(ui, "Team").text == first
                if place is NEW:
                    assert list(entry(ui, "Shared teams").words) == ["ana", "bi", "ops"]


@pytest.mark.row("I2")
@pytest.mark.parametrize("letter", ["n", "漢", "e\u0301"])
async def test_a_name_that_is_too_long_is_refused_with_both_numbers(
    services: Services, letter: str
) -> None:
    name = (letter * 256)[:256]
    async with running(services, places=[NEW]) as ui:
        await filled(ui, name)
        await refused(ui, "Name", "256", "255")
        assert entry(ui, "Name").text == name
        assert job_names(services) == ["daily"]
        await ui.press("backspace")
        assert entry(ui, "Name").text == name[:-1]
        await saves(ui)
    assert services.jobs.show(name[:-1])["live_version"] == 1


@pytest.mark.row("I3")
async def test_a_control_character_in_a_name_is_named_with_its_place(services: Services) -> None:
    async with running(services, places=[NEW]) as ui:
        await filled(ui, "ho\x07urly")
        await refused(ui, "Name", "U+0007", "position 3")
        assert job_names(services) == ["daily"]


@pytest.mark.row("I5")
async def test_a_description_that_is_too_long_is_refused_with_both_numbers(
    services: Services,
) -> None:
    async with running(services, places=[NEW]) as ui:
        await filled(ui)
        await paste(ui, "Description", "d" * 1024)
        assert "1,024 of 1,023 characters" in ui.screen
        await refused(ui, "Description", "1,024", "1,023")
        assert job_names(services) == ["daily"]


@pytest.mark.row("I6")
async def test_a_team_left_empty_gone_or_not_ones_own_is_refused(services: Services) -> None:
    for name in ("bi", "ops"):
        services.definitions.create("team", {"name": name, "members": ["ben"]})
    ben = Services(services.ports, "ben")
    async with running(ben, places=[NEW]) as ui:
        await filled(ui)
        await to_field(ui, "Team")
        await refused(ui, "Team")
        await turn(ui, "Team", "ops")
        services.definitions.edit("team", "ops", {"members": ["cleo"]})
        await ui.press("ctrl+s")
        await ui.until("not a member of team ops")
        await ui.press("escape")
        assert "not a member of team ops" in beside(ui, "Team")
        assert form(ui).form.lines.current is entry(ui, "Team")
        assert entry(ui, "Team").text == "ops"
    assert job_names(services) == ["daily"]


@pytest.mark.row("I7")
async def test_shared_teams_that_make_no_sense_are_each_told(services: Services) -> None:
    services.definitions.create("team", {"name": "bi", "members": ["ben"]})
    async with running(services, places=[NEW]) as ui:
        await filled(ui)
        await turn(ui, "Team", "ana")
        await paste(ui, "Shared teams", "ana, bi, bi, nobody")
        await refused(
            ui, "Shared teams", "[0]: ana is the owning team", "[2]: bi stands here twice", "[3]:"
        )
        assert job_names(services) == ["daily"]


@pytest.mark.row("I8")
@pytest.mark.row("I9")
@pytest.mark.row("A8")
async def test_a_form_holds_just_one_kind_of_source_and_never_the_reserved_one(
    services: Services,
) -> None:
    async with running(services, places=[NEW]) as ui:
        await filled(ui)
        kind = await to_field(ui, "Kind of source")
        assert set(kind.words) == {"saved_query", "snapshot"}
        await ui.press("backspace", "delete", "ctrl+u")  # there is always one
        assert kind.text == "snapshot"
        await turn(ui, "Kind of source", "saved_query")
        assert form(ui).sheet.document()["spec"]["source"] == {"kind": "saved_query"}
        assert "kept here until Save, not saved: SQL (1 line)" in beside(ui, "Kind of source")
        await ui.press("enter")
        pick = cast("Pick", ui.dialog)
        assert [one.value for one in pick._words] == list(kind.words)
        await ui.type("file")
        await ui.press("enter", "escape")
        assert kind.text in kind.words
        await refused(ui, "Saved query", "query")
        await turn(ui, "Kind of source", "snapshot")
        assert entry(ui, "SQL").text == "SELECT 1"
        await turn(ui, "Type", "python")
        assert set(entry(ui, "Kind of source").words) == {"wheel", "py_file"}
        assert job_names(services) == ["daily"]


@pytest.mark.row("I14")
async def test_a_snapshot_that_is_too_long_is_refused_with_both_numbers(
    services: Services,
) -> None:
    text = "SELECT 1 -- " + "x" * (512 * 1024)
    async with running(services, places=[NEW]) as ui:
        await paste(ui, "Name", "hourly")
        await paste(ui, "SQL", text)
        await refused(ui, "SQL", f"{len(text):,}", "524,288", "split it or use a wheel")
        assert entry(ui, "SQL").text == text
        assert job_names(services) == ["daily"]


@pytest.mark.row("A4")
async def test_a_snapshot_is_kept_byte_for_byte(services: Services) -> None:
    text = "SELECT 1  \r\n\tAS v \n\n  \n"
    async with running(services, places=[NEW]) as ui:
        await paste(ui, "Name", "hourly")
        await paste(ui, "SQL", text)
        await ui.press("enter")
        assert cast("TextSheet", ui.dialog).editor.text == text
        await ui.press("escape")
        await saves(ui)
    assert services.jobs.show("hourly")["spec"]["source"]["text"] == text


async def wheel(ui: Ui, path: Path, entry_point: str) -> None:
    """Fill what a new job of a wheel needs."""
    await paste(ui, "Name", "hourly")
    await turn(ui, "Type", "python")
    await turn(ui, "Kind of source", "wheel")
    await paste(ui, "Package", "tiny")
    await paste(ui, "Entry point", entry_point)
    await paste(ui, "Wheel", str(path))


@pytest.mark.row("A6")
async def test_a_wheel_without_the_entry_point_is_refused_with_those_it_has(
    services: Services, tmp_path: Path
) -> None:
    async with running(services, places=[NEW]) as ui:
        await wheel(ui, make_wheel(tmp_path), "tiny.nothing:main")
        await refused(ui, "Entry point", "no module tiny.nothing", "tiny.jobs:main")
        assert job_names(services) == ["daily"]


@pytest.mark.row("A6")
async def test_a_damaged_wheel_is_refused_with_what_was_found(
    services: Services, tmp_path: Path
) -> None:
    made = make_wheel(tmp_path)
    made.write_bytes(made.read_bytes()[:-30])
    async with running(services, places=[NEW]) as ui:
        await wheel(ui, made, "tiny.jobs:main")
        await refused(ui, "Wheel", "damaged", made.name)
        assert job_names(services) == ["daily"]


@pytest.mark.row("A7")
async def test_a_python_file_that_is_missing_is_refused_with_its_path(
    services: Services, tmp_path: Path
) -> None:
    async with running(services, places=[NEW]) as ui:
        await paste(ui, "Name", "hourly")
        await turn(ui, "Type", "python")
        await turn(ui, "Kind of source", "py_file")
        await paste(ui, "File", str(tmp_path / "gone.py"))
        await refused(ui, "File", "gone.py")
        assert job_names(services) == ["daily"]
        (tmp_path / "gone.py").write_text("print(1)\n")
        await saves(ui)
    assert services.jobs.show("hourly")["spec"]["source"]["uri"] == str(tmp_path / "gone.py")


@pytest.mark.row("C1")
async def test_a_switch_of_mode_says_what_is_dropped_and_stores_none_of_it(
    services: Services,
) -> None:
    async with running(services, places=[PROFILE]) as ui:
        await paste(ui, "Name", "big")
        await paste(ui, "Disk", "20")
        assert not any(one.path.startswith("worker") for one in form(ui).sheet.there())
        await turn(ui, "Mode", "cluster")
        await paste(ui, "Most nodes", "4")
        await turn(ui, "Mode", "standalone")
        assert "kept here until Save, not saved: Most nodes 4" in beside(ui, "Mode")
        await ui.press("ctrl+s")
        await ui.settle()
    document = services.definitions.show("profile", "big")
    assert document["mode"] == "standalone"
    assert not document.get("worker")


@pytest.mark.row("C1")
async def test_mode_cluster_asks_for_the_worker_block(services: Services) -> None:
    async with running(services, places=[PROFILE]) as ui:
        await paste(ui, "Name", "big")
        await paste(ui, "Disk", "20")
        await turn(ui, "Mode", "cluster")
        await ui.press("ctrl+s")
        paths = {one.path for one in form(ui).sheet.problems}
        assert (
            paths & {"worker"} or {f"worker.{one}" for one in ("disk_gib", "max_nodes")} <= paths
        )
        current = form(ui).form.lines.current
        assert isinstance(current, Entry)
        assert current.path.startswith("worker.")


@pytest.mark.row("C2")
async def test_a_profile_is_made_inside_the_form_and_chosen(services: Services) -> None:
    async with running(services, places=[NEW]) as ui:
        await filled(ui)
        before: dict[str, Any] = form(ui).sheet.document()
        for saved in (False, True):
            await to_field(ui, "Profile")
            await ui.press("enter")
            await ui.type("new profile")
            await ui.press("enter")
            await ui.until("New profile")
            await to_field(ui, "Name")
            await ui.press("ctrl+u")  # what was typed before is here again
            await paste(ui, "Name", "fresh" if saved else "given up")
            if not saved:
                await ui.press("escape")
                assert form(ui).sheet.document() == before
                continue
            await paste(ui, "Disk", "20")
            await turn(ui, "Mode", "standalone")
            await ui.press("ctrl+s")
            await ui.until("New job")
        before["spec"]["profile"] = "fresh"
        assert form(ui).sheet.document() == before
    assert "given up" not in [one["name"] for one in services.definitions.page("profile")]


@pytest.mark.row("X2")
async def test_what_looks_like_code_is_data_in_every_field(services: Services) -> None:
    arguments = [HOSTILE, "two\nlines", "a, b", "../x", ""]
    async with running(services, places=[NEW]) as ui:
        await paste(ui, "Name", HOSTILE)
        await paste(ui, "Description", f"{HOSTILE} {{% x %}} key: value")
        await turn(ui, "Type", "python")
        await turn(ui, "Kind of source", "py_file")
        await paste(ui, "Script", "print(1)\n")
        await paste(ui, "Arguments", written.write("list", arguments))
        await saves(ui)
    made = services.jobs.show(HOSTILE)
    assert made["name"] == HOSTILE
    assert made["description"] == f"{HOSTILE} {{% x %}} key: value"
    assert made["spec"]["source"]["args"] == arguments
