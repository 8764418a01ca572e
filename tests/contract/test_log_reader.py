"""Reading a run's log by rows: the lines that people see, wherever the runner's own stand between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.logs import FolderRunLogs
from quarterdeck.model.logline import Cursor, LogChunk, LogLine, carried, last_state
from quarterdeck.present import log_lines
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


# --- lines in pieces


def a_piece(number: int, text: str, *, more: bool = True, origin: str = "payload") -> LogLine:
    return replace(a_line(number, "x"), text=text, more=more, origin=origin)


def keep_pieces(logs: FolderRunLogs, lines: Sequence[LogLine], *, at_once: bool = True) -> None:
    for part in [lines] if at_once else [[line] for line in lines]:
        with logs.writer(RUN) as writer:
            assert writer is not None
            writer.append(LogChunk(SOURCE, tuple(part), Cursor({SOURCE: part[-1].number})))


DOTS = (
    a_piece(1, "loading "), a_piece(2, "engine says", more=False, origin="engine"), a_piece(3, ".."),
    replace(a_piece(4, "{}", more=False), stream="event"), a_piece(5, ". done", more=False),
    a_piece(6, "next", more=False), a_piece(7, "name? "),
)  # fmt: skip


@pytest.mark.row("G1")
@pytest.mark.parametrize("at_once", [True, False])
def test_pieces_of_a_line_are_one_row(logs: FolderRunLogs, at_once: bool) -> None:
    keep_pieces(logs, DOTS, at_once=at_once)
    reader = logs.reader(RUN)
    assert reader.refresh() == 4
    rows = ["loading ... done", "engine says", "next", "name? "]
    assert [line.text for line in reader.read(0, 9)] == rows
    assert [reader.read(n, 1)[0].text for n in range(4)] == rows
    assert [line.more for line in reader.read(0, 9)] == [False, False, False, True]
    assert (reader.lines, reader.unfinished) == (7, 3)
    keep_pieces(logs, [a_piece(8, "Zoë", more=False)])
    assert reader.refresh() == 4
    assert reader.read(3, 1)[0].text == "name? Zoë"
    assert (reader.lines, reader.unfinished) == (8, 4)


@pytest.mark.row("G3")
def test_a_word_is_found_in_pieces_and_across_them(logs: FolderRunLogs) -> None:
    keep_pieces(logs, DOTS)
    reader = logs.reader(RUN)
    reader.refresh()
    found = {
        text: list(reader.find(text, never))
        for text in ("loading ... done", "g .", "DONE", "done", "engine", "n", "{}", "nextname")
    }
    assert found == {
        "loading ... done": [0], "g .": [0], "DONE": [], "done": [0], "engine": [1],
        "n": [0, 1, 2, 3], "{}": [], "nextname": [],
    }  # fmt: skip
    assert [line.text for line in logs.search(RUN, "g .")] == ["loading ... done"]
    assert [line.seq for line in logs.search(RUN, "n")] == [2, 1, 6, 7]  # as they end


@pytest.mark.row("G1")
def test_a_gap_ends_a_line_whose_end_is_lost(logs: FolderRunLogs) -> None:
    keep_pieces(logs, [a_piece(1, "be"), a_piece(2, "gun ")])
    keep_pieces(logs, [a_piece(9, "goes "), a_piece(10, "on", more=False)])
    reader = logs.reader(RUN)
    assert reader.refresh() == 3
    assert [line.text for line in reader.read(0, 9) if not line.is_gap] == ["begun ", "goes on"]


@pytest.mark.row("G1", "T6")
def test_of_a_line_that_is_written_over_the_last_state_is_shown(logs: FolderRunLogs) -> None:
    states = [f"\r{n:3}% {'#' * 60}" for n in range(1_000)]
    keep_pieces(logs, [a_piece(n, text) for n, text in enumerate(states, 1)])
    reader = logs.reader(RUN)
    assert reader.refresh() == 1
    assert reader.read(0, 1)[0].text == states[-1][1:]
    assert list(reader.find("  7% #", never)) == [0]


@pytest.mark.row("G3")
def test_a_very_long_line_is_several_rows_and_all_of_it_is_found(logs: FolderRunLogs) -> None:
    parts = ["x" * 8_000, "y" * 8_191 + "n", "eedle" + "z" * 8_000, "end"]
    keep_pieces(logs, [a_piece(n, text, more=n < 4) for n, text in enumerate(parts, 1)])
    reader = logs.reader(RUN)
    assert reader.refresh() == 2
    assert [line.text for line in reader.read(0, 2)] == ["".join(parts[:2]), "".join(parts[2:])]
    assert list(reader.find("needle", never)) == [1]
    [hit] = logs.search(RUN, "needle")
    assert hit.text == "".join(parts)
    lines, place = reader.around(1, 10)
    assert log_lines.joined(lines, place) == "".join(parts)


@given(
    st.lists(
        st.tuples(st.sampled_from(("payload", "engine")), st.booleans(), st.text(max_size=3)),
        min_size=1, max_size=40,
    ),
    st.data(),
)  # fmt: skip
def test_rows_in_pieces_are_the_same_however_they_are_kept_and_read(
    lines: list[tuple[str, bool, str]], data: st.DataObject
) -> None:
    import tempfile

    texts: list[str] = []
    whole: dict[str, int] = {}
    for origin, more, text in lines:
        row = whole.pop(origin, None)
        if row is None:
            texts.append("")
            row = len(texts) - 1
        texts[row] += text
        if more:
            whole[origin] = row
    made = [
        a_piece(n, text, more=more, origin=origin)
        for n, (origin, more, text) in enumerate(lines, 1)
    ]
    with tempfile.TemporaryDirectory() as folder:
        logs = logs_in(Path(folder))
        cut = data.draw(st.integers(0, len(made)))
        reader = logs.reader(RUN)
        for part in (made[:cut], made[cut:]):
            if part:
                keep_pieces(logs, part)
            reader.refresh()
        shown = [last_state(carried(text)) for text in texts]
        assert reader.rows == len(texts)
        found = [last_state(line.text) for line in reader.read(0, 99)]
        assert found == shown
        at = data.draw(st.integers(0, len(texts) - 1))
        assert [last_state(line.text) for line in reader.read(at, 2)] == shown[at : at + 2]
        (Path(folder) / "logs" / RUN / "cursor").unlink()  # all is found out from the lines
        again = logs.reader(RUN)
        again.refresh()
        assert [last_state(line.text) for line in again.read(0, 99)] == shown
