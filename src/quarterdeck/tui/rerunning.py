"""Runs again: the same version, exactly what ran, or live instead; asked with what would run twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import ConflictError
from quarterdeck.model.shown import Again, RunShown
from quarterdeck.present import ages, columns, inert, states
from quarterdeck.present.table import Cell
from quarterdeck.tui.asked import Question, Several
from quarterdeck.tui.starting import start, started

if TYPE_CHECKING:
    from quarterdeck.present.table import Line
    from quarterdeck.tui.page import Page
    from quarterdeck.tui.widgets.dialog import Answer, Dialog

Run = Mapping[str, Any]
DONE_SHOWN = 6  # statements that will run again


def ask_again(page: Page, run: str) -> None:
    """Ask how this run is to run again, and start that."""

    def act(facts: Again, answer: Answer) -> Run:
        runs = page.services.runs
        if answer.choice == "live":
            return start(page.services, facts.job_id, RunShown(live=facts.live))
        make = runs.rerun_exactly if answer.choice == "exact" else runs.retry
        return runs.dispatch(make(facts.id, beside=_known(facts))["id"])

    Question(
        page, f"run {run}", lambda: page.services.runs.again(run), lambda facts, _: _dialog(facts), act,
        partial(started, page), anew=(ConflictError,),
    ).ask()  # fmt: skip


def ask_several(page: Page, ids: Sequence[str]) -> None:
    """Show these runs, ask, and retry each; one that was retried already is left alone."""

    def read(run: str) -> Again:
        facts = page.services.runs.again(run)
        if found := [one for one in facts.made if one.trigger == "retry"]:
            last = found[-1]
            raise ConflictError(
                f"Run {run} was retried already: run {last.id}, {last.state}, by {last.actor}."
            )
        return facts

    def line(facts: Again) -> Line:
        done = len(facts.done)
        told = f"  {ages.count(done, 'statement')} will run again" if done else ""
        what = f"{inert.line(facts.job)}  {facts.id}  {columns.version(_row(facts))}"
        return (Cell(f"{what}  {states.shown(facts.state).word}"), Cell(told, "busy"))

    def act(facts: Again) -> Run:
        runs = page.services.runs
        return runs.dispatch(runs.retry(facts.id, beside=_known(facts))["id"])

    Several(
        page, ages.count(len(ids), "run"), ids, read, line, act, _dialog_of_several,
        lambda many: f"{ages.count(many, 'run')} started",
    ).ask()  # fmt: skip


def _known(facts: Again) -> tuple[str, ...]:
    return tuple(one.id for one in facts.made)


def _row(facts: Again) -> dict[str, Any]:
    return {"draft": facts.draft, "version": facts.version}


def _dialog(facts: Again) -> Dialog:
    from quarterdeck.tui.widgets.dialog import Choice, Dialog

    choices = [
        Choice("again", "Again", "a"),
        Choice("exact", "Exactly", "e"),
        Choice("live", "Live instead", "l"),
    ]
    retried = any(one.trigger == "retry" for one in facts.made)
    return Dialog(
        f"Run {facts.id} again?", list(_lines(facts)), choices, harmful=retried, opened_by="r"
    )


def _lines(facts: Again) -> Iterator[Line]:
    for one in facts.made:
        how = "exactly " if one.trigger == "exact" else ""
        word = states.shown(one.state).word
        by = inert.line(one.actor)
        yield (Cell(f"It was run again {how}already: {one.id}, {word}, by {by}.", "bad"),)
    what = "the draft text that it ran" if facts.draft else f"v{facts.version}"
    yield (Cell(f"Again: {what}; query, profile and files as they are now."),)
    yield (Cell("Exactly: everything as it was frozen; only secret values are today's."),)
    yield (Cell(f"Live instead: v{facts.live}, which is live now."),)
    if facts.done:
        numbers = ", ".join(str(one.number) for one in facts.done)
        what = "Statement" if len(facts.done) == 1 else "Statements"
        yield (Cell(f"{what} {numbers} had completed and will run again.", "busy"),)
        for statement in facts.done[:DONE_SHOWN]:
            yield (Cell(inert.line(f"  {statement.number}  {statement.head}"), "dim"),)


def _dialog_of_several(many: int, lines: list[Line], typed: str) -> Dialog:
    from quarterdeck.tui.widgets.dialog import Choice, Dialog

    runs = ages.count(many, "run")
    lines = [
        *lines,
        (Cell("Each again as its own version; query, profile and files as now.", "dim"),),
    ]
    return Dialog(
        f"Run {runs} again?", lines, [Choice("again", f"Run {runs} again", "y")], harmful=True,
        opened_by="r", typed=typed,
    )  # fmt: skip
