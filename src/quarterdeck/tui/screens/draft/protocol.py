"""What a session of the draft editor hears, and what it asks for. What it makes of it: `editing`."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quarterdeck.model import draft
from quarterdeck.model.job import NO_MARK, Mark
from quarterdeck.tui.screens.draft.source import Document


class Wish(enum.Enum):
    """What is done once all that was typed before it is saved."""

    SAVE = "save"
    RUN = "run"
    PLAN = "plan"
    PROBLEM = "problem"
    PUBLISH = "publish"
    DISCARD = "discard"
    RESET = "reset"


# --- what happens


@dataclass(frozen=True, slots=True)
class Unsaved:
    """What was typed and not saved, as it is kept for whoever comes back: the whole draft, and what it began from.

    `seen` is the draft that the next save would have been bound to, `rev` the job's revision then.
    """

    spec: Mapping[str, Any]
    aside: str = ""
    seen: draft.Seen | None = None
    rev: int = 0
    mark: Mark = NO_MARK


@dataclass(frozen=True, slots=True)
class Opened:
    """The draft was read; `unsaved` is what this process keeps of an earlier session on it."""

    draft: draft.Opened
    unsaved: Unsaved | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing of the job or its draft was written since it was read or saved last."""


@dataclass(frozen=True, slots=True)
class Typed:
    """This stands in the pane in front."""

    text: str


@dataclass(frozen=True, slots=True)
class Took:
    """The text that is shown is to be the job's own ("take it")."""


@dataclass(frozen=True, slots=True)
class Turned:
    """The other pane is wanted in front."""


@dataclass(frozen=True, slots=True)
class Set:
    """The settings sheet says this spec now."""

    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wished:
    """A key or the palette asked for this."""

    wish: Wish


@dataclass(frozen=True, slots=True)
class Saved:
    """The save on its way was acknowledged."""

    answer: draft.Saved


@dataclass(frozen=True, slots=True)
class Stale:
    """The call on its way was refused: the draft, or the live version, is not the one that was seen."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The call on its way was refused for good; `is_gone`: the job is not there, or not to be seen, any more."""

    words: str
    is_gone: bool = False
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The call on its way failed; another try may help. `is_defect`: `error` is a defect of ours."""

    words: str
    error: BaseException | None = None
    is_defect: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """The publish on its way was acknowledged; so many runs under way stay on the version before.

    `dropped` is the number of the dropped draft that has the text of the other pane; 0 for none.
    """

    live_version: int
    previous: int
    under_way: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Dropped:
    """The discard or reset on its way was acknowledged; `number` brings the draft back.

    `left` is the key of the draft that is in its place (NO_DRAFT for none), `found` what is there to edit now.
    """

    number: int
    left: str
    found: draft.Opened


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Something of the job or its draft was written, by this session or by anybody else.

    `is_asked`: whoever is here did it, or asked to see it; then it is shown and not told.
    """

    is_asked: bool = False


@dataclass(frozen=True, slots=True)
class PublishAnswered:
    """The dialog of a publish was answered: with a note, or None for no."""

    note: str | None


@dataclass(frozen=True, slots=True)
class ClashAnswered:
    """The dialog over two texts was answered: `mine`, `keep`, `theirs`, or None for none of them."""

    choice: str | None


@dataclass(frozen=True, slots=True)
class Around:
    """How things stand around the editor: whether anything may be written, and whether nothing lies over it."""

    read_only: str  # why nothing is written; empty where something is
    is_in_front: bool


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passed."""


@dataclass(frozen=True, slots=True)
class Left:
    """The page is gone: from here on nothing is shown or asked."""


Answer = Opened | Unchanged | Saved | Stale | Refused | Failed | Published | Dropped
"""What comes of the call on its way."""
Event = (
    Answer | Typed | Took | Turned | Set | Wished | Elsewhere | PublishAnswered | ClashAnswered | Around | Ticked
    | Left
)  # fmt: skip


# --- what is to be done


@dataclass(frozen=True, slots=True)
class Read:
    """Read the draft, unless the job is at revision `unless_rev` still: `Opened` or `Unchanged`."""

    name: str
    unless_rev: int | None


@dataclass(frozen=True, slots=True)
class Save:
    """Save this as the draft if it is the one that was seen: `Saved` or `Stale`."""

    name: str
    spec: Mapping[str, Any]
    aside: str
    seen: draft.Seen
    based_on: int | None
    mark: Mark


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish the draft if it is the one that was shown: `Published` or `Stale`."""

    name: str
    note: str
    shown: draft.Bound


@dataclass(frozen=True, slots=True)
class Drop:
    """Discard or reset the draft if it still is the one whose key was seen: `Dropped` or `Stale`."""

    name: str
    how: Wish
    seen: str


Call = Read | Save | Publish | Drop
"""What goes to the service; each is answered by one event, which may also be `Refused` or `Failed`."""


@dataclass(frozen=True, slots=True)
class Show:
    """Put this document into the editor; `has_undo`: as one step that the editor can undo.

    `with_settings`: into the settings sheet, too.
    """

    doc: Document
    has_undo: bool = False
    with_settings: bool = True


@dataclass(frozen=True, slots=True)
class Arrive:
    """Take the keys that waited: the text that they are typed into is there, or cannot be had."""


@dataclass(frozen=True, slots=True)
class Say:
    """Say this; `is_kept`: among the messages, too."""

    words: str
    tone: str = ""
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class Tell:
    """Show this error as any page does."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Clash:
    """Two texts of one draft: what somebody did, and base, mine and theirs as documents.

    Mine replaces the draft `seen`. `their_base` and `my_base` are the versions that each is based on.
    `is_of_live`: theirs is the live version, and the store holds mine as the draft.
    """

    what: str
    base: Document
    mine: Document
    theirs: Document
    seen: draft.Seen
    their_base: int
    my_base: int
    is_of_live: bool = False


@dataclass(frozen=True, slots=True)
class AskClash:
    """Ask which text it is to be: `ClashAnswered`."""

    clash: Clash


@dataclass(frozen=True, slots=True)
class AskPublish:
    """Show what would go live and ask: `PublishAnswered`. The publish is bound to what is shown here."""

    draft: draft.Opened


@dataclass(frozen=True, slots=True)
class Run:
    """Run the draft, whose spec has this hash."""

    seen: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Show what a run of the draft, or of live, would be."""

    is_draft: bool


@dataclass(frozen=True, slots=True)
class NextProblem:
    """Go to the next problem."""


@dataclass(frozen=True, slots=True)
class OfferUndo:
    """Say what was dropped, and offer for a while to bring it back in the place of what was `left`."""

    words: str
    number: int
    left: str


@dataclass(frozen=True, slots=True)
class WithdrawUndo:
    """Offer nothing any more that was done before."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep what is not saved, for whoever comes back; None: all is saved."""

    id: str
    unsaved: Unsaved | None


@dataclass(frozen=True, slots=True)
class KeepFiles:
    """Write these texts into files, by the end of the name, and say where; then they are kept no other way."""

    id: str
    job: str
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing is left to do; `words` say what was not saved, and why."""

    words: str = ""


Drawing = Show | Arrive | Say | Tell
Asking = AskClash | AskPublish
Acting = Run | Plan | NextProblem | OfferUndo | WithdrawUndo
Keeping = Keep | KeepFiles | Leave
Effect = Call | Drawing | Asking | Acting | Keeping
Effects = tuple[Effect, ...]
