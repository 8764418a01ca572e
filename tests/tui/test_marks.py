"""An act takes the marked rows, or is refused with their number: every act, every list, by key and palette."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.service.bundle import Services
from quarterdeck.tui.actions import ACTIONS
from quarterdeck.tui.help import acts_of
from quarterdeck.tui.place import Place
from quarterdeck.tui.widgets.dialog import Dialog
from tests.support.quarterdeck import job, sql
from tests.support.services import workspace
from tests.tui.pages import Ui, running
from tests.tui.test_run import end

NODE: dict[str, Any] = {"mode": "standalone", "driver": {"disk_gib": 5}}
JOBS = ("daily", "hourly", "weekly")
FREE = frozenset(one for one, act in ACTIONS.items() if act.scope in ("app", "list", "tabs")) - {
    "app.copy", "app.copy_command",
} | {"run.drafts"}  # fmt: skip
"""Acts that are about no row, and those that move about."""
DRAFTS = frozenset({"draft.discard", "draft.reset", "draft.bring_back"})
ITEM = frozenset(
    {"item.edit", "item.external", "item.history", "item.impact", "item.duplicate", "app.copy_command"}
)  # fmt: skip


class Deck:
    """A workspace with three and more rows in every list."""

    def __init__(self, folder: Path) -> None:
        self.services, self.ports = workspace(folder)
        self.services.jobs.create([job(name) for name in JOBS[1:]])
        for number in (2, 3):
            spec = {**job("daily")["spec"], "source": sql(f"SELECT {number}")}
            self.services.jobs.edit("daily", {"spec": spec})
            self.services.publishing.publish("daily")
        definitions = self.services.definitions
        for number in (1, 2, 3):
            definitions.create("profile", {"name": f"p{number}", **NODE})
            definitions.create(
                "query", {"id": f"q{number}", "name": f"q{number}", "text": "SELECT 1"}
            )
            definitions.create("cluster", {"name": f"k{number}", "kind": "local"})
            definitions.create("team", {"name": f"t{number}", "members": ["ben"]})
        for number in (2, 3):
            definitions.edit("profile", "p1", {"env": {"A": str(number)}})

    def start(self, name: str = "daily", *, state: str | None = "failed") -> str:
        """Start a run, and end it in this state; None: it goes on."""
        self.ports.fake.auto = False
        run = str(self.services.runs.start(name)["id"])
        for _ in range(4):
            self.services.runs.dispatch(run)
        if state is not None:
            end(self.services, self.ports, run, state, reason="user_error", exit_code=1)
        return run

    def made(self) -> list[str]:
        """Return the jobs of all runs, oldest first."""
        return [kept.value.job_name for kept in self.ports.store.runs.page()]


LISTS: Mapping[str, Place] = {
    "jobs": Place("jobs"),
    "runs": Place("runs"),
    "versions": Place("job", "daily", "versions"),
    "job runs": Place("job", "daily", "runs"),
    "profiles": Place("profiles"),
    "queries": Place("queries"),
    "clusters": Place("clusters"),
    "teams": Place("teams"),
    "audit": Place("audit"),
}
OF_JOB = DRAFTS | {"job.edit", "job.plan", "job.settings", "job.delete"}
REFUSED: Mapping[str, frozenset[str]] = {
    "jobs": DRAFTS | {
        "job.log", "job.runs", "job.edit", "job.versions", "job.plan", "job.settings", "app.copy_command",
    },
    "runs": DRAFTS | {"job.log", "job.edit", "job.versions", "job.plan", "app.copy_command"},
    "versions": OF_JOB | {"job.log", "run.start", "run.cancel", "version.activate"},
    "job runs": OF_JOB | {"job.log", "version.diff", "app.copy_command"},
    "profiles": ITEM - {"item.duplicate"},
    "queries": ITEM,
    "clusters": ITEM - {"item.duplicate"},
    "teams": ITEM - {"item.duplicate"},
    "audit": frozenset({"app.copy_command"}),
}  # fmt: skip
TAKEN: Mapping[str, frozenset[str]] = {
    "jobs": frozenset({"job.delete", "run.start", "run.cancel", "app.copy"}),
    "runs": frozenset({"run.again", "run.cancel", "run.compare", "app.copy"}),
    "versions": frozenset({"version.diff", "app.copy", "app.copy_command"}),
    "job runs": frozenset({"run.start", "run.cancel", "run.compare", "app.copy"}),
    "profiles": frozenset({"item.delete", "app.copy"}),
    "queries": frozenset({"item.delete", "app.copy"}),
    "clusters": frozenset({"item.delete", "item.check", "app.copy"}),
    "teams": frozenset({"item.delete", "app.copy"}),
    "audit": frozenset({"app.copy"}),
}
TURNS = frozenset(
    {"job.versions", "job.runs", "tabs.next", "tabs.prev"}
)  # of the job's page: to a tab


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    return Deck(tmp_path)


def there(ui: Ui) -> set[str]:
    return {act.id for act in acts_of(ui.page)}


async def refused(ui: Ui, act: str, number: int) -> None:
    """Expect that nothing came of the act but a word about the marks."""
    assert f"{number} marked: {ACTIONS[act].label} takes " in ui.status, (act, ui.screen)
    assert ui.app.screen is ui.page, act
    ui.page.unsay()


@pytest.mark.parametrize("name", LISTS)
async def test_every_act_of_every_list_takes_the_marked_rows_or_is_refused_with_their_number(
    deck: Deck, name: str
) -> None:
    for _ in range(3):
        deck.start()
    async with running(deck.services, places=[LISTS[name]]) as ui:
        await ui.press("space", "space")
        free = FREE | (TURNS if name in ("versions", "job runs") else frozenset())
        known = free | REFUSED[name] | TAKEN[name]
        assert there(ui) - known == set(), "say what a new act does with marks"
        assert REFUSED[name] & TAKEN[name] == set()
        place = ui.page.place()
        for act in REFUSED[name] & there(ui):
            action = ACTIONS[act]
            assert ui.page.check_action(action.method, ()) is None, act
            if action.keys:
                await ui.press(action.keys.split(",")[0])
                await refused(ui, act, 2)
        for act in TAKEN[name] & there(ui):
            assert ui.page.check_action(ACTIONS[act].method, ()) is True, act
        assert ui.page.place()._replace(more={}) == place._replace(more={})
        assert "2 marked" in ui.crumb
        await ui.press("escape")
        assert "marked" not in ui.crumb


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("jobs", "draft.discard"), ("jobs", "job.settings"), ("runs", "draft.reset"),
        ("job runs", "job.delete"), ("versions", "job.delete"), ("versions", "version.activate"),
        ("queries", "item.duplicate"), ("profiles", "item.edit"),
    ],
)  # fmt: skip
async def test_the_palette_refuses_as_the_keys_do(deck: Deck, name: str, act: str) -> None:
    for _ in range(3):
        deck.start()
    async with running(deck.services, places=[LISTS[name]]) as ui:
        await ui.press("space", "space", "colon")
        await ui.type(ACTIONS[act].label.lower())
        await ui.press("enter")
        await refused(ui, act, 2)


OPENS = {
    "job.log": ("jobs", "run", "log"), "job.runs": ("jobs", "job", "runs"), "job.edit": ("jobs", "draft", ""),
    "job.versions": ("jobs", "job", "versions"), "job.settings": ("jobs", "new", "settings"),
    "item.edit": ("profiles", "new", "profile"), "item.history": ("profiles", "item", "profile"),
    "item.impact": ("profiles", "item", "profile"),
}  # fmt: skip


@pytest.mark.parametrize("act", OPENS)
async def test_an_act_on_one_takes_the_one_that_is_marked_and_not_the_cursors(
    deck: Deck, act: str
) -> None:
    name, kind, tab = OPENS[act]
    runs = {one: deck.start(one) for one in JOBS}
    async with running(deck.services, places=[LISTS[name]]) as ui:
        await ui.press("space")
        [marked] = ui.page.rows.marks.values()  # type: ignore[attr-defined]
        assert ui.page.rows.current["id"] != marked["id"]  # type: ignore[attr-defined]
        await ui.press(ACTIONS[act].keys.split(",")[0])
        place = ui.page.place()
        assert (place.kind, place.tab) == (kind, tab)
        wanted = {marked["name"], marked["id"], runs.get(marked["name"])}
        assert place.name in wanted
    async with running(deck.services, places=[LISTS[name]]) as ui:
        await ui.press("space", "enter")
        assert ui.page.place().name not in {marked["name"], marked["id"]}, (
            "Enter opens the cursor's"
        )


async def test_x_on_a_marked_job_offers_that_job(deck: Deck) -> None:
    async with running(deck.services) as ui:
        await ui.press("space", "X")
        assert "Delete daily?" in ui.dialog.text
        await ui.listens()
        await ui.press("escape", "r")
        assert "Run daily?" in ui.dialog.text
        await ui.listens()
        await ui.press("enter")
        await ui.until("daily › run")
    assert deck.made() == ["daily"]


@pytest.mark.row("D6", "T5")
async def test_several_marked_jobs_are_deleted_after_their_number(deck: Deck) -> None:
    async with running(deck.services) as ui:
        await ui.press(
            "space", "j", "space", "k", "X"
        )  # daily and weekly; the cursor is on weekly
        await ui.listens()
        text = ui.dialog.text
        assert "Delete 2 jobs?" in text
        assert "daily  3 versions" in text
        assert "weekly  1 version" in text
        assert "hourly" not in text
        await ui.press("enter", "enter")  # the safe answer has the focus
        assert len(deck.services.lists.jobs()) == 3
        await ui.press("X")
        await ui.listens()
        await ui.press("2", "enter", "right", "enter")
        await ui.until("2 jobs deleted")
        assert [row["name"] for row in deck.services.lists.jobs()] == ["hourly"]
        assert "marked" not in ui.crumb


@pytest.mark.row("F1")
async def test_several_marked_jobs_run_as_they_were_shown_and_the_rest_is_told(deck: Deck) -> None:
    async with running(deck.services) as ui:
        await ui.press("space", "space", "r")
        await ui.listens()
        assert "Run the live version of 2 jobs?" in ui.dialog.text
        assert "daily  live v3" in ui.dialog.text
        assert "hourly  live v1" in ui.dialog.text
        spec = {**job("hourly")["spec"], "source": sql("SELECT 'ben'")}
        deck.services.jobs.edit("hourly", {"spec": spec})
        deck.services.publishing.publish("hourly")
        await ui.press("enter")  # the safe answer has the focus
        assert deck.made() == []
        await ui.press("r")
        await ui.listens()
        assert "hourly  live v2" in ui.dialog.text
        deck.services.publishing.activate("hourly", 1)
        await ui.press("y")
        assert "1 refused" in ui.dialog.text
        assert "made version 1 of hourly live" in ui.dialog.text
        assert deck.made() == ["daily"]
        await ui.press("escape")
        assert "1 run started" in ui.status
        assert "1 marked" in ui.crumb


@pytest.mark.row("F1", "T5")
async def test_six_jobs_run_only_after_their_number(deck: Deck) -> None:
    deck.services.jobs.create([job(f"more{number}") for number in range(4)])
    async with running(deck.services) as ui:
        await ui.press(*["space"] * 6, "r")
        await ui.listens()
        assert "Run the live version of 6 jobs?" in ui.dialog.text
        await ui.press("y", "enter", "right", "enter")
        assert deck.made() == []
        await ui.press("escape", "r")
        await ui.listens()
        await ui.press("6", "enter", "right", "enter")
        await ui.until("6 runs started")
        assert len(set(deck.made())) == 6


@pytest.mark.row("F3")
@pytest.mark.parametrize("name", ["runs", "job runs"])
async def test_several_marked_runs_are_retried_once_each(deck: Deck, name: str) -> None:
    _, second, third = (deck.start() for _ in range(3))
    first_retry = str(deck.services.runs.retry(second)["id"])
    place = LISTS[name]
    async with running(deck.services, places=[place]) as ui:
        await ui.press("j", "space", "space", "r")  # the newest is the retry, which goes on
        await ui.listens()
        text = ui.dialog.text
        assert "Run 1 run again?" in text
        assert f"daily  {third}  v3  failed" in text
        assert "Left alone:" in text
        assert f"Run {second} was retried already: run {first_retry}, " in text
        await ui.press("y")
        await ui.until("1 run started")
        assert len(deck.made()) == 5
        assert deck.services.runs.get(third).retried_by
        assert len(deck.services.runs.get(second).retried_by) == 1
        assert "1 marked" in ui.crumb


@pytest.mark.row("F7")
async def test_marks_that_a_filter_hides_are_taken_and_shown(deck: Deck) -> None:
    daily, weekly = deck.start("daily", state=None), deck.start("weekly", state=None)
    deck.start("hourly", state=None)
    async with running(deck.services, places=[Place("runs")]) as ui:
        await ui.press("j", "space", "space", "slash")
        await ui.type("hourly")
        await ui.press("enter")
        assert "2 marked" in ui.crumb
        await ui.press("x")
        await ui.listens()
        text = ui.dialog.text
        assert "Cancel 2 runs?" in text
        assert daily in text
        assert weekly in text
        assert "hourly" not in text
        await ui.press("y")
        await ui.until("2 runs: cancell")
        assert [kept.value.cancel is not None for kept in deck.ports.store.runs.page()] == [
            True, True, False,
        ]  # fmt: skip


@pytest.mark.row("F7")
async def test_a_marked_job_without_a_run_to_cancel_is_told(deck: Deck) -> None:
    run = deck.start("daily", state=None)
    async with running(deck.services) as ui:
        await ui.press("space", "space", "x")
        text = ui.dialog.text
        assert f"Cancel run {run}?" in text
        assert "1 other that is marked: nothing to cancel" in text


async def test_a_job_that_went_since_it_was_marked_is_told_and_let_go_of(deck: Deck) -> None:
    async with running(deck.services) as ui:
        await ui.press("space", "space")
        Services(deck.ports, "ana").jobs.delete("daily")
        await ui.press("r")
        await ui.listens()
        assert "Run the live version of 1 job?" in ui.dialog.text
        assert "There is no job" in ui.dialog.text
        await ui.press("y")
        await ui.until("1 run started")
        assert "marked" not in ui.crumb
    assert deck.made() == ["hourly"]


@pytest.mark.row("F10", "B9")
async def test_two_marked_rows_are_compared_wherever_the_cursor_is(deck: Deck) -> None:
    first, second, _ = (deck.start() for _ in range(3))
    async with running(deck.services, places=[Place("runs")]) as ui:
        await ui.press("j", "space", "space", "g", "c")  # the cursor is on the third
        assert (ui.page.place().name, ui.page.place().more["other"]) == (first, second)
    async with running(deck.services, places=[LISTS["versions"]]) as ui:
        await ui.press("j", "space", "space", "g", "d")
        assert "daily: v2 → v1" in ui.dialog.text
        await ui.press("escape", "space", "d")
        assert "3 marked: Diff takes two" in ui.status
        assert ui.app.screen is ui.page


@pytest.mark.row("B10")
async def test_the_marked_version_is_the_one_that_is_activated_or_run(deck: Deck) -> None:
    async with running(deck.services, places=[LISTS["versions"]]) as ui:
        await ui.press("j", "space", "a")  # v2 is marked, the cursor is on v1
        assert "Activate v2 of daily?" in ui.dialog.text
        await ui.listens()
        await ui.press("escape", "r")
        await ui.listens()
        assert isinstance(ui.app.screen, Dialog)
        assert ui.app.screen.choices[ui.app.screen.at].value == "version"
        await ui.press("enter")
        await ui.until("daily › run")
    [run] = deck.ports.store.runs.page()
    assert run.value.version == 2


async def test_several_marked_definitions_are_deleted_and_what_is_in_use_stays(deck: Deck) -> None:
    async with running(deck.services, places=[Place("profiles")]) as ui:
        await ui.press("space", "space", "j", "space", "X")  # p1, p2 and small
        await ui.listens()
        text = ui.dialog.text
        assert "Delete 2?" in text
        assert "profile p1  revision 3; nothing uses it" in text
        assert "profile small is in use by daily, hourly, weekly" in text
        await ui.press("2", "enter", "right", "enter")
        await ui.until("2 deleted")
        names = [row["name"] for row in deck.services.definitions.page("profile")]
        assert names == ["p3", "small"]


async def test_several_marked_clusters_are_checked(deck: Deck) -> None:
    async with running(deck.services, places=[Place("clusters")]) as ui:
        await ui.press("space", "space", "c")
        await ui.until("k1 is active, k2 is active")
        assert "marked" not in ui.crumb


@pytest.mark.row("T8")
@pytest.mark.parametrize("name", LISTS)
async def test_y_copies_the_marked_rows(deck: Deck, name: str) -> None:
    for _ in range(3):
        deck.start()
    async with running(deck.services, places=[LISTS[name]]) as ui:
        await ui.press("space", "space", "y")
        assert len(ui.app.clipboard.splitlines()) == 2


@pytest.mark.row("D7")
async def test_what_may_not_be_done_to_one_of_the_marked_is_not_done_to_any(
    tmp_path: Path,
) -> None:
    services, ports = workspace(tmp_path)
    services.definitions.create("team", {"name": "bi", "members": ["ben"]})
    services.jobs.edit("daily", {"shared_teams": ["bi"]})
    ben = Services(ports, "ben")
    services.definitions.create("profile", {"name": "bi", "team": "bi", **NODE})
    ben.jobs.create([job("own", team="bi", profile="bi")])
    async with running(ben) as ui:
        await ui.press("space", "space", "X")
        assert "ben may not delete job daily" in ui.dialog.text
        await ui.press("escape", "r")
        assert "Run the live version of 2 jobs?" in ui.dialog.text


@pytest.mark.row("C3")
async def test_a_revision_that_is_marked_to_compare_with_is_not_what_is_deleted(
    deck: Deck,
) -> None:
    place = Place("item", "p1", "profile", {"pane": "revisions"})
    async with running(deck.services, places=[place]) as ui:
        await ui.press("space", "X")
        await refused(ui, "item.delete", 1)
        await ui.press("space", "k", "space")  # its own mark goes, another's is set
        await ui.press("escape", "X")
        assert "Delete profile p1?" in ui.dialog.text


async def test_a_marked_row_that_others_took_away_is_marked_no_more(deck: Deck) -> None:
    async with running(deck.services) as ui:
        await ui.press("space", "space")
        Services(deck.ports, "ana").jobs.delete("daily")
        ui.page.changed([("standings", "x", "ben")])
        await ui.settle()
        assert "1 marked" in ui.crumb
        await ui.press("X")
        assert "Delete hourly?" in ui.dialog.text


def test_every_act_that_changes_something_says_on_how_many_rows_it_acts() -> None:
    silent = {
        one for one, act in ACTIONS.items()
        if act.takes is None and act.scope in ("job", "run", "draft", "version", "item")
    }  # fmt: skip
    assert silent == {"run.drafts"}
