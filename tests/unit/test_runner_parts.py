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


def column(*parts: str) -> str:
    name = ", ".join(f'Identifier("{part}")' for part in parts)
    return f"attribute ObjectName([{name}]) is missing from the schema: cannot resolve attribute"


def table(name: str) -> str:
    return f"Table not found: [TABLE_OR_VIEW_NOT_FOUND] Table or view not found: {name}"


@pytest.mark.row("G5")
@pytest.mark.parametrize(
    ("marked", "message"),  # «…» marks where the error is; several marks: each can be meant
    [
        ("SELECT a AS total FROM t WHERE «total > 0", column("total")),
        ("SELECT a AS total FROM t WHERE (b = 1 AND «total > 0) ORDER BY total", column("total")),
        (
            "SELECT id, upper(«name) AS n FROM VALUES (1) AS t(id) WHERE «name = 'x'",
            column("name"),
        ),
        ("SELECT 'nope' /* nope */, «nope -- nope\nFROM t", column("nope")),
        ("SELECT nope.a, a.nope, nope(1), «nope FROM t AS nope", column("nope")),
        ("SELECT a.b, «b FROM t", column("b")),
        ("SELECT nope, «t.nope FROM t", column("t", "nope")),
        ("SELECT «t . nope FROM t", column("t", "nope")),
        ("SELECT «`wei rd` FROM t", column("wei rd")),
        ("SELECT «`t`.`é x` FROM t", column("t", "é x")),
        ("SELECT «NOPE, 'nope' FROM t", column("nope")),
        ("SELECT nope, «Nope FROM t", column("Nope")),
        ("SELECT a nope FROM t GROUP BY «nope", column("nope")),
        ("WITH c(nope) AS (SELECT 1) SELECT «nope FROM d", column("nope")),
        ("SELECT 1 FROM t WHERE upper(a) IN («nope)", column("nope")),
        ("SELECT 1 FROM VALUES (1) u(nope) JOIN v ON («nope = 1)", column("nope")),
        ("SELECT CASE WHEN a THEN «nope ELSE 1 END FROM t", column("nope")),
        ("SELECT 1", column("nope")),
        ("SELECT * FROM a JOIN b USING («k)", "[UNRESOLVED_COLUMN] Cannot find column k"),
        ("SELECT «a FROM t, u", 'ambiguous attribute: ObjectName([Identifier("a")])'),
        ("SELECT * FROM «nope", table("nope")),
        ("SELECT nope FROM «s.nope AS nope", table("nope")),
        ("SELECT 'nope' FROM a, «nope", table("nope")),
        ("SELECT * FROM «nope a JOIN «nope b", table("nope")),
        ("WITH a AS (SELECT 1), nope AS (SELECT * FROM «nope) SELECT * FROM nope", table("nope")),
        ("WITH t(n) AS (SELECT * FROM a), u AS (SELECT * FROM «v) SELECT * FROM u, t", table("v")),
        ("INSERT INTO «s.nope VALUES (1)", "The table or view `nope` cannot be found"),
        ("DROP TABLE «nope", "Table not found: nope"),
        ("SELECT uper, «uper(a), 'uper(' FROM t", "unknown function: uper"),
        ("SELECT CAST(«'abc' AS INT)", "Cannot cast string 'abc' to value of Int32 type"),
        ("SELECT '😀\t', a «b c FROM t", "invalid argument: found b at 18:19 expected ','"),
        ("SELECT 1 AS a «", "found end of input expected ','"),
        (
            "SELECT DATE «'abc'",
            "invalid argument: found a at 0:1 expected '-', '+', '0', '1', or '9'",
        ),
        ("SELECT 1/0", "divide by zero"),
    ],
)
def test_an_error_stands_where_it_is_meant_or_nowhere(marked: str, message: str) -> None:
    text = marked.replace("«", "")
    cuts = [len(piece) for piece in marked.split("«")[:-1]]
    wanted = [sum(cuts[: number + 1]) for number in range(len(cuts))]
    assert list(runner.explain(text, message).places) == wanted


def a_list_of(*words: str) -> str:
    return ", ".join(f"'{word}'" for word in words)


@pytest.mark.row("G5")
@pytest.mark.parametrize(
    ("text", "message", "headline"),
    [
        ("SELECT o_totalprise FROM t", column("o_totalprise"), "There is no column o_totalprise."),
        ("SELECT `a b`.c FROM t", column("a b", "c"), "There is no column a b.c."),
        ("SELECT * FROM s.orders_daly", table("orders_daly"), "There is no table s.orders_daly."),
        (
            "WITH RECURSIVE t(n) AS (SELECT n + 1 FROM t) SELECT * FROM t",
            table("t"),
            "The engine has no WITH RECURSIVE: t cannot read from itself.",
        ),
        ("SELECT * FROM orc.`/x`", table("/x"), "The engine has no data format orc."),
        ("SELECT uper(a)", "unknown function: uper", "There is no function uper."),
        ("SELECT f(1)", "Function not found: f", "There is no function f."),
        ("USE CATALOG c", "Catalog not found: c", "There is no catalog c."),
        ("SELECT * FROM d.t", "Database not found: d", "There is no database d."),
        ("CREATE TABLE t", "Table already exists: t", "There is already a table t."),
        (
            "SELECT row_number() FROM t",
            "unknown function: row_number",
            "row_number needs a window; write row_number(…) OVER (…).",
        ),
        (
            "SELECT upper('a', 'b')",
            'one value expected: [Literal(Utf8("a"), None), Literal(Utf8("b"), None)]',
            "upper takes one argument.",
        ),
        (
            "SELECT substring('abc')",
            "invalid argument: substr requires 2 or 3 arguments",
            "substr takes 2 or 3 arguments.",
        ),
        (
            "SELECT sum('a', 1)",
            "No function matches the given name and argument types 'sum(Utf8, Decimal128(10, 2))'. You might",
            "sum does not take these arguments: (STRING, DECIMAL).",
        ),
        (
            "SELECT CAST(a AS INT)",
            "Cast error: Cannot cast string 'abc' to value of Int32 type",
            "'abc' is not a whole number (INT).",
        ),
        (
            "SELECT CAST('99999999999' AS INT)",
            "Cannot cast string '99999999999' to value of Int32 type",
            "'99999999999' is too large for INT.",
        ),
        (
            "SELECT CAST('x' AS DECIMAL)",
            "Cannot cast string 'x' to value of Decimal128(38, 10) type",
            "'x' is not a number (DECIMAL).",
        ),
        (
            "SELECT to_date('x')",
            '[CAST_INVALID_INPUT] The value \'x\' of the type "STRING" cannot be cast to "DATE" because',
            "'x' is not a date (DATE).",
        ),
        (
            "SELECT TIMESTAMP '2026-01-01 25:30:00'",
            "invalid argument: TimeValue { hour: 25, minute: 30, second: 0, nanoseconds: 0 }",
            "There is no time 25:30:00.",
        ),
        (
            "SELECT 1 + 'abc'",
            "Cannot coerce arithmetic expression Int32 + Utf8 to valid types",
            "INT and STRING do not go together with +; cast one of them.",
        ),
        ("SELECT a / 0", "divide by zero", "Division by zero."),
        ("SELECT a % 0", "Remainder by zero", "Division by zero."),
        (
            "SELECT abs(a)",
            "[ARITHMETIC_OVERFLOW] integer overflow on abs(-1)",
            "Overflow in abs(-1).",
        ),
        ("SELECT raise_error('no day')", "no day", "no day"),
        ("SELECT raise_error('divide by zero')", "divide by zero", "divide by zero"),
        (
            "SELECT raise_error('found x at 27:28 expected y')",
            "found x at 27:28 expected y",
            "found x at 27:28 expected y",
        ),
        (
            "SELECT * FORM t",
            f"invalid argument: found t at 14:15 expected {a_list_of('FROM', 'WHERE')}",
            "Unexpected FORM: did you mean FROM?",
        ),
        (
            "SELCT 1",
            "invalid argument: found SELCT at 0:5 expected something else, ';', statement, or end of input",
            "Unexpected SELCT: did you mean SELECT?",
        ),
        ("SELECT a )", "invalid argument: found ) at 9:10 expected ','", "Unexpected ')'."),
        (
            "SELECT (1",
            "invalid argument: found end of input expected ')'",
            "The statement ends too early: something is missing.",
        ),
        (
            "SELECT CAST(1 AS FOO)",
            "found FOO at 17:20 expected data type",
            "There is no data type FOO.",
        ),
        (
            "SELECT a FROM t, u",
            'ambiguous attribute: ObjectName([Identifier("a")])',
            "More than one table has a column a; say which one is meant.",
        ),
        (
            "SELECT a, count(*) FROM t",
            'No field named t."#1".\nValid fields are "count(Int64(1))".',
            "A column is neither in GROUP BY nor in an aggregate.",
        ),
        (
            "SELECT 1 FROM t WHERE count(*) > 1",
            "Physical plan does not support logical expression AggregateFunction(AggregateFunction { func",
            "An aggregate is not allowed here; filter groups with HAVING.",
        ),
        (
            "SELECT * FROM delta.`/x`",
            "Invalid table location: No commit files found in _delta_log",
            "There is no Delta table at this path.",
        ),
        (
            "UPDATE t SET a = 1",
            "Data source 'parquet' does not support lake operations",
            "UPDATE, DELETE and MERGE need a Delta or Iceberg table; this one is parquet.",
        ),
        # messages that nobody knew of
        (
            "SELECT 1",
            "PlanError: internal error: something is off at 27:28 in Plan { a: 1, b: Some(2) }. More",
            "Something is off.",
        ),
        (
            "SELECT f(1)",
            "f should only be called with a List(Int32). More.",
            "f should only be called with a ARRAY(INT).",
        ),
        ("SELECT 1", "", "The engine gave an error that it does not explain."),
    ],
)
def test_each_kind_of_error_is_one_plain_line(text: str, message: str, headline: str) -> None:
    assert runner.explain(text, message).headline == headline


REFUSED = (
    "invalid argument: found X at 0:1 expected something else, ';', statement, or end of input"
)


@pytest.mark.row("G5")
@pytest.mark.parametrize(
    ("text", "message", "said"),
    [
        ("SET a.b = 1", 'Could not find config namespace "a"', "no SET; a Python job can set"),
        ("/* x */ set\n time zone 'UTC'", REFUSED, "no SET TIME ZONE; a Python job can set"),
        ("SET VAR x = 1", REFUSED, "no SQL variables; put the value into the job's parameters"),
        ("USE a.b", REFUSED, "write USE DATABASE a.b."),
        ("FROM t SELECT a", REFUSED, "does not take FROM first; write SELECT before it."),
        (
            "SELECT 1 |> WHERE a",
            "found | at 9:10 expected ','",
            "no |> (pipe syntax); write one SELECT.",
        ),
        ("CACHE TABLE x AS SELECT 1", "PlanNode::CacheTable", "write CREATE TEMP VIEW x AS …"),
        ("CACHE TABLE x", "PlanNode::CacheTable", "no CACHE TABLE; leave it out."),
        ("UNCACHE TABLE x", "PlanNode::UncacheTable", "no UNCACHE TABLE; leave it out."),
        ("DESC v", REFUSED, "does not take DESC alone; write DESCRIBE TABLE v."),
        ("DESCRIBE FORMATTED v", REFUSED, "write DESCRIBE TABLE EXTENDED v."),
        ("DESCRIBE SELECT 1", "CommandNode::DescribeQuery", "cannot describe a query"),
        ("EXECUTE IMMEDIATE 'x'", REFUSED, "no EXECUTE IMMEDIATE; write the statement itself"),
        ("BEGIN\n DECLARE x INT", REFUSED, "no SQL scripts (BEGIN … END, IF, loops)"),
        ("START TRANSACTION", REFUSED, "no transactions"),
        ("ANALYZE TABLE v COMPUTE STATISTICS", "CommandNode::AnalyzeTable", "no ANALYZE"),
        ("REFRESH TABLE v", "PlanNode::RefreshTable", "no REFRESH"),
        ("LIST JAR", REFUSED, "no LIST JAR: it runs no Java."),
        ("SHOW PARTITIONS v", REFUSED, "no SHOW PARTITIONS"),
        ("SHOW CREATE TABLE v", "SHOW CREATE TABLE", "no SHOW CREATE TABLE"),
        ("CREATE FUNCTION f AS 'x'", REFUSED, "a Python job can register one"),
        (
            "LOAD DATA INPATH '/x' INTO TABLE t",
            "CommandNode::LoadData",
            "no LOAD DATA; write INSERT",
        ),
        ("TRUNCATE TABLE s.v", REFUSED, "write DELETE FROM s.v"),
        ("VACUUM v", REFUSED, "no VACUUM"),
        (
            "ALTER TABLE v RENAME TO w",
            "unsupported ALTER TABLE operation",
            "cannot do this ALTER TABLE",
        ),
        ("SOME NEW THING", "CommandNode::SomeThing", "The engine has no SOME THING."),
    ],
)
def test_what_the_engine_does_not_have_says_what_to_do_instead(
    text: str, message: str, said: str
) -> None:
    told = runner.explain(text, message)
    assert said in told.headline
    assert len(told.places) == 1


@pytest.mark.row("G5")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("USE DATABASE nope", "Database not found: nope"),
        ("DESCRIBE TABLE nope", table("nope")),
        ("DESCRIBE TABLE v w", "invalid argument: found w at 17:18 expected ';'"),
        ("SHOW TABLES x", "invalid argument: found x at 12:13 expected ';'"),
    ],
)
def test_a_statement_that_the_engine_has_is_no_gap(text: str, message: str) -> None:
    assert runner.gap(text, message) is None


@pytest.mark.row("G5")
def test_offsets_of_the_engine_become_places_of_the_text() -> None:
    text = "-- é\r\nSELECT 1;\r\n\tSELECT '😀' a b"
    statement = runner.split(text)[1]
    starts = runner.line_starts(text)
    said = "found b at 16:17 expected ','"
    assert runner.with_places(statement, starts, said) == (
        "found b at line 3, column 15 expected ','"
    )
    other = "found a at 0:1 expected '-'"  # inside of a literal
    assert runner.with_places(statement, starts, other) == "found a expected '-'"


def test_a_long_line_is_told_around_its_column() -> None:
    line = "".join(chr(97 + n % 26) for n in range(5_000))
    found = runner.cut_around(line, 3_000)
    assert len(found["text"]) == runner.QUOTED
    assert found["text"][3_000 - found["text_from"]] == line[2_999]
    assert runner.cut_around(line, 4_999)["text"].endswith(line[-3:])
    assert runner.cut_around("short", 3) == {"text": "short"}


@pytest.mark.row("G5")
@pytest.mark.parametrize(
    ("said", "advice", "headline"),
    [
        ("", "", ""),
        ("ValueError: no", "", "ValueError: no"),
        ("ValueError: no\nmore", "Do.", "ValueError: no. Do."),
        (
            "pyspark.errors.exceptions.connect.AnalysisException: ObjectName",
            "Do.",
            "AnalysisException: Do.",
        ),
        (f"E: {'x' * 999}", "Do.", f"E: {'x' * 291}… Do."),
    ],
)
def test_a_python_error_and_its_hint_are_one_line(said: str, advice: str, headline: str) -> None:
    assert runner.with_hint(said, advice) == headline


SPARK = "pyspark.errors.exceptions."


@pytest.mark.row("G5")
@pytest.mark.parametrize(
    ("kind", "message", "said"),
    [
        (
            "NameError",
            "name 'spark' is not defined",
            "no ready-made spark: begin with spark = Spark",
        ),
        ("NameError", "name 'sc' is not defined", "There is no SparkContext"),
        (
            "NameError",
            "name 'dbutils' is not defined",
            "its parameters as JSON in the variable QUARTER",
        ),
        ("NameError", "name 'display' is not defined", "use print(…) or .show()."),
        ("NameError", "name 'sparkle' is not defined", ""),
        (
            "ImportError",
            "cannot import name 'SparkContext' from 'pyspark' (/x)",
            "no SparkContext",
        ),
        ("ModuleNotFoundError", "No module named 'py4j'", "There is no SparkContext"),
        (
            "ModuleNotFoundError",
            "No module named 'pyspark.dbutils'",
            "There are no notebook tools",
        ),
        ("ModuleNotFoundError", "No module named 'delta.tables'", ""),
        (
            f"{SPARK}base.PySparkRuntimeError",
            "[CANNOT_CONFIGURE_SPARK_CONNECT_MASTER] Spark Connect server and Spark master cannot",
            "leave out .master(…)",
        ),
        (
            f"{SPARK}base.PySparkAttributeError",
            "[JVM_ATTRIBUTE_NOT_SUPPORTED] Attribute `sparkContext` is not supported in Spark Connect",
            "There is no sparkContext",
        ),
        (f"{SPARK}connect.AnalysisException", column("t", "x"), "There is no column t.x."),
        (f"{SPARK}connect.AnalysisException", table("nope"), "There is no table nope."),
        (
            f"{SPARK}connect.UnsupportedOperationException",
            "PlanNode::CacheTable",
            "The engine has no CACHE TABLE.",
        ),
        (f"{SPARK}connect.AnalysisException", "something new", ""),
        ("ValueError", "Table not found: x", ""),
        ("ZeroDivisionError", "division by zero", ""),
    ],
)
def test_a_python_error_has_a_hint_where_one_is_known(kind: str, message: str, said: str) -> None:
    found = runner.hint(kind, message)
    assert said in found
    assert bool(said) == bool(found)


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
    word |= {"headline": text * 50, "place": {"line": 3, "text": (text * 50)[: runner.QUOTED]}}
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


@pytest.mark.row("G5")
def test_an_error_is_told_though_its_file_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "job.py"
    facts = {"kind": "ValueError", "message": "no rows", "at": [str(file), 2, 0]}
    assert runner.read_failure(facts, {}) == runner.Failed("ValueError: no rows")
    file.write_text("# coding: nonsense\nraise ValueError('no rows')\n")
    assert runner.read_failure(facts, {}) == runner.Failed("ValueError: no rows")
    file.write_bytes(b"# coding: latin-1\nx = 'caf\xe9'; raise ValueError('no rows')\n")
    told = runner.read_failure({**facts, "at": [str(file), 2, 12]}, {})
    assert told.place is not None
    assert told.place["text"] == "x = 'caf\u00e9'; raise ValueError('no rows')"
