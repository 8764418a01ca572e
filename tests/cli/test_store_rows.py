"""The store through the command line: where it may lie, what a damaged one does, backup and restore."""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.quarterdeck import Quarterdeck, job, sql
from tests.support.stores import old_store


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Quarterdeck]:
    made = Quarterdeck(tmp_path)
    yield made
    made.end()


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.mark.row("P1", "H6")
def test_init_makes_a_workspace_that_can_run_at_once(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path, init=False)
    made = deck.ok("init")
    assert (made["team"], made["cluster"], made["cluster_status"]) == ("ana", "local", "active")
    assert deck.ok("cluster", "show", "local")["status"] == "active"
    assert [c["name"] for c in deck.ok("catalog", "list")] == ["main"]
    assert deck.ok("profile", "show", "small")["mode"] == "standalone"
    who = deck.ok("whoami")
    assert (who["actor"], who["teams"], who["org_admin"]) == ("ana", ["ana"], True)
    assert who["version"]
    before = tree(deck.store)
    again = deck.json("init")
    assert again.code == 5
    assert tree(deck.store).keys() == before.keys()
    checks = deck.ok("doctor")
    assert all(check["ok"] for check in checks["checks"]), checks
    names = " ".join(check["name"] for check in checks["checks"]).lower()
    for word in ("python", "engine", "store"):
        assert word in names


@pytest.mark.row("R4", "I54")
def test_what_is_no_store_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path, init=False)
    answer = deck.json("job", "list")
    assert answer.code == 6
    assert "quarterdeck init" in answer.error["advice"]
    assert not deck.store.exists()
    deck.store.write_text("no store")
    assert deck.json("job", "list").code == 6
    deck.store.unlink()
    deck.store.mkdir()
    (deck.store / "notes.txt").write_text("mine")
    assert deck.json("job", "list").code == 6
    assert deck.json("init").code == 5
    assert [path.name for path in deck.store.iterdir()] == ["notes.txt"]
    environ = {**deck.environ(), "QUARTERDECK_STORE": ""}
    done = subprocess.run(  # our own command
        deck.command("job", "list", "--json"), env=environ, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 6
    assert "QUARTERDECK_STORE" in done.stderr


@pytest.mark.row("R4")
def test_a_store_of_a_newer_version_is_refused(deck: Quarterdeck) -> None:
    import sqlite3

    database = deck.store / "quarterdeck.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    answer = deck.json("job", "list")
    assert answer.code == 6
    assert "99" in answer.error["message"] + answer.error["advice"]


@pytest.mark.row("R4", "F-39")
def test_an_older_store_is_migrated_and_its_backup_is_named(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path, init=False)
    old_store(deck.store)
    reading = deck.call("--read-only", "job", "list")
    assert (reading.code, reading.err) == (0, "")
    assert deck.ok("--read-only", "store", "stats")["format"] == 1
    assert not list(tmp_path.glob("store.before*"))
    first = deck.json("job", "list")
    assert sorted(one["name"] for one in first.document) == ["hello", "sales"]
    (kept,) = tmp_path.glob("store.before-format-2-*.backup")
    begun, done = first.err.splitlines()
    assert "migrated to format 2, behind a backup" in begun
    assert f"migrated to format 2; as it was before: {kept}" in done
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert deck.call("job", "list").err == ""
    assert deck.ok("store", "stats")["format"] == 2
    assert deck.ok("store", "verify") == {"ok": True, "findings": []}
    assert [one["text"] for one in deck.ok("logs", deck.ok("runs")[1]["id"])]
    assert deck.run("hello")["state"] == "succeeded"
    assert deck.ok("store", "verify")["ok"] is True


@pytest.mark.row("R5")
def test_rights_are_ours_alone_under_any_umask(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path, init=False)
    before = os.umask(0)
    try:
        deck.ok("init")
        deck.create("one")
        deck.run("one")
    finally:
        os.umask(before)
    for path in [deck.store, *deck.store.rglob("*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode & 0o077 == 0, (path, oct(mode))


@pytest.mark.row("R5")
def test_doctor_names_files_with_wider_rights(deck: Quarterdeck) -> None:
    (deck.store / "quarterdeck.db").chmod(0o644)
    answer = deck.json("doctor")
    assert "quarterdeck.db" in answer.out


@pytest.mark.row("H8", "I53")
def test_backup_and_restore(deck: Quarterdeck) -> None:
    deck.create("kept", source=sql("SELECT 7 AS v"))
    run = deck.run("kept")
    made = deck.ok("store", "backup", str(deck.folder / "backup"))
    file = Path(made["path"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert deck.json("store", "backup", str(file)).code == 5
    deck.create("later")
    answer = deck.json("store", "restore", str(file))
    assert answer.code == 2  # asks, and there is no terminal
    deck.ok("store", "restore", str(file), "--yes")
    assert [one["name"] for one in deck.ok("job", "list")] == ["kept"]
    shown = deck.ok("run-show", run["id"])
    assert shown["result"]["statements"][0]["rows"] == [[7]]
    assert deck.ok("logs", run["id"])
    assert deck.ok("store", "verify")["ok"] is True


@pytest.mark.row("I53", "H8")
def test_what_is_no_backup_leaves_the_store_alone(deck: Quarterdeck) -> None:
    deck.create("kept")
    made = Path(deck.ok("store", "backup", str(deck.folder / "backup"))["path"])
    torn = deck.folder / "torn"
    torn.write_bytes(made.read_bytes()[: made.stat().st_size // 2])
    changed = bytearray(made.read_bytes())
    changed[len(changed) // 2] ^= 0xFF
    (deck.folder / "changed").write_bytes(changed)
    (deck.folder / "text").write_text("no backup")
    before = (deck.store / "quarterdeck.db").read_bytes()
    for name in ("torn", "changed", "text", "none"):
        answer = deck.json("store", "restore", str(deck.folder / name), "--yes")
        assert answer.code == 2, (name, answer.err)
    assert (deck.store / "quarterdeck.db").read_bytes() == before
    assert [one["name"] for one in deck.ok("job", "list")] == ["kept"]


@pytest.mark.row("H8")
def test_a_damaged_store_is_named_and_never_looks_new(deck: Quarterdeck) -> None:
    deck.create("kept")
    database = deck.store / "quarterdeck.db"
    deck.ok("store", "stats")
    whole = database.read_bytes()
    damaged = bytearray(whole)
    for at in range(4096 * 2, len(damaged), 4096):
        damaged[at : at + 64] = b"\xaa" * 64
    for suffix in ("-wal", "-shm"):
        (deck.store / f"quarterdeck.db{suffix}").unlink(missing_ok=True)
    database.write_bytes(damaged)
    answer = deck.json("store", "verify")
    assert answer.code in (1, 6)
    assert answer.code == 6 or not answer.document["ok"]
    assert deck.json("job", "create", "-f", "-", text=json.dumps(job("x"))).code == 6
    database.write_bytes(whole[: len(whole) // 3])
    assert deck.json("job", "list").code == 6
    database.unlink()
    assert deck.json("job", "list").code == 6
    assert not database.exists()


@pytest.mark.row("R4")
def test_links_out_of_the_folder_are_not_followed(deck: Quarterdeck) -> None:
    outside = deck.folder / "outside"
    outside.mkdir()
    shutil.rmtree(deck.store / "artifacts")
    (deck.store / "artifacts").symlink_to(outside)
    answer = deck.json("job", "list")
    deck.json("run", "one")
    assert answer.code == 6 or not any(outside.iterdir())


@pytest.mark.row("D4", "R1")
def test_every_change_is_in_the_audit_trail(deck: Quarterdeck) -> None:
    deck.create("seen")
    for n in (2, 3, 4):
        deck.edit("seen", {"spec": job("seen", source=sql(f"SELECT {n}"))["spec"]})
    deck.ok("job", "publish", "seen")
    deck.ok("job", "activate", "seen", "1", "--yes")
    records = deck.ok("audit", "--subject", "job/seen")
    actions = [record["action"] for record in records]
    assert actions == ["job.activate", "job.publish", "draft.save", "job.create"]
    assert all(record["actor"] == "ana" for record in records)
    assert records[2]["times"] == 3
    assert deck.ok("store", "verify") == {"ok": True, "findings": []}


@pytest.mark.row("Q4")
def test_read_only_writes_nothing(deck: Quarterdeck) -> None:
    deck.create("one")
    before = deck.ok("store", "stats")["changes"]
    for args in (
        ("run", "one"),
        ("job", "publish", "one"),
        ("job", "delete", "one", "--yes"),
        ("scheduler", "--once"),
        ("cluster", "check", "local"),
    ):
        answer = deck.json("--read-only", *args)
        assert (answer.code, answer.error["code"]) == (3, "denied"), (args, answer.err)
        assert "--read-only" in answer.error["rule"]
    assert deck.ok("--read-only", "job", "list")[0]["name"] == "one"
    assert deck.ok("store", "stats")["changes"] == before
