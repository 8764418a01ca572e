"""Runs through the command line on a real engine: what ran, why it ended, and what is left behind."""

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.quarterdeck import Quarterdeck, job, python, sql
from tests.support.terminal import typed
from tests.support.wheels import make_wheel

LONG = "SELECT sum(a.id * b.id) AS v FROM range(3000000) a CROSS JOIN range(3000000) b"
SLEEPER = "import time\nprint('begun', flush=True)\ntime.sleep(600)\n"


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Quarterdeck]:
    made = Quarterdeck(tmp_path)
    yield made
    made.end()


def marked(run: str) -> list[int]:
    """Return the ids of living processes that carry the mark of one of the run's attempts."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            environ = (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"QUARTERDECK_ATTEMPT={run}-".encode() in environ and state != "Z":
            found.append(int(folder.name))
    return found


def nothing_left(deck: Quarterdeck, run: str) -> None:
    assert marked(run) == []
    assert not list((deck.store / "work").glob(f"{run}-*"))


def log(deck: Quarterdeck, run: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = deck.ok("logs", run)
    return lines


@pytest.mark.row("F1", "F2", "F15", "F16", "B12", "H6", "Q2")
def test_a_run_from_queued_to_its_rows(deck: Quarterdeck) -> None:
    text = "CREATE TEMP VIEW t AS SELECT 1 AS a, 'x' AS b;\nSELECT * FROM t;\nSELECT 2 AS c"
    deck.create("rows", source=sql(text))
    run = deck.run("rows")
    assert (run["state"], run["reason"], run["version"]) == ("succeeded", None, 1)
    assert (run["trigger"], run["actor"], run["draft"]) == ("manual", "ana", False)
    second, third = run["result"]["statements"][-2:]
    assert [column["name"] for column in second["columns"]] == ["a", "b"]
    assert (second["number"], second["rows"], second["row_count"]) == (2, [[1, "x"]], 1)
    assert (third["rows"], third["truncated"]) == ([[2]], False)
    states = [one["state"] for one in run["timeline"]]
    order = ["queued", "dispatching", "submitted", "starting", "running", "succeeded"]
    assert [s for s in states if s != "pending"] == order
    assert all(one["seconds"] >= 0 and one["because"] for one in run["timeline"])
    begun = run["timeline"][0]["at"]
    assert begun == run["queued_at"]
    assert run["frozen"]["source"]["text"] == text
    assert run["frozen"]["place"]["engine"] == "pysail 0.7.2"
    assert run["attempts"][0]["receipt"]["facts"]["isolation"] in (
        "pid_namespace",
        "mark_and_sweep",
    )
    assert run["reap"]["left"] == []
    nothing_left(deck, run["id"])
    [listed] = deck.ok("runs")
    assert listed["id"] == run["id"]
    assert deck.ok("job", "show", "rows")["last_run"]["state"] == "succeeded"
    human = deck.call("run-show", run["id"]).out
    assert human.splitlines()[0].count("succeeded") == 1


@pytest.mark.row("F1", "B4", "B3")
def test_what_runs_is_fixed_when_the_run_is_made(deck: Quarterdeck) -> None:
    deck.create("fixed", source=python(SLEEPER))
    first = deck.ok("run", "fixed")["id"]
    deck.edit("fixed", {"spec": job("fixed", source=sql("SELECT 8 AS v"))["spec"]})
    draft = deck.run("fixed", "--draft")
    assert (draft["draft"], draft["version"], draft["based_on"]) == (True, None, 1)
    assert draft["result"]["statements"][0]["rows"] == [[8]]
    assert [run["id"] for run in deck.ok("runs")] == [first]
    assert [run["id"] for run in deck.ok("runs", "--draft")] == [draft["id"]]
    published = deck.ok("job", "publish", "fixed", "--note", "eight")
    assert published["runs_on_previous"] == [first]
    live = deck.run("fixed")
    assert live["version"] == 2
    assert deck.ok("run-show", first)["version"] == 1
    again = deck.json("retry", draft["id"], "--wait").document
    assert (again["draft"], again["retry_of"]) == (True, draft["id"])
    assert deck.ok("run-show", draft["id"])["frozen"]["source"]["text"] == "SELECT 8 AS v"
    deck.ok("cancel", first, "--wait")
    nothing_left(deck, first)


@pytest.mark.row("A3", "B13", "F3")
def test_a_saved_query_is_resolved_at_dispatch_and_frozen(deck: Quarterdeck) -> None:
    query = {"name": "Q", "id": "q", "text": "SELECT 1 AS v"}
    deck.ok("query", "create", "-f", "-", text=json.dumps(query))
    deck.create("by-id", source={"kind": "saved_query", "query_id": "q"})
    deck.ok("query", "edit", "q", "-f", "-", text=json.dumps({"text": "SELECT 2 AS v"}))
    run = deck.run("by-id")
    source = run["frozen"]["source"]
    assert (source["query_id"], source["revision"], source["published_revision"]) == ("q", 2, 1)
    assert source["sha256"] == hashlib.sha256(b"SELECT 2 AS v").hexdigest()
    assert run["result"]["statements"][0]["rows"] == [[2]]
    deck.ok("query", "edit", "q", "-f", "-", text=json.dumps({"text": "SELECT 3 AS v"}))
    deck.ok("profile", "edit", "small", "-f", "-", text=json.dumps({"env": {"A": "b"}}))
    assert deck.ok("run-show", run["id"])["frozen"]["source"]["newest_revision"] == 3
    exact = deck.json("rerun", run["id"], "--exact", "--wait").document
    assert (exact["exact_of"], exact["trigger"]) == (run["id"], "exact")
    assert exact["frozen"]["sha256"] == run["frozen"]["sha256"]
    assert exact["result"]["statements"][0]["rows"] == [[2]]
    compared = deck.ok("compare", run["id"], exact["id"])
    assert compared["differences"] == []
    retried = deck.json("retry", run["id"], "--wait").document
    assert retried["frozen"]["source"]["revision"] == 3
    assert retried["retry_of"] == run["id"]
    assert deck.ok("run-show", run["id"])["retried_by"] == [exact["id"], retried["id"]]


@pytest.mark.row("A6", "B13", "F14", "I19")
def test_a_wheel(deck: Quarterdeck, tmp_path: Path) -> None:
    module = "import sys\n\n\ndef main():\n    print('args', sys.argv[1:])\n    return 0\n"
    path = make_wheel(tmp_path, module=module)
    source = {
        "kind": "wheel", "package": "tiny", "entry_point": "tiny.jobs:main",
        "wheel_uri": "tiny-1.0-py3-none-any.whl", "args": ["a b"],
    }  # fmt: skip
    deck.create("wheel", source=source)
    run = deck.run("wheel")
    assert run["state"] == "succeeded", run["evidence"]
    frozen = run["frozen"]["source"]
    assert (frozen["package"], frozen["entry_point"], frozen["args"]) == (
        "tiny",
        "tiny.jobs:main",
        ["a b"],
    )
    assert frozen["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "args ['a b']" in [line["text"] for line in log(deck, run["id"])]
    bad = [
        ({**source, "entry_point": "other.jobs:main"}, "spec.source.entry_point", "tiny.jobs:main"),
        ({**source, "package": "other"}, "spec.source.package", "tiny"),
        ({**source, "entry_point": "tiny.jobs"}, "spec.source.entry_point", "module:function"),
        ({**source, "wheel_uri": str(make_wheel(tmp_path, tag="cp27-none-any"))}, "spec.source.wheel_uri", "cp27"),
    ]  # fmt: skip
    torn = tmp_path / "tiny-2.0-py3-none-any.whl"
    torn.write_bytes(path.read_bytes()[:200])
    bad.append(({**source, "wheel_uri": str(torn)}, "spec.source.wheel_uri", "tiny-2.0"))
    for wrong, where, word in bad:
        answer = deck.json("job", "validate", "-", text=json.dumps(job("w", source=wrong)))
        found = {field["path"]: field["message"] for field in answer.document["fields"]}
        assert answer.code == 2
        assert word in found[where], found
    path.unlink()
    lost = deck.run("wheel")
    assert (lost["state"], lost["reason"]) == ("rejected", "config_error")
    assert lost["problems"][0]["path"] == "spec.source.wheel_uri"
    assert lost["receipt"] is None
    exact = deck.json("rerun", run["id"], "--exact", "--wait").document
    assert (exact["state"], exact["frozen"]["sha256"]) == ("succeeded", run["frozen"]["sha256"])


@pytest.mark.row("A7", "F14")
def test_a_python_file_by_path_is_read_at_dispatch(deck: Quarterdeck, tmp_path: Path) -> None:
    file = tmp_path / "job.py"
    file.write_text("print('one')\n")
    deck.create("file", source={"kind": "py_file", "uri": "job.py", "args": []})
    assert deck.ok("job", "show", "file")["spec"]["source"]["uri"] == str(file)
    run = deck.run("file")
    assert run["frozen"]["source"]["changed_since_publish"] is False
    file.write_text("print('two')\n")
    run = deck.run("file")
    source = run["frozen"]["source"]
    assert source["changed_since_publish"] is True
    assert source["sha256"] == hashlib.sha256(b"print('two')\n").hexdigest()
    assert "two" in [line["text"] for line in log(deck, run["id"])]
    file.unlink()
    deck.ok("query", "create", "-f", "-", text=json.dumps({"name": "q", "text": "SELECT 1"}))
    lost = deck.run("file")
    assert (lost["state"], lost["reason"]) == ("rejected", "config_error")
    assert str(file) in lost["problems"][0]["message"]


@pytest.mark.row("F3", "G5", "I13", "F-31", "Q1")
def test_failures_name_statement_and_place(deck: Quarterdeck) -> None:
    deck.create("bad-sql", source=sql("SELECT 1;\n-- ü\nSELECT nope FROM range(3);\nSELECT 3"))
    answer = deck.json("run", "bad-sql", "--wait")
    run = answer.document
    assert (answer.code, run["state"], run["reason"]) == (1, "failed", "user_error")
    assert "statement 2 of 3" in run["object"]
    assert "nope" in " ".join(run["evidence"])
    assert run["advice"]
    deck.create("bad-syntax", source=sql("SELECT 1;\nSELECT 'ü' selec FROM FROM t"))
    run = deck.run("bad-syntax")
    assert run["reason"] == "user_error"
    assert run["failure"]["place"]["line"] == 2
    deck.create(
        "bad-python",
        source=python(
            "import sys\nprint('to the end', file=sys.stderr)\nraise ValueError('boom')"
        ),
    )
    run = deck.run("bad-python")
    assert (run["state"], run["reason"]) == ("failed", "user_error")
    assert "boom" in " ".join(run["evidence"])
    assert ("payload", "stderr", "to the end") in [
        (line["origin"], line["stream"], line["text"]) for line in log(deck, run["id"])
    ]
    retried = deck.json("retry", run["id"]).document
    assert retried["retry_of"] == run["id"]
    assert deck.until(retried["id"])["state"] == "failed"


@pytest.mark.row("F5", "F-32", "I41")
def test_a_timeout_ends_everything_with_no_process_of_ours_alive(deck: Quarterdeck) -> None:
    deck.create("slow", source=python(SLEEPER), timeout="4s")
    run = deck.ok("run", "slow")["id"]
    end = time.monotonic() + 30
    while marked(run) and time.monotonic() < end:
        time.sleep(0.2)
    assert marked(run) == []
    shown = deck.ok("run-show", run)
    assert (shown["state"], shown["reason"], shown["phase"]) == ("timed_out", "timeout", "running")
    nothing_left(deck, run)
    for timeout in ("0s", "-1s", "10", "25h"):
        answer = deck.json("job", "create", "-f", "-", text=json.dumps(job("t", timeout=timeout)))
        assert (answer.code, answer.paths) == (2, ["spec.timeout"])
    limits = {"max_workers": 21, "max_concurrent_runs": 11, "max_driver_memory": "65Gi"}
    answer = deck.json("job", "create", "-f", "-", text=json.dumps(job("t", limits=limits)))
    assert set(answer.paths) == {f"spec.limits.{key}" for key in limits}


@pytest.mark.row("F7", "F-31", "I48")
def test_cancel_ends_a_payload_that_will_not_and_its_children(deck: Quarterdeck) -> None:
    stubborn = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "print('begun', flush=True)\ntime.sleep(600)\n"
    )
    deck.create("stubborn", source=python(stubborn))
    run = deck.ok("run", "stubborn")["id"]
    deck.until(run, "running")
    asked = deck.ok("cancel", run)
    assert asked["state"] in ("cancelling", "cancelled")
    if asked["state"] == "cancelling":
        assert asked["cancel"]["next_step"]
        deck.json("cancel", run)  # a second one is harmless
    shown = deck.until(run)
    assert (shown["state"], shown["reason"]) == ("cancelled", "cancelled")
    assert shown["cancel"]["left"] == []
    nothing_left(deck, run)
    again = deck.json("cancel", run)
    assert (again.code, again.error["state"]) == (5, "cancelled")
    unfinished = deck.ok("run", "stubborn")["id"]
    assert deck.json("retry", unfinished).code == 5
    assert deck.json("rerun", unfinished, "--exact").code == 5
    deck.ok("cancel", unfinished, "--wait")


@pytest.mark.row("F7")
def test_cancel_stops_a_statement(deck: Quarterdeck) -> None:
    deck.create("query", source=sql(LONG))
    run = deck.ok("run", "query")["id"]
    deck.until(run, "running")
    begun = time.monotonic()
    shown = deck.json("cancel", run, "--wait").document
    assert shown["state"] == "cancelled"
    assert time.monotonic() - begun < 20
    nothing_left(deck, run)


@pytest.mark.row("F-29", "F16")
def test_an_engine_killed_in_mid_statement_is_engine_lost_within_5_s(deck: Quarterdeck) -> None:
    deck.create("query", source=sql(LONG))
    run = deck.ok("run", "query")["id"]
    deck.until(run, "running")
    events = deck.ok("logs", run, "--events")
    engine = next(e for e in map(_event, events) if e.get("event") == "engine")
    begun = time.monotonic()
    os.kill(engine["pid"], signal.SIGKILL)
    while marked(run):
        assert time.monotonic() - begun < 5
        time.sleep(0.05)
    shown = deck.ok("run-show", run)
    assert (shown["state"], shown["reason"]) == ("failed", "engine_lost")
    nothing_left(deck, run)


@pytest.mark.long
@pytest.mark.row("F-29", "G5")
def test_an_engine_that_hangs_before_its_first_answer_ends_as_engine_start(
    deck: Quarterdeck,
) -> None:
    deck.create("query", source=sql("SELECT 1"))
    run = deck.ok("run", "query")["id"]
    engine: list[int] = []
    end = time.monotonic() + 20
    while not engine:
        assert time.monotonic() < end
        with suppress(OSError):  # one of them has just ended
            engine = [
                pid
                for pid in marked(run)
                if b"pysail" in Path(f"/proc/{pid}/cmdline").read_bytes()
            ]
    for pid in engine:
        os.kill(pid, signal.SIGSTOP)
    shown = deck.until(run, deadline_s=90)
    assert (shown["state"], shown["reason"]) == ("failed", "engine_start"), shown
    said = " ".join(shown["evidence"])
    assert "named no port" in said or "gave no answer" in said, shown
    assert shown["advice"]
    nothing_left(deck, run)


def _event(line: dict[str, Any]) -> dict[str, Any]:
    return json.loads(line["text"]) if line.get("stream") == "event" else {}


@pytest.mark.row("F-7", "F15")
def test_a_killed_runner_takes_engine_and_payload_with_it(deck: Quarterdeck) -> None:
    deck.create("sleeper", source=python(SLEEPER))
    run = deck.ok("run", "sleeper")["id"]
    shown = deck.until(run, "running")
    os.kill(shown["receipt"]["facts"]["pid"], signal.SIGKILL)
    shown = deck.until(run)
    assert (shown["state"], shown["reason"]) == ("lost", "lost")
    nothing_left(deck, run)


@pytest.mark.row("H7", "F-6", "F15", "G2")
def test_three_runs_go_on_when_their_follower_is_killed(deck: Quarterdeck) -> None:
    counting = (
        "import time\nfor n in range(40):\n    print('line', n, flush=True)\n    time.sleep(0.1)\n"
    )
    deck.create("counting", source=python(counting))
    runs = [deck.ok("run", "counting")["id"] for _ in range(2)]
    follower = deck.start("run", "counting", "--follow")
    end = time.monotonic() + 30
    while len(deck.ok("runs")) < 3 and time.monotonic() < end:
        time.sleep(0.1)
    runs.append(deck.ok("runs")[0]["id"])
    deck.until(runs[-1], "running")
    os.kill(follower.pid, signal.SIGKILL)
    follower.communicate()
    for run in runs:
        assert deck.until(run)["state"] == "succeeded"
        lines = log(deck, run)
        said = [line["text"] for line in lines if line.get("origin") == "payload"]
        assert said == [f"line {n}" for n in range(40)]
        assert not any("gap" in line for line in lines)
        seqs = [line["seq"] for line in lines]
        assert seqs == sorted(set(seqs))
        nothing_left(deck, run)


@pytest.mark.row("G1", "G2", "Q2")
def test_follow_prints_lines_as_they_come_and_json_by_line(deck: Quarterdeck) -> None:
    deck.create("talk", source=python("import sys\nprint('out')\nprint('err', file=sys.stderr)"))
    answer = deck.call("run", "talk", "--follow", "--json")
    assert answer.code == 0, answer.err
    documents = [json.loads(line) for line in answer.out.splitlines()]
    assert documents[-1]["state"] == "succeeded"
    said = [(d["stream"], d["text"]) for d in documents if d.get("origin") == "payload"]
    assert sorted(said) == [("stderr", "err"), ("stdout", "out")]
    human = deck.call("logs", documents[-1]["id"], "-f").out
    assert "payload" in human
    assert "out" in human


DOTS = """\
import sys, time
print("loading ", end="", flush=True)
sys.stderr.write("\\r10%")
sys.stderr.flush()
while not ({folder!r} / Path("go")).exists():
    print(".", end="", flush=True)
    time.sleep(0.05)
sys.stderr.write("\\r100%\\n")
sys.stderr.flush()
time.sleep(0.1)
print(" done")
print("x" * 20_000 + " needle " + "x" * 9_000)
sys.stdout.buffer.write(b"caf\\xe9\\r\\nno end")
"""


@pytest.mark.row("G1", "G3")
def test_an_unfinished_line_is_seen_and_its_pieces_are_joined(
    deck: Quarterdeck, tmp_path: Path
) -> None:
    text = "from pathlib import Path\n" + DOTS.format(folder=str(tmp_path))
    deck.create("dots", source=python(text))
    follower = deck.start("run", "dots", "--follow")
    assert follower.stdout is not None
    seen = ""
    while "| loading ." not in seen or "| 10%" not in seen:  # the run waits for us
        seen += os.read(follower.stdout.fileno(), 4_096).decode()
    run = deck.ok("runs")[0]["id"]
    (tmp_path / "go").touch()
    seen += follower.communicate(timeout=60)[0]
    assert "100%" in seen
    assert "| no end\n" in seen
    said = deck.call("logs", run, "--origin", "payload").out.splitlines()
    lines = [line.partition("| ")[2] for line in said]
    [dots] = [line for line in lines if line.startswith("loading")]
    assert dots == "loading " + "." * dots.count(".") + " done"
    assert "100%" in lines
    assert lines[-2:] == ["caf\\xe9", "no end"]
    assert lines[-3] == "x" * 20_000 + " needle " + "x" * 9_000
    assert lines[-3] in deck.call("logs", run, "--search", "needle").out
    assert dots in deck.call("logs", run, "--search", ".. done").out
    last = deck.call("logs", run, "--origin", "payload", "--tail", "1").out
    assert last.endswith("| no end\n")
    [piece] = deck.ok("logs", run, "--search", ".. done")
    assert piece["text"] == dots
    assert deck.ok("logs", run, "--origin", "payload")[-1]["more"] is True  # it has no end
    saved = deck.ok("logs", run, "--save", str(tmp_path))
    assert saved["path"] == str(tmp_path / f"dots-{run}.log")
    content = Path(saved["path"]).read_bytes()
    assert b"\ncaf\xe9\r\n" in content
    assert content.endswith(b"\nno end")
    assert b"\r10%\r100%\n" in content
    assert saved["bytes"] == len(content)
    again = deck.call("logs", run, "--save", saved["path"])
    assert again.code == 1
    assert "is there already" in again.err


BAR = """\
import sys, time
for n in range(0, 101, 20):
    sys.stderr.write("\\r%3d%%|%s" % (n, "#" * n))
    sys.stderr.flush()
    time.sleep(0.6)
sys.stderr.write("\\n")
"""


@pytest.mark.row("G1", "T6")
def test_a_progress_bar_is_redrawn_in_its_place_on_a_terminal(deck: Quarterdeck) -> None:
    deck.create("bar", source=python(BAR))
    code, shown = typed(deck, "TERM=xterm COLUMNS=60 quarterdeck run bar --follow")
    assert code == 0, shown
    rows = [row.rpartition("\r")[2] for row in shown.replace("\r\n", "\n").split("\n")]
    [bar] = [row for row in rows if "%|" in row]
    assert bar.endswith("100%|" + "#" * 100 + "\x1b[K")
    states = [part for part in shown.split("\r") if "%|" in part]
    assert len(states) > 2  # each in the place of the one before, and none wider than the terminal
    assert any(part.endswith("#…\x1b[K") for part in states)


@pytest.mark.row("F16", "P1")
def test_doctor_finds_and_removes_what_nobody_owns(deck: Quarterdeck) -> None:
    deck.create("sleeper", source=python(SLEEPER))
    run = deck.ok("run", "sleeper")["id"]
    deck.until(run, "running")
    backup = str(deck.folder / "b")
    before = deck.ok("store", "backup", backup)
    assert before["path"] == backup
    left = deck.ok("doctor", "--leftovers")
    assert left == []
    shown = deck.ok("run-show", run)
    assert shown["state"] == "running"
    deck.ok("cancel", run, "--wait")


@pytest.mark.row("F15")
def test_cluster_mode_on_this_machine(deck: Quarterdeck) -> None:
    worker = {"instance_type": "any", "disk_gib": 10, "max_nodes": 2, "capacity_type": "on_demand"}
    two = {"name": "two", "mode": "cluster", "driver": {"disk_gib": 10}, "worker": worker}
    deck.ok("profile", "create", "-f", "-", text=json.dumps(two))
    text = "SELECT sum(id) FROM range(1000);\nSELECT count(*) FROM system.cluster.workers"
    deck.create("cluster", profile="two", source=sql(text))
    run = deck.run("cluster")
    assert run["state"] == "succeeded", run["evidence"]
    first, second = run["result"]["statements"]
    assert first["rows"] == [[499500]]
    assert second["rows"] == [[2]]


@pytest.mark.row("F15")
def test_small_workers_have_slots_for_many_partitions_and_what_needs_more_is_told(
    deck: Quarterdeck,
) -> None:
    worker = {
        "instance_type": "any", "disk_gib": 10, "max_nodes": 2, "capacity_type": "on_demand",
        "cpu": 0.3,
    }  # fmt: skip
    two = {"name": "two", "mode": "cluster", "driver": {"disk_gib": 10}, "worker": worker}
    deck.ok("profile", "create", "-f", "-", text=json.dumps(two))
    text = "SELECT sum(id) FROM range(0, 1000, 1, {})"
    deck.create("many", profile="two", source=sql(text.format(200)))
    run = deck.run("many")
    assert run["state"] == "succeeded", run["evidence"]
    assert run["result"]["statements"][0]["rows"] == [[499500]]
    deck.create("more", profile="two", source=sql(text.format(300)))
    run = deck.run("more")
    assert (run["state"], run["reason"]) == ("failed", "config_error")
    said = " ".join(run["evidence"])
    assert "300" in said
    assert "worker.max_nodes" in said
    assert "worker.cpu" in said
    settings = {"sail": {"execution.default_parallelism": 300}}
    deck.create("asked", profile="two", source=sql(text.format(300)), settings=settings)
    run = deck.run("asked")
    assert run["state"] == "succeeded", run["evidence"]
