"""The settings that a run really gets, each with where it came from: default, profile or job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

DEFAULTS: Final[dict[str, Any]] = {"runtime.stack_size": 268_435_456}
"""Ours where nobody says otherwise. The engine dies on deep statements with its own 8 MiB stack."""


def settings(profile: Mapping[str, Any], spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return [{"option", "value", "from"}] by option name: the job's over the profile's over ours."""
    layers = (
        ("default", DEFAULTS),
        ("profile", profile["sail_config"]),
        ("job", spec["settings"]["sail"]),
    )
    found: dict[str, dict[str, Any]] = {}
    for origin, options in layers:
        for option, value in options.items():
            found[option] = {"option": option, "value": value, "from": origin}
    return [found[option] for option in sorted(found)]


def environment(profile: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of payload and engine: the job's over the profile's."""
    return {**profile["env"], **spec["settings"]["env"]}
