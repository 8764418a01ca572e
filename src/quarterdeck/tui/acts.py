"""Acts on a job or a run that several pages offer alike: the page says which one, the rest is here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from quarterdeck.present import ages, inert
from quarterdeck.present.table import Cell
from quarterdeck.tui.page import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from quarterdeck.present.table import Line
    from quarterdeck.tui.actions import Action
    from quarterdeck.tui.widgets.dialog import Answer

Row = dict[str, Any]
TYPED_FROM = 6  # so many runs at once are cancelled only after their number was typed


class JobActs(Page):
    """Acts on the job that the page is about or that is under the cursor.

    A page gives `job_name`, `last_run_id` and `may`.
    """

    def job_name(self) -> str:
        """Return the job's name; empty for none."""
        raise NotImplementedError

    def last_run_id(self) -> str:
        """Return the id of the job's latest run; empty for none."""
        raise NotImplementedError

    def may(self) -> Sequence[str] | None:
        """Return the verbs that the actor may do to the job; None while it is not known."""
        raise NotImplementedError

    def verdict(self, action: Action) -> bool | None:
        """Dim what the table of rights refuses."""
        if not action.verb:
            return True
        may = self.may()
        return True if may is None or action.verb in may else None

    def refused(self, action: Action) -> None:
        """Say the rule, the actor's teams and who may."""
        name = self.job_name()
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
            self.say("it never ran; r runs it", "dim", keep=False)

    def action_job_runs(self) -> None:
        """Open the job's runs."""
        if name := self._named():
            self.open("job", name, "runs")

    def action_job_versions(self) -> None:
        """Open the job's versions."""
        if name := self._named():
            self.open("job", name, "versions")

    def action_job_edit(self) -> None:
        """Open the draft in the editor."""
        if name := self._named():
            self.open("draft", name)

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
        """Open the form of what takes effect at once."""
        if name := self._named():
            self.open("new", name, "settings")

    def action_run_start(self) -> None:
        """Ask what is to run: live, the draft or a version."""
        if name := self._named():
            self.ask(f"job {name}", lambda: self.services.jobs.show(name), self._ask_what_to_run)

    def _ask_what_to_run(self, job: Mapping[str, Any]) -> None:
        from quarterdeck.tui.widgets.dialog import Choice, Dialog, Field

        if not self.is_in_front:
            return
        name, live = job["name"], job["live_version"]
        choices = [Choice("live", f"Run live v{live}", "l")]
        if job["draft_version"] and "run_draft" in (self.may() or ("run_draft",)):
            choices.append(Choice("draft", f"Run draft v{job['draft_version']} (DRAFT)", "d"))
        choices.append(Choice("version", "Run the version below", "v"))
        fields = [Field("version", "Another version (a number)", "")]
        parameters = job["spec"].get("parameters") or {}
        fields += [
            Field(f"p-{place}", f"Parameter {key}", "" if value is None else str(value))
            for place, (key, value) in enumerate(parameters.items())
        ]
        dialog = Dialog(
            f"Run {name}?",
            [(Cell("What was dispatched before goes on undisturbed."),)],
            choices,
            fields=fields,
            opened_by="r",
            to_fields=False,
        )
        self.app.push_screen(
            dialog, lambda answer: self._start(job, list(parameters.items()), answer)
        )

    def _start(
        self, job: Mapping[str, Any], declared: Sequence[tuple[str, Any]], answer: Answer | None
    ) -> None:
        if answer is None:
            return
        name, typed = job["name"], answer.fields
        given = {
            key: typed[f"p-{place}"]
            for place, (key, value) in enumerate(declared)
            if typed[f"p-{place}"] != ("" if value is None else str(value))
        }
        number = None
        if answer.choice == "version":
            if not typed["version"].strip().lstrip("v").isdigit():
                self.say("type the number of a version, as in 7", "bad")
                return
            number = int(typed["version"].strip().lstrip("v"))
        self.start_run(name, draft=answer.choice == "draft", version=number, parameters=given)

    def start_run(
        self, name: str, *, draft: bool = False, version: int | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Make a run and move it on as far as it goes now; then open it."""

        def work() -> Row:
            made = self.services.runs.start(
                name, draft=draft, version=version, parameters=parameters
            )
            return self.services.runs.dispatch(made["id"])

        self.ask(f"a run of {name}", work, self._started)

    def _started(self, run: Mapping[str, Any]) -> None:
        what = "DRAFT" if run["draft"] else f"v{run['version']}"
        self.say(f"run {run['id']} of {inert.line(run['job'])} {what} is {run['state']}", "good")
        if self.is_in_front:
            self.open("run", run["id"], "log")

    def action_draft_discard(self) -> None:
        """Discard the draft; `u` brings it back."""
        if name := self._named():
            self._drop_draft(
                name, f"the draft of {name} was discarded", self.services.drafts.discard
            )

    def action_draft_reset(self) -> None:
        """Make the draft equal to live; `u` brings it back."""
        if name := self._named():
            self._drop_draft(
                name, f"the draft of {name} equals live again", self.services.drafts.reset
            )

    def _drop_draft(self, name: str, what: str, drop: Callable[[str], Any]) -> None:
        drafts = self.services.drafts

        def work() -> int:
            drop(name)
            newest: int = drafts.dropped(name)[0]["number"]
            return newest

        def done(number: int) -> None:
            self.shell.undoable(self, what, lambda: drafts.bring_back(name, number))
            self.load()

        self.ask(f"the draft of {name}", work, done)

    def action_draft_bring_back(self) -> None:
        """List the drafts that were dropped and are kept still, and bring one back."""
        if name := self._named():
            self.ask(
                f"dropped drafts of {name}",
                lambda: self.services.drafts.dropped(name),
                partial(self._ask_bring_back, name),
            )

    def _ask_bring_back(self, name: str, dropped: Sequence[Mapping[str, Any]]) -> None:
        from quarterdeck.tui.widgets.dialog import Choice
        from quarterdeck.tui.widgets.menu import Menu

        if not self.is_in_front:
            return
        if not dropped:
            self.say(
                f"no draft of {name} was dropped in the period that is kept", "dim", keep=False
            )
            return
        choices = [
            Choice(
                str(one["number"]),
                f"by {one['author']} {one['at'][:16]}, on v{one['based_on']}; "
                f"dropped by {one['dropped_by']} {one['dropped_at'][:16]}",
            )
            for one in dropped
        ]

        def chosen(number: str | None) -> None:
            if number:
                self.ask(
                    f"the draft of {name}",
                    lambda: self.services.drafts.bring_back(name, int(number)),
                    lambda _: self._brought_back(name),
                )

        self.app.push_screen(Menu(f"Dropped drafts of {name}", choices), chosen)

    def _brought_back(self, name: str) -> None:
        self.say(f"the draft of {name} is back", "good")
        self.load()

    def action_job_delete(self) -> None:
        """List what goes with the job, and ask for its name."""
        if name := self._named():
            self.ask(
                f"what goes with {name}",
                lambda: self.services.jobs.cascade(name),
                self._ask_delete,
            )

    def _ask_delete(self, cascade: Mapping[str, Any]) -> None:
        from quarterdeck.tui.widgets.dialog import Choice, Dialog

        if not self.is_in_front:
            return
        name = cascade["job"]
        versions = ages.count(cascade["versions"], "version")
        draft = "a draft" if cascade["draft"] else "no draft"
        kept = ages.count(cascade["runs"], "run")
        lines = [
            (Cell(f"With it go {versions} and {draft}, rights and schedule."),),
            (Cell(f"Kept, readable by id: {kept}."),),
        ]
        if cascade["active"]:
            lines.append(
                (Cell(f"Under way: {', '.join(cascade['active'])}: cancel them first.", "bad"),)
            )
        dialog = Dialog(
            f"Delete {name}?",
            lines,
            [Choice("delete", "Delete")],
            harmful=True,
            opened_by="X",
            typed=name,
        )

        def done(answer: Answer | None) -> None:
            if answer is not None:
                self.ask(
                    f"job {name}",
                    lambda: self.services.jobs.delete(name),
                    lambda _: self._deleted(name),
                )

        self.app.push_screen(dialog, done)

    def _deleted(self, name: str) -> None:
        self.say(f"job {name} is deleted")
        self.load()


class RunActs(Page):
    """Acts on runs: the marked ones, the one under the cursor, or the one that the page is about."""

    def run_rows(self) -> Sequence[Mapping[str, Any]]:
        """Return the rows that the next act takes."""
        raise NotImplementedError

    def action_run_cancel(self) -> None:
        """Ask, then cancel."""
        from quarterdeck.model.states import TERMINAL
        from quarterdeck.tui.widgets.dialog import Choice, Dialog

        rows = [row for row in self.run_rows() if row["state"] not in TERMINAL]
        if not rows:
            ended = self.run_rows()
            text = (
                f"it has ended: {ended[0]['state']}; r runs it again" if ended else "no run here"
            )
            self.say(text, "dim", keep=False)
            return
        lines = [(Cell(f"{inert.line(r['job'])}  {r['id']}  {r['state']}"),) for r in rows[:8]]
        lines.append((Cell("Ends engine, payload and what they started; data written stays."),))
        many = len(rows) >= TYPED_FROM
        title = f"Cancel run {rows[0]['id']}?" if len(rows) == 1 else f"Cancel {len(rows)} runs?"
        dialog = Dialog(
            title, lines, [Choice("cancel", "Cancel the run" if len(rows) == 1 else "Cancel the runs", "y")],
            harmful=True, opened_by="x", typed=str(len(rows)) if many else "",
        )  # fmt: skip

        def done(answer: Answer | None) -> None:
            if answer is not None:
                self.cancel_runs([row["id"] for row in rows])

        self.app.push_screen(dialog, done)

    def cancel_runs(self, ids: Sequence[str]) -> None:
        """Ask for the end of each."""

        def work() -> list[Row]:
            return [self.services.runs.cancel(one) for one in ids]

        self.ask("the cancel", work, self._cancelled)

    def _cancelled(self, runs: Sequence[Mapping[str, Any]]) -> None:
        states = ", ".join(sorted({run["state"] for run in runs}))
        what = f"run {runs[0]['id']}" if len(runs) == 1 else f"{len(runs)} runs"
        self.say(f"{what}: {states}")
        self.load()
