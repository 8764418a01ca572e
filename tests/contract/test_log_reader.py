"""Reading a run's log by rows: the lines that people see, wherever the runner's own stand between them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.logs import FolderRunLogs
from quarterdeck.model.logline import Cursor, LogChunk
from tests.contract.test_runlog import RUN, SOURCE, a_line, logs_in

STREAMS = ("stdout", "stderr", "event", "result")


def never() -> bool:
    return False


def keep(logs: FolderRunLogs, lines: list[tuple[str, str]], first: int = 1) -> None:
    made = tuple(
        replace(
            a_line(number, text),
            stream=stream,
            origin="engine" if stream == "stderr" else "payload",
        )
        for number, (stream, text) in enumerate(lines, first)
    )
    with logs.writer(RUN) as writer:
        assert writer is not None
        writer.append(LogChunk(SOURCE, made, Cursor({SOURCE: first + len(lines) - 1})))


@pytest.fixture
def logs(tmp_path: Path) -> FolderRunLogs:
    return logs_in(tmp_path)


def test_a_run_without_a_log_has_no_rows(logs: FolderRunLogs) -> None:
    reader = logs.reader(RUN)
    assert reader.refresh() == 0
    assert reader.read(0, 10) == []
    assert list(reader.find("x", never)) == []


@given(
    st.lists(st.tuples(st.sampled_from(STREAMS), st.text(min_size=1, max_size=8)), max_size=60),
    st.data(),
)
def test_rows_are_the_lines_that_people_see(
    lines: list[tuple[str, str]], data: st.DataObject
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        logs = logs_in(Path(folder))
        reader = logs.reader(RUN)
        cut = data.draw(st.integers(0, len(lines)))
        for part, first in ((lines[:cut], 1), (lines[cut:], cut + 1)):
            if part:
                keep(logs, part, first)
            reader.refresh()
        seen = [text for stream, text in lines if stream in ("stdout", "stderr")]
        assert reader.rows == len(seen)
        assert [line.text for line in reader.read(0, 1_000)] == [*seen]
        if seen:
            at = data.draw(st.integers(0, len(seen) - 1))
            assert [line.text for line in reader.read(at, 3)] == seen[at : at + 3]


def test_search_is_of_the_text_alone_and_small_letters_match_capitals(logs: FolderRunLogs) -> None:
    keep(logs, [
        ("event", "Needle in an event"), ("stdout", "hay"), ("stdout", 'a "Needle", quoted'),
        ("stderr", "a needle"), ("stdout", "payload"),
    ])  # fmt: skip
    reader = logs.reader(RUN)
    reader.refresh()
    assert list(reader.find("needle", never)) == [1, 2]
    assert list(reader.find("Needle", never)) == [1]
    assert list(reader.find('"Needle"', never)) == [1]
    assert list(reader.find("payload", never)) == [3]  # an origin, and once a text
    assert list(reader.find("stdout", never)) == []


def test_search_knows_escapes_brackets_gaps_and_every_script(logs: FolderRunLogs) -> None:
    keep(
        logs,
        [
            ("stdout", "a\ttab \x1b"),
            ("stdout", "t1 [x]"),
            ("stdout", "GRÖßE"),
            ("stdout", "a\\nb"),
        ],
    )
    keep(logs, [("stdout", "behind a gap")], first=9)
    reader = logs.reader(RUN)
    reader.refresh()
    found = {
        text: list(reader.find(text, never))
        for text in ("t1", "\t", "u001b", "]", "größe", "\\n", "5")
    }
    assert found == {
        "t1": [1], "\t": [0], "u001b": [], "]": [1], "größe": [2], "\\n": [3], "5": [],
    }  # fmt: skip
    assert list(reader.find("any more", never)) == []  # words of the gap


def test_a_search_goes_on_from_a_row(logs: FolderRunLogs) -> None:
    keep(logs, [("event" if n % 7 == 0 else "stdout", f"line {n}") for n in range(2_500)])
    reader = logs.reader(RUN)
    total = reader.refresh()
    every = list(reader.find("line", never))
    assert every == list(range(total))
    assert list(reader.find("line", never, 1_900)) == every[1_900:]
    assert list(reader.of_origin("payload", never, 1_900)) == every[1_900:]
    assert list(reader.find("line", never, total)) == []


def test_trouble_and_origins_are_found_by_row(logs: FolderRunLogs) -> None:
    keep(logs, [
        ("event", "ERROR of the runner"), ("stdout", "fine"), ("stderr", "[x ERROR y] bad"),
        ("stdout", "ValueError: no"), ("stderr", "a WARN here"),
    ])  # fmt: skip
    reader = logs.reader(RUN)
    reader.refresh()
    assert list(reader.trouble(never)) == [1, 2, 3]
    assert list(reader.trouble(never, most=1)) == [1]
    assert list(reader.of_origin("engine", never)) == [1, 3]


def test_a_gap_is_a_row(logs: FolderRunLogs) -> None:
    keep(logs, [("stdout", "one")])
    keep(logs, [("stdout", "nine")], first=9)
    reader = logs.reader(RUN)
    assert reader.refresh() == 3
    assert [line.is_gap for line in reader.read(0, 3)] == [False, True, False]
    assert list(reader.of_origin("engine", never)) == [1]


def test_a_search_that_is_given_up_gives_what_it_found(logs: FolderRunLogs) -> None:
    keep(logs, [("stdout", "x")] * 10)
    reader = logs.reader(RUN)
    reader.refresh()
    assert list(reader.find("x", lambda: True)) == []


def test_a_log_that_was_rebuilt_knows_its_hidden_lines(
    logs: FolderRunLogs, tmp_path: Path
) -> None:
    keep(logs, [("event", "begins"), ("stdout", "one"), ("event", "ends"), ("stdout", "two")])
    folder = tmp_path / "logs" / RUN
    whole = (folder / "lines").read_bytes()
    (folder / "lines").write_bytes(whole[:-5])  # the machine stopped before the disk had it all
    keep(logs, [("stdout", "two")], first=4)
    reader = logs.reader(RUN)
    reader.refresh()
    assert [line.text for line in reader.read(0, 9)] == ["one", "two"]
