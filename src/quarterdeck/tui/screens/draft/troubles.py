"""Problems of a spec as the strip under the editor shows them: those of the text at their line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from quarterdeck.tui.widgets.problem_strip import Trouble

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quarterdeck.model.errors import Problem

TEXT: Final = "spec.source.text"
_PLACE: Final = re.compile(r"line (\d+)(?:, column (\d+))?(?:: )?")


def as_troubles(found: Sequence[Problem], warnings: Sequence[Problem]) -> list[Trouble]:
    """Return them in the order given, problems first."""
    return [_trouble(one) for one in found] + [_trouble(one, is_warning=True) for one in warnings]


def _trouble(one: Problem, *, is_warning: bool = False) -> Trouble:
    path = one.path.removeprefix("spec.")
    place = _PLACE.search(one.message) if one.path == TEXT else None
    line = int(place[1]) if place else 1 if one.path == TEXT else 0
    column = int(place[2] or 1) if place else 1
    message = one.message[place.end() :] if place and not place.start() else one.message
    return Trouble(path, message, line, column, is_warning)
