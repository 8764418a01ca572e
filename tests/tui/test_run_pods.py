"""The run page's pods: who they are, how they stand, and what the cluster says of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.screen import ModalScreen
from textual.timer import Timer

from quarterdeck.model.errors import UnreachableError
from quarterdeck.model.observation import Happened
from quarterdeck.model.parts import Part, Parts, Told
from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.run.screen import RunPage
from tests.support.quarterdeck import Quarterdeck
from tests.support.services import FakePorts, workspace
from tests.tui.pages import running
from tests.tui.test_run import begin, end


@pytest.fixture
def fake(tmp_path: Path) -> tuple[Services, FakePorts]:
    return workspace(tmp_path)


def three_pods(ports: FakePorts, run: str) -> Parts:
    now = ports.clock()
    ago = timedelta(seconds=75)
    name = f"qd-{run}-a1"
    said = "0/2 nodes are available: 2 Insufficient memory. no new claims to deallocate."
    return Parts(
        (
            Part(f"{name}-x7k2p", "driver", "node-1", "Running", 0, now - ago),
            Part(
                f"{name}-w-q2h8f-1",
                "worker-1",
                "node-2",
                "Failed",
                1,
                now - ago,
                "OOMKilled (exit code 137)",
            ),
            Part(f"{name}-w-q2h8f-2", "worker-2", "", "Pending", 0, now - ago, "Unschedulable"),
        ),
        (
            Told(
                now - timedelta(seconds=8),
                "worker-2",
                "FailedScheduling",
                said,
                3,
                is_warning=True,
            ),
            Told(now - ago, "driver", "Started", "Container started"),
        ),
    )


@pytest.mark.row("G7")
async def test_the_pods_tab_shows_role_node_phase_restarts_and_events_with_ages(
    fake: tuple[Services, FakePorts],
) -> None:
    services, ports = fake
    run = begin(services, ports, "one")
    ports.fake.made_of = three_pods(ports, run)
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await ui.press("]", "]")
        shown = await ui.until("FailedScheduling")
        for words in (
            "[Pods]", "driver", "Running", "node-1", "worker-1", "Failed OOMKilled", "worker-2",
            "Pending Unschedulable", "none yet", "RESTARTS", "the last one just now", "x3",
            "0/2 nodes are available",
        ):  # fmt: skip
            assert words in shown, words
        assert f"qd-{run}-a1-w-q2h8f-2" not in shown  # there is room for its end
        await ui.press("enter")
        assert not isinstance(
            ui.app.screen, ModalScreen
        )  # Enter opens lines of the log, on its tab alone
        await ui.resize(200, 40)
        await ui.until(f"qd-{run}-a1-w-q2h8f-2")
        ports.fake.made_of = Parts()
        await ui.press("R")
        shown = await ui.until("It has no pod yet.")
        ports.fake.fail("parts", UnreachableError("Context test does not answer."))
        asked = ports.fake.asked_now
        await ui.press("R")
        await ui.settle()
        await ui.until("Context test does not answer.")
        assert ports.fake.asked_now > asked  # a person's R waits for nothing that failed before
        end(services, ports, run, "succeeded")
        await ui.press("R")
        await ui.until("Its pods are gone")


@pytest.mark.row("F-26")
async def test_a_worker_that_died_is_a_line_of_the_timeline_and_the_run_goes_on(
    fake: tuple[Services, FakePorts],
) -> None:
    services, ports = fake
    run = begin(services, ports, "one")
    attempt = next(one for one in ports.fake.attempts if one.startswith(run))
    died = Happened(
        ports.clock() + timedelta(seconds=30), "worker-1 (pod w-1 on node-2) died: OOMKilled"
    )
    ports.clock.tick(40)
    ports.fake.attempts[attempt].happened = (died,)
    for _ in range(2):
        services.runs.dispatch(run)
    assert services.runs.stored(run)["state"] == "running"
    async with running(services, places=[Place("run", run, "timeline")]) as ui:
        shown = await ui.until("worker-1 (pod w-1 on node-2) died: OOMKilled")
        assert shown.count("died: OOMKilled") == 1
        assert "running 40 s  sum 40 s" in shown  # which is one state still
        assert "06:00:30  ▸ running" in shown
        ports.fake.attempts[attempt].happened = ()
        end(services, ports, run, "succeeded")
        assert "died: OOMKilled" in await ui.until("SUCCEEDED")


async def test_a_run_on_this_machine_has_no_pods(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path)
    deck.create("daily")
    run = deck.run("daily")["id"]
    answer = deck.call("run-show", run, "--pods")
    assert "it has no pods" in answer.out
    document = deck.ok("run-show", run, "--pods")
    assert (document["has_pods"], document["pods"], document["events"]) == (False, [], [])


async def test_the_cluster_is_asked_once_at_a_time(
    fake: tuple[Services, FakePorts], monkeypatch: pytest.MonkeyPatch
) -> None:
    services, ports = fake
    run = begin(services, ports, "one")
    begun: list[object] = []
    set_interval = RunPage.set_interval

    def counted(page: RunPage, wait_s: float, callback: Any, **more: Any) -> Timer:
        if callback == page.ask_pods:
            begun.append(page)
        return set_interval(page, wait_s, callback, **more)

    monkeypatch.setattr(RunPage, "set_interval", counted)
    async with running(services, places=[Place("run", run, "log")]) as ui:
        assert begun == [ui.page]
