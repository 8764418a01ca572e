"""References to Secrets in a run's environment, as pods carry them: by name and key, never a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from quarterdeck.model import wire

PREFIX: Final = "secret://"


class Reference(NamedTuple):
    """One key of one Secret in the run's namespace."""

    secret: str
    key: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.secret}/{self.key}"


def of(env: Mapping[str, str] | None) -> dict[str, Reference]:
    """Return the references of an environment by the variable that they are for."""
    found = {}
    for name, value in (env or {}).items():
        if value.startswith(PREFIX):
            secret, _, key = value.removeprefix(PREFIX).partition("/")
            found[name] = Reference(secret, key)
    return found


def for_runner(env: Mapping[str, str] | None) -> list[dict[str, Any]]:
    """Return the driver container's variables: under names that steer neither Python nor the runner."""
    return [_variable(f"{wire.HIDDEN_ENV}{name}", one) for name, one in of(env).items()]


def for_worker(env: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a worker container's variables, plain ones and references."""
    secret = of(env)
    return [
        _variable(name, secret[name]) if name in secret else {"name": name, "value": value}
        for name, value in env.items()
    ]


def _variable(name: str, one: Reference) -> dict[str, Any]:
    key = {"name": one.secret, "key": one.key}
    return {"name": name, "valueFrom": {"secretKeyRef": key}}
