"""`quarterdeck open` and `quarterdeck keys`: beginning at a place, and the keys as a file."""

from __future__ import annotations

import os
from typing import Any

import click

from quarterdeck.cli.base import Command, pass_session
from quarterdeck.cli.session import Session
from quarterdeck.model.errors import InvalidInputError, Problem


class _Target(click.ParamType[Any]):
    """`job/NAME` or `run/ID`."""

    name = "what"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return (kind, name)."""
        kind, _, name = str(value).partition("/")
        if kind not in ("job", "run") or not name:
            self.fail(f"{value} is neither job/NAME nor run/ID; for example job/daily", param, ctx)
        return kind, name


@click.command("open", cls=Command, example="quarterdeck open job/daily")
@click.argument("what", metavar="job/NAME|run/ID", type=_Target())
@pass_session
def open_(session: Session, what: tuple[str, str]) -> int:
    """Open the application at a job or a run; Esc leads to the list."""
    from quarterdeck.cli import application

    asked = next((one for one in ("json", "plain") if session.flags[one]), None)
    if asked:
        problem = Problem(asked, "the application draws a screen; `job show`, `run-show` print")
        raise InvalidInputError([problem])
    kind, name = what
    if kind == "job":
        session.services.jobs.show(name)
    else:
        name = session.services.runs.show(name)["id"]
    return application.show(session, places=[(kind, name)])


@click.command(cls=Command, example="quarterdeck keys > ~/.config/quarterdeck/keys.toml")
@pass_session
def keys(session: Session) -> None:
    """Print all keys of the application as a file, ready to edit."""
    from quarterdeck import config
    from quarterdeck.tui import keymap

    path = config.config_folder(os.environ) / keymap.FILE
    session.words(keymap.rows(), *keymap.default_file(path).splitlines())
