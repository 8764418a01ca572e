"""What this Python and machine offer: engine, client, time zone data, and whether a frozen spec fits them.

Nothing heavy is imported to find out.
"""

from __future__ import annotations

import json
import os
import platform
import site
import sysconfig
from importlib import metadata, util
from pathlib import Path
from typing import Any, Final

from quarterdeck.executors import sail, start
from quarterdeck.model.errors import PrerequisiteError
from quarterdeck.ports.executor import Check, Place

INSTALL: Final = "pip install 'quarterdeck[local]'"
ENGINE: Final = "pysail"
CLIENT: Final = "pyspark-client"

_MODULES: Final = {ENGINE: "pysail", CLIENT: "pyspark"}
_ZONES: Final = Path("/usr/share/zoneinfo/tzdata.zi")
_PINNED: Final = (
    "engine",
    "client",
    "python",
    "image",
    "image_id",
)  # the rest may change a run, and is said


def place() -> Place:
    """Return what freeze pins; PrerequisiteError when engine or client is not there."""
    found = {name: _version(name) for name in _MODULES}
    missing = [name for name, version in found.items() if version is None]
    if missing:
        raise PrerequisiteError(
            f"{' and '.join(missing)} cannot be found by this Python.", advice=f"{INSTALL}."
        )
    return Place(
        engine=f"{ENGINE} {found[ENGINE]}",
        client=f"{CLIENT} {found[CLIENT]}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        platform=sysconfig.get_platform(),
        timezone_data=_timezone_data(),
    )


def engine_checks() -> list[Check]:
    """Return whether engine and client are there, with their versions."""
    found = []
    for name in _MODULES:
        version = _version(name)
        if version is None:
            text = f"{name} cannot be found by this Python."
            found.append(Check(name, "failed", text, f"{INSTALL}."))
        else:
            found.append(Check(name, "ok", version))
    return found


def folder_check(folder: Path) -> Check:
    """Return whether attempts can be made in `folder`; it is made if it is not there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        text = f"{folder} cannot be made: {error.strerror}."
        return Check("folder", "failed", text, "Make its parent writable.")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        text = f"{folder} is not writable for this user."
        return Check("folder", "failed", text, f"chown or chmod {folder}.")
    return Check("folder", "ok", str(folder))


def isolation_check() -> Check:
    """Return what holds what a run starts together."""
    if start.namespace_command():
        text = "a PID namespace holds what a run starts: it ends with the run"
    else:
        text = "what a run starts is marked, and swept at its end and by the next command"
    return Check("isolation", "ok", text)


def runner_flags() -> list[str]:
    """Return the flags of the Python that runs the runner here."""
    engine = util.find_spec(_MODULES[ENGINE]) if site.ENABLE_USER_SITE else None
    return isolating(Path((engine and engine.origin) or "/"), site.getusersitepackages())


def isolating(engine: Path, users: str) -> list[str]:
    """Return the flags by which no variable, folder or start-up module of the user's steers a Python.

    Where the engine itself lies in the `users` site-packages those stay: they are what is installed.
    """
    return ["-E", "-P"] if engine.is_relative_to(users) else ["-I"]


def launch_checks(frozen: bytes, here: Place, executor_kind: str) -> list[Check]:
    """Return what this frozen spec asks for and the place does not have."""
    document = parse_frozen(frozen)
    found = []
    try:
        sail.engine_options(document, executor_kind=executor_kind)
    except PrerequisiteError as error:
        found.append(Check("catalogs", "failed", error.message, error.advice))
    for name, was in (document.get("place") or {}).items():
        now = getattr(here, name, "")
        if was != now:
            level = "failed" if name in _PINNED else "warning"
            text = f"{name} was frozen as {was or 'nothing'} and is {now or 'nothing'} here."
            found.append(Check(name, level, text, "Start a new run, which freezes it anew."))
    return found


def parse_frozen(frozen: bytes) -> dict[str, Any]:
    """Return the frozen spec as data."""
    document: dict[str, Any] = json.loads(frozen)
    return document


def _version(name: str) -> str | None:
    if util.find_spec(_MODULES[name]) is None:
        return None
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _timezone_data() -> str:
    """Return where `zoneinfo` takes its rules from, and which: the system's before the package's."""
    try:
        with _ZONES.open(encoding="utf-8") as zones:
            return f"system {zones.readline().removeprefix('# version').strip()}"
    except OSError:
        pass
    try:
        return f"tzdata {metadata.version('tzdata')}"
    except metadata.PackageNotFoundError:
        return "unknown"
