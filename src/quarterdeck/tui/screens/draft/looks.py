"""What is drawn around the text of a draft: breadcrumb, banner and the line of texts, from the session alone."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from quarterdeck.model.instants import parse_instant
from quarterdeck.present import ages, glyphs, inert
from quarterdeck.present.table import Cell
from quarterdeck.tui.screens.draft.session import Block, Session

if TYPE_CHECKING:
    from quarterdeck.model import draft

Cells = list[Cell]


def crumb(session: Session, now: datetime) -> tuple[Cells, Cells]:
    """Return job, base, when it was saved, and how much is wrong; left and right."""
    facts = session.facts
    left = [
        Cell(inert.line(facts.job if facts else session.name), "head"),
        Cell(f" {glyphs.CRUMB} Draft", "dim"),
    ]
    if facts is None:
        return left, []
    base = f"   based on v{facts.based_on}"
    if facts.based_on != facts.live_version:
        left.append(Cell(f"{base}, live is v{facts.live_version}", "bad"))
    else:
        left.append(Cell(base, "dim"))
    if session.is_dirty:
        left.append(Cell("   not saved yet", "busy"))
    elif facts.is_draft and facts.at is not None:
        left.append(Cell(f"   {_saved(session, facts, facts.at, now)}", "dim"))
    wrong = len(facts.problems)
    return left, [Cell(f"{ages.count(wrong, 'problem')} ", "bad")] if wrong else []


def _saved(session: Session, facts: draft.Opened, at: str, now: datetime) -> str:
    if facts.mark.session == session.id:
        return f"saved {parse_instant(at).astimezone(now.tzinfo):%H:%M:%S} as draft, not live"
    return f"draft by {inert.line(facts.author or '')}, {ages.age(at, now)}"


def banner(session: Session, key: str) -> str:
    """Return why nothing is saved; empty while all is. `key` saves."""
    if session.facts is None:
        return session.trouble
    if session.read_only and session.is_dirty:
        return f"NOT SAVED: {session.read_only}. The text is kept here."
    if not session.trouble:
        return ""
    if session.block is Block.CLASH:
        return f"NOT SAVED: {session.trouble} {key} asks again."
    if session.is_gone:
        return f"NOT SAVED: {session.trouble} Leaving keeps the text in a file."
    return f"NOT SAVED: {session.trouble} The text is kept here; write it to a file: palette."


def texts(session: Session, place: str) -> tuple[Cells, Cells]:
    """Return which text is in front, why it is read-only, where the cursor is in it; left and right."""
    cells, doc, facts = [], session.doc, session.facts
    for name in ("SQL", "Python"):
        here = name == doc.pane
        mark = " *" if name == doc.own else ""
        word = f"[{name}{mark}] " if here else f" {name}{mark}  "
        cells.append(Cell(word, "head" if here else "dim"))
    locked = session.text[2]
    cells.append(Cell(f" read-only: {inert.line(locked)}" if locked and facts else "", "wait"))
    right = [Cell(f"{place}  ", "dim")]
    if facts is not None:
        right.append(Cell(f"profile {inert.line(facts.profile)} ", "dim"))
    return cells, right


def drawn(session: Session) -> object:
    """Return all that these draw but the cursor's place: while it is the same, nothing is drawn anew."""
    facts = session.facts
    shown = facts and (facts.job, facts.based_on, facts.live_version, facts.is_draft, facts.at)
    wrong = facts and (facts.problems, facts.warnings, facts.profile)
    why = session.trouble, session.block, session.is_gone, session.read_only
    return session.is_dirty, session.doc.pane, session.text[2], shown, wrong, why
