"""One line of text with a cursor: what each key does to it, and the part of it that is in sight."""

from __future__ import annotations

import re

from quarterdeck.present import inert, table
from quarterdeck.present.table import Cell

_WORD = re.compile(r"\w+\W*|\W+")


class LineEditor:
    """The cursor in a text that somebody else keeps; keys as in a shell."""

    def __init__(self) -> None:
        self.at = 0
        self._first = 0  # the first character in sight
        self._before: list[tuple[str, int]] = []

    def end(self, text: str) -> None:
        """Begin with another text, the cursor behind it."""
        self.at = len(text)
        self._first = 0
        self._before = []

    def insert(self, text: str, more: str) -> str:
        """Return the text with more at the cursor."""
        at = self._within(text)
        self._before.append((text, at))
        self.at = at + len(more)
        return text[:at] + more + text[at:]

    def press(self, text: str, key: str, character: str | None) -> str | None:
        """Return the text after a key; None if the key does nothing in a line of text."""
        at = self._within(text)
        moved = self._moved(text, at, key)
        if moved is not None:
            self.at = moved
            return text
        cut = self._cut(text, at, key)
        if cut is not None:
            begin, end = cut
            if begin < end:
                self._before.append((text, at))
            self.at = begin
            return text[:begin] + text[end:]
        if key == "ctrl+z":
            text, self.at = self._before.pop() if self._before else (text, at)
            return text
        return self.insert(text, character) if character else None

    def _within(self, text: str) -> int:
        return max(0, min(self.at, len(text)))

    @staticmethod
    def _moved(text: str, at: int, key: str) -> int | None:
        match key:
            case "left" | "ctrl+b":
                return max(0, at - 1)
            case "right":
                return min(len(text), at + 1)
            case "home" | "ctrl+a":
                return 0
            case "end" | "ctrl+e":
                return len(text)
            case "ctrl+left":
                return _word_left(text, at)
            case "ctrl+right":
                return _word_right(text, at)
            case _:
                return None

    @staticmethod
    def _cut(text: str, at: int, key: str) -> tuple[int, int] | None:
        match key:
            case "backspace" | "ctrl+h":
                return max(0, at - 1), at
            case "delete" | "ctrl+d":
                return at, min(len(text), at + 1)
            case "ctrl+u":
                return 0, at
            case "ctrl+k":
                return at, len(text)
            case "ctrl+w":
                return _word_left(text, at), at
            case _:
                return None

    def cells(self, text: str, room: int) -> list[Cell]:
        """Return the part around the cursor in exactly `room` columns, the cursor as a cell of its own."""
        at = self._within(text)
        shown = [inert.line(one) for one in text] + [" "]
        sizes = [table.width(one) for one in shown]
        self._first = min(self._first, at)
        while sum(sizes[self._first : at + 1]) > room and self._first < at:
            self._first += 1
        last, taken = self._first, 0
        while last < len(shown) and taken + sizes[last] <= room:
            taken += sizes[last]
            last += 1
        return [
            Cell("".join(shown[self._first : at])),
            Cell(shown[at], "match"),
            Cell("".join(shown[at + 1 : last]) + " " * max(0, room - taken)),
        ]


def _word_left(text: str, at: int) -> int:
    starts = [match.start() for match in _WORD.finditer(text) if match.start() < at]
    return starts[-1] if starts else 0


def _word_right(text: str, at: int) -> int:
    return next((match.end() for match in _WORD.finditer(text) if match.end() > at), len(text))
