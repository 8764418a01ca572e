"""The log outside of the screen: saved to a file, or as plain text for the mouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from quarterdeck.present import log_lines
from quarterdeck.present.table import Cell
from quarterdeck.tui.page import Page

if TYPE_CHECKING:
    from quarterdeck.model.logline import StoredLine
    from quarterdeck.service.bundle import Services
    from quarterdeck.service.outfile import Saved

AT_ONCE: Final = 10_000  # rows


class Leaving(Page):
    """Mixed into the page of the run `run_id`."""

    run_id: str

    def action_log_save(self) -> None:
        """Ask for a file, and write the whole log into it."""
        from quarterdeck.service.outfile import file_name
        from quarterdeck.tui.widgets.dialog import Answer, Choice, Dialog, Field

        logs, run = self.services.logs, self.run_id
        place = Path.cwd() / file_name(self.job_name(), run)

        def done(answer: Answer | None) -> None:
            if answer is not None and answer.fields["path"].strip():
                path = Path(answer.fields["path"].strip()).expanduser()
                self.ask(f"writing {path}", partial(logs.save, run, path), self._saved)

        lines = [
            (Cell("The whole log, byte for byte; in a folder, named after job and run."),),
            (Cell("A file that is there is not replaced."),),
        ]
        dialog = Dialog(
            "Save the log",
            lines,
            [Choice("save", "Save", "")],
            fields=[Field("path", "File", str(place))],
        )
        self.app.push_screen(dialog, done)

    def _saved(self, saved: Saved) -> None:
        self.say(f"{saved.lines:,} lines are in {saved.path}")

    def job_name(self) -> str:
        """Return the job that the run is of."""
        raise NotImplementedError

    def action_log_plain(self) -> None:
        """Leave the screen for plain text, which the mouse can mark; Enter comes back."""

        def read() -> list[str]:
            return [log_lines.plain(line) for line in _whole(self.services, self.run_id)]

        self.ask("the whole log", read, self._show_plain)

    def _show_plain(self, lines: Sequence[str]) -> None:
        from quarterdeck.tui import plain

        if self.is_in_front:
            plain.show(self.shell, lines)


def _whole(services: Services, run: str) -> Iterator[StoredLine]:
    """Yield the log as it stands, some rows at a time: it may be longer than the memory."""
    reader = services.logs.reader(run)
    for first in range(0, reader.refresh(), AT_ONCE):
        yield from reader.read(first, AT_ONCE)
