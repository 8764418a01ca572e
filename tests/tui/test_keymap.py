"""The user's keys: everything wrong in the file is told, and nothing of a wrong file is taken."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from quarterdeck.tui import keymap
from quarterdeck.tui.actions import ACTIONS


def load(folder: Path, text: str) -> keymap.Keymap:
    path = folder / keymap.FILE
    path.write_text(text)
    return keymap.load(path)


def test_no_file_changes_nothing(tmp_path: Path) -> None:
    assert keymap.load(tmp_path / keymap.FILE) == keymap.Keymap({}, [])


def test_the_printed_file_is_whole_and_changes_nothing(tmp_path: Path) -> None:
    text = keymap.default_file(tmp_path / keymap.FILE)
    assert load(tmp_path, text) == keymap.Keymap({}, [])
    assert set(tomllib.loads(text)["keys"]) == {one.id for one in ACTIONS.values() if one.keys}


def test_keys_get_textuals_names(tmp_path: Path) -> None:
    found = load(tmp_path, '[keys]\n"app.help" = "?, f3"\n"job.log" = "L,ctrl+e"\n')
    assert found == keymap.Keymap({"app.help": "question_mark,f3", "job.log": "L,ctrl+e"}, [])


def test_keys_may_change_places(tmp_path: Path) -> None:
    found = load(tmp_path, '[keys]\n"job.log" = "h"\n"job.runs" = "l"\n')
    assert found == keymap.Keymap({"job.log": "h", "job.runs": "l"}, [])


def test_a_key_may_do_something_else_on_another_screen(tmp_path: Path) -> None:
    assert load(tmp_path, '[keys]\n"log.wrap" = "e"\n').keys == {"log.wrap": "e"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"job.lag" = "l"', "job.lag: is no act; did you mean job.log?"),
        ('"job.log" = "h"', "job.log: h is taken by job.runs"),
        ('"app.refresh" = "f10"', "app.refresh: f10 is taken by editor.save"),
        ('"job.log" = "f99"', "job.log: f99 is no key; as in a, A, f3, ctrl+s, comma"),
        ('"job.log" = "meta+l"', "job.log: meta+l is no key; as in a, A, f3, ctrl+s, comma"),
        ('"job.log" = "l,"', "job.log: has an empty key; the key , is written comma"),
        ('"job.log" = ""', 'job.log: needs keys as text, such as "l" or "l,f3"'),
        ('"job.log" = 7', 'job.log: needs keys as text, such as "l" or "l,f3"'),
        ('"app.theme" = "T"', "app.theme: has no key; it is called from the palette"),
        (
            '"editor.save" = "s"',
            "editor.save: s is typed as text there; take a key such as ctrl+s or f10",
        ),
        (
            '"form.save" = "comma"',
            "form.save: comma is typed as text there; take a key such as ctrl+s or f10",
        ),
    ],
)
def test_what_is_wrong_is_told_and_the_usual_keys_stay(
    tmp_path: Path, text: str, words: str
) -> None:
    found = load(tmp_path, f'[keys]\n"log.wrap" = "W"\n{text}\n')
    path = tmp_path / keymap.FILE
    assert found.keys == {}
    assert found.problems[0] == f"{path}: {words}"
    assert found.problems[-1] == f"{path}: none of it was taken; the keys are the usual ones"


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    found = load(tmp_path, 'other = 1\n[keys]\n"a" = "b"\n"job.log" = "f77"\n')
    assert len(found.problems) == 4


@pytest.mark.parametrize("text", ["keys = 1", "[keys", "\udcff"])
def test_a_file_that_is_no_keys_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / keymap.FILE).write_bytes(text.encode(errors="surrogateescape"))
    found = keymap.load(tmp_path / keymap.FILE)
    assert found.keys == {}
    assert "the keys are the usual ones" in found.problems[-1]
