"""Acts on runs: run, cancel, retry, rerun. Looking at runs: `runs`, `logs`."""

from __future__ import annotations

from typing import Any

import click

from quarterdeck.cli.base import Command, VersionNumber, expect_live_option, pass_session
from quarterdeck.cli.logs import follow
from quarterdeck.cli.session import Session
from quarterdeck.cli.values import parameters
from quarterdeck.cli.waiting import until_end
from quarterdeck.present import columns, inert, run_page, states
from quarterdeck.present.table import Line


def outcome(session: Session, run: dict[str, Any]) -> int:
    """Answer with the run as it ended; 0 only for a success."""
    look = session.look()
    session.answer(run, lambda: run_page.lines(run, look, session.out.width))
    return 0 if run["state"] == "succeeded" else 1


def started(session: Session, run: dict[str, Any], *, wait: bool, following: bool = False) -> int:
    """Dispatch a new run; answer at once, or when it has ended. What will run again is told before."""
    again = {key: run[key] for key in ("will_run_again",) if key in run}
    told = list(run_page.will_run_again(run)) if again else []
    if (following or wait) and not session.out.as_json:
        for line in told:
            session.out.note(line)
    row = session.services.runs.dispatch(run["id"])
    if following:
        return _followed(session, run["id"])
    if wait:
        return outcome(session, until_end(session, run["id"]) | again)
    word = states.shown(row["state"]).word
    waits = row["waiting_for"]
    next_ = f"quarterdeck logs {row['id']} -f    follows its log"
    why: list[str] = []
    if row["reason"]:  # it has ended: there is nothing to follow
        why = list(run_page.why(session.services.runs.show(row["id"])))
        next_ = f"quarterdeck run-show {row['id']}    shows all of it"
    held = []
    if row["state"] == "dispatching" and waits:
        held = [f"It waits for {waits['what']}; a command or the scheduler starts it."]
    session.words(
        row | again,
        f"Run {row['id']} of {row['job']} {columns.version(row)} is {word}.",
        *map(inert.line, held),
        *why,
        *told,
        next_,
    )
    return 0


def _followed(session: Session, run_id: str) -> int:
    follow(session, run_id)
    run = until_end(session, run_id)
    if session.out.as_json:
        session.out.one_line(run)
        return 0 if run["state"] == "succeeded" else 1
    session.out.lines([()])
    return outcome(session, run)


@click.command(
    cls=Command,
    example="quarterdeck run daily-sales --follow\nquarterdeck run daily-sales --draft --param day=2026-11-22",
)
@click.argument("name", metavar="NAME")
@click.option("--draft", is_flag=True, help="Run the draft; the run is labelled so.")
@click.option(
    "--version",
    type=VersionNumber(),
    metavar="N",
    help="Run this version instead of the live one.",
)
@click.option(
    "--param",
    "given",
    multiple=True,
    metavar="K=V",
    help="A declared parameter's value; repeatable.",
)
@expect_live_option()
@click.option("--wait", is_flag=True, help="Return when it has ended; 0 only for a success.")
@click.option(
    "--follow", "following", is_flag=True, help="Show its log as it comes, then how it ended."
)
@pass_session
def run(
    session: Session,
    /,
    name: str,
    given: tuple[str, ...],
    wait: bool,
    following: bool,
    **chosen: Any,
) -> int:
    """Run a job now: its live version, a version, or the draft."""
    from quarterdeck.model.shown import RunShown

    if chosen["draft"] and chosen["version"] is not None:
        raise click.UsageError("--draft and --version exclude each other.")
    made = session.services.runs.start(
        name, draft=chosen["draft"], version=chosen["version"], parameters=parameters(given),
        rests_on=RunShown(live=chosen["expect_live"]) if chosen["expect_live"] else None,
    )  # fmt: skip
    return started(session, made, wait=wait, following=following)


@click.command(cls=Command, example="quarterdeck cancel RUN --wait")
@click.argument("run_id", metavar="RUN")
@click.option("--wait", is_flag=True, help="Return when nothing of it is left.")
@pass_session
def cancel(session: Session, run_id: str, wait: bool) -> int:
    """End a run: the engine is asked, then the runner is ended, then everything of it."""
    shown = session.services.runs.cancel(run_id)
    if wait:
        shown = until_end(session, run_id)
    look = session.look()

    def page() -> list[Line]:
        return list(run_page.banner(shown, look, session.out.width))

    session.answer(shown, page)
    return 0 if not wait or shown["state"] == "cancelled" else 1


@click.command(
    cls=Command, example="quarterdeck retry RUN --wait\nquarterdeck retry RUN --node-off"
)
@click.argument("run_id", metavar="RUN")
@click.option("--wait", is_flag=True, help="Return when it has ended; 0 only for a success.")
@click.option("--again", is_flag=True, help="Also beside a retry that was made of it already.")
@click.option(
    "--node-off",
    is_flag=True,
    help="The lost node's machine is off: nothing of the run runs there.",
)
@pass_session
def retry(session: Session, run_id: str, wait: bool, again: bool, node_off: bool) -> int:
    """Run the same version (or draft text) again; what it refers to is read anew.

    Statements that had completed run again, and are listed. A second retry of one run is refused (5) without
    --again. To run the live version instead: `quarterdeck run NAME`.
    """
    beside = None if again else ()
    made = session.services.runs.retry(run_id, node_off=node_off, beside=beside)
    return started(session, made, wait=wait)


@click.command(cls=Command, example="quarterdeck rerun RUN --exact --wait")
@click.argument("run_id", metavar="RUN")
@click.option("--exact", is_flag=True, help="The same frozen spec, byte for byte.")
@click.option("--wait", is_flag=True, help="Return when it has ended; 0 only for a success.")
@click.option("--again", is_flag=True, help="Also beside an exact re-run of it that is under way.")
@pass_session
def rerun(session: Session, run_id: str, exact: bool, wait: bool, again: bool) -> int:
    """Run exactly what ran before; what cannot be had any more is listed and refuses it."""
    if not exact:
        raise click.UsageError(
            "rerun needs --exact; `quarterdeck retry RUN` reads everything anew."
        )
    beside = None if again else ()
    made = session.services.runs.rerun_exactly(run_id, beside=beside)
    return started(session, made, wait=wait)
