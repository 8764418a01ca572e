"""The runner's pure parts: options, places of errors, reasons, the last word, lines and values."""

from __future__ import annotations

import datetime
import itertools
import json
import os
import threading
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck import runner
from quarterdeck.model import wire

SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3)
)


@given(VALUES)
def test_option_values_survive_toml(value: object) -> None:
    assert tomllib.loads(f"v = {runner.toml(value)}")["v"] == value


def test_options_become_variables_of_the_engine() -> None:
    options = {"cluster.worker_task_slots": 4, "catalog.default_catalog": "sail"}
    assert runner.option_env(options) == {
        "SAIL_CLUSTER__WORKER_TASK_SLOTS": "4",
        "SAIL_CATALOG__DEFAULT_CATALOG": '"sail"',
    }


def test_little_of_the_outer_environment_reaches_the_engine() -> None:
    outer = {"PATH": "/bin", "AWS_REGION": "x", "SAIL_MODE": "local", "SECRET": "s"}
    kept = runner.kept_environment(outer | {"https_proxy": "p", "no_proxy": "example"})
    assert kept == {
        "PATH": "/bin",
        "AWS_REGION": "x",
        "https_proxy": "p",
        "no_proxy": "example,127.0.0.1,localhost",
        "NO_PROXY": "example,127.0.0.1,localhost",
    }


@given(st.text())
def test_pieces_are_small_and_make_up_the_text(text: str) -> None:
    text = text * 3_000
    found = runner.pieces(text)
    assert "".join(found) == text
    assert all(len(piece.encode()) <= wire.LINE_LIMIT for piece in found)


@given(st.text(min_size=1), st.integers(0, 3))
def test_whole_never_splits_a_character(text: str, cut: int) -> None:
    data = text.encode()[: max(1, len(text.encode()) - cut)]
    data[: runner.whole(data)].decode()
    assert len(data) - runner.whole(data) <= 3


@given(st.lists(st.text(max_size=50).map(lambda t: t.replace("\n", "")), max_size=8), st.data())
def test_lines_are_the_same_however_they_arrive(texts: list[str], data: st.DataObject) -> None:
    sent = "\n".join([*texts, "x" * 9_000]).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))
    fd = os.memfd_create("log")
    log = runner.Log(fd)
    pump = runner.Pump(log)
    pump.start()
    read, write = os.pipe()
    source = pump.add(runner.Source(read, "payload", "stdout"))
    for one, two in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        os.write(write, sent[one:two])
    os.close(write)
    pump.stop(5)
    assert source.ended
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd, encoding="utf-8", newline="\n") as file:
        lines = [json.loads(line) for line in file.read().split("\n")[:-1]]
    os.close(read)
    assert [line[0] for line in lines] == list(range(1, len(lines) + 1))
    joined = "".join(line[5] + ("" if line[4] else "\n") for line in lines)
    assert joined.encode() == sent


class Pipe:
    """One pipe that a pump without its thread reads, and what became of it in the log."""

    def __init__(self, mask: runner.Mask | None = None) -> None:
        self.fd = os.memfd_create("log")
        self.pump = runner.Pump(runner.Log(self.fd), mask)
        read, self.write = os.pipe()
        self.told: list[str] = []
        self.source = runner.Source(read, "payload", "stdout", self.told.extend)

    def say(self, data: bytes) -> None:
        """Write, read, and log it as half a second without a newline would."""
        os.write(self.write, data)
        self.pump._read(self.source)
        self.pump._flush(self.source)

    def lines(self) -> list[tuple[int, str]]:
        """Close it, and return (more, text) of each logged line."""
        os.close(self.write)
        self.pump._read(self.source)
        os.close(self.source.fd)
        os.lseek(self.fd, 0, os.SEEK_SET)
        with os.fdopen(self.fd, encoding="utf-8") as file:
            return [tuple(json.loads(line)[4:]) for line in file]


def said(lines: list[tuple[int, str]]) -> str:
    return "".join(text + ("" if more else "\n") for more, text in lines)


@pytest.mark.row("A12", "X1")
@pytest.mark.parametrize("cut", range(1, 40))
def test_no_value_of_a_secret_is_logged_however_it_arrives(cut: int) -> None:
    value = "s3cr€t-value"
    sent = f"it is {value} and {value}\nthen".encode()
    pipe = Pipe(runner.Mask([(value, "secret://db/token")]))
    for part in filter(None, (sent[:cut], sent[cut:])):
        pipe.say(part)
    assert said(pipe.lines()) == "it is secret://db/token and secret://db/token\nthen"
    assert value not in "".join(pipe.source.tail)


@pytest.mark.row("A12", "X1")
@pytest.mark.parametrize("sent", ["abcabc", "abcabca!", "xabcabcabc\n", "abca\nabc"])
def test_a_value_whose_end_is_its_beginning_is_not_cut_in_two(sent: str) -> None:
    pipe = Pipe(runner.Mask([("abca", "*")]))
    for letter in sent:
        pipe.say(letter.encode())
    assert said(pipe.lines()) == sent.replace("abca", "*")


@pytest.mark.row("A12", "X1")
@given(st.text("ab*", max_size=40), st.sampled_from(["abab", "aaaa", "abaab"]), st.data())
def test_text_is_masked_the_same_however_it_is_cut(
    text: str, value: str, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pipe = Pipe(runner.Mask([(value, "-")]))
    for one, two in itertools.pairwise([0, *cuts, len(text)]):
        if one < two:
            pipe.say(text[one:two].encode())
    assert said(pipe.lines()) == text.replace(value, "-")


@pytest.mark.row("G1")
def test_of_a_line_that_is_written_over_the_last_state_is_remembered() -> None:
    pipe = Pipe()
    for part in (b"\r 10%", b"\r 20%", b" eta 3 s\r\n", b"from Windows\r\n"):
        pipe.say(part)
    assert list(pipe.source.tail) == [" 20% eta 3 s", "from Windows"]
    assert said(pipe.lines()) == "\r 10%\r 20% eta 3 s\r\nfrom Windows\r\n"


@pytest.mark.row("G1")
def test_an_unfinished_line_is_logged_in_pieces_and_remembered_whole() -> None:
    pipe = Pipe()
    for part in ("loa", "ding .", ".", "\nnext\nna", "me? ", "ü".encode()[:1]):
        pipe.say(part.encode() if isinstance(part, str) else part)
    pipe.say("ü".encode()[1:])
    assert pipe.told == ["loading ..", "next"]
    assert pipe.lines() == [
        (1, "loa"), (1, "ding ."), (1, "."), (0, ""), (0, "next"), (1, "na"), (1, "me? "), (1, "ü"),
    ]  # fmt: skip
    assert list(pipe.source.tail) == ["loading ..", "next", "name? ü"]
    assert pipe.told[2:] == ["name? ü"]


@pytest.mark.row("G1")
def test_a_prompt_is_logged_before_the_traceback_that_comes_behind_it() -> None:
    pipe = Pipe()
    read, write = os.pipe()
    errors = runner.Source(read, "payload", "stderr")
    pipe.pump._sources += [errors, pipe.source]
    os.write(pipe.write, b"name? ")
    pipe.pump._read(pipe.source)
    os.write(write, b"EOFError\n")
    pipe.pump._read(errors)
    os.write(pipe.write, b"again")
    pipe.pump._read(pipe.source)
    os.write(write, b"soon behind\n")  # no more than two pieces a second
    pipe.pump._read(errors)
    os.close(write)
    os.close(read)
    assert pipe.lines() == [(1, "name? "), (0, "EOFError"), (0, "soon behind"), (1, "again")]


@pytest.mark.row("G1")
def test_who_floods_holds_back_nobody_and_pieces_are_few() -> None:
    reading, writing = os.pipe()
    pump = runner.Pump(runner.Log(writing))
    pump.start()
    flood, flooded = os.pipe()
    dots, dotted = os.pipe()
    pump.add(runner.Source(flood, "payload", "stderr"))
    pump.add(runner.Source(dots, "payload", "stdout"))
    stop = threading.Event()

    def pour() -> None:
        while not stop.is_set():
            os.write(dotted, b".")
            os.write(flooded, b"a line of a chatty stream\n" * 2_000)
        os.close(flooded)
        os.close(dotted)

    pouring = threading.Thread(target=pour)
    pouring.start()
    pieces = []
    with os.fdopen(reading, encoding="utf-8") as file:
        for line in file:
            number, at_ms, _, stream, more, text = json.loads(line)
            if stream == "stdout":
                assert (more, text) == (1, "." * len(text))
                pieces.append(at_ms)
                if len(pieces) == 4:
                    break
            assert number
        stop.set()
        draining = threading.Thread(target=file.read)
        draining.start()
        pouring.join()
        pump.stop(30)
        os.close(writing)
        draining.join()
    waits = [two - one for one, two in itertools.pairwise(pieces)]
    assert min(waits) >= 1_000 * runner.PIECE_S - 50
    os.close(flood)
    os.close(dots)


def test_every_line_of_a_value_is_masked_and_short_ones_are_not() -> None:
    mask = runner.Mask([("first line\n  second line\nabc", "secret://a/b")])
    assert mask("x first line y second line abc") == "x secret://a/b y secret://a/b abc"


def test_log_goes_on_behind_a_full_disk_with_a_hole_in_its_numbers() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    log = runner.Log(full)
    log.event("lost")
    fd = os.memfd_create("log")
    os.dup2(fd, full)
    log.event("kept")
    os.close(full)
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd) as file:
        _, line = file.read().splitlines()
    assert json.loads(line)[0] == 2


@pytest.mark.parametrize(
    ("message", "at"),
    [
        ("invalid argument: found üé at 8:12 expected something", "üé"),
        ("invalid argument: found b at 15:16 expected something", "b.a"),
        ("invalid argument: found end of input expected ')'", ""),
        ("Table not found: [X] Table or view not found: s.Nope", "s.nope"),
        ("The table or view `nope` cannot be found", "s.nope"),
        ('attribute ObjectName([Identifier("ä"), Identifier("b")]) is missing', "ä.  b"),
        ('attribute ObjectName([Identifier("B"), Identifier("a")]) is missing', "b.a"),
        ('attribute ObjectName([Identifier("üé")]) is missing', None),
        ('attribute ObjectName([Identifier("nope")]) is missing', None),
        ("unknown function: f", None),
        ("divide by zero", None),
    ],
)
def test_errors_are_found_in_the_statement(message: str, at: str | None) -> None:
    [statement] = runner.split("select 'üé', b.a,ä.  b from s.nope")
    expected = None if at is None else statement.text.index(at) if at else len(statement.text)
    assert runner.explained(statement.text, "AnalysisException", message).at == expected


def column(*path: str) -> str:
    parts = ", ".join(f'Identifier("{one}")' for one in path)
    return f"attribute ObjectName([{parts}]) is missing from the schema: cannot resolve attribute"


def table(name: str) -> str:
    return f"Table not found: [TABLE_OR_VIEW_NOT_FOUND] Table or view not found: {name}"


@pytest.mark.row("G5")
@pytest.mark.parametrize(
    ("text", "message", "sentence", "at"),
    [
        ("SELECT a AS total FROM t\nWHERE total > 0", column("total"), "There is no column total.", "total > 0"),
        ("SELECT upper(name) FROM t WHERE name = 'x'", column("name"), "There is no column name.", None),
        ("SELECT 'zz', `zz` FROM t -- zz", column("zz"), "There is no column zz.", "`zz`"),
        ("SELECT zz(1), t.zz, ZZ FROM t", column("zz"), "There is no column zz.", "ZZ"),
        ("WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n+1 FROM t) SELECT * FROM t", column("n"),
         "There is no column n.", None),
        ("SELECT * FROM a.b . `C d`", table("C d"), "There is no table a.b.C d.", "a.b"),
        ("SELECT orders, 1 FROM  orders", table("orders"), "There is no table orders.", "  orders"),
        ("SELECT * FROM x JOIN x ON true", table("x"), "There is no table x.", None),
        ("SELECT foo WHERE foo(1) > foo(2)", "unknown function: foo", "There is no function foo.", "foo(1)"),
        ("SELECT * FORM t", "invalid argument: found t at 14:15 expected ',', 'FROM', or end of input",
         "Unexpected FORM: did you mean FROM?", "FORM"),
        ("SELEC 1", "invalid argument: found SELEC at 0:5 expected statement",
         "Unexpected SELEC: did you mean SELECT?", "SELEC"),
        ("SELECT INTERVAL '1 xx'", "invalid argument: found xx at 2:4 expected 'DAY'", "Unexpected xx.", None),
        ("SELECT CAST(1 AS FOO)", "invalid argument: found FOO at 17:20 expected data type",
         "There is no data type FOO.", "FOO"),
        ("SELECT CAST('abc' AS INT) AS bad", "Cannot cast string 'abc' to value of Int32 type",
         "'abc' is not a value of type INT.", "'abc'"),
        ("SELECT 'abc', CAST('abc' AS INT)", "Cannot cast string 'abc' to value of Int32 type",
         "'abc' is not a value of type INT.", None),
        ("SELECT 1/0", "divide by zero", "Division by zero.", None),
        ("SELECT raise_error('no rows')", "no rows", "no rows.", None),
        ("SELECT 1", "internal error: expected Foo(Bar { x: 1 }) at 27:28", "expected …", None),
        ("SET a = 1", 'Could not find config namespace "spark"',
         "The engine has no SET: put options of the engine into `settings.sail` of the job.", "SET"),
        ("/* x */ CACHE TABLE x", "PlanNode::CacheTable",
         "The engine caches no tables: use a TEMPORARY VIEW, or leave it out.", "CACHE"),
        ("SELECT 1 AS a |> WHERE a = 1", "invalid argument: found | at 14:15 expected ','",
         "The engine has no pipe syntax (|>): write it as nested SELECTs.", "|>"),
    ],
)  # fmt: skip
def test_an_error_of_a_statement_is_told_in_the_words_of_who_wrote_it(
    text: str, message: str, sentence: str, at: str | None
) -> None:
    kind = "UnsupportedOperationException" if "Node::" in message else "AnalysisException"
    said = runner.explained(text, kind, message)
    assert said.sentence == sentence
    assert said.at == (None if at is None else text.index(at) + len(at) - len(at.lstrip()))


def test_a_long_line_is_told_around_its_column() -> None:
    line = "".join(chr(97 + n % 26) for n in range(5_000))
    found = runner.cut_around(line, 3_000)
    assert len(found["text"]) == runner.QUOTED
    assert found["text"][3_000 - found["text_from"]] == line[2_999]
    assert runner.cut_around(line, 4_999)["text"].endswith(line[-3:])
    assert runner.cut_around("short", 3) == {"text": "short"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("AnalysisException: Table not found: x", "user_error"),
        (
            "AnalysisException: Memory Exhausted while Sorting (DiskManager is disabled)",
            "oom_driver",
        ),
        ("Resources exhausted: Failed to allocate additional 14.0 MB", "oom_driver"),
        ("invalid argument: operation not found: 1", "cancelled"),
        ("invalid argument: session 1 is not running", "user_error"),
        ("Generic S3 error: NoSuchBucket", "config_error"),
        (
            "thrown from the Python worker.\nModuleNotFoundError: No module named 'x'",
            "config_error",
        ),
        ("ModuleNotFoundError: No module named 'x'", "user_error"),
    ],
)
def test_texts_of_errors_have_their_reason(message: str, reason: str) -> None:
    assert runner.judge(message)[0] == reason


@pytest.mark.parametrize(
    ("code", "is_lost"),
    [("UNAVAILABLE", True), ("DEADLINE_EXCEEDED", True), ("INVALID_ARGUMENT", False)],
)
def test_a_call_that_did_not_come_through_says_nothing_of_a_configuration(
    code: str, is_lost: bool
) -> None:
    error = RuntimeError(f"<_InactiveRpcError: status = StatusCode.{code}>")
    assert runner.grpc_error(error)[1] is is_lost


@pytest.mark.parametrize(
    ("said", "is_ready", "reason"),
    [
        ("ServiceError: client error (Connect)", False, "engine_start"),
        ("ServiceError: client error (SendRequest)", True, "engine_lost"),
        ("ApiError: pods is forbidden", False, "config_error"),
    ],
)
def test_a_worker_that_could_not_be_started_has_its_reason(
    said: str, is_ready: bool, reason: str
) -> None:
    line = f"ERROR failed to start worker 1: error in Kubernetes: {said}"
    assert runner.of_worker(line, is_ready=is_ready) == reason


def test_last_error_of_a_python_process_is_its_last_traceback() -> None:
    lines = [
        *(
            "Traceback (most recent call last):",
            '  File "a"',
            "KeyError: 1",
            "",
            "During handling",
        ),
        *("Traceback (most recent call last):", '  File "b"', "pkg.BadError: one", "two"),
    ]
    assert runner.last_error(lines) == "pkg.BadError: one\ntwo"
    assert runner.last_error(["no traceback"]) == ""


@given(st.text(), st.lists(st.text(min_size=50), max_size=20), st.integers(0, 5_000))
def test_last_word_stays_within_its_limit(text: str, evidence: list[str], done: int) -> None:
    word = {"state": "failed", "message": text * 200, "object": text * 50, "line": 3}
    word |= {"evidence": evidence, "statements_done": list(range(done))}
    data = runner.last_word(word)
    assert len(data) <= wire.LAST_WORD_LIMIT
    assert json.loads(data)["line"] == 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (2**60, 2**60),
        (1.5, 1.5),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (Decimal("1E+3"), "1000"),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        (datetime.timedelta(days=1, milliseconds=500), "PT86400.5S"),
        (b"\xff\x00", "/wA="),
    ],
)
def test_values_have_a_form_in_json(value: object, expected: object) -> None:
    assert runner.plain(value) == expected


def test_rows_are_kept_up_to_a_size_and_counted_beyond() -> None:
    pa = pytest.importorskip("pyarrow")
    fd = os.memfd_create("log")
    rows = runner.Rows(runner.Result(runner.Log(fd)), 1)
    table = pa.table({"t": ["x" * 300_000] * 5})
    rows.take(table)
    rows.take(table)
    facts = rows.finish(0.5, counts=True)
    os.close(fd)
    assert (rows.kept, facts["row_count"], facts["truncated"]) == (3, 10, True)


@pytest.mark.row("R6", "F5")
def test_it_says_that_it_lives_now_and_then_and_tells_sleep(tmp_path: Path) -> None:
    up = {"up_s": 100.0, "asleep_s": 2.0}
    reading, writing = os.pipe()
    beats = runner.Beats(
        tmp_path / "beat", runner.Log(writing), in_log=True,
        clock=lambda: (up["up_s"], up["asleep_s"]),
    )  # fmt: skip
    up["up_s"] += 3
    beats.beat()  # it is not time yet
    assert json.loads((tmp_path / "beat").read_bytes())["at"] == [100.0, 2.0]
    up["up_s"], up["asleep_s"] = 28_910.0, 28_802.0
    beats.beat(at_once=True)
    said = json.loads((tmp_path / "beat").read_bytes())
    assert (said["began"], said["at"]) == ([100.0, 2.0], [28_910.0, 28_802.0])
    assert beats.asleep_s == 28_800
    os.close(writing)
    with os.fdopen(reading) as pipe:
        lines = [json.loads(line) for line in pipe]
    assert [line[0] for line in lines] == [0, 1, 0]
    assert json.loads(lines[1][5]) == {"event": "asleep", "seconds": 28_800}


def test_a_disk_that_takes_no_beat_ends_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    beats = runner.Beats(tmp_path / "gone" / "beat", runner.Log(writing), in_log=False)
    beats.beat(at_once=True)
    os.close(writing)
    os.close(reading)
    assert beats.asleep_s == pytest.approx(0, abs=1)
