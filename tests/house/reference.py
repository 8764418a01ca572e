"""Makes `docs/reference.md` from the code: commands, exit codes, states, reasons, limits."""

from collections.abc import Iterator

import click

from quarterdeck.cli.root import root
from quarterdeck.lifecycle.advice import ADVICE
from quarterdeck.lifecycle.states import FOLLOWS
from quarterdeck.model import errors, limits
from quarterdeck.model.run import TERMINAL, RunState
from quarterdeck.present.states import STATES

CODES = {
    "ok": "done",
    "failed": "the thing asked about failed (a run with `--wait`, `store verify`)",
    "invalid": "usage or invalid input; `fields` lists every problem by path",
    "denied": "not allowed; `allowed` says who may",
    "not_found": "not there, or not visible to you",
    "conflict": "somebody wrote meanwhile, or the state forbids it",
    "prerequisite": "something must be mended first: no store, cluster not active, no catalog",
    "unreachable": "the cluster or network did not answer",
    "defect": "a defect of Quarterdeck; one line says where its trace was saved",
}
LIMITS = {
    "NAME_LENGTH": "characters of a name",
    "DESCRIPTION_LENGTH": "characters of a description",
    "QUERY_LENGTH": "characters of a saved query; a warning for a snapshot",
    "SNAPSHOT_BYTES": "bytes of a snapshot",
    "FILE_BYTES": "bytes of a `.py` file or definition file",
    "WHEEL_BYTES": "bytes of a wheel",
    "NOTE_LENGTH": "characters of a note",
    "TIMEOUT": "timeout of a job that names none",
    "TIMEOUT_CEILING": "ceiling of a timeout in a new workspace",
    "QUEUE_DEADLINE": "from queued to a place in a new workspace",
    "START_DEADLINE": "from released to the engine being ready in a new workspace",
    "PAGE": "rows of a list when nobody says",
    "PAGE_MOST": "rows of a list at most",
}
IMPORTS = """\
## What a Python job imports

- A `.py` file of any name runs as `__main__`. Its own folder and the working folder are not imported from: what
  it shares with other jobs comes in a wheel, or is installed in the engine's environment.
- A wheel stands behind the standard library and before what is installed; its dependencies are not installed.
- A function used as a UDF runs in the engine. One that the file itself defines is sent along; one of a wheel's
  module is imported there, behind what is installed: if that has a module of the same name it is the one, and the
  log says so.
"""
NOT_PROMISED = """\
## What is not promised

- **Isolation on the `local` cluster.** A job runs as you, on this machine, and can read what you can read. A PID
  namespace (where the kernel gives one) ends its processes with it; it hides nothing.
- **Masking.** The value of a `secret://` reference is masked in the log where it stands as it is; encoded or cut
  up by the job it is not, and what is no reference is printed as it is.
- **Exact re-run** gives the same frozen spec and the same files to the same engine, client, Python, platform and
  time zone data, or refuses. It does not bring back data that the job read, and secret values are today's.
- **Values.** Sail wraps `sum(bigint)` and overflows `sum(decimal(38,0))` silently, a path that does not exist
  reads as an empty table for Parquet, CSV and JSON, and the count of a DELETE can be 0 though rows went.
"""


def tree(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its path, in the order of `--help`."""
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is not None and not found.hidden:
            yield from tree(found, (*path, name))


def commands() -> list[str]:
    """Return every command's path."""
    return [path for path, _ in tree(root)]


def text() -> str:
    """Return the whole page."""
    lines = ["# Reference", "", "Made from the code by `python -m tests.house.reference`.", ""]
    lines += ["## Commands", "", "| command | what it does |", "| --- | --- |"]
    for path, command in tree(root):
        lines.append(f"| `{path}` | {command.get_short_help_str(200)} |")
    lines += ["", "## Exit codes", "", "| code | `error.code` | meaning |", "| --- | --- | --- |"]
    lines += [f"| {code} | `{name}` | {CODES[name]} |" for name, code in errors.EXIT_CODES.items()]
    lines += [
        "",
        "## States of a run",
        "",
        "| state | shown as | may be followed by |",
        "| --- | --- | --- |",
    ]
    for state in RunState:
        after = ", ".join(one for one in RunState if one in FOLLOWS[state])
        end = "nothing: it has ended" if state in TERMINAL else after
        lines.append(f"| `{state}` | {STATES[state].mark} {STATES[state].word} | {end} |")
    lines += ["", "## Failure reasons", "", "| reason | what to do |", "| --- | --- |"]
    lines += [f"| `{reason}` | {advice} |" for reason, advice in ADVICE.items()]
    lines += ["", "## Limits", "", "| limit | value |", "| --- | --- |"]
    for name, meaning in LIMITS.items():
        value = getattr(limits, name)
        lines.append(
            f"| {meaning} | {value:,} |" if isinstance(value, int) else f"| {meaning} | {value} |"
        )
    return "\n".join([*lines, "", IMPORTS, NOT_PROMISED.rstrip(), ""])


if __name__ == "__main__":
    print(text(), end="")  # noqa: T201  # the page is its output
