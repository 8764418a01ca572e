"""The runner as a process, with the real engine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarterdeck.model import wire
from quarterdeck.wiring import uptime
from tests.support.attempt import Attempt, sql

LONG_QUERY = "select sum(a.id * b.id) as s from range(1000000) a cross join range(1000000) b"
ENDLESS = "select count(*) as n from range(1000000000000) where id % 7 = 3"
PID_NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child")
WAYS = pytest.mark.parametrize("wrap", [(), PID_NAMESPACE], ids=["marked", "namespace"])
STUBBORN = """\
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Attempt]:
    made = Attempt(tmp_path)
    yield made
    made.end()


def wheel_of(text: str) -> bytes:
    """Return a wheel `tiny` 1.0 whose module `tiny.job` is `text`."""
    info = "tiny-1.0.dist-info"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("tiny/__init__.py", "")
        archive.writestr("tiny/job.py", text)
        archive.writestr("alone/job.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return data.getvalue()


def possible(wrap: tuple[str, ...]) -> None:
    trial = [*wrap, "true"]
    if wrap and subprocess.run(trial, check=False).returncode:  # ours
        pytest.skip("PID namespaces are not allowed here")


def test_statements_run_in_order_and_results_are_kept(attempt: Attempt, tmp_path: Path) -> None:
    word = attempt.start(
        sql(
            "\ufeff-- what it does; and how\n"
            "select 1 as a, 'x' as a, cast(1.50 as decimal(5,2)) as d;\n"
            "create table t using parquet location 'FOLDER' as select id from range(3);\n"
            "insert into t values (7); select count(*) as n from t;\n"
            "select id from range(3000);;\n"
            "select x'ff00' b, date'20000-01-01' d, interval '3' month m,"
            " named_struct('x', 1, 'x', 2) s, cast('nan' as double) n, map('k', 1) k,"
            " timestamp'2020-01-01 01:02:03' t, null z, array() a, interval '36' hour i;\n"
            "select concat(:who, ';') as w".replace("FOLDER", str(tmp_path / "t"))
        ),
        parameters={"who": "Zoë", "unused": {"a": 1}},
        settings=[{"option": "execution.batch_size", "value": 4096, "from": "job"}],
    ).wait()
    assert (word["state"], word["reason"]) == ("succeeded", None)
    assert word["statements_done"] == [1, 2, 3, 4, 5, 6, 7]
    found = attempt.results()
    assert found[1]["rows"] == [[1, "x", "1.50"]]
    assert [column["name"] for column in found[1]["columns"]] == ["a", "a", "d"]
    assert found[2]["row_count"] is None
    assert found[4]["rows"] == [[4]]
    assert found[5]["rows"] == [[n] for n in range(wire.RESULT_ROWS)]
    assert (found[5]["row_count"], found[5]["truncated"]) == (3000, True)
    assert found[6]["rows"] == [
        [
            *("/wA=", "20000-01-01", "unsupported", [["x", 1], ["x", 2]], "NaN", {"k": 1}),
            *("2020-01-01T01:02:03+00:00", None, [], "PT129600S"),
        ]
    ]
    assert found[7]["rows"] == [["Zoë;"]]
    [options] = attempt.events("options")
    assert options["values"]["execution.batch_size"] == "4096"
    assert options["values"]["runtime.stack_size"] == "268435456"


@pytest.mark.row("R6", "F5")
def test_it_says_that_it_lives_in_a_file_and_where_only_the_log_comes_out_there(
    attempt: Attempt,
) -> None:
    attempt.launch["beat_in_log"] = True
    word = attempt.start(sql("select 1")).wait()
    said = json.loads((attempt.out / wire.BEAT_FILE).read_bytes())
    here = uptime()
    assert said["boot_id"] == here.boot
    for up_s, asleep_s in (said["began"], said["at"]):
        assert here.up_s - 30 < up_s <= here.up_s
        assert asleep_s == pytest.approx(here.asleep_s, abs=1)
    assert word["asleep_s"] == pytest.approx(0, abs=1)
    raw = (attempt.out / wire.LOG_FILE).read_text().splitlines()
    beats = [json.loads(line) for line in raw if json.loads(line)[3] == wire.BEAT]
    assert len(beats) >= 2  # at its first line, and before its last word
    for number, at_ms, origin, _, more, text in beats:
        assert (number, origin, more, text) == (0, "runner", 0, "")
        assert word["began_ms"] <= at_ms <= word["ended_ms"]
    kept = [json.loads(line)[0] for line in raw if json.loads(line)[3] != wire.BEAT]
    assert kept == list(range(1, word["lines"] + 1))


def test_log_and_last_word_agree_and_nothing_is_left(attempt: Attempt) -> None:
    word = attempt.start(sql("select 'a'; select 'b'")).wait()
    lines = attempt.lines()
    names = [json.loads(line.text)["event"] for line in lines if line.stream == "event"]
    assert (names[0], names[-1]) == ("began", "ended")
    assert lines[-1].stream == "event"
    assert word["lines"] == len(lines)
    kept = [line for line in lines if line.stream == "result"]
    digest = hashlib.sha256("\n".join(line.text for line in kept).encode()).hexdigest()
    assert word["result"] == {
        "first": kept[0].number,
        "last": kept[-1].number,
        "lines": len(kept),
        "sha256": digest,
    }
    phases = [event["phase"] for event in attempt.events("phase")]
    assert phases == ["starting", "running", "ending"]
    assert not (attempt.out / wire.SCRATCH_FOLDER).exists()
    assert attempt.alive() == []


def test_failing_statement_is_named_with_its_place(attempt: Attempt) -> None:
    text = "select 1;\n  select 'größe' as ü from range(1) some other;\nselect 3"
    word = attempt.start(sql(text)).wait()
    assert (word["state"], word["reason"]) == ("failed", "user_error")
    assert word["exit_code"] == wire.EXIT_STATEMENT
    assert (word["statement"], word["object"]) == ([2, 3], "statement 2 of 3")
    assert (word["line"], word["column"]) == (2, 37)
    assert word["statements_done"] == [1]
    assert word["headline"] == "Unexpected some."
    place = {"what": "statement", "number": 2, "of": 3, "line": 2, "column": 37, "file": None}
    assert word["place"] == {**place, "text": "  select 'größe' as ü from range(1) some other;"}
    [event] = attempt.events("statement_failed")
    assert event["offset"] == text.index("some")
    assert event["kind"] == "IllegalArgumentException"


def test_unknown_table_is_found_in_the_text(attempt: Attempt) -> None:
    word = attempt.start(sql("select 1\n  from\n  nope n")).wait()
    assert (word["reason"], word["line"], word["column"]) == ("user_error", 3, 3)
    assert word["headline"] == "There is no table nope."


@pytest.mark.row("G5")
def test_what_has_no_place_of_its_own_is_told_by_its_statement(attempt: Attempt) -> None:
    text = "SELECT 1 AS ok;\n  SELECT 2 AS ok2; SELECT 1 / 0"
    word = attempt.start(sql(text)).wait()
    assert word["headline"] == "Division by zero."
    assert (word["object"], word["line"], word["column"]) == ("statement 3 of 3", 2, 20)


@pytest.mark.row("G5")
@pytest.mark.parametrize(
    ("text", "number", "line", "column", "headline"),
    [
        (
            "select 1 as ok; select cast('abc' as int) as bad",
            2, 1, 29, "'abc' is not a whole number (INT).",
        ),
        ("select 1;\n  select 2; select raise_error('x')", 3, 2, 20, "x"),
        ("select 1; -- two\r\n\tselect 2,\r\n\t'😀', nope", 2, 3, 7, "There is no column nope."),
        ("select 1;\n\nselect 1 / 0", 2, 3, None, "Division by zero."),
        (
            "select a as total\nfrom values (1) as t(a)\nwhere total > 0",
            1, 3, 7, "There is no column total.",
        ),
        (
            "select id, upper(name) as n\nfrom values (1) as t(id)\nwhere name = 'x'",
            1, 1, None, "There is no column name.",
        ),
        (
            "create view y as with recursive t(n) as\n(values (1) union all select n from t) select * from t",
            1, 2, 37, "The engine has no WITH RECURSIVE: t cannot read from itself.",
        ),
        ("create temp view v as select 1 as a; describe v", 2, 1, 38,
         "The engine does not take DESCRIBE alone; write DESCRIBE TABLE v."),
    ],
)  # fmt: skip
def test_an_error_has_its_line_and_the_column_where_it_is_sure(
    attempt: Attempt, text: str, number: int, line: int, column: int | None, headline: str
) -> None:
    word = attempt.start(sql(text)).wait()
    assert word["headline"] == headline
    place = word["place"]
    assert (place["what"], place["number"], place["of"]) == (
        "statement",
        number,
        text.count(";") + 1,
    )
    assert (place["line"], place["column"], place["file"]) == (line, column, None)
    assert place["text"] == re.split(r"\r\n|\n", text)[line - 1]
    assert (word["line"], word["column"]) == (line, column)
    assert not any(re.search(r"\b\d+:\d+\b", each) for each in word["evidence"])


@pytest.mark.row("G5")
def test_a_long_line_is_quoted_around_the_error(attempt: Attempt) -> None:
    many = ", ".join(f"{number} as c{number}" for number in range(500))
    text = f"select {many}, nope, {many}"
    word = attempt.start(sql(text)).wait()
    place = word["place"]
    assert place["column"] == text.index("nope") + 1
    assert len(place["text"]) <= 500
    assert place["text"][place["column"] - place["text_from"] :].startswith("nope")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("select 1;\nselect 'a", "A string begins here and is never closed. (line 2, column 8)"),
        ("-- nothing\n;", "There is no statement in the text."),
        ("drop table :day", "Parameters (:day) can be bound in queries only"),
    ],
)
def test_text_that_cannot_run_ends_before_the_engine(
    attempt: Attempt, text: str, message: str
) -> None:
    word = attempt.start(sql(text), parameters={"day": "x"}).wait()
    assert (word["reason"], word["exit_code"]) == ("user_error", wire.EXIT_CONFIG)
    assert word["message"].startswith(message)
    assert attempt.events("engine") == []


def test_python_payload_uses_the_engine_its_arguments_and_parameters(attempt: Attempt) -> None:
    source = attempt.python(
        "import os, sys, json\n"
        "from pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "given = json.loads(os.environ['QUARTERDECK_PARAMETERS'])\n"
        "print(spark.range(5).count(), sys.argv[1:], given)\n"
        "print(os.environ['GREETING'], [k for k in os.environ if k.startswith('SAIL_')])\n"
        "sys.stdout.buffer.write(b'caf\\xe9 \\xc3\\xa9\\n' + 'é'.encode() * 9000 + b'\\nno end')\n",
        "--all",
        "a b",
    )
    env = {"GREETING": "hi", "SAIL_MODE": "bogus"}
    word = attempt.start(source, parameters={"day": "ü"}, env=env).wait()
    assert word["state"] == "succeeded"
    assert attempt.texts("payload") == [
        "5 ['--all', 'a b'] {'day': 'ü'}",
        "hi []",
        "caf\udce9 é",
        "é" * 9000,
        "no end",
    ]
    sizes = [len(line.text.encode(errors="surrogateescape")) for line in attempt.lines()]
    assert max(sizes) <= wire.LINE_LIMIT


def test_python_payload_that_raises_says_the_error(attempt: Attempt) -> None:
    text = (
        "from pyspark.sql import SparkSession\n"
        "SparkSession.builder.getOrCreate().sql('select nope').collect()"
    )
    word = attempt.start(attempt.python(text)).wait()
    assert (word["state"], word["reason"], word["exit_code"]) == ("failed", "user_error", 1)
    assert "AnalysisException" in word["message"]
    assert any("Traceback" in line for line in attempt.texts("payload", "stderr"))
    [said] = attempt.texts("runner", "stderr")  # the last line that people see
    assert said == "failed (user_error): AnalysisException: There is no column nope."
    assert word["headline"] == "AnalysisException: There is no column nope."
    assert (word["place"]["file"], word["place"]["line"]) == ("job.py", 2)
    assert [line for line in attempt.lines() if line.stream == "stderr"][-1].text == said


PYTHON = {
    "a group, with what is in it": (
        "raise ExceptionGroup('loads failed', [ValueError('a'), ExceptionGroup('in', [KeyError('k')])])",
        "ExceptionGroup: loads failed: ValueError: a; KeyError: 'k'", 1,
    ),
    "in a depth of many frames": (
        "def f(n):\n    return f(n - 1) if n else {}['id']\nf(40)", "KeyError: 'id'", 2,
    ),
    "without an end": ("def f():\n    f()\nf()", "RecursionError: maximum recursion depth exceeded", 2),
    "before much else is printed": (
        "import atexit, sys\natexit.register(lambda: print('x\\n' * 99, file=sys.stderr))\nraise OSError(2, 'no')",
        "FileNotFoundError: [Errno 2] no", 3,
    ),
    "with a message that looks like another": (
        "raise ValueError('one\\nTraceback (most recent call last):\\nKeyError: fake')", "ValueError: one", 1,
    ),
    "as a syntax error": ("x = 1\ndef f(:\n    pass", "SyntaxError: invalid syntax", 2),
    "as one of its own kind": (
        "class Late(Exception): ...\ntry:\n    1 / 0\nexcept Exception as e:\n    raise Late('day 3') from e",
        "Late: day 3", 5,
    ),
    "in what it imports": ("import json\njson.loads('{')", None, 2),
    "with what another Spark has": (
        "spark.range(3)",
        (
            "NameError: name 'spark' is not defined. There is no ready-made spark: begin with "
            "spark = SparkSession.builder.getOrCreate()."
        ),
        1,
    ),
}  # fmt: skip


@pytest.mark.row("G5")
@pytest.mark.parametrize("case", PYTHON)
def test_the_exception_that_ended_a_script_is_told_with_its_line(
    attempt: Attempt, case: str
) -> None:
    text, headline, line = PYTHON[case]
    word = attempt.start(attempt.python(text)).wait()
    assert headline in (None, word["headline"])
    place = word["place"]
    assert (place["what"], place["file"], place["line"]) == ("file", "job.py", line)
    assert place["text"] == text.split("\n")[line - 1]
    printed = attempt.texts("payload", "stderr")
    assert not [one for one in printed if "sitecustomize" in one]


@pytest.mark.row("G5")
@pytest.mark.parametrize(
    ("text", "headline"),
    [
        (
            "import sys; sys.exit('no day was given')",
            "The code ended with exit code 1: no day was given",
        ),
        ("import os; os._exit(3)", "The code ended with exit code 3."),
        (
            "import sys; sys.excepthook = lambda *a: print('mine'); 1 / 0",
            "The code ended with exit code 1.",
        ),
        (
            "import os, sys\nif os.fork() == 0:\n    1 / 0\nos.wait()\nsys.exit(4)",
            "The code ended with exit code 4.",
        ),
    ],
)
def test_an_end_without_an_exception_is_told_by_its_code(
    attempt: Attempt, text: str, headline: str
) -> None:
    word = attempt.start(attempt.python(text)).wait()
    assert (word["headline"], word["place"]) == (headline, None)


@pytest.mark.row("A6")
@pytest.mark.parametrize(
    ("body", "headline"),
    [
        (
            "return {'rows': 3}",
            "tiny.job:main returned {'rows': 3}, which Python takes for a failure. Return None or 0.",
        ),
        (
            "return True",
            "tiny.job:main returned True, which Python takes for a failure. Return None or 0.",
        ),
        (
            "return 'fine'",
            "tiny.job:main returned 'fine', which Python takes for a failure. Return None or 0.",
        ),
        ("return 3", "The code ended with exit code 3."),
        ("raise KeyError('region')", "KeyError: 'region'"),
    ],
)
def test_what_a_function_of_a_wheel_returned_is_told(
    attempt: Attempt, body: str, headline: str
) -> None:
    data = wheel_of(f"def main():\n    {body}\n")
    more = {"package": "tiny", "version": "1.0", "entry_point": "tiny.job:main", "args": []}
    word = attempt.start(attempt.file("wheel", "tiny-1.0-py3-none-any.whl", data, **more)).wait()
    assert word["headline"] == headline
    if "raise" in body:
        assert (word["place"]["file"], word["place"]["line"]) == ("job.py", 2)


@pytest.mark.row("A6")
def test_a_program_of_a_wheel_is_called_after_its_function(attempt: Attempt) -> None:
    data = wheel_of("import sys\ndef main():\n    print(sys.argv)\n    return 0\n")
    more = {"package": "tiny", "version": "1.0", "entry_point": "tiny.job:main", "args": ["x"]}
    word = attempt.start(attempt.file("wheel", "tiny-1.0-py3-none-any.whl", data, **more)).wait()
    assert word["state"] == "succeeded"
    assert attempt.texts("payload") == ["['main', 'x']"]


def test_flood_of_lines_is_written_whole(attempt: Attempt) -> None:
    text = "import sys\nsys.stdout.write(''.join(f'line {n}\\n' for n in range(100_000)))"
    assert attempt.start(attempt.python(text)).wait()["state"] == "succeeded"
    assert attempt.texts("payload") == [f"line {n}" for n in range(100_000)]
    times = [line.at_ms for line in attempt.lines() if line.origin == "payload"]
    assert times[-1] - times[0] < 2_000


@pytest.mark.parametrize(
    ("act", "code", "said"),
    [
        ("sys.exit(3)", 3, "exit code 3"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", 128 + signal.SIGSEGV, "SIGSEGV"),
    ],
)
def test_payload_exit_is_said_as_it_came(attempt: Attempt, act: str, code: int, said: str) -> None:
    word = attempt.start(attempt.python(f"import os, signal, sys\n{act}")).wait()
    assert (word["reason"], word["exit_code"]) == ("user_error", code)
    assert said in word["message"]


def test_wheel_is_installed_and_its_entry_point_called(attempt: Attempt) -> None:
    text = "import sys\ndef main():\n    print('from the wheel', sys.argv[1:])\n    return 3\n"
    data = wheel_of(text)
    more = {"package": "tiny", "version": "1.0", "entry_point": "tiny.job:main", "args": ["x"]}
    word = attempt.start(attempt.file("wheel", "tiny-1.0-py3-none-any.whl", data, **more)).wait()
    assert (word["reason"], word["exit_code"]) == ("user_error", 3)
    assert attempt.texts("payload") == ["from the wheel ['x']"]
    assert attempt.texts("installer")


WHERE = """\
import json, subprocess, sys
import sitecustomize, here
CHILD = "import here, sitecustomize, tiny.job, sys; print(sys.path[1:])"
def main():
    print(json.dumps([sitecustomize.__file__, here.__file__, sys.path]))
    print(subprocess.run([sys.executable, "-P", "-c", CHILD], capture_output=True, text=True).stdout.strip())
"""


@pytest.mark.row("A6")
def test_a_wheel_stands_before_what_is_installed_and_hides_none_of_it(
    attempt: Attempt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "installed"
    installed.mkdir()
    for name in ("sitecustomize", "here", "tiny", "alone"):
        (installed / f"{name}.py").write_text("")
    attempt.launch["payload_path"] = [str(installed)]
    monkeypatch.setenv("PYTHONPATH", str(installed))  # as in a pod, where the image says so
    attempt.flags = ["-P"]
    more = {"package": "tiny", "version": "1.0", "entry_point": "tiny.job:main", "args": []}
    source = attempt.file("wheel", "tiny-1.0-py3-none-any.whl", wheel_of(WHERE), **more)
    word = attempt.start(source).wait()
    assert word["state"] == "succeeded", attempt.texts("payload", "stderr")
    said, child = attempt.texts("payload")
    start, here, path = json.loads(said)
    assert (start, here) == (str(installed / "sitecustomize.py"), str(installed / "here.py"))
    assert path.index(str(attempt.out / "scratch" / "wheels")) < path.index(str(installed))
    assert child == str(path[1:])
    [alone, tiny] = attempt.texts("runner", "stderr")
    assert (
        alone == f"alone is in the wheel and in {installed}: payload and engine import the other."
    )
    assert tiny == (
        f"tiny is in the wheel and in {installed}: the payload imports the wheel's, the engine (functions used"
        " as UDFs) the other."
    )


@pytest.mark.row("A6", "X2")
def test_variables_and_the_working_folder_steer_neither_pip_nor_the_payload(
    attempt: Attempt,
) -> None:
    text = (
        "import sys\n"
        "def main():\n"
        "    open('late.py', 'w').close()\n"
        "    try:\n"
        "        import late\n"
        "    except ModuleNotFoundError:\n"
        "        print('not found', '' in sys.path)\n"
    )
    more = {"package": "tiny", "version": "1.0", "entry_point": "tiny.job:main", "args": []}
    source = attempt.file("wheel", "tiny-1.0-py3-none-any.whl", wheel_of(text), **more)
    env = {"PIP_PREFIX": "/nowhere", "PIP_REQUIRE_HASHES": "1", "PYTHONSTARTUP": "/nowhere"}
    assert attempt.start(source, env=env).wait()["state"] == "succeeded", attempt.lines()
    assert attempt.texts("payload") == ["not found False"]


def test_broken_wheel_is_a_dependency_that_cannot_be_installed(attempt: Attempt) -> None:
    more = {"package": "tiny", "version": "1.0", "entry_point": "tiny.job:main", "args": []}
    source = attempt.file("wheel", "tiny-1.0-py3-none-any.whl", b"not a zip", **more)
    word = attempt.start(source).wait()
    assert (word["reason"], word["exit_code"]) == ("dependency_install", wire.EXIT_INSTALL)
    assert word["object"] == "tiny 1.0"
    assert word["evidence"]
    assert attempt.events("engine") == []


def test_engine_killed_in_the_middle_is_lost_within_seconds(attempt: Attempt) -> None:
    attempt.start(sql(f"select 1; {ENDLESS}"))
    attempt.until(lambda: len(attempt.events("statement")) == 2)
    [engine] = attempt.events("engine")
    os.kill(engine["pid"], signal.SIGKILL)
    word = attempt.wait(5)
    assert (word["reason"], word["exit_code"]) == ("engine_lost", wire.EXIT_ENGINE_LOST)
    assert (word["phase"], word["object"]) == ("running", "statement 2 of 2")
    assert attempt.alive() == []


def test_engine_killed_under_a_payload_takes_it_along(attempt: Attempt) -> None:
    possible(PID_NAMESPACE)
    attempt.start(attempt.python(STUBBORN), wrap=PID_NAMESPACE)
    attempt.until(lambda: attempt.texts("payload"))
    [engine] = attempt.events("engine")
    os.kill(engine["pid"], signal.SIGKILL)
    assert attempt.wait(5)["reason"] == "engine_lost"
    assert attempt.alive() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cluster.bogus": 1}, "unknown field"),
        ({"catalog.default_catalog": "nowhere"}, "Catalog not found"),
    ],
)
def test_options_the_engine_refuses_are_a_config_error(
    attempt: Attempt, options: dict[str, object], said: str
) -> None:
    attempt.launch["engine_options"] = options
    word = attempt.start(sql("select 1")).wait()
    assert (word["reason"], word["phase"]) == ("config_error", "starting")
    assert said in word["message"]


def test_local_cluster_mode_runs_statements(attempt: Attempt) -> None:
    attempt.launch["engine_options"] = {
        "mode": "local-cluster",
        "cluster.worker_initial_count": 2,
        "cluster.worker_max_count": 2,
    }
    assert attempt.start(sql("select sum(id) from range(10)")).wait()["state"] == "succeeded"
    assert attempt.results()[1]["rows"] == [[45]]


def test_timeout_ends_the_run_and_all_of_it(attempt: Attempt) -> None:
    word = attempt.start(sql(LONG_QUERY), timeout_s=3).wait()
    assert (word["state"], word["reason"]) == ("timed_out", "timeout")
    assert (word["exit_code"], word["phase"]) == (wire.EXIT_TIMEOUT, "running")
    assert word["ended_ms"] - word["began_ms"] < 15_000
    assert attempt.alive() == []


def test_timeout_before_the_first_statement_says_starting(attempt: Attempt) -> None:
    word = attempt.start(sql("select 1"), timeout_s=0.01).wait()
    assert (word["state"], word["phase"]) == ("timed_out", "starting")


def test_cancel_during_a_long_query(attempt: Attempt) -> None:
    attempt.start(sql(ENDLESS))
    attempt.until(lambda: attempt.events("statement"))
    attempt.process.terminate()
    word = attempt.wait(15)
    assert (word["state"], word["reason"]) == ("cancelled", "cancelled")
    assert word["exit_code"] == wire.EXIT_CANCELLED
    steps = [event["step"] for event in attempt.events("cancel")]
    assert steps[:2] == ["interrupt", "stop_engine"]
    assert steps[2:] in ([], ["kill_engine"])  # a busy engine may need longer than it is given
    assert attempt.alive() == []


@WAYS
def test_payload_that_ignores_the_wish_is_killed_with_its_children(
    attempt: Attempt, wrap: tuple[str, ...]
) -> None:
    possible(wrap)
    attempt.start(attempt.python(STUBBORN), wrap=wrap)
    attempt.until(lambda: attempt.texts("payload"))
    os.kill(json.loads((attempt.out / wire.IDENTITY_FILE).read_text())["pid"], signal.SIGTERM)
    word = attempt.wait(15)
    assert word["state"] == "cancelled"
    steps = [event["step"] for event in attempt.events("cancel")]
    assert steps[:3] == ["interrupt", "terminate", "kill"]
    assert attempt.alive() == []


def test_second_wish_to_end_is_obeyed_at_once(attempt: Attempt) -> None:
    attempt.launch["grace_s"] = 60
    attempt.start(attempt.python(STUBBORN))
    attempt.until(lambda: attempt.texts("payload"))
    attempt.process.terminate()
    attempt.until(lambda: any(e["step"] == "terminate" for e in attempt.events("cancel")))
    attempt.process.terminate()
    assert attempt.wait(5)["state"] == "cancelled"
    assert attempt.alive() == []


@WAYS
def test_killed_runner_takes_engine_and_payload_along(
    attempt: Attempt, wrap: tuple[str, ...]
) -> None:
    possible(wrap)
    attempt.start(attempt.python(STUBBORN), wrap=wrap)
    attempt.until(lambda: attempt.texts("payload"))
    identity = json.loads((attempt.out / wire.IDENTITY_FILE).read_text())
    os.kill(identity["pid"], signal.SIGKILL)
    attempt.process.wait(5)
    left = 0 if wrap else 1  # the payload's child in a session of its own waits for a sweep
    attempt.until(lambda: len(attempt.alive()) <= left, 5)
    assert not (attempt.out / wire.LAST_WORD_FILE).exists()


def test_attempt_that_had_begun_is_not_started_again(attempt: Attempt) -> None:
    (attempt.out / wire.BEGAN_FILE).touch()
    word = attempt.start(sql("select 1")).wait()
    assert (word["reason"], word["exit_code"]) == ("start_fenced", wire.EXIT_FENCED)
    assert attempt.lines() == []


def test_second_runner_of_an_attempt_leaves_at_once(attempt: Attempt) -> None:
    attempt.start(sql("select 1"), word=False)
    attempt.until((attempt.out / wire.IDENTITY_FILE).exists)
    first = attempt.process
    attempt.run()
    assert attempt.process.wait(10) == 0
    attempt.word()
    assert first.wait(20) == 0
    attempt.run()
    assert attempt.process.wait(10) == wire.EXIT_FENCED
    assert attempt.last_word()["state"] == "succeeded"


def test_cancel_before_the_word_starts_nothing(attempt: Attempt) -> None:
    attempt.start(sql("select 1"), word=False)
    attempt.until((attempt.out / wire.PHASE_FILE).exists)
    attempt.process.terminate()
    word = attempt.wait()
    assert (word["state"], word["phase"], word["began_ms"]) == ("cancelled", "waiting", None)
    assert not (attempt.out / wire.BEGAN_FILE).exists()


def test_word_that_does_not_come_ends_the_wait(attempt: Attempt) -> None:
    attempt.launch["wait_s"] = 0.1
    word = attempt.start(sql("select 1"), word=False).wait()
    assert (word["state"], word["reason"], word["began_ms"]) == ("failed", "lost", None)


def test_runner_leaves_when_its_folder_is_gone(attempt: Attempt) -> None:
    attempt.start(sql("select 1"), word=False)
    attempt.until((attempt.out / wire.PHASE_FILE).exists)
    attempt.out.rename(attempt.out.with_name("elsewhere"))
    assert attempt.process.wait(5) == wire.EXIT_FENCED


def test_inputs_that_are_not_as_frozen_are_refused(attempt: Attempt) -> None:
    attempt.launch["frozen_sha256"] = "0" * 64
    word = attempt.start(sql("select 1")).wait()
    assert (word["reason"], word["exit_code"]) == ("config_error", wire.EXIT_CONFIG)
    assert "SHA-256" in word["message"]


@pytest.mark.row("B13", "B14")
@pytest.mark.parametrize(
    ("name", "frozen"),
    [("engine", "pysail 0.0.1"), ("client", "pyspark-client 1.0"), ("python", "CPython 2.7.0")],
)
def test_another_place_than_the_frozen_one_is_refused_before_anything_runs(
    attempt: Attempt, name: str, frozen: str
) -> None:
    word = attempt.start(attempt.python("print('it ran')"), place={name: frozen}).wait()
    assert (word["reason"], word["object"]) == ("config_error", name)
    assert f"frozen with {frozen}; here is " in word["message"]
    assert not [line for line in attempt.lines() if line.origin != "runner"]


@pytest.mark.row("A12", "X1")
def test_a_secret_reaches_the_payload_and_neither_log_nor_last_word(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARTERDECK_SECRET_TOKEN", "v-4711-v")
    attempt.launch["secrets"] = {"TOKEN": "secret://db/token"}
    text = (
        "import os, sys; t = os.environ['TOKEN']; print('QUARTERDECK_SECRET_TOKEN' in os.environ);"
        " print(len(t), t); sys.exit('with ' + t)"
    )
    word = attempt.start(attempt.python(text), env={"TOKEN": "secret://db/token"}).wait()
    assert word["reason"] == "user_error"
    said = [line.text for line in attempt.lines() if line.origin == "payload"]
    assert said[:2] == ["False", "8 secret://db/token"]
    assert "with secret://db/token" in json.dumps(word)
    assert "v-4711-v" not in json.dumps(word) + (attempt.out / wire.LOG_FILE).read_text()


@pytest.mark.row("A12")
def test_a_secret_that_is_not_here_is_refused_by_its_reference(attempt: Attempt) -> None:
    env = {"TOKEN": "secret://db/token"}
    word = attempt.start(attempt.python("print('it ran')"), env=env).wait()
    assert (word["reason"], word["object"]) == ("config_error", "secret://db/token")
    assert not [line for line in attempt.lines() if line.origin != "runner"]


def test_file_that_is_not_as_frozen_is_refused(attempt: Attempt) -> None:
    source = attempt.python("print('no')")
    (attempt.inputs / wire.FILES_FOLDER / "job.py").write_text("print('other')")
    word = attempt.start(source).wait()
    assert (word["reason"], word["exit_code"]) == ("config_error", wire.EXIT_CONFIG)
    assert attempt.texts("payload") == []


@pytest.mark.long
@pytest.mark.parametrize("query", [LONG_QUERY, ENDLESS])
def test_second_wish_ends_any_query(attempt: Attempt, query: str) -> None:
    attempt.start(sql(query))
    attempt.until(lambda: attempt.events("statement"))
    attempt.process.terminate()
    attempt.until(lambda: attempt.events("cancel"))
    attempt.process.terminate()
    assert attempt.wait(4)["state"] == "cancelled"


FILLS_THE_DISK = """\
import errno, os, time
try:
    with open("../../fill", "wb", buffering=0) as file:
        while True:
            file.write(bytes(65536))
except OSError as error:
    assert error.errno == errno.ENOSPC
for number in range(3000):
    print("lost", number, "x" * 100)
time.sleep(1)
os.unlink("../../fill")
print("the end", flush=True)
"""


@pytest.mark.row("F-36")
def test_a_full_disk_tears_a_hole_into_the_log_and_the_run_goes_on(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:  # ours
        pytest.skip("nothing can be mounted here")
    attempt = Attempt(disk)
    try:
        word = attempt.start(attempt.python(FILLS_THE_DISK)).wait()
        raw = (attempt.out / wire.LOG_FILE).read_bytes().split(b"\n")
        lines = [json.loads(one) for one in raw if one.startswith(b"[") and one.endswith(b"]")]
        assert (word["state"], word["exit_code"]) == ("succeeded", 0), word
        assert "the end" in [line[-1] for line in lines]
        assert lines[-1][0] == word["lines"] > len(lines)
    finally:
        attempt.end()
        umount = ["umount", "--lazy", str(disk)]
        subprocess.run(umount, check=True)  # ours
