"""What several tests of the command line are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.door import Door


@pytest.fixture
def door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Door:
    """Return a workspace of two people, with a question that waits while one of them acts."""
    return Door(tmp_path, monkeypatch, capsys)
