"""Parameters that are given when a run is made: declared ones alone, each read as the type of its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quarterdeck.model.errors import InvalidInputError, Problem


def laid_over(spec: Mapping[str, Any], given: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the spec with declared parameters set, read as the type of their default."""
    declared = spec["parameters"]
    found, values = [], dict(declared)
    for name, text in given.items():
        if name not in declared:
            known = ", ".join(declared) or "none"
            found.append(Problem(f"parameters.{name}", f"is not declared; declared: {known}"))
            continue
        try:
            values[name] = _typed(text, declared[name])
        except ValueError as error:
            found.append(Problem(f"parameters.{name}", str(error)))
    if found:
        raise InvalidInputError(found)
    return {**spec, "parameters": values}


def _typed(text: str, default: Any) -> Any:
    if isinstance(default, bool):
        if text not in ("true", "false"):
            raise ValueError(f"{text!r} is neither true nor false")
        return text == "true"
    for kind, word in ((int, "a whole number"), (float, "a number")):
        if isinstance(default, kind):
            try:
                value = kind(text)
            except ValueError:
                raise ValueError(f"{text!r} is not {word}") from None
            if value - value != 0:  # nan and the infinities are no JSON
                raise ValueError(f"{text!r} is not {word}")
            return value
    return text
