"""`job`: define, edit, draft, publish, versions, activate, delete. The rules are in `service`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from quarterdeck.cli import dropped
from quarterdeck.cli.base import (
    Command,
    Group,
    VersionNumber,
    expect_live_option,
    expect_rev_option,
    pass_session,
)
from quarterdeck.cli.edited import edited
from quarterdeck.cli.session import Session
from quarterdeck.cli.values import documents, one_document
from quarterdeck.model.errors import InvalidInputError, Problem, QuarterdeckError
from quarterdeck.present import columns

_NAME = click.argument("name", metavar="NAME")
_REV = expect_rev_option("this is the job's `rev` now; saving its draft raises it, too")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_DRY = click.option("--dry-run", is_flag=True, help="Only say what it would do.")


@click.group(cls=Group, example="quarterdeck job create -f daily-sales.yaml\nquarterdeck job list")
def job() -> None:
    """Define, edit, publish jobs, and go back."""


# --- looking


@job.command("list", example="quarterdeck job list\nquarterdeck job list --json | jq '.[].name'")
@pass_session
def list_(session: Session) -> None:
    """List jobs with what is live, the schedule and the last run."""
    rows = session.services.lists.jobs()
    session.listing(rows, columns.JOBS, "No jobs yet; `quarterdeck job create -f FILE` makes one.")


@job.command(example="quarterdeck job show daily-sales --version 3")
@_NAME
@click.option(
    "--version", type=VersionNumber(), metavar="N", help="This version instead of the live one."
)
@pass_session
def show(session: Session, name: str, version: int | None) -> None:
    """Show a job with its live spec, or one version."""
    from quarterdeck.present import job_page

    if version is not None:
        one = session.services.publishing.show(name, version)
        session.answer(one, lambda: job_page.version(one, session.look()))
        return
    found = session.services.jobs.show(name)
    session.answer(found, lambda: job_page.lines(found, session.look()))


@job.command(example="quarterdeck job draft daily-sales")
@_NAME
@pass_session
def draft(session: Session, name: str) -> None:
    """Show the draft: its spec, who saved it, what it is based on."""
    from quarterdeck.present import job_page

    found = session.services.drafts.show(name)
    session.answer(found, lambda: job_page.version(found, session.look()))


@job.command(example="quarterdeck job versions daily-sales --search region")
@_NAME
@click.option(
    "--search", default="", metavar="TEXT", help="In number, author, note, changed fields, text."
)
@pass_session
def versions(session: Session, name: str, search: str) -> None:
    """List the versions, newest first."""
    rows = session.services.publishing.history(name, search=search)
    session.listing(rows, columns.VERSIONS, f"No version matches {search}.")


@job.command(example="quarterdeck job diff daily-sales 3 draft")
@_NAME
@click.argument("a", type=VersionNumber(or_draft=True), metavar="A")
@click.argument("b", type=VersionNumber(or_draft=True), metavar="B")
@pass_session
def diff(session: Session, name: str, a: str, b: str) -> None:
    """Show what differs between two versions, or a version and the draft."""
    from quarterdeck.present import job_page

    found = session.services.publishing.diff(name, a, b)
    if found["differences"] or session.out.as_json:
        session.answer(found, lambda: job_page.differences(found["differences"]))
    else:
        session.out.say(f"{a} and {b} are equal.")


@job.command(example="quarterdeck job plan daily-sales --draft")
@_NAME
@click.option("--draft", is_flag=True, help="Of the draft instead of the live version.")
@click.option("--version", type=VersionNumber(), metavar="N", help="Of this version.")
@pass_session
def plan(session: Session, name: str, draft: bool, version: int | None) -> int:
    """Show what a run would make on its cluster now, and what preflight says; nothing is made.

    Exit 6 if a run would be refused, 7 if the cluster does not answer.
    """
    from quarterdeck.present import plan_page

    if draft and version is not None:
        raise click.UsageError("--draft and --version exclude each other.")
    found = session.services.planning.plan(name, draft=draft, version=version)
    session.answer(found, lambda: plan_page.lines(found))
    return {"refuse": 6, "unanswered": 7}.get(found["would"], 0)


# --- writing


class _Create(Command):
    """Says in its help which kind of source fits when."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the text and the guide."""
        from quarterdeck.model.problems import SOURCE_GUIDE

        super().format_help_text(ctx, formatter)
        with formatter.section("Sources (spec.source.kind)"):
            formatter.write_dl(list(SOURCE_GUIDE.items()))


@job.command(cls=_Create, example="quarterdeck job create -f daily-sales.yaml")
@click.option(
    "-f", "--file", required=True, metavar="FILE", help="YAML or JSON; `-` is standard input."
)
@pass_session
def create(session: Session, file: str) -> None:
    """Create the jobs of a file, and what they need beside them: all of it or nothing."""
    found, folder = documents(session, file)
    kinds = [document.get("type", "job") for document in found]
    if not any(kind in ("job", "sql", "python") for kind in kinds):
        known = kinds[0] in ("profile", "query", "cluster", "catalog", "team")
        hint = f": `quarterdeck {kinds[0]} create -f {file}`" if known else ""
        words = f"the file holds no job, only {kinds[0]}{hint}"
        raise InvalidInputError([Problem("type", words)])
    made = session.services.jobs.create(found, folder=folder)
    lines = [f"{one['name']}: version {one['live_version']} is live" for one in made]
    session.words(made[0] if len(made) == 1 else made, *lines)


@job.command(example="quarterdeck job validate daily-sales.yaml --json")
@click.argument("file", metavar="FILE")
@pass_session
def validate(session: Session, file: str) -> int:
    """Check a file as `create` or `edit` would; nothing is written. Its problems are the answer."""
    jobs = session.services.jobs
    code = 0
    try:
        found, folder = documents(session, file)
        answer = jobs.validate(found, folder=folder)
    except QuarterdeckError as error:
        problems: list[Problem] = getattr(error, "problems", None) or error.facts.get(
            "problems", []
        )
        if not problems:
            raise
        fields = [{"path": one.path, "message": one.message} for one in problems]
        answer, code = {"ok": False, "fields": fields}, error.exit_code
    answer.setdefault("warnings", [])
    lines = [f"{one['path']}: {one['message']}" for one in answer["fields"]]
    session.words(answer, *(lines or [f"{file} is all right."]))
    return code


@job.command(
    example="quarterdeck job edit daily-sales -f daily-sales.yaml\nEDITOR=nano quarterdeck job edit daily-sales"
)
@_NAME
@click.option(
    "-f", "--file", metavar="FILE", help="What changes, as a file; without it $EDITOR opens."
)
@click.option("--name", "new_name", metavar="NAME", help="Rename it.")
@click.option("--team", metavar="T", help="Another owning team.")
@click.option("--description", metavar="TEXT", help="Another description.")
@click.option(
    "--replace-draft",
    is_flag=True,
    help="Replace a draft that somebody else saved; `bring-back` has it.",
)
@_DRY
@_REV
@pass_session
def edit(
    session: Session, /, name: str, file: str | None, replace_draft: bool, dry_run: bool,
    expect_rev: int | None, **flags: str | None,
) -> None:  # fmt: skip
    """Change a job: `spec` goes to the draft, everything else acts immediately.

    Beside `spec`, keys left out stay as they are. A `spec` replaces the draft's whole: keys left out of it go back
    to their defaults, and are listed.

    A draft that somebody else saved is replaced only with --expect-rev or --replace-draft (else 5); what is
    replaced can be had again with `job bring-back`.
    """
    given = {"name": flags["new_name"], "team": flags["team"], "description": flags["description"]}
    changes = {key: value for key, value in given.items() if value is not None}
    if file is None and not changes:
        if dry_run:
            raise click.UsageError("--dry-run needs -f FILE, or what changes.")
        _edit_by_hand(session, name, expect_rev, replace_draft=replace_draft)
        return
    document, folder = one_document(session, file, "job") if file is not None else ({}, "")
    changed = session.services.jobs.edit(
        name,
        {**document, **changes},
        expect_rev=expect_rev,
        replace_draft=replace_draft,
        folder=folder,
        dry_run=dry_run,
    )
    session.words(changed, *edited(changed, dry_run=dry_run))


def _edit_by_hand(
    session: Session, name: str, expect_rev: int | None, *, replace_draft: bool
) -> None:
    """Let the job be edited as a file; what comes back is saved if the job still is as it was handed out."""
    from quarterdeck.cli.editor import edit as by_hand

    jobs = session.services.jobs
    seen: dict[str, Any] = {}

    def handed_out() -> Mapping[str, Any]:
        seen.update(jobs.document(name))
        return seen

    def save(document: Mapping[str, Any]) -> dict[str, Any]:
        known = {k: v for k, v in seen.items() if k != "spec" or not replace_draft}
        return jobs.edit(
            name, document, expect_rev=expect_rev, seen=known, replace_draft=replace_draft,
            folder=str(Path.cwd()),
        )  # fmt: skip

    changed = by_hand(session, "job", name, handed_out, save)
    if changed is not None:
        session.words(changed, *edited(changed))


@job.command(example="quarterdeck job discard daily-sales")
@_NAME
@_REV
@pass_session
def discard(session: Session, name: str, expect_rev: int | None) -> None:
    """Remove the draft; runs of it keep their text."""
    found = session.services.drafts.discard(name, expect_rev=expect_rev)
    gone = f"{name}: {dropped.whose(found, session.now())} is gone, version {found['live_version']} is live"
    session.words(found, gone, dropped.way_back(found))


@job.command(example="quarterdeck job reset daily-sales")
@_NAME
@_REV
@pass_session
def reset(session: Session, name: str, expect_rev: int | None) -> None:
    """Make the draft equal to the live version again, and based on it."""
    found = session.services.drafts.reset(name, expect_rev=expect_rev)
    now = f"{name}: the draft is as live version {found['live_version']} again"
    session.words(
        found, f"{now}, {dropped.whose(found, session.now())} is gone", dropped.way_back(found)
    )


@job.command(name="bring-back", example="quarterdeck job bring-back daily-sales 1")
@_NAME
@click.argument("number", type=int, required=False, metavar="[N]")
@_REV
@pass_session
def bring_back(session: Session, name: str, number: int | None, expect_rev: int | None) -> None:
    """Make a dropped draft the draft again; without N, list those that are kept.

    N means the same draft for good. A draft that is in its place is dropped for it.
    """
    drafts = session.services.drafts
    if number is None:
        session.listing(drafts.dropped(name), columns.DROPPED, f"{name} has no dropped drafts.")
        return
    found = drafts.bring_back(name, number, expect_rev=expect_rev)
    said = [f"{name}: draft {number} is back, not live"]
    if found["dropped"]:
        said += [f"{dropped.whose(found, session.now())} gave way to it", dropped.way_back(found)]
    session.words(found, *said)


@job.command(example="quarterdeck job publish daily-sales --note 'by region'")
@_NAME
@click.option("--note", default="", metavar="TEXT", help="What changed, for the history.")
@_REV
@pass_session
def publish(session: Session, name: str, note: str, expect_rev: int | None) -> None:
    """Make the draft the live version; runs made from now on take it."""
    found = session.services.publishing.publish(name, note=note, expect_rev=expect_rev)
    said = [f"{name}: {found['live_version']} is live, {found['previous']} is in the history"]
    if found["runs_on_previous"]:
        said.append(f"still on {found['previous']}: {', '.join(found['runs_on_previous'])}")
    if found["dropped"]:
        said += [
            "the text of the other language beside the draft is in no version",
            dropped.way_back(found),
        ]
    session.words(found, *said)


@job.command(example="quarterdeck job activate daily-sales 7 --yes")
@_NAME
@click.argument("version", type=VersionNumber(), metavar="N")
@_YES
@_DRY
@_REV
@expect_live_option()
@pass_session
def activate(
    session: Session, name: str, version: int, yes: bool, dry_run: bool, expect_rev: int | None,
    expect_live: int | None,
) -> int:  # fmt: skip
    """Put a version of the history back in place; asks on a terminal.

    What is confirmed there is refused (5) if another version was made live meanwhile. --dry-run is refused for
    what the act would be refused for.
    """
    from quarterdeck.present import job_page

    publishing = session.services.publishing
    job, live = name, expect_live
    if dry_run or not yes:
        shown = publishing.activating(
            name, version, expect_rev=expect_rev, expect_live=expect_live
        )
        if dry_run:
            session.answer(shown.document(), lambda: job_page.activating(shown))
            return 0
        if not session.confirm(
            f"activating version {version} of {name}", job_page.activating(shown), yes=yes
        ):
            return 1
        job, live = shown.id, shown.live
    found = publishing.activate(job, version, expect_rev=expect_rev, expect_live=live)
    said = [f"{name}: {version} is live, {found['from']} is in the history"]
    if not found["changed"]:
        said = [f"{name}: {version} was live already"]
    if found["stale_draft"]:
        said.append(
            "The draft is based on another version: publish will be refused until `job reset`."
        )
    session.words(found, *said)
    return 0


@job.command(example="quarterdeck job delete daily-sales --yes")
@_NAME
@_YES
@_DRY
@_REV
@pass_session
def delete(session: Session, name: str, yes: bool, dry_run: bool, expect_rev: int | None) -> int:
    """Delete a job with its versions and draft; its runs stay readable. Asks on a terminal.

    What is confirmed there is refused (5) if more would go by then. --dry-run is refused for what the act would
    be refused for.
    """
    from quarterdeck.present import job_page

    jobs = session.services.jobs
    if dry_run or not yes:
        shown = jobs.delete(name, expect_rev=expect_rev, dry_run=True)
        lines = job_page.deleting(shown)
        if dry_run:
            session.answer(shown.document(), lambda: lines)
            return 0
        if not session.confirm(f"deleting job {name}", lines, yes=yes):
            return 1
        gone = jobs.delete(shown.id, shown=shown, expect_rev=expect_rev)
    else:
        gone = jobs.delete(name, expect_rev=expect_rev)
    session.words({"deleted": gone.job, **gone.document()}, f"{gone.job} was deleted")
    return 0
