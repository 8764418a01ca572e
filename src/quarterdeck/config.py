"""Flags, environment and `config.toml` to frozen settings. What a workspace sets is in its document, not here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from quarterdeck.model.errors import InvalidInputError, Problem, StoreRefusedError

STORE = "QUARTERDECK_STORE"
ACTOR = "QUARTERDECK_ACTOR"
KNOWN = (STORE, ACTOR)
FILE = "config.toml"
CHOSEN_THEME = "theme"
"""The file in the state folder that holds the name of the theme that was chosen on screen."""


class Settings(NamedTuple):
    """Where the store is (and who said so), who acts, and how."""

    store: Path
    store_from: str
    actor: str
    as_team: str | None = None
    read_only: bool = False
    json: bool = False


class Screen(NamedTuple):
    """How the application is drawn: `theme` is a name, or None when nobody chose; `sparing` sends fewer bytes."""

    theme: str | None = None
    mouse: bool = True
    ascii: bool = False
    sparing: bool = True


def load(flags: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Return the settings; a flag goes before the environment, that before the default.

    Raises InvalidInputError for an unknown `QUARTERDECK_…` variable, StoreRefusedError for an empty store.
    """
    unknown = [
        name for name in environ if name.startswith("QUARTERDECK_") and name not in _ALLOWED
    ]
    if unknown:
        text = f"is not a variable of Quarterdeck; known: {', '.join(KNOWN)}"
        raise InvalidInputError([Problem(name, text) for name in sorted(unknown)])
    store, source = _store(flags, environ)
    return Settings(
        store=store,
        store_from=source,
        actor=environ.get(ACTOR) or user_name(),
        as_team=flags.get("as_team"),
        read_only=bool(flags.get("read_only")),
        json=bool(flags.get("json")),
    )


_ALLOWED = (*KNOWN, "QUARTERDECK_ATTEMPT", "QUARTERDECK_PARAMETERS", "QUARTERDECK_TEST_KUBECONFIG")


def _store(flags: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[Path, str]:
    given, source = flags.get("store"), "--store"
    if given is None and STORE in environ:
        given, source = environ[STORE], STORE
    if given is None:
        return default_store(environ), "the default place"
    if not str(given).strip():
        raise StoreRefusedError(
            f"{source} is empty.",
            advice="Name a folder, or unset it; `quarterdeck init` makes one.",
        )
    return Path(given).expanduser().absolute(), source


def default_store(environ: Mapping[str, str]) -> Path:
    """Return the folder used when nobody names one; works without HOME."""
    return _folder("data", environ)


def config_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the user's files: settings, keys, themes."""
    return _folder("config", environ)


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of what is remembered between sessions, and of reports of defects."""
    return _folder("state", environ)


def _folder(kind: str, environ: Mapping[str, str]) -> Path:
    named = environ.get(f"XDG_{kind.upper()}_HOME")
    if named and Path(named).is_absolute():
        return Path(named) / "quarterdeck"
    import platformdirs  # only when it is needed

    found = getattr(platformdirs, f"user_{kind}_dir")("quarterdeck", appauthor=False)
    return Path(found).absolute()


def screen(environ: Mapping[str, str]) -> Screen:
    """Return how the application is drawn: the file goes before the environment, that before the default.

    A theme that was chosen on screen goes before the environment's, too.
    Raises InvalidInputError for a file that cannot be read and for each key in it that is none.
    """
    path = config_folder(environ) / FILE
    given: dict[str, Any] = {}
    if path.exists():
        given = _read(path)
    theme = given.pop("theme", None) or chosen_theme(environ) or environ.get("TEXTUAL_THEME")
    return Screen(theme or None, **given)


def chosen_theme(environ: Mapping[str, str]) -> str:
    """Return the theme that was chosen on screen; empty for none that can be read."""
    try:
        return (state_folder(environ) / CHOSEN_THEME).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):  # nobody chose, or the file is not ours
        return ""


def wants_ascii(environ: Mapping[str, str]) -> bool:
    """Whether the user's file asks for ASCII; a file that cannot be read asks for nothing here."""
    path = config_folder(environ) / FILE
    try:
        return path.exists() and _read(path).get("ascii", False) is True
    except InvalidInputError:  # the application says it; a command goes on
        return False


def names_theme(environ: Mapping[str, str]) -> bool:
    """Whether the user's file names a theme, which goes before the one chosen on screen."""
    path = config_folder(environ) / FILE
    return path.exists() and "theme" in _read(path)


def _read(path: Path) -> dict[str, Any]:
    import tomllib  # only for those who have such a file

    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInputError([Problem("", f"{path}: {error}")]) from error
    problems = []
    for key, value in given.items():
        wanted = str if key == "theme" else bool
        if key not in Screen._fields:
            text = f"{path}: {key} is no setting; there are {', '.join(Screen._fields)}"
            problems.append(Problem("", text))
        elif not isinstance(value, wanted):
            words = "a name in quotes" if wanted is str else "true or false"
            problems.append(Problem("", f"{path}: {key} is {value!r}; it has to be {words}"))
    if problems:
        raise InvalidInputError(problems)
    return given


def user_name() -> str:
    """Return the operating-system user by id, not by an environment that anybody can set."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
