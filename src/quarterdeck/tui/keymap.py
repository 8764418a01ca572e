"""`keys.toml`: the user's own keys, looked at as a whole before any is taken. Which acts there are: `actions`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from quarterdeck.tui.actions import ACTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from quarterdeck.tui.actions import Action

FILE: Final = "keys.toml"
_TYPING: Final = frozenset({"in the editor", "in a form"})  # where letters are text
_TOGETHER: Final = (
    frozenset({"in a list", "on a job", "on a run", "on a version", "on a job or run"}),
    frozenset({"in a log", "on a run", "on a job or run"}),
    frozenset({"in a list", "on a definition", "on a cluster"}),
    frozenset({"in the editor"}),
    frozenset({"in a form"}),
)
"""What is on one screen at a time; what works everywhere is on each of them."""
_MODIFIERS: Final = ("ctrl", "shift", "alt")


class Keymap(NamedTuple):
    """Keys by the id of the act, in Textual's names, only those that are changed; and what is wrong."""

    keys: dict[str, str]
    problems: list[str]


def load(path: Path) -> Keymap:
    """Return the keys of the file; nothing if there is none, and none of them if one thing in it is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except FileNotFoundError:
        return Keymap({}, [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return Keymap({}, [f"{path}: {error}; the keys are the usual ones"])
    keys, problems = read(document)
    if problems:
        told = [f"{path}: {one}" for one in problems]
        return Keymap({}, [*told, f"{path}: none of it was taken; the keys are the usual ones"])
    return Keymap(keys, [])


def read(document: Mapping[str, Any]) -> Keymap:
    """Return the keys that differ from the usual ones, and every problem by the id it is about."""
    problems = [
        f"{name} is not known; there is only [keys]" for name in document if name != "keys"
    ]
    wanted = document.get("keys", {})
    if not isinstance(wanted, dict):
        return Keymap({}, [*problems, "keys is no table; it begins with [keys]"])
    found: dict[str, str] = {}
    for one, keys in wanted.items():
        words = _wrong(one, keys)
        if words:
            problems.append(f"{one}: {words}")
        else:
            found[one] = ",".join(_name(key.strip()) for key in keys.split(","))
    if not problems:
        problems = _clashes(found)
    changed = {one: keys for one, keys in found.items() if keys != ACTIONS[one].keys}
    return Keymap(changed, problems)


def _wrong(id: str, keys: object) -> str:
    """Return what is wrong with the keys of one act, looked at alone; empty for nothing."""
    if id not in ACTIONS:
        import difflib

        near = difflib.get_close_matches(id, ACTIONS, n=1)
        return f"is no act{f'; did you mean {near[0]}?' if near else ''}"
    if not ACTIONS[id].keys:
        return "has no key; it is called from the palette"
    if not isinstance(keys, str) or not keys.strip():
        return 'needs keys as text, such as "l" or "l,f3"'
    for key in keys.split(","):
        if not key.strip():
            return "has an empty key; the key , is written comma"
        if not is_key(key.strip()):
            return f"{key.strip()} is no key; as in a, A, f3, ctrl+s, comma"
        if ACTIONS[id].where in _TYPING and is_typed(key.strip()):
            return f"{key.strip()} is typed as text there; take a key such as ctrl+s or f10"
    return ""


def is_key(key: str) -> bool:
    """Return whether Textual knows a key of this name."""
    from textual.keys import Keys

    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    if any(one not in _MODIFIERS for one in modifiers):
        return False
    if len(last) == 1:
        return last.isprintable() and last != " "
    return last in {one.value for one in Keys} or is_typed(last)


def is_typed(key: str) -> bool:
    """Return whether the key puts a character into a text."""
    from textual.keys import key_to_character

    return len(key) == 1 or key in _characters() or key_to_character(key) is not None


@cache
def _characters() -> dict[str, str]:
    """Return the characters of ASCII by Textual's names; those that are written by name stand for themselves."""
    found = {_name(chr(code)): chr(code) for code in range(33, 127)}
    return {**found, "comma": "comma", "space": "space"}


def _name(key: str) -> str:
    """Return Textual's name of a key: `question_mark` for `?`."""
    from textual.keys import _character_to_key

    return _character_to_key(key) if len(key) == 1 else key


def _clashes(found: Mapping[str, str]) -> list[str]:
    """Return which keys would do two things on one screen."""
    keys = {one.id: found.get(one.id, one.keys).split(",") for one in ACTIONS.values() if one.keys}
    clashes = []
    for pair in combinations(keys, 2):
        one, other = sorted(
            pair, key=lambda known: known not in found
        )  # the changed one is told first
        if one in found and meet(ACTIONS[one], ACTIONS[other]):
            clashes += [
                f"{one}: {key} is taken by {other}" for key in keys[one] if key in keys[other]
            ]
    return clashes


def meet(one: Action, other: Action) -> bool:
    """Return whether both can be called on one screen; acts that share a key by default never are."""
    if set(one.keys.split(",")) & set(other.keys.split(",")):
        return False
    if not one.where or not other.where:
        return True
    return any({one.where, other.where} <= together for together in _TOGETHER)


def default_file(path: Path) -> str:
    """Return the whole file as it is without changes, ready to edit and to save as `path`."""
    lines = [
        f"# Keys of Quarterdeck: save as {path} and change what you like; what you leave out stays.",
        "# Several keys: with a comma between them. The key , itself is written comma.",
        "[keys]",
    ]
    where = None
    for one in ACTIONS.values():
        if not one.keys:
            continue
        if one.where != where:
            where = one.where
            lines += ["", f"# {where or 'everywhere'}"]
        keys = ",".join(_characters().get(key, key) for key in one.keys.split(","))
        lines.append(f"{f'{json.dumps(one.id)} = {json.dumps(keys)}':<40} # {one.help}")
    return "\n".join(lines) + "\n"


def rows() -> list[dict[str, Any]]:
    """Return every act with its keys as plain data, those of the palette included."""
    return [
        {
            "id": one.id, "keys": one.keys.split(",") if one.keys else [], "label": one.label,
            "help": one.help, "where": one.where or "everywhere", "command": one.twin,
        }
        for one in ACTIONS.values()
    ]  # fmt: skip
