"""One job, one draft, one version, one diff for a person."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.instants import format_instant
from quarterdeck.present import ages, columns, failure, inert, lists, states, tree
from quarterdeck.present.table import Cell, Line, Look, text

if TYPE_CHECKING:
    from quarterdeck.model.shown import Activating, Cascade

Document = Mapping[str, Any]


def lines(job: Document, look: Look) -> Iterator[Line]:
    """Yield the job with its live spec."""
    yield (Cell(inert.line(job["name"]), "head"), Cell(f"  {standing(job)}"))
    if job["description"]:
        yield from ((Cell(one),) for one in inert.block(job["description"]))
    yield ()
    shared = ", ".join(job["shared_teams"])
    rows = [
        ("team", job["team"] + (f", shared with {shared}" if shared else "")),
        ("type", job["type"]),
        ("schedule", columns.schedule(job)),
    ]
    for name, value in rows:
        if value:
            yield (Cell(f"{name:<10}", "head"), text(value))
    last = job["last_run"]
    if last is not None:
        at = columns.when(last["ended_at"] or last["started_at"], look)
        found = columns.state(last["state"], last["reason"], look)
        yield (Cell("last run  ", "head"), found, Cell("  "), at, Cell(f"  {last['id']}"))
    yield ()
    yield from tree.lines(job["spec"])
    yield from _effective(job)


def _effective(job: Document) -> Iterator[Line]:
    options = [one for one in job["effective"] if one["from"] != "default"]
    if options:
        yield ()
        yield (Cell("effective engine settings", "head"),)
    for one in options:
        said = text(f"  {one['option']} = {one['value']}")
        yield (said, Cell(f"  from {one['from']}", "dim"))


def overview(job: Document, look: Look) -> Iterator[Line]:
    """Yield what somebody wants to know first of a job: last run, last good one, marks, what it uses."""
    last, good = job["last_run"], job["good"]
    if last is None:
        yield (Cell("LAST RUN  ", "dim"), Cell("no run yet; r runs it"))
    else:
        at = lists.when(last["ended_at"] or last["started_at"], look)
        state = columns.state(last["state"], None, look)
        why = f"  {inert.line(last['reason'])}" if last["reason"] else ""
        yield (Cell("LAST RUN  ", "dim"), state, Cell(f"  {at}{why}  "), Cell(last["id"], "dim"))
    if good is not None and (last is None or good["id"] != last["id"]):
        at = lists.when(good["ended_at"], look)
        yield (
            Cell("LAST GOOD ", "dim"), columns.state(good["state"], None, look),
            Cell(f"  {at}  v{good['version']}  "), Cell(good["id"], "dim"),
        )  # fmt: skip
    if job["marks"]:
        cells = [Cell("RUNS      ", "dim")]
        for one in job["marks"]:
            shown = states.shown(one["state"])
            cells.append(Cell(f"{shown.mark} ", shown.tone))
        cells.append(Cell(f"({len(job['marks'])} of {job['runs']:,}, oldest left)", "dim"))
        yield tuple(cells)
    yield (Cell("USES      ", "dim"), *_uses(job["uses"]))
    yield (Cell("LIVE      ", "dim"), *_live(job, look))
    if job["description"]:
        yield ()
        yield from ((Cell(one),) for one in inert.block(job["description"]))
    yield ()
    yield from tree.lines(job["spec"])
    yield from _effective(job)


def preview(row: Document, marks: Sequence[Document], look: Look) -> Iterator[Line]:
    """Yield a job of a list at a glance: its standing, why the last run ended so, the last runs as marks."""
    yield (Cell(standing(row)), Cell(f"  {row['type']}  owner {inert.line(row['team'])}", "dim"))
    yield ()
    last = row["last_run"]
    if last is None:
        yield (Cell("No run yet; r runs it.", "dim"),)
    else:
        at = lists.when(last["ended_at"] or last["started_at"], look)
        yield (columns.state(last["state"], last["reason"], look), Cell(f"  {at}", "dim"))
        if told := last.get("failure"):
            yield failure.sentence(last)
            if place := failure.where(told["place"]):
                yield (Cell(inert.line(place), "dim"),)
            yield from failure.quoted(told, None)
            yield tuple(failure.keys(told))
        if last.get("advice"):
            yield (Cell(inert.line(last["advice"]), "dim"),)
    if marks:
        yield ()
        several = f"the last {len(marks)} runs, the newest at the right"
        yield (Cell(several if len(marks) > 1 else "the last run", "dim"),)
        shown = [states.shown(one["state"]) for one in marks]
        yield tuple(Cell(f"{one.mark} ", one.tone) for one in shown)
    if row["description"]:
        yield ()
        yield from ((Cell(one),) for one in inert.block(row["description"]))


def _uses(uses: Sequence[Document]) -> Iterator[Cell]:
    for place, one in enumerate(uses):
        revision = (
            f" rev {one['revision']}" if one["revision"] and one["kind"] != "catalog" else ""
        )
        bad = one["status"] not in ("ok", "active")
        status = f" {one['status']}" if one["kind"] == "cluster" or bad else ""
        words = f"{one['kind']} {inert.line(one['name'])}{revision}{status}"
        yield Cell(" · " if place else "", "dim")
        yield Cell(words, "bad" if bad else "")


def _live(job: Document, look: Look) -> Iterator[Cell]:
    live = job["live"]
    yield Cell(
        f"v{job['live_version']} by {inert.line(live['author'])} {lists.when(live['at'], look)}"
    )
    if live["note"]:
        yield Cell(f"  {inert.line(live['note'])}", "dim")


def drafted(job: Document, look: Look) -> Line:
    """Return the line that is always in sight: live and draft, who edited it, what changed."""
    draft = job["draft"]
    if draft is None:
        return (Cell(f"live v{job['live_version']}", "good"), Cell("  no draft", "dim"))
    changed = ages.count(len(draft["changed"]), "field")
    stale = f"  based on v{draft['based_on']}, no longer live" if draft["stale"] else ""
    by = f"  by {inert.line(draft['author'])} {lists.when(draft['at'], look)}"
    return (
        Cell(f"live v{job['live_version']}", "good"),
        Cell(f" · draft v{job['draft_version']} (not live, {changed})", "busy"),
        Cell(by, "dim"), Cell(stale, "bad"),
    )  # fmt: skip


def access(job: Document) -> Iterator[Line]:
    """Yield who owns it, who shares it, and who may what."""
    rights = job["rights"]
    at_once = Cell("   takes effect immediately", "dim")
    yield (
        Cell("OWNER    ", "dim"),
        Cell(inert.line(rights["owner"]["name"]), "head"),
        *_members(rights["owner"]),
        at_once,
    )
    if not rights["shared"]:
        yield (Cell("SHARED   ", "dim"), Cell("with nobody", "dim"), at_once)
    for one in rights["shared"]:
        yield (
            Cell("SHARED   ", "dim"),
            Cell(inert.line(one["name"]), "head"),
            *_members(one),
            at_once,
        )
    yield (Cell("ADMINS   ", "dim"), Cell(inert.line(", ".join(rights["org_admins"]))))
    yield ()
    yield (Cell("Owner and org admins may: ", "dim"), Cell(_verbs(rights["owner_may"])))
    yield (Cell("Shared teams may:         ", "dim"), Cell(_verbs(rights["shared_may"])))
    yield (Cell("You may:                  ", "dim"), Cell(_verbs(rights["mine"])))
    yield (
        Cell("Your teams:               ", "dim"),
        Cell(inert.line(", ".join(rights["teams"]) or "none")),
    )
    yield ()
    yield (
        Cell(
            "s changes name, owner, sharing and description.",
            "dim",
        ),
    )


def _members(team: Document) -> Iterator[Cell]:
    yield Cell(f"  {inert.line(', '.join(team['members']))}", "dim")


def _verbs(verbs: Sequence[str]) -> str:
    return ", ".join(verb.replace("_", " ") for verb in verbs)


def activation(shown: Activating) -> Iterator[Line]:
    """Yield what activating would take back, and what it leaves."""
    yield (Cell(f"v{shown.live} is live now."),)
    yield (Cell("Changes back:", "head"),)
    if not shown.goes_back:
        yield (Cell("  nothing: both are the same", "dim"),)
    for one in shown.goes_back:
        if one.get("lines"):
            changed = sum(line[:1] in "+-" for line in one["lines"][2:])
            yield (Cell(f"  {inert.line(one['path'])}: {ages.count(changed, 'line')}"),)
        else:
            path = one["path"]
            told = f"{inert.line(path)}: {_value(path, one['a'])} → {_value(path, one['b'])}"
            yield (Cell(f"  {told}"),)
    yield (Cell("Does NOT change:", "head"),)
    yield (Cell("  " + "; ".join(shown.stays)),)


def cascade(shown: Cascade, look: Look) -> Iterator[Line]:
    """Yield what goes with a job that is deleted, what is kept, and what has to end before."""
    versions = ages.count(shown.versions, "version")
    draft = "no draft"
    if shown.draft is not None:
        when = ages.age(format_instant(shown.draft.at), look.now)
        draft = f"the draft by {inert.line(shown.draft.author)}, saved {when}"
    yield (text(f"With it go {versions} and {draft}; rights and schedule."),)
    yield from cascade_more(shown)
    yield (text(f"Kept, readable by id: {ages.count(shown.runs, 'run')}."),)
    if shown.active:
        yield (Cell(f"Under way: {', '.join(shown.active)}: cancel them first.", "bad"),)


def cascade_more(shown: Cascade) -> Iterator[Line]:
    """Yield what else goes with a job, where there is some: drafts that were dropped, sharing, schedule."""
    if shown.dropped:
        kept = ages.count(len(shown.dropped), "dropped draft")
        yield (text(f"{kept} can be brought back no more."),)
    if shown.shared_teams:
        yield (text(f"It is shared with {', '.join(shown.shared_teams)}."),)
    if shown.schedule:
        yield (text(f"Its schedule is {shown.schedule.get('cron')}."),)


def standing(job: Document) -> str:
    """Return `live v7 · draft v8 (not live)`."""
    draft = f" · draft v{job['draft_version']} (not live)" if job["draft_version"] else ""
    return f"live v{job['live_version']}{draft}"


def made_live(one: Document, look: Look) -> str:
    """Return who made a version live last, when, and in place of which; empty where nobody did."""
    made = one.get("made_live")
    if not made:
        return ""
    before = f", in place of v{made['from']}" if made["from"] else ""
    return f"made live by {inert.line(made['by'])} {columns.when(made['at'], look).text}{before}"


def version(one: Document, look: Look) -> Iterator[Line]:
    """Yield a version or a draft with its spec."""
    based = f", based on v{one['based_on']}" if one["based_on"] else ""
    stale = " (no longer live: publish will be refused)" if one.get("stale") else ""
    head = f"v{one['number']} of {one['job']}"
    yield (text(head), Cell(f"  {one['state']}", "good" if one.get("live") else "busy"))
    yield (text(f"by {one['author']}, "), columns.when(one["at"], look), Cell(based + stale))
    if made := made_live(one, look):
        yield (Cell(made),)
    if one.get("note"):
        yield (text(one["note"]),)
    yield ()
    yield from tree.lines(one["spec"])


_IN_WORDS: Final = 3  # fields that are told in the first line


def in_words(found: Sequence[Document]) -> str:
    """Return what differs in one sentence: `timeout 2h -> 1h, 14 lines of source.text`; empty for nothing."""
    told = []
    for one in found:
        path = one["path"].removeprefix("frozen.")
        if "sha256" in path:
            continue
        if one.get("lines"):
            changed = sum(line[:1] in "+-" for line in one["lines"][2:])
            told.append(f"{ages.count(changed, 'line')} of {path}")
        elif isinstance(one["a"], (list, dict)) or isinstance(one["b"], (list, dict)):
            told.append(path)
        else:
            told.append(
                f"{path} {_value(one['path'], one['a'])} → {_value(one['path'], one['b'])}"
            )
    shown = told[:_IN_WORDS]
    if len(told) > len(shown):
        shown.append(f"{len(told) - len(shown)} more")
    return inert.line(", ".join(shown))


def compared(found: Document) -> Iterator[Line]:
    """Yield two runs beside each other: in words first, then each part, the hashes in one line at the end."""
    lengths = [None if one is None else ages.span(one) for one in found["seconds"]]
    if all(lengths):
        yield (Cell("TOOK      ", "dim"), Cell(f"{lengths[0]} → {lengths[1]}"))
    words = in_words(found["differences"])
    if not found["differences"]:
        yield (Cell("Nothing differs.", "good"),)
        return
    yield (Cell("DIFFERS   ", "dim"), Cell(words or "only hashes"))
    yield ()
    hashes = [one["path"] for one in found["differences"] if "sha256" in one["path"]]
    yield from differences([one for one in found["differences"] if one["path"] not in hashes])
    if hashes:
        yield ()
        several = ages.count(len(hashes), "hash").replace("hashs", "hashes")
        yield (Cell(f"{several} too: {inert.line(', '.join(hashes))}", "dim"),)


def differences(found: Sequence[Document]) -> Iterator[Line]:
    """Yield what differs: one block for each path, texts line by line."""
    for one in found:
        yield (Cell(inert.line(one["path"]), "head"),)
        if one.get("lines"):
            for line in one["lines"][2:]:
                tone = {"+": "good", "-": "bad"}.get(line[:1], "dim")
                yield (Cell("  " + inert.line(line), tone),)
            continue
        if (
            one["path"].endswith(".rows")
            and isinstance(one["a"], list)
            and isinstance(one["b"], list)
        ):
            yield from _rows(one["a"], one["b"])
            continue
        for sign, side, tone in (("-", one["a"], "bad"), ("+", one["b"], "good")):
            for line in _value(one["path"], side).split("\n"):
                yield (Cell(f"  {sign} {inert.line(line)}", tone),)


def _rows(a: Sequence[Any], b: Sequence[Any]) -> Iterator[Line]:
    """Yield the first row of a result in which two runs differ."""
    place = next(
        (n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    yield (Cell(f"  first at row {place + 1}; {len(a):,} and {len(b):,} rows are kept", "dim"),)
    for sign, rows, tone in (("-", a, "bad"), ("+", b, "good")):
        if place < len(rows):
            yield (
                Cell(f"  {sign} {inert.line(json.dumps(rows[place], ensure_ascii=False))}", tone),
            )


def _value(path: str, value: object) -> str:
    return "(nothing)" if value is None else tree.written(path, value)


def activating(shown: Activating) -> list[Line]:
    """Return what making a version live changes, and what it leaves."""
    head = f"{shown.job}: version {shown.to} in place of {shown.live}"
    goes = list(differences(shown.goes_back)) or [(Cell("  nothing"),)]
    stays = (Cell("stays:", "head"), text(f" {', '.join(shown.stays)}"))
    return [(text(head),), (Cell("goes back:", "head"),), *goes, stays]


def deleting(shown: Cascade) -> list[Line]:
    """Return what goes with a job, and what stays."""
    versions, runs = ages.count(shown.versions, "version"), ages.count(shown.runs, "run")
    draft = f" and the draft by {shown.draft.author}" if shown.draft else ""
    words = f"{shown.job} goes with {versions}{draft}; {runs} of it can still be read"
    return [(text(words),), *cascade_more(shown)]
