"""Bringing a run's log home while others do the same, and saying what is missing at its end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.model.errors import StoreFaultError, UnreachableError
from quarterdeck.model.failure import Reason
from quarterdeck.model.logline import LogChunk
from quarterdeck.model.receipt import AttemptId
from quarterdeck.model.run import Run
from quarterdeck.service import logs as service_logs
from quarterdeck.service import outfile
from quarterdeck.service.archiving import UNWRITTEN, Archiving
from quarterdeck.service.bundle import Services
from tests.support.services import FakePorts, workspace


@pytest.fixture
def made(tmp_path: Path) -> tuple[Services, FakePorts]:
    services, ports = workspace(tmp_path)
    ports.fake.auto = False
    return services, ports


def begun(services: Services, ports: FakePorts, *texts: str) -> tuple[Any, AttemptId]:
    """Return a run under way, its attempt, and what that said so far."""
    run = services.runs.get(services.runs.dispatch(services.runs.start("daily")["id"])["id"]).id
    name = AttemptId(f"{run}-1")
    ports.fake.say(name, *texts)
    return run, name


def texts(lines: Any) -> list[str]:
    return [line["text"] if "text" in line else f"gap: {line['gap']['why']}" for line in lines]


def test_a_follower_waits_for_the_process_that_keeps_the_log(
    made: tuple[Services, FakePorts],
) -> None:
    services, ports = made
    run, name = begun(services, ports, "one", "two")
    ports.fake.end(name)
    waits = []
    other = ports.logs.writer(run)
    other.__enter__()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            other.__exit__(None, None, None)
        assert len(waits) < 20

    assert texts(services.logs.follow(run, wait=wait)) == ["one", "two"]
    assert len(waits) >= 3


def test_a_reader_waits_a_while_for_the_process_that_keeps_the_log(
    made: tuple[Services, FakePorts], monkeypatch: pytest.MonkeyPatch
) -> None:
    services, ports = made
    run, name = begun(services, ports, "one")
    services.logs.tail(run, 1)
    ports.fake.say(name, "two")
    other = ports.logs.writer(run)
    other.__enter__()
    monkeypatch.setattr("time.sleep", lambda _: other.__exit__(None, None, None))
    assert texts(services.logs.all(run)) == ["one", "two"]


def test_a_follower_shows_what_is_kept_before_it_fetches_more(
    made: tuple[Services, FakePorts], monkeypatch: pytest.MonkeyPatch
) -> None:
    services, ports = made
    monkeypatch.setattr(service_logs, "TURN_CHUNKS", 2)
    run, name = begun(services, ports, *map(str, range(5_000)))
    lines = services.logs.follow(run, wait=lambda _: None)
    first = next(lines)
    assert ports.logs.count(run) < 3_000
    ports.fake.end(name)
    assert texts([first, *lines]) == [str(n) for n in range(5_000)]


@pytest.mark.row("G1")
def test_a_follower_tells_the_last_lines_before_it_clears_away(
    made: tuple[Services, FakePorts],
) -> None:
    services, ports = made
    run, name = begun(services, ports, "one")
    waits: list[tuple[float, bool]] = []

    def end(seconds: float) -> None:
        waits.append((seconds, "reap" in ports.fake.calls))
        if len(waits) == 3:
            ports.fake.say(name, "two")
            ports.fake.end(name, lines=7)
        assert len(waits) < 20

    lines = services.logs.follow(run, wait=end)
    told = [(texts([line])[0], "reap" in ports.fake.calls) for line in lines]
    assert told == [("one", False), ("two", False), (f"gap: {UNWRITTEN}", False)]
    assert waits[3:] == [(0.0, False)]  # what was told is on the screen before
    assert services.runs.get(run).archived
    assert ports.fake.attempts == {}


@pytest.mark.row("G1")
def test_a_follower_clears_away_what_another_process_left_behind_its_archived_log(
    made: tuple[Services, FakePorts],
) -> None:
    services, ports = made
    run, name = begun(services, ports, "one")
    ports.fake.end(name)
    assert services.runs.advancing.step(run, clears=False).archived  # and then it was killed
    assert name in ports.fake.attempts
    assert texts(services.logs.follow(run, wait=lambda _: None)) == ["one"]
    assert ports.fake.attempts == {}


@pytest.mark.row("G1")
def test_a_follower_ends_when_nothing_can_be_cleared_away(
    made: tuple[Services, FakePorts], monkeypatch: pytest.MonkeyPatch
) -> None:
    services, ports = made
    run, name = begun(services, ports, "one")

    def refuses(*_: object) -> bool:
        raise StoreFaultError("The disk is full.")

    monkeypatch.setattr(Archiving, "finish", refuses)
    ports.fake.end(name)
    waits: list[float] = []
    assert texts(services.logs.follow(run, wait=waits.append)) == ["one"]
    assert len(waits) < 5


def test_lines_that_the_last_word_counts_and_nobody_has_are_a_gap(
    made: tuple[Services, FakePorts],
) -> None:
    services, ports = made
    run, name = begun(services, ports, "one")
    ports.fake.end(name, lines=7)
    services.upkeep.reconcile_all()
    found = [line for line in services.logs.all(run) if "gap" in line]
    assert [(line["gap"]["from"], line["gap"]["why"]) for line in found] == [
        (3, "the runner could not write its last lines")
    ]
    assert texts(services.logs.all(run)) == ["one", *texts(found)]


def test_what_a_killed_runner_did_not_write_is_a_gap(made: tuple[Services, FakePorts]) -> None:
    services, ports = made
    run, name = begun(services, ports, "one")
    services.upkeep.reconcile_all()
    ports.fake.end(name, None)
    services.upkeep.reconcile_all()
    why = "gap: the runner ended without its last word, before it wrote more"
    assert texts(services.logs.all(run)) == ["one", why]
    assert texts(services.logs.all(run)) == ["one", why]


def test_a_source_that_another_process_removes_after_keeping_it_all_is_no_gap(
    made: tuple[Services, FakePorts],
) -> None:
    services, ports = made
    run, name = begun(services, ports, "one")
    ports.fake.end(name)
    late = services.runs.get(run)
    services.upkeep.reconcile_all()
    assert services.runs.get(run).archived

    def torn(receipt: Any, cursor: Any, *, follow: bool) -> Any:
        del follow
        yield LogChunk(receipt.id, (), cursor, "the runner's file is gone", ended=True)

    ports.fake.logs = torn  # type: ignore[method-assign]  # half removed
    services.logs.collect(late)
    assert texts(services.logs.all(run)) == ["one"]


@pytest.mark.row("G2")
def test_a_scheduler_keeps_what_runs_under_way_have_written(
    made: tuple[Services, FakePorts],
) -> None:
    services, ports = made
    run, name = begun(services, ports, "one", "two")
    services.upkeep.reconcile_all()
    del ports.fake.attempts[name]  # by others, and its log with it
    services.upkeep.reconcile_all()
    reason = services.runs.get(run).reason
    assert reason is Reason.DELETED_EXTERNALLY
    why = "gap: what held the log was deleted by others"
    assert texts(services.logs.all(run)) == ["one", "two", why]


def test_a_log_that_cannot_be_kept_holds_up_no_other_and_is_said(
    made: tuple[Services, FakePorts], monkeypatch: pytest.MonkeyPatch
) -> None:
    services, ports = made
    first, _ = begun(services, ports, "one")
    second = services.runs.get(services.runs.start("daily")["id"]).id
    for _ in range(2):
        services.runs.dispatch(second)
    ports.fake.say(AttemptId(f"{second}-1"), "two")
    real = Archiving.collect

    def full(self: Archiving, run: Run, *args: Any, **more: Any) -> bool:
        if run.id == first:
            raise StoreFaultError("The log cannot be written: No space left.")
        return real(self, run, *args, **more)

    monkeypatch.setattr(Archiving, "collect", full)
    with pytest.raises(StoreFaultError, match="No space left"):
        services.upkeep.reconcile_all()
    assert [line.text for line in ports.logs.lines(second) if line.origin == "payload"] == ["two"]


def test_a_follower_goes_on_where_the_cluster_does_not_answer_for_a_moment(
    made: tuple[Services, FakePorts],
) -> None:
    services, ports = made
    run, name = begun(services, ports, "one")

    def wait(_: float) -> None:
        ports.clock.tick(1)
        ports.fake.say(name, "two")
        ports.fake.end(name)

    ports.fake.fail("logs", UnreachableError("cut off"))
    assert texts(services.logs.follow(run, wait=wait)) == ["one", "two"]


@pytest.mark.row("G3")
def test_a_file_that_is_not_written_to_its_end_is_not_there(tmp_path: Path) -> None:
    def torn() -> Iterator[bytes]:
        yield b"one\n"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outfile.save(tmp_path / "run.log", torn())
    assert list(tmp_path.iterdir()) == []
    saved = outfile.save(tmp_path / "run.log", [b"one\n", b"two"])
    assert (saved.lines, saved.bytes) == (2, 7)
    assert (tmp_path / "run.log").read_bytes() == b"one\ntwo"
    with pytest.raises(StoreFaultError, match="is there already, and it is not replaced"):
        outfile.save(tmp_path / "run.log", [b"other"])
    assert [path.name for path in tmp_path.iterdir()] == ["run.log"]
    assert (tmp_path / "run.log").read_bytes() == b"one\ntwo"
