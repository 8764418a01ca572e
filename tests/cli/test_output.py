"""What the command line writes: streams, JSON, tables, examples, questions, and nothing of others that acts."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import click
import pytest

from quarterdeck.cli.root import root
from tests.support.quarterdeck import Quarterdeck, job, python

HOSTILE = "\x1b[2J\u202e世界 [bold]x[/]"


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Quarterdeck:
    """A workspace with two jobs, for tests that change nothing."""
    made = Quarterdeck(tmp_path_factory.mktemp("output"))
    made.create("one", description=HOSTILE)
    made.create("世界", schedule={"cron": "0 6 * * *", "timezone": "Europe/Berlin"})
    return made


def commands(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command)
    found = []
    for name in command.list_commands(context):
        one = command.get_command(context, name)
        assert one is not None, name
        found += commands(one, (*path, name))
    return found


ALL = commands(root)


@pytest.mark.row("H4")
@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_an_example_and_takes_json(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    from quarterdeck.cli.main import main

    assert main([*path, "--help"]) == 0
    text = capsys.readouterr().out
    example = text.split("Example:")[1]
    assert f"quarterdeck {' '.join(path)}" in example
    assert "--json" in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.row("Q2")
@pytest.mark.parametrize(
    "args",
    [
        ("job", "list"), ("job", "show", "one"), ("job", "versions", "one"), ("job", "diff", "one", "1", "1"),
        ("job", "validate", "-"), ("runs",), ("profile", "list"), ("profile", "show", "small"),
        ("profile", "history", "small"), ("profile", "impact", "small"), ("query", "list"),
        ("cluster", "list"), ("cluster", "check", "local"), ("catalog", "list"), ("team", "list"),
        ("workspace", "show"), ("whoami",), ("doctor",), ("doctor", "--leftovers"), ("audit",),
        ("store", "verify"), ("store", "stats"), ("scheduler", "--once"), ("--version",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_json_is_one_document_before_and_behind(deck: Quarterdeck, args: tuple[str, ...]) -> None:
    text = json.dumps(job("two"))
    behind = deck.call(*args, "--json", text=text)
    assert behind.code == 0, behind.err
    before = deck.call("--json", *args, text=text)
    assert _keys(behind.document) == _keys(before.document)
    assert "\x1b" not in behind.out
    for at in re.findall(r'"\w+_at": "([^"]+)"', behind.out):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", at)


def _keys(document: object) -> object:
    if isinstance(document, dict):
        assert all(re.fullmatch(r"[a-z][a-z0-9_.]*", key) for key in document), document
        return sorted(document)
    assert isinstance(document, list)
    return len(document)


@pytest.mark.row("T6", "Q2")
def test_text_of_others_does_nothing(deck: Quarterdeck) -> None:
    shown = deck.call("job", "list").out + deck.call("job", "show", "one").out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert "\\x1b[2J\\u202e世界 [bold]x[/]" in shown
    whole = deck.call("job", "show", "one", "--json")
    assert whole.document["description"] == HOSTILE
    assert "\u202e" not in whole.out
    refused = deck.call("job", "show", "\x1b[31mred")
    assert "\x1b" not in refused.err


def test_a_list_at_80_columns(deck: Quarterdeck) -> None:
    answer = deck.call("job", "list")
    assert answer.out.splitlines() == [
        "NAME  TEAM  TYPE  LIVE  SCHEDULE                 LAST RUN",
        "one   ana   sql     v1                           never",
        "世界  ana   sql     v1  0 6 * * * Europe/Berlin  never",
    ]


@pytest.mark.row("H11")
@pytest.mark.parametrize(
    "args",
    [
        ("job", "list"), ("job", "show", "one"), ("job", "versions", "one"), ("runs",), ("profile", "list"),
        ("query", "list"), ("cluster", "list"), ("catalog", "list"), ("team", "list"), ("audit",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_each_screen_has_its_words_in_reading_order(
    deck: Quarterdeck, args: tuple[str, ...]
) -> None:
    code, seen = at_terminal(deck, "", *args, "--plain")
    assert code == 0
    assert "\x1b" not in seen
    if args == ("job", "list"):
        assert seen.splitlines() == [
            "name one, team ana, type sql, live v1, last run never.",
            "name 世界, team ana, type sql, live v1, schedule 0 6 * * * Europe/Berlin, last run never.",
        ]


def test_plain_words_are_no_screen(deck: Quarterdeck) -> None:
    for args in ((), ("open", "job/one")):
        answer = deck.call("--plain", *args)
        assert answer.code == 2
        assert "job" in answer.err


def test_an_empty_list_says_what_fills_it_on_stderr_only(deck: Quarterdeck) -> None:
    answer = deck.call("query", "list")
    assert (answer.code, answer.out) == (0, "")
    assert "quarterdeck query create" in answer.err


@pytest.mark.row("Q1", "F-49")
def test_a_closed_pipe_is_a_quiet_end(deck: Quarterdeck) -> None:
    with deck.start("audit", "--json") as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.wait(30) == 0
        assert running.stderr is not None
        assert running.stderr.read() == ""


@pytest.mark.row("Q1")
def test_a_full_disk_under_stdout_is_one_line(deck: Quarterdeck) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # our own command
            deck.command("job", "list"), env=deck.environ(), stdout=full, stderr=subprocess.PIPE,
            text=True, timeout=30, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.row("I55")
@pytest.mark.parametrize(
    "environ",
    [{}, {"LANG": "C", "LC_ALL": "C"}, {"TERM": "dumb"}, {"PYTHONIOENCODING": "latin-1"}],
)
def test_a_poor_environment_is_enough(deck: Quarterdeck, environ: dict[str, str]) -> None:
    done = subprocess.run(  # our own command
        [*deck.command(), "--store", str(deck.store), "job", "list"],
        env={"QUARTERDECK_ACTOR": "ana", **environ}, capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"one " in done.stdout
    assert b"\x1b" not in done.stdout


@pytest.mark.row("Q3", "T5")
@pytest.mark.parametrize(
    "args",
    [
        ("job", "delete", "one"), ("job", "activate", "one", "1"), ("profile", "delete", "small"),
        ("store", "restore", "nothing"), ("job", "edit", "one"), ("profile", "edit", "small"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_without_a_terminal_nothing_is_asked(deck: Quarterdeck, args: tuple[str, ...]) -> None:
    answer = deck.json(*args, text="y\ny\ny\n")
    assert answer.code == 2
    assert answer.error["fields"][0]["path"] in ("yes", "file")
    assert {one["name"] for one in deck.ok("job", "list")} == {"one", "世界"}


def at_terminal(deck: Quarterdeck, typed: str, *args: str) -> tuple[int, str]:
    """Run a command at a terminal of 80x24, type when it asks, and return code and screen text."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({**deck.environ(), "TERM": "xterm", "COLUMNS": "80"})
        os.chdir(deck.folder)
        os.execv(deck.command()[0], deck.command(*args))  # noqa: S606  # our own command
    seen, end = b"", time.monotonic() + 30
    try:
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 0.2)[0]:
                continue
            try:
                chunk = os.read(terminal, 4096)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
            if typed and seen.rstrip().endswith(b"[y/N]"):
                os.write(terminal, typed.encode())
                typed = ""
    finally:
        os.close(terminal)
        if time.monotonic() >= end:
            os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode()


@pytest.mark.row("T5")
def test_at_a_terminal_it_asks_names_the_effect_and_no_is_the_safe_answer(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path)
    deck.create("gone")
    code, seen = at_terminal(deck, "\n", "job", "delete", "gone")
    assert code == 1
    assert "gone goes with 1 version" in seen
    assert "Nothing was changed." in seen
    assert len(deck.ok("job", "list")) == 1
    code, seen = at_terminal(deck, "y\n", "job", "delete", "gone")
    assert (code, "gone was deleted" in seen) == (0, True)
    assert deck.ok("job", "list") == []


def test_a_person_sees_colour_marks_and_ages_that_fit(deck: Quarterdeck) -> None:
    code, seen = at_terminal(deck, "", "audit")
    assert code == 0
    assert "\x1b[1mWHEN" in seen
    assert "just now" in seen or " ago" in seen
    plain = re.sub(r"\x1b\[[0-9;]*m", "", seen)
    assert all(len(line) <= 80 for line in plain.splitlines())


@pytest.mark.row("T4")
def test_the_editor_comes_again_with_the_problems_until_it_is_right(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path)
    deck.create("one")
    editor = tmp_path / "editor"
    editor.write_text(
        "#!/bin/sh\n"
        'if grep -q "no profile smoll" "$1"; then sed -i "s/smoll/small/" "$1"\n'
        'else sed -i "s/profile: small/profile: smoll/; s/AS v/AS w/" "$1"; fi\n'
    )
    editor.chmod(0o755)
    os.environ["EDITOR"] = str(editor)
    try:
        code, seen = at_terminal(deck, "", "job", "edit", "one")
    finally:
        del os.environ["EDITOR"]
    assert code == 0, seen
    assert "saved as draft v2, not live (changed: source.text)" in seen
    assert deck.ok("job", "draft", "one")["spec"]["source"]["text"] == "SELECT 1 AS w"


@pytest.mark.row("F1", "T3")
@pytest.mark.parametrize(
    ("option", "number"), [("--follow", signal.SIGINT), ("--wait", signal.SIGTERM)]
)
def test_a_wait_that_is_interrupted_leaves_the_run_alone_and_says_so(
    tmp_path: Path, option: str, number: signal.Signals
) -> None:
    deck = Quarterdeck(tmp_path)
    deck.create("slow", source=python("import time\nprint('begun', flush=True)\ntime.sleep(60)\n"))
    with deck.start("run", "slow", option) as running:
        try:
            [run] = _until_begun(deck)
            running.send_signal(number)
            out, err = running.communicate(timeout=30)
        finally:
            running.kill()
    assert running.returncode == 128 + number
    assert f"Run {run} goes on" in err
    assert "Traceback" not in out + err
    assert deck.ok("run-show", run)["state"] == "running"
    assert deck.ok("cancel", run, "--wait")["state"] == "cancelled"


def _until_begun(deck: Quarterdeck) -> list[str]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found: list[str] = [one["id"] for one in deck.ok("runs", "--state", "running")]
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("the run never began")
