"""Looking at runs: list, show, compare. Acts: `run`; their logs: `logs`."""

from __future__ import annotations

from typing import Any

import click

from quarterdeck.cli.base import LIMIT, Command, OneOf, VersionNumber, pass_session
from quarterdeck.cli.session import Session
from quarterdeck.cli.values import period
from quarterdeck.model import limits
from quarterdeck.present import columns, job_page, run_page


@click.command(
    cls=Command,
    example="quarterdeck runs --state failed --since 12h\nquarterdeck runs --job daily-sales --limit 10 --json",
)
@click.option("--job", metavar="NAME", help="Only this job's.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=OneOf("quarterdeck.model.states", "RunState"),
    metavar="S",
    help="queued, running, succeeded, failed, …; repeatable.",
)
@click.option(
    "--since", metavar="T", help="Queued since: 2h, 2026-11-22, or an instant with zone."
)
@click.option("--until", metavar="T", help="Queued before.")
@click.option(
    "--trigger",
    type=OneOf("quarterdeck.model.run", "Trigger"),
    metavar="T",
    help="manual, schedule, retry, backfill or exact.",
)
@click.option(
    "--reason",
    type=OneOf("quarterdeck.model.failure", "Reason"),
    metavar="R",
    help="Why it failed: user_error, oom_driver, timeout, …",
)
@click.option("--version", type=VersionNumber(), metavar="N", help="Only runs of this version.")
@click.option("--draft", is_flag=True, help="Runs of drafts, which are shown nowhere else.")
@click.option(
    "--limit", type=LIMIT, default=limits.PAGE, show_default=True, help="Rows of a page."
)
@click.option("--after", metavar="RUN", help="The page behind this run.")
@pass_session
def runs(session: Session, /, since: str | None, until: str | None, **chosen: Any) -> None:
    """List runs, newest first, each where it really stands."""
    from quarterdeck.service.listing import RunFilter

    start, end = period(session, since, until)
    limit = chosen["limit"]
    shown = RunFilter(
        job=chosen["job"], states=chosen["states"], trigger=chosen["trigger"],
        reason=chosen["reason"], since=start, until=end, version=chosen["version"],
        drafts=chosen["draft"], after=chosen["after"], limit=limit + 1,
    )  # fmt: skip
    rows = session.services.lists.runs(shown)
    session.listing(rows[:limit], columns.RUNS, "No runs here; `quarterdeck run NAME` makes one.")
    if len(rows) > limit:
        session.out.note(f"There are more: add --after {rows[limit - 1]['id']}")


@click.command(
    "run-show", cls=Command, example="quarterdeck run-show RUN\nquarterdeck run-show RUN --json"
)
@click.argument("run_id", metavar="RUN")
@click.option(
    "--pods", "of_pods", is_flag=True, help="Its pods and what the cluster says of them."
)
@pass_session
def run_show(session: Session, run_id: str, of_pods: bool) -> None:
    """Show a run: what happened and what to do first, then inputs, timeline, result.

    Times are local on a terminal, UTC elsewhere.
    """
    if of_pods:
        _show_pods(session, run_id)
        return
    found = session.services.runs.show(run_id)
    look = session.look()
    session.answer(found, lambda: run_page.lines(found, look, session.out.width))


def _show_pods(session: Session, run_id: str) -> None:
    from quarterdeck.present import pods

    found, look = session.services.parts.of(run_id), session.look()
    ended = session.services.runs.get(run_id).is_terminal
    session.answer(found, lambda: pods.lines(found, look, session.out.width, has_ended=ended))


@click.command(cls=Command, example="quarterdeck compare RUN_A RUN_B")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@pass_session
def compare(session: Session, a: str, b: str) -> None:
    """Show what differs between two runs; what is equal is only counted."""
    found = session.services.runs.compare(a, b)
    session.answer(found, lambda: job_page.compared(found))
    if not session.out.as_json:
        session.out.say(f"{found['equal_count']} parts are equal.")
