"""A document that cannot be read any more harms what depends on it, is named, and holds up nobody else."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.quarterdeck import Answer, Quarterdeck, python

SLOW = python("import time\ntime.sleep(60)\n")
ONE: dict[str, Any] = {"max_concurrent_runs": 1}
# One byte each, as many as before: what is JSON still, what is none, and what is not even text.
LETTER = (b'"trigger":"manual"', b'"trigger":"manuaL"')
KEY = (b'"limits":', b'"limitz":')
NO_JSON = (b'"job_name":', b'"job_name";')
NO_TEXT = (b'"job_name":"', b'"job_name":\xff')

QUEUED = """
import os, sys
from quarterdeck import config, wiring
from quarterdeck.service.bundle import Services
services = wiring.open_services(config.load({}, os.environ))
print(services.runs.start(sys.argv[1])["id"])
"""


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Quarterdeck]:
    made = Quarterdeck(tmp_path)
    yield made
    made.end()


def spoilt(deck: Quarterdeck, table: str, known: str, change: tuple[bytes, bytes]) -> str:
    """Change bytes of one document where it lies in the file; returns table/id."""
    path, (old, new) = deck.store / "quarterdeck.db", change
    assert len(old) == len(new)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sql = f"SELECT body FROM t_{table} WHERE id = ?"  # noqa: S608  # a table of ours
        (body,) = connection.execute(sql, (known,)).fetchone()
    whole, content = body.encode(), path.read_bytes()
    assert old in whole
    assert content.count(whole) == 1
    path.write_bytes(content.replace(whole, whole.replace(old, new, 1)))
    return f"{table}/{known}"


def queued(deck: Quarterdeck, job: str) -> str:
    """Make a run that nobody has looked at yet; returns its id."""
    done = subprocess.run(
        [sys.executable, "-c", QUEUED, job], env=deck.environ(), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def is_refused(answer: Answer, document: str) -> None:
    assert (answer.code, answer.error["document"]) == (6, document), answer.err
    assert "its SHA-256 is" in answer.error["message"]


def others_go_on(deck: Quarterdeck, job: str, document: str, *, is_looked_at: bool = True) -> None:
    """Look that another job is run, that the scheduler makes its round and the lists are shown."""
    assert deck.run(job)["state"] == "succeeded"
    for args in (("scheduler", "--once"), ("runs",), ("job", "list"), ("whoami",)):
        answer = deck.json(*args)
        assert answer.code == 0, (args, answer.err)
        if args[0] == "scheduler" and is_looked_at:
            assert f"passed over: {document} was changed" in answer.err.replace("\n", " ")


@pytest.mark.row("F-38")
@pytest.mark.parametrize("change", [LETTER, NO_JSON, NO_TEXT], ids=["letter", "json", "text"])
def test_an_open_run_that_cannot_be_read_holds_up_no_other(
    deck: Quarterdeck, change: tuple[bytes, bytes]
) -> None:
    deck.create("slow", source=SLOW)
    deck.create("fast")
    first = deck.ok("run", "slow")["id"]
    deck.until(first, "running")
    second = deck.ok("run", "slow")["id"]
    deck.until(second, "running")
    document = spoilt(deck, "runs", first, change)
    others_go_on(deck, "fast", document)
    listed = deck.json("runs")
    assert second in {row["id"] for row in listed.document}
    assert f"passed over: {document} was changed" in listed.err.replace("\n", " ")
    for args in (("run-show", first), ("cancel", first)):
        is_refused(deck.json(*args), document)
    assert deck.ok("cancel", second, "--wait")["state"] == "cancelled"
    assert document in {one["where"] for one in deck.json("store", "verify").document["findings"]}


@pytest.mark.row("F-38")
@pytest.mark.parametrize("change", [KEY, LETTER, NO_JSON], ids=["key", "letter", "json"])
def test_a_queued_run_that_cannot_be_read_does_not_stop_the_line(
    deck: Quarterdeck, change: tuple[bytes, bytes]
) -> None:
    deck.create("slow", source=SLOW, limits=ONE)
    deck.create("fast")
    going = deck.ok("run", "slow")["id"]
    deck.until(going, "running")
    waiting, behind = deck.ok("run", "slow")["id"], deck.ok("run", "slow")["id"]
    document = spoilt(deck, "runs", waiting, change)
    others_go_on(deck, "fast", document)
    deck.ok("cancel", going, "--wait")
    deck.until(behind, "running")  # who comes next in the line has the place
    shown = deck.json("run-show", waiting)
    if change is KEY:
        assert (shown.code, shown.document["state"]) == (0, "queued")
        assert any(document in note for note in shown.document["notes"])
    else:
        is_refused(shown, document)
    assert deck.ok("cancel", behind, "--wait")["state"] == "cancelled"


@pytest.mark.row("F-38")
def test_a_running_run_that_lost_a_key_keeps_its_place(deck: Quarterdeck) -> None:
    deck.create("slow", source=SLOW, limits=ONE)
    deck.create("fast")
    going = deck.ok("run", "slow")["id"]
    deck.until(going, "running")
    spoilt(deck, "runs", going, KEY)
    assert deck.run("fast")["state"] == "succeeded"
    waiting = deck.ok("run", "slow")
    assert waiting["state"] == "queued"
    assert waiting["waiting_for"]["what"] == "1 of 1 runs of the job"


@pytest.mark.row("F-38")
@pytest.mark.parametrize(
    "change",
    [(b'"revision":', b'"revizion":'), (b'"revision":', b'"revision";'), (b"local", b"locaL")],
    ids=["key", "json", "hash"],
)
def test_a_damaged_cluster_holds_up_no_run_of_another(
    deck: Quarterdeck, change: tuple[bytes, bytes]
) -> None:
    made = deck.ok(
        "cluster", "create", "-f", "-", text=json.dumps({"name": "second", "kind": "local"})
    )
    deck.ok("cluster", "check", "second")
    deck.create("far", source=SLOW, cluster="second")
    deck.create("soon", source=python("import time\ntime.sleep(3)\n"))
    deck.create("fast")
    far = deck.ok("run", "far")["id"]
    deck.until(far, "running")
    soon = deck.ok("run", "soon")["id"]
    document = spoilt(deck, "definitions", made["id"], change)
    others_go_on(deck, "fast", document)
    rows = {row["id"]: row for row in deck.ok("runs")}
    while rows[soon]["state"] not in ("succeeded", "failed"):  # all are looked at together
        rows = {row["id"]: row for row in deck.ok("runs")}
    assert rows[soon]["state"] == "succeeded"
    assert rows[far]["state"] == "running"  # nothing is known of it, so nothing is said
    assert document in json.dumps(deck.ok("run-show", far))
    assert "local" in {one["name"] for one in deck.ok("cluster", "list")}
    doctor = deck.json("doctor")
    assert [one["name"] for one in doctor.document["checks"] if not one["ok"]] == ["store"]
    for args in (("run", "far"), ("cancel", far)):
        answer = deck.json(*args)
        assert document in answer.out + answer.err, answer
        assert "its SHA-256 is" in answer.out + answer.err


@pytest.mark.row("F-38", "F14")
@pytest.mark.parametrize("what", ["version", "profile", "cluster"])
@pytest.mark.parametrize("broken", ["key", "json"])
def test_a_run_that_takes_what_cannot_be_read_is_rejected_and_names_it(
    deck: Quarterdeck, what: str, broken: str
) -> None:
    second = json.dumps({"name": "second", "kind": "local"})
    cluster = deck.ok("cluster", "create", "-f", "-", text=second)
    deck.ok("cluster", "check", "second")
    other = json.dumps({"name": "other", "mode": "standalone", "driver": {"disk_gib": 5}})
    profile = deck.ok("profile", "create", "-f", "-", text=other)
    job = deck.create("daily", cluster="second", profile="other")
    deck.create("fast")
    waiting = queued(deck, "daily")
    table, known, name = {
        "version": ("versions", f"{job['id']}/000000001", b'"spec":'),
        "profile": ("definitions", profile["id"], b'"revision":'),
        "cluster": ("definitions", cluster["id"], b'"revision":'),
    }[what]
    new = name.replace(b":", b";") if broken == "json" else name[:-3] + b'_":'
    document = spoilt(deck, table, known, (name, new))
    others_go_on(deck, "fast", document, is_looked_at=False)
    shown = deck.until(waiting)
    assert (shown["state"], shown["reason"]) == ("rejected", "config_error")
    (problem,) = shown["problems"]
    assert problem["path"] == document
    assert "its SHA-256 is" in problem["message"]
    assert "it was written with" in problem["message"]


@pytest.mark.row("H8", "F-38")
def test_a_store_with_a_run_that_cannot_be_read_is_backed_up(deck: Quarterdeck) -> None:
    deck.create("first")
    run = deck.run("first")["id"]
    place = spoilt(deck, "runs", run, (b'"state":', b'"state";'))
    made = deck.json("store", "backup", str(deck.folder / "backup"))
    assert made.code == 0, made.err
    assert place in [one["where"] for one in made.document["findings"]]
    with zipfile.ZipFile(deck.folder / "backup") as archive:
        assert any(name.startswith(f"logs/{run}/") for name in archive.namelist())
