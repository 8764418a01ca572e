"""Questions that rest on facts: read, shown, and given back to the act, which compares them when it is done.

The page behind a question may read again as often as it likes: nothing of it is asked when the answer comes. An
act that is refused because the facts changed asks anew, with both, and with what was typed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from quarterdeck.model.errors import (
    InvalidInputError,
    NotFoundError,
    OvertakenError,
    QuarterdeckError,
)
from quarterdeck.present import inert
from quarterdeck.present.table import Cell
from quarterdeck.tui import problems
from quarterdeck.tui.marks import TYPED_FROM

if TYPE_CHECKING:
    from quarterdeck.present.table import Line
    from quarterdeck.tui.page import Page
    from quarterdeck.tui.widgets.dialog import Answer, Dialog

F = TypeVar("F")


@dataclass(frozen=True)
class Question(Generic[F]):
    """One question over `page`.

    `what` is waited for; `read` gives the facts, on a thread; `dialog` shows them, with what was typed before if
    it is asked anew, or says why there is nothing to ask (None); `act` is given facts and answer, on a thread,
    `done` what came of it, `failed` what was raised. `anew` are the errors after which it is asked again.
    """

    page: Page
    what: str
    read: Callable[[], F]
    dialog: Callable[[F, Answer | None], Dialog | None]
    act: Callable[[F, Answer], Any]
    done: Callable[[Any], None]
    failed: Callable[[BaseException], None] | None = None
    anew: tuple[type[QuarterdeckError], ...] = (OvertakenError, InvalidInputError)

    def ask(self) -> None:
        """Read the facts and show them."""
        self.page.ask(self.what, self.read, lambda facts: self._show(facts, None, None))

    def _show(self, facts: F, before: Answer | None, error: BaseException | None) -> None:
        if not self.page.is_in_front:
            return
        dialog = self.dialog(facts, before)
        if dialog is None:
            return
        if error is not None:  # what to do about it is before the eyes
            dialog.tell([(Cell(inert.line(getattr(error, "message", str(error))), "bad"),)])
        self.page.app.push_screen(dialog, lambda answer: self._answered(facts, answer))

    def _answered(self, facts: F, answer: Answer | None) -> None:
        if answer is not None:
            self.page.ask(
                self.what, lambda: self.act(facts, answer), self.done,
                failed=lambda error: self._failed(answer, error),
            )  # fmt: skip

    def _failed(self, answer: Answer, error: BaseException) -> None:
        if not isinstance(error, self.anew) or not self.page.is_in_front:
            (self.failed or self.page.fail)(error)
            return
        self.page.shell.note(problems.brief(error), "bad")
        self.page.ask(self.what, self.read, lambda facts: self._show(facts, answer, error))


@dataclass(frozen=True)
class Batch(Generic[F]):
    """Several things as they were read: `there` with its key each, and `left`, what cannot be acted on and why."""

    there: list[tuple[Any, F]] = field(default_factory=list)
    left: list[tuple[Any, QuarterdeckError]] = field(default_factory=list)


@dataclass(frozen=True)
class Several(Generic[F]):
    """One act on several marked rows: all are shown in one question, and each is acted on as it was shown.

    `keys` are those of the rows; `read` gives the facts of one, `line` shows them, `act` is given them. `dialog`
    is given the lines, and the text that has to be typed (empty: none). `said` says what was done to so many.
    """

    page: Page
    what: str
    keys: Sequence[Any]
    read: Callable[[Any], F]
    line: Callable[[F], Line]
    act: Callable[[F], Any]
    dialog: Callable[[int, list[Line], str], Dialog]
    said: Callable[[int], str]
    typed_from: int = TYPED_FROM

    def ask(self) -> None:
        """Read the facts of each and show them."""
        self.page.ask(self.what, self._read, self._show)

    def _read(self) -> Batch[F]:
        batch: Batch[F] = Batch()
        for key in self.keys:
            try:
                batch.there.append((key, self.read(key)))
            except QuarterdeckError as error:
                batch.left.append((key, error))
        return batch

    def _show(self, batch: Batch[F]) -> None:
        if not self.page.is_in_front:
            return
        self.page.acted([key for key, error in batch.left if isinstance(error, NotFoundError)])
        left = [_told(error) for _, error in batch.left]
        if not batch.there:
            self.page.shell.panel("Nothing can be done", left)
            return
        lines = [self.line(facts) for _, facts in batch.there]
        if left:
            lines += [(), (Cell("Left alone:", "head"),), *left]
        many = len(batch.there)
        dialog = self.dialog(many, lines, str(many) if many >= self.typed_from else "")
        self.page.app.push_screen(dialog, lambda answer: self._answered(batch, answer))

    def _answered(self, batch: Batch[F], answer: Answer | None) -> None:
        if answer is not None:
            self.page.ask(self.what, lambda: self._act(batch), self._done)

    def _act(self, batch: Batch[F]) -> tuple[list[Any], list[QuarterdeckError]]:
        done, refused = [], []
        for key, facts in batch.there:
            try:
                self.act(facts)
                done.append(key)
            except QuarterdeckError as error:
                refused.append(error)
        return done, refused

    def _done(self, outcome: tuple[list[Any], list[QuarterdeckError]]) -> None:
        done, refused = outcome
        self.page.acted(done)
        if done:
            self.page.say(self.said(len(done)), "good")
        if refused and self.page.is_in_front:
            self.page.shell.panel(f"{len(refused)} refused", [_told(error) for error in refused])
        for error in refused:
            self.page.shell.note(problems.brief(error), "bad")
        self.page.load()


def _told(error: BaseException) -> Line:
    return (Cell(inert.line(problems.brief(error)), "bad"),)
