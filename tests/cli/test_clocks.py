"""Clocks that were set, machines that slept, processes that are shown another time: no run ends for it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from quarterdeck import wiring
from quarterdeck.cli.main import main
from quarterdeck.model.ids import make_id
from quarterdeck.model.instants import format_instant, parse_instant
from quarterdeck.model.lease import Holder
from quarterdeck.model.observation import Phase
from quarterdeck.model.receipt import AttemptId
from quarterdeck.model.run import CancelStep, RunState
from quarterdeck.service.bundle import Services
from quarterdeck.store import guard
from quarterdeck.store.open import open_store
from tests.support.damage import CLOCK_ROW, spoil_row
from tests.support.quarterdeck import job
from tests.support.services import FakePorts, workspace

HOURS = 3_600
STEPS = pytest.mark.parametrize("seconds", [3 * HOURS, -3 * HOURS])


class Desk:
    """A workspace on one machine, and commands of any process on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.services, self.ports = workspace(folder)
        self.ports.fake.auto = False
        self.clock = self.ports.clock
        self._capsys = capsys

    def create(self, name: str, **changes: Any) -> None:
        self.services.jobs.create([job(name, **changes)])

    def ok(self, *argv: str, by: FakePorts | None = None) -> Any:
        """Run a command of a process that sees the machine through these ports."""
        assert main([*argv, "--json"], by or self.ports) == 0, self._capsys.readouterr().err
        return json.loads(self._capsys.readouterr().out)

    def running(self, name: str = "daily") -> str:
        run: str = self.ok("run", name)["id"]
        self.ports.fake.move(AttemptId(f"{run}-1"), Phase.RUNNING)
        assert self.ok("run-show", run)["state"] == "running"
        return run

    def ended(self, run: str) -> tuple[str, str]:
        """Return how a run ends that obeys when it is asked to."""
        self.ok("run-show", run)
        shown = self.ok("run-show", run)
        return shown["state"], shown["reason"]


@pytest.fixture
def desk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    monkeypatch.setenv("QUARTERDECK_ACTOR", "ana")
    return Desk(tmp_path, capsys)


# --- who looks


@pytest.mark.row("R6", "F-42", "F5")
@STEPS
def test_a_look_by_another_time_ends_no_run(desk: Desk, seconds: float) -> None:
    run = desk.running()
    desk.clock.tick(4)
    other = desk.ports.ahead(seconds)
    shown = desk.ok("run-show", run, by=other)
    assert (shown["state"], shown["cancel"], shown["stale"]) == ("running", None, False)
    assert shown["ahead_s"] == -seconds
    lengths = [one["seconds"] for one in shown["timeline"]]
    assert lengths[-1] == 4
    desk.clock.tick(10)
    here = desk.ok("run-show", run)
    assert "ahead_s" not in here
    assert [one["at"] for one in here["timeline"]] == [one["at"] for one in shown["timeline"]]
    assert here["waiting_for"]["last_fact_at"] <= format_instant(desk.clock())


@pytest.mark.row("R6", "F-42")
@STEPS
def test_a_clock_that_is_set_ends_no_run_and_no_length_is_negative(
    desk: Desk, seconds: float
) -> None:
    run, start = desk.running(), desk.clock()
    queued = desk.ok("run", "daily")["id"]
    desk.clock.tick(4)
    desk.clock.step(seconds)
    shown = {one["id"]: one for one in desk.ok("runs")}
    assert {shown[one]["state"] for one in (run, queued)} == {"running", "starting"}
    desk.clock.tick(6)
    desk.ports.fake.end(AttemptId(f"{run}-1"))
    ended = desk.ok("run-show", run)
    assert parse_instant(ended["ended_at"]) - parse_instant(ended["started_at"]) == timedelta(
        seconds=10
    )
    assert parse_instant(ended["ended_at"]) == start + timedelta(seconds=10)
    assert all(one["seconds"] >= 0 for one in ended["timeline"])
    later = desk.ok("run", "daily")
    assert (
        parse_instant(later["queued_at"]) == desk.clock()
    )  # a new run goes by the clock as it is now


@pytest.mark.row("R6", "F5", "G6")
def test_who_is_past_timeout_and_grace_ends_only_a_runner_that_is_not_heard(desk: Desk) -> None:
    desk.create("short", timeout="1m")
    run = desk.running("short")
    attempt = desk.ports.fake.attempts[AttemptId(f"{run}-1")]
    attempt.is_heard = True
    desk.clock.tick(60 + 91)
    assert desk.ok("run-show", run)["state"] == "running"
    attempt.is_heard = False
    desk.clock.step(-3 * HOURS)
    assert desk.ended(run) == ("timed_out", "timeout")


@pytest.mark.row("R6", "F5")
def test_a_runner_of_an_earlier_version_is_ended_by_deadline_and_grace_alone(desk: Desk) -> None:
    desk.create("short", timeout="1m")
    run = desk.running("short")  # it says no word of its clocks
    desk.clock.step(3 * HOURS)
    desk.clock.tick(60 + 89)
    assert desk.ok("run-show", run)["state"] == "running"
    desk.clock.tick(2)
    assert desk.ended(run) == ("timed_out", "timeout")


@pytest.mark.row("R6", "F5", "G6")
@STEPS
def test_the_start_deadline_counts_by_what_cannot_step(desk: Desk, seconds: float) -> None:
    run = desk.ok("run", "daily")["id"]  # its engine is never ready
    other = desk.ports.ahead(seconds)
    assert desk.ok("run-show", run, by=other)["state"] == "starting"
    desk.clock.step(seconds)
    desk.clock.tick(599)
    assert desk.ok("run-show", run)["state"] == "starting"
    desk.clock.tick(2)
    desk.ok("run-show", run, by=other)
    assert desk.ended(run) == ("failed", "engine_start")


@pytest.mark.row("R6", "F6", "G6")
@STEPS
def test_the_queue_deadline_counts_by_what_cannot_step(desk: Desk, seconds: float) -> None:
    ceilings = {"max_concurrent_runs": 1}
    desk.services.workspaces.edit({"ceilings": ceilings, "queue_deadline": "1h"})
    first, queued = desk.running(), desk.ok("run", "daily")["id"]
    other = desk.ports.ahead(seconds)
    shown = {one["id"]: one for one in desk.ok("runs", by=other)}
    assert (shown[queued]["state"], shown[queued]["position"]) == ("queued", 1)
    desk.clock.step(seconds)
    desk.clock.tick(3_599)
    assert desk.ok("run-show", queued)["state"] == "queued"
    desk.clock.tick(2)
    desk.ok("run-show", queued, by=other)
    shown = desk.ok("run-show", queued)
    assert (shown["state"], shown["reason"]) == ("rejected", "quota")
    assert desk.ok("run-show", first)["state"] == "running"


@pytest.mark.row("R6", "F13")
@STEPS
def test_a_next_attempt_starts_after_its_back_off_whoever_saw_the_last_one_end(
    desk: Desk, seconds: float
) -> None:
    desk.create("again", retry={"attempts": 2, "backoff": "60s", "on": ["lost"]})
    run = desk.running("again")
    desk.ports.fake.end(AttemptId(f"{run}-1"), None)
    other = desk.ports.ahead(seconds)
    assert desk.ok("run-show", run, by=other)["state"] == "queued"
    desk.clock.tick(59)
    assert desk.ok("run-show", run)["state"] == "queued"
    desk.clock.tick(2)
    assert desk.ok("run-show", run)["attempt"] == 2
    assert desk.ok("run-show", run, by=other)["attempt"] == 2


@pytest.mark.row("R6", "F9")
@STEPS
def test_the_ladder_of_a_cancel_is_neither_hurried_nor_held_up(desk: Desk, seconds: float) -> None:
    run = desk.running()
    desk.ports.fake.obeys = {CancelStep.DELETE}
    other = desk.ports.ahead(seconds)
    desk.ok("cancel", run, by=other)
    for by in (desk.ports, other):
        assert desk.ok("run-show", run, by=by)["cancel"]["step"] == "ask"
    desk.clock.tick(21)
    assert desk.ok("run-show", run)["cancel"]["step"] == "end"
    assert desk.ok("run-show", run, by=other)["cancel"]["step"] == "end"
    desk.clock.tick(11)
    desk.ok("run-show", run, by=other)
    assert desk.ok("run-show", run)["state"] == "cancelled"


@pytest.mark.row("R6", "F16")
@STEPS
def test_cleaning_up_goes_on_at_its_time_whoever_saw_the_end(desk: Desk, seconds: float) -> None:
    run = desk.running()
    desk.ports.fake.end(AttemptId(f"{run}-1"))
    shown = desk.ok("run-show", run, by=desk.ports.ahead(seconds))
    assert (shown["state"], shown["reap"]["looks"]) == ("succeeded", 1)
    desk.clock.tick(61)
    assert desk.ok("run-show", run)["reap"]["looks"] == 2
    desk.clock.tick(240)
    assert desk.ok("run-show", run)["reap"]["next_at"] is None


@pytest.mark.row("R6", "G6")
@STEPS
def test_silence_is_counted_by_what_cannot_step(desk: Desk, seconds: float) -> None:
    desk.create("short", timeout="1m")
    run = desk.running("short")
    desk.ports.fake.silence()
    assert desk.ok("run-show", run)["state"] == "running"
    desk.clock.step(seconds)
    for _ in range(30):
        desk.clock.tick(60)
        assert desk.ok("run-show", run)["state"] == "running"
    desk.clock.tick(61)
    shown = desk.ok("run-show", run)
    assert (shown["state"], shown["reason"]) == ("lost", "lost")


@pytest.mark.row("R6", "F6")
def test_a_cluster_is_asked_again_after_ten_seconds_whatever_the_clock_says(desk: Desk) -> None:
    run = desk.services.runs.start("daily")["id"]
    desk.ports.fake.silence()
    assert desk.ok("run-show", run)["state"] == "queued"
    desk.ports.fake.speak()
    desk.clock.step(-3 * HOURS)
    younger = desk.services.runs.start("daily")["id"]
    states = {one["id"]: one["state"] for one in desk.ok("runs")}
    assert states == {run: "queued", younger: "queued"}
    desk.clock.tick(11)
    states = {one["id"]: one["state"] for one in desk.ok("runs")}
    assert states == {run: "submitted", younger: "submitted"}


@pytest.mark.row("R6", "F6")
def test_the_line_and_the_list_go_by_who_came_first_though_the_clock_was_set_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def new_id(prefix: str) -> str:
        return make_id(prefix, int(desk.clock().timestamp() * 1000), 7)

    monkeypatch.setattr(desk.ports, "new_id", new_id)
    desk.services.workspaces.edit({"ceilings": {"max_concurrent_runs": 1}})
    first = desk.running()
    runs = [first]
    for seconds in (3_600, -3 * HOURS, 0, -24 * HOURS):
        desk.clock.step(seconds)
        runs.append(desk.ok("run", "daily")["id"])
    assert [one["id"] for one in desk.ok("runs")] == runs[::-1]
    assert [one["position"] for one in desk.ok("runs")] == [4, 3, 2, 1, None]
    desk.ports.fake.end(AttemptId(f"{first}-1"))
    desk.ok("runs")
    assert desk.ok("run-show", runs[1])["state"] == "starting"


# --- sleep


@pytest.mark.row("R6", "F5")
def test_time_asleep_does_not_count_towards_the_timeout_and_is_told(desk: Desk) -> None:
    run = desk.running()
    before = desk.ok("run-show", run)["deadline"]
    desk.clock.tick(600)
    desk.clock.sleep(8 * HOURS)
    shown = desk.ok("run-show", run)
    assert (shown["state"], shown["cancel"]) == ("running", None)
    assert parse_instant(shown["deadline"]) - parse_instant(before) == timedelta(hours=8)
    assert shown["notes"] == [
        "attempt 1: its machine slept for 8 h, which does not count towards the timeout"
    ]
    desk.clock.tick(3_600 - 600 + 89)
    assert desk.ok("run-show", run)["state"] == "running"
    desk.clock.tick(2)
    assert desk.ended(run) == ("timed_out", "timeout")


@pytest.mark.row("R6", "F5")
def test_the_last_word_says_how_long_the_machine_slept(desk: Desk) -> None:
    run = desk.running()
    began_ms = int(desk.clock().timestamp() * 1000)
    desk.clock.sleep(8 * HOURS)
    ended_ms = began_ms + 8 * HOURS * 1000
    desk.ports.fake.end(
        AttemptId(f"{run}-1"), began_ms=began_ms, ended_ms=ended_ms, asleep_s=8.0 * HOURS
    )
    shown = desk.ok("run-show", run)
    assert (shown["state"], shown["attempts"][0]["asleep_s"]) == ("succeeded", 8 * HOURS)
    assert "slept for 8 h" in shown["notes"][0]


@pytest.mark.row("R6", "F5")
def test_an_engine_that_starts_is_not_late_for_the_sleep_of_its_machine(desk: Desk) -> None:
    run = desk.ok("run", "daily")["id"]
    assert desk.ok("run-show", run)["state"] == "starting"
    desk.clock.sleep(8 * HOURS)
    assert desk.ok("run-show", run)["state"] == "starting"
    desk.clock.tick(601)
    assert desk.ended(run) == ("failed", "engine_start")


@pytest.mark.row("R6", "F6")
def test_who_waits_in_the_line_has_so_much_longer_as_the_machine_slept(desk: Desk) -> None:
    desk.services.workspaces.edit({"ceilings": {"max_concurrent_runs": 1}})
    first, queued = desk.running(), desk.ok("run", "daily")["id"]
    before = desk.ok("run-show", queued)["deadline"]
    desk.clock.sleep(8 * HOURS)
    shown = desk.ok("run-show", queued)
    assert shown["state"] == "queued"
    assert parse_instant(shown["deadline"]) - parse_instant(before) == timedelta(hours=8)
    assert shown["notes"] == [
        "this machine slept for 8 h while the run was in the line: its deadline is so much later"
    ]
    desk.ports.fake.end(AttemptId(f"{first}-1"))
    desk.ok("runs")
    assert desk.ok("run-show", queued)["state"] == "starting"


@pytest.mark.row("R6", "F9")
def test_a_cancel_is_not_hurried_by_sleep(desk: Desk) -> None:
    run = desk.running()
    desk.ports.fake.obeys = set()
    desk.ok("cancel", run)
    desk.clock.tick(5)
    desk.clock.sleep(8 * HOURS)
    assert desk.ok("run-show", run)["cancel"]["step"] == "ask"
    desk.clock.tick(16)
    assert desk.ok("run-show", run)["cancel"]["step"] == "end"


# --- another boot


@pytest.mark.row("R6", "F-42", "G6")
@STEPS
def test_after_a_restart_times_go_on_from_what_was_known(desk: Desk, seconds: float) -> None:
    desk.services.workspaces.edit({"ceilings": {"max_concurrent_runs": 1}})
    first, queued = desk.running(), desk.ok("run", "daily")["id"]
    desk.clock.tick(60)
    desk.clock.restart()
    desk.clock.step(seconds)
    shown = desk.ok("run-show", first)  # on a cluster that knows no restart of ours
    assert (shown["state"], shown["cancel"]) == ("running", None)
    desk.ports.fake.end(AttemptId(f"{first}-1"))
    shown = desk.ok("run-show", first)
    times = [parse_instant(one["at"]) for one in shown["timeline"]]
    assert times == sorted(times)
    assert shown["state"] == "succeeded"
    desk.ok("runs")
    assert desk.ok("run-show", queued)["state"] == "starting"
    desk.clock.tick(601)
    assert desk.ended(queued) == ("failed", "engine_start")


@pytest.mark.row("R6", "F-42")
def test_in_another_boot_a_cluster_has_the_better_clock(desk: Desk) -> None:
    run = desk.ok("run", "daily")["id"]
    assert desk.ok("run-show", run)["state"] == "starting"
    desk.clock.restart()
    desk.clock.step(3 * HOURS)
    desk.ports.fake.ahead = 3.0 * HOURS
    shown = desk.ok("run-show", run)
    assert (shown["state"], shown["ahead_s"]) == ("starting", -3 * HOURS)


@pytest.mark.row("R6", "R4")
def test_a_run_of_an_earlier_version_goes_by_the_clock_of_its_first_look(desk: Desk) -> None:
    run = desk.running()
    kept = desk.ports.store.runs.get(run)
    with desk.ports.store.transaction("ana") as tx:
        tx.runs.put(replace(kept.value, clock=None), seen=kept.rev)
    desk.clock.tick(5)
    assert desk.ok("run-show", run)["state"] == "running"
    assert desk.services.runs.get(run).clock is not None
    shown = desk.ok("run-show", run, by=desk.ports.ahead(3 * HOURS))
    assert (shown["state"], shown["ahead_s"]) == ("running", -3 * HOURS)


# --- what people are told


@pytest.mark.row("R6")
@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3 * HOURS, "+3 h 00 m"), (-3 * HOURS, "-3 h 00 m"), (-260, "-4 m 20 s"), (7, "+7 s")],
)
def test_doctor_tells_a_step_with_its_size(
    desk: Desk, capsys: pytest.CaptureFixture[str], seconds: float, words: str
) -> None:
    known_at = desk.clock()
    found = desk.ok("doctor")["clock"]
    assert (found["step_s"], found["noticed_at"]) == (0, None)
    desk.clock.tick(30)
    desk.clock.step(seconds)
    found = desk.ok("doctor")
    assert found["clock"]["step_s"] == seconds
    assert found["clock"]["noticed_at"] == format_instant(desk.clock())
    assert found["clock"]["since"] == format_instant(known_at)
    [check] = [one for one in found["checks"] if one["name"] == "clock"]
    assert (check["ok"], check["level"]) == (True, "warning")
    assert f"stepped {words}" in check["message"]
    assert main(["doctor"], desk.ports) == 0
    assert f"stepped {words}" in capsys.readouterr().out


@pytest.mark.row("R6")
def test_a_run_is_enough_to_know_the_clock_by(desk: Desk) -> None:
    desk.ok("run", "daily")
    desk.clock.step(3 * HOURS)
    assert desk.ok("--read-only", "doctor")["clock"]["step_s"] == 3 * HOURS


@pytest.mark.row("R6")
def test_a_clock_that_stays_as_it_was_set_is_taken_for_right_after_an_hour(desk: Desk) -> None:
    desk.ok("scheduler", "--once")
    desk.clock.step(3 * HOURS)
    desk.ok("scheduler", "--once")
    noticed_at = format_instant(desk.clock())
    desk.clock.tick(3_590)
    found = desk.ok("doctor")["clock"]
    assert (found["step_s"], found["noticed_at"]) == (3 * HOURS, noticed_at)
    desk.clock.tick(20)
    desk.ok("scheduler", "--once")
    assert desk.ok("doctor")["clock"]["step_s"] == 0
    assert desk.ok("doctor", by=desk.ports.ahead(-60))["clock"]["step_s"] == -60


@pytest.mark.row("R6")
def test_slow_drift_is_no_step_and_a_clock_set_back_again_is_none_any_more(desk: Desk) -> None:
    desk.ok("doctor")
    desk.clock.step(4)
    assert desk.ok("doctor")["clock"]["step_s"] == 0
    desk.clock.step(3 * HOURS)
    assert desk.ok("doctor")["clock"]["step_s"] == 3 * HOURS + 4
    desk.clock.step(-3 * HOURS)
    assert desk.ok("doctor")["clock"]["step_s"] == 0


@pytest.mark.row("R6")
def test_a_cluster_whose_clock_is_another_is_told(desk: Desk) -> None:
    desk.ports.fake.ahead = 61.0
    found = desk.ok("doctor")["clock"]
    assert found["clusters"] == [{"cluster": "local", "ahead_s": 61.0}]


@pytest.mark.row("R6", "G7")
@STEPS
def test_ages_of_a_run_go_by_its_clock(
    desk: Desk, capsys: pytest.CaptureFixture[str], seconds: float
) -> None:
    run = desk.running()
    desk.clock.tick(120)
    desk.clock.step(seconds)
    assert main(["run-show", run], desk.ports) == 0
    assert "UTC, 2 min ago" in capsys.readouterr().out


# --- the scheduler


@pytest.mark.row("R6", "H7")
@STEPS
def test_a_lease_is_not_stolen_by_a_step(desk: Desk, seconds: float) -> None:
    holder = Holder("elsewhere", 1, "ana", "s-one")
    desk.services.leases.take(holder)
    other = desk.ports.ahead(seconds)
    assert main(["scheduler", "--once", "--json"], other) == 5
    desk.clock.step(seconds)
    assert main(["scheduler", "--once", "--json"], desk.ports) == 5
    desk.clock.sleep(8 * HOURS)
    assert main(["scheduler", "--once", "--json"], desk.ports) == 5
    desk.clock.tick(31)
    assert main(["scheduler", "--once", "--json"], other) == 0


@pytest.mark.row("R6", "H7")
@STEPS
def test_a_lease_of_another_boot_holds_nobody_up(desk: Desk, seconds: float) -> None:
    desk.services.leases.take(Holder("elsewhere", 1, "ana", "s-one"))
    desk.clock.restart()
    desk.clock.step(seconds)
    desk.ok("scheduler", "--once")


@pytest.mark.row("R6", "H8")
@pytest.mark.parametrize("how", CLOCK_ROW)
def test_what_is_known_of_the_clock_is_a_hint_and_holds_up_nothing_when_it_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("QUARTERDECK_ACTOR", "ana")
    services, ports = workspace(tmp_path, on_disk=True)
    services.clocks.notice()
    run = services.runs.start("daily")["id"]
    spoil_row(tmp_path / "store", CLOCK_ROW[how])
    ports.clock.tick(100)
    ports.clock.step(60)  # there is something new to keep
    assert main(["scheduler", "--once", "--json"], ports) == 0
    assert services.runs.get(run).submitted_at is not None
    capsys.readouterr()
    assert main(["doctor", "--json"], ports) == 6  # the store's check fails, and no other
    found = json.loads(capsys.readouterr().out)
    [store] = [one for one in found["checks"] if one["name"] == "store"]
    assert "clocks/wall" in store["message"]
    assert {one["name"] for one in found["checks"]} >= {"clock", "leftovers"}


@pytest.mark.row("R6", "H8")
def test_a_step_is_noticed_once_where_what_is_known_of_the_clock_is_damaged(
    tmp_path: Path,
) -> None:
    services, ports = workspace(tmp_path, on_disk=True)
    services.clocks.notice()
    spoil_row(tmp_path / "store", CLOCK_ROW["another key"])
    ports.clock.step(3 * HOURS)
    first = services.clocks.notice().step
    ports.clock.tick(60)
    assert first is not None
    assert first.size_s == 3 * HOURS
    assert services.clocks.notice().step == first
    assert services.clocks.document()["step_s"] == 3 * HOURS


@pytest.mark.row("R6", "H8", "F-38")
@pytest.mark.parametrize("how", ["restore", "repair"])
@STEPS
def test_a_run_that_a_restore_or_repair_ends_ends_by_its_own_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, seconds: float
) -> None:
    monkeypatch.setenv("QUARTERDECK_ACTOR", "ana")
    folder, older = tmp_path / "store", tmp_path / "older"
    monkeypatch.setenv("QUARTERDECK_STORE", str(folder))
    services, ports = workspace(tmp_path, on_disk=True)
    ports.fake.makes = False
    run = services.runs.dispatch(services.runs.start("daily")["id"])["id"]
    if how == "restore":
        ports.store.backup(str(older))
        services.close()
    else:
        services.close()
        shutil.copyfile(folder / guard.DATABASE, older)
        ports.store = open_store(folder, ports.clock)
        Services(ports, "ana").jobs.create([job("later")])
        ports.store.close()
        shutil.copyfile(older, folder / guard.DATABASE)
    ports.clock.tick(100)
    monkeypatch.setattr(wiring, "clock", ports.clock.ahead(seconds))  # of the process that does it
    monkeypatch.setattr(wiring, "uptime", ports.uptime)
    argv = ["restore", str(older)] if how == "restore" else ["repair"]
    assert main(["store", *argv, "--yes", "--json"]) == 0
    ports.store = open_store(folder, ports.clock)
    services = Services(ports, "ana")
    ended = services.runs.get(run)
    assert (ended.state, ended.ended_at) == (RunState.LOST, ports.clock())
    for after in (0, 60, 240):
        ports.clock.tick(after)
        services.upkeep.reconcile_all()
    assert not ports.fake.attempts
    assert not services.runs.get(run).is_open
    ports.store.close()
