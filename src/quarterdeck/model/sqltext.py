"""SQL text as the engine lexes it: statements, places, parameter markers, what is left open.

Pure; nothing is parsed beyond tokens. `runner.py` repeats a compact version; a test compares them.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_STRING: Final = r"""[rR][ \t]*(?:'[^']*'|"[^"]*")            # raw: a backslash means nothing
      |U&(?:'[^']*'|"[^"]*")
      |'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"|`[^`]*`"""
_TOKEN: Final = re.compile(
    rf"""(?P<space>[ \t\r\n]+)
    |(?P<line>--[^\r\n]*)
    |(?P<block>/\*)
    |(?P<string>{_STRING})
    |(?P<marker>::|:(?P<name>[^\W\d]\w*))                # :: is a cast
    |(?P<word>\w+)
    |(?P<open>['"`])
    |(?P<dollar>\$)
    |(?P<end>;)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_FINE: Final = re.compile(
    rf"""(?>[ \t\r\n]+|--[^\r\n]*|{_STRING}
    |::|:[^\W\d]\w*|\w+|;
    |/(?!\*)|\{{(?!\{{)|[-\]!#%&()*+,.:<=>?@\[\\^|}}~])++""",
    re.VERBOSE | re.DOTALL,
)
"""A run of whole tokens that nobody complains about; with each save a draft is looked through for the others."""
_COMMENT: Final = re.compile(r"/\*|\*/")
_TAG: Final = re.compile(r"\$[^$]*\$")
_NEWLINE: Final = re.compile(r"\r\n|\r|\n")
_BOM: Final = "\ufeff"
_QUERY_WORDS: Final = frozenset({"select", "with", "values", "table"})
_NOTHING: Final = frozenset({"space", "comment", "end"})
_OPEN: Final = {"'": "string", '"': "string", "`": "quoted name"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement without the comments around it.

    `number`, `line` and `column` count from 1; `offset` is in characters of the whole text.
    """

    number: int
    text: str
    offset: int
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class TextProblem:
    """What is wrong at a place; `line` and `column` count from 1, in characters."""

    message: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    start: int
    end: int
    name: str = ""


def split(text: str) -> list[Statement]:
    """Return the statements in order; empty and comment-only pieces are dropped.

    Of a text with `problems` the rest behind something left open belongs to its statement.
    """
    found: list[tuple[int, int]] = []
    first: int | None = None
    last = 0
    for token in _tokens(text):
        if token.kind == "end":
            if first is not None:
                found.append((first, last))
            first = None
        elif token.kind not in _NOTHING:
            first = token.start if first is None else first
            last = token.end
    if first is not None:
        found.append((first, last))
    starts = _line_starts(text)
    return [
        Statement(number, text[start:end], start, *_place(starts, start))
        for number, (start, end) in enumerate(found, 1)
    ]


def problems(text: str) -> list[TextProblem]:
    """Return what the engine would refuse strangely: things left open, odd blanks, nothing."""
    starts = _line_starts(text)
    found = [
        TextProblem(message, *_place(starts, token.start))
        for token in _tokens(text, skip=_FINE)
        if (message := _complaint(text, token))
    ]
    if not found and all(token.kind in _NOTHING for token in _tokens(text)):
        found.append(TextProblem("There is no statement in this text.", 1, 1))
    return found


def markers(text: str) -> tuple[str, ...]:
    """Return the names of the parameter markers (`:name`), each once, in order of appearance."""
    return tuple(dict.fromkeys(t.name for t in _tokens(text) if t.name))


def has_line_comment(text: str) -> bool:
    """Whether a `--` makes the rest of its line a comment."""
    return any(t.kind == "comment" and text.startswith("--", t.start) for t in _tokens(text))


def is_query(text: str) -> bool:
    """Whether this one statement is a query, which takes parameters; commands refuse them."""
    for token in _tokens(text):
        word = text[token.start : token.end].lower()
        if token.kind in {"space", "comment"} or word == "(":
            continue
        return token.kind == "word" and word in _QUERY_WORDS
    return False


def place(text: str, offset: int) -> tuple[int, int]:
    """Return line and column (from 1) of a character offset; CR, LF and CRLF end a line."""
    return _place(_line_starts(text), offset)


def _line_starts(text: str) -> list[int]:
    return [len(_BOM) * text.startswith(_BOM), *(m.end() for m in _NEWLINE.finditer(text))]


def _place(starts: list[int], offset: int) -> tuple[int, int]:
    line = max(1, bisect_right(starts, offset))
    return line, offset - starts[line - 1] + 1


def _dollar_tags(text: str) -> dict[str, list[int]]:
    """Return where each `$tag$` stands, in order."""
    found: dict[str, list[int]] = {}
    for one, two in pairwise(match.start() for match in re.finditer(r"\$", text)):
        found.setdefault(text[one : two + 1], []).append(one)
    return found


def _tokens(text: str, *, skip: re.Pattern[str] | None = None) -> Iterator[_Token]:
    """Yield the tokens in order, without the runs that `skip` matches."""
    at = len(_BOM) if text.startswith(_BOM) else 0
    tags = _dollar_tags(text)
    while True:
        if skip is not None and (run := skip.match(text, at)):
            at = run.end()
        if not (match := _TOKEN.match(text, at)):
            return
        kind, end = match.lastgroup or "other", match.end()
        if kind == "line":
            kind = "comment"
        elif kind == "block":
            closed = _comment_end(text, at)
            kind, end = ("comment", closed) if closed else ("open", len(text))
        elif kind == "open":
            end = len(text)
        elif kind == "dollar" and (tag := _TAG.match(text, at)):
            starts = tags[tag.group()]
            if (closing := bisect_left(starts, tag.end())) < len(starts):
                kind, end = "string", starts[closing] + len(tag.group())
        yield _Token(kind, at, end, match["name"] or "")
        at = end


def _comment_end(text: str, at: int) -> int:
    """Return the offset behind the (nesting) comment at `at`; 0 if it is never closed."""
    depth = 0
    for match in _COMMENT.finditer(text, at):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return 0


def _complaint(text: str, token: _Token) -> str:
    char = text[token.start]
    if token.kind == "open":
        what = _OPEN.get(char, "comment")
        return f"A {what} begins here and is never closed."
    if token.kind == "dollar" and re.match(r"\$\w*\$", text[token.start : token.start + 128]):
        return "A dollar-quoted string begins here and is never closed."
    if token.kind == "dollar" and text.startswith("${", token.start):
        return "${…} is not substituted; declare a parameter and write :name."
    if token.kind == "other" and text.startswith("{{", token.start):
        return "{{…}} is not substituted; declare a parameter and write :name."
    if token.kind == "other" and (char.isspace() or char in "\ufeff\u200b" or char < " "):
        return f"The character U+{ord(char):04X} is no blank to the engine; replace it by a space."
    return ""
