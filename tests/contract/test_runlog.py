"""The run log: each line once over any slicing and any crash, each hole one marker, fast at any length."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.logs import FolderRunLogs, writer
from quarterdeck.logs import format as disk
from quarterdeck.model.errors import StoreFaultError
from quarterdeck.model.ids import RunId
from quarterdeck.model.logline import Cursor, LogChunk, LogLine
from quarterdeck.present import log_lines
from quarterdeck.service.logs import view

RUN = RunId("r12345678901")
SOURCE = f"{RUN}-1"
AT = datetime(2026, 11, 22, 6, 0, 0, 123_000, tzinfo=UTC)


def logs_in(folder: Path) -> FolderRunLogs:
    return FolderRunLogs(folder / "logs", lambda: AT)


def a_line(number: int, text: str = "") -> LogLine:
    at = AT + timedelta(milliseconds=number)
    return LogLine(number, at, "payload", "stdout", text or f"line {number}")


def a_chunk(
    numbers: Sequence[int], position: int = 0, source: str = SOURCE, gap: str = ""
) -> LogChunk:
    cursor = Cursor({source: position or (max(numbers) if numbers else 0)})
    return LogChunk(source, tuple(map(a_line, numbers)), cursor, gap)


def keep(logs: FolderRunLogs, *chunks: LogChunk) -> list[int]:
    with logs.writer(RUN) as open_writer:
        assert open_writer is not None
        return [open_writer.append(chunk) for chunk in chunks]


def shown(logs: FolderRunLogs) -> list[tuple[int, int]]:
    """Number and last number: a gap's, or the line's own twice."""
    return [(x.number, x.upto if x.is_gap else x.number) for x in logs.lines(RUN, limit=1_000_000)]


@pytest.fixture
def logs(tmp_path: Path) -> FolderRunLogs:
    return logs_in(tmp_path)


def test_a_run_without_a_log_has_no_lines(logs: FolderRunLogs) -> None:
    assert (logs.lines(RUN), logs.tail(RUN, 5), list(logs.search(RUN, "x"))) == ([], [], [])
    assert (logs.count(RUN), logs.size(RUN)) == (0, 0)
    with pytest.raises(ValueError, match="not the id of a run"):
        logs.lines(RunId("../etc"))


@pytest.mark.row("H8")
def test_a_log_to_which_nobody_wrote_is_no_damaged_one(logs: FolderRunLogs) -> None:
    with logs.writer(RUN) as writer:
        assert writer is not None
        kept = writer.kept()
    assert kept.lines == 0
    assert logs.flaw(RUN, kept) == logs.flaw(RUN, None) == ""
    assert logs.lines(RUN) == []


def test_lines_come_back_as_they_were(logs: FolderRunLogs) -> None:
    texts = ["plain", 'tab\t"quote" \\ ü 世 😀', "\u2028\x00\x1b[31m", "\ud800 half", ""]
    given_lines = tuple(
        LogLine(n, AT, "engine", "stderr", text, more=n % 2 == 0)
        for n, text in enumerate(texts, 1)
    )
    keep(logs, LogChunk(SOURCE, given_lines, Cursor({SOURCE: 7})))
    found = logs.lines(RUN)
    assert [(x.number, x.at, x.origin, x.stream, x.text, x.more) for x in found] == [
        (x.number, x.at, x.origin, x.stream, x.text, x.more) for x in given_lines
    ]
    assert [x.seq for x in found] == [1, 2, 3, 4, 5]
    assert [x.text for x in logs.search(RUN, "世")] == [texts[1] + texts[2]]  # one line
    assert [x.text for x in logs.search(RUN, "payload")] == []  # only the text is searched
    assert [x.number for x in logs.search(RUN, "l", limit=1)] == [1]


def test_seen_numbers_are_dropped_and_holes_are_one_gap(logs: FolderRunLogs) -> None:
    assert keep(logs, a_chunk([1, 2]), a_chunk([1, 2, 3]), a_chunk([7, 8], gap="rotated")) == [
        2,
        1,
        2,
    ]
    assert keep(logs, a_chunk([2, 3, 7, 8])) == [0]
    assert shown(logs) == [(1, 1), (2, 2), (3, 3), (4, 6), (7, 7), (8, 8)]
    gap = logs.lines(RUN)[3]
    assert (gap.is_gap, gap.text, gap.source) == (True, "rotated", SOURCE)
    keep(logs, a_chunk([3], source=f"{RUN}-2"))
    assert logs.tail(RUN, 2)[0].text == writer.NO_REASON
    with logs.writer(RUN) as one:
        assert one is not None
        assert one.cursor == Cursor({f"{RUN}-2": 3})


def test_the_rest_is_said_to_be_missing_once(logs: FolderRunLogs) -> None:
    for _ in range(2):
        with logs.writer(RUN) as one:
            assert one is not None
            one.append(a_chunk([1]))
            one.gap(SOURCE, "the pod was deleted")
            one.gap(SOURCE, "the pod was deleted")
    assert shown(logs) == [(1, 1), (2, 0)]
    keep(logs, a_chunk([2]))
    keep(logs, LogChunk(SOURCE, (), Cursor({SOURCE: 9}), gap="damaged", ended=True))
    assert shown(logs) == [(1, 1), (2, 0), (2, 2), (3, 0)]


def test_lines_that_are_missing_without_a_number_are_a_gap_too(logs: FolderRunLogs) -> None:
    worker = f"{RUN}-1/worker-2.abc"
    keep(logs, a_chunk([1, 2], source=worker))
    rotated = replace(a_chunk([3, 4], source=worker, gap="rotated"), is_uncounted=True)
    assert keep(logs, rotated, rotated) == [2, 0]
    assert shown(logs) == [(1, 1), (2, 2), (3, -1), (3, 3), (4, 4)]
    gap = logs.lines(RUN)[2]
    assert (gap.is_gap, gap.text, gap.worker) == (True, "rotated", "worker-2")
    assert view(gap)["gap"] == {"source": worker, "from": 3, "to": None, "why": "rotated"}
    assert "gap of worker-2: lines lost (rotated)" in log_lines.plain(gap)
    with logs.writer(RUN) as one:
        assert one is not None
        assert (one.last(worker), one.last(SOURCE)) == (4, 0)
    origin = [replace(a_line(n), origin=f"worker-{n}") for n in (1, 2)]
    keep(logs, LogChunk(SOURCE, tuple(origin), Cursor()))
    reader = logs.reader(RUN)
    reader.refresh()
    assert list(reader.of_origin("worker", lambda: False)) == [2, 5, 6]
    assert list(reader.of_origin("worker-2", lambda: False)) == [2, 6]


def test_one_writer_at_a_time(logs: FolderRunLogs, tmp_path: Path) -> None:
    with logs.writer(RUN) as first:
        assert first is not None
        with logs_in(tmp_path).writer(RUN) as second:
            assert second is None
        first.append(a_chunk([1]))
        assert shown(logs_in(tmp_path)) == [(1, 1)]  # others read what it wrote
    with logs_in(tmp_path).writer(RUN) as second:
        assert second is not None


def test_files_are_for_their_owner_alone(logs: FolderRunLogs, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keep(logs, a_chunk([1]))
    finally:
        os.umask(before)
    modes = {p.stat().st_mode & 0o777 for p in (tmp_path / "logs").rglob("*") if p.is_file()}
    assert modes == {0o600}
    assert (tmp_path / "logs" / RUN).stat().st_mode & 0o777 == 0o700


steps = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 30), st.binary(max_size=20) | st.none()),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(there=st.sets(st.integers(1, 60)).map(sorted), steps=steps)
def test_any_slicing_overlap_and_crash_gives_each_line_once(
    there: list[int], steps: list[tuple[int, int, bytes | None]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        logs, high = logs_in(Path(name)), 0
        for start, length, torn in [*steps, (0, len(there), None)]:
            end = min(len(there), start + length)
            if start <= high and there[start:end]:  # a source gives lines in order, some again
                keep(logs, a_chunk(there[start:end], position=end))
                high = max(high, end)
                with logs.writer(RUN) as one:
                    assert one is not None
                    assert one.cursor.positions == {SOURCE: end}
            if torn is not None and high:  # a writer was ended while it appended
                for file in (disk.LINES, disk.INDEX):
                    with (Path(name) / "logs" / RUN / file).open("ab") as stream:
                        stream.write(torn)
        expected: list[tuple[int, int]] = []
        for number, before in zip(there, [0, *there], strict=False):
            if number > before + 1:
                expected.append((before + 1, number - 1))
            expected.append((number, number))
        assert shown(logs) == expected
        assert [x.seq for x in logs.lines(RUN)] == list(range(1, len(expected) + 1))


def test_what_the_disk_never_got_is_read_again(logs: FolderRunLogs, tmp_path: Path) -> None:
    keep(logs, a_chunk(range(1, 2_501)))
    path = tmp_path / "logs" / RUN / disk.LINES
    os.truncate(path, path.stat().st_size - 30_000)
    with logs.writer(RUN) as one:
        assert one is not None
        assert one.cursor == Cursor()
        assert 0 < one.append(a_chunk(range(1, 2_501))) < 2_500
    assert shown(logs) == [(n, n) for n in range(1, 2_501)]
    assert logs.lines(RUN, after=2_100, limit=1)[0].number == 2_101


def test_a_full_disk_loses_nothing(logs: FolderRunLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(logs, a_chunk([1]))

    def full(_folder: Path, _state: disk.State) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, logs.writer(RUN) as one:
        assert one is not None
        patch.setattr(disk, "write_state", full)
        with pytest.raises(StoreFaultError, match="No space left"):
            one.append(a_chunk([2]))
        with pytest.raises(StoreFaultError):
            one.gap(SOURCE, "why")
        patch.undo()
        one.append(a_chunk([2, 3]))
        one.gap(SOURCE, "why")
    assert shown(logs) == [(1, 1), (2, 2), (3, 3), (4, 0)]


def _append_until_killed(folder: str) -> None:
    logs = logs_in(Path(folder))
    number = 1
    while True:
        keep(logs, a_chunk(range(max(1, number - 7), number + 60)))
        number += 60


def test_a_reader_beside_a_writer_that_is_killed_sees_whole_lines(
    logs: FolderRunLogs, tmp_path: Path
) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_append_until_killed, args=(str(tmp_path),)
    )
    process.start()
    deadline = time.monotonic() + 20
    after = 0
    while after < 5_000 and time.monotonic() < deadline:
        for line in logs.lines(RUN, after=after):
            assert (line.seq, line.number, line.text) == (
                after + 1,
                after + 1,
                f"line {after + 1}",
            )
            after += 1
    process.kill()
    process.join()
    process.close()
    assert after >= 5_000
    keep(logs, a_chunk([]))
    assert shown(logs) == [(n, n) for n in range(1, logs.count(RUN) + 1)]


@pytest.mark.bench
def test_a_million_lines_are_kept_and_read_fast(logs: FolderRunLogs) -> None:
    chunks = [
        LogChunk(
            SOURCE, tuple(a_line(n, "x" * 100) for n in range(k, k + 1_000)), Cursor({SOURCE: k})
        )
        for k in range(1, 100_001, 1_000)
    ]
    start = time.perf_counter()
    keep(logs, *chunks)
    assert 100_000 / (time.perf_counter() - start) > 20_000  # measured: above 50,000
    for base in range(100_001, 1_000_001, 100_000):
        numbers = range(base, base + 100_000)
        keep(
            logs, LogChunk(SOURCE, tuple(a_line(n, "y") for n in numbers), Cursor({SOURCE: base}))
        )
    start = time.perf_counter()
    assert len(logs.tail(RUN, 100)) == len(logs.lines(RUN, after=523_999, limit=100)) == 100
    assert time.perf_counter() - start < 0.2  # measured: below 0.02; reading it all takes seconds
    start = time.perf_counter()
    assert not list(logs.search(RUN, "needle"))
    assert time.perf_counter() - start < 10  # measured: below 2
