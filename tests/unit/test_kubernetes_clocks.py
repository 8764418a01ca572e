"""A cluster's time, whatever this machine's clock shows: the API server's, the beat of a pod, silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from quarterdeck.executors.kubernetes import remembered, sources
from quarterdeck.executors.kubernetes.servertime import ServerTime
from quarterdeck.model.observation import Happened, Observation, Phase
from tests.support.fakes import FakeClock

DATE = "Sun, 22 Nov 2026 06:00:00 GMT"


def heard(date: str | None = DATE) -> tuple[ServerTime, FakeClock]:
    clock = FakeClock(datetime(2026, 11, 22, 6, tzinfo=UTC))
    time = ServerTime(clock, clock.uptime)
    time.hear(date)
    return time, clock


@pytest.mark.row("R6")
@pytest.mark.parametrize("seconds", [3 * 3_600, -3 * 3_600, 60])
def test_the_servers_time_goes_on_whatever_this_clock_is_set_to(seconds: float) -> None:
    time, clock = heard()
    assert time.ahead() == timedelta(0)
    assert time.checks() == []
    clock.tick(90)
    clock.step(seconds)
    now = datetime(2026, 11, 22, 6, 1, 30, 500_000, tzinfo=UTC)
    assert time.now() == now
    assert time.ahead() == timedelta(seconds=seconds - 0.5)
    began, happened = now - timedelta(seconds=20), Happened(now, "a worker went")
    seen = Observation(now, Phase.RUNNING, "", began_at=began, happened=(happened,))
    shown = time.by_clock(seen)
    assert shown.began_at == clock() - timedelta(seconds=20)
    assert shown.happened[0].at == clock()
    [check] = time.checks()
    assert (check.name, check.level) == ("clock", "warning")
    assert ("ahead of" if seconds > 0 else "behind") in check.message


@pytest.mark.parametrize("date", [None, "", "soon", "Sun, 32 Nov 2026 06:00:00 GMT"])
def test_without_an_answer_this_machine_is_all_there_is(date: str | None) -> None:
    time, clock = heard(date)
    assert (time.ahead(), time.now()) == (None, clock())
    clock.restart()
    assert time.ahead() is None


def test_whole_seconds_and_the_way_here_are_no_difference() -> None:
    time, clock = heard()
    clock.step(1.4)
    assert (time.ahead(), time.now()) == (timedelta(0), clock())


@pytest.mark.row("R6", "G6")
@pytest.mark.parametrize("seconds", [3 * 3_600, -3 * 3_600])
def test_silence_counts_from_the_first_question_in_a_row(seconds: float) -> None:
    clock = FakeClock()
    silences = remembered.Silences(clock, clock.uptime)
    silences.since("data")
    clock.step(seconds)
    clock.tick(50)
    assert silences.since("data") == clock() - timedelta(seconds=50)
    clock.sleep(8 * 3_600)
    assert silences.since("data") == clock()  # nobody asked meanwhile
    silences.end("data")
    clock.tick(5)
    assert silences.since("data") == clock()


@pytest.mark.row("G6")
def test_a_beat_is_no_line_and_what_is_asked_for_again_goes_by_the_nodes_clock() -> None:
    driver = sources.Driver("rx-1", {})
    at = "2026-11-22T06:00:07.25Z"
    beat = f'{at} [0,1764000000000,"runner","beat",0,""]'.encode()
    assert driver.take(beat) is None
    line = f'{at} [1,1764000000000,"payload","stdout",0,"hello"]'.encode()
    piece = driver.take(line)
    assert piece is not None
    second = int(datetime(2026, 11, 22, 6, 0, 7, tzinfo=UTC).timestamp())
    assert (piece.gap, piece.mark) == ("", {"rx-1": 1, "rx-1@second": second})
    assert driver.take(line) is None
    assert driver.take(beat) is None
    assert driver.begin() == second - 1
