"""`init`, `doctor`, `whoami`, `workspace`: making a workspace and looking after it."""

from __future__ import annotations

import importlib.util
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from quarterdeck import __version__
from quarterdeck.cli.base import Command, Group, expect_rev_option, pass_session
from quarterdeck.cli.session import Session
from quarterdeck.cli.values import one_document
from quarterdeck.model.errors import QuarterdeckError
from quarterdeck.present import columns, tree
from quarterdeck.present.table import Look, lay_out, text

if TYPE_CHECKING:
    from quarterdeck.service.setup import Workspaces


@click.command(cls=Command, example="quarterdeck init --name acme")
@click.option("--name", metavar="N", help="The workspace's name; left out: the team's.")
@click.option("--shared", is_flag=True, help="Let the folder's group write, too.")
@pass_session
def init(session: Session, name: str | None, shared: bool) -> None:
    """Make a workspace with you as org admin, a team, cluster local, catalog main and profile small."""
    from quarterdeck import wiring
    from quarterdeck.service.setup import init as fill

    session.demand_writable("init")
    services = session.adopt(wiring.create_services(session.settings, shared=shared))
    made = fill(services.context, name or session.settings.actor)
    cluster = f"cluster {made['cluster']} ({made['cluster_status']})"
    said = [
        f"Workspace {made['workspace']} is in {made['store']}",
        f"team {made['team']} · {cluster} · catalog {made['catalog']} · profile {made['profile']}",
        "Next: quarterdeck job create -f FILE",
    ]
    session.words(made, *said)


@click.command(cls=Command, example="quarterdeck whoami")
@pass_session
def whoami(session: Session) -> None:
    """Show the actor, teams and rights, and which store this is."""
    found = {**session.services.upkeep.whoami(), "version": __version__}
    session.answer(found, lambda: tree.lines(found))


# --- doctor


@click.command(
    cls=Command, example="quarterdeck doctor\nquarterdeck doctor --leftovers --remove --yes"
)
@click.option("--leftovers", is_flag=True, help="Only what runs left behind.")
@click.option("--remove", is_flag=True, help="With --leftovers: remove it; asks on a terminal.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_session
def doctor(session: Session, leftovers: bool, remove: bool, yes: bool) -> int:
    """Check Python, engine, terminal, store and clusters. Exit 6 if something is missing, 7 if one is silent."""
    if remove and not leftovers:
        raise click.UsageError("--remove goes with --leftovers.")
    if leftovers:
        return _leftovers(session, remove=remove, yes=yes)
    checks = [_python(), _engine(), _terminal(session), *_workspace(session)]
    failed = [one for one in checks if not one["ok"]]
    document = {"ok": not failed, "checks": checks, "clock": _clock(session)}
    if session.out.as_json:
        session.out.document(document)
    else:
        _show(session, checks)
    if not failed:
        return 0
    return 7 if all(one["code"] == "unreachable" for one in failed) else 6


def _show(session: Session, checks: list[dict[str, Any]]) -> None:
    out = session.out
    no_ages = Look(datetime.min.replace(tzinfo=UTC), out.is_terminal)
    out.table(columns.CHECKS, checks, no_ages)
    for one in checks:
        if one["fix"]:
            out.lines([(text(f"→ {one['name']}: {one['message'].rstrip('.')}. {one['fix']}"),)])


def _check(name: str, level: str, message: str, fix: str = "", code: str = "") -> dict[str, Any]:
    return {
        "name": name, "ok": level != "failed", "level": level, "message": message, "fix": fix,
        "code": code,
    }  # fmt: skip


def _python() -> dict[str, Any]:
    return _check("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _engine() -> dict[str, Any]:
    missing = [name for name in ("pysail", "pyspark") if importlib.util.find_spec(name) is None]
    if missing:
        text_ = f"not installed: {', '.join(missing)}"
        return _check("engine", "failed", text_, "pip install 'quarterdeck[local]'")
    from importlib.metadata import version

    return _check("engine", "ok", f"pysail {version('pysail')}")


def _terminal(session: Session) -> dict[str, Any]:
    if not session.out.is_terminal:
        return _check("terminal", "ok", "none; output is plain")
    encoding = sys.stdout.encoding or "unknown"
    width = session.out.width
    if encoding.lower().replace("-", "") != "utf8":
        fix = "Set LANG to a UTF-8 locale, for example C.UTF-8."
        return _check("terminal", "warning", f"{width} columns, {encoding}", fix)
    return _check("terminal", "ok", f"{width} columns, {encoding}")


def _clock(session: Session) -> dict[str, Any] | None:
    try:
        return session.services.upkeep.clock()
    except QuarterdeckError:  # the check of the store says why
        return None


def _workspace(session: Session) -> list[dict[str, Any]]:
    try:
        return session.services.upkeep.checks()
    except QuarterdeckError as error:
        return [_check("store", "failed", error.message, error.advice, error.code)]


def _leftovers(session: Session, *, remove: bool, yes: bool) -> int:
    from quarterdeck.service.upkeep import Leftover

    upkeep = session.services.upkeep
    found, silent = upkeep.leftovers()
    if remove and found:
        effect = lay_out(columns.LEFTOVERS, found, session.look(), session.out.width)
        if not session.confirm(f"removing {len(found)} leftovers", effect, yes=yes):
            return 1
        shown = [Leftover(row["cluster"], row["name"]) for row in found]
        found, silent = upkeep.leftovers(remove=shown)
    session.listing(found, columns.LEFTOVERS, "Nothing was left behind.")
    for one in silent:
        session.out.note(f"Not looked at: cluster {one}")
    if any(one.get("left") for one in found):
        return 6
    return 7 if silent else 0


# --- workspace


@click.group(cls=Group, example="quarterdeck workspace show")
def workspace() -> None:
    """The workspace's own settings: org admins, ceilings, deadlines."""


@workspace.command(example="quarterdeck workspace show")
@pass_session
def show(session: Session) -> None:
    """Show the settings."""
    found = session.services.workspaces.show()
    session.answer(found, lambda: tree.lines(found))


@workspace.command(example="quarterdeck workspace edit -f workspace.yaml")
@click.option(
    "-f", "--file", metavar="FILE", help="What changes, as a file; without it $EDITOR opens."
)
@expect_rev_option()
@pass_session
def edit(session: Session, file: str | None, expect_rev: int | None) -> None:
    """Change settings; keys left out stay. Only org admins may."""
    workspaces = session.services.workspaces
    if file is not None:
        document, _ = one_document(session, file, "workspace")
        changed = workspaces.edit(document, expect_rev=expect_rev)
    else:
        found = _by_hand(workspaces, session, expect_rev)
        if found is None:
            return
        changed = found
    session.words(changed, f"workspace {changed['name']} is at revision {changed['rev']}")


def _by_hand(
    workspaces: Workspaces, session: Session, expect_rev: int | None
) -> dict[str, Any] | None:
    from quarterdeck.cli.editor import edit as by_hand

    seen = workspaces.show()
    rev = expect_rev or seen["rev"]

    def save(document: Mapping[str, Any]) -> dict[str, Any]:
        return workspaces.edit(document, expect_rev=rev)

    return by_hand(session, "workspace", seen["name"], workspaces.document, save)
