"""What a session makes of the draft as it was read: its own, agreed, taken over, or a clash of two texts. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from quarterdeck.model import draft
from quarterdeck.model.job import Mark
from quarterdeck.tui.screens.draft.protocol import (
    Arrive,
    AskClash,
    AskPublish,
    Clash,
    Effects,
    Keep,
    Say,
    Show,
    Unsaved,
    Wish,
)
from quarterdeck.tui.screens.draft.session import UNSEEN, Aim, Asked, Block, News, Session
from quarterdeck.tui.screens.draft.source import Document, lay_over

PAUSE_S: Final = (
    1.0  # since the last key: a question that nobody asked for does not come among keys
)


def begun(
    s: Session, found: draft.Opened, typed: Unsaved | None, now: float
) -> tuple[Session, Effects]:
    """Show the draft that was read first, and over it what was typed before and not saved."""
    doc = Document().holding(found.spec, found.aside)
    s = replace(
        s, facts=found, seen=found.seen, id=found.session, doc=doc, kept=doc, typed=None,
        news=News.NONE, again=0.0, trouble="", block=Block.NONE, is_lost=False, is_gone=False,
    )  # fmt: skip
    first = (Keep(found.id, None), Show(doc), Arrive())  # what was kept is this session's now
    if typed is None:
        return s, first
    mine = doc.holding(typed.spec, typed.aside)
    if _holds(found.mark, typed.mark) or _is_same_text(mine, doc):
        return s, first
    s = replace(
        s, doc=mine, parent=typed.mark, edits=1, since=now, touched=now, seen=typed.seen or UNSEEN
    )
    shown = Keep(found.id, None), Show(doc), Show(mine, has_undo=True), Arrive()
    is_of_rev = typed.seen is None and typed.rev == found.rev
    if typed.seen == found.seen or is_of_rev or _holds(typed.mark, found.mark):
        words = "what was typed last and not saved is here again; ^z shows what was saved"
        return replace(s, seen=found.seen), (*shown, Say(words, "wait"))
    if typed.seen is None:
        s = replace(s, seen=draft.Seen("", found.based_on))
    s = replace(s, kept=Document().holding(found.base))
    s, asked = _clash(s, found, live_before=s.seen.based_on)
    return s, (*shown, *asked)


def _holds(mark: Mark, other: Mark) -> bool:
    """Whether a save with the one mark holds all that one with the other held."""
    return bool(mark.session) and mark.session == other.session and mark.edits >= other.edits


def _is_same_text(one: Document, other: Document) -> bool:
    return one.written() == other.written() and one.aside == other.aside


def opened(s: Session, found: draft.Opened, now: float) -> tuple[Session, Effects]:
    """Take what was read anew: the draft as it was seen, an own save, or what somebody else did."""
    s = well(s)
    is_own = found.mark.session == s.id or _holds(s.parent, found.mark)
    is_same = replace(found.seen, based_on=s.seen.based_on) == s.seen  # whatever its base is
    is_hidden = not s.is_in_front and not s.is_left
    is_to_ask = s.aim in (Aim.REFUSED, Aim.CLASH)
    if is_hidden and (is_to_ask or not (is_own or is_same)):
        return replace(s, waits=True, news=News.REFUSED, aim=unwished(s.aim)), ()
    if is_same and found.based_on != s.seen.based_on:
        s, effects = _agreed(s, found)
        words = f"{found.live_by} made v{found.live_version} live; this draft is based on v{found.based_on}"
        return s, (*effects, Say(words, "wait"))
    if is_own and not is_same:  # a save whose answer was lost
        if found.mark.session == s.id:
            s = replace(s, saved=max(s.saved, min(found.mark.edits, s.edits)))
        s = replace(s, kept=s.doc.holding(found.spec, found.aside), rebase=None)
    if is_own or is_same:
        return _agreed(s, found)
    if s.block is Block.CLASH and not is_to_ask:
        return replace(
            s, facts=found, news=News.NONE
        ), ()  # it is asked again when somebody wants to save
    if s.is_dirty and not (is_to_ask or s.wishes or s.is_left) and now < s.touched + PAUSE_S:
        trouble = f"{_did(found, s.read.live_version)}."
        return replace(s, again=s.touched + PAUSE_S, news=News.REFUSED, trouble=trouble), ()
    s = replace(s, wishes=(), aim=unwished(s.aim))
    if s.is_dirty or is_to_ask:
        return _clash(s, found, live_before=s.read.live_version)
    return _taken_over(s, found)


def _agreed(s: Session, found: draft.Opened) -> tuple[Session, Effects]:
    """Take facts about a draft that is as it was seen; what stands in the editor stays."""
    aim = s.aim
    s = replace(s, facts=found, seen=found.seen, aim=Aim.LOOK, block=Block.NONE, trouble="")
    if aim not in (Aim.PUBLISH, Aim.REFUSED) or not s.is_in_front or s.is_left:
        return s, ()
    if aim is Aim.PUBLISH and s.is_dirty:  # typed since it was asked for: that is saved first
        return replace(s, wishes=(Wish.PUBLISH, *s.wishes)), ()
    if found.based_on != found.live_version:
        return _clash_with_live(s, found)
    if aim is Aim.REFUSED:
        return s, (Say("not published; what stood in the way is gone again", "wait"),)
    if found.spec == found.live:
        return s, (Say("nothing to publish: the draft equals live", "dim"),)
    return replace(s, asked=Asked(publish=found)), (AskPublish(found),)


def unwished(aim: Aim) -> Aim:
    """Return the aim without the wish that it serves."""
    return Aim.LOOK if aim is Aim.PUBLISH else aim


def _taken_over(s: Session, found: draft.Opened) -> tuple[Session, Effects]:
    """Show what somebody else did where nothing is typed; undo brings the text back that stood here."""
    doc, edits = s.doc.holding(found.spec, found.aside), s.edits + 1
    said: Effects = (
        ()
        if s.aim is Aim.OWN
        else (Say(f"{_did(found, s.read.live_version)} just now; it is shown", "wait"),)
    )
    s = replace(
        s, facts=found, seen=found.seen, doc=doc, kept=doc, edits=edits, saved=edits, since=None,
        rebase=None, aim=Aim.LOOK, unread=(),
    )  # fmt: skip
    return s, (Show(doc, has_undo=True), *said)


def _did(found: draft.Opened, live_before: int) -> str:
    """Return who did what to a draft that is not as it was seen."""
    if found.is_draft:
        return f"{found.author} saved this draft"
    if found.live_version != live_before:
        return f"{found.live_by} made v{found.live_version} live"
    return "this draft was discarded"


def _clash(s: Session, found: draft.Opened, *, live_before: int) -> tuple[Session, Effects]:
    """Ask which text it is to be: nobody's is overwritten unseen."""
    at = found.at if found.is_draft else found.live_at
    clash = Clash(
        f"{_did(found, live_before)} at {at or ''}.",
        base=Document().holding(found.base) if _is_same_text(s.doc, s.kept) else s.kept,
        mine=s.doc, theirs=s.doc.holding(found.spec, found.aside), seen=found.seen,
        their_base=found.based_on, my_base=s.seen.based_on,
    )  # fmt: skip
    edits = s.edits if s.is_dirty else s.edits + 1  # the store does not hold it any more
    s = replace(
        s,
        facts=found,
        edits=edits,
        aim=Aim.LOOK,
        since=None,
    )
    if s.is_left:
        return replace(s, block=Block.CLASH, trouble=clash.what), ()
    return replace(s, asked=Asked(clash=clash)), (AskClash(clash),)


def _clash_with_live(s: Session, found: draft.Opened) -> tuple[Session, Effects]:
    """Ask what becomes of a draft whose base is not live any more."""
    clash = Clash(
        f"{found.live_by} made v{found.live_version} live at {found.live_at}.",
        base=Document().holding(found.base), mine=s.doc, theirs=s.doc.holding(found.live),
        seen=found.seen, their_base=found.live_version, my_base=found.based_on, is_of_live=True,
    )  # fmt: skip
    return replace(s, asked=Asked(clash=clash)), (AskClash(clash),)


def clash_answered(s: Session, choice: str | None, now: float) -> tuple[Session, Effects]:
    """Go on with the text that was chosen; without a choice nothing is saved until somebody asks for it."""
    clash = s.asked.clash if s.asked else None
    s = replace(s, asked=None)
    if clash is None:
        return s, ()
    if choice is None:
        if clash.is_of_live:
            return s, (Say("not published", "dim"),)
        return replace(s, block=Block.CLASH, trouble=clash.what), ()
    s = replace(s, seen=clash.seen, kept=clash.theirs, block=Block.NONE, trouble="", again=0.0)
    if choice == "theirs" and not clash.is_of_live:
        edits = s.edits + 1
        s = replace(s, doc=clash.theirs, edits=edits, saved=edits, rebase=None, unread=())
        return s, (Show(s.doc, has_undo=True),)
    doc = s.doc
    if choice == "theirs":
        doc = clash.theirs
    elif choice == "mine":
        base, mine, theirs = (one.written() for one in (clash.base, s.doc, clash.theirs))
        doc = s.doc.holding(lay_over(base, mine, theirs))
    s = replace(
        s, doc=doc, edits=s.edits + 1, since=now, touched=now,
        rebase=clash.my_base if choice == "keep" else clash.their_base,
    )  # fmt: skip
    return s, () if choice == "keep" else (Show(doc, has_undo=True),)


def well(s: Session) -> Session:
    """Forget what went wrong with the store; a question that was not answered stays one."""
    s = replace(s, again=0.0, is_lost=False, is_gone=False)
    return s if s.block is Block.CLASH else replace(s, block=Block.NONE, trouble="")
