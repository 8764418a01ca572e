"""The runner's process on this machine: its command and variables, for starting it and for showing it before."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quarterdeck.executors import environment, folder, start
from quarterdeck.model import wire
from quarterdeck.model.receipt import AttemptId
from quarterdeck.ports.executor import Launch


def command(of: folder.AttemptFolder, isolation: str, python: str) -> list[str]:
    """Return what starts the runner."""
    before = start.namespace_command() if isolation == "pid_namespace" else ()
    return [
        *before,
        python,
        *environment.runner_flags(),
        *map(str, (of.runner, of.inputs, of.out)),
    ]


def variables(work: Path, name: AttemptId) -> dict[str, str]:
    """Return what a runner gets beside our own; the second says whose it is before it has started anything."""
    return {wire.MARKER_ENV: name, "QUARTERDECK_WORK": f"{work}/"}


def document(
    launch: Launch, of: folder.AttemptFolder, told: Mapping[str, Any], python: str
) -> dict[str, Any]:
    """Return the process that would be started: variables by name, inputs by path."""
    frozen = environment.parse_frozen(launch.frozen)
    files = [folder.RUNNER, wire.FROZEN_FILE, wire.LAUNCH_FILE]
    files += [f"{wire.FILES_FOLDER}/{file.name}" for file in launch.files]
    return {
        "kind": "Process",
        "command": command(of, told["isolation"], python),
        "environment": sorted({*os.environ, *variables(of.path.parent, told["marker"])}),
        "payload_environment": sorted(frozen.get("env") or ()),
        "isolation": told["isolation"],
        "engine_options": told["engine_options"],
        "inputs": {"folder": str(of.inputs), "files": files},
    }
