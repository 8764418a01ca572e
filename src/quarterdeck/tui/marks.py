"""Marked rows and what an act makes of them: it takes them all, or is refused with their number.

So for every act on every list, by key and by palette: `BasePage.check_action` asks here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from quarterdeck.tui.actions import Action
    from quarterdeck.tui.shell import Shell

TYPED_FROM: Final = 6  # so many things at once are acted on only after their number was typed
COUNTED: Final = {0: "none of them", 1: "one", 2: "two"}


class Listing(Protocol):
    """A page, as far as its marks go; `BasePage` says what each does."""

    @property
    def shell(self) -> Shell: ...  # noqa: D102  # see the class
    def verdict(self, action: Action) -> bool | None: ...  # noqa: D102
    def refused(self, action: Action) -> None: ...  # noqa: D102
    def marked(self) -> int: ...  # noqa: D102
    def takes(self, action: Action) -> int | None: ...  # noqa: D102
    def say(self, text: str, tone: str = "", *, keep: bool = True) -> None: ...  # noqa: D102


def verdict(page: Listing, action: Action) -> bool | None:
    """Return what the page says of an act; None if more rows are marked than it takes."""
    found = page.verdict(action)
    return None if found and _are_too_many(page, action) else found


def refuse(page: Listing, action: Action) -> None:
    """Say why an act is refused: by the number of marks, or as the page says it."""
    if not _are_too_many(page, action):
        page.refused(action)
        return
    word = COUNTED[page.takes(action) or 0]
    key = page.shell.key_of("list.mark")
    text = f"{page.marked()} marked: {action.label} takes {word}; {key} unmarks, Esc all"
    page.say(text, "bad", keep=False)


def _are_too_many(page: Listing, action: Action) -> bool:
    """Whether more rows are marked than the act takes: it is not done to some other row instead."""
    most = page.takes(action)
    return most is not None and page.marked() > most


def common(rows: Sequence[Mapping[str, Any]]) -> Sequence[str] | None:
    """Return the verbs that the actor has on every one of these rows; None for no rows."""
    if not rows:
        return None
    return [verb for verb in rows[0]["may"] if all(verb in row["may"] for row in rows)]
