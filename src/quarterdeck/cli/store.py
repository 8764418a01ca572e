"""`store` and `audit`: keeping the workspace whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quarterdeck.cli.base import LIMIT, Command, Group, pass_session
from quarterdeck.cli.session import Session
from quarterdeck.cli.values import period
from quarterdeck.model import limits
from quarterdeck.model.instants import format_instant
from quarterdeck.present import ages, columns, tree
from quarterdeck.present.table import text

if TYPE_CHECKING:
    from quarterdeck.ports.store import ToRestore
    from quarterdeck.present.table import Line


@click.group(cls=Group, example="quarterdeck store verify")
def store() -> None:
    """Verify, back up, restore, repair and measure the store."""


@store.command(example="quarterdeck store verify --json")
@pass_session
def verify(session: Session) -> int:
    """Check database, documents, versions, audit chain and artifacts. Exit 1 with the findings if not clean."""
    found = session.services.upkeep.verify()
    lines = [f"{one['where']}: {one['what']}" for one in found["findings"]]
    session.words(found, *(lines or ["The store is clean."]))
    return 0 if found["ok"] else 1


@store.command(example="quarterdeck store backup /backups/acme-2026-11-22.qdb")
@click.argument("file", metavar="FILE")
@pass_session
def backup(session: Session, file: str) -> None:
    """Write a consistent copy of everything to one file; the store may be in use."""
    made = dict(session.services.ports.store.backup(str(Path(file).absolute())))
    _warn(session, made["findings"])
    session.words(made, f"{made['path']}: {ages.size(made['bytes'])}, SHA-256 {made['sha256']}")


@store.command(example="quarterdeck store restore /backups/acme-2026-11-22.qdb --yes")
@click.argument("file", metavar="FILE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_session
def restore(session: Session, file: str, yes: bool) -> int:
    """Put a backup in the store's place; the store that was there is kept beside it. Asks on a terminal."""
    from quarterdeck import wiring

    session.demand_writable(f"restoring {file}")
    path = Path(file).absolute()
    shown = None if yes else wiring.to_restore(session.settings, path)
    if not session.confirm(f"restoring {file}", _effect(session, file, shown), yes=yes):
        return 1
    done = wiring.restore(session.settings, path, confirmed=True, shown=shown)
    _warn(session, done["findings"])
    session.answer(done, lambda: tree.lines(done))
    return 0


def _effect(session: Session, file: str, shown: ToRestore | None) -> list[Line]:
    if shown is None:
        return []
    there = "There is no store that can be read."
    if shown.change is not None:
        there = f"The store in place is at change {shown.change:,}, made at {shown.newest}."
    return [
        (text(f"{session.settings.store} will be what {file} holds; what is there now is kept beside it."),),
        (text(f"The backup was made at {format_instant(shown.created_at)}; SHA-256 {shown.sha256}."),),
        (text(f"{there} What was done since the backup goes."),),
    ]  # fmt: skip


def _warn(session: Session, findings: Sequence[Mapping[str, str]]) -> None:
    """Say what is damaged in what was copied."""
    for one in findings:
        session.out.note(f"warning: {one['where']} {one['what']}")


@store.command(example="quarterdeck store repair --dry-run")
@click.option("--dry-run", is_flag=True, help="Only say what can be kept and what is lost.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_session
def repair(session: Session, dry_run: bool, yes: bool) -> int:
    """Save what can be saved of a damaged store; the old files are kept beside it. Asks on a terminal."""
    from quarterdeck import wiring
    from quarterdeck.present import repairs

    session.demand_writable("repairing the store")
    found = wiring.findings(session.settings)
    if not found:
        whole = {"path": str(session.settings.store), "needed": False, "findings": []}
        session.words(whole, repairs.NOT_NEEDED)
        return 0
    look = wiring.repair(session.settings, only_look=True)
    if not dry_run:
        if not session.confirm("repairing the store", repairs.effect(look), yes=yes):
            return 1
        look = wiring.repair(session.settings, only_look=False, shown=None if yes else look)
    document = {**look, "needed": True, "findings": found}
    session.answer(document, lambda: repairs.lines(look))
    return 0


@store.command(example="quarterdeck store stats")
@pass_session
def stats(session: Session) -> None:
    """Show counts, sizes and growth."""
    found = dict(session.services.upkeep.stats())
    session.answer(found, lambda: tree.lines(found))


@click.command(cls=Command, example="quarterdeck audit --subject job/daily-sales --since 7d")
@click.option("--subject", metavar="S", help="Only this one: job/NAME, run/ID, profile/NAME, …")
@click.option("--since", metavar="T", help="Since: 2h, 2026-11-22, or an instant with zone.")
@click.option(
    "--limit", type=LIMIT, default=limits.PAGE, show_default=True, help="Rows of a page."
)
@click.option("--after", metavar="ID", help="The page behind this record.")
@pass_session
def audit(
    session: Session, subject: str | None, since: str | None, limit: int, after: str | None
) -> None:
    """List who did what, newest first, as far as you may see it."""
    start, _ = period(session, since)
    rows = session.services.upkeep.audit(subject=subject, since=start, after=after, limit=limit)
    session.listing(rows, columns.AUDIT, "No records here.")
    if len(rows) == limit:
        session.out.note(f"There may be more: add --after {rows[-1]['id']}")
