"""What tells one state of a draft from another. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from quarterdeck.model.draft import Seen


def spec_text(spec: Mapping[str, Any]) -> str:
    """Return a stored spec as the text that is hashed, and kept when a draft is dropped."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"))


def sha256(text: str) -> str:
    """Return the hash of a text in hexadecimal; a lone surrogate counts as it is."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def seen(spec: Mapping[str, Any], based_on: int, aside: str = "") -> Seen:
    """Return what stands for this state of a draft, its spec as stored."""
    return Seen(sha256(spec_text(spec)), based_on, sha256(aside) if aside else "")
