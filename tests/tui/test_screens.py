"""The screens as they are drawn, in words: a change of one is seen in the change that makes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from tests.support.quarterdeck import job, sql
from tests.support.services import FakePorts, workspace
from tests.tui.pages import running
from tests.tui.test_run import begin, end
from tests.tui.test_run_pods import three_pods

LONG = "a-job-whose-name-is-so-long-that-no-list-has-room-for-it-and-so-loses-its-middle"
PLACES = {
    "jobs": Place("jobs"),
    "runs": Place("runs"),
    "profiles": Place("profiles"),
    "queries": Place("queries"),
    "clusters": Place("clusters"),
    "teams": Place("teams"),
    "job": Place("job", "daily"),
    "versions": Place("job", "daily", "versions", {"version": 1}),
    "access": Place("job", "daily", "access"),
    "draft": Place("draft", "daily"),
    "run": Place("run", "RUN", "log"),
    "timeline": Place("run", "RUN", "timeline"),
    "pods": Place("run", "RUN", "pods"),
    "profile": Place("item", "small", "profile"),
    "cluster": Place("item", "local", "cluster"),
    "new": Place("new", "", "job"),
}


@pytest.fixture
def deck(tmp_path: Path) -> tuple[Services, FakePorts, str]:
    services, ports = workspace(tmp_path)
    services.jobs.create([job("weekly"), job(LONG), job("漢字の仕事")])
    lines = (
        "SELECT o.id, sum(i.amount) AS total",
        "  FROM orders o",
        "  JOIN items i ON i.order_id = o.id",
    )
    text = "\n".join((*lines, " GROUP BY o.id"))
    services.jobs.edit("daily", {"spec": {**job("daily")["spec"], "source": sql(text)}})
    services.publishing.publish("daily", note="totals per order")
    services.jobs.edit(
        "daily", {"spec": {**job("daily")["spec"], "source": sql(text), "timeout": "2h"}}
    )
    services.definitions.create("query", {"id": "shared", "name": "Shared", "text": "SELECT 1"})
    run = begin(services, ports, "reading orders", "ValueError: no column named totals", "done")
    ports.clock.tick(75)
    end(services, ports, run, "failed", reason="user_error", exit_code=1, object="line 3")
    ports.clock.tick(3_600)
    return services, ports, run


@pytest.mark.row("H11")
@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("place", PLACES)
async def test_screen(
    deck: tuple[Services, FakePorts, str],
    snapshot: SnapshotAssertion,
    place: str,
    size: tuple[int, int],
) -> None:
    services, _, run = deck
    wanted = PLACES[place]._replace(name=PLACES[place].name.replace("RUN", run))
    async with running(services, size=size, places=[wanted]) as ui:
        assert "\n".join(ui.lines) == snapshot


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_pods_of_a_run_under_way(
    tmp_path: Path, snapshot: SnapshotAssertion, size: tuple[int, int]
) -> None:
    services, ports = workspace(tmp_path)
    run = begin(services, ports, "one")
    ports.fake.made_of = three_pods(ports, run)
    async with running(services, size=size, places=[Place("run", run, "pods")]) as ui:
        await ui.until("FailedScheduling")
        assert "\n".join(ui.lines) == snapshot


@pytest.mark.parametrize("size", [(59, 20), (40, 12), (200, 50)], ids=["59x20", "40x12", "200x50"])
async def test_jobs_list_in_other_rooms(
    deck: tuple[Services, FakePorts, str], snapshot: SnapshotAssertion, size: tuple[int, int]
) -> None:
    async with running(deck[0], size=size) as ui:
        assert "\n".join(ui.lines) == snapshot


@pytest.mark.parametrize("keys", ["question_mark", "colon", "r", "X", "8"])
async def test_what_opens_over_the_jobs_list(
    deck: tuple[Services, FakePorts, str], snapshot: SnapshotAssertion, keys: str
) -> None:
    async with running(deck[0]) as ui:
        await ui.press(keys)
        assert "\n".join(ui.lines) == snapshot
