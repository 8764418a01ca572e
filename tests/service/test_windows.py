"""Windows of jobs and runs as different people see them, with places and counts; the mover; refusals in words."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from quarterdeck.model.errors import NotFoundError
from quarterdeck.model.ids import JobId, RunId
from quarterdeck.model.run import RunState
from quarterdeck.policy import access
from quarterdeck.service.bundle import Services
from quarterdeck.service.listing import RunFilter
from quarterdeck.service.windows import JOB_ORDERS, JobsShown, RunsShown
from tests.support.builders import NOW, a_run
from tests.support.quarterdeck import job
from tests.support.services import workspace


class Deck:
    """A workspace with teams, jobs and runs: ana is org admin, ben of `data` alone, cleo of no team."""

    def __init__(self, folder: Path) -> None:
        self.ana, self.ports = workspace(folder)
        for team, members in (("data", ["ben"]), ("web", ["ana"])):
            self.ana.definitions.create("team", {"name": team, "members": members})
        self.ana.jobs.create(
            [
                job("orders", team="data"),
                job("Invoices", team="web", shared_teams=["data"]),
                job("fx rates", team="web"),
            ]
        )
        self.ben = Services(self.ports, "ben")
        self.cleo = Services(self.ports, "cleo")

    def id_of(self, name: str) -> JobId:
        return JobId(
            next(row["id"] for row in self.ana.windows.jobs(JobsShown()) if row["name"] == name)
        )

    def run(
        self, number: int, name: str, state: RunState = RunState.SUCCEEDED, **more: object
    ) -> str:
        """Write a run as if it had been moved on to there."""
        is_open = state in (RunState.QUEUED, RunState.RUNNING)
        at = NOW + timedelta(minutes=number)
        run = a_run(
            id=RunId(f"r{number:016x}"), job=self.id_of(name), job_name=name, state=state,
            queued_at=at, ended_at=None if is_open else at, is_open=is_open, **more,
        )  # fmt: skip
        with self.ports.store.transaction("ana") as tx:
            tx.runs.put(run, seen=None)
        return run.id


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    return Deck(tmp_path)


def names(services: Services, **shown: object) -> list[str]:
    return [row["name"] for row in services.windows.jobs(JobsShown(**shown))]  # type: ignore[arg-type]  # by name


def ids(services: Services, **shown: object) -> list[int]:
    return [int(row["id"][1:], 16) for row in services.windows.runs(RunsShown(**shown))]  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("order", JOB_ORDERS)
@pytest.mark.parametrize("reverse", [False, True])
def test_windows_together_are_the_whole_and_each_row_knows_its_place(
    deck: Deck, order: str, *, reverse: bool
) -> None:
    deck.run(1, "orders", RunState.FAILED)
    deck.run(2, "fx rates")
    for services in (deck.ana, deck.ben):
        shown = JobsShown(order=order, reverse=reverse)
        whole = services.windows.jobs(shown)
        parts = [services.windows.jobs(shown, offset, 1) for offset in range(len(whole) + 1)]
        assert [row for part in parts for row in part] == whole
        assert services.windows.count_jobs(shown).matching == len(whole)
        places = [services.windows.position_of_job(row["id"], shown) for row in whole]
        assert places == list(range(len(whole)))


def test_orders_of_jobs(deck: Deck) -> None:
    deck.run(1, "fx rates", RunState.LOST)
    deck.run(2, "daily", RunState.FAILED, reason="user_error", object="line 1")
    deck.run(3, "orders", RunState.RUNNING)
    assert names(deck.ana) == ["daily", "fx rates", "orders", "Invoices"]
    assert names(deck.ana, order="name") == ["daily", "fx rates", "Invoices", "orders"]
    assert names(deck.ana, order="state") == ["daily", "fx rates", "orders", "Invoices"]
    assert names(deck.ana, order="last_run") == ["orders", "daily", "fx rates", "Invoices"]
    assert names(deck.ana, order="team") == ["daily", "orders", "fx rates", "Invoices"]
    assert names(deck.ana, order="team", reverse=True) == [
        "Invoices",
        "fx rates",
        "orders",
        "daily",
    ]
    last = deck.ana.windows.jobs(JobsShown())[0]["last_run"]
    assert (last["state"], last["object"]) == ("failed", "line 1")
    assert last["advice"]


def test_a_row_is_the_one_of_the_command_line_and_more(deck: Deck) -> None:
    deck.run(1, "orders", RunState.FAILED)
    edited = deck.ana.jobs.document("orders")
    edited["spec"]["timeout"] = "2h"
    deck.ana.jobs.edit("orders", edited)
    listed = {row["name"]: row for row in deck.ana.lists.jobs()}
    for row in deck.ana.windows.jobs(JobsShown()):
        wanted = listed[row["name"]]
        more = {"may", "last_run"}
        assert {key: row[key] for key in row.keys() - more} == {
            key: wanted[key] for key in wanted.keys() - more
        }
        if wanted["last_run"]:
            assert wanted["last_run"].items() <= row["last_run"].items()
    (run,) = deck.ana.windows.runs(RunsShown())
    (row,) = deck.ana.lists.runs(RunFilter())
    assert {key: run[key] for key in row} == row


def test_filters_of_jobs(deck: Deck) -> None:
    deck.run(1, "orders", RunState.FAILED, reason="oom_driver")
    assert names(deck.ana, text="INVO") == ["Invoices"]
    assert names(deck.ana, text="oom") == names(deck.ana, text="failed") == ["orders"]
    assert names(deck.ana, text="web", order="name") == ["fx rates", "Invoices"]
    assert names(deck.ana, text="  ") == names(deck.ana)
    assert names(deck.ana, text="100%") == []
    assert names(deck.ana, problems=True) == ["orders"]
    assert names(deck.ana, problems=True, text="fx") == []
    assert deck.ana.windows.count_jobs(JobsShown(text="invo")) == (4, 1, 1)
    assert deck.ana.windows.position_of_job(deck.id_of("orders"), JobsShown(text="invo")) is None


def test_people_see_their_jobs_and_what_they_may_do(deck: Deck) -> None:
    assert names(deck.ben, order="name") == ["Invoices", "orders"]
    may = {row["name"]: row["may"] for row in deck.ben.windows.jobs(JobsShown())}
    assert may == {"orders": access.OWNER_ACTIONS, "Invoices": access.SHARED_ACTIONS}
    assert names(deck.cleo) == []
    assert deck.cleo.windows.count_jobs(JobsShown()) == (0, 0, 0)
    hidden = deck.id_of("fx rates")
    assert deck.ben.windows.position_of_job(hidden, JobsShown()) is None
    assert deck.ben.windows.jobs_by_id([hidden, "j0"]) == {hidden: None, "j0": None}


def test_a_team_is_called_as_it_is_called_now(deck: Deck) -> None:
    assert deck.ben.windows.jobs(JobsShown(text="orders"))[0]["team"] == "data"
    deck.ana.definitions.edit("team", "data", {"name": "platform"})
    assert deck.ben.windows.jobs(JobsShown(text="platform"))[0]["team"] == "platform"
    assert deck.ben.rights.header()["teams"] == ["platform"]


def test_rows_are_found_by_id_as_they_are_now(deck: Deck) -> None:
    orders, daily = deck.id_of("orders"), deck.id_of("daily")
    deck.ana.jobs.delete("daily")
    found = deck.ana.windows.jobs_by_id([orders, daily])
    assert found[daily] is None
    assert (found[orders] or {})["name"] == "orders"


def test_runs_are_newest_first_and_drafts_a_list_of_their_own(deck: Deck) -> None:
    for number in range(1, 6):
        deck.run(number, "orders", draft=number == 4)
    assert ids(deck.ana) == [5, 3, 2, 1]
    assert ids(deck.ana, reverse=True) == [1, 2, 3, 5]
    assert ids(deck.ana, drafts=True) == [4]
    assert [row["id"][-1] for row in deck.ana.windows.runs(RunsShown(), 1, 2)] == ["3", "2"]
    assert deck.ana.windows.count_runs(RunsShown(drafts=True)) == (1, 1, 0)
    for shown in (RunsShown(), RunsShown(reverse=True)):
        rows = deck.ana.windows.runs(shown)
        places = [deck.ana.windows.position_of_run(row["id"], shown) for row in rows]
        assert places == [0, 1, 2, 3]


def test_filters_of_runs(deck: Deck) -> None:
    deck.run(1, "orders", RunState.FAILED, reason="oom_driver")
    deck.run(2, "Invoices", actor="Ben")
    deck.run(3, "fx rates", RunState.QUEUED)
    deck.run(0xAB4C, "fx rates", version=7)
    assert ids(deck.ana, text="ORDERS") == ids(deck.ana, text="oom") == [1]
    assert ids(deck.ana, text="Ben") == [2]
    assert ids(deck.ana, text="queue") == [3]
    assert ids(deck.ana, text="ab4c") == [0xAB4C]
    assert ids(deck.ana, text="nothing") == []
    assert ids(deck.ana, problems=True) == [3, 1]
    assert ids(deck.ana, job="fx rates") == [0xAB4C, 3]
    assert ids(deck.ana, job="fx rates", version=7) == [0xAB4C]
    assert ids(deck.ana, states=("failed", "queued"), reason="oom_driver") == [1]
    assert deck.ana.windows.count_runs(RunsShown(text="fx")) == (4, 2, 2)
    assert deck.ana.windows.position_of_run(f"r{1:016x}", RunsShown(text="fx")) is None
    with pytest.raises(NotFoundError, match="no job nothing"):
        ids(deck.ana, job="nothing")


def test_people_see_the_runs_of_their_jobs_also_of_deleted_ones(deck: Deck) -> None:
    first, second, hidden = (
        deck.run(number, name) for number, name in enumerate(("orders", "Invoices", "fx rates"), 1)
    )
    deck.ana.jobs.delete("orders")
    deck.ana.jobs.delete("Invoices")
    assert ids(deck.ben) == [1]
    assert deck.ben.windows.count_runs(RunsShown()) == (1, 1, 0)
    assert deck.cleo.windows.runs(RunsShown()) == []
    found = deck.ben.windows.runs_by_id([first, second, hidden])
    assert [one for one, row in found.items() if row is None] == [second, hidden]
    row = found[first] or {}
    assert (row["job"], row["may"]) == ("orders", {"view", "log", "export"})


def test_a_run_has_the_name_of_its_job_now_and_says_that_it_is_old_news(deck: Deck) -> None:
    deck.run(1, "orders", RunState.RUNNING, submitted_at=NOW, seen_at=deck.ports.clock())
    deck.ports.clock.tick(31)
    deck.ana.jobs.edit("orders", {"name": "sales"})
    (row,) = deck.ana.windows.runs(RunsShown())
    assert (row["job"], row["stale"]) == ("sales", True)


def test_the_preview_is_the_last_twenty_the_oldest_first(deck: Deck) -> None:
    for number in range(1, 25):
        deck.run(number, "orders", draft=number == 24)
    found = deck.ben.windows.preview("orders")
    assert [int(one["id"][1:], 16) for one in found] == list(range(4, 24))
    assert set(found[0]) == {"id", "state", "reason", "ended_at"}


def test_a_window_moves_no_run(deck: Deck) -> None:
    deck.ana.runs.start("orders")
    before = deck.ports.store.last_change()
    deck.ana.windows.jobs(JobsShown())
    deck.ana.windows.runs(RunsShown())
    assert deck.ports.store.last_change() == before


def moved(deck: Deck) -> str:
    found: str = deck.ana.windows.runs(RunsShown())[0]["state"]
    return found


def test_the_mover_brings_runs_to_their_end_and_then_rests(deck: Deck) -> None:
    assert not deck.ana.moving.turn()
    deck.ana.runs.start("fx rates")
    assert not Services(deck.ports, "ana", read_only=True).moving.turn()
    deck.ben.moving.turn()
    assert moved(deck) == "queued"  # no job of his
    for _ in range(10):
        deck.ana.moving.turn()
    assert moved(deck) == "succeeded"
    deck.ports.clock.tick(400)
    for _ in range(3):
        deck.ports.clock.tick(400)
        deck.ana.moving.turn()
    before = deck.ports.store.last_change()
    assert not deck.ana.moving.turn()
    assert deck.ports.store.last_change() == before


def test_a_refusal_says_rule_teams_and_who_may_and_is_not_recorded(deck: Deck) -> None:
    before = deck.ports.store.last_change()
    words = deck.ben.rights.why("publish", "Invoices") or ""
    for part in ("only members of web and org admins may publish", "Your teams: data", "team web"):
        assert part in words
    assert deck.ben.rights.why("run", "Invoices") is None
    assert deck.ana.rights.why("delete", "Invoices") is None
    assert "There is no job fx rates" in (deck.ben.rights.why("view", "fx rates") or "")
    assert deck.ports.store.last_change() == before


def test_the_header_says_who_is_here(deck: Deck) -> None:
    assert deck.ben.rights.header() == {
        "workspace": "fake", "actor": "ben", "teams": ["data"], "acting_as": None,
        "org_admin": False, "read_only": False, "damage": "", "notices": [], "scheduler": None,
        "clusters": [], "clock_step_s": 0,
    }  # fmt: skip
    ana = Services(deck.ports, "ana", as_team="web", read_only=True)
    header = ana.rights.header()
    assert (header["acting_as"], header["org_admin"], header["read_only"]) == ("web", True, True)


def test_what_may_be_done_is_the_table() -> None:
    from quarterdeck.model.actor import Actor
    from quarterdeck.model.ids import TeamId

    one, two = TeamId("one"), TeamId("two")
    for actor in (Actor("a", (one,)), Actor("b", (two,)), Actor("c"), Actor("d", (), True)):
        allowed = {
            action
            for action in access.OWNER_ACTIONS
            if access.may(actor, action, one, [two]).allowed
        }
        assert access.actions(actor, one, [two]) == allowed
