"""From the command line to the running application and back to it: settings, keys, the place of last time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from quarterdeck import config
from quarterdeck.present import ages
from quarterdeck.tui import keymap, memory, place, terminal
from quarterdeck.tui.app import Quarterdeck

if TYPE_CHECKING:
    from quarterdeck.service.bundle import Services
    from quarterdeck.tui.place import Place
    from quarterdeck.tui.workspace import Making

BACK = "back where you were, Esc for the list"


def run(  # noqa: PLR0913  # the command line's answers
    opening: Callable[[], Services],
    settings: config.Settings,
    screen: config.Screen,
    clock: Callable[[], datetime],
    *,
    places: Sequence[Place] = (),
    fresh: bool = False,
    making: Making | None = None,
    lifting: Callable[[], Services] | None = None,
) -> int:
    """Run the application until it is left and return its exit code.

    It begins at `places`, else where this actor was within the last day, unless `fresh`. What kept the workspace
    shut is raised, and so is what it broke on, with the terminal as it was before.
    """
    folder = config.config_folder(os.environ)
    keys = keymap.load(folder / keymap.FILE)
    path = memory.place_file(settings.store, settings.actor)
    notices = list(keys.problems)
    remembered = memory.read(path, clock())
    if not places and not fresh:
        places = _places(remembered.get("places"))
        notices += [BACK] if places else []
    keeper = memory.Keeper(path, clock, lambda text: app.note_later(text))  # noqa: PLW0108  # it is made below
    app = Quarterdeck(
        opening,
        places=places,
        keys=keys.keys,
        notices=notices,
        making=making,
        lifting=lifting,
        around=terminal.Surroundings(
            theme=screen.theme,
            own=folder / "themes",
            encoding=terminal.encoding_of(sys.__stderr__, os.environ, ascii=screen.ascii),
            sparing=screen.sparing,
            keeper=keeper,
        ),
    )
    app.typed.update(_typed(remembered.get("typed")))
    app.run(mouse=screen.mouse)
    keeper.close()
    for error in (app.open_error, app.crashed):
        if error is not None:
            raise error
    if app.go_on:
        runs = ages.count(app.go_on, "run")
        sys.stdout.write(
            f"{runs} not ended: quitting stops none. `quarterdeck runs` shows them.\n"
        )
    for words in app.unsaved:
        sys.stdout.write(f"{words}\n")
    return app.return_code or 0


def _places(kept: object) -> list[Place]:
    """Return the places above the jobs list that were kept, up to the first that is none any more."""
    found: list[Place] = []
    for one in kept if isinstance(kept, list) else ():
        known = place.from_document(one) if isinstance(one, dict) else None
        if known is None:
            break
        found.append(known)
    return found


def _typed(kept: object) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what was left unsaved, by page and name, as far as it is of this version's shape."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in kept if isinstance(kept, list) else ():
        if isinstance(one, list) and len(one) == 3 and isinstance(one[2], dict):  # noqa: PLR2004
            found[str(one[0]), str(one[1])] = one[2]
    return found
