"""The registry of acts: every act has words, a method and a command; no key is taken twice on one page."""

from importlib import import_module

import pytest

from quarterdeck.tui import actions
from quarterdeck.tui.actions import ACTIONS
from quarterdeck.tui.app import Quarterdeck
from quarterdeck.tui.page import Page
from quarterdeck.tui.routes import PAGES

MOVES_ABOUT = ("app", "list", "tabs", "log", "editor", "form")
"""Scopes whose acts may only move about the screen; every act on something of the workspace has a command."""


def page_classes() -> list[type[Page]]:
    found = {
        getattr(import_module(f"quarterdeck.tui.screens.{module}"), name)
        for module, name in PAGES.values()
    }
    return sorted(found, key=lambda one: one.__name__)


def bound(page: type[Page]) -> dict[str, list[str]]:
    """Return each key of a page with the ids of the acts that it calls."""
    keys: dict[str, list[str]] = {}
    for owner in page.__mro__:
        for one in owner.__dict__.get("BINDINGS", ()):
            if getattr(one, "id", None) in ACTIONS:
                for key in one.key.split(","):
                    keys.setdefault(key, []).append(one.id)
    return {key: sorted(set(ids)) for key, ids in keys.items()}


@pytest.mark.row("T8")
def test_every_act_says_what_it_does() -> None:
    for action in ACTIONS.values():
        assert action.label, action.id
        assert action.help, action.id
        assert "." in action.id


@pytest.mark.row("H4")
def test_every_act_on_the_workspace_has_a_command() -> None:
    for action in ACTIONS.values():
        if action.writes or action.scope not in MOVES_ABOUT:
            is_local = action.id == "editor.take"  # the save is the command
            assert action.twin or is_local, action.id


def test_every_act_is_done_somewhere() -> None:
    owners = [*page_classes(), Quarterdeck]
    for action in ACTIONS.values():
        method = f"action_{action.method}"
        assert any(hasattr(one, method) for one in owners), action.id


def test_every_bound_act_has_its_method_on_the_page() -> None:
    for page in page_classes():
        for ids in bound(page).values():
            for one in ids:
                assert hasattr(page, f"action_{ACTIONS[one].method}"), (page.__name__, one)


def test_no_key_is_taken_twice_on_one_page() -> None:
    for page in page_classes():
        for key, ids in bound(page).items():
            assert len(ids) == 1, (page.__name__, key, ids)


def test_no_footer_has_more_than_eight_keys_nor_more_than_eighty_columns() -> None:
    for page in page_classes():
        keys = [ACTIONS[one] for one in page.FOOTER]
        assert len(keys) <= 8, page.__name__
        assert sum(len(actions.first_key(one.keys)) + len(one.label) + 3 for one in keys) <= 80, (
            page.__name__
        )


FAMILIES = {
    "r": ("run.start", "run.again"),
    "e": ("job.edit", "item.edit"),
    "X": ("job.delete", "item.delete"),
    "v": ("job.versions", "item.history"),
    "d": ("version.diff", "item.impact"),
    "slash": ("list.filter", "log.search"),
    "exclamation_mark": ("list.problems", "log.problems"),
    "o": ("list.sort", "log.origin"),
    "c": ("run.compare", "item.check"),
    "ctrl+s": ("editor.save", "form.save"),
    "f10": ("editor.save", "form.save"),
    "f4": ("editor.external", "item.external"),
    "ctrl+n": ("editor.next_problem", "form.next_problem"),
}
"""Keys whose meaning is the same thing said of another noun."""


@pytest.mark.row("H11")
def test_a_key_means_the_same_on_every_page() -> None:
    meanings: dict[str, set[str]] = {}
    for action in ACTIONS.values():
        for key in action.keys.split(",") if action.keys else ():
            meanings.setdefault(key, set()).add(action.id)
    for key, ids in meanings.items():
        assert len(ids) == 1 or ids == set(FAMILIES.get(key, ())), (key, ids)


def test_keys_are_written_as_people_know_them() -> None:
    assert actions.shown("ctrl+s") == "^s"
    assert actions.shown("f5") == "F5"
    assert actions.shown("question_mark") == "?"
    assert actions.shown("G") == "G"
