"""Flags and environment to frozen settings. What a workspace itself sets is in its document, not here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from quarterdeck.model.errors import InvalidInputError, Problem, StoreRefusedError

STORE = "QUARTERDECK_STORE"
ACTOR = "QUARTERDECK_ACTOR"
KNOWN = (STORE, ACTOR)


class Settings(NamedTuple):
    """Where the store is (and who said so), who acts, and how."""

    store: Path
    store_from: str
    actor: str
    as_team: str | None = None
    read_only: bool = False
    json: bool = False


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
    data = environ.get("XDG_DATA_HOME")
    if data and Path(data).is_absolute():
        return Path(data) / "quarterdeck"
    import platformdirs  # only when it is needed

    return Path(platformdirs.user_data_dir("quarterdeck", appauthor=False)).absolute()


def user_name() -> str:
    """Return the operating-system user by id, not by an environment that anybody can set."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
