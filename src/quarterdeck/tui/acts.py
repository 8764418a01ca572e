"""Acts on a job or a run that several pages offer alike: the page says which one, the rest is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import OvertakenError, QuarterdeckError
from quarterdeck.model.instants import format_instant
from quarterdeck.model.shown import NO_DRAFT
from quarterdeck.present import ages, inert
from quarterdeck.present.table import Cell
from quarterdeck.tui import problems
from quarterdeck.tui.marks import TYPED_FROM
from quarterdeck.tui.page import Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quarterdeck.model.shown import Shelf
    from quarterdeck.present.table import Line
    from quarterdeck.service.drafts import Dropped
    from quarterdeck.tui.actions import Action
    from quarterdeck.tui.widgets.dialog import Answer

Row = dict[str, Any]


class JobActs(Page):
    """Acts on the job that the page is about or that is under the cursor.

    A page gives `job_name`, `last_run_id` and `may`.
    """

    _remembered: str | None = None  # which draft was shown when the palette was opened

    def job_name(self) -> str:
        """Return the job's name; empty for none."""
        raise NotImplementedError

    def last_run_id(self) -> str:
        """Return the id of the job's latest run; empty for none."""
        raise NotImplementedError

    def may(self) -> Sequence[str] | None:
        """Return the verbs that the actor may do to the job; None while it is not known."""
        raise NotImplementedError

    def job_without(self, verb: str) -> str:
        """Return the name of the first job that an act takes on which the actor does not have this verb."""
        del verb
        return self.job_name()

    def verdict(self, action: Action) -> bool | None:
        """Dim what the table of rights refuses."""
        if not action.verb:
            return True
        may = self.may()
        return True if may is None or action.verb in may else None

    def refused(self, action: Action) -> None:
        """Say the rule, the actor's teams and who may."""
        name = self.job_without(action.verb)
        if not name:
            self.say(f"{action.label}: no job is under the cursor.", "bad")
            return
        self.ask(
            "the rule",
            lambda: self.services.rights.why(action.verb, name),
            lambda why: self.shell.panel("Not allowed", [(Cell(inert.line(why or "")),)]),
        )

    def _named(self) -> str:
        name = self.job_name()
        if not name:
            self.say("no job is under the cursor", "dim", keep=False)
        return name

    def action_job_log(self) -> None:
        """Open the latest run's log."""
        run = self.last_run_id()
        if run:
            self.open("run", run, "log")
        elif self._named():
            self.say("no run yet; r runs it", "dim", keep=False)

    def action_job_runs(self) -> None:
        """Open the job's runs."""
        if name := self._named():
            self.open("job", name, "runs")

    def action_job_versions(self) -> None:
        """Open the job's versions."""
        if name := self._named():
            self.open("job", name, "versions")

    def action_job_edit(self) -> None:
        """Open the draft in the editor; of a run that failed at a known place its text, with the cursor there."""
        if run := self.failed_run():
            from quarterdeck.tui import fixing

            fixing.fix(self, run)
        elif name := self._named():
            self.open("draft", name)

    def failed_run(self) -> str:
        """Return the run that failed at a known place and is looked at; empty for none."""
        return ""

    def action_job_plan(self) -> None:
        """Show what a run of live would be."""
        if name := self._named():
            self.show_plan(name)

    def show_plan(self, name: str, *, draft: bool = False) -> None:
        """Ask what a run would make, and show it over the page."""

        def show(lines: Sequence[Line]) -> None:
            if self.is_in_front:
                self.shell.panel(f"Plan of {inert.line(name)}", lines)

        def work() -> list[Line]:
            from quarterdeck.present import plan_page

            return list(plan_page.lines(self.services.planning.plan(name, draft=draft)))

        self.ask(f"the plan of {name}", work, show)

    def action_job_settings(self) -> None:
        """Open the form of what takes effect immediately."""
        if name := self._named():
            self.open("new", name, "settings")

    def action_run_start(self) -> None:
        """Ask what is to run: live, the draft or a version; of several marked jobs, live."""
        from quarterdeck.tui import starting

        jobs = self.jobs_taken()
        if len(jobs) > 1:
            starting.start_several(self, jobs)
        elif name := self._named():
            may_draft = "run_draft" in (self.may() or ("run_draft",))
            starting.Starting(self, name, may_draft=may_draft, version=self.version_taken()).ask()

    def jobs_taken(self) -> Sequence[str]:
        """Return the ids of the jobs that are marked; empty where jobs are not marked."""
        return ()

    def version_taken(self) -> int | None:
        """Return the version that is marked; None for none."""
        return None

    def draft_shown(self) -> str | None:
        """Return the key of the draft that the page shows (empty: that there is none); None if it shows none."""
        return None

    def action_draft_discard(self) -> None:
        """Discard the draft; `u` brings it back."""
        if name := self._named():
            self._give_up(name, "was discarded", to_live=False)

    def action_draft_reset(self) -> None:
        """Make the draft equal to live; `u` brings it back."""
        if name := self._named():
            self._give_up(name, "was reset to live", to_live=True)

    def remember(self) -> None:
        """Keep which draft is shown."""
        self._remembered = self.draft_shown()

    def forget(self) -> None:
        """Go by the draft that is shown."""
        self._remembered = None

    def _give_up(self, name: str, what: str, *, to_live: bool) -> None:
        shown = self.draft_shown() if self._remembered is None else self._remembered

        def work() -> Dropped:
            drafts, expected = self.services.drafts, shown
            if expected is None:  # then it is told whose it was
                there = drafts.in_place(name)
                expected = there.key if there else None
            return drafts.give_up(name, to_live=to_live, expect_draft=expected)

        def done(gone: Dropped) -> None:
            at = ages.age(format_instant(gone.draft.at), self.shell.now())
            by = inert.line(gone.draft.author)
            self.shell.undoable(
                self, f"the draft of {inert.line(gone.job)} by {by}, saved {at}, {what}",
                lambda: self.services.drafts.bring_back(
                    gone.job_id, gone.draft.number, expect_draft=gone.left
                ),
            )  # fmt: skip
            self.load()

        self.ask(f"the draft of {name}", work, done)

    def action_draft_bring_back(self) -> None:
        """List the drafts that were dropped and are kept still, and bring one back."""
        if name := self._named():
            self._list_dropped(name)

    def _list_dropped(self, name: str, told: Sequence[Line] = ()) -> None:
        self.ask(
            f"dropped drafts of {name}",
            lambda: self.services.drafts.shelf(name),
            lambda found: self._ask_bring_back(found, told),
        )

    def _ask_bring_back(self, shelf: Shelf, told: Sequence[Line]) -> None:
        from quarterdeck.tui.widgets.dialog import Choice
        from quarterdeck.tui.widgets.menu import Menu

        if not self.is_in_front:
            return
        name, there, dropped = shelf.job, shelf.there, shelf.dropped
        if not dropped:
            self.say(
                f"no draft of {name} was dropped in the period that is kept", "dim", keep=False
            )
            return
        now = self.shell.now()
        choices = [
            Choice(
                str(one["number"]),
                f"by {one['author']}, saved {ages.age(one['at'], now)}, on v{one['based_on']}; "
                f"dropped by {one['dropped_by']} {ages.age(one['dropped_at'], now)}",
            )
            for one in dropped
        ]
        lines = list(told)
        if there is not None:
            when = ages.age(format_instant(there.at), now)
            lines.append(
                (
                    Cell(
                        f"The draft by {inert.line(there.author)} {when} is dropped for it.",
                        "wait",
                    ),
                )
            )

        def chosen(number: str | None) -> None:
            if number:
                self.ask(
                    f"the draft of {name}",
                    lambda: self.services.drafts.bring_back(
                        shelf.id, int(number), expect_draft=there.key if there else NO_DRAFT
                    ),
                    lambda _: self._brought_back(name),
                    failed=lambda error: self._not_brought_back(shelf.id, error),
                )

        self.app.push_screen(Menu(f"Dropped drafts of {name}", choices, lines), chosen)

    def _not_brought_back(self, name: str, error: BaseException) -> None:
        """Show the list anew, with what refused it, if the draft in its place is another by now."""
        if isinstance(error, OvertakenError) and self.is_in_front:
            self.shell.note(problems.brief(error), "bad")
            self._list_dropped(name, [(Cell(problems.brief(error), "bad"),), ()])
        else:
            self.fail(error)

    def _brought_back(self, name: str) -> None:
        self.say(f"the draft of {name} is back", "good")
        self.load()

    def action_job_delete(self) -> None:
        """List what goes with the job, and ask for its name; with several, for their number."""
        from quarterdeck.tui import deleting

        jobs = self.jobs_taken()
        if len(jobs) > 1:
            deleting.delete_jobs(self, jobs)
        elif name := self._named():
            deleting.delete_job(self, name, self._deleted)

    def _deleted(self, name: str) -> None:
        self.say(f"job {name} is deleted")
        self.load()


class RunActs(Page):
    """Acts on runs: the marked ones, the one under the cursor, or the one that the page is about."""

    def run_rows(self) -> Sequence[Mapping[str, Any]]:
        """Return the rows that the next act takes; `mark` is the key of the mark, where that is no run's id."""
        raise NotImplementedError

    def action_run_again(self) -> None:
        """Ask how to run it again; several marked ones as they were."""
        from quarterdeck.tui import rerunning

        ids = [row["id"] for row in self.run_rows()]
        if len(ids) > 1:
            rerunning.ask_several(self, ids)
        elif ids:
            rerunning.ask_again(self, ids[0])
        else:
            self.say("no run here", "dim", keep=False)

    def action_run_cancel(self) -> None:
        """Ask, then cancel."""
        from quarterdeck.model.states import TERMINAL
        from quarterdeck.tui.widgets.dialog import Choice, Dialog

        taken = self.run_rows()
        rows = [row for row in taken if row["state"] not in TERMINAL]
        if not rows:
            self.say(_none_to_cancel(taken), "dim", keep=False)
            return
        lines = [(Cell(f"{inert.line(r['job'])}  {r['id']}  {r['state']}"),) for r in rows]
        if others := max(self.marked(), len(taken)) - len(rows):
            told = f"{ages.count(others, 'other')} that {'is' if others == 1 else 'are'} marked"
            lines.append((Cell(f"{told}: nothing to cancel, it has ended or never ran.", "dim"),))
        lines.append((Cell("Ends engine, code and what they started; data written stays."),))
        many = len(rows) >= TYPED_FROM
        title = f"Cancel run {rows[0]['id']}?" if len(rows) == 1 else f"Cancel {len(rows)} runs?"
        dialog = Dialog(
            title, lines, [Choice("cancel", "Cancel the run" if len(rows) == 1 else "Cancel the runs", "y")],
            harmful=True, opened_by="x", typed=str(len(rows)) if many else "",
        )  # fmt: skip

        def done(answer: Answer | None) -> None:
            if answer is not None:
                self.cancel_runs(rows)

        self.app.push_screen(dialog, done)

    def cancel_runs(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Ask for the end of each of these, as they were shown; one that has ended keeps no other from it."""

        def work() -> tuple[list[Row], list[QuarterdeckError]]:
            asked, refused = [], []
            for row in rows:
                try:
                    run = self.services.runs.cancel(row["id"])
                    asked.append({**run, "mark": row.get("mark", row["id"])})
                except QuarterdeckError as error:
                    refused.append(error)
            return asked, refused

        self.ask("the cancel", work, lambda found: self._cancelled(*found))

    def _cancelled(self, runs: Sequence[Row], refused: Sequence[QuarterdeckError]) -> None:
        self.acted([run["mark"] for run in runs])
        if runs:
            states = ", ".join(sorted({run["state"] for run in runs}))
            what = f"run {runs[0]['id']}" if len(runs) == 1 else f"{len(runs)} runs"
            self.say(f"{what}: {states}")
        if len(refused) == 1:
            self.fail(refused[0])
        elif refused and self.is_in_front:
            lines = [(Cell(problems.brief(error), "bad"),) for error in refused]
            self.shell.panel(f"{len(refused)} refused", lines)
        self.load()


def _none_to_cancel(taken: Sequence[Mapping[str, Any]]) -> str:
    if not taken:
        return "no run here"
    if len(taken) > 1:
        return f"all {len(taken)} have ended; r runs them again"
    return f"it has ended: {taken[0]['state']}; r runs it again"
