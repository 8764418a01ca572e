"""What a person confirms is what was shown: somebody else acts while the dialog is open, and the page reads again.

Each race is done once, and as often as `tests.support.again` says with the tests marked `long`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.model.receipt import attempt_id
from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from tests.support.again import once_or_again
from tests.support.quarterdeck import job, sql
from tests.support.services import workspace
from tests.tui.pages import Ui, running
from tests.tui.test_lost_node import lost
from tests.tui.test_run import begin, end

Keys = tuple[str, ...]
NAME: Keys = (*"daily", "enter", "right", "enter")
SMALL: dict[str, Any] = {"mode": "standalone", "driver": {"disk_gib": 5}}


class World:
    """Two members of a team over one workspace: `ana` sits before the screen, `ben` acts meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.ana, self.ports = workspace(folder)
        self.ana.definitions.edit("team", "ana", {"members": ["ana", "ben"]})
        self.ben = Services(self.ports, "ben")
        self.id = str(self.ana.jobs.show("daily")["id"])
        self.run = ""
        for text in ("SELECT 2", "SELECT 3"):
            self.publish(self.ana, text)

    def save(self, who: Services, text: str, **more: Any) -> None:
        spec = {**job("daily")["spec"], "source": sql(text), **more}
        who.jobs.edit("daily", {"spec": spec}, replace_draft=True)

    def publish(self, who: Services, text: str, **more: Any) -> None:
        self.save(who, text, **more)
        who.publishing.publish("daily")

    def live(self) -> int:
        return int(self.ana.jobs.show("daily")["live_version"])

    def draft(self) -> str | None:
        if self.ana.jobs.show("daily")["draft_version"] is None:
            return None
        return str(self.ana.drafts.show("daily")["spec"]["source"]["text"])

    def runs(self) -> list[dict[str, Any]]:
        return [_row(kept.value) for kept in self.ports.store.runs.page()]

    def ended(self, state: str = "failed") -> str:
        """Return a run of `daily` that has ended."""
        run = begin(self.ana, self.ports, "one")
        reason = {"reason": "user_error", "exit_code": 1} if state == "failed" else {}
        end(self.ana, self.ports, run, state, **reason)
        return run


def _row(run: Any) -> dict[str, Any]:
    return {"version": run.version, "draft": run.draft, "text": run.spec["source"]["text"]}


def nothing(_: World) -> None:
    """Need no more than there is."""


@dataclass(frozen=True)
class Race:
    """A dialog that `opens` over `place`; `other` acts; `answers` confirm it; `stored` stays what it was.

    `says`: what is shown then. `after`: what is stored once the new question is confirmed (None: it is not asked).
    """

    place: Place
    opens: Keys
    answers: Keys
    other: Callable[[World], object]
    stored: Callable[[World], Any]
    says: tuple[str, ...]
    after: Any = None
    ready: Callable[[World], object] = nothing
    again: Keys | None = None


JOBS, JOB = Place("jobs"), Place("job", "daily")
VERSIONS = Place("job", "daily", "versions")


def _job_is_there(world: World) -> Any:
    names = [row["name"] for row in world.ana.lists.jobs()]
    return names, world.draft() if names else None


RACES = {
    "activate": Race(
        VERSIONS, ("j", "j", "a"), ("y",), lambda w: w.ben.publishing.activate("daily", 2),
        lambda w: w.live(),
        ("ben made version 2 of daily live", "version 3 was shown as live", "v2 is live now"), after=1,
    ),
    "activate, published": Race(
        VERSIONS, ("j", "a"), ("y",), lambda w: w.publish(w.ben, "SELECT 'ben'"), lambda w: w.live(),
        ("ben made version 4 of daily live", "v4 is live now"), after=2,
    ),
    "delete, a draft": Race(
        JOB, ("X",), NAME, lambda w: w.save(w.ben, "SELECT 'ben'"), _job_is_there,
        ("Job daily is not deleted: ben saved a draft", "the draft by ben"), after=([], None),
        again=("enter", "right", "enter"),
    ),
    "delete, another draft": Race(
        JOBS, ("X",), NAME, lambda w: w.save(w.ben, "SELECT 'ben'"), _job_is_there,
        ("ben saved a draft", "the draft by ben"), after=([], None),
        ready=lambda w: w.save(w.ana, "SELECT 'ana'"), again=("enter", "right", "enter"),
    ),
    "delete, a version": Race(
        JOB, ("X",), NAME, lambda w: w.publish(w.ben, "SELECT 'ben'"), _job_is_there,
        ("version 4 was published", "With it go 4 versions"), after=([], None),
        again=("enter", "right", "enter"),
    ),
    "delete, a schedule": Race(
        JOB, ("X",), NAME,
        lambda w: w.ben.jobs.edit("daily", {"schedule": {"cron": "0 6 * * *"}}), _job_is_there,
        ("it has the schedule 0 6 * * * now", "Its schedule is 0 6 * * *"), after=([], None),
        again=("enter", "right", "enter"),
    ),
    "delete, renamed": Race(
        JOB, ("X",), NAME, lambda w: w.ben.jobs.edit("daily", {"name": "keep-this"}),
        lambda w: [row["name"] for row in w.ana.lists.jobs()],
        ("Job daily is not deleted: it is called keep-this now", "Delete keep-this?"), after=["keep-this"],
        again=("enter", "right", "enter"),  # for that name was not typed
    ),
    "run live": Race(
        JOBS, ("r",), ("enter",), lambda w: w.publish(w.ben, "SELECT 'ben'"), lambda w: w.runs(),
        ("ben made version 4 of daily live", "version 3 was shown as live", "Run live v4"),
        after=[{"version": 4, "draft": False, "text": "SELECT 'ben'"}],
    ),
    "run the draft": Race(
        JOB, ("r",), ("d",), lambda w: w.save(w.ben, "SELECT 'ben'"), lambda w: w.runs(),
        ("ben saved a draft of daily", "it is not the one that was shown", "The draft was saved by ben"),
        after=[{"version": None, "draft": True, "text": "SELECT 'ben'"}],
        ready=lambda w: w.save(w.ana, "SELECT 'ana'"),
    ),
    "run the draft, published": Race(
        JOB, ("r",), ("d",), lambda w: w.ben.publishing.publish("daily"), lambda w: w.runs(),
        ("The draft of daily that was shown is gone: ben made version 4 live", "Run live v4"),
        after=[{"version": 4, "draft": False, "text": "SELECT 'ana'"}],
        ready=lambda w: w.save(w.ana, "SELECT 'ana'"), again=("l",),
    ),
    "bring back": Race(
        JOBS, ("colon", *"dropped", "enter"), ("enter",), lambda w: w.save(w.ben, "SELECT 'ben'"),
        lambda w: w.draft(), ("ben saved a draft of daily", "no draft was shown", "The draft by ben"),
        after="SELECT 'ana'", ready=lambda w: _dropped(w, "SELECT 'ana'"),
    ),
    "delete a profile": Race(
        Place("item", "spare", "profile"), ("X",), (*"spare", "enter", "right", "enter"),
        lambda w: w.ben.definitions.edit("profile", "spare", {"env": {"A": "b"}}),
        lambda w: [one["name"] for one in w.ana.definitions.page("profile")],
        ("profile spare is at revision 2, saved by ben", "revision 1 was shown", "It is at revision 2"),
        after=["small"], again=("enter", "right", "enter"),
        ready=lambda w: w.ana.definitions.create("profile", {"name": "spare", **SMALL}),
    ),
}  # fmt: skip


def _dropped(world: World, text: str) -> None:
    world.save(world.ana, text)
    world.ana.drafts.discard("daily")


def told(ui: Ui) -> str:
    """Return what the dialog says and offers."""
    return "\n".join([ui.dialog.text, *(one.label for one in ui.dialog.choices)])


async def fill(ui: Ui, field: str, text: str) -> None:
    """Type into a field of the dialog, in the place of what stands there, and leave the fields."""
    found = ui.app.screen.query_one(f"#field-{field}")
    found.focus()
    await ui.press("ctrl+u")
    await ui.type(text)
    ui.app.screen.set_focus(None)


def field(ui: Ui, name: str) -> str:
    return str(ui.app.screen.query_one(f"#field-{name}").value)  # type: ignore[attr-defined]


async def opened(ui: Ui, keys: Keys) -> None:
    await ui.press(*keys)
    await ui.listens()


async def read_again(ui: Ui) -> None:
    """Let the page behind the dialog read what there is now, as it does when somebody else wrote."""
    ui.page.load()
    await ui.settle()


@once_or_again
@pytest.mark.row("B10", "F1", "T5", "B6", "D6", "I47", "F-40")
@pytest.mark.parametrize("race", RACES)
async def test_what_changed_since_it_was_shown_is_not_confirmed_with_it(
    tmp_path: Path, race: str, turn: int
) -> None:
    one, world = RACES[race], World(tmp_path)
    one.ready(world)
    async with running(world.ana, places=[one.place]) as ui:
        await opened(ui, one.opens)
        one.other(world)
        before = one.stored(world)
        await read_again(ui)
        await ui.press(*one.answers)
        assert one.stored(world) == before
        text = told(ui)
        for words in one.says:
            assert words in text, text
        await ui.listens()
        await ui.press(*(one.again or one.answers))
        assert one.stored(world) == one.after


UNTOUCHED: dict[str, tuple[Place, Keys, Keys, Callable[[World], object], Callable[[World], Any], Any]] = {
    "activate": (VERSIONS, ("j", "a"), ("y",), lambda w: w.save(w.ben, "SELECT 'ben'"), World.live, 2),
    "delete": (
        JOB, ("X",), NAME, lambda w: w.ended(), lambda w: len(w.ana.lists.jobs()), 0,
    ),
    "delete, less goes": (
        JOB, ("X",), NAME, lambda w: w.ben.drafts.discard("daily"),
        lambda w: len(w.ana.lists.jobs()), 0,
    ),
    "run live": (
        JOBS, ("r",), ("enter",), lambda w: w.save(w.ben, "SELECT 'ben'"),
        lambda w: [one["version"] for one in w.runs()], [3],
    ),
    "run the draft": (
        JOB, ("r",), ("d",), lambda w: w.ben.publishing.activate("daily", 1),
        lambda w: [one["text"] for one in w.runs()], ["SELECT 'ana'"],
    ),
    "bring back": (
        JOBS, ("colon", *"dropped", "enter"), ("enter",),
        lambda w: w.ben.jobs.edit("daily", {"description": "new"}), World.draft, "SELECT 'was'",
    ),
}  # fmt: skip


@pytest.mark.row("B10", "F1", "D6", "B6")
@pytest.mark.parametrize("act", UNTOUCHED)
async def test_what_does_not_touch_what_was_shown_refuses_nothing(
    tmp_path: Path, act: str
) -> None:
    place, opens, answers, other, stored, after = UNTOUCHED[act]
    world = World(tmp_path)
    _dropped(world, "SELECT 'was'")
    world.save(world.ana, "SELECT 'ana'")
    async with running(world.ana, places=[place]) as ui:
        await opened(ui, opens)
        other(world)
        await read_again(ui)
        await ui.press(*answers)
        assert stored(world) == after


@pytest.mark.row("B10")
async def test_who_was_faster_with_the_same_version_is_named_and_nothing_is_asked_any_more(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    async with running(world.ana, places=[VERSIONS]) as ui:
        await opened(ui, ("j", "a"))
        world.ben.publishing.activate("daily", 2)
        await ui.press("y")
        assert "v2 is live already; nothing changes" in ui.status
        assert ui.app.screen is ui.page
        told = [text for _, text, _ in ui.app.notes]
        assert any("ben made version 2 of daily live" in text for text in told)
    assert len(world.ana.jobs.show("daily")["activations"]) == 4


@pytest.mark.row("D6", "I48")
async def test_a_run_that_became_active_keeps_the_job_and_says_its_state(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with running(world.ana, places=[JOB]) as ui:
        await opened(ui, ("X",))
        run = begin(world.ben, world.ports, "one")
        await ui.press(*NAME)
        assert f"{run} became active" in ui.dialog.text
        assert f"Under way: {run}" in ui.dialog.text
        assert field(ui, "typed") == "daily"
        await ui.listens()
        await ui.press("enter", "right", "enter")
        assert f"has runs under way: {run} (running)" in ui.dialog.text
        assert world.live() == 3


@pytest.mark.row("F7", "I48")
async def test_a_cancel_ends_the_runs_that_were_listed_and_no_other(tmp_path: Path) -> None:
    world = World(tmp_path)
    first, second = (begin(world.ana, world.ports, "one") for _ in range(2))
    async with running(world.ana, places=[Place("runs")]) as ui:
        await opened(ui, ("space", "space", "x"))
        assert "Cancel 2 runs?" in ui.dialog.text
        third = begin(world.ben, world.ports, "three")
        end(world.ben, world.ports, second, "succeeded")
        await read_again(ui)
        await ui.press("y")
        await ui.until(f"Run {second} has ended: succeeded")
        states = [world.ana.runs.get(one).cancel is not None for one in (first, second, third)]
        assert states == [True, False, False]
        await ui.press("escape")
        assert "marked" not in ui.crumb or "1 marked" in ui.crumb


@pytest.mark.row("F1")
async def test_a_version_runs_with_the_parameters_that_were_shown_or_is_asked_anew(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.publish(world.ana, "SELECT :day, :n", parameters={"day": "mon", "n": 1})
    world.save(world.ana, "SELECT :day, :n", parameters={"day": "tue", "n": 1})
    async with running(world.ana, places=[JOB]) as ui:
        await opened(ui, ("r",))
        await fill(ui, "p-1", "7")
        await ui.press("d")
        text = ui.dialog.text
        assert "The draft of daily has other parameters than were shown: day is 'tue'" in text
        assert world.runs() == []
        assert (field(ui, "p-0"), field(ui, "p-1")) == ("tue", "7")
        await ui.listens()
        await ui.press("d")
        [run] = world.ports.store.runs.page()
        assert run.value.spec["parameters"] == {"day": "tue", "n": 7}


@pytest.mark.row("F1", "I46")
async def test_what_is_no_version_is_said_and_what_was_typed_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with running(world.ana, places=[JOB]) as ui:
        for typed in ("0", "-1", "latest", "1" + "0" * 30, "²"):
            await opened(ui, ("r",))
            await fill(ui, "version", typed)
            await ui.press("v")
            assert "type the number of a version, as in 7" in ui.dialog.text
            assert field(ui, "version") == typed
            await ui.press("escape")
        assert world.runs() == []


@once_or_again
@pytest.mark.row("B6")
async def test_undo_of_a_discard_replaces_no_draft_that_came_since(
    tmp_path: Path, turn: int
) -> None:
    world = World(tmp_path)
    world.save(world.ana, "SELECT 'ana'")
    async with running(world.ana, places=[JOB]) as ui:
        await ui.press("colon", *"discard draft", "enter")
        await ui.until("was discarded")
        world.save(world.ben, "SELECT 'ben'")
        await ui.press("u")
        assert "ben saved a draft of daily" in ui.dialog.text
        assert world.draft() == "SELECT 'ben'"
        assert [one["author"] for one in world.ana.drafts.dropped("daily")] == ["ana"]


@once_or_again
@pytest.mark.row("B6")
async def test_undo_brings_back_its_own_draft_though_others_dropped_one_since(
    tmp_path: Path, turn: int
) -> None:
    world = World(tmp_path)
    world.save(world.ana, "SELECT 'ana'")
    async with running(world.ana, places=[JOB]) as ui:
        await ui.press("colon", *"discard draft", "enter")
        await ui.until("was discarded")
        world.save(world.ben, "SELECT 'ben'")
        world.ben.drafts.discard("daily")
        await ui.press("u")
        await ui.until("undone")
        assert world.draft() == "SELECT 'ana'"


@once_or_again
@pytest.mark.row("B6")
async def test_the_list_of_dropped_drafts_means_what_it_said_though_one_expired(
    tmp_path: Path, turn: int
) -> None:
    world = World(tmp_path)
    _dropped(world, "SELECT 'old'")
    world.ports.clock.tick(29 * 86_400)
    _dropped(world, "SELECT 'older'")
    _dropped(world, "SELECT 'new'")
    async with running(world.ana, places=[JOB]) as ui:
        await opened(ui, ("colon", *"dropped", "enter"))
        assert len(ui.dialog.choices) == 3
        world.ports.clock.tick(2 * 86_400)  # the first is past the kept period
        await ui.press("down", "enter")
        await ui.until("is back")
        assert world.draft() == "SELECT 'older'"


@once_or_again
@pytest.mark.row("B6")
async def test_a_draft_comes_back_to_the_job_whose_list_was_shown(
    tmp_path: Path, turn: int
) -> None:
    world = World(tmp_path)
    _dropped(world, "SELECT 'mine'")
    async with running(world.ana, places=[JOB]) as ui:
        await opened(ui, ("colon", *"dropped", "enter"))
        world.ben.jobs.edit("daily", {"name": "old"})
        world.ben.jobs.create([job("daily")])
        _dropped(world, "SELECT 'another job'")
        await ui.press("enter")
        await ui.until("is back")
    assert world.ana.drafts.show("old")["spec"]["source"]["text"] == "SELECT 'mine'"
    assert world.draft() is None


@once_or_again
@pytest.mark.row("B6")
@pytest.mark.parametrize("act", ["discard draft", "reset draft"])
async def test_a_draft_that_was_not_shown_is_not_dropped_and_says_whose_it_is(
    tmp_path: Path, act: str, turn: int
) -> None:
    world = World(tmp_path)
    world.save(world.ana, "SELECT 'ana'")
    async with running(world.ana, places=[JOB]) as ui:
        await ui.until("by ana")
        await ui.press("colon", *act)
        world.save(world.ben, "SELECT 'ben'")
        await ui.press("enter")
        assert "ben saved a draft of daily" in ui.dialog.text
        assert world.draft() == "SELECT 'ben'"
        assert [one["author"] for one in world.ana.drafts.dropped("daily")] == ["ana"]
        await ui.press("escape", "R")
        await ui.press("colon", *act, "enter")
        shown = await ui.until("the draft of daily by ben")
        assert "u undoes it" in shown
        assert [one["author"] for one in world.ana.drafts.dropped("daily")] == ["ben", "ana"]


@pytest.mark.row("B6")
async def test_the_list_of_jobs_says_whose_draft_was_discarded(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.save(world.ben, "SELECT 'ben'")
    async with running(world.ana) as ui:
        await ui.press("colon", *"discard draft", "enter")
        await ui.until("the draft of daily by ben")
        await ui.press("u")
        await ui.until("undone")
        assert world.draft() == "SELECT 'ben'"


@pytest.mark.row("B6", "T4")
async def test_what_was_kept_beside_a_draft_comes_back_with_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    began = world.ana.drafting.open("daily")
    assert began is not None
    spec = {**job("daily")["spec"], "source": sql("SELECT 'ana'")}
    world.ana.drafting.save("daily", spec, seen=began.seen, aside="print('beside')")
    async with running(world.ana, places=[JOB]) as ui:
        await ui.press("colon", *"discard draft", "enter")
        await ui.until("was discarded")
        await ui.press("u")
        await ui.until("undone")
        again = world.ana.drafting.open("daily")
        assert again is not None
        assert again.aside == "print('beside')"


@pytest.mark.row("F3")
async def test_live_instead_is_the_version_that_was_shown(tmp_path: Path) -> None:
    world = World(tmp_path)
    run = world.ended()
    async with running(world.ana, places=[Place("run", run, "log")]) as ui:
        await opened(ui, ("r",))
        assert "Live instead: v3, which is live now." in ui.dialog.text
        world.publish(world.ben, "SELECT 'ben'")
        await ui.press("l")
        assert "ben made version 4 of daily live" in ui.dialog.text
        assert "Live instead: v4, which is live now." in ui.dialog.text
        assert len(world.runs()) == 1
        await ui.listens()
        await ui.press("l")
        assert [one["version"] for one in world.runs()] == [3, 4]


@once_or_again
@pytest.mark.row("F3")
async def test_a_second_retry_names_the_first_and_is_asked_anew(tmp_path: Path, turn: int) -> None:
    world = World(tmp_path)
    run = world.ended()
    async with running(world.ana, places=[Place("run", run, "log")]) as ui:
        await opened(ui, ("r",))
        other = str(world.ben.runs.retry(run)["id"])
        await ui.press("a")
        text = ui.dialog.text
        assert f"Run {run} was retried already: run {other}, queued, by ben" in text
        assert f"It was run again already: {other}, queued, by ben." in text
        assert len(world.runs()) == 2
        await ui.listens()
        await ui.press("enter")  # the safe answer has the focus
        assert len(world.runs()) == 2
        await opened(ui, ("r",))
        await ui.press("a")
        assert len(world.runs()) == 3


@pytest.mark.row("F-22", "T5")
async def test_a_machine_is_said_to_be_off_for_the_attempt_that_was_shown(tmp_path: Path) -> None:
    services, ports, run = lost(tmp_path)
    async with running(services, places=[Place("run", run, "timeline")]) as ui:
        await ui.until("node n1 to be back")
        await opened(ui, ("colon", *"node is off", "enter"))
        assert "Attempt 1 may still run on node n1." in ui.dialog.text
        services.runs.retry(run, node_off=True)
        for _ in range(3):
            ports.clock.tick(5)
            services.upkeep.reconcile_all()
        ports.fake.attempts[attempt_id(run, 2)].node = "n2"
        services.upkeep.reconcile_all()
        ports.fake.lose_node(attempt_id(run, 2), "n2")
        services.upkeep.reconcile_all()
        assert services.runs.get(run).attempts[-1].object == "node n2"
        await ui.press("y")
        assert "Attempt 2 of run" in ui.dialog.text
        assert "attempt 1 was asked about" in ui.dialog.text
        assert services.runs.get(run).attempts[-1].cleared_by == ""


@once_or_again
@pytest.mark.row("C3", "T5")
async def test_an_edit_reaches_the_jobs_that_were_shown_and_no_other(
    tmp_path: Path, turn: int
) -> None:
    world = World(tmp_path)
    world.ana.definitions.create("query", {"id": "q", "name": "q", "text": "SELECT 1"})
    source = {"kind": "saved_query", "query_id": "q"}
    world.ana.jobs.create([job("first", source=source)])
    async with running(world.ana, places=[Place("query", "q")]) as ui:
        await ui.until("SELECT 1")
        await ui.press("X", "ctrl+s")
        await ui.until("first")
        await ui.listens()
        world.ben.jobs.create([job("second", source=source)])
        await ui.press("s")
        assert "query q is used by second, too, by now" in ui.dialog.text
        assert world.ana.definitions.show("query", "q")["revision"] == 1
        await ui.press("escape", "ctrl+s")
        await ui.until("second")
        await ui.listens()
        await ui.press("s")
        await ui.until("is saved as revision 2")
        assert world.ana.definitions.show("query", "q")["text"] == "XSELECT 1"
