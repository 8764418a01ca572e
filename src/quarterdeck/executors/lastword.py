"""The runner's last word, however it came here: parsed, and believed only if it fits attempt and protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from quarterdeck.model import wire
from quarterdeck.model.failure import Reason
from quarterdeck.model.run import RunState

_FINAL: Final = frozenset(
    {RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.CANCELLED}
)


class DamagedWordError(Exception):
    """A last word is there and cannot be believed; `str()` says why."""


def parse(content: bytes | str, run: str, attempt: int) -> dict[str, Any]:
    """Return the last word of this attempt; DamagedWordError if it is not to be believed."""
    try:
        word = json.loads(content)
    except ValueError as error:
        raise DamagedWordError(f"the last word is no JSON: {error}") from error
    if not isinstance(word, dict) or word.get("protocol") != wire.PROTOCOL:
        raise DamagedWordError(f"the last word does not speak protocol {wire.PROTOCOL}")
    if (word.get("run"), word.get("attempt")) != (run, attempt):
        said = f"{word.get('run')}-{word.get('attempt')}"
        raise DamagedWordError(f"the last word is of {said}")
    if not _is_an_end(word):
        raise DamagedWordError("the last word says no state, reason and exit code that there are")
    return word


def _is_an_end(word: Mapping[str, Any]) -> bool:
    is_green = word.get("state") == RunState.SUCCEEDED
    reasons: tuple[Any, ...] = (None,) if is_green else tuple(Reason)
    is_code = isinstance(word.get("exit_code"), int)
    return word.get("state") in _FINAL and word.get("reason") in reasons and is_code
