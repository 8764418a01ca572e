"""The table of all commands; the module of a command is imported when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from quarterdeck.cli.base import Group

SECTIONS: Final[dict[str, dict[str, tuple[str, str, str]]]] = {
    "Begin": {
        "open": ("tui", "open_", "Open the application at a job or a run."),
        "keys": ("tui", "keys", "Print all keys of the application as a file."),
        "demo": ("demo", "demo", "A workspace with real sample jobs and data."),
        "init": ("setup", "init", "Make a workspace that can run jobs."),
        "doctor": ("setup", "doctor", "Check this machine, the store and the clusters."),
        "whoami": ("setup", "whoami", "Who acts here, in which teams."),
    },
    "Jobs and runs": {
        "job": ("job", "job", "Define, edit, publish and go back."),
        "run": ("run", "run", "Run a job now."),
        "runs": ("runs", "runs", "List runs, newest first."),
        "run-show": ("runs", "run_show", "Everything about one run; reason and advice first."),
        "logs": ("logs", "logs", "Read or follow a run's log."),
        "cancel": ("run", "cancel", "End a run."),
        "retry": ("run", "retry", "Run the same version again."),
        "rerun": ("run", "rerun", "Run exactly what ran before."),
        "compare": ("runs", "compare", "What differs between two runs."),
    },
    "What jobs use": {
        "profile": ("definitions", "profile", "Compute profiles."),
        "query": ("definitions", "query", "Saved queries."),
        "cluster": ("definitions", "cluster", "Clusters, where jobs run."),
        "catalog": ("definitions", "catalog", "Catalogs, where table names resolve."),
        "team": ("definitions", "team", "Teams and their members."),
    },
    "The workspace": {
        "workspace": ("setup", "workspace", "Show and edit its settings."),
        "scheduler": (
            "scheduler",
            "scheduler",
            "Take every run to where it really stands, again and again.",
        ),
        "store": ("store", "store", "Verify, back up, restore, measure."),
        "audit": ("store", "audit", "Who did what."),
    },
}
_COMMANDS: Final = {name: one for section in SECTIONS.values() for name, one in section.items()}


class Root(Group):
    """The program itself; knows its commands by name only."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"quarterdeck.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections from the table; nothing is imported for it."""
        del ctx
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, _, text) in commands.items()])


@click.group(
    cls=Root,
    invoke_without_command=True,
    hidden_globals=False,
    example="quarterdeck init\nquarterdeck job create -f daily-sales.yaml\n"
    "quarterdeck run daily-sales --follow\nquarterdeck",
)
@click.option(
    "--fresh", is_flag=True, help="Without a command: begin at the jobs list, not where you were."
)
@click.pass_context
def root(ctx: click.Context, fresh: bool) -> int | None:
    """Define, version, run and watch SQL and Python jobs on Sail; without a command: on screen."""
    if ctx.invoked_subcommand is not None:
        if fresh:
            raise click.UsageError("--fresh goes with no command.", ctx)
        return None
    if ctx.obj.flags["plain"]:
        raise click.UsageError("Name a command, such as `quarterdeck job list --plain`.", ctx)
    if ctx.obj.flags["json"]:
        raise click.UsageError("Name a command; `quarterdeck --help` lists them.", ctx)
    from quarterdeck.cli import application

    return application.show(ctx.obj, fresh=fresh)
