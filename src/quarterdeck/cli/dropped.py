"""What commands say of a draft that was dropped: whose it was, and how it comes back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quarterdeck.present import ages


def whose(found: Mapping[str, Any], now: datetime) -> str:
    """Return whose draft was dropped, and when that was saved."""
    gone = found["dropped"]
    return f"the draft by {gone['author']} of {ages.moment(gone['at'], now)}"


def way_back(found: Mapping[str, Any]) -> str:
    """Return the command that brings it back."""
    import shlex

    gone = found["dropped"]
    name, number = shlex.quote(gone["job"]), gone["number"]
    return f"quarterdeck job bring-back {name} {number}    brings it back"
