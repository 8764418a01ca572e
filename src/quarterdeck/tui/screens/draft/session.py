"""The session of the draft editor as a value: what is known of text, store and dialogs. Its moves: `editing`."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from quarterdeck.model import draft
from quarterdeck.model.job import NO_MARK, Mark
from quarterdeck.tui.screens.draft.protocol import Call, Clash, Unsaved, Wish
from quarterdeck.tui.screens.draft.source import Document

NOTHING: Final = Document()
UNSEEN: Final = draft.Seen("", 0)


class News(enum.IntEnum):
    """What is known of other writers: nothing; something was written; the store refused what is held here."""

    NONE = 0
    HEARD = 1
    REFUSED = 2


class Aim(enum.Enum):
    """What the next reading is for."""

    LOOK = "to know what is there"
    OWN = "to show what came of an act here"
    PUBLISH = "to ask whether it goes live"
    REFUSED = "to show both texts of a publish that was refused"
    CLASH = "to ask again which of two texts it is to be"


class Block(enum.Enum):
    """Why nothing is saved until somebody does something: the store refused it, or a question was not answered."""

    NONE = ""
    REFUSED = "refused"
    CLASH = "clash"


@dataclass(frozen=True, slots=True)
class Asked:
    """The dialog that is open, and what it shows."""

    clash: Clash | None = None
    publish: draft.Opened | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One editor on one draft, from its page's first moment until nothing of it is left to do.

    `typed` is offered once the draft is there. `id` marks its saves; `parent` is the state of an earlier session
    that it went on from. `edits` counts changes of `doc`, the store holds the first `saved` of them as `kept`;
    `seen` is what the next save is bound to. `under_way` is the one call that is not answered, `sent` and
    `sent_edits` what it took. `since` is when the first edit came that no save took, `touched` the last. `again`:
    before that nothing is tried that failed. `rebase` answers a clash: the next save gives the draft this base.
    `unread`: fields that the store could not take as they stand here. `is_lost`: who is here cannot come back to
    it; `is_gone`: it is not there. `waits`: for nothing to lie over the page.
    """

    name: str
    typed: Unsaved | None = None
    facts: draft.Opened | None = None
    doc: Document = NOTHING
    kept: Document = NOTHING
    seen: draft.Seen = UNSEEN
    id: str = ""
    parent: Mark = NO_MARK
    edits: int = 0
    saved: int = 0
    since: float | None = None
    touched: float = 0.0
    again: float = 0.0
    under_way: Call | None = None
    sent: Document = NOTHING
    sent_edits: int = 0
    asked: Asked | None = None
    wishes: tuple[Wish, ...] = ()
    aim: Aim = Aim.LOOK
    news: News = News.NONE
    rebase: int | None = None
    block: Block = Block.NONE
    trouble: str = ""
    unread: tuple[str, ...] = ()
    is_lost: bool = False
    is_gone: bool = False
    waits: bool = False
    read_only: str = ""  # why nothing is written
    is_in_front: bool = True
    is_left: bool = False
    tries: int = 0
    is_done: bool = False

    @property
    def is_dirty(self) -> bool:
        """Whether something was typed or set that the store does not hold."""
        return self.edits > self.saved

    @property
    def read(self) -> draft.Opened:
        """The facts of a draft that was read."""
        assert self.facts is not None  # noqa: S101  # asked for only then
        return self.facts

    @property
    def text(self) -> tuple[str, str, str]:
        """The text of the pane in front, its language, and why it is read-only."""
        if self.facts is None:
            return "", "sql", "it is being read"
        return self.doc.shown(self.facts.queries)


def unsaved(session: Session) -> Unsaved | None:
    """Return what is to be kept for whoever comes back; None if all is saved."""
    if session.facts is None:
        return session.typed
    if not session.is_dirty and not session.unread:
        return None
    edits = session.edits + (not session.is_dirty)  # the store holds less than this
    mark = Mark(session.id, edits)
    doc = session.doc
    return Unsaved(doc.written(), doc.aside, session.seen, session.facts.rev, mark)
