"""The program's door in a test's own process: a command's words and code, and what others do while it asks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.cli.main import main
from quarterdeck.model.ids import RunId
from quarterdeck.model.observation import Phase
from quarterdeck.model.receipt import attempt_id
from quarterdeck.service.bundle import Services
from tests.support.quarterdeck import Answer, job, outer_environ, sql
from tests.support.services import workspace

REASONS: dict[str, dict[str, Any]] = {
    "failed": {"reason": "user_error", "exit_code": 1},
    "timed_out": {"reason": "timeout"},
}


class Asked:
    """Standard input of a terminal: somebody else acts before the answer is typed."""

    def __init__(self, meanwhile: Callable[[], object], says: str) -> None:
        self._meanwhile, self._says = meanwhile, says

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        self._meanwhile()
        return f"{self._says}\n"


class Door:
    """The program's door in this process, for `ana`; `ben` acts beside it."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        self._monkeypatch, self._capsys = monkeypatch, capsys
        for name in os.environ.keys() - outer_environ().keys():
            monkeypatch.delenv(name)
        monkeypatch.setenv("QUARTERDECK_ACTOR", "ana")
        self.ana, self.ports = workspace(folder, on_disk=True)
        self.ana.definitions.edit("team", "ana", {"members": ["ana", "ben"]})
        self.ben = Services(self.ports, "ben")

    def call(self, *argv: str) -> Answer:
        code = main(list(argv), self.ports)
        said = self._capsys.readouterr()
        return Answer(code, said.out, said.err)

    def asked(self, *argv: str, meanwhile: Callable[[], object], says: str = "y") -> Answer:
        """Call a command at a terminal, and let somebody act while its question stands there."""
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", Asked(meanwhile, says))
            patch.setattr(sys.stdout, "isatty", lambda: True)
            return self.call(*argv)

    def as_actor(self, name: str) -> None:
        self._monkeypatch.setenv("QUARTERDECK_ACTOR", name)

    def save(self, who: Services, text: str) -> None:
        spec = {**job("daily")["spec"], "source": sql(text)}
        who.jobs.edit("daily", {"spec": spec}, replace_draft=True)

    def publish(self, who: Services, text: str) -> None:
        self.save(who, text)
        who.publishing.publish("daily")

    def live(self) -> int:
        return int(self.ana.jobs.show("daily")["live_version"])

    def ended(self, *, state: str = "failed", **word: Any) -> str:
        """Return a run of `daily` that has ended, with these words of its runner."""
        self.ports.fake.auto = False
        run = str(self.ana.runs.start("daily")["id"])
        for _ in range(4):
            self.ana.runs.dispatch(run)
        name = attempt_id(RunId(run), 1)
        self.ports.fake.move(name, Phase.RUNNING)
        self.ports.fake.end(name, state, **{**REASONS.get(state, {}), **word})
        for _ in range(3):
            self.ana.runs.dispatch(run)
        return run
