"""How often a test of what did harm is done: five times, or QUARTERDECK_TEST_AGAIN times.

`tests.bench.again` does 50. Orders of a start are counted by QUARTERDECK_TEST_ORDERS; of the longest counts the
share is done that QUARTERDECK_TEST_SHARE says (1: all).
"""

from __future__ import annotations

import os
from typing import Final

import pytest

TIMES: Final = int(os.environ.get("QUARTERDECK_TEST_AGAIN", "5"))
ORDERS: Final = int(os.environ.get("QUARTERDECK_TEST_ORDERS", "20000"))
SHARE: Final = float(os.environ.get("QUARTERDECK_TEST_SHARE", "1"))
again = pytest.mark.parametrize("turn", range(TIMES))
once_or_again = pytest.mark.parametrize(
    "turn", [0, *(pytest.param(turn, marks=pytest.mark.long) for turn in range(1, TIMES))]
)
"""Once, and the other times with the tests marked `long`."""


def share(count: int) -> int:
    """Return how many of so many are done."""
    return max(1, round(count * SHARE))
