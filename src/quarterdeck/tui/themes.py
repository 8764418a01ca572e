"""Theme files to Textual's themes: ours, and the user's own, which go before. The colours: `themes/*.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from textual.color import Color, ColorParseError
from textual.css.constants import VALID_STYLE_FLAGS
from textual.theme import Theme

from quarterdeck.model.errors import InvalidInputError, Problem

DEFAULT: Final = "quarterdeck-dark"
PLAIN: Final = "terminal"
SHIPPED: Final = (
    DEFAULT, "quarterdeck-light", "high-contrast", "high-contrast-light", "mono", PLAIN,
)  # fmt: skip
TONES: Final = (
    "state-succeeded", "state-failed", "state-running", "state-pending", "state-cancelled",
    "diff-add", "diff-del", "log-error", "log-warn", "log-gap",
)  # fmt: skip
"""The variables that are ours alone; the others are Textual's."""
_COLOURS: Final = (
    "primary", "secondary", "warning", "error", "success", "accent", "foreground", "background",
    "surface", "panel", "boost",
)  # fmt: skip
_KINDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    **dict.fromkeys(("name", *_COLOURS), str),
    **dict.fromkeys(("luminosity_spread", "text_alpha"), (int, float)),
    **dict.fromkeys(("dark", "ansi"), bool),
    "variables": dict,
}
_WORDS: Final = ("transparent", "initial", "auto")


class Chosen(NamedTuple):
    """The theme to begin with, and what is wrong with the one that was asked for."""

    theme: Theme
    notices: list[str]


def shipped_folder() -> Path:
    """Return the folder of our themes: in the package, or beside `src` in a checkout."""
    inside = Path(__file__).with_name("themes")
    return inside if inside.is_dir() else Path(__file__).parents[3] / "themes"


def choose(setting: str | None, *, no_color: bool, few_colours: bool, own: Path) -> Chosen:
    """Return the theme for this terminal, of which alone the file is read.

    Without colour it is `terminal`, and so it is with sixteen colours unless `setting` names another. A theme that
    is not there or cannot be read gives the default and a notice. `own` is the user's folder, which may be absent.
    """
    name = PLAIN if no_color or (few_colours and not setting) else setting or DEFAULT
    try:
        return Chosen(find(name, own), [])
    except InvalidInputError as error:
        return Chosen(load(shipped_folder() / f"{DEFAULT}.toml"), [f"theme: {error.message}"])


def find(name: str, own: Path) -> Theme:
    """Return the theme of this name: the user's, ours, or one that comes with Textual.

    Raises InvalidInputError with the file and its line, or the names that there are.
    """
    for folder in (own, shipped_folder()):
        path = folder / f"{name}.toml"
        if re.fullmatch(r"[\w.-]+", name) and path.is_file():
            return load(path, checked=folder == own)
    from textual.theme import BUILTIN_THEMES

    if name in BUILTIN_THEMES:
        return BUILTIN_THEMES[name]
    known = ", ".join(dict.fromkeys((*SHIPPED, *names_in(own))))
    raise InvalidInputError([Problem("theme", f"there is no theme {name}; there are {known}")])


def names_in(own: Path) -> list[str]:
    """Return the names of the themes in the user's folder."""
    return sorted(path.stem for path in own.glob("*.toml")) if own.is_dir() else []


def every(own: Path) -> tuple[list[Theme], list[str]]:
    """Return all themes, ours and the user's, and what is wrong with those that cannot be read."""
    found, notices = [], []
    for name in dict.fromkeys((*SHIPPED, *names_in(own))):
        try:
            found.append(find(name, own))
        except InvalidInputError as error:
            notices.append(f"theme: {error.message}")
    return found, notices


def load(path: Path, *, checked: bool = False) -> Theme:
    """Return the theme of a file; if `checked`, each of its fields and colours is looked at before.

    Raises InvalidInputError for everything wrong in it, each with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        fields = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInputError([Problem("", f"{path}: {error}")]) from error
    if checked:
        wrong = [
            Problem("", f"{path}, line {_line(text, key)}: {words}")
            for key, words in _wrong(fields, path.stem)
        ]
        if wrong:
            raise InvalidInputError(wrong)
    return Theme(**fields)


def _wrong(fields: Mapping[str, Any], stem: str) -> list[tuple[str, str]]:
    """Return (key, what is wrong with it) of a theme's fields."""
    found = [(key, f"{key} is no field of a theme") for key in fields if key not in _KINDS]
    found += [
        (key, f"{key} is {value!r}, which is of the wrong type")
        for key, value in fields.items()
        if key in _KINDS and not isinstance(value, _KINDS[key])
    ]
    found += [("name", f"{key} is missing") for key in ("name", "primary") if key not in fields]
    if found:
        return found
    if fields["name"] != stem:
        found.append(("name", f"the name is {fields['name']}; it has to be the file's: {stem}"))
    for key in _COLOURS:
        if key in fields and not _is_colour(fields[key]):
            found.append((key, f"{key}: {fields[key]!r} is no colour, such as #5FAFFF"))
    if found:
        return found
    known = {*Theme("any", "#000000").to_color_system().generate(), *TONES}
    for key, value in fields.get("variables", {}).items():
        if key not in known:
            found.append((key, f"{key} is no variable of a theme"))
        elif not isinstance(value, str) or not _is_value(key, value):
            found.append((key, f"{key}: {value!r} is no {_sort(key)}"))
    return found


def _sort(key: str) -> str:
    return "text style, such as bold" if "-style" in key else "colour, such as #5FAFFF"


def _is_value(key: str, value: str) -> bool:
    if "-style" in key:
        return all(word in VALID_STYLE_FLAGS for word in value.split())
    colour, _, share = value.partition(" ")
    if share and not re.fullmatch(r"\d{1,3}%", share):
        return False
    return colour in _WORDS or _is_colour(colour)


def _is_colour(value: str) -> bool:
    try:
        Color.parse(value)
    except ColorParseError:
        return False
    return True


def _line(text: str, key: str) -> int:
    """Return the line of a key, 1 if it is not in the text."""
    pattern = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=")
    lines = enumerate(text.splitlines(), 1)
    return next((number for number, line in lines if pattern.match(line)), 1)
