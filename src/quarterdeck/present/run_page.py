"""One run for a person: what happened first, then what to do, then what it was and how it went."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from quarterdeck.present import ages, columns, failure, glyphs, inert, states, tree
from quarterdeck.present.table import Cell, Column, Line, Look, lay_out, text

Document = Mapping[str, Any]
ROWS_SHOWN: Final = 20
AGAIN_SHOWN: Final = 8  # statements that will run again
_NAMES: Final = ("pid", "folder", "name", "uid")
_HELD_BY: Final = ("start_ticks", "isolation")
_TIMELINE: Final = (
    Column("AT", lambda row, look: Cell(ages.clock(row["at"], look.now), "dim")),
    Column("STATE", lambda row, look: columns.state(row["state"], None, look)),
    Column("FOR", lambda row, _: Cell(ages.span(row["seconds"])), right=True),
    Column("BECAUSE", lambda row, _: text(row["because"]), least=20),
)


def lines(run: Document, look: Look, most: int | None) -> Iterator[Line]:
    """Yield the page: what happened, in which state, at which place and what to do; then what was seen."""
    yield from banner(run, look, most)
    if not run["problems"]:
        for found in run["evidence"]:
            yield from ((Cell("  " + one),) for one in inert.block(found))
    yield ()
    yield from _facts(run, look)
    yield ()
    yield from _timeline(run, look, most)
    for statement in (run["result"] or {}).get("statements", ()):
        yield ()
        yield from result(statement, look, most)


def will_run_again(run: Document) -> Iterator[str]:
    """Yield which statements had completed and will run again, one line each behind the first."""
    done = run["will_run_again"]
    if done:
        yield f"{ages.count(len(done), 'statement')} had completed and will run again:"
        shown = done if len(done) <= AGAIN_SHOWN else done[: AGAIN_SHOWN - 1]
        yield from (inert.line(f"  {one['number']}  {one['head']}".rstrip()) for one in shown)
        if len(shown) < len(done):
            yield f"  and {len(done) - len(shown)} more, up to {done[-1]['number']}"


def why(run: Document) -> Iterator[str]:
    """Yield why a run ended badly and what to do next, a line each, for an answer in words."""
    told = [run["reason"], run["object"]] if run["object"] != run["reason"] else [run["reason"]]
    yield inert.line(" · ".join(filter(None, told)))
    facts = [f"{one['path']}: {one['message']}" for one in run["problems"]] or run["evidence"]
    for fact in facts:
        yield from (f"  {one}" for one in inert.block(fact))
    if run["advice"]:
        yield "→ " + inert.line(run["advice"])


def problems(run: Document) -> Iterator[Line]:
    """Yield one line for each thing that could not be resolved."""
    for problem in run["problems"]:
        yield (Cell("  " + inert.line(f"{problem['path']}: {problem['message']}")),)


def executed(found: Document, frozen: Document | None) -> Iterator[Line]:
    """Yield the text and the settings of the version that a run took, with the text that was frozen for it."""
    if frozen is not None:
        yield (Cell("frozen spec  ", "head"), Cell(frozen["sha256"]))
        yield ()
    yield from tree.lines(found["spec"])
    text_of = ((frozen or {}).get("source") or {}).get("text")
    if text_of and found["spec"]["source"].get("text") is None:
        yield ()
        yield from tree.lines({"text as it was frozen": f"{text_of}\n"})


def banner(run: Document, look: Look, wide: int | None) -> Iterator[Line]:
    """Yield what happened in one sentence, its place with the lines that stand there, and what to do next."""
    if run["failure"] is None:
        yield standing(run, look)
    else:
        yield failure.sentence(run, is_marked=look.person)
        yield standing(run, look, place=failure.where(run["failure"]["place"]))
        yield from failure.quoted(run["failure"], wide)
    yield from second(run, look)
    yield from problems(run)


def standing(run: Document, look: Look, *, place: str = "") -> Line:
    """Return state, reason and place, or what it is about, in one line."""
    shown = states.shown(run["state"])
    about = place or inert.line(run["object"] or "")
    parts = dict.fromkeys(filter(None, [shown.word, run["reason"], about]))
    words = " · ".join(parts)
    if run["failure"] is not None:
        return (Cell(words, "dim"),)
    mark = f"{shown.mark} " if look.person else ""
    stale = "  (no fact for over 30 s)" if run["stale"] else ""
    return (Cell(mark + words, shown.tone), Cell(stale, "busy"))


def second(run: Document, look: Look) -> Iterator[Line]:
    """Yield what to do next, or what the run waits for."""
    look = look.of(run)
    if run["advice"]:
        yield (Cell("→ " + inert.line(run["advice"])),)
    waiting = run["waiting_for"]
    if waiting:
        due = f"; until {ages.clock(waiting['deadline'], look.now)}" if waiting["deadline"] else ""
        since = ages.age(waiting["last_fact_at"], look.now)
        words = f"waits for {waiting['what']}: {waiting['last_fact']} ({since}){due}"
        yield (Cell(inert.line(words)),)
    cancel = run["cancel"]
    if cancel and run["state"] == "cancelling":
        left = f"; left: {', '.join(cancel['left'])}" if cancel["left"] else ""
        step = f"cancel step {cancel['step']}, next {cancel['next_step'] or 'gives up'}{left}"
        yield (Cell(inert.line(step)),)


def steps(run: Document) -> Line:
    """Return the timeline in one line: each state with its length, and their sum."""
    cells: list[Cell] = []
    spent: list[tuple[str, float]] = []
    for one in run["timeline"]:  # what happened within a state is another line of the same
        state, seconds = one["state"], one["seconds"]
        if spent and spent[-1][0] == state:
            spent[-1] = (state, spent[-1][1] + seconds)
        else:
            spent.append((state, seconds))
    total = sum(seconds for _, seconds in spent)
    for place, (state, seconds) in enumerate(spent, 1):
        shown = states.shown(state)
        if seconds < 0.25 and place < len(spent):  # noqa: PLR2004  # no time worth a place
            continue
        length = f" {ages.span(seconds)}" if seconds else ""
        cells += [
            Cell(f" {glyphs.BETWEEN} " if cells else "", "dim"),
            Cell(f"{shown.word}{length}", shown.tone),
        ]
    return (*cells, Cell(f"  sum {ages.span(total)}", "dim"))


def due(run: Document, look: Look) -> Iterator[Cell]:
    """Yield until when a run that goes on may run."""
    if run["deadline"] and not run["ended_at"]:
        yield Cell(f"  deadline {ages.moment(run['deadline'], look.now)}", "dim")


def timeline(run: Document, look: Look, most: int | None) -> Iterator[Line]:
    """Yield every state with what moved it, attempts, receipts, the cancel ladder and what was removed."""
    yield from _timeline(run, look, most)
    for attempt in run["attempts"]:
        yield ()
        state, reason = attempt["state"], attempt["reason"]
        yield (
            Cell(f"attempt {attempt['number']}", "head"),
            text(f"  {state or 'under way'}  {reason or ''}"),
        )
        rows: list[tuple[str, object]] = [
            ("claimed", _moment(attempt["claimed_at"], look)),
            ("released", _moment(attempt["released_at"], look)),
            ("receipt", _receipt(attempt["receipt"], (*_NAMES, *_HELD_BY))),
            ("pod", _pod(attempt["receipt"])),
            ("frozen", (run["frozen"] or {}).get("sha256")), ("object", attempt["object"]),
            ("node", attempt["node"]), ("rule", attempt["rule"]),
            ("next at", _moment(attempt["next_at"], look)),
            ("cleared by", attempt["cleared_by"]),
        ]  # fmt: skip
        rows += [("evidence", one) for one in attempt["evidence"]]
        yield from _named(rows)
    cancel, reap = run["cancel"], run["reap"]
    rows = [("note", note) for note in run["notes"]]
    if cancel:
        rows += [
            (
                "cancel",
                f"asked by {cancel['asked_by']} at {_moment(cancel['asked_at'], look)}, step {cancel['step']}",
            ),
            ("left", ", ".join(cancel["left"]) or None),
            (
                "next step",
                cancel["next_step"]
                and f"{cancel['next_step']} at {_moment(cancel['next_step_at'], look)}",
            ),
        ]
    rows += [
        ("removed", ", ".join(reap["removed"]) or None),
        ("still there", ", ".join(reap["left"]) or None),
    ]
    if any(value for _, value in rows):
        yield ()
        yield from _named(rows)


def inputs(run: Document, look: Look) -> Iterator[Line]:
    """Yield everything that was frozen, and what is newer by now."""
    yield from _facts(run, look)
    frozen = run["frozen"]
    yield ()
    if frozen is None:
        yield (
            Cell(
                "Nothing is frozen yet: what it refers to is resolved when it is dispatched.",
                "dim",
            ),
        )
        return
    source = frozen.get("source") or {}
    published, newest = source.get("published_revision"), source.get("newest_revision")
    if newest is not None:
        ran = source.get("revision")
        told = f"ran revision {ran}; published with revision {published}; newest is {newest}"
        yield (Cell(told, "busy" if newest != ran else ""),)
        yield ()
    yield from tree.lines(frozen)


def _moment(at: str | None, look: Look) -> str | None:
    return None if at is None else ages.moment(at, look.now)


def _named(rows: Sequence[tuple[str, object]]) -> Iterator[Line]:
    for name, value in rows:
        if value not in (None, ""):
            yield (Cell(f"  {name:<11}", "head"), text(value))


def _facts(run: Document, look: Look) -> Iterator[Line]:
    attempts, look = run["attempts"], look.of(run)
    rows: list[tuple[str, object]] = [
        ("run", run["id"]),
        ("job", f"{run['job']} {columns.version(run)}"),
        ("started by", f"{run['actor']} ({run['trigger']})"),
        ("queued", f"{_moment(run['queued_at'], look)}, {ages.age(run['queued_at'], look.now)}"),
        ("retry of", run["retry_of"]),
        ("exactly as", run["exact_of"]),
        ("run again by", ", ".join(run["retried_by"])),
        ("deadline", _moment(run["deadline"], look)),
        ("attempts", len(attempts) if len(attempts) > 1 else None),
        ("placement", run["placement"]),
        ("receipt", _receipt(run["receipt"])),
        ("pod", _pod(run["receipt"])),
    ]
    rows += _inputs(run["frozen"])
    rows += [("note", note) for note in run["notes"]]
    rows += [(f"attempt {a['number']}", a["rule"]) for a in attempts if a["rule"]]
    left = run["reap"]["left"]
    rows += [("still there", ", ".join(left) if left else None)]
    for name, value in rows:
        if value not in (None, ""):
            yield (Cell(f"{name:<13}", "head"), text(value))


def _receipt(receipt: Document | None, shown: Sequence[str] = _NAMES) -> str | None:
    if receipt is None:
        return None
    facts = {k: v for k, v in receipt["facts"].items() if k in shown}
    return f"{receipt['kind']} " + " ".join(f"{k}={v}" for k, v in facts.items())


def _pod(receipt: Document | None) -> str | None:
    """Return the one pod that may begin, with its UID; None where the receipt itself names what begins."""
    one = (receipt or {}).get("chosen")
    if receipt is None or not one or "pid" in receipt["facts"]:
        return None
    if one["id"] == receipt["facts"].get("uid"):  # an earlier version's Job, which stands above
        return None
    return f"{one['name']} uid={one['id']}"


def _inputs(frozen: Document | None) -> Iterator[tuple[str, object]]:
    if frozen is None:
        return
    yield "frozen spec", frozen["sha256"]
    source = frozen.get("source") or {}
    words = [str(source.get("kind", "")).replace("_", " ")]
    words += [
        f"{key} {source[key]}"
        for key in ("query_id", "revision", "uri", "package", "version", "entry_point")
        if source.get(key) is not None
    ]
    yield "source", " · ".join(words)
    if source.get("changed_since_publish"):
        yield "", "the source is not the one seen when the version was published"
    profile = frozen.get("profile")
    if isinstance(profile, Mapping):
        yield "profile", f"{profile.get('name')} revision {profile.get('revision')}"
    for name, value in (frozen.get("parameters") or {}).items():
        yield "parameter", f"{name} = {value}"


def _timeline(run: Document, look: Look, most: int | None) -> Iterator[Line]:
    several = len(run["attempts"]) > 1
    before = None
    rows: list[Document] = []
    for one in run["timeline"]:
        if several and one["attempt"] != before:
            if rows:
                yield from lay_out(_TIMELINE, rows, look, most)
                yield ()
            yield (Cell(f"attempt {one['attempt']}", "head"),)
            rows, before = [], one["attempt"]
        rows.append(one)
    yield from lay_out(_TIMELINE, rows, look, most)


def result(
    statement: Document, look: Look, most: int | None, *, rows_shown: int = ROWS_SHOWN
) -> Iterator[Line]:
    """Yield the first rows of a statement's result as a table, with what was left out."""
    names = [column["name"] for column in statement["columns"]]
    count, seconds = statement["row_count"], statement["seconds"]
    shown = statement["rows"][:rows_shown]
    words = [f"statement {statement['number']}"]
    words += [] if count is None else [ages.count(count, "row")]
    words += [] if seconds is None else [ages.span(seconds)]
    yield (Cell(" · ".join(words), "head"),)
    if names:
        numeric = [_is_number(shown, n) for n in range(len(names))]
        found = [
            Column(inert.line(name), _value(n), right=numeric[n], least=6, drop=n)
            for n, name in enumerate(names)
        ]
        rows: list[Document] = [{"values": row} for row in shown]
        yield from lay_out(found, rows, look, most)
    kept = len(statement["rows"])
    if kept > len(shown) or statement["truncated"]:
        more = f"… {len(shown)} shown, {kept:,} kept; all that is kept: `run-show --json`"
        yield (Cell(more, "dim"),)


def _value(place: int) -> Any:
    def cell(row: Document, _: Look) -> Cell:
        values = row["values"]
        value = values[place] if place < len(values) else None
        if value is None:
            return Cell("null", "dim")
        if isinstance(value, str):
            return text(value)
        return text(json.dumps(value, ensure_ascii=False))  # true, [1, null]: as JSON says it

    return cell


def _is_number(rows: list[Any], place: int) -> bool:
    values = [row[place] for row in rows if place < len(row) and row[place] is not None]
    return bool(values) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in values
    )
