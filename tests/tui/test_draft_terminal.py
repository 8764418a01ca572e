"""The draft editor in a real terminal over a real store: what stands in it and in the store after each act.

Again and again: `test_draft_repeats`.
"""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.support.quarterdeck import Quarterdeck, job, sql
from tests.support.screen import Terminal
from tests.tui.test_terminal import deck, opened, until

__all__ = ["deck"]

END, HOME, ESC, GO_LIVE, SAVE, PALETTE, QUIT = (
    "\x1b[F", "\x1b[H", "\x1b", "\x07", "\x13", "\x10", "\x11",
)  # fmt: skip
DEAF_S = 0.4  # a dialog hears nothing before
SETTLED_S = 1.5  # by then whatever is typed is saved
TIMEOUT_FIELD = 8  # so many fields of the settings stand above it


@contextmanager
def editing(deck: Quarterdeck, name: str = "orders") -> Iterator[Terminal]:
    """Open the editor of a job from the jobs list, as somebody does."""
    with opened(deck, "open", f"job/{name}") as terminal:
        terminal.until("[Overview]")
        terminal.press("e")
        terminal.until("based on v1")
        terminal.until("1:1 ")
        yield terminal


def rows(terminal: Terminal) -> list[str]:
    """Return the lines of the text that the editor shows."""
    found = [re.match(r" *(\d+)[ !] (.*)$", line) for line in terminal.lines[3:-2]]
    return [one[2] for one in found if one]


def text_of(deck: Quarterdeck, name: str = "orders") -> str:
    """Return the text of the draft."""
    return str(deck.ok("job", "draft", name)["spec"]["source"]["text"])


def has_draft(deck: Quarterdeck, name: str = "orders") -> bool:
    return deck.ok("job", "show", name)["draft_version"] is not None


def drafts(deck: Quarterdeck) -> int:
    """Return how many drafts the store has, at once: a command would take a part of what is timed."""
    with closing(sqlite3.connect(deck.store / "quarterdeck.db")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM t_drafts").fetchone()
    return int(count)


def palette(terminal: Terminal, words: str, shown: str) -> None:
    """Do what the palette finds under these words."""
    terminal.press(PALETTE)
    terminal.until("Commands, jobs, runs")
    terminal.press(*words)
    terminal.until(f"> {shown}")
    terminal.press("\r")


def spec(text: str, **more: Any) -> str:
    document = job("x", source=sql(text), **more)
    return json.dumps({"spec": document["spec"]})


def ben(deck: Quarterdeck) -> Quarterdeck:
    """Return the command line of another member of the owning team."""
    deck.ok("team", "edit", "ana", "-f", "-", text=json.dumps({"members": ["ana", "ben"]}))
    return deck.as_actor("ben")


def save_as(other: Quarterdeck, text: str, name: str = "orders") -> None:
    """Let somebody save another draft, having seen the one that is there."""
    rev = str(other.ok("job", "show", name)["rev"])
    other.ok("job", "edit", name, "-f", "-", "--expect-rev", rev, text=spec(text))


@contextmanager
def busy_store(deck: Quarterdeck) -> Iterator[Callable[[], None]]:
    """Hold the store's write lock, so that every save waits, until the block ends or it is let go."""
    with closing(sqlite3.connect(deck.store / "quarterdeck.db", isolation_level=None)) as held:
        held.execute("BEGIN IMMEDIATE")

        def let_go() -> None:
            if held.in_transaction:
                held.execute("ROLLBACK")

        try:
            yield let_go
        finally:
            let_go()


@pytest.mark.row("B4")
@pytest.mark.row("T4")
def test_after_a_publish_the_text_stands_there_once_and_no_draft_begins(deck: Quarterdeck) -> None:
    with editing(deck) as terminal:
        terminal.press(END, *", 2 AS w")
        terminal.until("as draft, not live")
        terminal.press(GO_LIVE)
        terminal.until("Make the draft of orders live as v2?")
        time.sleep(DEAF_S)
        terminal.press("\r", "y")
        terminal.until("version 2 is live")
        time.sleep(SETTLED_S)
        assert rows(terminal) == ["SELECT 1 AS v, 2 AS w"], terminal.text
        assert "based on v2" in terminal.text
        assert not has_draft(deck)
        terminal.press(GO_LIVE)
        terminal.until("nothing to publish")
        terminal.press("X")
        terminal.until("as draft, not live")
        assert text_of(deck) == "SELECT 1 AS v, 2 AS wX"
        terminal.press(QUIT)
        assert terminal.end() == 0
    versions = deck.ok("job", "versions", "orders")
    assert [one["number"] for one in versions] == [2, 1]
    assert deck.ok("job", "draft", "orders")["based_on"] == 2


@pytest.mark.row("B4")
@pytest.mark.row("B7")
def test_go_live_never_publishes_what_its_dialog_did_not_show(deck: Quarterdeck) -> None:
    other = ben(deck)
    with editing(deck) as terminal:
        terminal.press(END, *", 'ana'")
        terminal.until("as draft, not live")
        terminal.press(GO_LIVE)
        terminal.until("+ SELECT 1 AS v, 'ana'")
        save_as(other, "SELECT 'ben'")
        time.sleep(SETTLED_S)  # the page behind the dialog has heard of it
        assert "'ben'" not in terminal.text
        terminal.press("\r", "y")
        terminal.until("Somebody else saved meanwhile")
        shown = terminal.text
        assert "ben saved" in shown
        assert "SELECT 'ben'" in shown
        assert "SELECT 1 AS v, 'ana'" in shown
        assert deck.ok("job", "show", "orders")["live_version"] == 1
        assert text_of(deck) == "SELECT 'ben'"
        terminal.press(ESC)
        terminal.until("NOT SAVED")
        assert rows(terminal) == ["SELECT 1 AS v, 'ana'"]
        terminal.press(SAVE)
        terminal.until("Somebody else saved meanwhile")
        time.sleep(DEAF_S)
        terminal.press("m")
        terminal.until("as draft, not live")
        assert text_of(deck) == "SELECT 1 AS v, 'ana'"
        terminal.press(QUIT)
        assert terminal.end() == 0
    dropped = deck.ok("job", "bring-back", "orders")
    assert "ben" in [one["author"] for one in dropped]


@pytest.mark.row("T4")
@pytest.mark.parametrize("place", ["list", "job"])
def test_keys_right_behind_e_are_keys_in_the_text(deck: Quarterdeck, place: str) -> None:
    deck.ok("job", "edit", "orders", "-f", "-", text=spec("SELECT 1 AS v\nFROM x"))
    deck.ok("job", "publish", "orders")
    args = ("open", "job/orders") if place == "job" else ()
    with opened(deck, *args) as terminal:
        terminal.until("[Overview]" if place == "job" else "▌ orders")
        terminal.press(f"e{END} , 2 AS w\x1b[B{END} WHERE y")
        terminal.until("as draft, not live")
        until(lambda: text_of(deck) == "SELECT 1 AS v , 2 AS w\nFROM x WHERE y")
        assert rows(terminal) == ["SELECT 1 AS v , 2 AS w", "FROM x WHERE y"]
        terminal.press(QUIT)
        assert terminal.end() == 0
    assert text_of(deck) == "SELECT 1 AS v , 2 AS w\nFROM x WHERE y"


@pytest.mark.row("A17")
@pytest.mark.row("T4")
@pytest.mark.parametrize("with_settings", [False, True])
def test_a_text_that_was_taken_stays_taken_when_a_save_answers_late(
    deck: Quarterdeck, with_settings: bool
) -> None:
    query = {"id": "shared", "name": "shared", "team": "ana", "text": "SELECT 'shared'"}
    deck.ok("query", "create", "-f", "-", text=json.dumps(query))
    deck.create("asks", source={"kind": "saved_query", "query_id": "shared"})
    with editing(deck, "asks") as terminal:
        terminal.until("SELECT 'shared'")
        if with_settings:
            terminal.press("\x0f")  # the settings sheet
            terminal.until("Kind of source")
        with busy_store(deck) as let_go:
            if with_settings:
                terminal.press(*["\x1b[B"] * TIMEOUT_FIELD, "\x15", *"9m")
            terminal.press(SAVE)
            if with_settings:
                terminal.until("saving the draft")
                terminal.press("\x0f")
            palette(terminal, "take it", "take it")
            until(lambda: "read-only" not in terminal.text)
            let_go()
        until(lambda: has_draft(deck, "asks"))
        time.sleep(SETTLED_S)
        terminal.press(QUIT)
        assert terminal.end() == 0
    kept = deck.ok("job", "draft", "asks")["spec"]
    assert kept["source"] == sql("SELECT 'shared'") | {"origin": None}
    assert kept["timeout"] == (540 if with_settings else 3600)


@pytest.mark.row("T4")
def test_the_other_pane_s_text_stays_taken_when_a_save_answers_late(deck: Quarterdeck) -> None:
    with editing(deck) as terminal:
        with busy_store(deck) as let_go:
            terminal.press("X")
            terminal.until("saving the draft")
            terminal.press("\x14")
            palette(terminal, "take it", "take it")
            terminal.until("[Python *]")
            let_go()
        until(lambda: has_draft(deck))
        time.sleep(SETTLED_S)
        terminal.press("\x14")
        until(lambda: rows(terminal) == ["XSELECT 1 AS v"])
        terminal.press(QUIT)
        assert terminal.end() == 0
    kept = deck.ok("job", "draft", "orders")["spec"]["source"]
    assert (kept["kind"], kept["text"]) == ("py_file", "# Python of this job\n")


@pytest.mark.row("B6")
def test_undo_is_offered_by_a_key_that_undoes_where_letters_are_text(deck: Quarterdeck) -> None:
    with editing(deck) as terminal:
        terminal.press(END, *", 2")
        terminal.until("as draft, not live")
        palette(terminal, "discard", "discard draft")
        terminal.until("was discarded")
        assert "u undoes" not in terminal.text
        until(lambda: rows(terminal) == ["SELECT 1 AS v"])
        assert drafts(deck) == 0
        offered = re.search(r"\^p undo", terminal.text)
        assert offered, terminal.text
        palette(terminal, "undo", "undo")
        until(lambda: rows(terminal) == ["SELECT 1 AS v, 2"])
        assert text_of(deck) == "SELECT 1 AS v, 2"
        terminal.press("u")
        until(lambda: text_of(deck).count("u") == 1)
        terminal.press(QUIT)
        assert terminal.end() == 0


@pytest.mark.row("B4")
@pytest.mark.row("B6")
def test_undo_does_not_reach_across_a_go_live(deck: Quarterdeck) -> None:
    """Text goes back as text, in a new draft; live stays, and what was offered before is not offered any more."""
    with editing(deck) as terminal:
        terminal.press(END, *", 2")
        terminal.until("as draft, not live")
        palette(terminal, "discard", "discard draft")
        terminal.until("was discarded")
        terminal.press(END, *", 3")
        terminal.until("as draft, not live")
        terminal.press(GO_LIVE)
        terminal.until("Make the draft of orders live as v2?")
        time.sleep(DEAF_S)
        terminal.press("\r", "y")
        terminal.until("version 2 is live")
        palette(terminal, "undo", "undo")
        terminal.until("nothing to undo")
        assert not has_draft(deck)
        terminal.press("\x1a")
        until(lambda: rows(terminal) != ["SELECT 1 AS v, 3"])
        until(lambda: has_draft(deck))
        assert deck.ok("job", "show", "orders")["live_version"] == 2
        assert deck.ok("job", "draft", "orders")["based_on"] == 2
        assert deck.ok("job", "show", "orders")["spec"]["source"]["text"] == "SELECT 1 AS v, 3"
        terminal.press(QUIT)
        assert terminal.end() == 0


@pytest.mark.row("T4")
@pytest.mark.row("D3")
@pytest.mark.parametrize("how", ["deleted", "moved"])
@pytest.mark.parametrize("key", [ESC, QUIT])
def test_leaving_a_job_that_is_gone_keeps_the_text_and_says_where(
    deck: Quarterdeck, how: str, key: str
) -> None:
    other = {"name": "ops", "members": ["ana", "ben"]}
    deck.ok("team", "create", "-f", "-", text=json.dumps(other))
    deck.create("theirs", team="ops")
    with editing(deck, "theirs") as terminal:
        terminal.press(END, *", 'kept'")
        terminal.until("as draft, not live")
        if how == "deleted":
            deck.ok("job", "delete", "theirs", "--yes")
        else:
            lone = json.dumps({"members": ["ben"]})
            deck.ok(
                "workspace", "edit", "-f", "-", text=json.dumps({"org_admins": ["ana", "ben"]})
            )
            deck.ok("team", "edit", "ops", "-f", "-", text=lone)
            edit = json.dumps({"org_admins": ["ben"]})
            deck.as_actor("ben").ok("workspace", "edit", "-f", "-", text=edit)
        terminal.press(*", 'late'")
        terminal.until("NOT SAVED")
        until(lambda: rows(terminal) == ["SELECT 1 AS v, 'kept', 'late'"])
        terminal.press(key)
        if key == ESC:
            terminal.until("your text is in")
            terminal.press(QUIT)
        assert terminal.end() == 0
        seen = terminal.raw.decode(errors="replace")
    assert "your text is in" in seen
    found = list((deck.folder / "state").rglob("theirs*.sql"))
    assert [one.read_text() for one in found] == ["SELECT 1 AS v, 'kept', 'late'"]
    assert found[0].stat().st_mode & 0o777 == 0o600


@pytest.mark.row("T4")
@pytest.mark.row("B7")
def test_what_comes_back_from_another_editor_does_not_replace_what_was_saved_meanwhile(
    deck: Quarterdeck,
) -> None:
    ben(deck)
    theirs = deck.folder / "theirs.json"
    theirs.write_text(spec("SELECT 'ben'"))
    editor = deck.folder / "editor.sh"
    command = shlex.join([sys.executable, "-m", "quarterdeck", "job", "edit", "orders", "-f"])
    editor.write_text(
        f"#!/bin/sh\nQUARTERDECK_ACTOR=ben {command} {theirs} --replace-draft > /dev/null 2>&1\n"
        'printf "SELECT 2" > "$1"\n'
    )
    editor.chmod(0o700)
    with opened(deck, "open", "job/orders", VISUAL=str(editor)) as terminal:
        terminal.until("[Overview]")
        terminal.press("e")
        terminal.until("1:1 ")
        terminal.press("\x1bOS")  # F4
        terminal.until("Somebody else saved meanwhile")
        assert "SELECT 'ben'" in terminal.text
        assert text_of(deck) == "SELECT 'ben'"
        time.sleep(DEAF_S)
        terminal.press("t")
        until(lambda: rows(terminal) == ["SELECT 'ben'"])
        terminal.press("\x1a")
        until(lambda: text_of(deck) == "SELECT 2")
        terminal.press(QUIT)
        assert terminal.end() == 0


@pytest.mark.row("B2")
@pytest.mark.row("T4")
def test_a_setting_that_was_typed_is_in_the_draft(deck: Quarterdeck) -> None:
    with editing(deck) as terminal:
        terminal.press("\x0f")
        terminal.until("Kind of source")
        terminal.press(*["\x1b[B"] * TIMEOUT_FIELD, "\x15", *"9m")
        terminal.until("as draft, not live")
        assert deck.ok("job", "draft", "orders")["spec"]["timeout"] == 540
        terminal.press(ESC, *"X")
        terminal.until("XSELECT 1 AS v")
        until(lambda: text_of(deck) == "XSELECT 1 AS v")
        assert deck.ok("job", "draft", "orders")["spec"]["timeout"] == 540
        terminal.press(QUIT)
        assert terminal.end() == 0
