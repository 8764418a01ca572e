"""A backup is whole while others write; restoring one is refused whole or done whole."""

from __future__ import annotations

import json
import os
import stat
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.model.errors import (
    ConflictError,
    InvalidInputError,
    PrerequisiteError,
    QuarterdeckError,
    StoreFaultError,
    StoreRefusedError,
)
from quarterdeck.model.ids import Rev
from quarterdeck.store import guard
from quarterdeck.store.documents import DocumentStore
from quarterdeck.store.memory import MemoryBackend
from quarterdeck.store.open import create_store, open_store
from quarterdeck.store.restore import restore
from tests.support.stores import START, Clock, a_job, a_version, contents


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path, clock: Clock) -> Path:
    """Return the folder of a store with a job, an artifact and a log."""
    store = create_store(tmp_path / "store", clock)
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(), seen=None)
        tx.versions.put(a_version(a_job()), seen=None)
        tx.audit.append("create", "job/j1", after=a_job())
    store.artifact_put(b"artifact")
    (tmp_path / "store" / "logs" / "r1").mkdir(mode=0o700)
    (tmp_path / "store" / "logs" / "r1" / "lines").write_bytes(b"line\n")
    (tmp_path / "store" / "work" / "left").write_bytes(b"not kept")
    store.close()
    return tmp_path / "store"


def backed_up(folder: Path, clock: Clock) -> Path:
    store = open_store(folder, clock)
    target = folder.with_name("backup.zip")
    done = store.backup(str(target))
    store.close()
    assert done["path"] == str(target)
    assert done["bytes"] == target.stat().st_size
    assert done["documents"]["jobs"] == 1
    return target


def test_a_backup_comes_back_whole(folder: Path, tmp_path: Path, clock: Clock) -> None:
    before = os.umask(0)
    file = backed_up(folder, clock)
    done = restore(tmp_path / "other" / "place", file, clock)
    os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert done["kept"] is None
    assert done["documents"]["jobs"] == 1
    store = open_store(tmp_path / "other" / "place", clock)
    assert store.verify() == []
    assert store.jobs.get("j1").value == a_job()
    assert store.audit.page()[0].action == "create"
    assert (Path(store.folder) / "logs" / "r1" / "lines").read_bytes() == b"line\n"
    assert not (Path(store.folder) / "work" / "left").exists()
    assert guard.wide_files(Path(store.folder)) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.zip", "other", "store"]
    store.close()


def test_a_backup_replaces_nothing(folder: Path, tmp_path: Path, clock: Clock) -> None:
    store = open_store(folder, clock)
    target = tmp_path / "taken"
    target.write_bytes(b"mine")
    with pytest.raises(ConflictError, match="there already"):
        store.backup(str(target))
    with pytest.raises(StoreFaultError, match="could not be written"):
        store.backup(str(tmp_path / "no folder" / "backup"))
    assert target.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store", "taken"]
    store.close()


def test_a_store_in_memory_has_no_backup(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(PrerequisiteError, match="in memory"):
        DocumentStore(MemoryBackend(), tmp_path, clock).backup(str(tmp_path / "file"))


def test_a_backup_in_use_is_consistent(folder: Path, tmp_path: Path, clock: Clock) -> None:
    """Each transaction writes a job and its record; no copy may hold one without the other."""
    store, stop = open_store(folder, clock), threading.Event()

    def write() -> None:
        rev = Rev(1)
        while not stop.is_set():
            with store.transaction("ann") as tx:
                rev = tx.jobs.put(replace(a_job(), description=f"{rev + 1}"), seen=rev)
                tx.audit.append("edit", "job/j1")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            store.backup(str(tmp_path / f"{number}.zip"))
    finally:
        stop.set()
        writer.join()
    store.close()
    for number in range(5):
        restore(tmp_path / f"copy{number}", tmp_path / f"{number}.zip", clock)
        copy = open_store(tmp_path / f"copy{number}", clock)
        assert copy.verify() == []
        assert copy.jobs.get("j1").rev == copy.audit.page()[0].seq
        copy.close()


def test_a_newer_store_is_replaced_only_if_confirmed(folder: Path, clock: Clock) -> None:
    file = backed_up(folder, clock)
    clock.tick(60)
    store = open_store(folder, clock)
    with store.transaction("bob") as tx:
        tx.jobs.put(a_job(name="newer"), seen=Rev(1))
    with pytest.raises(ConflictError) as caught:
        restore(folder, file, clock)
    assert caught.value.facts["conflict"] == {
        "store": "2026-01-01T00:01:00.000000Z", "backup": "2026-01-01T00:00:00.000000Z",
    }  # fmt: skip
    assert store.jobs.get("j1").value.name == "newer"
    with store.transaction("bob") as tx:
        tx.jobs.put(a_job(name="newest"), seen=Rev(2))

    kept = Path(restore(folder, file, clock, confirmed=True)["kept"])
    assert kept.name.startswith("store.before-restore-2026")
    with pytest.raises(StoreRefusedError, match="exchanged"), store.transaction("bob"):
        pass
    store.close()
    for path, name in ((folder, "Job 1"), (kept, "newest")):
        store = open_store(path, clock)
        assert store.jobs.get("j1").value.name == name
        assert store.verify() == []
        store.close()


def test_an_older_store_is_replaced_and_kept(folder: Path, clock: Clock) -> None:
    file = backed_up(folder, clock)
    done = restore(folder, file, clock)
    assert (Path(done["kept"]) / "work" / "left").read_bytes() == b"not kept"


def test_a_damaged_store_is_replaced_only_if_confirmed(folder: Path, clock: Clock) -> None:
    file = backed_up(folder, clock)
    (folder / guard.DATABASE).write_bytes(b"damage" * 1000)
    with pytest.raises(ConflictError, match="cannot be compared"):
        restore(folder, file, clock)
    done = restore(folder, file, clock, confirmed=True)
    assert (Path(done["kept"]) / guard.DATABASE).read_bytes() == b"damage" * 1000
    open_store(folder, clock).close()


def test_what_is_no_store_is_not_replaced(folder: Path, tmp_path: Path, clock: Clock) -> None:
    file = backed_up(folder, clock)
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter").touch()
    (tmp_path / "link").symlink_to(folder)
    for path in (home, home / "letter", tmp_path / "link"):
        with pytest.raises(StoreRefusedError):
            restore(path, file, clock, confirmed=True)
    with pytest.raises(StoreRefusedError, match="empty name"):
        restore("", file, clock)
    assert (home / "letter").exists()


def rewritten(file: Path, change: Callable[[dict[str, bytes], dict[str, Any]], object]) -> None:
    """Write the backup again with its files and manifest changed."""
    with zipfile.ZipFile(file) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files["manifest.json"])
    change(files, manifest)
    files["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name.removeprefix("LINK"))
            if name.startswith("LINK"):
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, content)


def added(name: str, content: bytes = b"x", *, named: bool = True) -> Callable[[Path], None]:
    def change(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
        files[name] = content
        if named:
            manifest["files"][name.removeprefix("LINK")] = {"bytes": 1, "sha256": "0" * 64}

    return lambda file: rewritten(file, change)


def with_manifest(**changes: Any) -> Callable[[Path], None]:
    return lambda file: rewritten(file, lambda _, manifest: manifest.update(changes))


def with_file(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda file: rewritten(file, lambda files, _: files.update({name: content}))


def without(name: str) -> Callable[[Path], None]:
    return lambda file: rewritten(file, lambda files, _: files.pop(name))


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


BAD: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "a folder": lambda file: (file.unlink(), file.mkdir()),  # type: ignore[func-returns-value]
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_bytes(b"text" * 1000),
    "cut": lambda file: os.truncate(file, file.stat().st_size * 2 // 3),
    "flipped": flipped,
    "no manifest": lambda file: zipfile.ZipFile(file, "w").close(),
    "another kind": with_manifest(kind="photos"),
    "newer": with_manifest(format=99),
    "no format": with_manifest(format=None),
    "no time": with_manifest(created_at="yesterday"),
    "no database": without(guard.DATABASE),
    "file missing": without("logs/r1/lines"),
    "file changed": with_file("logs/r1/lines", b"LINE\n"),
    "file longer": with_file("logs/r1/lines", b"line\nline\n"),
    "database changed": with_file(guard.DATABASE, b"text" * 1000),
    "not named": added("logs/extra", named=False),
    "climbing": added("../evil"),
    "climbing inside": added("logs/../../evil"),
    "absolute": added("/evil"),
    "elsewhere": added("work/evil"),
    "link": added("LINKlogs/evil"),
    "huge": with_manifest(files={guard.DATABASE: {"bytes": 10**18, "sha256": "0" * 64}}),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("in_place", [True, False])
def test_what_is_no_backup_is_refused(
    folder: Path, tmp_path: Path, clock: Clock, what: str, *, in_place: bool
) -> None:
    file = backed_up(folder, clock)
    BAD[what](file)
    target = folder if in_place else tmp_path / "new"
    before = contents(folder)
    names = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(InvalidInputError) as caught:
        restore(target, file, clock, confirmed=True)
    assert caught.value.problems[0].path == "file"
    assert "untouched" in caught.value.advice
    assert contents(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_a_backup_larger_than_the_disk_is_refused(folder: Path, clock: Clock) -> None:
    file = backed_up(folder, clock)

    def grow(_: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["files"][guard.DATABASE]["bytes"] = 10**18

    rewritten(file, grow)
    with pytest.raises(QuarterdeckError, match="are free"):
        restore(folder, file, clock)


def test_stats_say_what_is_there(folder: Path, clock: Clock) -> None:
    clock.tick(3 * 86_400)
    store = open_store(folder, clock)
    with store.transaction("ann") as tx:
        tx.jobs.put(a_job(2), seen=None)
    found = store.stats()
    assert found["documents"]["jobs"] == 2
    assert found["documents"]["runs"] == 0
    assert (found["written"]["day"]["jobs"], found["written"]["week"]["jobs"]) == (1, 2)
    assert found["bytes"]["database"] > 0
    assert (found["bytes"]["artifacts"], found["bytes"]["logs"]) == (8, 5)
    assert (found["changes"], found["format"]) == (6, 2)
    assert clock() > START
    store.close()
