"""The header's line: workspace, actor and team, what is special, who fires schedules, the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from quarterdeck.present import ages, inert, table
from quarterdeck.present.table import Cell

_CLUSTER = 8
"""Columns of a cluster's name that are shown at least; its page has all of it."""


def cells(header: Mapping[str, Any], now: datetime, width: int) -> tuple[list[Cell], list[Cell]]:
    """Return the cells at the left and the right; what does not fit into `width` columns is left out whole.

    `header` is what `services.rights.header` said last, empty before that; `taken_up` in it is how many runs of an
    earlier process were unfinished when this one began.
    """
    right = [Cell(f"{now:%a} {now.day} {now:%b %H:%M}")]
    left = [Cell("quarterdeck", "head")]
    if not header:
        return left, right
    team = header["acting_as"] or next(iter(header["teams"]), None)
    who = f"{header['actor']}@{team}" if team else f"{header['actor']} (in no team)"
    told = [Cell(f"  {inert.line(header['workspace'])}"), Cell(f"  {inert.line(who)}")]
    if header.get("damage"):
        told.insert(0, Cell("  STORE DAMAGED, READ-ONLY", "bad"))
    elif header.get("read_only"):
        told.insert(0, Cell("  READ-ONLY", "bad"))
    if header.get("clock_step_s"):
        told.insert(0, Cell(f"  ! clock stepped {ages.step(header['clock_step_s'])}", "bad"))
    room = width - sum(table.width(cell.text) for cell in (*left, *right)) - 1
    if header.get("clusters"):
        rest = room - sum(table.width(cell.text) for cell in told)
        told.insert(0, _clusters(header["clusters"], rest))
    if header.get("taken_up"):
        told.append(Cell(f"  {ages.count(header['taken_up'], 'run')} taken up again", "busy"))
    told.append(_scheduler(header.get("scheduler"), now))
    for cell in told:
        if table.width(cell.text) <= room:
            room -= table.width(cell.text)
            left.append(cell)
    return left, right


def _clusters(found: Sequence[Mapping[str, Any]], room: int) -> Cell:
    """Return the cluster that takes no runs, its name cut to what `room` leaves of it, or how many do not."""
    if len(found) > 1:
        return Cell(f"  ! {len(found)} clusters not active", "bad")
    before, after = "  ! cluster ", f" {found[0]['status']}"
    most = max(_CLUSTER, room - len(before) - len(after))
    return Cell(before + table.cut(inert.line(found[0]["name"]), most) + after, "bad")


def _scheduler(holder: Mapping[str, Any] | None, now: datetime) -> Cell:
    """Return who holds the scheduler's lease, and when it was last heard."""
    if holder is None:
        return Cell("  schedules do not fire", "dim")
    age = ages.age(holder["heard_at"], now)
    return Cell(f"  scheduler {inert.line(holder['host'])}, {age}", "dim")


def why_read_only(header: Mapping[str, Any]) -> str:
    """Return why nothing is written, where nothing is."""
    return "the store is damaged" if header.get("damage") else "opened with --read-only"


def why_locked(header: Mapping[str, Any], owner: str, *, read_only: bool) -> str:
    """Return why what the team `owner` owns may not be edited; empty while it may, or nobody knows who is here."""
    if read_only:
        return f"read-only: {why_read_only(header)}"
    if owner and header and not (header["org_admin"] or owner in header["teams"]):
        return f"read-only: only members of {owner} and org admins may edit it"
    return ""
