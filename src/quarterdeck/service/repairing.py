"""A repair of the store as the workspace sees it: what becomes of runs, logs and files, and what is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.lifecycle import clocks, unsure
from quarterdeck.model.codec import from_document
from quarterdeck.model.errors import OvertakenError
from quarterdeck.model.ids import RunId
from quarterdeck.model.limits import PAGE_MOST
from quarterdeck.model.logline import LogKept
from quarterdeck.ports.store import Finding, Where
from quarterdeck.service.context import ALL, OPEN, WORKSPACE_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from quarterdeck.model.clock import Mark
    from quarterdeck.ports.runlog import RunLogs
    from quarterdeck.ports.store import Repair, Store

ACT: Final = "store.repair"


def carry_out(
    repair: Repair, logs: RunLogs, here: Mark, actor: str, shown: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Settle everything that hangs on the saved documents, record it, and finish the repair; returns what it did.

    A repair that is only a look says the same, and changes nothing. `shown` is what a look said: OvertakenError if
    more is damaged by now.
    """
    now, store, is_look = here.at, repair.store, repair.copy is None
    if shown is not None:
        _demand_shown(repair, shown)
    lost = [*repair.lost, *repair.clear_artifacts()]
    remade = _workspace_anew(store, actor, now)
    lost += [
        Finding(f"runs/{run}", "only its log is left") for run in _logs_of_nobody(store, logs)
    ]
    ended = settle_runs(store, actor, here, _why(repair)) if repair.is_older else []
    mended = [_mended(repair, logs, actor, *one) for one in list(_damaged_logs(store, logs))]
    done = {
        "path": store.folder,
        "dry_run": is_look,
        "copy": repair.copy,
        "change": repair.seq,
        "acknowledged": repair.acknowledged,
        "missing_changes": _missing(repair),
        "kept": dict(repair.kept()),
        "lost": [_named(store, one) for one in lost],
        "lost_counts": dict(Counter(one.where.partition("/")[0] for one in lost)),
        "changed": [_named(store, one) for one in repair.changed],
        "rebuilt": [*repair.rebuilt, *remade],
        "runs_ended": ended,
        "logs_mended": mended,
    }
    names = [one.where for one in lost]
    with store.transaction(actor) as tx:
        tx.audit.append(ACT, "store/workspace", name=store.folder, after=done, lost=names)
    return {**done, "head": None if is_look else dict(repair.finish())}


def _demand_shown(repair: Repair, shown: Mapping[str, Any]) -> None:
    known = {one["where"] for one in (*shown["lost"], *shown["changed"])}
    more = [one for one in (*repair.lost, *repair.changed) if one.where not in known]
    if not more and repair.seq >= shown["change"]:
        return
    what = f"{more[0].where} {more[0].what}" if more else f"it ends at change {repair.seq}"
    raise OvertakenError(
        f"The store in {repair.store.folder} is damaged further than was shown: {what}.",
        advice="Nothing was changed. Look at it as it is now, then ask again.",
        conflict={"change": repair.seq, "change_shown": shown["change"]},
    )


def _named(store: Store, finding: Finding) -> dict[str, Any]:
    """Return the finding with what people call the document, as far as that is known."""
    table, _, known = finding.where.partition("/")
    name = ""
    if table == "definitions" and (definition := store.definitions.find(known)) is not None:
        name = f"{definition.value.kind} {definition.value.name}"
    elif table in ("versions", "drafts") and (job := store.jobs.find(known.partition("/")[0])):
        number = known.partition("/")[2].lstrip("0")
        what = f"version {number}" if number else "the draft"
        name = f"{what} of {job.value.name}"
    return {"where": finding.where, "name": name, "what": finding.what}


def settle_runs(store: Store, actor: str, here: Mark, why: str) -> list[str]:
    """See that nothing is started that may have been since the store was as it is; returns the runs ended.

    Each goes by its own clock, as everywhere.
    """
    ended = []
    with store.transaction(actor) as tx:
        for kept in tx.runs.page(OPEN, limit=ALL):
            after = unsure.settled(kept.value, why, clocks.now(kept.value, here))
            if after == kept.value:
                continue
            tx.runs.put(after, seen=kept.rev)
            if after.is_terminal:
                ended.append(str(after.id))
    return ended


def damaged_logs(store: Store, logs: RunLogs) -> Iterator[Finding]:
    """Yield the archived logs that are not as they were kept, and those of no run that there is."""
    for run, _, what in _damaged_logs(store, logs):
        yield Finding(f"logs/{run}", what)
    for run in _logs_of_nobody(store, logs):
        what = "belongs to no run that the database knows: that one may be older than the log"
        yield Finding(f"logs/{run}", what)


def _damaged_logs(store: Store, logs: RunLogs) -> Iterator[tuple[RunId, LogKept | None, str]]:
    known = set(logs.runs())
    after = None
    while rows := store.runs.rows(after=after, limit=PAGE_MOST, flawed=True):
        for row in rows:
            run = RunId(row.id)
            try:
                log = from_document(LogKept, row.body["log"]) if row.body.get("log") else None
                is_archived = row.body["archived"]
            except (ValueError, TypeError, LookupError, AttributeError):
                continue  # a damaged run, which the store's own checks name
            if is_archived and (log or run in known) and (what := logs.flaw(run, log)):
                yield run, log, what
        last: object = rows[-1].id
        if len(rows) < PAGE_MOST or not isinstance(last, str) or last <= (after or ""):
            return  # all were seen, or the index is damaged, which the store's own checks name
        after = last


def _logs_of_nobody(store: Store, logs: RunLogs) -> list[RunId]:
    found = logs.runs()  # before the runs are read: a run is there before its log
    lost = store.lost()
    runs = store.runs
    return [
        run for run in found if f"runs/{run}" not in lost and not runs.count(Where("id", "=", run))
    ]


def _mended(
    repair: Repair, logs: RunLogs, actor: str, run: RunId, kept: LogKept | None, what: str
) -> dict[str, Any]:
    """Write a damaged log anew, with its gaps, and keep its new hash with the run."""
    if repair.copy is not None:
        repair.keep_log(run)
        log = logs.mend(run, kept.lines if kept is not None else 0)
        with repair.store.transaction(actor) as tx:
            now = tx.runs.get(run)
            tx.runs.put(replace(now.value, log=log), seen=now.rev)
    return {"run": run, "what": what}


def _workspace_anew(store: Store, actor: str, now: datetime) -> list[str]:
    """Make the workspace's settings anew if they are lost: without them nothing else can be reached."""
    if store.workspace.find(WORKSPACE_ID) is not None:
        return []
    from quarterdeck.service.setup import new_workspace

    with store.transaction(actor) as tx:
        tx.workspace.put(new_workspace(actor, actor, now), seen=None)
    return [f"workspace/{WORKSPACE_ID}"]


def _missing(repair: Repair) -> int | None:
    if repair.acknowledged is None:
        return None
    return max(0, repair.acknowledged - repair.seq)


def _why(repair: Repair) -> str:
    missing = _missing(repair)
    what = f"its last {missing} changes" if missing else "some of its changes"
    return f"the store lost {what}: whether the run was started since is not known"
