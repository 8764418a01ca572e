"""Damage and loss through the command line: named, never believed, and nothing is written over it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.quarterdeck import Answer, Quarterdeck, job, python, sql
from tests.support.terminal import typed
from tests.support.wal import flip

# Makes jobs one by one in a process that is then killed: what it said is in the write-ahead log alone.
KILLED = """
import os, signal, sys
from pathlib import Path
from quarterdeck import config, wiring
from quarterdeck.service.bundle import Services
services = wiring.open_services(config.load({}, os.environ))
for number in range(int(sys.argv[1])):
    document = {"name": f"new-{number}", "spec": {
        "source": {"kind": "snapshot", "text": f"SELECT {number}"}, "profile": "small", "cluster": "local",
        "catalogs": ["main"]}}
    services.jobs.create([document])
    print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Quarterdeck]:
    made = Quarterdeck(tmp_path)
    yield made
    made.end()


def database(deck: Quarterdeck) -> Path:
    return deck.store / "quarterdeck.db"


def log(deck: Quarterdeck) -> Path:
    return deck.store / "quarterdeck.db-wal"


def changed(deck: Quarterdeck, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(database(deck))) as connection, connection:
        assert connection.execute(statement, values).rowcount == 1


def acknowledged_and_killed(deck: Quarterdeck, count: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(count)], env=deck.environ(), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(done.stdout.split()) == count


def changes(deck: Quarterdeck) -> int:
    return int(deck.ok("store", "stats")["changes"])


def findings(answer: Answer) -> dict[str, str]:
    assert answer.code == 1, answer.err
    assert answer.document["ok"] is False
    return {one["where"]: one["what"] for one in answer.document["findings"]}


def is_named(deck: Quarterdeck, *words: str) -> None:
    """Look that the damage is said by every command, that writing is refused with it, and reading is not."""
    for args in (
        ("job", "list"),
        ("runs",),
        ("whoami",),
        ("store", "stats"),
        ("workspace", "show"),
    ):
        answer = deck.call(*args)
        assert answer.code == 0, answer.err
        assert "the store is damaged, open for reading only" in answer.err
        assert "quarterdeck store repair" in answer.err
        for word in words:
            assert word in answer.err, (args, answer.err)
    answer = deck.json("job", "create", "-f", "-", text=json.dumps(job("refused")))
    assert (answer.code, answer.error["code"]) == (6, "prerequisite")
    for word in words:
        assert word in answer.error["message"]
    assert "quarterdeck store repair" in answer.error["advice"]
    assert findings(deck.json("store", "verify"))["database"]
    check = next(one for one in deck.json("doctor").document["checks"] if one["name"] == "store")
    assert check["ok"] is False


# --- a document


@pytest.mark.row("F-38", "F14", "R1")
def test_a_byte_changed_in_a_versions_text_is_named_and_not_run(deck: Quarterdeck) -> None:
    made = deck.create("daily", source=sql("SELECT 1 AS v"))
    deck.run("daily")
    version = f"versions/{made['id']}/000000001"
    changed(deck, "UPDATE t_versions SET body = replace(body, 'SELECT 1', 'SELECT 2')")
    what = findings(deck.json("store", "verify"))[version]
    found, written = what.split("its SHA-256 is ")[1].split(", it was written with ")
    assert (len(found), len(written)) == (64, 64)
    run = deck.run("daily")
    assert (run["state"], run["reason"]) == ("rejected", "config_error")
    (problem,) = run["problems"]
    assert (problem["path"], problem["message"]) == (version, what)
    assert any(version in line and found in line and written in line for line in run["evidence"])
    shown = deck.call("run", "daily", "--wait")
    assert shown.code == 1
    assert version in shown.out
    assert deck.json("run", "daily").code == 0  # the run is there, and rejected
    for args in (("job", "reset", "daily"), ("job", "edit", "daily", "-f", "-")):
        text = json.dumps({"spec": job("daily", source=sql("SELECT 3"))["spec"]})
        answer = deck.json(*args, text=text)
        assert answer.code in (4, 6), answer.err  # nothing is made of it
    assert deck.ok("runs", "--job", "daily")[-1]["state"] == "succeeded"


@pytest.mark.row("F-38", "F14")
@pytest.mark.parametrize(
    ("table", "where", "old", "new"),
    [
        ("definitions", "f_kind = 'profile'", '"mode":"standalone"', '"mode":"standalonf"'),
        ("definitions", "f_kind = 'cluster'", '"kind":"local"', '"kind":"local" '),
        ("definitions", "f_kind = 'query'", "SELECT 5", "SELECT 6"),
        ("definitions", "f_kind = 'team'", '"members"', '"membert"'),
        ("workspace", "1", '"name":"ana"', '"name":"anb"'),
    ],
)
def test_whatever_a_run_takes_is_held_against_its_hash(
    deck: Quarterdeck, table: str, where: str, old: str, new: str
) -> None:
    query = {"id": "five", "name": "Five", "team": "ana", "text": "SELECT 5 AS v"}
    deck.ok("query", "create", "-f", "-", text=json.dumps(query))
    deck.create("daily", source={"kind": "saved_query", "query_id": "five"})
    statement = f"UPDATE t_{table} SET body = replace(body, ?, ?) WHERE {where}"  # noqa: S608
    changed(deck, statement, old, new)
    (place,) = findings(deck.json("store", "verify"))
    assert place.startswith(f"{table}/")
    answer = deck.json("run", "daily", "--wait")
    if answer.code == 1:
        run = answer.document
        assert (run["state"], run["reason"]) == ("rejected", "config_error")
        assert run["problems"][0]["path"] == place
    else:  # who is in no team that can be read has nothing to run
        assert answer.code == 6, answer.err
        assert place in answer.error["message"]


@pytest.mark.row("F-38", "B13")
def test_a_frozen_spec_that_was_changed_is_not_run_again(deck: Quarterdeck) -> None:
    deck.create("daily")
    run = deck.run("daily")
    deck.run("daily")
    changed(deck, "UPDATE t_frozen SET body = replace(body, 'SELECT 1', 'SELECT 2')")
    place = f"frozen/{run['frozen']['sha256']}"
    assert place in findings(deck.json("store", "verify"))
    answer = deck.json("rerun", run["id"], "--exact")
    assert answer.code == 6
    assert place in answer.error["message"]
    shown = deck.ok("run-show", run["id"])
    assert shown["frozen"] is None
    assert any(place in note for note in shown["notes"])
    again = deck.run("daily")  # the next dispatch freezes the same: it is not taken from there
    assert (again["state"], again["reason"]) == ("rejected", "config_error")


@pytest.mark.row("F-38", "F3")
def test_a_retry_is_told_though_what_is_kept_of_the_run_was_changed(deck: Quarterdeck) -> None:
    deck.create("two", source=sql("SELECT 1 AS v; SELECT nope"))
    run = deck.run("two")
    changed(deck, "UPDATE t_frozen SET body = replace(body, 'SELECT 1', 'SELECT 2')")
    for kept in (deck.store / "artifacts").glob("*/*"):
        kept.write_bytes(b"no result")
    made = deck.ok("retry", run["id"])
    assert made["retry_of"] == run["id"]
    assert made["will_run_again"] == [{"number": 1, "head": ""}]


@pytest.mark.row("F-38", "B13", "F14")
def test_a_file_that_was_changed_is_not_run(deck: Quarterdeck) -> None:
    deck.create("hello", source=python("print('hello')\n"))
    run = deck.run("hello")
    sha256 = run["frozen"]["source"]["sha256"]
    kept = deck.store / "artifacts" / sha256[:2] / sha256
    kept.write_text("print('HELLO')\n")
    place = f"artifacts/{sha256[:2]}/{sha256}"
    assert place in findings(deck.json("store", "verify"))
    again = deck.json("rerun", run["id"], "--exact", "--wait").document
    assert (again["state"], again["reason"]) == ("rejected", "config_error")
    assert again["problems"][0]["path"] == place
    assert sha256 in again["problems"][0]["message"]
    kept.unlink()
    assert place in findings(deck.json("store", "verify"))
    assert deck.json("rerun", run["id"], "--exact").code == 6


@pytest.mark.row("F-38")
def test_a_result_that_was_changed_is_not_shown(deck: Quarterdeck) -> None:
    deck.create("seven", source=sql("SELECT 7 AS v"))
    run = deck.run("seven")
    (kept,) = (path for path in (deck.store / "artifacts").rglob("*") if path.is_file())
    kept.write_text(kept.read_text().replace("[[7]]", "[[8]]"))
    shown = deck.ok("run-show", run["id"])
    assert shown["result"] is None
    assert any(kept.name in note for note in shown["notes"])
    kept.unlink()
    assert deck.ok("run-show", run["id"])["result"] is None
    place = f"artifacts/{kept.parent.name}/{kept.name}"
    assert f"run {run['id']}" in findings(deck.json("store", "verify"))[place]


@pytest.mark.row("F-38")
def test_a_damaged_run_holds_up_no_other(deck: Quarterdeck) -> None:
    deck.create("slow", source=python("import time\ntime.sleep(60)\n"))
    first = deck.ok("run", "slow")["id"]
    deck.until(first, "running")
    second = deck.ok("run", "slow")["id"]
    deck.until(second, "running")
    changed(deck, "UPDATE t_runs SET body = body || ' ' WHERE id = ?", first)
    rows = {row["id"]: row for row in deck.ok("runs")}
    assert set(rows) == {first, second}
    answer = deck.json("cancel", first)
    assert (answer.code, answer.error["document"]) == (6, f"runs/{first}")
    assert deck.ok("cancel", second, "--wait")["state"] == "cancelled"
    assert deck.json("scheduler", "--once").code == 0


# --- the database


@pytest.mark.row("F-38", "R1")
def test_a_write_ahead_log_that_was_deleted_is_noticed(deck: Quarterdeck) -> None:
    deck.create("kept")
    before = changes(deck)
    acknowledged_and_killed(deck, 15)
    shutil.copytree(deck.store, deck.folder / "whole")
    log(deck).unlink()
    whole = Quarterdeck(deck.folder, init=False)
    whole.store = deck.folder / "whole"
    after = changes(whole)
    is_named(deck, str(before), str(after), f"the last {after - before} are missing")
    assert [one["name"] for one in deck.ok("job", "list")] == ["kept"]


@pytest.mark.row("F-38", "R1")
def test_a_bit_flipped_in_the_write_ahead_log_is_noticed(deck: Quarterdeck) -> None:
    deck.create("kept")
    acknowledged_and_killed(deck, 15)
    flip(log(deck), log(deck).stat().st_size // 2, 3)
    is_named(deck, "were acknowledged", "are missing")
    assert 1 < len(deck.ok("job", "list")) < 16


@pytest.mark.row("F-38")
def test_an_older_database_beside_newer_logs_is_noticed(deck: Quarterdeck) -> None:
    deck.create("kept")
    shutil.copyfile(database(deck), deck.folder / "older.db")
    older = changes(deck)
    deck.run("kept")
    newer = changes(deck)
    shutil.copyfile(deck.folder / "older.db", database(deck))
    is_named(deck, str(older), str(newer))
    assert deck.ok("runs") == []
    # with its own head it is a whole store of that time, but the logs beside it tell of more
    head = deck.store / "head"
    head.unlink()
    is_named(deck, "head", "removed")


@pytest.mark.row("F-38", "H8")
@pytest.mark.parametrize("what", ["empty", "zeros", "header", "other", "missing"])
def test_a_damaged_store_never_looks_like_a_new_one(deck: Quarterdeck, what: str) -> None:
    deck.create("kept")
    whole = database(deck).read_bytes()
    if what == "empty":
        database(deck).write_bytes(b"")
    elif what == "zeros":
        database(deck).write_bytes(bytes(len(whole)))
    elif what == "header":
        database(deck).write_bytes(os.urandom(100) + whole[100:])
    elif what == "other":
        database(deck).unlink()
        with closing(sqlite3.connect(database(deck))) as connection, connection:
            connection.execute("CREATE TABLE notes (text)")
    else:
        database(deck).unlink()
    before = {path: path.read_bytes() for path in deck.store.rglob("*") if path.is_file()}
    for args in (("job", "list"), ("store", "verify"), ("runs",)):
        answer = deck.json(*args)
        assert (answer.code, answer.error["code"]) == (6, "prerequisite")
        assert "quarterdeck init" not in answer.error["advice"] or what == "other"
    assert deck.json("init").code == 5
    after = {path: path.read_bytes() for path in deck.store.rglob("*") if path.is_file()}
    assert after == before


# --- logs


@pytest.mark.row("F-38")
@pytest.mark.parametrize("how", ["emptied", "deleted", "folder", "cut", "flipped", "index"])
def test_a_log_that_lost_lines_is_noticed_and_the_gap_is_shown(
    deck: Quarterdeck, how: str
) -> None:
    deck.create("talk", source=python("for n in range(40):\n    print(f'line {n}')\n"))
    run = deck.run("talk")
    lines = [line["text"] for line in deck.ok("logs", run["id"])]
    assert "line 39" in lines
    folder = deck.store / "logs" / run["id"]
    kept = folder / "lines"
    if how == "emptied":
        kept.write_bytes(b"")
    elif how == "deleted":
        kept.unlink()
    elif how == "folder":
        shutil.rmtree(folder)
    elif how == "cut":
        os.truncate(kept, kept.stat().st_size // 2)
    elif how == "flipped":
        flip(kept, kept.read_bytes().index(b"line 20") + 5)
    else:
        (folder / "hidden").write_bytes(b"")
    what = findings(deck.json("store", "verify"))[f"logs/{run['id']}"]
    assert str(len(kept_lines(deck, run))) in what or "SHA-256" in what
    shown: list[dict[str, Any]] = deck.ok("logs", run["id"])
    if how in ("emptied", "deleted", "folder", "cut"):
        (gap,) = (one["gap"] for one in shown if "gap" in one)
        assert "missing" in gap["why"]
        assert len(shown) - 1 < len(lines)
    assert deck.call("logs", run["id"]).code == 0


def kept_lines(deck: Quarterdeck, run: dict[str, Any]) -> range:
    """Return as many as there were lines in the log when it was archived."""
    with closing(sqlite3.connect(database(deck))) as connection:
        (body,) = connection.execute(
            "SELECT body FROM t_runs WHERE id = ?", (run["id"],)
        ).fetchone()
    return range(json.loads(body)["log"]["lines"])


# --- repair and restore


@pytest.mark.row("H8", "F-38")
def test_a_repair_asks_keeps_what_can_be_read_and_says_what_cannot(deck: Quarterdeck) -> None:
    deck.create("first")
    deck.create("second", source=sql("SELECT 2 AS v"))
    assert deck.ok("store", "repair") == {
        "path": str(deck.store), "needed": False, "findings": [],
    }  # fmt: skip
    sql_ = "UPDATE t_versions SET body = replace(body, ?, 'SELECT 3') WHERE instr(body, ?)"
    changed(deck, sql_, "SELECT 2", "SELECT 2")
    acknowledged_and_killed(deck, 3)
    flip(log(deck), log(deck).stat().st_size // 2, 3)
    is_named(deck, "were acknowledged")
    before = sorted(path.name for path in deck.folder.iterdir())

    asked = deck.json("store", "repair")
    assert (asked.code, asked.error["fields"][0]["path"]) == (2, "yes")
    for how in ("--yes", "--dry-run"):
        assert deck.json("--read-only", "store", "repair", how).code == 3
    look = deck.ok("store", "repair", "--dry-run")
    assert (look["dry_run"], look["copy"], look["missing_changes"]) == (True, None, 0)
    assert sorted(path.name for path in deck.folder.iterdir()) == before
    is_named(deck, "were acknowledged")

    done = deck.ok("store", "repair", "--yes")
    assert done["lost"] == look["lost"] == []
    (doubtful,) = done["changed"]
    assert doubtful["name"] == "version 1 of second"
    assert Path(done["copy"]).is_dir()
    assert done["head"]["change"] > done["acknowledged"]
    assert deck.ok("store", "verify") == {"ok": True, "findings": []}
    names = {one["name"] for one in deck.ok("job", "list")}
    assert names == {"first", "second", "new-0", "new-1", "new-2"}
    assert deck.run("new-2")["state"] == "succeeded"
    assert [one["action"] for one in deck.ok("audit")][:2] == ["run.start", "store.repair"]

    run = deck.run("second")  # nobody looked at its text yet
    assert (run["state"], run["reason"]) == ("rejected", "config_error")
    assert "though it was changed" in run["problems"][0]["message"]
    deck.edit("second", {"spec": job("second", source=sql("SELECT 2 AS v"))["spec"]})
    deck.ok("job", "publish", "second")
    assert deck.run("second")["state"] == "succeeded"
    kept = deck.call("--store", done["copy"], "--read-only", "job", "list")
    assert (kept.code, "second" in kept.out) == (0, True)


@pytest.mark.row("H8")
def test_a_repair_is_refused_when_more_is_damaged_than_was_shown(deck: Quarterdeck) -> None:
    for name in ("first", "second"):
        deck.create(name, source=sql(f"SELECT '{name}'"))
    sql_ = "UPDATE t_versions SET body = replace(body, ?, 'SELECT 3') WHERE instr(body, ?)"
    changed(deck, sql_, "SELECT 'first'", "SELECT 'first'")

    def meanwhile() -> None:
        changed(deck, sql_, "SELECT 'second'", "SELECT 'second'")

    code, shown = typed(deck, "quarterdeck store repair", meanwhile=meanwhile)
    assert (code, "damaged further than was shown" in " ".join(shown.split())) == (5, True)
    assert not list(deck.folder.glob("store.before-repair*"))
    assert len(deck.json("store", "verify").document["findings"]) > 1
    code, shown = typed(deck, "quarterdeck store repair", meanwhile=lambda: None)
    assert code == 0, shown
    assert deck.ok("store", "verify")["ok"] is True


@pytest.mark.row("H8")
def test_a_repair_says_in_words_what_it_did(deck: Quarterdeck) -> None:
    deck.create("first")
    acknowledged_and_killed(deck, 2)
    log(deck).unlink()
    look = deck.call("store", "repair", "--dry-run")
    assert "acknowledged changes" in look.out
    assert "nothing was changed" in look.out
    done = deck.call("store", "repair", "--yes")
    assert done.code == 0, done.err
    assert "The old files lie in" in done.out
    assert "a new head begins at change" in done.out
    assert "nothing to repair" in deck.call("store", "repair").out


@pytest.mark.row("H8", "R4")
def test_a_repair_refuses_what_it_cannot_read(deck: Quarterdeck) -> None:
    deck.create("first")
    whole = database(deck).read_bytes()
    for content in (b"", bytes(len(whole))):
        database(deck).write_bytes(content)
        answer = deck.json("store", "repair", "--yes")
        assert answer.code == 6
        assert "quarterdeck store restore" in answer.error["advice"]
        assert database(deck).read_bytes() == content
    database(deck).write_bytes(whole)
    assert deck.ok("store", "verify")["ok"] is True
    changed(deck, "UPDATE meta SET value = 'x' WHERE name = 'schema'")
    with closing(sqlite3.connect(database(deck))) as connection:
        connection.execute("PRAGMA user_version = 99")
    answer = deck.json("store", "repair", "--yes")
    assert answer.code == 6
    assert "newer version" in answer.error["message"]


@pytest.mark.row("H8", "F-38")
def test_a_run_that_waited_in_a_backup_is_not_started_again(deck: Quarterdeck) -> None:
    deck.create("slow", source=python("import time\ntime.sleep(60)\n"), limits=ONE)
    going = deck.ok("run", "slow")["id"]
    deck.until(going, "running")
    waiting = deck.ok("run", "slow")["id"]
    assert deck.ok("run-show", waiting)["state"] == "queued"
    file = deck.ok("store", "backup", str(deck.folder / "backup"))
    assert file["findings"] == []
    deck.ok("cancel", going, "--wait")
    deck.until(waiting, "running")
    deck.ok("cancel", waiting, "--wait")
    done = deck.ok("store", "restore", file["path"], "--yes")
    assert done["runs_ended"] == [waiting]
    assert done["head"]["change"] > 0
    shown = deck.ok("run-show", waiting)
    assert (shown["state"], shown["reason"]) == ("lost", "lost")
    assert "restored from a backup" in shown["evidence"][0]
    assert deck.ok("store", "verify")["ok"] is True


@pytest.mark.row("H8", "I53")
def test_a_backup_of_a_damaged_store_says_so_and_can_be_put_back(deck: Quarterdeck) -> None:
    deck.create("first")
    changed(deck, "UPDATE t_versions SET body = replace(body, 'SELECT 1', 'SELECT 2')")
    made = deck.json("store", "backup", str(deck.folder / "backup"))
    assert made.code == 0
    (finding,) = made.document["findings"]
    assert finding["where"].startswith("versions/")
    assert finding["where"] in made.err
    done = deck.json("store", "restore", str(deck.folder / "backup"), "--yes")
    assert done.code == 0, done.err
    assert done.document["findings"] == [finding]
    assert finding["where"] in done.err


ONE: dict[str, Any] = {"max_concurrent_runs": 1}


@pytest.mark.row("H8")
def test_a_restore_that_was_cut_off_does_not_look_like_no_store(deck: Quarterdeck) -> None:
    deck.create("first")
    deck.ok("store", "backup", str(deck.folder / "backup"))
    kept = deck.store.rename(deck.folder / "store.before-restore-20261130T000000000000Z")
    (deck.folder / ".store.restore-1234").mkdir()
    for args in (("job", "list"), ("init",)):
        answer = deck.json(*args)
        assert answer.code == 6
        assert "a restore was cut off" in answer.error["message"]
        assert str(kept) in answer.error["advice"]
    deck.ok("store", "restore", str(deck.folder / "backup"), "--yes")
    assert [one["name"] for one in deck.ok("job", "list")] == ["first"]
