"""What tells one state of a draft from another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quarterdeck.model.draft import Seen
from quarterdeck.model.shown import aside_sha256_of, canonical


def seen(spec: Mapping[str, Any], based_on: int, aside: str = "") -> Seen:
    """Return what stands for this state of a draft, its spec as stored."""
    return Seen(canonical(spec)[1], based_on, aside_sha256_of(aside))
