"""Where the program begins and ends: streams, exit codes, the edge that catches all. Commands: `root`."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from quarterdeck import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quarterdeck.cli.session import Session
    from quarterdeck.ports.bundle import Ports


def entry() -> None:
    """Run the command line of this process and leave with its exit code."""
    gc.disable()  # a start makes much that stays and hardly any waste: not looking saves a tenth
    code = main(sys.argv[1:])
    gc.freeze()  # nor is it worth a look at the end
    sys.exit(code)


def main(argv: Sequence[str], ports: Ports | None = None) -> int:
    """Run one command and return its exit code; with `ports` the services stand on them, not on a store."""
    _mend_streams()
    try:
        if list(argv) == ["--version"]:  # before anything slow is imported
            sys.stdout.write(f"quarterdeck {__version__}\n")
            code = 0
        else:
            code = _run(argv, ports)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has what it wanted
        _drop(sys.stdout.fileno())
        code = 0
    return code


def _run(argv: Sequence[str], ports: Ports | None) -> int:
    from quarterdeck.cli.session import Session

    session = Session(argv, ports)
    try:
        code = _invoke(argv, session) if argv else _application(session)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001  # the last edge
        from quarterdeck.cli import exits

        code = exits.report(error, session)
    finally:
        session.close()
    return code


def _invoke(argv: Sequence[str], session: Session) -> int:
    import click

    from quarterdeck.cli.root import root

    try:
        with root.make_context("quarterdeck", list(argv), obj=session) as context:
            done = root.invoke(context)
    except click.exceptions.Exit as end:  # after --help and --version
        return end.exit_code
    return done if isinstance(done, int) else 0


def _application(session: Session) -> int:
    """Open the application: nothing of the commands is imported on its way."""
    from quarterdeck.cli import application

    return application.show(session)


def _mend_streams() -> None:
    """Give a closed stream a place to go, and text that the terminal's encoding lacks a question mark."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  # lives as long as we do
        elif hasattr(stream, "reconfigure") and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _drop(descriptor: int) -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush is quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
