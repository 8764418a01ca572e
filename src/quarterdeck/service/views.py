"""Documents in the shapes that the command line prints with `--json` and that screens read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from quarterdeck.model.instants import format_instant, parse_instant, seconds_between
from quarterdeck.ports.store import Kept, Where

if TYPE_CHECKING:
    from quarterdeck.model.clock import Mark
    from quarterdeck.model.errors import Problem
    from quarterdeck.model.job import Definition, Draft, Job, Revision, Version
    from quarterdeck.model.run import Run
    from quarterdeck.service.references import World

FRESH = timedelta(seconds=30)
APART_S = 1.0
SLEPT_S = 1.0


class Names(Protocol):
    """Who can say what a team is called."""

    def team_name(self, team: str) -> str:
        """Return the team's name."""
        ...


def where(field: str, value: Any) -> Where:
    """Return the condition that `field` equals `value`."""
    return Where(field, "=", value)


def warnings(found: Sequence[Problem]) -> dict[str, Any]:
    """Return {"warnings": […]} or nothing."""
    if not found:
        return {}
    return {"warnings": [{"path": one.path, "message": one.message} for one in found]}


def maybe(at: datetime | None) -> str | None:
    """Return an instant as text, or None."""
    return None if at is None else format_instant(at)


# --- definitions


PROFILE: Mapping[str, Any] = {
    "mode": None,
    "driver": None,
    "worker": None,
    "libraries": [],
    "lock": None,
}


def reference(one: Definition) -> str:
    """Return what files call it: its name; a query's id."""
    return one.id if one.kind == "query" else one.name


def file_form(world: World, one: Definition) -> dict[str, Any]:
    """Return the definition as its file would say it, durations and sizes as users write them."""
    from quarterdeck.model import problems as checks  # pydantic

    value: dict[str, Any] = {"name": one.name, **one.body}
    if one.kind == "query":
        value["id"] = one.id
    if one.team is not None:
        value["team"] = world.name_of("team", one.team)
    return checks.dump(one.kind, value)


def definition(world: World, kept: Kept[Definition]) -> dict[str, Any]:
    """Return id, name, team, revision and the body; a cluster's status and checks."""
    one = kept.value
    view: dict[str, Any] = {"id": one.id, "name": one.name}
    if one.team is not None:
        view["team"] = world.name_of("team", one.team)
    view |= {"revision": one.revision, "rev": kept.rev}
    view |= {**PROFILE, **one.body} if one.kind == "profile" else one.body
    view |= {"author": one.author, "at": format_instant(one.at)}
    if one.kind == "cluster":
        view |= {"status": one.status, "checked_at": maybe(one.checked_at)}
        view["checks"] = [dict(check) for check in one.checks]
    return view


def revision(one: Revision) -> dict[str, Any]:
    """Return one line of a definition's history."""
    return {
        "id": one.definition, "revision": one.number, "name": one.name, "author": one.author,
        "at": format_instant(one.at), **one.body,
    }  # fmt: skip


# --- jobs


LAST_RUN = ("id", "state", "reason", "started_at", "ended_at")


def job(
    names: Names,
    raw: Mapping[str, Any],
    *,
    rev: int,
    draft: bool,
    last_run: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return a job's row from its document: what a list shows."""
    return {
        "id": raw["id"],
        "name": raw["name"],
        "team": names.team_name(raw["team"]),
        "shared_teams": [names.team_name(team) for team in raw["shared_teams"]],
        "description": raw["description"],
        "status": "paused" if raw["paused"] else "active",
        "type": raw["type"],
        "schedule": raw["schedule"],
        "live_version": raw["live_version"],
        "draft_version": raw["next_number"] if draft else None,
        "next_fires": [],
        "drift": raw["drift"],
        "last_run": None if last_run is None else {name: last_run[name] for name in LAST_RUN},
        "rev": rev,
    }


def version(one: Version, job: Job) -> dict[str, Any]:
    """Return one line of a job's history; `made_live` is who made it live last, and in place of which."""
    live = job.live_version
    last = next((act for act in reversed(job.activations) if act.number == one.number), None)
    made = last and {"by": last.actor, "at": format_instant(last.at), "from": last.previous}
    return {
        "number": one.number,
        "state": "live" if one.number == live else "past",
        "live": one.number == live,
        "author": one.author,
        "at": format_instant(one.at),
        "note": one.note,
        "based_on": one.based_on,
        "changed": list(one.changed),
        "made_live": made,
        **({"doubt": one.doubt} if one.doubt else {}),
    }


def draft(kept: Kept[Job], value: Draft, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the draft with its spec (names inside), whether its base is live still, and the job's revision."""
    one = kept.value
    return {
        "job": one.name,
        "number": one.next_number,
        "state": "draft",
        "live": False,
        "note": "",
        "author": value.author,
        "at": format_instant(value.at),
        "based_on": value.based_on,
        "stale": value.based_on != one.live_version,
        "live_version": one.live_version,
        "rev": kept.rev,
        "spec": spec,
    }


# --- runs


ROW = (
    "version", "draft", "based_on", "trigger", "actor", "state", "reason", "object", "evidence",
    "retry_of", "exact_of", "retried_by", "queued_at", "submitted_at", "started_at", "ended_at",
    "phase", "placement",
)  # fmt: skip


def advice(raw: Mapping[str, Any]) -> str | None:
    """Return what to do about how a run ended, by its reason."""
    if not raw["reason"]:
        return None
    from quarterdeck.lifecycle.advice import ADVICE

    return ADVICE[raw["reason"]].replace("RUN", raw["id"])


def failure(
    raw: Mapping[str, Any], job_name: str, frozen: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Return why a run ended badly, from its document: headline, place, lines, next steps; None if it did not."""
    if not raw["reason"]:
        return None
    from quarterdeck.present import failure

    text = ((frozen or {}).get("source") or {}).get("text")
    known = {**raw, "job": job_name, "frozen": frozen}
    return failure.of(known, text if isinstance(text, str) else None)


def raw_run_row(raw: Mapping[str, Any], job_name: str) -> dict[str, Any]:
    """Return a run that has ended as lists show it, straight from its document."""
    shown = {name: raw[name] for name in ROW}
    for name in ("object", "phase", "placement"):
        shown[name] = shown[name] or None
    return {
        "id": raw["id"], "job": job_name, **shown, "advice": advice(raw),
        "failure": failure(raw, job_name), "deadline": None, "stale": False, "position": None,
        "waiting_for": waiting(raw["waiting"], None),
        "attempt": raw["attempts"][-1]["number"] if raw["attempts"] else None,
    }  # fmt: skip


WAITING = ("what", "since", "last_fact", "last_fact_at", "deadline")


def waiting(raw: Mapping[str, Any] | None, position: int | None) -> dict[str, Any] | None:
    """Return what a run waits for; where nothing else is known of it, its place in the line."""
    if raw is None:
        return None
    shown = {name: raw[name] for name in WAITING}
    if position is not None and not shown["last_fact"]:
        shown["last_fact"] = f"place {position} in the line"
    return shown


class Standing(NamedTuple):
    """What is shown of a run besides itself: the time by its clock and by ours, and its place in the line."""

    now: datetime
    here: datetime
    position: int | None = None


def now_of(raw: Mapping[str, Any], here: Mark) -> datetime:
    """Return the time by the clock of a run's document; ours where it has none in this boot."""
    clock = raw.get("clock")  # none: of an earlier version
    if clock is None or clock["uptime"]["boot"] != here.uptime.boot:
        return here.at
    passed = here.uptime.up_s - clock["uptime"]["up_s"]
    return parse_instant(clock["at"]) + timedelta(seconds=passed)


def ahead(now: datetime, here: datetime) -> dict[str, float]:
    """Return how many seconds a run's times are ahead of our clock, as `ahead_s`; nothing where they are not."""
    seconds = (now - here).total_seconds()
    return {"ahead_s": round(seconds, 3)} if abs(seconds) >= APART_S else {}


def run_row(run: Run, job_name: str, standing: Standing) -> dict[str, Any]:
    """Return a run as lists show it."""
    from quarterdeck.lifecycle.steps import deadline
    from quarterdeck.model.codec import to_document

    raw = to_document(run)
    return {
        **raw_run_row(raw, job_name), "deadline": maybe(deadline(run)),
        "stale": is_stale(run, standing.now), "position": standing.position,
        "waiting_for": waiting(raw["waiting"], standing.position),
        **ahead(standing.now, standing.here),
    }  # fmt: skip


def is_stale(run: Run, now: datetime) -> bool:
    """Whether the newest fact of a run under way is older than 30 s."""
    if run.is_terminal or run.submitted_at is None:
        return False
    return run.seen_at is None or now - run.seen_at > FRESH


def run_whole(
    run: Run,
    job_name: str,
    standing: Standing,
    *,
    frozen: Mapping[str, Any] | None,
    result: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return everything that is known of a run."""
    from quarterdeck.model.codec import to_document

    attempts = [_attempt(to_document(attempt)) for attempt in run.attempts]
    cancel = None if run.cancel is None else to_document(run.cancel)
    return {
        **run_row(run, job_name, standing),
        "notes": [*run.notes, *slept(run)],
        "problems": [to_document(problem) for problem in run.problems],
        "timeline": _timeline(run, standing.now),
        "cancel": cancel,
        "reap": to_document(run.reap),
        "frozen": None if frozen is None else {"sha256": run.frozen_sha256, **frozen},
        "failure": failure(to_document(run), job_name, frozen),
        "receipt": attempts[-1]["receipt"] if attempts else None,
        "attempts": attempts,
        "result": result,
    }


def _attempt(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return an attempt without what `failure` says of the run."""
    return {key: value for key, value in raw.items() if key not in ("headline", "place")}


def slept(run: Run) -> Iterator[str]:
    """Yield how long a machine slept, and that no deadline counts that."""
    from quarterdeck.present import ages

    if run.asleep_s:
        length = ages.span(run.asleep_s)
        yield f"this machine slept for {length} while the run was in the line: its deadline is so much later"
    for attempt in run.attempts:
        if attempt.asleep_s >= SLEPT_S:
            length = ages.span(attempt.asleep_s)
            whose = f"its machine slept for {length}, which does not count towards the timeout"
            yield f"attempt {attempt.number}: {whose}"


def _timeline(run: Run, now: datetime) -> list[dict[str, Any]]:
    from quarterdeck.model.codec import to_document

    shown = []
    for place, one in enumerate(run.timeline):
        more = place + 1 < len(run.timeline)
        end = run.timeline[place + 1].at if more else (one.at if run.is_terminal else now)
        seconds = round(seconds_between(one.at, end), 3)
        shown.append({**to_document(one), "seconds": seconds})
    return shown
