"""Which columns each list has, in which order, and which of them shorten or go. How they fit: `table`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from quarterdeck.model.instants import parse_instant
from quarterdeck.present import ages, states
from quarterdeck.present.table import Cell, Column, Look, text

Row = Mapping[str, Any]
_Of = Callable[[Row, Look], Cell]


def _key(key: str) -> _Of:
    return lambda row, _: text(row.get(key))


def _names(key: str) -> _Of:
    return lambda row, _: text(", ".join(row.get(key) or ()))


def when(at: str | None, look: Look) -> Cell:
    """Return when it was for a person, to the second for a script."""
    if at is None:
        return Cell("")
    return Cell(ages.age(at, look.now) if look.person else ages.moment(at, look.now), "dim")


def _some(key: str) -> _Of:
    return lambda row, _: text(row[key] or None)


def _at(key: str) -> _Of:
    return lambda row, look: when(row.get(key), look)


def state(name: str, reason: str | None, look: Look) -> Cell:
    """Return the state's word, with its mark for a person, and the reason where there is one."""
    shown = states.shown(name)
    known = reason not in (None, "cancelled", "lost")
    word = f"{shown.word} · {reason}" if known else shown.word
    return Cell(f"{shown.mark} {word}" if look.person else word, shown.tone)


def run_state(row: Row, look: Look) -> Cell:
    """Return a run's state for a list of a person; `?` behind it: nothing was heard of it for over 30 s."""
    found = state(row["state"], None, look)
    return found._replace(text=f"{found.text} ?", tone="busy") if row["stale"] else found


def version(row: Row) -> str:
    """Return `v7`, or DRAFT for a run of a draft."""
    return "DRAFT" if row["draft"] else f"v{row['version']}"


def schedule(row: Row) -> str:
    """Return the cron text with its time zone, or nothing."""
    found = row["schedule"]
    if not found:
        return ""
    zone = found.get("timezone") or "UTC"
    words = str(found.get("cron")) if zone == "UTC" else f"{found.get('cron')} {zone}"
    return f"paused: {words}" if row["status"] == "paused" else words


def _last_run(row: Row, look: Look) -> Cell:
    last = row["last_run"]
    return Cell("never", "dim") if last is None else state(last["state"], last["reason"], look)


def _last_at(row: Row, look: Look) -> Cell:
    last = row["last_run"] or {}
    return when(last.get("ended_at") or last.get("started_at"), look)


def _took(row: Row, look: Look) -> Cell:
    if row["started_at"] is None:
        return Cell("")
    start = parse_instant(row["started_at"])
    end = parse_instant(row["ended_at"]) if row["ended_at"] else look.now
    return Cell(ages.span(max(0.0, (end - start).total_seconds())))


def _draft(row: Row, _: Look) -> Cell:
    return text(f"v{row['draft_version']}" if row["draft_version"] else None)


def _based_on(row: Row, _: Look) -> Cell:
    return text(f"v{row['based_on']}" if row["based_on"] else None)


def _level(row: Row, _: Look) -> Cell:
    tone = {"ok": "good", "failed": "bad", "warning": "busy"}.get(row["level"], "")
    return Cell(row["level"], tone)


def _status(row: Row, _: Look) -> Cell:
    return Cell(row["status"], "good" if row["status"] == "active" else "bad")


def _times(row: Row, _: Look) -> Cell:
    return text(row["times"] if row["times"] > 1 else None)


_NAME: Final = Column("NAME", _key("name"), least=16)
_TEAM: Final = Column("TEAM", _key("team"), least=8, drop=4)
_EDITED: Final = Column("CHANGED", _at("at"), drop=3)
_BY: Final = Column("BY", _key("author"), least=6, drop=2)
_REVISION: Final = Column("REVISION", _key("revision"), right=True, drop=1)

JOBS: Final = (
    _NAME, _TEAM,
    Column("TYPE", _key("type"), drop=5),
    Column("LIVE", lambda row, _: text(f"v{row['live_version']}"), right=True),
    Column("DRAFT", _draft, right=True, optional=True),
    Column("SCHEDULE", lambda row, _: text(schedule(row)), least=11, drop=3, optional=True),
    Column("LAST RUN", _last_run, least=24),
    Column("WHEN", _last_at, drop=2, optional=True),
)  # fmt: skip
RUNS: Final = (
    Column("RUN", _key("id")),
    Column("JOB", _key("job"), least=12),
    Column("VER", lambda row, _: text(version(row)), right=True, drop=1),
    Column("STATE", lambda row, look: state(row["state"], row["reason"], look), least=24),
    Column("OBJECT", _key("object"), least=12, drop=6, optional=True),
    Column("TRIGGER", lambda row, _: text(row["trigger"]), drop=4),
    Column("BY", _key("actor"), least=6, drop=5),
    Column("QUEUED", _at("queued_at"), drop=2),
    Column("TOOK", _took, right=True, drop=3),
)  # fmt: skip
VERSIONS: Final = (
    Column("VERSION", lambda row, _: text(f"v{row['number']}"), right=True),
    Column("STATE", lambda row, _: Cell(row["state"], "good" if row["live"] else "dim")),
    Column("BY", _key("author"), least=6),
    Column("WHEN", _at("at"), drop=1),
    Column("BASED ON", _based_on, right=True, drop=3),
    Column("NOTE", _key("note"), least=12, optional=True),
    Column("CHANGED", _names("changed"), least=12, drop=2, optional=True),
    Column("MATCH", lambda row, _: text((row.get("match") or {}).get("text")), least=12, optional=True),
)  # fmt: skip
DROPPED: Final = (
    Column("N", lambda row, _: text(row["number"]), right=True),
    Column("BY", _key("author"), least=6),
    Column("SAVED", _at("at"), drop=1),
    Column("BASED ON", _based_on, right=True, drop=3),
    Column("DROPPED BY", _key("dropped_by"), least=6),
    Column("DROPPED", _at("dropped_at"), drop=2),
)
CHECKS: Final = (
    Column("CHECK", _key("name"), least=12),
    Column("RESULT", _level),
    Column("FOUND", _key("message"), least=24),
)
HISTORY: Final = (_REVISION, _NAME, _BY, _EDITED)
AUDIT: Final = (
    Column("WHEN", _at("at")),
    Column("BY", _key("actor"), least=6),
    Column("ACTION", _key("action")),
    Column("SUBJECT", lambda row, _: text(row["subject_name"] or row["subject"]), least=12),
    Column("TIMES", _times, right=True, optional=True),
    Column("OUTCOME", _key("outcome"), drop=1),
    Column("ID", _key("id"), drop=2),
)
LEFTOVERS: Final = (
    Column("CLUSTER", _key("cluster"), least=8),
    Column("NAME", _key("name"), least=20),
    Column("ALIVE", lambda row, _: text("yes" if row["alive"] else "no")),
    Column("REMOVED", _names("removed"), least=12, optional=True),
    Column("LEFT", _names("left"), least=12, optional=True),
)
USERS: Final = (
    Column("JOB", _key("job"), least=16),
    Column("TEAM", _key("team"), least=8),
    Column("USED BY", _names("by"), drop=1),
    Column("QUEUED", _some("queued"), right=True, optional=True, drop=2),
    Column("RUNNING", _some("running"), right=True, optional=True, drop=3),
)
RECONCILED: Final = (
    Column("RUN", _key("run")),
    Column("JOB", _key("job"), least=16),
    Column("BEFORE", lambda row, look: state(row["before"], None, look)),
    Column("NOW", lambda row, look: state(row["state"], None, look)),
)

DEFINITIONS: Final[dict[str, tuple[Column, ...]]] = {
    "profile": (
        _NAME, _TEAM,
        Column("MODE", _key("mode")),
        Column("LIBRARIES", _names("libraries"), least=12, drop=5, optional=True),
        _REVISION, _BY, _EDITED,
    ),
    "query": (
        Column("ID", _key("id"), least=16),
        Column("NAME", _key("name"), least=12, drop=5),
        _TEAM, _REVISION, _BY, _EDITED,
    ),
    "cluster": (
        _NAME,
        Column("KIND", _key("kind")),
        Column("STATUS", _status),
        Column("CHECKED", _at("checked_at"), drop=3),
        Column("NAMESPACE", _key("namespace"), least=10, drop=4, optional=True),
    ),
    "catalog": (
        _NAME,
        Column("KIND", _key("kind")),
        Column("URI", _key("uri"), least=16, drop=4, optional=True),
        _REVISION, _BY, _EDITED,
    ),
    "team": (_NAME, Column("MEMBERS", _names("members"), least=16), _BY, _EDITED),
}  # fmt: skip
