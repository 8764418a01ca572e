"""One call of the program: its flags, its services (opened when first needed), its output and its questions."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from quarterdeck.cli.output import Output
from quarterdeck.model.errors import InvalidInputError, NotAllowedError, Problem
from quarterdeck.present import inert
from quarterdeck.present.table import Look, wrap

if TYPE_CHECKING:
    from quarterdeck.config import Settings
    from quarterdeck.ports.bundle import Ports
    from quarterdeck.present.table import Column, Line
    from quarterdeck.service.bundle import Services


class Session:
    """What every command is handed."""

    def __init__(self, argv: Sequence[str], ports: Ports | None = None) -> None:
        before = _before_dashes(argv)
        self.flags: dict[str, Any] = {"json": "--json" in before, "plain": "--plain" in before}
        self.is_drawn = False  # screens say themselves what opening the store found
        self._ports = ports
        self._opened: Services | None = None

    @cached_property
    def settings(self) -> Settings:
        """Flags over environment over defaults."""
        from quarterdeck import config

        return config.load(self.flags, os.environ)

    @cached_property
    def out(self) -> Output:
        """The streams."""
        from quarterdeck import config

        is_ascii = sys.stdout.isatty() and config.wants_ascii(os.environ)
        return Output(as_json=self.flags["json"], plain=self.flags["plain"], ascii=is_ascii)

    @property
    def services(self) -> Services:
        """The use cases over the workspace's store."""
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> Services:
        settings = self.settings
        if self._ports is None:
            from quarterdeck import wiring

            if self.is_drawn:
                return wiring.open_services(settings)
            services = wiring.open_services(settings, lambda text: self.out.note(f"note: {text}"))
            store = services.ports.store
            for notice in store.notices:
                self.out.note(f"note: {notice}")
            if store.damage:
                self.out.note(
                    f"warning: the store is damaged, open for reading only: {store.damage}"
                )
                self.out.note(
                    "  `quarterdeck store repair` keeps what is left; `quarterdeck store restore FILE`"
                    " puts a backup in its place."
                )
            return services
        from quarterdeck.service.bundle import Services

        return Services(
            self._ports, settings.actor, as_team=settings.as_team, read_only=settings.read_only
        )

    def damage_behind_it(self) -> str:
        """Return which document of the store is damaged, when something broke that nobody can explain."""
        if self._opened is None or self._ports is not None:
            return ""
        try:
            found = self._opened.ports.store.unsound()
        except Exception:  # noqa: BLE001  # what broke first is told
            return ""
        return " ".join(found[0]) if found else ""

    def adopt(self, services: Services) -> Services:
        """Take services that a command made itself (`init`), to be closed at the end."""
        self._opened = services
        return services

    def close(self) -> None:
        """Close what was opened; injected ports stay their owner's."""
        if self._opened is not None and self._ports is None:
            self._opened.close()

    # --- answers

    def look(self) -> Look:
        """Return the time, in the zone of the terminal for a person who reads there, and whether one does."""
        person = self.out.is_terminal
        return Look(self.now().astimezone() if person else self.now(), person)

    def now(self) -> datetime:
        """Return the clock's time."""
        return self.services.context.now()

    def answer(self, document: Any, page: Callable[[], Iterable[Line]]) -> None:
        """Give the command's answer: the document with `--json`, else the page; warnings go to stderr as well."""
        self.warn(document)
        if self.out.as_json:
            self.out.document(document)
        else:
            self.out.lines(page())

    def words(self, document: Any, *texts: str) -> None:
        """Give the answer as the document, or in these words."""
        self.warn(document)
        if self.out.as_json:
            self.out.document(document)
        else:
            self.out.say(*texts)

    def listing(self, rows: list[dict[str, Any]], columns: Sequence[Column], empty: str) -> None:
        """Give a list as one array, or as a table; for a person an empty one says what fills it, on stderr."""
        if self.out.as_json:
            self.out.document(rows)
        elif rows:
            self.out.table(columns, rows, self.look())
        else:
            self.out.note(empty)
        self.tell_passed_over()

    def tell_passed_over(self) -> None:
        """Name on standard error what could not be read and held up nothing else."""
        for text in self.services.context.passed_over.values():
            self.out.note(f"warning: passed over: {text}")

    def warn(self, document: Any) -> None:
        """Tell the document's warnings to standard error, each once."""
        documents = document if isinstance(document, list) else [document]
        found = [
            f"warning: {one['path']}: {one['message']}"
            for whole in documents
            if isinstance(whole, Mapping)
            for one in whole.get("warnings") or ()
        ]
        for text in dict.fromkeys(found):
            self.out.note(text)

    # --- before acts

    def demand_writable(self, act: str) -> None:
        """Refuse an act that writes outside a transaction when this is `--read-only`."""
        if self.settings.read_only:
            raise NotAllowedError(
                f"Opened with --read-only: {act} would write.",
                advice="Leave out --read-only.",
                rule="--read-only: nothing is written",
            )

    def confirm(self, act: str, effect: Iterable[Line], *, yes: bool) -> bool:
        """Return whether to go on: asked of a person at a terminal; elsewhere `--yes` has to say so (exit 2)."""
        self.demand_writable(act)
        if yes:
            return True
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            text = "is missing, and there is no terminal to ask"
            raise InvalidInputError(
                [Problem("yes", text)],
                message=f"{act[:1].upper()}{act[1:]} needs a yes, and there is no terminal to ask.",
                advice="Add --yes; --dry-run, where there is one, only looks.",
            )
        for line in effect:
            shown = "".join(cell.text for cell in line).rstrip()
            sys.stderr.writelines(one + "\n" for one in wrap(shown, self.out.width))
        sys.stderr.write(inert.line(f"{act[:1].upper()}{act[1:]}? [y/N] "))
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return True
        self.out.note("Nothing was changed.")
        return False

    def is_interactive(self) -> bool:
        """Whether a person is at both ends."""
        return sys.stdin.isatty() and sys.stdout.isatty()


def _before_dashes(argv: Sequence[str]) -> Sequence[str]:
    return argv[: list(argv).index("--")] if "--" in argv else argv
