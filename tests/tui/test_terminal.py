"""The application in a real terminal: it starts, is usable, and leaves everything as it was, however it ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.quarterdeck import Quarterdeck
from tests.support.screen import Terminal

LEFT = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l")
"""Alternate screen, hidden cursor, mouse and paste mode are given back."""


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Quarterdeck]:
    found = Quarterdeck(tmp_path)
    found.create("orders")
    found.create("stock")
    yield found
    found.end()


def opened(
    deck: Quarterdeck, *args: str, width: int = 80, height: int = 24, **environ: str
) -> Terminal:
    """Open the application on a terminal."""
    more = {
        "TERM": "xterm-256color", "XDG_STATE_HOME": str(deck.folder / "state"),
        "XDG_CONFIG_HOME": str(deck.folder / "config"), "LANG": "C.UTF-8", **environ,
    }  # fmt: skip
    command = [sys.executable, "-m", "quarterdeck", *args]
    environment = {**deck.environ(), **more}
    environment.pop("COLUMNS", None)  # it would go before the terminal's own size
    return Terminal(command, environment, width=width, height=height)


def until(is_so: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.row("H11")
@pytest.mark.parametrize(
    "term", ["xterm-256color", "screen-256color", "tmux-256color", "screen", "linux", "vt100"]
)
def test_every_terminal_shows_the_list_the_log_and_quits_clean(
    deck: Quarterdeck, term: str
) -> None:
    deck.run("orders")
    with opened(deck, TERM=term) as terminal:
        mark = "+" if term in ("linux", "vt100") else "✓"
        for words in (f"{mark} succeeded", "Jobs 2", ": Commands"):
            terminal.until(words)
        assert all(len(line) <= 80 for line in terminal.lines)
        terminal.press("l")
        terminal.until("[Log]")
        assert "Jobs 2" not in terminal.text
        terminal.press("\x1b")
        terminal.until("Jobs 2")  # a key in one piece with Esc would be another
        terminal.press("q")
        assert terminal.end() == 0
        assert all(one in terminal.raw for one in LEFT)


@pytest.mark.row("H11")
def test_without_colour_no_colour_is_sent_and_states_are_words(deck: Quarterdeck) -> None:
    deck.run("orders")
    with opened(deck, NO_COLOR="1") as terminal:
        terminal.until("✓ succeeded")
        terminal.press("q")
        assert terminal.end() == 0
    assert b"\x1b[38;" not in terminal.raw
    assert b"\x1b[48;" not in terminal.raw


@pytest.mark.row("I55")
def test_a_terminal_that_cannot_is_refused_by_name(deck: Quarterdeck) -> None:
    with opened(deck, TERM="dumb") as terminal:
        assert terminal.end() == 6
        terminal.until("quarterdeck job list")
    assert b"\x1b[?1049h" not in terminal.raw


@pytest.mark.row("T3")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(deck: Quarterdeck, number: int) -> None:
    with opened(deck) as terminal:
        terminal.until("orders")
        terminal.send(number)
        assert terminal.end() == 128 + number
        time.sleep(0.1)
        assert all(one in terminal.raw for one in LEFT)


@pytest.mark.row("T3")
def test_stopped_and_continued_it_is_where_it_was(deck: Quarterdeck) -> None:
    with opened(deck) as terminal:
        terminal.until("▌ orders")
        terminal.press("j")
        terminal.until("▌ stock")
        terminal.send(signal.SIGTSTP)
        terminal.until_stopped()
        until(lambda: b"\x1b[?1049l" in terminal.raw)
        terminal.send(signal.SIGCONT)
        until(lambda: terminal.raw.count(b"\x1b[?1049h") == 2)
        terminal.until("▌ stock")
        terminal.press("q")
        assert terminal.end() == 0


@pytest.mark.row("T3")
@pytest.mark.row("R1")
def test_killed_while_typing_at_most_a_second_is_lost_and_the_rest_is_there(
    deck: Quarterdeck,
) -> None:
    with opened(deck) as terminal:
        terminal.until("▌ orders")
        terminal.press("e")
        terminal.until("SELECT 1 AS v")
        terminal.press(*"-- kept")
        time.sleep(1.5)
        terminal.send(signal.SIGKILL)
        terminal.end()
    assert deck.ok("job", "draft", "orders")["spec"]["source"]["text"] == "-- keptSELECT 1 AS v"
    with opened(deck) as terminal:
        terminal.until("-- keptSELECT 1 AS v")
        terminal.until("› Draft")
        terminal.press("\x1b", "\x1b")
        terminal.until("▌ orders")


@pytest.mark.row("T3")
def test_fresh_begins_at_the_list(deck: Quarterdeck) -> None:
    with opened(deck) as terminal:
        terminal.until("▌ orders")
        terminal.press("v")
        terminal.until("[Versions")
        time.sleep(1.0)
        terminal.send(signal.SIGTERM)
        terminal.end()
    with opened(deck, "--fresh") as terminal:
        terminal.until("▌ orders")
    with opened(deck) as terminal:
        terminal.until("[Versions")


@pytest.mark.row("T1")
def test_resized_to_nothing_and_back_all_is_as_it_was(deck: Quarterdeck) -> None:
    with opened(deck) as terminal:
        terminal.until("▌ orders")
        terminal.press("j")
        terminal.until("▌ stock")
        for width, height in ((200, 50), (10, 3), (60, 20), (300, 100), (80, 24)):
            terminal.resize(width, height)
            time.sleep(0.2)
        terminal.until("▌ stock")
        terminal.press("q")
        assert terminal.end() == 0


@pytest.mark.row("T1")
def test_too_small_is_said_and_keys_still_work(deck: Quarterdeck) -> None:
    with opened(deck, width=30, height=8) as terminal:
        terminal.until("too small, need 40x12")
        terminal.press("q")
        assert terminal.end() == 0


@pytest.mark.row("G9")
def test_open_goes_straight_to_a_job_or_a_run_and_esc_to_the_list(deck: Quarterdeck) -> None:
    run = deck.run("orders")["id"]
    with opened(deck, "open", "job/stock") as terminal:
        terminal.until("stock › Overview")
        terminal.press("\x1b")
        terminal.until("Jobs 2")
    with opened(deck, "open", f"run/{run}") as terminal:
        terminal.until(f"run {run}")


@pytest.mark.row("G9")
def test_open_of_nothing_draws_nothing(deck: Quarterdeck) -> None:
    with opened(deck, "open", "job/none") as terminal:
        assert terminal.end() == 4
    assert b"\x1b[?1049h" not in terminal.raw
    assert deck.json("open", "job/orders").code == 2


@pytest.mark.row("P1")
def test_where_there_is_no_workspace_one_is_made_with_one_key(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path, init=False)
    with opened(deck) as terminal:
        terminal.until("There is no workspace here yet.")
        assert not deck.store.exists()
        terminal.press("i")
        terminal.until("No jobs yet")
        terminal.press("q")
        assert terminal.end() == 0
    assert deck.ok("job", "list") == []


@pytest.mark.row("R4")
def test_a_store_that_cannot_be_opened_draws_nothing(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path, init=False)
    deck.store.mkdir(parents=True)
    (deck.store / "something").write_text("else")
    with opened(deck) as terminal:
        assert terminal.end() == 6
    assert b"\x1b[?1049h" not in terminal.raw


@pytest.mark.row("T6")
def test_no_byte_of_a_payload_reaches_the_terminal(deck: Quarterdeck) -> None:
    text = "print('\\x1b]0;pwned\\x07\\x1b[2Jgone \\x9b31m red')\n"
    deck.create("hostile", source={"kind": "py_file", "text": text, "args": []})
    deck.run("hostile")
    with opened(deck, "--fresh") as terminal:
        terminal.until("hostile")
        terminal.press("/", *"hostile", "\r", "l")
        terminal.until("\\x1b]0;pwned")
        terminal.press("q", "q", "q")
    assert b"\x1b]0;pwned" not in terminal.raw


def test_a_run_goes_on_when_the_application_is_quit(deck: Quarterdeck) -> None:
    deck.create(
        "slow",
        source={
            "kind": "py_file",
            "text": "import time\ntime.sleep(3)\nprint('done')\n",
            "args": [],
        },
    )
    with opened(deck) as terminal:
        terminal.until("slow")
        terminal.press("/", *"slow", "\r", "r")
        terminal.until("Run slow?")
        time.sleep(0.4)
        terminal.press("\r")
        terminal.until("slow › run")
        terminal.press("\x11")
        assert terminal.end() == 0
        assert b"1 run not ended: quitting stops none. `quarterdeck runs` shows" in terminal.raw
    run = deck.ok("runs", "--job", "slow")[0]["id"]
    assert deck.until(run)["state"] == "succeeded"


def test_the_keys_are_printed_as_a_file(deck: Quarterdeck) -> None:
    said = deck.call("keys")
    assert said.code == 0
    assert '"job.log" = "l"' in said.out
    assert os.linesep not in said.err


@pytest.mark.row("T4")
def test_a_key_in_the_editor_is_answered_by_one_drawing(deck: Quarterdeck) -> None:
    with opened(deck, "open", "job/orders") as terminal:
        terminal.until("[Overview]")
        terminal.press("e")
        terminal.until("based on v1")
        time.sleep(0.5)  # what draws itself is drawn
        before = len(terminal.raw)
        terminal.press("Z")
        terminal.until("not saved yet")
        terminal.until("ZSELECT")
        sent = terminal.raw[before:]
        assert sent.index(b"not saved yet") < sent.index(
            b"Z"
        )  # each drawing goes from top to bottom
        terminal.until("as draft, not live")
        terminal.press("\x11")
        assert terminal.end() == 0
