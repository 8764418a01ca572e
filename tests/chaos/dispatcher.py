"""Starts and dispatches a run as `quarterdeck run` does, and kills itself (-9) before or after its Nth step.

`python -m tests.chaos.dispatcher STORE JOB|RUN N`: a step is a saved transaction or a call of the executor.
Instead of N, `before:CALL` or `after:CALL` names one. Prints the run's id as soon as it is saved, and `done` if it
was not killed.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quarterdeck import config, wiring
from quarterdeck.model.ids import RunId
from quarterdeck.service.bundle import Services

CALLS = ("check", "prepare", "release", "start", "observe", "cancel", "reap", "place")


class Steps:
    """Counts down to the kill; one step has two sides: before it took effect, and after."""

    def __init__(self, moment: str) -> None:
        self._moment = moment
        self._left = int(moment) if moment.isdecimal() else 0

    def pass_one(self, name: str) -> None:
        self._left -= 1
        if self._left == 0 or name == self._moment:
            os.kill(os.getpid(), signal.SIGKILL)


def arm(services: Services, steps: Steps) -> None:
    """Put the countdown around every transaction and every call of an executor."""
    store, executor_of = services.ports.store, services.ports.executor
    begin = store.transaction
    armed: set[int] = set()

    @contextmanager
    def transaction(actor: Any) -> Iterator[Any]:
        steps.pass_one("before:transaction")
        with begin(actor) as tx:
            yield tx
        steps.pass_one("after:transaction")

    def executor(cluster: Any) -> Any:
        found = executor_of(cluster)
        if id(found) not in armed:
            armed.add(id(found))
            for name in CALLS:
                setattr(found, name, counted(name, getattr(found, name), steps))
        return found

    setattr(store, "transaction", transaction)  # noqa: B010  # a method is no variable to mypy
    setattr(services.ports, "executor", executor)  # noqa: B010


def counted(name: str, call: Any, steps: Steps) -> Any:
    def called(*args: Any, **named: Any) -> Any:
        steps.pass_one(f"before:{name}")
        answer = call(*args, **named)
        steps.pass_one(f"after:{name}")
        return answer

    return called


def main() -> None:
    folder, what, moment = sys.argv[1:]
    services = wiring.open_services(config.load({"store": Path(folder)}, os.environ))
    run_id = what
    if services.ports.store.runs.find(RunId(what)) is None:
        run_id = services.runs.start(what)["id"]
        sys.stdout.write(f"{run_id}\n")
        sys.stdout.flush()
    arm(services, Steps(moment))
    services.runs.dispatch(run_id)
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main()
