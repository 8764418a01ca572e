"""What tests on a cluster share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import kubernetes


@pytest.fixture
def namespace() -> Iterator[str]:
    """Return a namespace of the test's own."""
    with kubernetes.namespace() as name:
        yield name
