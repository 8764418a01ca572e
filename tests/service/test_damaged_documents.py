"""What serves many passes over a document that cannot be read: mover, windows of lists, clock, teams."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from quarterdeck.model.errors import DamagedDocumentError, DeniedError
from quarterdeck.model.receipt import AttemptId
from quarterdeck.model.run import RunState
from quarterdeck.scheduler.loop import Loop, this_process
from quarterdeck.service.bundle import Services
from quarterdeck.service.windows import JobsShown, RunsShown
from quarterdeck.store.open import open_store
from tests.support.quarterdeck import job
from tests.support.services import FakePorts, workspace

NO_JSON = '"job_name";'


def world(folder: Path) -> tuple[Services, FakePorts]:
    services, ports = workspace(folder, on_disk=True)
    ports.fake.auto = False
    services.jobs.create([job("other")])
    return services, ports


def reopened(folder: Path, ports: FakePorts, known: str, old: str, new: str) -> Services:
    """Change bytes of the document with this id where it lies in the file, and open the store again."""
    ports.store.close()
    path = folder / "store" / "quarterdeck.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes()
    start = content.index(f'{{"id":"{known}"'.encode())
    place = content.index(old.encode(), start)
    assert len(old) == len(new)
    path.write_bytes(content[:place] + new.encode() + content[place + len(old) :])
    ports.store = open_store(folder / "store", ports.clock)
    return Services(ports, "ana")


@pytest.mark.row("F-38")
@pytest.mark.parametrize(
    ("old", "new"), [('"manual"', '"manuaL"'), ('"limits"', '"limitz"'), ('"job_name":', NO_JSON)]
)
def test_screens_move_on_and_show_what_they_can_read(tmp_path: Path, old: str, new: str) -> None:
    services, ports = world(tmp_path)
    first = services.runs.dispatch(services.runs.start("daily")["id"])["id"]
    second = services.runs.dispatch(services.runs.start("other")["id"])["id"]
    services = reopened(tmp_path, ports, first, old, new)
    ports.fake.end(AttemptId(f"{second}-1"))
    services.moving.turn()
    assert services.runs.get(second).state is RunState.SUCCEEDED
    assert services.moving.unfinished() == (1 if old == '"limits"' else 0)
    shown = {row["id"] for row in services.windows.runs(RunsShown())}
    assert shown == ({second} if new == NO_JSON else {first, second})
    assert services.windows.runs_by_id([first, second])[second] is not None
    assert len(services.windows.jobs(JobsShown())) == 2
    assert len(services.windows.preview("daily")) == (0 if new == NO_JSON else 1)
    third = services.runs.start("other")["id"]
    assert third > second
    ports.fake.fail("check", DeniedError("no", what="x"))
    assert (
        services.runs.dispatch(third)["id"] == third
    )  # whether others wait is asked for a refusal
    if old != '"limits"':
        assert f"runs/{first}" in services.context.passed_over


@pytest.mark.row("F-38")
def test_a_run_made_after_one_that_cannot_be_read_is_newer(tmp_path: Path) -> None:
    services, ports = world(tmp_path)
    newest = services.runs.start("daily")["id"]
    services = reopened(tmp_path, ports, newest, '"job_name":', NO_JSON)
    assert services.runs.start("other")["id"] > newest


@pytest.mark.row("F-38")
@pytest.mark.parametrize(("old", "new"), [('"mark":', '"marK":'), ('"mark":', '"mark";')])
def test_a_damaged_clock_stops_no_scheduler(tmp_path: Path, old: str, new: str) -> None:
    services, ports = world(tmp_path)
    services.clocks.notice()
    known = services.runs.start("other")["id"]
    services = reopened(tmp_path, ports, "wall", old, new)
    done = Loop(services, this_process(services), print, print).step()
    assert [one["run"] for one in done.reconciled] == [known]
    assert "clocks/wall" in services.context.passed_over


@pytest.mark.row("F-38")
def test_a_team_that_cannot_be_read_refuses_whoever_may_be_in_it(tmp_path: Path) -> None:
    services, ports = world(tmp_path)
    services.definitions.create("team", {"name": "more", "members": ["ben"]})
    more = services.definitions.show("team", "more")["id"]
    services = reopened(tmp_path, ports, more, '"revision":', '"revision";')
    assert services.runs.dispatch(services.runs.start("other")["id"])["state"] == "submitted"
    with pytest.raises(DamagedDocumentError, match=f"definitions/{more}"):
        Services(ports, "ben").context.actor()
