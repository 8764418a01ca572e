"""Any document as indented `key: value` lines for people. The exact form is `--json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from quarterdeck.model.units import format_duration, format_size
from quarterdeck.present import ages, inert
from quarterdeck.present.table import Cell, Line

_SECONDS: Final = (
    "timeout", "backoff", "queue_deadline", "start_deadline", "evidence_kept", "kept",
)  # fmt: skip
_BYTES: Final = ("memory", "max_driver_memory")


def lines(document: Mapping[str, Any], indent: int = 0) -> Iterator[Line]:
    """Yield the lines; keys without a value are left out, texts of several lines stand below their key."""
    pad = " " * indent
    for key, value in document.items():
        if _is_empty(value):
            continue
        name = Cell(f"{pad}{inert.line(str(key))}:", "head")
        if isinstance(value, Mapping):
            yield (name,)
            yield from lines(value, indent + 2)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield from _list(name, value, indent)
        elif isinstance(value, str) and "\n" in value:
            yield (name,)
            yield from ((Cell(f"{pad}  {one}"),) for one in inert.block(value.rstrip("\n")))
        else:
            yield (name, Cell(" " + _in_units(key, value)))


def _list(name: Cell, values: Sequence[Any], indent: int) -> Iterator[Line]:
    if not any(isinstance(one, Mapping) for one in values):
        yield (name, Cell(" " + ", ".join(plain(one) for one in values)))
        return
    yield (name,)
    for one in values:
        first, *rest = (
            lines(one, indent + 4) if isinstance(one, Mapping) else [(Cell(plain(one)),)]
        )
        head = Cell(" " * (indent + 2) + "- " + first[0].text.lstrip(), first[0].tone)
        yield (head, *first[1:])
        yield from rest


def _is_empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_empty(one) for one in value.values())
    return value is None or value in ("", [], ())


def _in_units(key: str, value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if key.removesuffix("_s") in _SECONDS:
            return ages.span(value)
        if key in _BYTES:
            return ages.size(value)
    return plain(value)


def written(path: str, value: Any) -> str:
    """Return the value at this path as people write it: `2h` for a length of time, `4Gi` for a size."""
    key = path.rpartition(".")[2]
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and float(value).is_integer()
    ):
        if key.removesuffix("_s") in _SECONDS:
            return format_duration(timedelta(seconds=value))
        if key in _BYTES:
            return format_size(int(value))
    return plain(value)


def plain(value: Any) -> str:
    """Return one value in one inert line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return inert.line(str(value))
