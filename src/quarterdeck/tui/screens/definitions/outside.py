"""A definition as a file in the user's own editor: out, back, checked, shown whom it reaches, saved."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarterdeck.present.file_text import to_yaml, with_ends_of, with_lf
from quarterdeck.tui import external, problems
from quarterdeck.tui.impact import ask_impact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quarterdeck.tui.page import Page
    from quarterdeck.tui.widgets.dialog import Answer


def edit(page: Page, kind: str, name: str) -> None:
    """Open the definition in the editor; what comes back is saved unless it stayed as it was."""

    def opened(outside: Outside) -> None:
        outside.open(outside.before)

    page.ask(
        f"{kind} {name}",
        lambda: Outside(page, kind, name, **page.services.definitions.document(kind, name)),
        opened,
    )


class Outside:
    """One edit: the document and its text as they were, and the revision they were read at."""

    def __init__(
        self, page: Page, kind: str, name: str, *, document: Mapping[str, Any], rev: int
    ) -> None:
        self._page = page
        self._kind = kind
        self._name = name
        self._document = document
        self.before = to_yaml(with_lf(document))
        self._rev = rev

    def open(self, text: str) -> None:
        """Give the text to the editor and take it back."""
        page, kind, name = self._page, self._kind, self._name
        back, told = external.edit(page.shell, text, ".yaml")
        if back is None:
            page.say(told, "bad")
        elif back == self.before:
            page.say(f"{told}; nothing was changed", "dim", keep=False)
        else:
            page.ask(
                f"the {kind} that came back",
                lambda: self._parsed(back),
                lambda document: ask_impact(
                    page, kind, name, document, partial(self._save, back, document),
                    failed=partial(self._refused, back), left=partial(self._keep, back),
                ),
                failed=partial(self._refused, back),
            )  # fmt: skip

    def _parsed(self, text: str) -> dict[str, Any]:
        descriptor, path = tempfile.mkstemp(prefix=f"{self._kind}-", suffix=".yaml")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            edited = self._page.services.definitions.read(self._kind, path)
            return dict(with_ends_of(self._document, edited))
        finally:
            Path(path).unlink()

    def _save(self, text: str, document: Mapping[str, Any], reach: frozenset[str]) -> None:
        page, kind, name = self._page, self._kind, self._name
        page.ask(
            f"the save of {name}",
            lambda: page.services.definitions.edit(
                kind, name, document, expect_rev=self._rev, reach=reach
            ),
            self._saved,
            failed=partial(self._refused, text),
        )

    def _saved(self, row: Mapping[str, Any]) -> None:
        self._page.say(
            f"{self._kind} {row['name']} is saved as revision {row['revision']}", "good"
        )
        self._page.load()

    def _refused(self, text: str, error: BaseException) -> None:
        """Say what is wrong and offer the editor again."""
        from quarterdeck.tui.widgets.dialog import Choice, Dialog

        def done(answer: Answer | None) -> None:
            if answer is None:
                self._keep(text)
            else:
                self.open(text)

        lines = list(problems.lines(error))
        choice = Choice("again", "Open the editor again", "e")
        self._page.app.push_screen(
            Dialog(f"{self._kind} {self._name} is not saved", lines, [choice]), done
        )

    def _keep(self, text: str) -> None:
        """Keep what was typed in a file and say which."""

        def write() -> str:
            descriptor, path = tempfile.mkstemp(prefix=f"{self._kind}-", suffix=".yaml")
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            return path

        self._page.ask(
            "the file",
            write,
            lambda path: self._page.say(f"not saved; what you typed is in {path}", "wait"),
        )
