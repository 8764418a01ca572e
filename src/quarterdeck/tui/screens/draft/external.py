"""The text outside: written to a file; in the user's own editor: `tui.external`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.present.table import Cell
from quarterdeck.tui.external import edit

if TYPE_CHECKING:
    from quarterdeck.tui.page import Page
    from quarterdeck.tui.widgets.dialog import Answer
    from quarterdeck.tui.widgets.editor import CodeEditor


def edit_text(page: Page, editor: CodeEditor, suffix: str) -> None:
    """Let the user edit the text elsewhere; what comes back is one step to undo."""
    if editor.read_only or not editor.exact:
        page.say(editor.notice, "bad", keep=False)
        return
    text, told = edit(page.shell, editor.text, suffix)
    if text is not None:
        editor.replace_all(text)
    page.say(told, "bad" if text is None else "", keep=False)


def ask_for_file(page: Page, name: str, text: str) -> None:
    """Ask for a file and write the text into it."""
    from quarterdeck.tui.widgets.dialog import Choice, Dialog, Field

    def done(answer: Answer | None) -> None:
        if answer is not None and answer.fields["path"].strip():
            path = Path(answer.fields["path"].strip()).expanduser()
            page.ask(
                f"writing {path}",
                lambda: _write(path, text),
                lambda _: page.say(f"the text is in {path}", "good"),
            )

    lines = [(Cell("The text as it stands here; a file that is there is not replaced."),)]
    field = Field("path", "File", str(Path.cwd() / f"{name}.txt"))
    page.app.push_screen(
        Dialog("Write the text to a file", lines, [Choice("write", "Write")], fields=[field]), done
    )


def _write(path: Path, text: str) -> None:
    from quarterdeck.model.errors import StoreFaultError

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8", "surrogatepass"))
    except OSError as error:
        raise StoreFaultError(
            f"{path} cannot be written: {error.strerror}.", advice="Name another file."
        ) from error
