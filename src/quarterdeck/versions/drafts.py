"""What tells one state of a draft from another. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from quarterdeck.model.draft import Seen
from quarterdeck.model.shown import canonical


def seen(spec: Mapping[str, Any], based_on: int, aside: str = "") -> Seen:
    """Return what stands for this state of a draft, its spec as stored; a lone surrogate counts as it is."""
    beside = hashlib.sha256(aside.encode("utf-8", "surrogatepass")).hexdigest() if aside else ""
    return Seen(canonical(spec)[1], based_on, beside)
