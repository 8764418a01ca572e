"""A worker's lines by time and count: each once over any cuts, with ties and streams that change places."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.executors.kubernetes import lines, sources
from quarterdeck.model.errors import UnreachableError

BASE = 1_764_000_000 * 10**9
START = datetime(2025, 11, 24, 15, 59, 59, tzinfo=UTC)


def a_line(at_ns: int, text: str) -> bytes:
    stamp = datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{at_ns % 10**9:09}Z {text}".encode()


def a_worker(positions: dict[str, int]) -> sources.Worker:
    return sources.Worker("rx-1/worker-1.s", "worker-1", positions, START)


def read(
    there: Sequence[tuple[int, str]], positions: dict[str, int], most: int
) -> tuple[list[sources.Piece], dict[str, int]]:
    """Read as the node gives it: by line, those not before the whole second that is asked for."""
    worker = a_worker(positions)
    since = worker.begin()
    found: list[sources.Piece] = []
    for at_ns, text in there:
        if since is not None and at_ns < since * 10**9:
            continue
        if len(found) == most:
            break
        piece = worker.take(a_line(at_ns, text))
        if piece is not None:
            found.append(piece)
            positions = {**positions, **piece.mark}
    return found, positions


steps = st.lists(
    st.one_of(st.just(0), st.integers(-50_000, 50_000), st.integers(0, 3 * 10**9)), max_size=60
)


@given(steps=steps, cuts=st.lists(st.integers(0, 12), max_size=12))
def test_each_line_comes_once_over_any_cuts(steps: list[int], cuts: list[int]) -> None:
    at, there = BASE, list[tuple[int, str]]()
    for place, step in enumerate(steps):
        at += step
        there.append((at, f"line {place % 3}"))  # texts repeat, too
    positions: dict[str, int] = {}
    found: list[sources.Piece] = []
    for most in [*cuts, len(there)]:
        more, positions = read(there, positions, most)
        found += more
    assert [piece.lines[0].text for piece in found] == [text for _, text in there]
    assert [piece.lines[0].number for piece in found] == list(range(1, len(there) + 1))
    assert not any(piece.gap for piece in found)


def test_lines_that_were_rotated_away_are_a_gap_between_two_times() -> None:
    there = [(BASE + n * 10**9, f"line {n}") for n in range(10)]
    first, positions = read(there, {}, 3)
    rest, _ = read(there[6:], positions, 99)
    assert [piece.lines[0].text for piece in (*first, *rest)] == [
        f"line {n}" for n in (0, 1, 2, 6, 7, 8, 9)
    ]
    assert [bool(piece.gap) for piece in rest] == [True, False, False, False]
    assert "between 16:00:02.000 and 16:00:06.000 UTC" in rest[0].gap


def test_a_log_that_begins_late_says_what_is_missing_before_it() -> None:
    [piece], _ = read([(BASE + 120 * 10**9, "late")], {}, 1)
    assert "between its start at 15:59:59.000 and 16:02:00.000 UTC" in piece.gap


def test_a_long_line_comes_in_pieces_and_is_one_line_for_the_position() -> None:
    text = "ä" * 10_000
    there = [(BASE, text), (BASE, "next")]
    [piece], positions = read(there, {}, 1)
    assert "".join(line.text for line in piece.lines) == text
    assert [line.more for line in piece.lines] == [True, True, False]
    assert all(len(line.text.encode()) <= 8192 for line in piece.lines)
    [after], _ = read(there, positions, 1)
    assert (after.lines[0].number, after.lines[0].text) == (4, "next")


def test_the_engines_own_lines_are_told_from_what_code_prints() -> None:
    said = "[2026-11-28T10:00:00Z INFO sail_execution::worker] up"
    found, _ = read([(BASE, said), (BASE, "printed")], {}, 2)
    assert [piece.lines[0].stream for piece in found] == ["stderr", "stdout"]
    assert {piece.lines[0].origin for piece in found} == {"worker-1"}
    assert found[0].at == datetime.fromtimestamp(BASE // 10**9, UTC)


@pytest.mark.parametrize("text", ["2025-11-24T18:00:00.5+02:00", "2025-11-24T16:00:00.500000000Z"])
def test_times_are_read_in_any_zone(text: str) -> None:
    assert sources.nanoseconds(text.encode()) == BASE + 5 * 10**8


@pytest.mark.parametrize("raw", [b"unable to retrieve container logs for x", b"2025-nonsense-T x"])
def test_what_is_no_log_is_no_news(raw: bytes) -> None:
    with pytest.raises(UnreachableError, match=r"log"):
        a_worker({}).take(raw)


def test_torn_lines_come_again_and_endless_ones_are_cut() -> None:
    assert list(lines.split(iter([b"a\nb", b"c\nd"]), is_whole=False)) == [b"a", b"bc"]
    assert list(lines.split(iter([b"a\nb", b"c\nd"]), is_whole=True)) == [b"a", b"bc", b"d"]
    mib = lines.LINE_BYTES
    [one, two] = lines.split(iter([b"x" * mib, b"y" * 1000, b"z\nnext\n"]), is_whole=False)
    assert one == b"x" * mib + b" [1001 more bytes are left out]"
    assert two == b"next"


def test_a_cursor_of_another_attempt_is_left_alone() -> None:
    positions = {
        "rx-1": 1,
        "rx-1@second": 2,
        "rx-1/worker-1.s": 3,
        "rx-10": 4,
        "rx-10/worker-1.s": 5,
    }
    assert set(sources.own("rx-1", positions)) == {"rx-1", "rx-1@second", "rx-1/worker-1.s"}
    pod = {"metadata": {"name": "qd-rx-a1-w-abc-d-7"}, "status": {"containerStatuses": [
        {"name": "worker", "state": {"running": {"startedAt": "2026-11-28T10:00:00Z"}}}]}}  # fmt: skip
    assert sources.worker_name("rx-1", pod) == "rx-1/worker-7.abc-d"
    assert sources.started_at(pod) == datetime(2026, 11, 28, 10, tzinfo=UTC)
    assert sources.started_at({"status": {}}) is None
