"""Jobs that are deleted: asked with all that goes, and deleted so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.model.shown import Cascade
from quarterdeck.present import ages, inert, job_page
from quarterdeck.present.table import Cell
from quarterdeck.tui.asked import Question, Several

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quarterdeck.present.table import Line
    from quarterdeck.tui.page import Page
    from quarterdeck.tui.widgets.dialog import Answer, Dialog


def delete_job(page: Page, name: str, done: Callable[[str], None]) -> None:
    """List what goes with the job, ask for its name, and delete it; `done` is given the name."""
    job = name

    def dialog(facts: Cascade, before: Answer | None) -> Dialog:
        from quarterdeck.tui.widgets.dialog import Choice, Dialog

        nonlocal job
        job = facts.id  # whatever it is called when it is asked anew
        made = Dialog(
            f"Delete {facts.job}?", list(job_page.cascade(facts, page.look())), [Choice("delete", "Delete")],
            harmful=True, opened_by="X", typed=facts.job,
        )  # fmt: skip
        made.fill(before.fields if before else {})
        return made

    Question(
        page, f"job {name}", lambda: page.services.jobs.cascade(job), dialog,
        lambda facts, _: page.services.jobs.delete(facts.id, shown=facts), lambda gone: done(gone.job),
    ).ask()  # fmt: skip


def delete_jobs(page: Page, ids: Sequence[str]) -> None:
    """List what goes with each of these jobs, ask for their number, and delete them."""

    def read(job: str) -> Cascade:
        return page.services.jobs.cascade(job)

    def act(facts: Cascade) -> Cascade:
        return page.services.jobs.delete(facts.id, shown=facts)

    def line(facts: Cascade) -> Line:
        draft = f", draft by {inert.line(facts.draft.author)}" if facts.draft else ""
        told = f"  {ages.count(facts.versions, 'version')}{draft}"
        under_way = f"  under way: {', '.join(facts.active)}" if facts.active else ""
        return (Cell(inert.line(facts.job)), Cell(told, "dim"), Cell(under_way, "bad"))

    def dialog(many: int, lines: list[Line], typed: str) -> Dialog:
        from quarterdeck.tui.widgets.dialog import Choice, Dialog

        told = [*lines, (Cell("Rights and schedules go, too; runs stay readable by id.", "dim"),)]
        return Dialog(
            f"Delete {ages.count(many, 'job')}?", told, [Choice("delete", "Delete")],
            harmful=True, opened_by="X", typed=typed,
        )  # fmt: skip

    Several(
        page, ages.count(len(ids), "job"), ids, read, line, act, dialog,
        lambda many: f"{ages.count(many, 'job')} deleted", typed_from=1,
    ).ask()  # fmt: skip
