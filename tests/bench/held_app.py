"""The application at one place, on the terminal it is started on; from SIGUSR1 on no call of the store answers.

`python tests/bench/held_app.py FOLDER PLACE`: the places are those that random keys are pressed on.
"""

from __future__ import annotations

import signal
import sys
from datetime import UTC
from pathlib import Path

from quarterdeck.tui.app import Quarterdeck
from tests.tui.pages import held
from tests.tui.test_random_keys import PLACES, deck


def main() -> None:
    folder, name = Path(sys.argv[1]), sys.argv[2]
    real, _, run = deck(folder)
    services, hand = held(real, for_s=60.0)
    signal.signal(signal.SIGUSR1, lambda *_: hand.hold())
    signal.signal(signal.SIGUSR2, lambda *_: hand.release())
    wanted = PLACES[name]
    place = wanted._replace(name=wanted.name.replace("RUN", run))
    Quarterdeck(lambda: services, places=[place], zone=UTC).run()


if __name__ == "__main__":
    main()
