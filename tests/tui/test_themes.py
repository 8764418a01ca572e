"""Themes: what is shipped can be read by everybody, and a user's mistake is told by its line."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from textual.app import App
from textual.color import Color
from textual.theme import Theme

from quarterdeck.model.errors import InvalidInputError
from quarterdeck.tui import themes
from quarterdeck.tui.widgets import ink

LEAST = 4.5
RGB = [name for name in themes.SHIPPED if name != themes.PLAIN]
INKS = (
    "foreground", "foreground-muted", "text", "text-muted", "text-error", "text-success",
    "text-warning", "text-primary", "text-accent", *themes.TONES, *ink.TONES.values(), "accent",
)  # fmt: skip
PAIRS = [
    *product(INKS, ("background", "surface", "panel", "boost")),
    ("block-cursor-foreground", "block-cursor-background"),
    ("block-cursor-blurred-foreground", "block-cursor-blurred-background"),
    ("footer-foreground", "footer-background"),
    ("footer-key-foreground", "footer-background"),
    ("footer-description-foreground", "footer-background"),
    ("input-cursor-foreground", "input-cursor-background"),
    ("input-selection-foreground", "input-selection-background"),
    ("screen-selection-foreground", "screen-selection-background"),
    ("link-color-hover", "link-background-hover"),
    ("button-color-foreground", "primary"),
    ("button-color-foreground", "error"),
]


def contrast(one: Color, other: Color) -> float:
    """Return the ratio that the Web Content Accessibility Guidelines define, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: Color) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in colour.normalized
    ]
    return sum(part * share for part, share in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def shipped(name: str) -> Theme:
    return themes.load(themes.shipped_folder() / f"{name}.toml", checked=True)


def test_the_folder_holds_what_is_shipped() -> None:
    found = {path.stem for path in themes.shipped_folder().glob("*.toml")}
    assert found == set(themes.SHIPPED)
    assert themes.SHIPPED[0] == themes.DEFAULT


@pytest.mark.parametrize("name", RGB)
def test_every_pair_of_text_and_ground_has_contrast(name: str) -> None:
    theme = shipped(name)
    colours = {**theme.to_color_system().generate(), **theme.variables}
    thin = []
    for text, ground in dict.fromkeys(PAIRS):
        found = contrast(Color.parse(colours[text]), Color.parse(colours[ground]))
        if found < LEAST:
            thin.append((text, ground, round(found, 2)))
    assert not thin


@pytest.mark.parametrize("name", themes.SHIPPED)
def test_every_tone_has_a_colour_of_its_own_in_the_file(name: str) -> None:
    theme = shipped(name)
    for variable in (*themes.TONES, "foreground-muted"):
        assert variable in theme.variables


def test_the_plain_theme_names_no_colour_but_the_terminals_own() -> None:
    theme = shipped(themes.PLAIN)
    colours = [*theme.variables.values(), theme.primary, theme.foreground, theme.background]
    styles = {"none", "reverse", "underline", "bold reverse"}
    assert {colour for colour in colours if colour not in styles} == {"ansi_default"}
    assert theme.ansi


@pytest.mark.parametrize(
    ("setting", "no_color", "few", "expected"),
    [
        (None, False, False, themes.DEFAULT),
        ("mono", False, False, "mono"),
        (None, False, True, themes.PLAIN),
        ("quarterdeck-light", False, True, "quarterdeck-light"),
        ("quarterdeck-light", True, False, themes.PLAIN),
        ("dracula", False, False, "dracula"),
    ],
)
def test_which_theme_is_taken(
    tmp_path: Path, setting: str | None, no_color: bool, few: bool, expected: str
) -> None:
    chosen = themes.choose(setting, no_color=no_color, few_colours=few, own=tmp_path)
    assert (chosen.theme.name, chosen.notices) == (expected, [])


def test_a_users_theme_goes_before_ours(tmp_path: Path) -> None:
    text = (themes.shipped_folder() / "mono.toml").read_text()
    (tmp_path / "mono.toml").write_text(text.replace("#101010", "#000000"))
    assert themes.find("mono", tmp_path).background == "#000000"
    found, notices = themes.every(tmp_path)
    assert ([one.name for one in found], notices) == (list(themes.SHIPPED), [])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("panel =", "pannel ="), "line 7: pannel is no field of a theme"),
        (('panel = "#2A2A2A"', 'panel = "grassy"'), "line 7: panel: 'grassy' is no colour"),
        (("dark = true", "dark = 1"), "line 3: dark is 1, which is of the wrong type"),
        (("log-gap", "log-gaps"), "log-gaps is no variable of a theme"),
        (('log-gap = "#DADADA"', 'log-gap = "#DADADAD"'), "log-gap: '#DADADAD' is no colour"),
        (('"bold reverse"', '"bald"'), "button-focus-text-style: 'bald' is no text style"),
        (("name = ", "name "), "at line 2"),
        (('name = "mono"', 'name = "moon"'), "line 2: the name is moon"),
    ],
)
def test_a_mistake_in_a_users_theme_is_told_by_its_line_and_gives_the_default(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    text = (themes.shipped_folder() / "mono.toml").read_text()
    assert change[0] in text
    (tmp_path / "mono.toml").write_text(text.replace(*change))
    chosen = themes.choose("mono", no_color=False, few_colours=False, own=tmp_path)
    assert chosen.theme.name == themes.DEFAULT
    [notice] = chosen.notices
    assert words in notice
    assert str(tmp_path / "mono.toml") in notice


def test_an_unknown_theme_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInputError, match=r"there is no theme \.\./x; there are quarterdeck-dark, "
    ):
        themes.find("../x", tmp_path)


@pytest.mark.parametrize("name", themes.SHIPPED)
async def test_textual_takes_it(name: str) -> None:
    app: App[None] = App()
    app.register_theme(shipped(name))
    async with app.run_test() as pilot:
        app.theme = name
        await pilot.pause()
        assert app.theme_variables["state-failed"]
