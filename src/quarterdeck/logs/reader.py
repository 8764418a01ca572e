"""Random access to one run's kept log by row, however long it is: rows are the lines that people see.

The runner's own lines (events, result rows) are passed over, and pieces of a line are joined to its first one; the
writer keeps where both are, so a log of a million lines takes no object per line. Appending is `writer`'s.
"""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from quarterdeck.logs import format as disk
from quarterdeck.logs.shape import Shape, read, shape
from quarterdeck.model.logline import ERRORS, WARNING, StoredLine, carried
from quarterdeck.model.origins import WORKER

AHEAD: Final = 1_000  # lines that are read at once for the rest of an unfinished row,
FAR: Final = (
    20_000  # and in all: of a line that was interrupted by more than these, its beginning is shown
)
BLOCK: Final = 1 << 16  # bytes that are looked through at once; then other threads have their turn
TROUBLE: Final = (*ERRORS, WARNING)
GAP: Final = b'"gap",'
_HEAD: Final = re.compile(rb'\[(\d+),"((?:[^"\\]|\\.)*)",\d+,-?\d+,("[^"]*","[^"]*",)([01]),"')
"""A stored line up to its text: sequence number, source, origin and stream, whether more comes."""


class FolderLogReader:
    """Rows of the log in a folder; see `ports.runlog.LogReader`. One thread at a time."""

    def __init__(self, folder: Path, archived: Callable[[], int] = lambda: 0) -> None:
        self._folder = folder
        self._archived = archived  # how many lines there should be, where there are none
        self._shape = Shape()
        self._hidden = array("Q")  # sequence numbers, ascending
        self._before = array("Q")  # rows before each of them

    @property
    def rows(self) -> int:
        """How many rows there are; what is missing at the end of a damaged log is one."""
        return self._shape.count - len(self._hidden) + (1 if self._shape.missing else 0)

    @property
    def lines(self) -> int:
        """How many lines are kept, also those that are no rows: it rises with whatever is appended."""
        return self._shape.count

    @property
    def unfinished(self) -> int:
        """The first row that may get more text; the number of rows if there is none."""
        rows = (self._row_of(seq) for seq, _, _ in self._shape.open.values())
        return min(rows, default=self.rows)

    def refresh(self) -> int:
        """Take in what was appended since, and return how many rows there are."""
        found = shape(self._folder)
        if not found.count and (expected := self._archived()):
            found = shape(self._folder, expected)
        self._take_in(found)
        return self.rows

    def _take_in(self, found: Shape) -> None:
        known = len(self._hidden)
        if found.hidden is not None:
            self._hidden, self._before = array("Q"), array("Q")
            known, fresh = 0, found.hidden
        elif found.hidden_count > known and self._shape.hidden is None:
            with (self._folder / disk.HIDDEN).open("rb") as file:
                file.seek(known * disk.ENTRY)
                fresh = array("Q", file.read((found.hidden_count - known) * disk.ENTRY))
        else:
            fresh = array("Q")
        self._before.extend(seq - 1 - place for place, seq in enumerate(fresh, known))
        self._hidden.extend(fresh)
        self._shape = found

    def read(self, first: int, count: int) -> list[StoredLine]:
        """Return rows from `first` (0 is the oldest) on, at most so many."""
        wanted = min(count, self.rows - first)
        if wanted <= 0:
            return []
        seq, last = self._seq_of(first), self._shape.count
        found: list[StoredLine] = []
        if seq <= last:
            end = min(last, self._seq_of(first + wanted - 1))
            found = self._joined(read(self._folder, self._shape, seq - 1, end - seq + 1), seq)
        if len(found) < wanted:
            found.append(self._shape.gap)
        return found

    def _joined(self, lines: Iterable[StoredLine], first: int) -> list[StoredLine]:
        """Return the rows of lines from number `first` on, with what more lines than these add to them."""
        rows: list[StoredLine] = []
        unfinished: dict[tuple[str, str, str], int] = {}
        seq = first - 1
        for line in lines:
            seq += 1
            self._join(line, seq, rows, unfinished, adds=True)
        last = min(seq + FAR, self._hidden[-1] if self._hidden else 0)
        while unfinished and seq < last:
            for line in read(self._folder, self._shape, seq, min(AHEAD, last - seq)):
                seq += 1
                self._join(line, seq, rows, unfinished, adds=False)
        return rows

    def _join(
        self, line: StoredLine, seq: int, rows: list[StoredLine],
        unfinished: dict[tuple[str, str, str], int], *, adds: bool,
    ) -> None:  # fmt: skip
        """Put the line into its row, or make it one if it `adds` rows."""
        key = (line.source, line.origin, line.stream)
        row = unfinished.pop(key, None)
        if not self._is_hidden(seq):
            row = len(rows) if adds else None
            if adds:
                rows.append(line)
        elif row is not None:
            text = carried(rows[row].text + line.text)
            rows[row] = replace(rows[row], text=text, more=line.more)
        if row is not None and line.more:
            unfinished[key] = row

    def around(self, row: int, count: int) -> tuple[list[StoredLine], int]:
        """Return lines before and behind the one that begins a row, at most so many each way, and its place.

        Pieces are not joined, and the runner's own lines are among them.
        """
        seq = min(self._seq_of(row), self._shape.count)
        after = max(0, seq - 1 - count)
        lines = read(
            self._folder, self._shape, after, min(self._shape.count - after, 2 * count + 1)
        )
        return lines, seq - 1 - after

    def find(self, text: str, stop: Callable[[], bool], first: int = 0) -> array[int]:
        """Return the rows whose text contains `text`, ascending, from `first` on; small letters match capitals.

        `stop` is asked between blocks; what was found until then is returned.
        """
        fold: Callable[[bytes], bytes] | None = None
        if text == text.lower():
            fold = bytes.lower if text.isascii() else _lower
        return self._rows_with((text,), stop, first, fold=fold)

    def trouble(
        self,
        stop: Callable[[], bool],
        first: int = 0,
        most: int | None = None,
        *,
        warnings: bool = True,
    ) -> array[int]:
        """Return the rows from `first` on that report an error or a warning, ascending; at most so many."""
        return self._rows_with(TROUBLE if warnings else ERRORS, stop, first, most=most)

    def of_origin(self, origin: str, stop: Callable[[], bool], first: int = 0) -> array[int]:
        """Return the rows of one origin, and the gaps, ascending, from `first` on."""
        needle = (f'"{WORKER}-' if origin == WORKER else f'"{origin}",').encode()
        found = array("Q")
        for block in self._blocks(stop, first):
            for begin in sorted({*_lines_with(block, needle), *_lines_with(block, GAP)}):
                head = _HEAD.match(block, begin)
                if head and (needle in head[0] or GAP in head[0]):
                    self._take(found, int(head[1]), first)
        return found

    def _rows_with(
        self,
        words: Sequence[str],
        stop: Callable[[], bool],
        first: int,
        *,
        fold: Callable[[bytes], bytes] | None = None,
        most: int | None = None,
    ) -> array[int]:
        found = array("Q")
        needles = [disk.needle(word) for word in words]
        pieces = _Pieces(words, self._is_hidden) if self._shape.joined else None
        for block in self._blocks(stop, first):
            looked = block if fold is None else fold(block)
            seqs = {
                _match(looked, begin, words, needles)
                for begin in {p for needle in needles for p in _lines_with(looked, needle)}
            }
            if pieces is not None:
                seqs.update(pieces.found(looked))
            for seq in sorted(seqs - {0}):
                self._take(found, seq, first)
                if most is not None and len(found) >= most:
                    return found
        return found if pieces is None else array("Q", sorted(set(found)))

    def _take(self, found: array[int], seq: int, first: int) -> None:
        if not self._is_hidden(seq) and (row := self._row_of(seq)) >= first:
            found.append(row)

    # --- where things are

    def _blocks(self, stop: Callable[[], bool], first: int) -> Iterator[bytes]:
        """Yield whole lines of the file, about a block at a time, from a little before a row, until `stop`."""
        if first >= self.rows:
            return
        size = self._shape.size
        if not size:
            return
        at = self._shape.offset(self._folder, (self._seq_of(first) - 1) // disk.STEP)
        with (self._folder / disk.LINES).open("rb") as file:
            file.seek(at)
            while at < size and not stop():
                block = file.read(min(BLOCK, size - at))
                if not block.endswith(b"\n"):
                    block += file.readline()
                at += len(block)
                yield block

    def _seq_of(self, row: int) -> int:
        return row + 1 + bisect_right(self._before, row)

    def _row_of(self, seq: int) -> int:
        return seq - 1 - bisect_left(self._hidden, seq)

    def _is_hidden(self, seq: int) -> bool:
        place = bisect_left(self._hidden, seq)
        return place < len(self._hidden) and self._hidden[place] == seq


class _Pieces:
    """Looks for words in lines that are joined of pieces, block for block."""

    def __init__(self, words: Sequence[str], is_hidden: Callable[[int], bool]) -> None:
        self._words = words
        self._kept = max(map(len, words)) - 1
        self._is_hidden = is_hidden
        self._open: dict[tuple[bytes, bytes], tuple[int, str]] = {}

    def found(self, block: bytes) -> Iterator[int]:
        """Yield the first line's number of each row that holds a word in its pieces, or across two of them."""
        at = 0
        while (begin := self._next(block, at)) >= 0:
            at = _end(block, begin) + 1
            head = _HEAD.match(block, begin)
            if head is None:
                continue
            key = (head[2], head[3])
            before = self._open.pop(key, None)
            if before is None and head[4] == b"0":
                continue  # of another source
            seq, text = int(head[1]), json.loads(block[begin : at - 1])[7]
            if before is not None:
                seq = before[0] if self._is_hidden(seq) else seq
                text = before[1] + text
            if any(word in text for word in self._words):
                yield seq
            if head[4] == b"1":
                self._open[key] = (seq, text[-self._kept :] if self._kept else "")

    def _next(self, block: bytes, at: int) -> int:
        """Return where the next line begins that has more to come, or may be what comes; -1 for none."""
        needles = {disk.MORE, *(b"," + stream for _, stream in self._open)}
        places = [place for needle in needles if (place := block.find(needle, at)) >= 0]
        return block.rfind(b"\n", 0, min(places)) + 1 if places else -1


def _lines_with(block: bytes, needle: bytes) -> Iterator[int]:
    """Yield where each line begins that holds the needle."""
    place = block.find(needle)
    while place >= 0:
        yield block.rfind(b"\n", 0, place) + 1
        place = block.find(needle, _end(block, place))


def _end(block: bytes, place: int) -> int:
    end = block.find(b"\n", place)
    return len(block) if end < 0 else end


def _match(block: bytes, begin: int, words: Sequence[str], needles: Sequence[bytes]) -> int:
    """Return the number of the line that begins there if its text holds one of the words, else 0; 0 for a gap."""
    head, end = _HEAD.match(block, begin), _end(block, begin) - len(b'"]')
    if head is None or GAP in head[0]:
        return 0
    if not any(block.find(needle, head.end(), end) >= 0 for needle in needles):
        return 0
    if block.find(b"\\", head.end(), end) >= 0:  # what was found may be a piece of an escape
        text = json.loads(block[begin : end + 2])[7]
        if not any(word in text for word in words):
            return 0
    return int(head[1])


def _lower(block: bytes) -> bytes:
    """Return the block in small letters of every script; `bytes.lower` knows only those of ASCII."""
    return block.decode().lower().encode()
