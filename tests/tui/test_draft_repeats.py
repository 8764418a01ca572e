"""Walks through the draft editor in a real terminal, as often as asked: once in fifty times is found, too."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.support.again import TIMES
from tests.support.quarterdeck import Quarterdeck
from tests.tui.test_draft_terminal import (
    DEAF_S,
    END,
    ESC,
    GO_LIVE,
    QUIT,
    ben,
    editing,
    has_draft,
    rows,
    save_as,
    text_of,
)
from tests.tui.test_terminal import deck, opened, until

__all__ = ["deck"]

WIDE = 70  # characters of a line that fit
SOON_S = 1.0  # whatever is typed is saved by then


def publish_and_look_again(deck: Quarterdeck, times: int) -> None:
    """Type, go live, and look: the text stands there once, there is no draft, and nothing to publish."""
    text = "SELECT 1 AS v"
    with editing(deck) as terminal:
        for number in range(times):
            terminal.press(END, *f" -- {number}")
            text += f" -- {number}"
            terminal.until("as draft, not live")
            terminal.press(GO_LIVE)
            terminal.until(f"live as v{number + 2}?")
            time.sleep(DEAF_S)
            terminal.press("\r", "y")
            terminal.until(f"version {number + 2} is live")
            time.sleep(SOON_S)
            (shown,) = rows(terminal)
            assert shown == text[-len(shown) :], terminal.text  # of a long line its end
            assert len(shown) >= min(len(text), WIDE), terminal.text
            assert not has_draft(deck)
            live = deck.ok("job", "show", "orders")
            assert (live["live_version"], live["spec"]["source"]["text"]) == (number + 2, text)
            terminal.press(GO_LIVE)
            terminal.until("nothing to publish")
        terminal.press(QUIT)
        assert terminal.end() == 0
    assert len(deck.ok("job", "versions", "orders")) == times + 1


def go_live_while_another_saves(deck: Quarterdeck, times: int) -> None:
    """Another saves while the dialog is open: refused, both shown, and both kept."""
    other = ben(deck)
    with editing(deck) as terminal:
        for number in range(times):
            terminal.press(END, "x")
            mine = "SELECT 1 AS v" + "x" * (number + 1)
            until(lambda mine=mine: has_draft(deck) and text_of(deck) == mine)  # type: ignore[misc]  # bound now
            terminal.press(GO_LIVE)
            terminal.until("live as v2?")
            save_as(other, f"SELECT 'ben {number}'")
            time.sleep(DEAF_S)
            terminal.press("\r", "y")
            terminal.until("Somebody else saved meanwhile")
            assert text_of(deck) == f"SELECT 'ben {number}'"
            time.sleep(DEAF_S)
            terminal.press("m")
            until(lambda mine=mine: text_of(deck) == mine)  # type: ignore[misc]  # bound now
            assert rows(terminal) == [mine]
        terminal.press(QUIT)
        assert terminal.end() == 0
    assert deck.ok("job", "show", "orders")["live_version"] == 1
    authors = [one["author"] for one in deck.ok("job", "bring-back", "orders")]
    assert authors.count("ben") == times


def type_right_behind_the_key_that_opens(deck: Quarterdeck, times: int) -> None:
    """Keys sent in one piece with `e` come to the text, in their order."""
    text = "SELECT 1 AS v"
    with opened(deck, "open", "job/orders") as terminal:
        terminal.until("[Overview]")
        for number in range(times):
            terminal.press(f"e{END} {number},\x1b[H{END}.")
            text += f" {number},."
            until(lambda text=text: has_draft(deck) and text_of(deck) == text)  # type: ignore[misc]  # bound now
            terminal.press(ESC)
            terminal.until("[Overview]")
        terminal.press(QUIT)
        assert terminal.end() == 0


WALKS = [publish_and_look_again, go_live_while_another_saves, type_right_behind_the_key_that_opens]


@pytest.mark.row("B4")
@pytest.mark.row("B7")
@pytest.mark.row("T4")
@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.__name__)
def test_again_and_again(deck: Quarterdeck, walk: Callable[[Quarterdeck, int], None]) -> None:
    walk(deck, TIMES)
