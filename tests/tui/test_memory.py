"""What is remembered between sessions: whole or not at all, for its owner, and for a day."""

from __future__ import annotations

import json
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quarterdeck.tui import memory

NOW = datetime(2026, 11, 22, 7, 12, tzinfo=UTC)
PLACE = {"places": [{"kind": "job", "name": "orders", "tab": "", "more": {}}]}


def keeper(path: Path, told: list[str] | None = None) -> memory.Keeper:
    return memory.Keeper(path, lambda: NOW, (told if told is not None else []).append)


def test_what_was_given_last_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "state" / "places" / "a.json"
    one = keeper(path)
    one.keep({"places": []})
    one.keep(PLACE)
    one.close()
    assert memory.read(path, NOW) == PLACE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["a.json"]


@pytest.mark.row("T3")
def test_it_is_written_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    one = keeper(path)
    for count in range(3):
        document = {"typed": count}
        one.keep(document)
        end = time.monotonic() + 1
        while memory.read(path, NOW) != document:
            assert time.monotonic() < end
            time.sleep(0.01)
    one.close()


@pytest.mark.parametrize(
    ("age", "is_fresh"),
    [(timedelta(hours=23), True), (timedelta(hours=24), False), (timedelta(seconds=-1), False)],
)
def test_it_is_kept_for_a_day(tmp_path: Path, age: timedelta, is_fresh: bool) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"at": (NOW - age).isoformat(), "document": PLACE}))
    assert memory.read(path, NOW) == (PLACE if is_fresh else {})


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"at": 1, "document": {}}', '{"at": "2026-11-22", "document": {}}'],
)
def test_what_cannot_be_read_is_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    assert memory.read(path, NOW) == {}
    assert memory.read(tmp_path / "none", NOW) == {}


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    told: list[str] = []
    one = keeper(tmp_path / "state" / "a.json", told)
    one.keep({"count": 1})
    one.keep({"count": 2})
    one.close()
    assert len(told) == 1
    assert told[0].startswith("where you are is not remembered: ")


def test_each_store_and_actor_has_a_file_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    found = {
        memory.place_file(Path(store), actor)
        for store in ("/a", "/b")
        for actor in ("ana", "bo", "/a")
    }
    assert len(found) == 6
    assert all(path.parent == Path("/state/quarterdeck/places") for path in found)


def test_what_was_copied_is_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = memory.write_clipboard("réason \udcff\n")
    assert path.read_bytes() == b"r\xc3\xa9ason \xff\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
