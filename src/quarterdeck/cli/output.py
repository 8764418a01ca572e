"""What goes to standard output: one JSON document for scripts, lines for people. All else goes to stderr."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

from quarterdeck.present import glyphs, inert
from quarterdeck.present.table import Cell, Column, Line, Look, lay_out, wrap

TONES: Final = {"good": "32", "bad": "31", "busy": "33", "dim": "2", "head": "1"}
WIDTH: Final = 80  # of a terminal that does not say
_RAW: Final = "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"


class Output:
    """The two streams of one command. `width` is None where nobody looks: then nothing is cut.

    `plain`: for a screen reader, words in reading order, without tables, colours and lines drawn over.
    """

    def __init__(self, *, as_json: bool, plain: bool = False, ascii: bool = False) -> None:
        self.as_json = as_json
        self.plain = plain
        self.is_terminal = sys.stdout.isatty()
        dumb = plain or os.environ.get("TERM", "dumb") == "dumb"
        self.colour = self.is_terminal and not dumb and not os.environ.get("NO_COLOR")
        self.rewrites = self.is_terminal and not dumb  # the line that the cursor is in
        self.shows_progress = sys.stderr.isatty() and not dumb and not as_json
        self.width = None if plain else self._width()
        self._is_ascii = not glyphs.draws_utf8(os.environ, ascii=ascii)

    def _width(self) -> int | None:
        told = os.environ.get("COLUMNS", "")
        if told.isdecimal() and int(told) > 0:
            return int(told)
        return columns_of(sys.stdout)

    def document(self, value: Any) -> None:
        """Write one JSON document: indented for a person, on one line for a script."""
        self._bytes(to_json(value, indent=2 if self.is_terminal else None) + "\n")

    def one_line(self, value: Any) -> None:
        """Write one JSON document on one line, among others."""
        self._bytes(to_json(value) + "\n")

    @staticmethod
    def _bytes(text: str) -> None:
        raw = getattr(sys.stdout, "buffer", None)
        if raw is None:
            sys.stdout.write(text)
            return
        sys.stdout.flush()
        raw.write(text.encode())

    def lines(self, found: Iterable[Line]) -> None:
        """Write lines of cells, coloured where a person looks at colours."""
        for line in found:
            sys.stdout.write("".join(self._painted(cell) for cell in line).rstrip() + "\n")

    def _drawn(self, text: str) -> str:
        """Return the text with our marks as the terminal can show them."""
        return glyphs.in_ascii(text) if self._is_ascii else text

    def part(self, *cells: Cell, again: bool = False) -> None:
        """Write cells and stay in the line; `again`: in the place of what stands in it."""
        begin, rest = ("\r", "\x1b[K") if again else ("", "")
        sys.stdout.write(begin + "".join(map(self._painted, cells)) + rest)

    def table(
        self, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], look: Look
    ) -> None:
        """Write a table that fits the terminal; plain: one line for each row, every cell with its title."""
        if self.plain:
            self.say(*(_read_out(columns, row, look) for row in rows))
            return
        self.lines(lay_out(columns, rows, look, self.width))

    def _painted(self, cell: Cell) -> str:
        code = TONES.get(cell.tone) if self.colour else None
        text = self._drawn(cell.text)
        if code is None or not text.strip():
            return text
        body = text.rstrip()
        return f"\x1b[{code}m{body}\x1b[0m{text[len(body) :]}"

    def say(self, *texts: str) -> None:
        """Write the answer in words, one inert line each."""
        wide = None if self.plain else columns_of(sys.stdout)
        for text in texts:
            sys.stdout.writelines(one + "\n" for one in wrap(self._drawn(inert.line(text)), wide))

    def note(self, text: str) -> None:
        """Write a line for people beside the answer, to standard error."""
        sys.stdout.flush()
        sys.stderr.writelines(
            one + "\n" for one in wrap(self._drawn(inert.line(text)), columns_of(sys.stderr))
        )


def _read_out(columns: Sequence[Column], row: Mapping[str, Any], look: Look) -> str:
    cells = [(one.title.lower(), one.cell(row, look).text) for one in columns]
    return ", ".join(f"{title} {text}".strip() for title, text in cells if text) + "."


def columns_of(stream: TextIO) -> int | None:
    """Return how wide the terminal is that the stream goes to; None where it goes to none."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or WIDTH
    except OSError:
        return WIDTH


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return `value` as JSON whose text steers no terminal and is UTF-8 whatever it holds."""
    import json

    found = json.dumps(value, ensure_ascii=False, indent=indent)
    return re.sub(_RAW, lambda match: f"\\u{ord(match[0]):04x}", found)
