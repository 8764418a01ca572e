"""Parses definition files, YAML or JSON, to plain data, naming file and line.

What the fields mean: `model`.

Read by the YAML 1.2 core rules, a little narrower: only `true`, `false`, `null`, whole and decimal
numbers are not text. So `on` and `no` are words, `2026-11-22` and `0123` stay as typed, and every
key is text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
)

from quarterdeck.model.errors import InvalidInputError, Problem
from quarterdeck.model.limits import FILE_BYTES
from quarterdeck.model.text import Folded
from quarterdeck.ports.files import UnreadableError
from quarterdeck.sources.path import read_regular

NODES: Final = 100_000  # values of one file, what aliases stand for included
DEPTH: Final = 100

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: Final[Mapping[str, Any]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_INT_DIGITS: Final = 400
# YAML ends a line at these, most editors and tools do not: a comment would end, a text would change.
_ODD_ENDS: Final = re.compile("\r(?!\n)|[\x85\u2028\u2029]")
_ODD_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "\r": ("a carriage return without a line feed", "\\r"),
    "\x85": ("U+0085, next line", "\\N"),
    "\u2028": ("U+2028, line separator", "\\L"),
    "\u2029": ("U+2029, paragraph separator", "\\P"),
}


def load(path: str, stdin: BinaryIO) -> list[Mapping[str, Any]]:
    """Return the documents of the file, in order; InvalidInputError's path is `FILE:LINE`."""
    name = "standard input" if path == "-" else path
    return parse(_read(path, name, stdin), name)


def parse(content: bytes, name: str) -> list[Mapping[str, Any]]:
    """Return the documents in `content`, each a mapping; empty ones between `---` are left out."""
    text = _decode(content, name)
    values = _from_json(text) or _from_yaml(text, name)
    found = [(line, value) for line, value in values if value is not None]
    if not found:
        _refuse(name, 1, "the file is empty; it needs a definition")
    for line, value in found:
        if not isinstance(value, dict):
            kind = "a list" if isinstance(value, list) else "a single value"
            _refuse(name, line, f"the document is {kind}; a definition is a mapping, key: value")
    return [value for _, value in found]


def _read(path: str, name: str, stdin: BinaryIO) -> bytes:
    if path != "-":
        try:
            return read_regular(str(Path(path).resolve()), path, FILE_BYTES)
        except UnreadableError as error:
            raise InvalidInputError([Problem(path, str(error))], message=str(error)) from error
    content = stdin.read(FILE_BYTES + 1)
    if len(content) > FILE_BYTES:
        _refuse(name, 1, f"more than {FILE_BYTES:,} bytes; at most that many are read")
    return content


def _decode(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        _refuse(name, line, f"byte {error.start} (0x{content[error.start]:02x}) is not UTF-8")
    if (at := content.find(b"\0")) >= 0:
        _refuse(name, content.count(b"\n", 0, at) + 1, f"byte {at} is NUL, which no text holds")
    return text


def _refuse(name: str, line: int, message: str) -> NoReturn:
    raise InvalidInputError([Problem(f"{name}:{line}", message)])


# --- JSON


def _from_json(text: str) -> list[tuple[int, Any]] | None:
    """Return strict JSON's value, or None: what is not quite JSON, YAML refuses with its line."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(text, object_pairs_hook=_pairs, parse_constant=_no, parse_int=_int)
    except (ValueError, RecursionError):
        return None
    return [(1, value)] if _is_small(value) else None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _no("a key twice")


def _no(text: str) -> NoReturn:
    raise ValueError(text)


def _int(text: str) -> int:
    return int(text) if len(text) <= _INT_DIGITS else _no("too long")


def _is_small(value: Any) -> bool:
    left, level = NODES, [value]
    for _ in range(DEPTH + 2):
        left -= len(level)
        if not level or left < 0:
            return left >= 0
        lists = [
            v.values() if isinstance(v, dict) else v for v in level if isinstance(v, (dict, list))
        ]
        level = [item for items in lists for item in items]
    return False


# --- YAML


def _from_yaml(text: str, name: str) -> list[tuple[int, Any]]:
    if odd := _ODD_ENDS.search(text):
        what, escape = _ODD_NAMES[odd.group()]
        line = text.count("\n", 0, odd.start()) + 1
        column = odd.start() - text.rfind("\n", 0, odd.start())
        _refuse(
            name, line,
            f"column {column} holds {what}, which ends a line in YAML;"
            f' leave it out, or write {escape} in a text in double quotes: "a{escape}b"',
        )  # fmt: skip
    return _Parser(name, text).documents()


def _line(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


@dataclass(slots=True)
class _Node:
    """A value and its cost: `size` in values, `height` in levels; not `done`: still being read."""

    value: Any
    line: int
    size: int = 1
    height: int = 0
    done: bool = True


class _Parser:
    """Builds plain data from events; a limit is felt before the text behind it is read."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._text = text
        self._anchors: dict[str, _Node] = {}
        self._count = 0

    def documents(self) -> list[tuple[int, Any]]:
        """Return line and value of each document."""
        found = []
        try:
            events = yaml.parse(self._text, Loader=_LOADER)
            for event in events:
                if isinstance(event, DocumentStartEvent):
                    self._anchors = {}
                    node = self._node(next(events), events, 0)
                    found.append((node.line, node.value))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            words = " ".join(filter(None, (error.context, error.problem)))
            column = f", column {mark.column + 1}" if mark else ""
            self._refuse(line, f"neither YAML nor JSON{column}: {words}")
        except yaml.reader.ReaderError as error:
            self._refuse(self._line_of(error), f"neither YAML nor JSON: {error.reason}")
        return found

    def _line_of(self, error: yaml.reader.ReaderError) -> int:
        if isinstance(error.character, int):  # the C reader counts bytes
            return self._text.encode()[: error.position].count(b"\n") + 1
        return self._text.count("\n", 0, error.position) + 1

    def _refuse(self, line: int, message: str) -> NoReturn:
        _refuse(self._name, line, message)

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> _Node:
        line = _line(event)
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        if not isinstance(event, (ScalarEvent, CollectionStartEvent)):
            raise TypeError(f"no value begins with {event}")
        if event.tag is not None:
            self._refuse(line, f"the tag {event.tag} is not taken; leave it out")
        if isinstance(event, ScalarEvent):
            # Long text costs more, so that aliases of it are bounded, too.
            node = _Node(self._scalar(event, line), line, size=1 + len(event.value) // 1024)
        else:
            node = _Node({} if isinstance(event, MappingStartEvent) else [], line, done=False)
        self._spend(node.size, line, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        if isinstance(event, CollectionStartEvent):
            self._fill(node, events, depth + 1)
        return node

    def _alias(self, event: AliasEvent, depth: int) -> _Node:
        anchor, line = event.anchor or "", _line(event)
        node = self._anchors.get(anchor)
        if node is None:
            self._refuse(line, f"*{anchor} stands for nothing: there is no &{anchor} before it")
        if not node.done:
            self._refuse(line, f"*{anchor} stands for what it is in itself")
        self._spend(node.size, line, depth + node.height)
        return _Node(node.value, line, node.size, node.height)

    def _spend(self, size: int, line: int, depth: int) -> None:
        self._count += size
        if self._count > NODES:
            self._refuse(line, f"more than {NODES:,} values, aliases written out; make it smaller")
        if depth > DEPTH:
            self._refuse(line, f"nested more than {DEPTH} deep")

    def _fill(self, node: _Node, events: Iterator[Event], depth: int) -> None:
        for event in events:
            if isinstance(event, CollectionEndEvent):
                break
            if isinstance(node.value, list):
                child = self._node(event, events, depth)
                node.value.append(child.value)
            else:
                key = self._key(event, depth)
                if key == "<<" and isinstance(event, ScalarEvent) and event.implicit[0]:
                    self._refuse(
                        _line(event),
                        "the merge key << is not read; write its keys out here"
                        " (an alias may stand for a whole value, as in key: *name)",
                    )
                if key in node.value:
                    self._refuse(_line(event), f"the key {key} is here twice")
                child = self._node(next(events), events, depth)
                node.value[key] = child.value
            node.size += child.size
            node.height = max(node.height, child.height + 1)
        node.done = True

    def _key(self, event: Event, depth: int) -> str:
        if isinstance(event, ScalarEvent):
            self._node(event, iter(()), depth)
            return str(event.value)
        if isinstance(event, AliasEvent):
            value = self._alias(event, depth).value
            if isinstance(value, str):
                return value
        return self._refuse(_line(event), "a key is not plain text; write key: value")

    def _scalar(self, event: ScalarEvent, line: int) -> Any:
        text: str = event.value
        if not event.implicit[0]:  # quoted or a block: always text
            return Folded(text) if self._is_folded(event) else text
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            if len(text) > _INT_DIGITS:
                self._refuse(
                    line, f"a number of {len(text):,} digits; at most {_INT_DIGITS} are read"
                )
            return int(text)
        if _FLOAT.fullmatch(text) and math.isfinite(value := float(text)):
            return value
        return Folded(text) if self._is_folded(event) else text

    def _is_folded(self, event: ScalarEvent) -> bool:
        """Whether line ends of the file became blanks, or nothing, in this text."""
        start, end = event.start_mark, event.end_mark
        if event.style == "|" or not start or not end or start.line == end.line:
            return False
        lines = [one for one in self._text[start.index : end.index].split("\n") if one.strip()]
        if event.style != ">":
            return len(lines) > 1
        kept = [one for one in event.value.split("\n") if one.strip()]
        return len(lines) - 1 > len(kept)  # the first holds the sign
