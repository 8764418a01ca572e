"""Pages of an SQLite file as bytes: the records on a leaf of a table, and a first page that names tables anew.

For databases whose own list of tables is damaged. https://www.sqlite.org/fileformat2.html#b_tree_pages
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Final

SIZE: Final = 4096
_LEAF: Final = 13  # the kind of page that holds rows of a table
_HEADER: Final = 100  # bytes of the first page before what every page has
_MOST_LOCAL: Final = SIZE - 35  # bytes of a record that lie on its page
_LEAST_LOCAL: Final = (SIZE - 12) * 32 // 255 - 23
_MOST: Final = 64 * 1024 * 1024  # bytes of a record; a damaged length may say anything
_INTEGERS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # bytes by the kind of a value

Value = int | str | bytes | None


def records(
    page: bytes, first: int = 0, more: Callable[[int], bytes] | None = None
) -> Iterator[list[Value]]:
    """Yield the records on a leaf; nothing for any other page. `first` is 100 on page 1.

    Without `more`, which gives a page by its number, those are left out that go on elsewhere.
    """
    if len(page) < SIZE or page[first] != _LEAF:
        return
    (count,) = struct.unpack_from(">H", page, first + 3)
    for number in range(min(count, SIZE // 4)):
        try:
            (at,) = struct.unpack_from(">H", page, first + 8 + 2 * number)
            length, at = _varint(page, at)
            _, at = _varint(page, at)
            if length <= _MOST_LOCAL:
                yield _record(page[at : at + length])
            elif more is not None and length < _MOST:
                yield _record(_whole(page, at, length, more))
        except (IndexError, ValueError, struct.error):
            continue


def _whole(page: bytes, at: int, length: int, more: Callable[[int], bytes]) -> bytes:
    """Return a record that goes on in pages of its own."""
    local = _LEAST_LOCAL + (length - _LEAST_LOCAL) % (SIZE - 4)
    local = local if local <= _MOST_LOCAL else _LEAST_LOCAL
    content = bytearray(page[at : at + local])
    (following,) = struct.unpack_from(">I", page, at + local)
    while len(content) < length:
        page = more(following)
        content += page[4:]
        (following,) = struct.unpack_from(">I", page)
    return bytes(content[:length])


def _varint(page: bytes, at: int) -> tuple[int, int]:
    value = 0
    for step in range(9):
        byte = page[at + step]
        if step == 8:  # noqa: PLR2004  # the ninth byte has all its bits
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004  # the last one
            return value, at + step + 1
    raise ValueError("no number")


def _record(content: bytes) -> list[Value]:
    length, at = _varint(content, 0)
    kinds = []
    while at < length:
        kind, at = _varint(content, at)
        kinds.append(kind)
    values = []
    for kind in kinds:
        value, at = _value(content, kind, at)
        values.append(value)
    return values


def _value(content: bytes, kind: int, at: int) -> tuple[Value, int]:
    if kind in (0, 8, 9):
        return {0: None, 8: 0, 9: 1}[kind], at
    if kind in _INTEGERS:
        end = at + _INTEGERS[kind]
        return int.from_bytes(content[at:end], "big", signed=True), end
    if kind < 12:  # noqa: PLR2004  # a float, or nothing that there is
        raise ValueError("no such kind of value")
    end = at + (kind - 12) // 2
    if end > len(content):
        raise ValueError("a value goes on behind its record")
    found = content[at:end]
    return found if kind % 2 == 0 else found.decode("utf-8", "replace"), end


def first_page(header: bytes, rows: Sequence[tuple[str, str, str, int, str]]) -> bytes:
    """Return page 1 with this header and these rows of `sqlite_schema`; those that do not fit are left out."""
    page = bytearray(SIZE)
    page[:_HEADER] = header[:_HEADER]
    end = SIZE
    pointers: list[int] = []
    for number, row in enumerate(rows, 1):
        cell = _cell(number, row)
        if end - len(cell) < _HEADER + 8 + 2 * (len(pointers) + 1):
            break
        end -= len(cell)
        page[end : end + len(cell)] = cell
        pointers.append(end)
    struct.pack_into(">BHHHB", page, _HEADER, _LEAF, 0, len(pointers), end, 0)
    for number, at in enumerate(pointers):
        struct.pack_into(">H", page, _HEADER + 8 + 2 * number, at)
    return bytes(page)


def _cell(number: int, row: tuple[str, str, str, int, str]) -> bytes:
    kinds, content = b"", b""
    for value in row:
        if isinstance(value, int):
            kinds += _as_varint(4)
            content += struct.pack(">i", value)
        else:
            text = value.encode()
            kinds += _as_varint(13 + 2 * len(text))
            content += text
    record = _as_varint(len(kinds) + 1) + kinds + content
    return _as_varint(len(record)) + _as_varint(number) + record


def _as_varint(value: int) -> bytes:
    found = bytes([value & 0x7F])
    while value := value >> 7:
        found = bytes([value & 0x7F | 0x80]) + found
    return found
