"""What rows promise on the run's page: version, deadline, receipt, what was refused and removed; and restarts."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from tests.support.quarterdeck import Quarterdeck, job, python, start_ticks
from tests.support.services import FakePorts, workspace
from tests.tui.pages import Ui, running
from tests.tui.test_run import begin, end
from tests.tui.test_terminal import opened


@pytest.fixture
def fake(tmp_path: Path) -> tuple[Services, FakePorts]:
    return workspace(tmp_path)


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Quarterdeck]:
    found = Quarterdeck(tmp_path)
    yield found
    found.end()


async def shows_what_ran(ui: Ui) -> None:
    await ui.until("SUCCEEDED", deadline_s=5)
    await ui.press("V")
    shown = await ui.until("SELECT 1 AS v", deadline_s=5)
    assert "v1 of daily" in shown
    assert "SELECT 2" not in ui.dialog.text
    assert "profile: small" in ui.dialog.text
    assert "timeout: 1 h" in ui.dialog.text


@pytest.mark.row("B12")
@pytest.mark.parametrize("after", ["rename", "publish", "delete", "return"])
async def test_the_version_of_a_run_shows_what_it_executed_whatever_came_after(
    fake: tuple[Services, FakePorts], after: str
) -> None:
    services, ports = fake
    run = begin(services, ports, "one")
    end(services, ports, run, "succeeded")
    if after == "rename":
        services.jobs.edit("daily", {"name": "nightly"})
    elif after == "publish":
        spec = {**job("daily")["spec"], "source": {"kind": "snapshot", "text": "SELECT 2"}}
        services.jobs.edit("daily", {"spec": spec})
        services.publishing.publish("daily")
    else:
        services.jobs.delete("daily")
        if after == "return":
            services.jobs.create([job("daily", source={"kind": "snapshot", "text": "SELECT 2"})])
    async with running(services, places=[Place("run", run, "log")]) as ui:
        await shows_what_ran(ui)


@pytest.mark.row("F5")
async def test_the_deadline_is_in_the_header_and_the_timeout_in_the_timeline(
    fake: tuple[Services, FakePorts],
) -> None:
    services, ports = fake
    run = begin(services, ports, "one")
    async with running(services, places=[Place("run", run, "timeline")]) as ui:
        deadline = services.runs.stored(run)["deadline"]
        assert f"deadline {deadline[:10]} {deadline[11:19]}" in await ui.until("RUNNING")
        end(services, ports, run, "timed_out", reason="timeout")
        shown = await ui.until("TIMED OUT")
        assert "timed out" in shown
        assert "running" in shown
        assert f"deadline {deadline[:10]} {deadline[11:19]}" not in shown


@pytest.mark.row("F13")
async def test_the_timeline_shows_claim_object_uid_hash_and_release(
    fake: tuple[Services, FakePorts],
) -> None:
    services, ports = fake
    run = begin(services, ports, "one")
    shown = services.runs.stored(run)
    attempt = shown["attempts"][0]
    async with running(services, size=(120, 40), places=[Place("run", run, "timeline")]) as ui:
        screen = await ui.until("receipt")
        chosen = attempt["receipt"]["chosen"]
        for fact in (
            *(f"{attempt[one][:10]} {attempt[one][11:19]}" for one in ("claimed_at", "released_at")),
            shown["frozen"]["sha256"],
            f"{chosen['name']} uid={chosen['id']}",
        ):  # fmt: skip
            assert fact in screen


@pytest.mark.row("F14")
async def test_the_header_lists_all_that_could_not_be_resolved(deck: Quarterdeck) -> None:
    file = deck.folder / "gone.py"
    file.write_text("print(1)\n")
    deck.create(
        "two-wrong",
        source={"kind": "py_file", "uri": str(file), "args": []},
        settings={"env": {"A": "secret://env/NOT_THERE"}},
    )
    file.unlink()
    run = deck.run("two-wrong")
    assert run["state"] == "rejected"
    assert run["problems"]
    with opened(deck, "open", f"run/{run['id']}", width=120) as terminal:
        terminal.until("REJECTED")
        for problem in run["problems"]:
            terminal.until(problem["path"])
        terminal.until("gone.py")


@pytest.mark.row("F15")
@pytest.mark.row("F16")
def test_a_local_run_outlives_the_terminal_and_says_what_holds_it_and_what_was_removed(
    deck: Quarterdeck,
) -> None:
    deck.create("slow", source=python("import time\nprint('begun', flush=True)\ntime.sleep(4)\n"))
    with opened(deck) as terminal:
        terminal.until("▌ slow")
        terminal.press(":", *"clusters", "\r")
        terminal.until("▌ local")
        terminal.until("active")
        terminal.press("q", "q")
        assert terminal.end() == 0
    with opened(deck) as terminal:
        terminal.until("▌ slow")
        terminal.press("r")
        terminal.until("Run slow?")
        time.sleep(0.4)
        terminal.press("\r")
        terminal.until("begun")
        [run] = [one["id"] for one in deck.ok("runs")]
        terminal.vanish()
        terminal.process.wait(timeout=2)
    facts = deck.ok("run-show", run)["receipt"]["facts"]
    assert start_ticks(facts["pid"]) == facts["start_ticks"]
    shown = deck.until(run)
    assert shown["state"] == "succeeded"
    assert shown["reap"]["removed"]
    with opened(deck, "open", f"run/{run}", width=160, height=40) as terminal:
        terminal.until("SUCCEEDED")
        terminal.press("]")
        screen = terminal.until("removed")
        assert f"pid={facts['pid']}" in screen
        assert facts["isolation"] in screen
        assert str(facts["start_ticks"]) in screen
        assert "".join(shown["reap"]["removed"][0].split()) in "".join(screen.split())


@pytest.mark.row("H7")
def test_after_a_kill_the_header_says_what_was_taken_up_again(deck: Quarterdeck) -> None:
    deck.create("slow", source=python("import time\nprint('begun', flush=True)\ntime.sleep(30)\n"))
    run = deck.ok("run", "slow")["id"]
    deck.until(run, "running")
    with opened(deck, "open", f"run/{run}") as terminal:
        terminal.until("begun")
        time.sleep(1.0)
        terminal.send(signal.SIGKILL)
        terminal.end()
    with opened(deck, width=100) as terminal:
        terminal.until("1 run taken up again")
        terminal.until("RUNNING")
        terminal.until("begun")
    deck.ok("cancel", run, "--wait")
    assert len(deck.ok("runs")) == 1


@pytest.mark.row("H8")
def test_a_damaged_store_is_named_and_open_for_reading_alone(deck: Quarterdeck) -> None:
    deck.create("kept")
    deck.ok("store", "stats")
    database = deck.store / "quarterdeck.db"
    for suffix in ("-wal", "-shm"):
        (deck.store / f"quarterdeck.db{suffix}").unlink(missing_ok=True)
    whole = database.read_bytes()
    database.write_bytes(hurt(whole))
    with opened(deck) as terminal:
        terminal.until("The store is damaged")
        terminal.until("quarterdeck store repair")
        terminal.press("\x1b")
        terminal.until("STORE DAMAGED, READ-ONLY")
        terminal.until("▌ kept")
        assert "There is no workspace here yet." not in terminal.text
        terminal.press("e")
        terminal.until("nothing is written")
        terminal.press("v")
        terminal.until("STORE DAMAGED, READ-ONLY")
        terminal.press("q", "q")
        assert terminal.end() == 0
    assert database.read_bytes() == hurt(whole)
    database.write_bytes(whole[: len(whole) // 3])
    with opened(deck, "--fresh") as terminal:
        assert terminal.end() == 6
        assert "no workspace here yet" not in terminal.text


def hurt(whole: bytes) -> bytes:
    """Return the database with a page of nobody's table damaged, so that its lists can still be read."""
    damaged = bytearray(whole)
    at = len(damaged) - 4096
    damaged[at : at + 64] = b"\xaa" * 64
    return bytes(damaged)
