"""The draft editor when answers come late or not at all, when it is left, and when others act; its pace."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any, cast

import pytest
from textual import events

from quarterdeck.model.draft import Opened as Found
from quarterdeck.model.draft import Saved as Acknowledged
from quarterdeck.model.errors import StoreFaultError
from quarterdeck.service.bundle import Services
from quarterdeck.tui.app import Quarterdeck
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.draft import conflict, keeping
from quarterdeck.tui.screens.draft.editing import AGAIN_S, LONGEST_S, QUIET_S, edit
from quarterdeck.tui.screens.draft.protocol import (
    Elsewhere,
    Event,
    Failed,
    Opened,
    Read,
    Save,
    Saved,
    Ticked,
    Typed,
    Unsaved,
)
from quarterdeck.tui.screens.draft.reading import PAUSE_S
from quarterdeck.tui.screens.draft.session import Session
from quarterdeck.tui.widgets.dialog import DEAF_S
from tests.support.quarterdeck import job, sql
from tests.support.services import FakePorts, workspace
from tests.tui.pages import Ui, held, running
from tests.tui.test_draft import DRAFT, ben, editor, read, text_of

TIMEOUT_FIELD = 8  # so many fields of the settings stand above it


@pytest.fixture
def made(tmp_path: Path) -> tuple[Services, FakePorts]:
    return workspace(tmp_path)


@pytest.fixture
def services(made: tuple[Services, FakePorts]) -> Services:
    return made[0]


async def until(ui: Ui, is_so: Callable[[], object]) -> None:
    for _ in range(400):
        if is_so():
            return
        await ui.settle()
        await asyncio.sleep(0.02)
    raise AssertionError(ui.screen)


def stored(services: Services, name: str = "daily") -> str:
    """Return the text of the draft; empty without one."""
    found = read(services, name)
    return str(found.spec["source"]["text"]) if found.is_draft else ""


def save_as(other: Services, text: str) -> None:
    """Let somebody save another draft, having seen the one that is there."""
    found = read(other)
    other.drafting.save("daily", {**found.spec, "source": sql(text)}, seen=found.seen)


class Breaking:
    """Services whose saves of drafts fail while they are broken, before or after the store took them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.how = ""

    def __getattr__(self, noun: str) -> Any:
        found = getattr(self._services, noun)
        return _BreakingDrafting(self, found) if noun == "drafting" else found


class _BreakingDrafting:
    def __init__(self, owner: Breaking, found: Any) -> None:
        self._owner, self._found = owner, found

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._found, verb)

    def save(self, *args: Any, **more: Any) -> Any:
        fault = StoreFaultError("The disk is full.", advice="Make room.")
        if self._owner.how == "before":
            raise fault
        found = self._found.save(*args, **more)
        if self._owner.how == "after":
            raise fault
        return found


def breaking(services: Services) -> tuple[Services, Breaking]:
    both = Breaking(services)
    return cast("Services", both), both


# --- its pace


FOUND = Found(
    job="daily", id=cast("Any", "j1"), rev=3, number=2, live_version=1, live_by="ana",
    live_at="2026-11-22T06:00:00Z", based_on=1, is_draft=False, author=None, at=None,
    seen=cast("Any", "seen"), mark=cast("Any", None), session="e1",
    spec={"source": sql("SELECT 1")}, aside="", live={}, base={}, profile="", queries={},
    choices={}, problems=(), warnings=(),
)  # fmt: skip


def acknowledged(rev: int) -> Saved:
    return Saved(
        Acknowledged(
            rev, 2, 1, is_draft=True, at="2026-11-22T06:00:00Z", seen=cast("Any", f"seen {rev}"),
            profile="", problems=(), warnings=(),
        )
    )  # fmt: skip


class Clocked:
    """A session that was read at second 0; `at` lets an event come at a second and returns what it asks for."""

    def __init__(self) -> None:
        self.session: Session = Session("daily")
        self.session, _ = edit(self.session, Ticked(), 0)
        from dataclasses import replace

        from quarterdeck.model.job import NO_MARK

        self.at(0, Opened(replace(FOUND, mark=NO_MARK)))

    def at(self, now: float, event: Event) -> list[str]:
        self.session, effects = edit(self.session, event, now)
        return [type(one).__name__ for one in effects if isinstance(one, Read | Save)]


@pytest.mark.row("B2")
@pytest.mark.parametrize(
    ("typed_at", "saved_at"),
    [
        ([1.0], 1.0 + QUIET_S),
        ([1.0, 1.3], 1.3 + QUIET_S),
        ([1.0, 1.2, 1.4, 1.6, 1.75], 1.0 + LONGEST_S),
    ],
)
def test_it_is_saved_a_moment_after_the_last_key_and_soon_after_the_first(
    typed_at: list[float], saved_at: float
) -> None:
    clocked = Clocked()
    for number, now in enumerate(typed_at):
        assert clocked.at(now, Typed("x" * (number + 1))) == []
    assert clocked.at(saved_at - 0.01, Ticked()) == []
    assert clocked.at(saved_at + 0.001, Ticked()) == ["Save"]
    assert clocked.at(saved_at + 9, Ticked()) == []  # one is on its way


@pytest.mark.row("T4")
def test_what_is_typed_behind_a_save_is_saved_next(services: Services) -> None:
    del services
    clocked = Clocked()
    clocked.at(1, Typed("a"))
    assert clocked.at(2, Ticked()) == ["Save"]
    clocked.at(2.1, Typed("ab"))
    assert clocked.at(3, acknowledged(4)) == ["Save"]
    assert clocked.session.doc.text == "ab"
    assert clocked.at(4, acknowledged(5)) == []
    assert not clocked.session.is_dirty


@pytest.mark.row("R1")
def test_a_save_that_failed_is_tried_again_after_a_while() -> None:
    clocked = Clocked()
    clocked.at(1, Typed("a"))
    assert clocked.at(2, Ticked()) == ["Save"]
    assert clocked.at(2.5, Failed("the disk is full")) == []
    assert clocked.session.trouble == "the disk is full"
    assert clocked.at(2.4 + AGAIN_S, Typed("ab")) == []
    assert clocked.at(2.5 + AGAIN_S + QUIET_S, Ticked()) == ["Save"]
    assert clocked.at(9, acknowledged(4)) == []
    assert clocked.session.trouble == ""


def test_what_is_heard_of_while_the_draft_is_read_is_looked_at_then() -> None:
    clocked = Clocked()
    assert clocked.at(1, Elsewhere()) == ["Read"]
    assert clocked.at(1.1, Elsewhere()) == []
    from quarterdeck.tui.screens.draft.protocol import Unchanged

    assert clocked.at(1.2, Unchanged()) == ["Read"]
    assert clocked.at(1.3, Unchanged()) == []


# --- settings


@pytest.mark.row("B2")
@pytest.mark.row("T4")
async def test_a_setting_is_saved_as_a_text_is(services: Services) -> None:
    async with running(services, places=[DRAFT]) as ui:
        await ui.press("ctrl+o")
        await ui.press(*["down"] * TIMEOUT_FIELD, "ctrl+u")
        await ui.type("9m")
        await ui.until("not saved yet")
        await ui.until("as draft, not live")
        assert read(services).spec["timeout"] == "9m"
        assert services.jobs.show("daily")["spec"]["timeout"] == 3600


@pytest.mark.row("T4")
async def test_a_setting_typed_behind_a_save_is_not_taken_back_by_its_answer(
    services: Services,
) -> None:
    both, hand = held(services)
    async with running(both, places=[DRAFT]) as ui:
        await ui.pilot.press("X")
        hand.hold()
        await ui.pilot.pause(0.6)  # the save is on its way
        await ui.pilot.press("ctrl+o")
        for key in (*["down"] * TIMEOUT_FIELD, "ctrl+u", "9", "m"):
            await ui.pilot.press(key)
        hand.release()
        await until(ui, lambda: read(services).spec["timeout"] == "9m")
        assert stored(services) == "XSELECT 1 AS v"
        assert "Timeout              [9m" in ui.screen


async def test_a_field_that_cannot_be_read_keeps_the_others_from_nothing(
    services: Services,
) -> None:
    now = read(services)
    spec = {**now.spec, "profile": "nonesuch", "timeout": "9m", "source": sql("SELECT 2")}
    answer = services.drafting.save("daily", spec, seen=now.seen)
    assert [*answer.unread] == ["spec.profile"]
    kept = read(services).spec
    assert (kept["profile"], kept["timeout"], kept["source"]["text"]) == (
        "small",
        "9m",
        "SELECT 2",
    )


# --- leaving


@pytest.mark.row("T4")
@pytest.mark.row("T3")
async def test_what_is_typed_behind_a_save_under_way_is_saved_though_the_page_is_left(
    services: Services,
) -> None:
    both, hand = held(services)
    async with running(both, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        hand.hold()
        await ui.pilot.pause(0.6)
        await ui.pilot.press("B")
        await ui.pilot.press("escape")
        assert ui.page.opened.kind == "jobs"
        hand.release()
        await until(ui, lambda: stored(services) == "ABSELECT 1 AS v")
        assert not ui.app.typed
        await ui.press("e")
        await ui.until("ABSELECT 1 AS v")
        assert "Somebody" not in ui.screen


@pytest.mark.row("T4")
@pytest.mark.row("R1")
async def test_what_could_not_be_saved_on_leaving_is_said_and_offered_again(
    services: Services,
) -> None:
    both, hand = breaking(services)
    async with running(both, places=[DRAFT]) as ui:
        hand.how = "before"
        await ui.pilot.press("A")
        await ui.press("escape")
        assert "daily: not saved: The disk is full." in await ui.until("not saved")
        assert stored(services) == ""
        hand.how = ""
        await ui.press("e")
        await ui.until("what was typed last and not saved is here again")
        assert editor(ui).text == "ASELECT 1 AS v"
        await until(ui, lambda: stored(services) == "ASELECT 1 AS v")
        await ui.press("ctrl+z")
        assert editor(ui).text == "SELECT 1 AS v"


@pytest.mark.row("T4")
async def test_a_save_whose_answer_was_lost_is_no_conflict(services: Services) -> None:
    both, hand = breaking(services)
    async with running(both, places=[DRAFT]) as ui:
        hand.how = "after"
        await ui.pilot.press("A")
        await ui.until("NOT SAVED")
        assert stored(services) == "ASELECT 1 AS v"
        hand.how = ""
        await ui.pilot.press("B")
        await until(ui, lambda: stored(services) == "ABSELECT 1 AS v")
        assert "NOT SAVED" not in ui.screen
        assert ui.app.screen is ui.page


@pytest.mark.row("T3")
async def test_what_was_typed_before_a_kill_does_not_go_over_what_another_saved_since(
    services: Services,
) -> None:
    now = read(services)
    typed = Unsaved({**now.spec, "source": sql("SELECT 'typed'")}, "", now.seen, now.rev)
    save_as(ben(services), "SELECT 'ben'")
    more = json.loads(json.dumps({"line": 1, "column": 1, "typed": keeping.to_document(typed)}))
    async with running(services, places=[Place("draft", "daily", "", more)]) as ui:
        await ui.until("Somebody else saved meanwhile")
        assert "SELECT 'ben'" in ui.dialog.text
        assert "SELECT 'typed'" in ui.dialog.text
        assert stored(services) == "SELECT 'ben'"
        await ui.confirm("escape")
        assert editor(ui).text == "SELECT 'typed'"
        assert "NOT SAVED" in ui.screen
        await asyncio.sleep(1.2)
        assert stored(services) == "SELECT 'ben'"


@pytest.mark.row("T3")
async def test_what_was_saved_before_a_kill_is_not_offered_again(services: Services) -> None:
    """The place was remembered before the last save: what it has is older than the draft."""
    async with running(services, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        place = ui.page.place()
        assert "typed" in place.more
        await ui.pilot.press("B")
        await until(ui, lambda: stored(services) == "ABSELECT 1 AS v")
    async with running(services, places=[place]) as ui:
        await ui.until("ABSELECT 1 AS v")
        await asyncio.sleep(1.2)
        assert stored(services) == "ABSELECT 1 AS v"
        assert "not saved" not in ui.screen


# --- read-only


@pytest.mark.row("T4")
async def test_with_read_only_what_is_typed_is_kept_and_saved_once_that_is_lifted(
    services: Services,
) -> None:
    reading = Services(services.ports, "ana", read_only=True)
    app = Quarterdeck(lambda: reading, places=[DRAFT], zone=UTC, lifting=lambda: services)
    async with app.run_test(size=(80, 24)) as pilot:
        ui = Ui(app, pilot)
        await ui.settle()
        await ui.pilot.press("A")
        await ui.until("NOT SAVED: opened with --read-only")
        await ui.press("escape")
        assert "daily: not saved: opened with --read-only" in await ui.until("not saved")
        ui.app.go(DRAFT)
        await ui.until("what was typed last and not saved is here again")
        assert stored(services) == ""
        await ui.press("ctrl+p")
        await ui.type("lift")
        await ui.press("enter")
        await ui.listens()
        await ui.press("w")
        await until(ui, lambda: stored(services) == "ASELECT 1 AS v")
        assert "NOT SAVED" not in ui.screen


# --- others


@pytest.mark.row("B7")
async def test_a_question_does_not_come_among_keys(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The letters of its answers are text until there was a pause."""
    other = ben(services)
    async with running(services, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        save_as(other, "SELECT 'ben'")
        for _ in range(20):
            for key in "mtk":
                await ui.pilot.press(key)
            assert ui.app.screen is ui.page
        assert editor(ui).text == "A" + "mtk" * 20 + "SELECT 1 AS v"
        assert "NOT SAVED: ben saved this draft" in ui.screen
        monkeypatch.setattr(conflict, "DEAF_S", 60.0)  # however busy the machine is
        await ui.until("Somebody else saved meanwhile", deadline_s=PAUSE_S + 3)
        await ui.pilot.press("m")  # too early: it was meant for the text
        assert stored(services) == "SELECT 'ben'"
        monkeypatch.setattr(conflict, "DEAF_S", DEAF_S)
        await ui.confirm("m")
        await until(ui, lambda: stored(services) == editor(ui).text)


@pytest.mark.row("B4")
@pytest.mark.row("B16")
async def test_what_is_edited_beside_a_draft_disturbs_neither_its_save_nor_its_publish(
    services: Services,
) -> None:
    other = ben(services)
    async with running(services, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        other.jobs.edit("daily", {"description": "his"})
        await until(ui, lambda: stored(services) == "ASELECT 1 AS v")
        await ui.press("ctrl+g")
        await ui.listens()
        other.jobs.edit("daily", {"description": "his again"})
        await ui.press("enter", "y")
        await ui.until("version 2 is live")
        await ui.settle()
        assert editor(ui).text == "ASELECT 1 AS v"
    assert services.jobs.show("daily")["description"] == "his again"


@pytest.mark.row("B7")
async def test_a_publish_that_another_forestalled_shows_both(services: Services) -> None:
    other = ben(services)
    async with running(services, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        await ui.press("ctrl+g")
        await ui.listens()
        other.jobs.edit(
            "daily", {"spec": job("daily", source=sql("SELECT 9"))["spec"]}, replace_draft=True
        )
        other.publishing.publish("daily")
        await ui.press("enter", "y")
        await ui.until("Somebody else saved meanwhile")
        assert "ben made v2 live" in ui.dialog.text
        assert "SELECT 9" in ui.dialog.text
        assert "ASELECT 1 AS v" in ui.dialog.text
        assert services.jobs.show("daily")["live_version"] == 2
        await ui.confirm("m")
        await until(ui, lambda: stored(services) == "ASELECT 1 AS v")
        assert read(services).based_on == 2


@pytest.mark.row("B7")
async def test_a_draft_that_another_discarded_behind_the_dialog_is_not_published(
    services: Services,
) -> None:
    other = ben(services)
    async with running(services, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        await ui.press("ctrl+g")
        await ui.listens()
        other.drafts.discard("daily")
        await ui.press("enter", "y")
        await ui.until("Somebody else saved meanwhile")
        assert "this draft was discarded" in ui.dialog.text
        await ui.confirm("m")
        await until(ui, lambda: stored(services) == "ASELECT 1 AS v")
    assert services.jobs.show("daily")["live_version"] == 1


@pytest.mark.row("B16")
async def test_a_job_that_is_renamed_is_the_same_job(services: Services) -> None:
    other = ben(services)
    async with running(services, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        await until(ui, lambda: stored(services) == "ASELECT 1 AS v")
        other.jobs.edit("daily", {"name": "nightly"})
        services.jobs.create([job("daily")])
        await ui.until("nightly › Draft")
        await ui.pilot.press("B")
        await until(ui, lambda: stored(services, "nightly") == "ABSELECT 1 AS v")
        assert stored(services) == ""
        assert ui.page.place().name == "nightly"
        await ui.press("ctrl+g")
        assert "Make the draft of nightly live" in ui.dialog.text


@pytest.mark.row("B6")
async def test_a_draft_is_discarded_with_what_was_typed_last(services: Services) -> None:
    async with running(services, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        await ui.app.run_action("draft_discard", ui.page)
        await ui.until("was discarded. ^p undo undoes it for 10 s")
        await until(ui, lambda: editor(ui).text == "SELECT 1 AS v")
        assert not read(services).is_draft
        await ui.press("ctrl+z")  # the text alone comes back as text
        await until(ui, lambda: stored(services) == "ASELECT 1 AS v")
        [dropped] = services.drafts.dropped("daily")
        services.drafts.bring_back("daily", dropped["number"])
        assert text_of(services) == "ASELECT 1 AS v"


@pytest.mark.row("B6")
async def test_the_other_pane_s_text_is_dropped_and_comes_back_with_its_draft(
    services: Services,
) -> None:
    now = read(services)
    spec = {**now.spec, "source": {"kind": "py_file", "text": "print(1)\n", "args": []}}
    services.drafting.save("daily", spec, seen=now.seen, aside="SELECT 'beside'")
    services.drafts.discard("daily")
    assert read(services).aside == ""
    services.drafts.bring_back("daily", 1)
    assert read(services).aside == "SELECT 'beside'"


# --- keys


@pytest.mark.row("T4")
async def test_a_paste_waits_for_the_text_among_the_keys(services: Services) -> None:
    both, hand = held(services)
    async with running(both) as ui:
        hand.hold()
        for key in ("e", "end", "space"):
            ui.post(key)
        ui.app.post_message(events.Paste("-- pasted"))
        for key in ("home", "X"):
            ui.post(key)
        await ui.pilot.pause(0.3)
        hand.release()
        await ui.until("1  XSELECT 1 AS v -- pasted")
        await until(ui, lambda: stored(services) == "XSELECT 1 AS v -- pasted")


@pytest.mark.row("T4")
async def test_keys_that_move_and_keys_that_are_text_keep_their_order(services: Services) -> None:
    async with running(services, places=[DRAFT]) as ui:
        for key in (
            "end",
            "x",
            "home",
            "y",
            "end",
            "z",
            "left",
            "left",
            "delete",
            "ctrl+f",
            "v",
            "z",
        ):
            ui.post(key)
        await ui.until("1 of 1")
        assert editor(ui).text == "ySELECT 1 AS vz"
        assert "vz" in ui.screen


@pytest.mark.row("T4")
async def test_esc_leaves_a_draft_that_cannot_be_read(services: Services) -> None:
    both, hand = held(services, for_s=8.0)
    async with running(both) as ui:
        hand.hold()
        ui.post("e")
        await ui.pilot.pause(0.3)
        ui.post("X")
        await asyncio.sleep(2.1)
        ui.post("escape")
        await ui.pilot.pause(0.2)
        assert ui.page.opened.kind == "jobs"
        hand.release()
        await ui.settle()
    assert stored(services) == ""


def test_a_thread_that_answers_after_the_page_is_gone_goes_on_alone(services: Services) -> None:
    """What is left unsaved is a matter of the process, not of the loop."""
    assert threading.current_thread() is threading.main_thread()
    assert keeping.from_document({"spec": "no"}) is None
    assert keeping.from_document({"spec": {}, "seen": ["a"]}) is None
    found = Unsaved({"source": {}}, "x", read(services).seen, 4)
    assert keeping.from_document(json.loads(json.dumps(keeping.to_document(found)))) == found


# --- what a publish and a run of the draft rest on


@pytest.mark.row("A17", "B4")
async def test_the_other_pane_s_text_is_dropped_with_the_draft_that_goes_live(
    services: Services,
) -> None:
    async with running(services, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        await until(ui, lambda: stored(services) == "ASELECT 1 AS v")
        await ui.press("ctrl+t", "ctrl+p", *"take it", "enter")
        await until(ui, lambda: read(services).aside == "ASELECT 1 AS v")
        await ui.press("ctrl+g")
        await ui.listens()
        assert "The text of the other pane does not go live" in ui.dialog.text
        await ui.press("enter", "y")
        await ui.until("kept as dropped draft 1")
    [dropped] = services.drafts.dropped("daily")
    services.drafts.bring_back("daily", dropped["number"])
    assert read(services).aside == "ASELECT 1 AS v"


@pytest.mark.row("A17", "B4")
async def test_a_publish_is_bound_to_the_other_pane_s_text_too(services: Services) -> None:
    other = ben(services)
    async with running(services, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        await ui.press("ctrl+g")
        await ui.listens()
        found = read(other)
        other.drafting.save("daily", found.spec, seen=found.seen, aside="print('ben')")
        await ui.press("enter", "y")
        await ui.until("Somebody else saved meanwhile")
        assert "print('ben')" in ui.dialog.text
    assert services.jobs.show("daily")["live_version"] == 1
    assert read(services).aside == "print('ben')"


@pytest.mark.row("B4", "F3")
async def test_a_draft_that_another_saved_since_is_not_run_as_mine(services: Services) -> None:
    other = ben(services)
    async with running(services, places=[DRAFT]) as ui:
        await ui.pilot.press("A")
        await until(ui, lambda: stored(services) == "ASELECT 1 AS v")
        spec = job("daily", source=sql("SELECT 'ben'"))["spec"]
        other.jobs.edit("daily", {"spec": spec}, replace_draft=True)
        await ui.press("ctrl+r")
        await ui.until("ben saved")
        assert services.context.ports.store.runs.count() == 0
