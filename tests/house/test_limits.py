"""The numbers that users meet stand in model/limits and nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import quarterdeck.model
from quarterdeck.model import limits

FOLDER = Path(str(quarterdeck.model.__file__)).parent
MODULES = (
    "base", "source", "spec", "profile", "query", "cluster", "catalog", "team", "workspace",
    "checks", "problems", "text", "form",
)  # fmt: skip
NUMBERS = {
    number
    for value in vars(limits).values()
    for number in ([value.total_seconds()] if isinstance(value, timedelta) else [value])
    if isinstance(number, int | float) and number >= 10
} - {10, 20, 30, 64}  # too common to tell


def constants(module: str) -> Iterator[object]:
    for node in ast.walk(ast.parse((FOLDER / f"{module}.py").read_text())):
        if isinstance(node, ast.Constant):
            yield node.value


@pytest.mark.parametrize("module", MODULES)
def test_no_limit_is_written_twice(module: str) -> None:
    for value in constants(module):
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert value not in NUMBERS
        if isinstance(value, str):
            found = {float(n.replace(",", "")) for n in re.findall(r"\d[\d,]{2,}", value)}
            assert not found & NUMBERS, value
