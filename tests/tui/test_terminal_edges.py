"""Terminals that are odd, go away, or send what nobody typed; and a defect of ours in the middle of it."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support.quarterdeck import Quarterdeck
from tests.support.screen import Terminal
from tests.tui.test_terminal import LEFT, deck, opened, until

__all__ = ["deck"]


def unfolded(terminal: Terminal) -> str:
    """Return the screen as one line, without what frames it: where a line breaks depends on a path's length."""
    return " ".join(re.sub("[|│]", " ", terminal.text).split())


def configured(deck: Quarterdeck, name: str, text: str) -> None:
    path = deck.folder / "config" / "quarterdeck" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.row("I55")
@pytest.mark.parametrize("how", ["latin-1", "ascii"])
def test_without_utf_8_it_is_drawn_in_what_there_is(deck: Quarterdeck, how: str) -> None:
    deck.create("straße")
    environ: dict[str, str] = {}
    if how == "latin-1":
        environ["PYTHONIOENCODING"] = "latin-1"
    else:
        configured(deck, "config.toml", "ascii = true\n")
    with opened(deck, width=80, height=24, **environ) as terminal:
        terminal.until("orders")
        terminal.press("?")
        terminal.until("+--")
        terminal.press("\x1b")
        until(lambda: b"stra\xdfe" in terminal.raw or b"stra?e" in terminal.raw)
        terminal.press("q", "q")
        assert terminal.end() == 0
    assert (b"stra\xdfe" if how == "latin-1" else b"stra?e") in terminal.raw
    assert "\\u" not in terminal.text


@pytest.mark.row("T3")
def test_bytes_that_are_no_text_do_not_end_it(deck: Quarterdeck) -> None:
    with opened(deck) as terminal:
        terminal.until("▌ orders")
        os.write(terminal._ours, b"\xe9\xff\xc3(\x80")
        terminal.press("j")
        terminal.until("▌ stock")
        terminal.press("q")
        assert terminal.end() == 0


@pytest.mark.row("T3")
def test_a_stop_that_cannot_be_heard_is_mended_afterwards(deck: Quarterdeck) -> None:
    with opened(deck) as terminal:
        terminal.until("▌ orders")
        terminal.send(signal.SIGSTOP)
        terminal.until_stopped()
        terminal.send(signal.SIGCONT)
        until(lambda: terminal.raw.count(b"\x1b[?1049h") == 2)
        terminal.press("j")
        terminal.until("▌ stock")
        terminal.press("q")
        assert terminal.end() == 0


@pytest.mark.row("T3")
def test_the_editor_of_others_gets_the_terminal_and_gives_it_back(deck: Quarterdeck) -> None:
    editor = deck.folder / "editor.sh"
    editor.write_text('#!/bin/sh\necho "-- theirs" >> "$1"\nkill -INT $PPID\n')
    editor.chmod(0o700)
    with opened(deck, VISUAL=str(editor)) as terminal:
        terminal.until("▌ orders")
        terminal.press("e")
        terminal.until("SELECT 1 AS v")
        terminal.press("\x1bOS")  # F4
        terminal.until("-- theirs")
        until(lambda: terminal.raw.count(b"\x1b[?1049h") == 2)
        terminal.press("\x11")
        assert terminal.end() == 0


def cpu_s(process: int) -> float:
    """Return the processor time that a process has taken, its threads included."""
    spent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.row("T1")
def test_a_terminal_of_no_size_with_rows_is_quiet(deck: Quarterdeck) -> None:
    with opened(deck) as terminal:
        terminal.until("▌ orders")
        for width, height in ((0, 0), (0, 24), (80, 0), (1, 1), (80, 24), (0, 0)):
            terminal.resize(width, height)
            time.sleep(0.3)
        terminal.press("j", "k", "j")
        time.sleep(1.0)
        before, shown = cpu_s(terminal.process.pid), len(terminal.raw)
        time.sleep(2.0)
        assert cpu_s(terminal.process.pid) - before < 0.2
        assert len(terminal.raw) - shown < 200
        terminal.resize(80, 24)
        terminal.until("▌ stock")
        terminal.press("q")
        assert terminal.end() == 0


@pytest.mark.row("T1")
def test_begun_in_a_terminal_that_has_no_size_it_is_quiet_and_leaves(deck: Quarterdeck) -> None:
    with opened(deck, width=0, height=0) as terminal:
        until(lambda: b"\x1b[?1049h" in terminal.raw)
        time.sleep(2.0)
        before, shown = cpu_s(terminal.process.pid), len(terminal.raw)
        time.sleep(2.0)
        assert cpu_s(terminal.process.pid) - before < 0.2
        assert len(terminal.raw) - shown < 200
        terminal.press("q")
        assert terminal.end() == 0
    assert all(one in terminal.raw for one in LEFT)


@pytest.mark.row("T3")
@pytest.mark.row("R1")
def test_a_terminal_that_vanishes_ends_it_with_what_was_typed_kept(deck: Quarterdeck) -> None:
    with opened(deck) as terminal:
        terminal.until("▌ orders")
        terminal.press("e")
        terminal.until("SELECT 1 AS v")
        terminal.press(*"-- kept")
        terminal.until("-- kept")
        terminal.vanish()
        assert terminal.process.wait(timeout=2) == 128 + signal.SIGHUP
    assert deck.ok("job", "draft", "orders")["spec"]["source"]["text"] == "-- keptSELECT 1 AS v"


BREAKS = """
import os, sys
from quarterdeck.cli.main import entry
from quarterdeck.tui.screens.jobs.screen import JobsPage

def breaks(self):
    raise RuntimeError("on " + os.environ["MY_TOKEN"])

JobsPage.action_job_versions = breaks
sys.argv = ["quarterdeck"]
entry()
"""


@pytest.mark.row("T3")
@pytest.mark.row("Q1")
def test_a_defect_restores_the_terminal_and_leaves_a_report_without_secrets(
    deck: Quarterdeck,
) -> None:
    environ = {
        **deck.environ(), "TERM": "xterm-256color", "XDG_STATE_HOME": str(deck.folder / "state"),
        "MY_TOKEN": "hunter2hunter2",
    }  # fmt: skip
    with Terminal([sys.executable, "-c", BREAKS], environ) as terminal:
        terminal.until("▌ orders")
        terminal.press("v")
        assert terminal.end() == 70
        terminal.until("its trace was saved in")
    assert all(one in terminal.raw for one in LEFT)
    [report] = (deck.folder / "state" / "quarterdeck" / "defects").iterdir()
    text = report.read_text()
    assert "RuntimeError: on <value of MY_TOKEN>" in text
    assert "hunter2" not in text
    assert b"hunter2" not in terminal.raw
    assert b"Traceback" not in terminal.raw
    assert terminal.raw.count(b"error: ") == 1


@pytest.mark.row("T8")
def test_keys_of_the_users_file_work_and_a_wrong_file_is_told(deck: Quarterdeck) -> None:
    configured(deck, "keys.toml", '[keys]\n"job.versions" = "f6"\n')
    with opened(deck) as terminal:
        terminal.until("F6 Versions")
        terminal.until("▌ orders")
        terminal.press("\x1b[17~")
        terminal.until("[Versions")
        terminal.press("q", "q")
        assert terminal.end() == 0
    configured(deck, "keys.toml", '[keys]\n"job.versions" = "l"\n')
    with opened(deck, "--fresh") as terminal:
        terminal.until("v Versions")
        terminal.press(":")
        terminal.press(*"messages", "\r")
        until(lambda: "l is taken by job.log" in unfolded(terminal))


def test_a_theme_of_the_user_and_a_wrong_setting(deck: Quarterdeck) -> None:
    mono = (Path(__file__).parents[2] / "themes" / "mono.toml").read_text()
    configured(deck, "config.toml", 'theme = "mine"\n')
    configured(
        deck, "themes/mine.toml", mono.replace('"mono"', '"mine"').replace("101010", "0A0B0C")
    )
    with opened(deck, COLORTERM="truecolor") as terminal:
        terminal.until("▌ orders")
        terminal.press("q")
        assert terminal.end() == 0
    assert b"48;2;10;11;12" in terminal.raw
    configured(deck, "config.toml", 'colour = "mine"\nmouse = 3\n')
    with opened(deck) as terminal:
        assert terminal.end() == 2
        terminal.until("colour is no setting")
        terminal.until("mouse is 3")
    assert b"\x1b[?1049h" not in terminal.raw


def test_a_theme_that_was_chosen_is_there_again(deck: Quarterdeck) -> None:
    def choose(terminal: Terminal) -> None:
        terminal.until("▌ orders")
        terminal.press(":")
        terminal.press(*"theme", "\r")
        terminal.until("Enter takes it")
        terminal.press("j", "\r")

    light = b"48;2;250;250;247"
    with opened(deck, COLORTERM="truecolor", TEXTUAL_THEME="mono") as terminal:
        choose(terminal)
        terminal.until("from now on")
        chosen = (deck.folder / "state" / "quarterdeck" / "theme").read_text().strip()
        terminal.press("q")
        assert terminal.end() == 0
    assert chosen != "mono"
    (deck.folder / "state" / "quarterdeck" / "theme").write_text("quarterdeck-light\n")
    with opened(deck, COLORTERM="truecolor", TEXTUAL_THEME="mono") as terminal:
        terminal.until("▌ orders")
        terminal.press("q")
        assert terminal.end() == 0
    assert light in terminal.raw
    configured(deck, "config.toml", 'theme = "mono"\n')
    with opened(deck, COLORTERM="truecolor") as terminal:
        choose(terminal)
        terminal.until("config.toml names the one of the next start")
        terminal.press("q")
        assert terminal.end() == 0
    assert light not in terminal.raw


def test_without_a_mouse_the_terminal_keeps_its_own(deck: Quarterdeck) -> None:
    configured(deck, "config.toml", "mouse = false\n")
    with opened(deck) as terminal:
        terminal.until("▌ orders")
        terminal.press("q")
        assert terminal.end() == 0
    assert b"\x1b[?1003h" not in terminal.raw


@pytest.mark.row("H6")
def test_the_demo_opens_on_its_samples(tmp_path: Path) -> None:
    found = Quarterdeck(tmp_path, init=False)
    environ = {k: v for k, v in found.environ().items() if k != "QUARTERDECK_STORE"}
    environ |= {"TERM": "xterm-256color", "XDG_STATE_HOME": str(tmp_path / "state")}
    where = tmp_path / "demo"
    command = [sys.executable, "-m", "quarterdeck", "demo", "--path", str(where)]
    with Terminal(command, environ, width=120, height=40) as terminal:
        terminal.until("Commands", deadline_s=60)
        for words in ("revenue-by-quarter", "▸ running", "✗ failed", "✓ succeeded"):
            terminal.until(words)
        terminal.press("q")
        assert terminal.end() == 0
    found.store = where / "store"
    for run in found.ok("runs"):
        if run["state"] == "running":
            found.ok("cancel", run["id"])
            assert found.until(run["id"])["state"] == "cancelled"


@pytest.mark.row("Q4")
def test_read_only_is_lifted_from_the_palette_after_a_question(deck: Quarterdeck) -> None:
    with opened(deck, "--read-only", "--fresh") as terminal:
        terminal.until("READ-ONLY")
        terminal.until("Jobs 2")
        terminal.press(":", *"lift", "\r")
        terminal.until("Lift --read-only on")
        time.sleep(0.4)
        terminal.press("w")
        terminal.until("is lifted")
        terminal.press("e")
        terminal.until("› Draft")
        terminal.press("X")
        terminal.until("as draft, not live")
        assert "READ-ONLY" not in terminal.text
        terminal.press("\x11")
        assert terminal.end() == 0
    assert deck.ok("job", "draft", "orders")["spec"]["source"]["text"].startswith("X")


@pytest.mark.row("T3")
def test_a_page_that_was_closed_with_the_last_keys_is_not_come_back_to(deck: Quarterdeck) -> None:
    with opened(deck) as terminal:
        terminal.until("▌ orders")
        terminal.press("6")
        terminal.until("▌ local")
        time.sleep(1.2)  # it is remembered by now
        terminal.press("q", "q")
        assert terminal.end() == 0
    with opened(deck) as terminal:
        terminal.until("▌ orders")
