"""Reading one file: what is refused, in whose words, and nothing outside the roots."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quarterdeck.ports.files import UnreadableError
from quarterdeck.sources import LocalFiles
from quarterdeck.sources.path import user_name


def read(path: Path | str, *roots: Path, limit: int = 100) -> bytes:
    return LocalFiles().read(str(path), roots=[str(root) for root in roots], limit=limit)


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"x" * 100)
    assert read(file) == b"x" * 100
    file.write_bytes(b"x" * 1_001)
    with pytest.raises(UnreadableError, match="has 1,001 bytes; at most 100 are read"):
        read(file)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in [
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "is a pipe"),
        (Path("/dev/zero"), "is a device"),
        (tmp_path / "gone", f"as user {user_name()}: No such file or directory"),
        (tmp_path / "gone" / "x", "No such file"),
    ]:
        with pytest.raises(UnreadableError, match=words) as caught:
            read(path)
        assert str(path) in str(caught.value)
    for text in ("a.py", "", "/a\0b"):
        with pytest.raises(UnreadableError, match="not an absolute path"):
            read(text)


def test_roots_confine_by_where_links_lead(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("s")
    (inside / "a").write_text("a")
    (inside / "link").symlink_to(outside / "secret")
    (inside / "folder").symlink_to(outside)
    (outside / "back").symlink_to(inside / "a")
    (inside / "circle").symlink_to(inside / "circle")
    assert read(inside / "a", inside) == b"a"
    assert read(outside / "back", outside, inside) == b"a"
    for path in (inside / "link", inside / "folder" / "secret", inside / ".." / "out" / "secret"):
        with pytest.raises(UnreadableError, match="outside the allowed folders"):
            read(path, inside)
    with pytest.raises(UnreadableError, match="circle"):
        read(inside / "circle", inside)
