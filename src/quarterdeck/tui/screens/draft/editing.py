"""The session of the draft editor as a pure machine: what happened goes in, what is to be done comes out.

`edit(session, event, now)` knows no screen, no service and no clock. A session knows at every moment what stands
in the editor, what of it the store acknowledged, what is on its way, and what a dialog showed; so the page that
feeds it (`screen`, through `desk`) decides nothing. At most one call of the service is on its way at a time.

`now` counts seconds from anywhere, and never backwards.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, assert_never

from quarterdeck.model import draft
from quarterdeck.model.job import NO_MARK, Mark
from quarterdeck.present import ages
from quarterdeck.tui.screens.draft.protocol import (
    Answer,
    Around,
    Arrive,
    Call,
    ClashAnswered,
    Drop,
    Dropped,
    Effects,
    Elsewhere,
    Event,
    Failed,
    Keep,
    KeepFiles,
    Keeping,
    Leave,
    Left,
    NextProblem,
    OfferUndo,
    Opened,
    Plan,
    Publish,
    PublishAnswered,
    Published,
    Read,
    Refused,
    Run,
    Save,
    Saved,
    Say,
    Set,
    Show,
    Stale,
    Tell,
    Ticked,
    Took,
    Turned,
    Typed,
    Unchanged,
    Wish,
    Wished,
    WithdrawUndo,
)
from quarterdeck.tui.screens.draft.reading import begun, clash_answered, opened, unwished, well
from quarterdeck.tui.screens.draft.session import Aim, Block, News, Session, unsaved
from quarterdeck.tui.screens.draft.source import OTHER, Document

QUIET_S: Final = 0.4  # after the last key
LONGEST_S: Final = 0.8  # after the first key that is not saved
AGAIN_S: Final = 3.0  # after a call that failed
TRIES: Final = 5  # calls that a session makes at most after it was left


def edit(session: Session, event: Event, now: float) -> tuple[Session, Effects]:
    """Return the session after the event, and what is to be done, in order."""
    if session.is_done:
        return session, ()
    session, heard = _heard(session, event, now)
    session, next_ = _next(session, now)
    effects = (*heard, *next_)
    if session.is_left:  # there is nobody to be shown or asked anything
        effects = tuple(one for one in effects if isinstance(one, Call | Keeping | Say))
    return session, effects


# --- what an event changes


def _heard(s: Session, event: Event, now: float) -> tuple[Session, Effects]:
    if isinstance(event, Answer):
        return _answered(replace(s, under_way=None), s.under_way, event, now)
    if isinstance(event, Typed | Took | Turned | Set):
        return (s, ()) if s.facts is None else _changed(s, event, now)
    match event:
        case Wished(wish):
            return _wished(s, wish), ()
        case Elsewhere(is_asked):
            return _news(s, is_asked=is_asked), ()
        case PublishAnswered(note):
            return _publish_answered(s, note)
        case ClashAnswered(choice):
            return clash_answered(s, choice, now)
        case Around(read_only, is_in_front):
            waits = s.waits and not is_in_front
            return replace(s, read_only=read_only, is_in_front=is_in_front, waits=waits), ()
        case Ticked():
            return s, ()
        case Left():
            return _left(s)
    assert_never(event)


def _with(s: Session, doc: Document, now: float) -> Session:
    """Return the session with another document in the editor; itself if it is the same."""
    if doc is s.doc:
        return s
    block = Block.NONE if s.block is Block.REFUSED else s.block
    since = now if s.since is None else s.since
    return replace(s, doc=doc, edits=s.edits + 1, since=since, touched=now, block=block)


def _changed(
    s: Session, event: Typed | Took | Turned | Set, now: float
) -> tuple[Session, Effects]:
    """Take another text, another pane, another source or other settings."""
    match event:
        case Typed(text):
            return _with(s, s.doc.typed(text), now), ()
        case Took():
            if not s.doc.is_elsewhere:
                return s, ()
            s = _with(s, s.doc.taken(s.read.queries), now)
            words = f"the text is kept with this job now, as {OTHER[s.doc.pane]}"
            return s, (Show(s.doc), Say(words, "good"))
        case Turned():
            s = replace(s, doc=s.doc.turned())
            own, pane = s.doc.own, s.doc.pane
            words = f"this draft is {own}; the palette makes it {pane}: take it"
            said = (Say(words, "wait"),) if own and own != pane else ()
            return s, (Show(s.doc, with_settings=False), *said)
        case Set(spec):
            was, doc = s.text, s.doc.with_spec(spec)
            if doc.written() == s.doc.written():
                return s, ()
            s = _with(s, doc, now)
            return s, (Show(s.doc, with_settings=False),) if s.text != was else ()
    assert_never(event)


def _wished(s: Session, wish: Wish) -> Session:
    """Take a wish, and try again at once what failed or was not answered."""
    if wish not in s.wishes:
        s = replace(s, wishes=(*s.wishes, wish))
    if s.block is Block.CLASH:
        return replace(s, block=Block.NONE, news=News.REFUSED, aim=Aim.CLASH, again=0.0)
    return replace(s, block=Block.NONE, again=0.0)


def _news(s: Session, *, is_asked: bool) -> Session:
    """Look at what was written; what kept a draft from being read may be gone."""
    if s.facts is None:
        return replace(s, block=Block.NONE, again=0.0)
    aim = Aim.OWN if is_asked and s.aim is Aim.LOOK else s.aim
    return replace(s, news=max(s.news, News.HEARD), aim=aim)


def _left(s: Session) -> tuple[Session, Effects]:
    if s.asked is not None and s.asked.clash is not None and not s.asked.clash.is_of_live:
        s = replace(s, block=Block.CLASH, trouble=s.asked.clash.what)
    is_to_look = s.facts is not None and s.facts.is_draft and not s.is_dirty
    news = News.HEARD if is_to_look and s.news is News.NONE else s.news
    s = replace(s, is_left=True, asked=None, wishes=(), news=news)
    kept = unsaved(s)
    return s, (Keep(s.facts.id if s.facts else s.name, kept),) if kept else ()


# --- answers of the service


def _answered(s: Session, call: Call | None, event: Answer, now: float) -> tuple[Session, Effects]:
    match event:
        case Opened() if s.facts is None and s.is_left:
            return s, ()
        case Opened(found, kept):
            return opened(s, found, now) if s.facts else begun(s, found, s.typed or kept, now)
        case Unchanged():
            return replace(well(s), aim=Aim.LOOK), ()
        case Saved(answer):
            return _saved(s, answer), ()
        case Published():
            return _published(s, event)
        case Dropped(number, left, found):
            offer = OfferUndo(_dropped_words(s, call), number, left)
            s, effects = opened(replace(s, aim=Aim.OWN), found, now)
            return s, (*effects, offer)
        case Stale():
            return _stale(s, call), ()
        case Refused():
            return _refused(s, call, event)
        case Failed():
            return _failed(s, call, event, now)
    assert_never(event)


def _saved(s: Session, answer: draft.Saved) -> Session:
    found = replace(
        s.read, rev=answer.rev, number=answer.number, based_on=answer.based_on,
        is_draft=answer.is_draft, at=answer.at, seen=answer.seen, profile=answer.profile,
        mark=Mark(s.id, s.sent_edits),
        problems=answer.problems, warnings=answer.warnings,
    )  # fmt: skip
    return replace(
        s, facts=found, seen=answer.seen, saved=s.sent_edits, kept=s.sent, unread=tuple(answer.unread),
        rebase=None, block=Block.NONE, trouble="", again=0.0, is_lost=False, is_gone=False,
    )  # fmt: skip


def _published(s: Session, event: Published) -> tuple[Session, Effects]:
    """Go on with the same text: it is the live version now, and the next edit begins a draft of it."""
    number = event.live_version
    seen = draft.Seen(s.seen.spec, number)
    found = replace(
        s.read, live_version=number, based_on=number, number=number + 1, is_draft=False, seen=seen,
        author=None, at=None, mark=NO_MARK,
    )  # fmt: skip
    words = f"version {number} is live"
    if event.under_way:
        count = ages.count(event.under_way, "run")
        words += f"; {count} under way stay on v{event.previous}"
    if event.dropped:
        words += f"; the text of the other pane is kept as dropped draft {event.dropped}"
    s = replace(s, facts=found, seen=seen, news=News.HEARD)
    return s, (WithdrawUndo(), Say(words, "good", is_kept=True))


def _dropped_words(s: Session, call: Call | None) -> str:
    job = s.facts.job if s.facts else s.name
    if isinstance(call, Drop) and call.how is Wish.RESET:
        return f"the draft of {job} equals live again"
    return f"the draft of {job} was discarded"


def _stale(s: Session, call: Call | None) -> Session:
    """Look at what is there before anything else is tried."""
    s = replace(s, news=News.REFUSED)
    if isinstance(call, Publish):
        return replace(s, aim=Aim.REFUSED, wishes=())
    if isinstance(call, Drop):
        return replace(s, wishes=(call.how, *s.wishes))
    return s


def _refused(s: Session, call: Call | None, event: Refused) -> tuple[Session, Effects]:
    """Try nothing more until somebody types or the job is written again."""
    told: Effects = (Tell(event.error),) if event.error else ()
    s = replace(s, wishes=(), aim=unwished(s.aim))
    if isinstance(call, Publish | Drop):  # whether it can still be saved is seen by reading
        return replace(s, news=News.REFUSED), told
    told = (*told, Arrive()) if s.facts is None else ()
    s = replace(s, block=Block.REFUSED, trouble=event.words, is_lost=True, is_gone=event.is_gone)
    return replace(s, aim=Aim.LOOK), told


def _failed(s: Session, call: Call | None, event: Failed, now: float) -> tuple[Session, Effects]:
    """Try again after a while; what was wished is not done later, unlooked for."""
    told: Effects = (Tell(event.error),) if event.error else ()
    s = replace(s, wishes=(), aim=unwished(s.aim))
    if isinstance(call, Publish | Drop):
        return replace(s, news=max(s.news, News.HEARD)), told
    is_first = not s.trouble
    s = replace(s, again=now + AGAIN_S, trouble=event.words)
    if isinstance(call, Read) and s.facts is not None:
        is_needed = call.unless_rev is None
        s = replace(s, news=max(s.news, News.REFUSED if is_needed else News.HEARD))
    if s.is_left:
        s = replace(s, block=Block.REFUSED)
    if s.facts is None and is_first:
        return s, (*told, Arrive())
    return s, told if event.is_defect and is_first else ()


def _publish_answered(s: Session, note: str | None) -> tuple[Session, Effects]:
    shown = s.asked.publish if s.asked else None
    s = replace(s, asked=None)
    if shown is None or note is None:
        return s, ()
    return _calling(s, Publish(shown.id, note, shown.bound))


# --- what comes next


def _next(s: Session, now: float) -> tuple[Session, Effects]:
    """Make the call that is to be made now, or do what was wished; at most one call is on its way."""
    if s.under_way is not None or s.asked is not None:
        return s, ()
    if s.is_left:
        return _last(s)
    if s.facts is None:
        if s.block is Block.NONE and now >= s.again:
            return _calling(s, Read(s.name, None))
        return s, ()
    if s.waits:
        return s, ()
    if s.news is not News.NONE:
        return _reading(s) if now >= s.again else (s, ())
    if s.is_dirty and not s.read_only:
        return _saving(s) if s.block is Block.NONE and _is_time(s, now) else (s, ())
    return _granted(s) if s.wishes else (s, ())


def _is_time(s: Session, now: float) -> bool:
    """Whether what was typed is to be saved now."""
    if s.wishes or s.rebase is not None:
        return now >= s.again
    since = s.touched if s.since is None else s.since
    return now >= s.again and (now - s.touched >= QUIET_S or now - since >= LONGEST_S)


def _calling(s: Session, call: Call) -> tuple[Session, Effects]:
    return replace(s, under_way=call), (call,)


def _reading(s: Session) -> tuple[Session, Effects]:
    is_needed = s.news is News.REFUSED or s.aim is Aim.PUBLISH
    call = Read(s.read.id, None if is_needed else s.read.rev)
    return _calling(
        replace(s, news=News.NONE), call
    )  # what is heard from now on is looked at then


def _saving(s: Session) -> tuple[Session, Effects]:
    call = Save(s.read.id, s.doc.written(), s.doc.aside, s.seen, s.rebase, Mark(s.id, s.edits))
    return _calling(replace(s, sent=s.doc, sent_edits=s.edits, since=None), call)


def _granted(s: Session) -> tuple[Session, Effects]:
    """Do what was wished first; all that was typed before is saved."""
    wish, s = s.wishes[0], replace(s, wishes=s.wishes[1:])
    found = s.read
    if s.read_only and wish not in (Wish.PLAN, Wish.PROBLEM):
        return s, (Say(f"{s.read_only}: nothing is written", "bad"),)
    match wish:
        case Wish.SAVE:
            return s, (Say("saved as draft, not live", "good"),)
        case Wish.RUN if found.is_draft:
            return s, (Run(s.seen.spec),)
        case Wish.RUN:
            return s, (Say("nothing differs from live; Esc, then r runs that", "wait"),)
        case Wish.PLAN:
            return s, (Plan(found.is_draft),)
        case Wish.PROBLEM:
            return s, (NextProblem(),)
        case Wish.PUBLISH:
            return _reading(replace(s, aim=Aim.PUBLISH))
        case Wish.DISCARD | Wish.RESET if found.is_draft:
            return _calling(s, Drop(found.id, wish, s.seen.key))
        case Wish.DISCARD | Wish.RESET:
            return s, (Say(f"there is no draft of {found.job}", "dim"),)
    assert_never(wish)


def _last(s: Session) -> tuple[Session, Effects]:
    """Save what is not saved, once the page is gone; then say what could not be."""
    found = s.facts
    if found is not None and s.tries < TRIES and s.block is Block.NONE:
        tried = replace(s, tries=s.tries + 1)
        if s.news is News.REFUSED or (s.news is News.HEARD and not s.is_dirty):
            return _reading(tried)
        if s.is_dirty and not s.read_only:
            return _saving(tried)
    s = replace(s, is_done=True)
    kept = unsaved(s)
    if found is None:
        return s, (Leave(),)
    if s.is_lost and (kept or (s.is_gone and (found.is_draft or s.edits))):
        return s, (KeepFiles(found.id, found.job, _files(s.doc)), Leave())
    if kept is None:
        return s, (Keep(found.id, None), Leave())
    why = s.trouble or s.read_only
    if not s.is_dirty:
        why = f"{', '.join(s.unread)} cannot be read"
    return s, (Keep(found.id, kept), Leave(f"{found.job}: not saved: {why}"))


def _files(doc: Document) -> dict[str, str]:
    """Return the texts that are kept in files of their own, by the end of the name."""
    ends = {"SQL": ".sql", "Python": ".py"}
    texts = {ends[doc.own or doc.pane]: doc.texts[doc.own or doc.pane]}
    if doc.aside:
        texts |= {end: doc.texts[pane] for pane, end in ends.items() if end not in texts}
    return texts
