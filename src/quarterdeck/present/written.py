"""Values of a document as somebody types them in one line, and back: lists, names with values, numbers.

`read(shape, write(shape, value)) == value` for whatever a document holds. The shapes are those of `model.form`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

SYNTAX: Final = {
    "list": 'separated by commas; one that holds a comma in "quotes"',
    "texts": 'NAME=text, separated by semicolons; one that holds a semicolon in "quotes"',
    "values": 'NAME=value, separated by semicolons; text that looks like a number in "quotes"',
    "json": "as JSON",
    "whole": "",
    "line": "",
    "block": "Enter opens it",
}
"""How each shape is written, for the line of help."""
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,30}")
_JSON: Final = json.JSONDecoder()


def write(shape: str, value: Any) -> str:
    """Return a value as one line (a block: as its text); what does not fit its shape is written as JSON."""
    if value is None:
        return ""
    if shape == "list" and _is_list_of_texts(value):
        return ", ".join(_item(one, ",") for one in value)
    if shape == "texts" and isinstance(value, Mapping):
        return "; ".join(f"{_item(k, '=;')}={_item(v, ';')}" for k, v in value.items())
    if shape == "values" and isinstance(value, Mapping):
        return "; ".join(f"{_item(k, '=;')}={_value(v)}" for k, v in value.items())
    if isinstance(value, str):
        return value
    return _json(value)


def read(shape: str, text: str) -> Any:
    """Return what a text means; ValueError says where it cannot be read."""
    if shape == "whole":
        return int(text) if _WHOLE.fullmatch(text.strip()) else text
    if shape == "list":
        return list(_items(text, ","))
    if shape in ("texts", "values"):
        return _pairs(text, typed=shape == "values")
    if shape == "json":
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError(f"is no JSON: {error}") from None
    return text


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _item(value: Any, ends: str) -> str:
    """Return a text bare, or in quotes if it would be read as something else."""
    if not isinstance(value, str):
        return _json(value)
    is_bare = (
        value
        and value == value.strip()
        and value.isprintable()
        and not value.startswith('"')
        and not any(one in value for one in ends)
    )
    return value if is_bare else _json(value)


def _value(value: Any) -> str:
    if isinstance(value, str) and isinstance(_typed(value), str) and value[:1] not in "[{":
        return _item(value, ";")
    return _json(value)


def _typed(text: str) -> Any:
    """Return the JSON value that a bare text stands for, or the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _items(text: str, end: str) -> Iterator[Any]:
    """Yield the items between `end`; one that is left open at the end of the line begins nothing."""
    at = 0
    while text[at:].strip():
        at = _skip(text, at)
        if text[at] == '"':
            item, at = _quoted(text, at, end)
        else:
            stop = text.find(end, at)
            stop = len(text) if stop < 0 else stop
            item, at = text[at:stop].strip(), stop
        yield item
        at += 1


def _skip(text: str, at: int) -> int:
    """Return where the blanks from `at` on end."""
    return len(text) - len(text[at:].lstrip())


def _quoted(text: str, at: int, end: str) -> tuple[Any, int]:
    """Return the JSON value that opens at `at`, and where the `end` behind it is."""
    try:
        value, stop = _JSON.raw_decode(text, at)
    except ValueError:
        raise ValueError(
            f"column {at + 1}: what opens here is not closed, or is no JSON"
        ) from None
    stop = _skip(text, stop)
    if stop < len(text) and text[stop] != end:
        raise ValueError(f"column {stop + 1}: write {end} here")
    return value, stop


def _pairs(text: str, *, typed: bool) -> dict[str, Any]:
    """Return names and values; a name given twice, or without `=`, is a ValueError."""
    found: dict[str, Any] = {}
    at = 0
    while text[at:].strip(" ;"):
        at = len(text) - len(text[at:].lstrip(" ;"))
        if text[at] == '"':
            name, equals = _quoted(text, at, "=")
        else:
            equals = text.find("=", at)
            name = text[at:equals].strip()
            if ";" in name:
                equals = -1
        if not 0 <= equals < len(text):
            raise ValueError(f"column {at + 1}: write NAME=value")
        value, at = _one_value(text, equals + 1, typed=typed)
        if name in found:
            raise ValueError(f"{name} is given twice")
        found[name] = value
    return found


def _one_value(text: str, at: int, *, typed: bool) -> tuple[Any, int]:
    start = _skip(text, at)
    if text[start : start + 1] and text[start] in ('"[{' if typed else '"'):
        return _quoted(text, start, ";")
    end = text.find(";", at)
    end = len(text) if end < 0 else end
    bare = text[at:end].strip()
    return _typed(bare) if typed else bare, end
