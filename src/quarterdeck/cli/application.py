"""Opens the application on a terminal, or says why none can be drawn on. Its commands: `tui`."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, TextIO

from quarterdeck.model.errors import PrerequisiteError, StoreRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from quarterdeck.cli.session import Session
    from quarterdeck.config import Settings
    from quarterdeck.service.bundle import Services

PATIENCE_S: Final = 2.0
"""So long is waited for the store before anything is drawn: a store that is refused draws nothing."""


def demand_terminal() -> None:
    """Raise PrerequisiteError where no screen can be drawn, with what to type instead."""
    reason = refusal(os.environ, sys.stdin, sys.stdout, sys.stderr)
    if reason:
        raise PrerequisiteError(
            reason, advice="`quarterdeck job list` and `quarterdeck --help` need no screen."
        )


def refusal(environ: Mapping[str, str], *streams: TextIO | None) -> str:
    """Return why no screen can be drawn on these streams; empty if one can."""
    if any(stream is None or stream.closed or not stream.isatty() for stream in streams):
        return "There is no terminal to draw on."
    term = environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        return f"{f'TERM is {term}' if term else 'TERM is not set'}: no screen can be drawn on it."
    return ""


def show(
    session: Session,
    *,
    settings: Settings | None = None,
    places: Sequence[tuple[str, str]] = (),
    fresh: bool = False,
) -> int:
    """Open the application over the session's workspace, at `places` of (kind, name); return its exit code.

    PrerequisiteError where no screen can be drawn, and what keeps the store shut, before anything is.
    """
    from quarterdeck import config

    demand_terminal()
    screen = config.screen(os.environ)
    session.is_drawn = True
    settings = settings or session.settings
    opening = Opening(lambda: session.services)
    from quarterdeck.tui.place import Place
    from quarterdeck.tui.start import run
    from quarterdeck.tui.workspace import Making
    from quarterdeck.wiring import clock

    making = None
    try:
        opening.settle()
    except StoreRefusedError:
        if settings.read_only or not _is_nothing(settings.store):
            raise
        making = Making(str(settings.store), lambda: _make(session, settings))
    named = [Place(kind, name) for kind, name in places]
    lifting = (lambda: _lift(session, settings)) if settings.read_only else None
    return run(
        opening, settings, screen, clock, places=named, fresh=fresh, making=making, lifting=lifting
    )


def _is_nothing(folder: Path) -> bool:
    """Whether there is no folder, or an empty one: then the application offers to make a workspace in it."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _make(session: Session, settings: Settings) -> Services:
    from quarterdeck import wiring
    from quarterdeck.service.setup import init

    services = session.adopt(wiring.create_services(settings))
    init(services.context, settings.actor)
    return services


def _lift(session: Session, settings: Settings) -> Services:
    from quarterdeck import wiring

    return session.adopt(wiring.open_services(settings._replace(read_only=False)))


class Opening:
    """The workspace, opened on a thread while the application is imported; called, it waits for it."""

    def __init__(self, act: Callable[[], Services]) -> None:
        self._act = act
        self._made: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._open, name="opening", daemon=True)
        self._thread.start()

    def __call__(self) -> Services:
        """Return the services, once they are there; raise what keeps the store shut."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        made: Services = self._made
        return made

    def settle(self) -> None:
        """Raise what keeps the store shut, if that is known soon."""
        self._thread.join(PATIENCE_S)
        if not self._thread.is_alive():
            self()

    def _open(self) -> None:
        try:
            self._made = self._act()
        except BaseException as error:  # noqa: BLE001  # raised where it is waited for
            self._error = error
