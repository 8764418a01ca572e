"""What the draft editor asks: which of two texts it is to be, whether a draft goes live. A part of its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, assert_never

from quarterdeck.present import inert, job_page
from quarterdeck.present.table import Cell
from quarterdeck.tui import problems
from quarterdeck.tui.messages import Later
from quarterdeck.tui.screens.draft.protocol import (
    AskClash,
    Asking,
    AskPublish,
    Clash,
    ClashAnswered,
    OfferUndo,
    PublishAnswered,
)

if TYPE_CHECKING:
    from quarterdeck.model import draft
    from quarterdeck.present.table import Line
    from quarterdeck.tui.page import Page
    from quarterdeck.tui.screens.draft.desk import Desk
    from quarterdeck.tui.screens.draft.source import Document
    from quarterdeck.tui.widgets.dialog import Answer


class Questions:
    """Each question shows what it is about, and its answer is heard by the desk."""

    def __init__(self, page: Page, desk: Desk) -> None:
        self._page = page
        self._desk = desk

    def ask(self, effect: Asking) -> None:
        """Ask it."""
        match effect:
            case AskClash(clash):
                self._ask_clash(clash)
            case AskPublish(found):
                self._ask_publish(found)
            case _:
                assert_never(effect)

    def _ask_clash(self, clash: Clash) -> None:
        """Show both texts against what they began from."""
        from quarterdeck.tui.screens.draft.conflict import Conflict

        compared = self._page.services.drafting.compared
        base, mine, theirs = (
            _compared_form(one, clash) for one in (clash.base, clash.mine, clash.theirs)
        )

        def ask(found: tuple[Any, Any]) -> None:
            if self._page.is_in_front:
                self._page.app.push_screen(Conflict(problems.here(clash.what), *found), answered)
            else:
                answered(None)

        def answered(choice: str | None) -> None:
            self._desk.hear(ClashAnswered(choice))

        self._compare(lambda: (compared(base, theirs), compared(base, mine)), ask)

    def _ask_publish(self, found: draft.Opened) -> None:
        """Show what would go live; what is confirmed is what is shown."""
        compared = self._page.services.drafting.compared

        def ask(differences: Sequence[Any]) -> None:
            if self._page.is_in_front:
                self._page.app.push_screen(_publish_dialog(found, differences), answered)
            else:
                answered(None)

        def answered(answer: Answer | None) -> None:
            self._desk.hear(PublishAnswered(None if answer is None else answer.fields["note"]))

        self._compare(lambda: compared(found.live, found.spec), ask)

    def offer_undo(self, id: str, offer: OfferUndo) -> None:
        """Say what became of a job's draft, and offer for a while to bring it back."""
        page, shell, drafts = self._page, self._page.shell, self._page.services.drafts

        def bring_back() -> None:
            drafts.bring_back(id, offer.number, expect_draft=offer.left)
            shell.post_message(Later(page.load))

        shell.undoable(page, offer.words, bring_back)

    def _compare(self, call: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Work out on a thread what differs: long texts take a while."""
        self._page.ask("what differs", call, then, is_left=False)


def _publish_dialog(found: draft.Opened, differences: Sequence[Any]) -> Any:
    from quarterdeck.tui.widgets.dialog import Choice, Dialog, Field

    words = "Runs made from now on take it; schedule, sharing and running runs stay."
    lines: list[Line] = [(Cell(words, "dim"),)]
    lines += [
        (Cell(f"! {inert.line(one.path)}: {inert.line(one.message)}", "bad"),)
        for one in found.problems
    ]
    if found.aside:
        words = "The text of the other pane does not go live; it is kept among the dropped drafts."
        lines.append((Cell(words, "wait"),))
    lines += list(job_page.differences(differences))
    return Dialog(
        f"Make the draft of {inert.line(found.job)} live as v{found.number}?", lines,
        [Choice("publish", "Go live", "y")], harmful=True, opened_by="ctrl+g",
        fields=[Field("note", "Note (what and why)")],
    )  # fmt: skip


def _compared_form(one: Document, clash: Clash) -> Mapping[str, Any]:
    """Return a document as it is compared: the text that is kept beside it counts where it is another."""
    spec = one.written()
    if len({clash.base.aside, clash.mine.aside, clash.theirs.aside}) == 1:
        return spec
    return {**spec, "text of the other pane": one.aside}
