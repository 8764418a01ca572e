"""What of a job is to run: asked with what is live, the draft and the parameters as they are, and started so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.errors import InvalidInputError, NotFoundError, OvertakenError, Problem
from quarterdeck.model.shown import Runnable, RunShown
from quarterdeck.present import ages, inert
from quarterdeck.present.table import Cell
from quarterdeck.tui.asked import Question, Several

if TYPE_CHECKING:
    from quarterdeck.present.table import Line
    from quarterdeck.service.bundle import Services
    from quarterdeck.tui.page import Page
    from quarterdeck.tui.widgets.dialog import Answer, Dialog

Run = Mapping[str, Any]
NUMBER: Final = re.compile(r"v?([1-9][0-9]{0,8})")


def start(services: Services, job: str, rests_on: RunShown, **chosen: Any) -> Run:
    """Make a run that rests on what was shown, and move it on as far as it goes now."""
    made = services.runs.start(job, rests_on=rests_on, **chosen)
    return services.runs.dispatch(made["id"])


def started(page: Page, run: Run) -> None:
    """Say that it was made, and open it."""
    what = "DRAFT" if run["draft"] else f"v{run['version']}"
    page.say(f"run {run['id']} of {inert.line(run['job'])} {what} is {run['state']}", "good")
    if page.is_in_front:
        page.open("run", run["id"], "log")


def start_draft(page: Page, job: str, name: str, seen: str) -> None:
    """Run the draft whose spec has this hash, then open the run; `job` is an id, `name` what the job is called."""
    page.ask(
        f"a run of {name}",
        lambda: start(page.services, job, RunShown(draft=seen), draft=True),
        partial(started, page),
    )


class Starting:
    """One question: what of this job is to run. `version` is the one that is marked, if one is."""

    def __init__(
        self, page: Page, job: str, *, may_draft: bool, version: int | None = None
    ) -> None:
        self._page = page
        self._job = job
        self._may_draft = may_draft
        self._choice = "live" if version is None else "version"
        self._version = "" if version is None else str(version)
        self._typed: dict[str, str] = {}  # parameters by name, where another value was typed
        self._question = Question(
            page, f"a run of {job}", self._read, self._dialog, self._start, partial(started, page),
            anew=(OvertakenError, InvalidInputError, NotFoundError),
        )  # fmt: skip

    def ask(self) -> None:
        """Ask."""
        self._question.ask()

    def _read(self) -> Runnable:
        """Return what there is, with the parameters of what was chosen, where that is there."""
        runs, number = self._page.services.runs, self._number()
        try:
            if self._choice == "version" and number is not None:
                return runs.runnable(self._job, version=number)
            if self._choice == "draft":
                return runs.runnable(self._job, draft=True)
        except NotFoundError:  # it went, or never was; a job that is gone is told by what follows
            pass
        return runs.runnable(self._job)

    def _number(self) -> int | None:
        found = NUMBER.fullmatch(self._version.strip())
        return int(found[1]) if found else None

    def _dialog(self, facts: Runnable, _: Answer | None) -> Dialog:
        from quarterdeck.tui.widgets.dialog import Choice, Dialog, Field

        self._job = facts.id  # whatever it is called when it is asked anew
        choices = [Choice("live", f"Run live v{facts.live}", "l")]
        lines: list[Line] = [(Cell("What was dispatched before goes on undisturbed."),)]
        if facts.draft is not None and self._may_draft:
            choices.append(Choice("draft", f"Run draft v{facts.draft_version} (DRAFT)", "d"))
            when = ages.age(facts.draft.at.isoformat(), self._page.shell.now())
            by = inert.line(facts.draft.author)
            lines.append((Cell(f"The draft was saved by {by}, {when}.", "dim"),))
        choices.append(Choice("version", "Run the version below", "v"))
        fields = [Field("version", "Another version (a number)", self._version)]
        fields += [
            Field(f"p-{place}", f"Parameter {key}", self._typed.get(key, _text(value)))
            for place, (key, value) in enumerate(facts.parameters.items())
        ]
        dialog = Dialog(
            f"Run {facts.job}?", lines, choices, fields=fields, opened_by="r", to_fields=False
        )
        at = [one.value for one in dialog.choices]
        dialog.at = at.index(self._choice) if self._choice in at else 1
        return dialog

    def _start(self, facts: Runnable, answer: Answer) -> Run:
        """Start what was chosen; what was typed is kept for the case that it is refused."""
        self._choice, self._version = answer.choice, answer.fields["version"]
        shown = {key: _text(value) for key, value in facts.parameters.items()}
        typed = {key: answer.fields[f"p-{place}"] for place, key in enumerate(shown)}
        given = {key: text for key, text in typed.items() if text != shown[key]}
        self._typed = {key: text for key, text in self._typed.items() if key not in typed} | given
        number = None
        if answer.choice == "version":
            number = self._number()
            if number is None:
                text = "type the number of a version, as in 7"
                raise InvalidInputError([Problem("version", text)])
        rests_on = RunShown(
            live=facts.live if answer.choice == "live" else None,
            draft=facts.draft.sha256 if facts.draft and answer.choice == "draft" else None,
            parameters=facts.parameters,
        )
        return start(
            self._page.services, facts.id, rests_on, draft=answer.choice == "draft",
            version=number, parameters=given,
        )  # fmt: skip


def start_several(page: Page, jobs: Sequence[str]) -> None:
    """Show what is live of each of these jobs, ask, and run that of each."""

    def read(job: str) -> Runnable:
        return page.services.runs.runnable(job)

    def line(facts: Runnable) -> Line:
        given = ", ".join(f"{key} {_text(value)}" for key, value in facts.parameters.items())
        return (
            Cell(f"{inert.line(facts.job)}  live v{facts.live}"),
            Cell(f"  {inert.line(given)}" if given else "", "dim"),
        )

    def act(facts: Runnable) -> Run:
        return start(
            page.services, facts.id, RunShown(live=facts.live, parameters=facts.parameters)
        )

    def dialog(many: int, lines: list[Line], typed: str) -> Dialog:
        from quarterdeck.tui.widgets.dialog import Choice, Dialog

        told = ages.count(many, "job")
        return Dialog(
            f"Run the live version of {told}?", lines, [Choice("run", f"Run {told}", "y")],
            harmful=True, opened_by="r", typed=typed,
        )  # fmt: skip

    Several(
        page, f"runs of {ages.count(len(jobs), 'job')}", jobs, read, line, act, dialog,
        lambda many: f"{ages.count(many, 'run')} started",
    ).ask()  # fmt: skip


def _text(value: object) -> str:
    return "" if value is None else str(value)
