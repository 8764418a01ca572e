"""How the draft editor reads, saves and learns of what others saved. What it shows and does: `screen`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from textual.widgets import TextArea

from quarterdeck.model.errors import NotAllowedError, QuarterdeckError, StaleError
from quarterdeck.present import inert
from quarterdeck.present.table import Cell
from quarterdeck.tui import problems
from quarterdeck.tui.acts import JobActs
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.draft.source import Texts
from quarterdeck.tui.screens.draft.troubles import as_troubles
from quarterdeck.tui.widgets.editor import CodeEditor
from quarterdeck.tui.widgets.problem_strip import ProblemStrip, Trouble

if TYPE_CHECKING:
    from quarterdeck.tui.widgets.spec_sheet import SpecSheet

Shown = Mapping[str, Any]
QUIET_S: Final = 0.4  # after the last key
LONGEST_S: Final = 0.8  # after the first key that is not saved
AGAIN_S: Final = 3.0  # after a save that failed


class Saving(JobActs):
    """Mixed into the draft's page, which makes the `editor` and draws."""

    editor: CodeEditor

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.shown: Shown | None = None
        self.spec: dict[str, Any] = {}
        self.texts = Texts()
        self.sheet: SpecSheet | None = None
        self.troubles: Sequence[Trouble] = ()
        self.banner = ""
        self.saved_at = ""
        self.rev = 0
        self.dirty_since: float | None = None
        self.is_saving = False
        self.is_asking = False  # which of two drafts it is to be
        self._touched = 0.0
        self.early: Callable[[], None] | None = (
            None  # what was asked for before the draft was read
        )

    # --- reading

    def load(self) -> None:
        """Read the draft, or the live version that it would begin from."""
        name = self.opened.name
        self.ask(
            f"the draft of {name}",
            lambda: self.services.drafting.open(name),
            self._take,
            group="open",
        )

    def _take(self, shown: Shown) -> None:
        first = self.shown is None
        ahead = self.editor.text if first else ""  # typed before there was a text to type into
        self.shown, self.rev = shown, shown["rev"]
        self.spec = dict(shown["spec"])
        self.banner = ""
        self.texts.take(self.spec, shown["queries"], shown["aside"])
        self.hold()
        self._tell_troubles(shown)
        if first:
            self._come_back()
        if ahead:
            self.editor.put(ahead)
        if self.sheet is not None:
            self.sheet.load(self.spec)
        if self.early is not None:
            early, self.early = self.early, None
            early()

    def hold(self) -> None:
        """Show the text of the pane in front, as it was read."""
        text, language, locked = self.texts.shown(self.spec)
        if text != self.editor.text or bool(locked) != self.editor.read_only:
            self.editor.hold(text, language=language, locked=locked)
        if self.editor.notice:
            self.rest(Cell(inert.line(self.editor.notice), "wait"))
        self.dirty_since = None
        self.draw_frame()

    def _come_back(self) -> None:
        """Go where the cursor was; what was typed and not saved is offered as if typed now."""
        kept = self.shell.typed.pop(("draft", self.opened.name), {})
        more = {**self.opened.more, **kept}
        typed = more.get("typed")
        if isinstance(typed, Mapping) and isinstance(typed.get("spec"), Mapping):
            spec = dict(typed["spec"])
            if spec != self.spec:
                self.spec = spec
                self.texts.take(self.spec, self.shown["queries"] if self.shown else {})
                text, language, locked = self.texts.shown(self.spec)
                self.editor.hold(text, language=language, locked=locked)
                self.dirty()
                self.say(
                    "what was typed last and not saved is here again; u in the palette keeps it",
                    keep=False,
                )
        if isinstance(more.get("line"), int):
            self.editor.go_to(more["line"], int(more.get("column", 1)))

    def _tell_troubles(self, shown: Shown) -> None:
        self.troubles = as_troubles(shown["problems"], shown["warnings"])
        self.query_one("#troubles", ProblemStrip).show_troubles(self.troubles)
        self.editor.set_problems(
            [one.line for one in self.troubles if one.line and not one.is_warning]
        )
        if self.sheet is not None:
            self.sheet.problems(shown["problems"])
        self.draw_frame()

    def changed(self, changes: list[tuple[str, str, str]]) -> None:
        """Take what somebody else saved, unless something is typed here: then saving says so."""
        mine = [one for one in changes if self.shown is not None and one[1] == self.shown["id"]]
        if not mine or self.is_saving:
            return
        name = self.opened.name
        self.ask(
            "what was saved",
            lambda: self.services.drafting.open(name),
            self._compare,
            group="open",
            failed=self._cannot,
        )

    def _compare(self, shown: Shown) -> None:
        if self.shown is None or shown["rev"] == self.rev or self.is_saving or self.is_asking:
            return  # a save says so itself, if it was of before
        if shown["spec"] == self.shown["spec"] and shown["based_on"] == self.shown["based_on"]:
            self.rev = shown["rev"]
            self.shown = {**shown}
            self.draw_frame()
        elif self.dirty_since is None:
            who = inert.line(str(shown["author"] or "somebody"))
            place = self.editor.place
            self._take(shown)
            self.editor.go_to(*place)
            self.say(f"{who} saved this draft just now; it is shown as saved", "wait")
        else:
            self._conflict(shown)

    # --- saving

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Take note that something is typed."""
        event.stop()
        self._look_at_text()

    def _look_at_text(self) -> None:
        if self.shown is None or self.editor.read_only or not self.editor.exact:
            return
        if self.texts.typed(self.spec, self.editor.text):
            self.dirty()

    def leaving(self) -> None:
        """Save what is typed, behind a save under way; what cannot be saved is offered when one comes back."""
        self._look_at_text()  # a key's message may still be on its way
        if self.dirty_since is None or self.shown is None or self.shell.read_only:
            return
        shell, drafting = self.shell, self.services.drafting
        name, rev, spec, base = self.opened.name, self.rev, self.document(), self.shown
        aside = self.texts.aside(spec)
        shell.typed["draft", name] = {"typed": {"spec": spec, "rev": rev}}
        self.dirty_since = None

        def work() -> None:
            try:
                drafting.save(name, spec, expect_rev=rev, aside=aside)
            except StaleError:
                now = drafting.open(name)
                mine = now["author"] == shell.header.get("actor")
                if not mine or now["based_on"] != base["based_on"]:
                    return  # it is somebody else's now: asked about when one comes back
                drafting.save(name, spec, expect_rev=now["rev"], aside=aside)
            shell.typed.pop(("draft", name), None)

        shell.calls.submit(work)

    def on_code_editor_noticed(self, message: CodeEditor.Noticed) -> None:
        """Say what the editor did to what was put in."""
        self.say(message.text, message.tone, keep=False)

    def dirty(self) -> None:
        """Take note that something is typed; it is saved within a second."""
        now = time.monotonic()
        if self.dirty_since is None:
            self.dirty_since = now
            self.draw_frame()
        self._touched = now

    def look_about(self) -> None:
        """Save when it is time."""
        if self.dirty_since is None or self.is_saving:
            return
        now = time.monotonic()
        if now - self._touched >= QUIET_S or now - self.dirty_since >= LONGEST_S:
            self.save()

    def document(self) -> dict[str, Any]:
        """Return the spec as it stands here, in file form."""
        spec = self.sheet.document() if self.sheet is not None else self.spec
        return self.texts.document(spec)

    def save(self, *, then: Any = None, based_on: int | None = None) -> None:
        """Save what stands here, on a thread; `then` is called when it is saved."""
        if self.shell.read_only:
            return
        if self.shown is None:
            self.early = partial(self.save, then=then, based_on=based_on)
            return
        self.is_saving = True
        self.dirty_since = None
        name, rev, spec = self.opened.name, self.rev, self.document()
        aside = self.texts.aside(spec)
        self.ask(
            "saving the draft",
            lambda: self.services.drafting.save(
                name, spec, expect_rev=rev, based_on=based_on, aside=aside
            ),
            partial(self._saved, spec, then),
            failed=self._not_saved,
            is_left=False,
        )

    def _saved(self, spec: dict[str, Any], then: Any, shown: Shown) -> None:
        self.is_saving = False
        self.shown, self.rev = shown, shown["rev"]
        self.spec = self.texts.merged(shown["spec"])
        self.banner = ""
        self.saved_at = f"{self.shell.now():%H:%M:%S}" if shown["is_draft"] else ""
        self._tell_troubles(shown)
        del spec
        if then is not None:
            then()

    def _not_saved(self, error: BaseException) -> None:
        self.is_saving = False
        self.dirty_since = time.monotonic() + AGAIN_S  # it is tried again
        self._touched = self.dirty_since
        if isinstance(error, StaleError):
            self.meanwhile()
        else:
            self._cannot(error)

    def meanwhile(self) -> None:
        """Look at what somebody else did."""
        name = self.opened.name
        self.ask(
            "what was saved meanwhile",
            lambda: self.services.drafting.open(name),
            self._meanwhile,
            group="open",
            failed=self._cannot,
        )

    def _cannot(self, error: BaseException) -> None:
        if not isinstance(error, QuarterdeckError):
            self.fail(error)
            return
        if isinstance(error, NotAllowedError):
            self.dirty_since = None  # no other try would be heard
        self.banner = f"NOT SAVED: {problems.brief(error)} The text is kept here; write it to a file: palette."
        self.draw_frame()

    def _meanwhile(self, shown: Shown) -> None:
        if (
            self.shown is not None
            and shown["spec"] == self.shown["spec"]
            and shown["based_on"] == self.shown["based_on"]
        ):
            self.rev = shown[
                "rev"
            ]  # nothing of the draft: a name, a note, another version made live
            self.shown = shown
            self.save()
        else:
            self._conflict(shown)

    def _conflict(self, theirs: Shown) -> None:
        """Ask: nobody's text is overwritten unseen."""
        if self.shown is None:
            return
        went_live = theirs["live_version"] != self.shown["live_version"]
        by, at = ("live_by", "live_at") if went_live else ("author", "at")
        did = f"made v{theirs['live_version']} live" if went_live else "saved"
        who, when = theirs[by] or "somebody", str(theirs[at] or "")[:19]
        what = f"{who} {did} at {when}."
        self._ask_which(what, self.shown, theirs, theirs["spec"], theirs["based_on"])

    def conflict_with_live(self) -> None:
        """Ask what becomes of a draft whose base is no longer live."""
        if (shown := self.shown) is not None:
            what = f"{shown['live_by']} made v{shown['live_version']} live at {shown['live_at'][:19]}."
            began = {**shown, "spec": shown["base"]}
            self._ask_which(what, began, shown, shown["live"], shown["live_version"])

    def _ask_which(
        self, what: str, began: Shown, theirs: Shown, their_spec: Shown, their_base: int
    ) -> None:
        from quarterdeck.tui.screens.draft.conflict import Conflict, lay_over

        if not self.is_in_front:
            return
        self.dirty_since = None
        self.is_asking = True
        base, mine = began["spec"], self.document()

        def chosen(choice: str | None) -> None:
            self.is_asking = False
            if choice is None:
                key = self.shell.key_of("editor.save")
                self.banner = f"NOT SAVED: {what} {key} asks again."
                self.draw_frame()
                return
            self.rev, self.shown = theirs["rev"], theirs
            if choice == "keep":
                self.save(based_on=began["based_on"])
                return
            wanted = lay_over(base, mine, their_spec) if choice == "mine" else dict(their_spec)
            self._replace(wanted)
            self.save(based_on=their_base)

        compared = self.services.drafting.compared
        dialog = Conflict(what, compared(base, their_spec), compared(base, mine))
        self.app.push_screen(dialog, chosen)

    def _replace(self, spec: dict[str, Any]) -> None:
        """Show another spec in the place of what stands here; undo brings the text back."""
        self.spec = spec
        self.texts.take(spec, self.shown["queries"] if self.shown else {})
        text, language, locked = self.texts.shown(spec)
        if locked or self.editor.read_only:
            self.editor.hold(text, language=language, locked=locked)
        else:
            self.editor.replace_all(text)
        if self.sheet is not None:
            self.sheet.load(spec)
