"""`quarterdeck demo`: opens the application on the demo's workspace, or runs all of it. What is in it: `demo`."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from quarterdeck.cli.base import Command, pass_session
from quarterdeck.model.errors import ConflictError, InvalidInputError, Problem
from quarterdeck.present import columns
from quarterdeck.present.table import Cell, Column, Look, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from quarterdeck.cli.session import Session
    from quarterdeck.config import Settings
    from quarterdeck.demo.folder import DemoFolder
    from quarterdeck.service.bundle import Services

EXAMPLE: Final = "quarterdeck demo --headless"


@click.command(cls=Command, example=EXAMPLE)
@click.option("--path", metavar="DIR", help="Its folder: new, empty, or a demo made before.")
@click.option("--headless", is_flag=True, help="Run every job, print how each ended, and leave.")
@pass_session
def demo(session: Session, path: str | None, headless: bool) -> int:
    """Make a workspace with sample jobs and real data, or open it again.

    It lies in a folder of its own, and the application opens on it. With --headless all of its jobs
    are run instead; the exit code is 0 when each ended as its name promises, else 1.
    """
    from quarterdeck.cli import application
    from quarterdeck.demo.filling import fill
    from quarterdeck.demo.folder import claim
    from quarterdeck.demo.running import run_some
    from quarterdeck.demo.samples import samples
    from quarterdeck.service.listing import RunFilter

    if "store" in session.flags:
        problem = Problem("store", "the demo has a store of its own; name its folder with --path")
        raise InvalidInputError([problem])
    session.demand_writable("making the demo")
    folder = claim(_place(path))
    if not folder.is_ready:
        _tell(session, f"Making the demo in {folder.root} …")
    folder.make_files()
    settings = _settings(session, folder)
    services = session.adopt(_services(settings))
    fill(services, folder)
    if headless:
        return _run(session, services, folder)
    if session.out.as_json or application.refusal(os.environ, sys.stdin, sys.stdout, sys.stderr):
        _say_what_to_type(session, services, folder)
        return 0
    if not services.lists.runs(RunFilter(limit=1)):
        _tell(session, "Running some of its jobs, so that there is something to see …")
        run_some(services, samples(folder), _teller(session))
    return application.show(session, settings=settings, fresh=True)


def _place(path: str | None) -> Path:
    if path is None:
        from quarterdeck import config

        return config.default_store(os.environ).with_name("quarterdeck-demo")
    if not path.strip():
        raise InvalidInputError([Problem("path", "is empty; name a folder, as in --path ~/demo")])
    return Path(path)


def _settings(session: Session, folder: DemoFolder) -> Settings:
    from quarterdeck import config

    return config.load({**session.flags, "store": str(folder.store)}, os.environ)


def _services(settings: Settings) -> Services:
    """Return the use cases over the demo's store, which is made if it is missing."""
    from quarterdeck import wiring

    try:
        return wiring.create_services(settings)
    except ConflictError:  # it is there: opening says what is wrong with it, if anything is
        return wiring.open_services(settings)


def _tell(session: Session, words: str) -> None:
    if not session.out.as_json:
        session.out.note(words)


def _teller(session: Session) -> Callable[[str, str], None]:
    """Return what tells a job's new state with the seconds since now."""
    begun = time.monotonic()

    def tell(label: str, state: str) -> None:
        seconds = time.monotonic() - begun
        _tell(session, f"{seconds:5.1f} s  {label:<22} {state}")

    return tell


def _say_what_to_type(session: Session, services: Services, folder: DemoFolder) -> None:
    names = [job["name"] for job in services.lists.jobs()]
    here = f"quarterdeck --store {shlex.quote(str(folder.store))}"
    commands = [
        f"{here} job list",
        f"{here} run revenue-by-quarter --param year=1996 --follow",
        f"{here} run order-report.py --follow",
        f"{here} runs",
        f"quarterdeck demo --path {shlex.quote(str(folder.root))} --headless",
    ]
    session.words(
        {"path": str(folder.root), "store": str(folder.store), "jobs": names, "next": commands},
        f"The demo's workspace is ready in {folder.root}: {len(names)} jobs and their data.",
        "There is no terminal here to open it on. Type instead:",
        *(f"  {command}" for command in commands),
    )


def _run(session: Session, services: Services, folder: DemoFolder) -> int:
    from quarterdeck.demo.running import run_all
    from quarterdeck.demo.samples import samples

    begun = time.monotonic()
    try:
        rows = run_all(services, samples(folder), _teller(session))
    except KeyboardInterrupt:
        store = shlex.quote(str(folder.store))
        _tell(session, f"What was started goes on; `quarterdeck --store {store} runs` shows it.")
        raise
    seconds = round(time.monotonic() - begun, 3)
    kept = sum(row["ok"] for row in rows)
    if session.out.as_json:
        report = {"path": str(folder.root), "store": str(folder.store), "seconds": seconds}
        session.out.document({**report, "ok": kept == len(rows), "jobs": rows})
    else:
        session.out.table(COLUMNS, rows, session.look())
        session.out.say("", f"{kept} of {len(rows)} ended as promised, in {seconds:.0f} s.")
    return 0 if kept == len(rows) else 1


def _label(row: Mapping[str, Any], _: Look) -> Cell:
    return text(f"{row['job']} (draft)" if row["draft"] else row["job"])


def _ended(row: Mapping[str, Any], look: Look) -> Cell:
    if row["state"] is None:
        return Cell("not run", "bad")
    return columns.state(row["state"], None, look)._replace(tone="good" if row["ok"] else "bad")


def _seconds(row: Mapping[str, Any], _: Look) -> Cell:
    return Cell("" if row["seconds"] is None else f"{row['seconds']:.1f}")


COLUMNS: Final = (
    Column("JOB", _label),
    Column("EXPECTED", lambda row, _: text(row["expected"])),
    Column("ENDED", _ended),
    Column("REASON", lambda row, _: text(row["reason"])),
    Column("S", _seconds, right=True),
    Column("FIRST RESULT", lambda row, _: text(row["first_result"]), least=12),
)
