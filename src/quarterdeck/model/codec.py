"""Dataclasses to plain JSON documents and back: instants as text, enums by value, seconds as numbers."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from quarterdeck.model.instants import format_instant, parse_instant

T = TypeVar("T")
_Convert = Callable[[Any], Any]


def to_document(value: Any) -> Any:
    """Return `value` as JSON data; a dataclass becomes a dict of its fields."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    if dataclasses.is_dataclass(value):
        return {name: to_document(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: to_document(item) for name, item in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(key): to_document(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_document(item) for item in value]
    return value


def from_document(cls: type[T], document: Mapping[str, Any]) -> T:
    """Return the `cls` that `to_document` wrote; keys it does not know are ignored.

    A key that is missing takes the field's default; one without a default is a TypeError.
    """
    converters = _converters(cls)
    return cls(
        **{
            name: convert(document[name]) if convert is not None else document[name]
            for name, convert in converters
            if name in document
        }
    )


_NAMES: dict[Any, tuple[str, ...]] = {}
_CONVERTERS: dict[Any, tuple[tuple[str, _Convert | None], ...]] = {}


def _names(cls: Any) -> tuple[str, ...]:
    if cls not in _NAMES:
        _NAMES[cls] = tuple(field.name for field in dataclasses.fields(cls))
    return _NAMES[cls]


def _converters(cls: Any) -> tuple[tuple[str, _Convert | None], ...]:
    if cls not in _CONVERTERS:
        hints = typing.get_type_hints(cls)
        _CONVERTERS[cls] = tuple((name, _converter(hints[name])) for name in _names(cls))
    return _CONVERTERS[cls]


def _optional(convert: _Convert) -> _Convert:
    return lambda value: None if value is None else convert(value)


def _items(convert: _Convert | None) -> _Convert:
    if convert is None:
        return tuple
    return lambda values: tuple(convert(value) for value in values)


def _values(convert: _Convert | None) -> _Convert | None:
    if convert is None:
        return None
    return lambda values: {key: convert(value) for key, value in values.items()}


def _converter(hint: Any) -> _Convert | None:  # one case per kind of type
    """Return how to read a value of this type, or None if JSON's own value will do."""
    hint = getattr(hint, "__supertype__", hint)  # NewType
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        inner = [argument for argument in arguments if argument is not type(None)]
        convert = _converter(inner[0]) if len(inner) == 1 else None
        return None if convert is None else _optional(convert)
    if origin is tuple:
        return _items(_converter(arguments[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _values(_converter(arguments[1]))
    if not isinstance(hint, type):
        return None
    if dataclasses.is_dataclass(hint):
        return lambda value: from_document(hint, value)
    if issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return lambda value: hint(**value)
    if issubclass(hint, enum.Enum):
        return hint
    if issubclass(hint, datetime):
        return parse_instant
    if issubclass(hint, timedelta):
        return lambda value: timedelta(seconds=value)
    return None
