"""The desk of the draft editor: it feeds the session, makes its calls, and goes on when the page is gone.

What is decided is `editing`'s; what is drawn and asked is the page's, which is given each effect that is no call.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, assert_never

from quarterdeck.model import draft
from quarterdeck.model.errors import (
    ConflictError,
    NotAllowedError,
    NotFoundError,
    QuarterdeckError,
)
from quarterdeck.tui import problems
from quarterdeck.tui.messages import Later
from quarterdeck.tui.screens.draft import editing, keeping
from quarterdeck.tui.screens.draft.protocol import (
    Acting,
    Answer,
    Around,
    Asking,
    Call,
    Drawing,
    Drop,
    Dropped,
    Event,
    Failed,
    Keep,
    KeepFiles,
    Keeping,
    Leave,
    Left,
    Opened,
    Publish,
    Published,
    Read,
    Refused,
    Save,
    Saved,
    Say,
    Stale,
    Typed,
    Unchanged,
    Unsaved,
    Wish,
)
from quarterdeck.tui.screens.draft.session import Session
from quarterdeck.tui.unsaved import keep_in_files

if TYPE_CHECKING:
    from quarterdeck.service.bundle import Services
    from quarterdeck.tui.place import Place
    from quarterdeck.tui.shell import Shell

WORDS = {Read: "the draft", Save: "saving the draft", Publish: "publishing", Drop: "the draft"}


class Page(Protocol):
    """What the desk needs of the page that it is part of."""

    @property
    def shell(self) -> Shell:
        """The application."""
        ...

    def ask(
        self, what: str, call: Callable[[], Any], then: Callable[[Any], None] | None = None, *,
        is_left: bool = True,
    ) -> None:  # fmt: skip
        """Call on a thread."""
        ...

    def obey(self, effect: Drawing | Asking | Acting) -> None:
        """Do what the session asks for."""
        ...

    def look_in(self) -> None:
        """Hear what lies over the page and what stands in the editor before anything else is heard."""
        ...

    def draw_if_other(self) -> None:
        """Draw what is another after something was heard."""
        ...


class Desk:
    """The session of one page. All but what `_work` says is called on the event loop."""

    def __init__(self, page: Page, place: Place) -> None:
        typed = keeping.from_document(place.more.get("typed"))
        self.session = Session(place.name, typed)
        self._page = page
        self._shell: Shell
        self._lock = threading.RLock()
        self._answer: Answer | None = None  # given on a thread, not yet heard on the loop
        self._heard: deque[Event] = deque()
        self._is_hearing = False

    @property
    def is_left(self) -> bool:
        """Whether the page is gone."""
        return self.session.is_left

    def hear(self, event: Event) -> None:
        """Let the session know, and do what it asks for; what is heard meanwhile comes after it."""
        with self._lock:
            if not self.is_left and not isinstance(event, Typed | Around):
                self._shell = self._page.shell  # a page that is gone knows it no more
                self._page.look_in()
            self._heard.append(event)
            if self._is_hearing:
                return
            self._is_hearing = True
            try:
                while self._heard:
                    self._take(self._heard.popleft())
            finally:
                self._is_hearing = False
            if not self.is_left:
                self._page.draw_if_other()

    def _take(self, event: Event) -> None:
        self.session, effects = editing.edit(self.session, event, time.monotonic())
        for effect in effects:
            if isinstance(effect, Call):
                self._call(effect)
            elif isinstance(effect, Keeping):
                self._keep(effect)
            elif not self.is_left:
                self._page.obey(effect)
            elif isinstance(effect, Say):
                note = partial(self._shell.note, effect.words, effect.tone)
                self._shell.post_message(Later(note))

    # --- calls

    def _call(self, call: Call) -> None:
        work = partial(self._work, call)
        if self.is_left:
            self._shell.calls.submit(work)
        else:
            self._page.ask(WORDS[type(call)], work, lambda _: self.collect(), is_left=False)

    def _work(self, call: Call) -> None:
        """Make the call, on a thread; if the page is gone, this thread goes on with what comes of it."""
        answer = perform(self._shell.services, call, self._kept)
        with self._lock:
            if self.is_left:
                self.hear(answer)
            else:
                self._answer = answer

    def collect(self) -> None:
        """Hear the answer that a thread has left here."""
        with self._lock:
            answer, self._answer = self._answer, None
            if answer is not None:
                self.hear(answer)

    def leave(self) -> None:
        """Go on without the page: save what is typed, behind the call on its way; keep what cannot be saved."""
        with self._lock:
            self.collect()
            self.hear(Left())

    # --- what is kept

    def _kept(self, found: draft.Opened) -> Unsaved | None:
        """Return what this process keeps of an earlier session."""
        if self.session.facts is not None:
            return None
        typed = self._shell.typed
        kept = typed.get(("draft", found.id)) or typed.get(("draft", self.session.name))
        return keeping.from_document(kept)

    def _keep(self, effect: Keeping) -> None:
        shell = self._shell
        match effect:
            case Keep(id, kept) if kept is not None:
                shell.typed["draft", id] = keeping.to_document(kept)
            case Keep(id):
                self._forget(id)
            case KeepFiles(id, job, texts):
                shell.calls.submit(partial(keep_in_files, shell, ("draft", id), job, texts))
            case Leave(words):
                if words:
                    shell.left_unsaved(words)

    def _forget(self, id: str) -> None:
        for name in (id, self.session.name):
            self._shell.typed.pop(("draft", name), None)


def perform(
    services: Services, call: Call, kept: Callable[[draft.Opened], Unsaved | None]
) -> Answer:
    """Make the call and return what came of it; nothing is raised."""
    try:
        return _done(services, call, kept)
    except NotAllowedError as error:
        return Refused(problems.brief(error), error=error)
    except NotFoundError as error:
        if isinstance(call, Read):
            words = "the job is gone, deleted or moved."
            return Refused(words, is_gone=True, error=error)
        return Stale()  # whether draft or job is gone is seen by reading
    except ConflictError:
        return Stale()
    except QuarterdeckError as error:
        return Failed(problems.brief(error), error)
    except Exception as error:  # noqa: BLE001  # told on the loop, where it is shown
        return Failed(f"{type(error).__name__}: {error}", error, is_defect=True)


def _done(
    services: Services, call: Call, kept: Callable[[draft.Opened], Unsaved | None]
) -> Answer:
    match call:
        case Read(name, unless_rev):
            found = services.drafting.open(name, unless_rev=unless_rev)
            return Unchanged() if found is None else Opened(found, kept(found))
        case Save(name, spec, aside, seen, based_on, mark):
            return Saved(
                services.drafting.save(
                    name, spec, seen=seen, based_on=based_on, aside=aside, mark=mark
                )
            )
        case Publish(name, note, shown):
            job = services.publishing.publish(name, note=note, shown=shown)
            return Published(
                job["live_version"], job["previous"], len(job["runs_on_previous"]),
                job["dropped"]["number"] if job["dropped"] else 0,
            )  # fmt: skip
        case Drop(name, how, seen):
            gone = services.drafts.give_up(name, to_live=how is Wish.RESET, expect_draft=seen)
            found = services.drafting.open(gone.job_id)
            assert found is not None  # noqa: S101  # only what is as it was known is not told
            return Dropped(gone.draft.number, gone.left, found)
    assert_never(call)
