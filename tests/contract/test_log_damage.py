"""A run's log whose files were damaged: what is left is read, what is missing is a gap."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from quarterdeck.logs import FolderRunLogs
from quarterdeck.logs import format as disk
from quarterdeck.model.logline import Cursor, LogChunk, LogKept, StoredLine
from tests.contract.test_runlog import AT, RUN, SOURCE, a_chunk, a_line
from tests.support.wal import flip

LINES = 2_500
OTHER = f"{RUN}-2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "logs" / RUN


@pytest.fixture
def logs(tmp_path: Path, folder: Path) -> FolderRunLogs:
    """Return logs in which one run has 2,500 lines, every tenth of them the runner's own."""
    made = FolderRunLogs(tmp_path / "logs", lambda: AT, lambda _: archived["lines"])
    archived = {"lines": 0}
    with made.writer(RUN) as writer:
        assert writer is not None
        lines = tuple(
            a_line(number) if number % 10 else hidden(number) for number in range(1, LINES + 1)
        )
        writer.append(LogChunk(SOURCE, lines, Cursor({SOURCE: LINES})))
        kept = writer.kept()
    archived["lines"] = kept.lines
    assert kept.lines == LINES
    assert made.flaw(RUN, kept) == ""
    (folder / "kept").write_text(json.dumps([kept.lines, kept.bytes, kept.sha256]))
    return made


def hidden(number: int):  # type: ignore[no-untyped-def]  # a line
    from dataclasses import replace

    return replace(a_line(number), stream="event", origin="runner")


def kept_in(folder: Path) -> LogKept:
    return LogKept(*json.loads((folder / "kept").read_text()))


def whole(logs: FolderRunLogs) -> list[StoredLine]:
    """Return the log as it is read page by page."""
    found: list[StoredLine] = []
    while page := logs.lines(RUN, after=found[-1].seq if found else 0):
        found += page
    return found


def emptied(folder: Path) -> int:
    (folder / disk.LINES).write_bytes(b"")
    return 0


def removed(folder: Path) -> int:
    (folder / disk.LINES).unlink()
    return 0


def all_removed(folder: Path) -> int:
    shutil.rmtree(folder)
    return 0


def cut(folder: Path) -> int:
    content = (folder / disk.LINES).read_bytes()
    os.truncate(folder / disk.LINES, len(content) // 2)
    return content[: len(content) // 2].count(b"\n")


def without_state(folder: Path) -> int:
    (folder / disk.STATE).unlink()
    return LINES


def broken_state(folder: Path) -> int:
    (folder / disk.STATE).write_text("{")
    return LINES


def without_index(folder: Path) -> int:
    (folder / disk.INDEX).unlink()
    return LINES


def wrong_index(folder: Path) -> int:
    flip(folder / disk.INDEX, 8, 3)
    return LINES


def short_hidden(folder: Path) -> int:
    os.truncate(folder / disk.HIDDEN, 11)
    return LINES


DAMAGE: dict[str, Callable[[Path], int]] = {
    one.__name__: one
    for one in (
        emptied, removed, all_removed, cut, without_state, broken_state, without_index,
        wrong_index, short_hidden,
    )
}  # fmt: skip


@pytest.mark.row("F-38")
@pytest.mark.parametrize("what", DAMAGE)
def test_what_is_left_is_read_and_the_rest_is_a_gap(
    logs: FolderRunLogs, folder: Path, what: str
) -> None:
    kept = kept_in(folder)
    left = DAMAGE[what](folder)
    assert logs.flaw(RUN, kept) != ""
    found = whole(logs)
    assert [line.number for line in found if not line.is_gap] == list(range(1, left + 1))
    gaps = [(line.number, line.upto) for line in found if line.is_gap]
    assert gaps == ([(left + 1, LINES)] if left < LINES else [])
    tail = logs.tail(RUN, 5)
    assert tail == found[-5:]
    assert [line.number for line in logs.search(RUN, "line 77", limit=1)] == [77] * bool(left)
    reader = logs.reader(RUN)
    rows = reader.refresh()
    seen = [line for line in found if not disk.is_own(line)]
    assert rows == len(seen)
    assert reader.read(0, rows) == seen
    assert reader.read(max(0, rows - 3), 10) == seen[-3:]
    assert len(reader.find("line 77", lambda: False)) == len(
        [line for line in seen if "line 77" in line.text]
    )


@pytest.mark.row("F-38")
@pytest.mark.parametrize("what", [name for name in DAMAGE if name != "all_removed"])
def test_a_writer_goes_on_and_reads_again_what_it_can(
    logs: FolderRunLogs, folder: Path, what: str
) -> None:
    DAMAGE[what](folder)
    with logs.writer(RUN) as writer:
        assert writer is not None
        writer.append(a_chunk(range(1, LINES + 1)))
        writer.append(a_chunk(range(LINES + 1, LINES + 11)))
        writer.say_lost()
    assert [(line.seq, line.number) for line in whole(logs)] == [
        (number, number) for number in range(1, LINES + 11)
    ]


@pytest.mark.row("F-38")
@pytest.mark.parametrize("what", ["emptied", "removed", "cut"])
def test_what_cannot_be_read_again_is_a_gap_from_then_on(
    logs: FolderRunLogs, folder: Path, what: str
) -> None:
    """The first attempt's source is gone; the second one's goes on."""
    left = DAMAGE[what](folder)
    for _ in range(2):  # said once
        with logs.writer(RUN) as writer:
            assert writer is not None
            writer.append(a_chunk([1, 2], source=OTHER))
            writer.say_lost()
    found = [(line.source, line.number, line.upto) for line in whole(logs)[left:]]
    assert found == [(OTHER, 1, 0), (OTHER, 2, 0), (SOURCE, left + 1, LINES)]


@pytest.mark.row("F-38")
def test_a_line_that_cannot_be_read_is_a_gap_in_its_place(
    logs: FolderRunLogs, folder: Path
) -> None:
    kept = kept_in(folder)
    place = (folder / disk.LINES).read_bytes().index(b'"line 42"')
    flip(folder / disk.LINES, place, 1)
    assert "SHA-256" in logs.flaw(RUN, kept)
    found = whole(logs)
    assert len(found) == LINES
    assert (found[41].is_gap, found[41].number, found[42].number) == (True, 42, 43)
    reader = logs.reader(RUN)
    reader.refresh()
    assert [line.number for line in reader.read(36, 4)] == [41, 42, 43, 44]
    mended = logs.mend(RUN, kept.lines)
    assert logs.flaw(RUN, mended) == ""
    again = whole(logs)
    assert [(line.is_gap, line.number, line.upto) for line in again[40:43]] == [
        (False, 41, 0), (True, 42, 42), (False, 43, 0),
    ]  # fmt: skip


@pytest.mark.row("F-38")
@pytest.mark.parametrize("what", DAMAGE)
def test_a_mended_log_is_whole_and_shows_its_gap(
    logs: FolderRunLogs, folder: Path, what: str
) -> None:
    kept = kept_in(folder)
    left = DAMAGE[what](folder)
    mended = logs.mend(RUN, kept.lines)
    assert logs.flaw(RUN, mended) == ""
    found = whole(logs)
    assert mended.lines == len(found) == left + (left < LINES)
    assert [line.seq for line in found] == list(range(1, len(found) + 1))
    if left < LINES:
        assert (found[-1].is_gap, found[-1].number, found[-1].upto) == (True, left + 1, LINES)
    assert logs.mend(RUN, mended.lines) == mended


def test_any_bit_of_an_archived_log_is_noticed(logs: FolderRunLogs, folder: Path) -> None:
    kept = kept_in(folder)
    for name in (disk.LINES, disk.INDEX, disk.HIDDEN):
        path = folder / name
        size = path.stat().st_size
        for place in range(0, size, max(1, size // 20)):
            flip(path, place, place % 8)
            assert logs.flaw(RUN, kept) != "", (name, place)
            whole(logs)
            flip(path, place, place % 8)
    assert logs.flaw(RUN, kept) == ""


def test_a_line_more_is_noticed_too(logs: FolderRunLogs, folder: Path) -> None:
    kept = kept_in(folder)
    with logs.writer(RUN) as writer:
        assert writer is not None
        writer.append(a_chunk([LINES + 1]))
    assert "was archived with" in logs.flaw(RUN, kept)


def test_which_runs_have_logs(logs: FolderRunLogs, tmp_path: Path) -> None:
    assert logs.runs() == [RUN]
    assert FolderRunLogs(tmp_path / "none", lambda: AT).runs() == []
