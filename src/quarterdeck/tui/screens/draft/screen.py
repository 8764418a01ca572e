"""The draft of a job: its text, its settings, what is wrong with it; saved while one types, then published.

What becomes of what is typed is the session's to decide (`editing`); the page feeds and obeys it through its desk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, assert_never

from textual.containers import Horizontal
from textual.widgets import TextArea

from quarterdeck.present import inert
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions, header, problems, starting
from quarterdeck.tui.acts import JobActs
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.draft import keeping, looks
from quarterdeck.tui.screens.draft.desk import Desk
from quarterdeck.tui.screens.draft.protocol import (
    Acting,
    Around,
    Arrive,
    Asking,
    Drawing,
    Elsewhere,
    NextProblem,
    OfferUndo,
    Plan,
    Run,
    Say,
    Set,
    Show,
    Tell,
    Ticked,
    Took,
    Turned,
    Typed,
    Wish,
    Wished,
    WithdrawUndo,
)
from quarterdeck.tui.screens.draft.questions import Questions
from quarterdeck.tui.screens.draft.session import Session, unsaved
from quarterdeck.tui.screens.draft.troubles import Troubles
from quarterdeck.tui.widgets.editor import CodeEditor
from quarterdeck.tui.widgets.find_bar import FindBar
from quarterdeck.tui.widgets.frame import LineBox
from quarterdeck.tui.widgets.problem_strip import ProblemStrip

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from quarterdeck.tui.actions import Action
    from quarterdeck.tui.widgets.spec_sheet import SpecSheet

SIDE_FROM: Final = 100  # columns of the terminal: then the sheet takes the right half
TICK_S: Final = 0.1


class DraftPage(JobActs):
    """The place's name is the job's name; `more` holds line, column, and what was typed and not yet saved."""

    BINDINGS = actions.bindings(
        "editor.save", "editor.run", "editor.pane", "editor.options", "editor.next_problem", "editor.find",
        "editor.publish", "editor.external", "editor.plan",
    )  # fmt: skip
    FOOTER: ClassVar = (
        "editor.save", "editor.run", "editor.next_problem", "editor.options", "editor.pane", "editor.publish",
    )  # fmt: skip
    WATCHES: ClassVar = frozenset({"jobs", "drafts"})
    ARRIVES_AT_ONCE: ClassVar = False
    DEFAULT_CSS = """
    DraftPage #panes { height: 1fr; }
    DraftPage CodeEditor { width: 1fr; height: 1fr; }
    DraftPage #sheet-box { width: 1fr; height: 1fr; display: none; }
    DraftPage.-sheet #sheet-box { display: block; }
    DraftPage.-sheet.-narrow CodeEditor { display: none; }
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.desk = Desk(self, place)
        self.questions = Questions(self, self.desk)
        self.sheet: SpecSheet | None = None
        self.troubles = Troubles(self, self._to_field)
        self._drawn: object = None

    @property
    def session(self) -> Session:
        """The session as it stands."""
        return self.desk.session

    @property
    def _is_here(self) -> bool:
        """Whether there is an editor: at the end of the application pages go by and by."""
        return self.is_mounted and self.editor.is_attached

    # --- frame

    def body(self) -> ComposeResult:
        """Yield the banner, the tabs of texts, the panes, find and problems."""
        yield LineBox(id="banner")
        yield LineBox(id="texts", classes="line", ground="surface")
        self.editor = CodeEditor(id="editor", locked=self.session.text[2])
        with Horizontal(id="panes"):
            yield self.editor
            yield Horizontal(id="sheet-box")
        self.find = FindBar(id="find")
        yield self.find
        yield ProblemStrip(id="troubles")

    def on_mount(self) -> None:
        """Give the keys to the text."""
        self.query_one("#banner").display = False
        self.editor.focus()
        self.watch(self.editor, "selection", self.on_cursor_moved, init=False)
        self.set_interval(TICK_S, self.on_tick)

    def crumb(self) -> tuple[list[Cell], list[Cell]]:
        """Return job, base, when it was saved, and how much is wrong."""
        return looks.crumb(self.session, self.shell.now())

    def draw_frame(self) -> None:
        """Draw the frame and the line of texts."""
        super().draw_frame()
        if not self.is_mounted:
            return
        self._drawn = looks.drawn(self.session)
        self.set_class(self.size.width < SIDE_FROM, "-narrow")
        banner = looks.banner(self.session, self.shell.key_of("editor.save"))
        box = self.query_one("#banner", LineBox)
        box.display = bool(banner)
        box.show([Cell(problems.here(banner), "bad")])
        self._draw_texts()

    def _draw_texts(self) -> None:
        left, right = looks.texts(self.session, self.editor.place_text)
        self.query_one("#texts", LineBox).show(left, right=right)

    def place(self) -> Place:
        """Return the job's draft with the cursor, and what is not saved yet."""
        if self.session.facts is None:
            return self.opened
        line, column = self.editor.place
        more: dict[str, Any] = {"line": line, "column": column}
        if (kept := unsaved(self.session)) is not None:
            more["typed"] = keeping.to_document(kept)
        return Place("draft", self.job_name(), "", more)

    def verdict(self, action: Action) -> bool | None:
        """Offer to take a text only where it lies elsewhere."""
        if action.id == "editor.take":
            return self.session.doc.is_elsewhere
        return super().verdict(action)

    # --- what the session hears

    def draw_if_other(self) -> None:
        """Draw what is around the text, if it is another than was drawn last."""
        if not self._is_here or self._drawn == looks.drawn(self.session):
            return
        self._show_troubles()
        self.draw_frame()

    def _show_troubles(self) -> None:
        if self._is_here and (facts := self.session.facts) is not None:
            self.troubles.show(facts, is_own=self.session.doc.pane == self.session.doc.own)

    def look_in(self) -> None:
        """Let the session hear what lies over the page, and what stands in the editor."""
        why = header.why_read_only(self.shell.header) if self.shell.read_only else ""
        around = Around(why, self.is_in_front)
        if around != Around(self.session.read_only, self.session.is_in_front):
            self.desk.hear(around)
        if self.session.facts is not None and not self.editor.read_only and self.editor.exact:
            self.desk.hear(Typed(self.editor.text))

    def load(self) -> None:
        """Read the draft, or what was written since."""
        self.desk.hear(Elsewhere(is_asked=True))

    def changed(self, changes: list[tuple[str, str, str]]) -> None:
        """Look at what was written of this job."""
        if (facts := self.session.facts) and any(one == facts.id for _, one, _ in changes):
            self.desk.hear(Elsewhere())

    def on_tick(self) -> None:
        """Let time pass; what lies over the page may be gone, and --read-only lifted."""
        self.desk.hear(Ticked())

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Take note that something is typed."""
        event.stop()
        self.look_in()

    def on_cursor_moved(self) -> None:
        """Say where the cursor is and that something is typed, in the same drawing as the key's own."""
        if self.is_mounted:
            self.look_in()
            self._draw_texts()

    def on_spec_sheet_changed(self) -> None:
        """Take note that a setting is another."""
        if self.sheet is not None:
            self.desk.hear(Set(self.sheet.document()))

    def on_code_editor_noticed(self, message: CodeEditor.Noticed) -> None:
        """Say what the editor did to what was put in."""
        self.say(message.text, message.tone, keep=False)

    def leaving(self) -> None:
        """Save what is typed, behind a save under way; what cannot be saved is kept and offered again."""
        self.desk.leave()

    # --- what the session asks for

    def obey(self, effect: Drawing | Asking | Acting) -> None:
        """Do it, unless the application ends."""
        if not self._is_here:
            return
        if isinstance(effect, Drawing):
            self._draw_effect(effect)
        elif isinstance(effect, Asking):
            self.questions.ask(effect)
        else:
            self._act(effect)

    def _draw_effect(self, effect: Drawing) -> None:
        match effect:
            case Show():
                self._show(effect)
            case Arrive():
                self._arrive()
            case Say(words, tone, is_kept):
                self.say(words, tone, keep=is_kept)
            case Tell(error):
                self.fail(error)
            case _:
                assert_never(effect)

    def _act(self, effect: Acting) -> None:
        match effect:
            case Run(seen):
                starting.start_draft(self, self.session.read.id, self.job_name(), seen)
            case Plan(is_draft):
                self.show_plan(self.job_name(), draft=is_draft)
            case NextProblem():
                self.troubles.go_to_next()
            case OfferUndo():
                self.questions.offer_undo(self.session.read.id, effect)
            case WithdrawUndo():
                self.shell.withdraw_undo()
            case _:
                assert_never(effect)

    def _show(self, effect: Show) -> None:
        """Put a document into the editor, and into the settings sheet."""
        queries = self.session.facts.queries if self.session.facts else {}
        text, language, locked = effect.doc.shown(queries)
        editor, place = self.editor, self.editor.place
        is_same = language == editor.language and not locked and not editor.read_only
        if effect.has_undo and is_same:
            editor.replace_all(text)
        elif text != editor.text or bool(locked) != editor.read_only or not is_same:
            editor.hold(text, language=language, locked=locked)
            if is_same:
                editor.go_to(*place)
        if editor.notice:
            self.rest(Cell(inert.line(editor.notice), "wait"))
        if self.sheet is not None and effect.with_settings:
            self.sheet.load(effect.doc.written())
        self._show_troubles()

    def _arrive(self) -> None:
        """Go where the cursor was, and let the keys come that waited for the text."""
        more = self.opened.more
        if isinstance(more.get("line"), int):
            self.editor.go_to(more["line"], int(more.get("column", 1)))
        self.arrive()

    def _to_field(self, path: str) -> None:
        """Go to a field of the settings sheet."""
        if not self.has_class("-sheet"):
            self.action_editor_options()
        self.call_after_refresh(self._go_to_field, path)

    def _go_to_field(self, path: str) -> None:
        if self.sheet is not None:
            self.sheet.go_to(path)
            self.sheet.focus()

    # --- leaving

    def back(self) -> bool:
        """Close find, then the sheet."""
        if self.find.is_open:
            self.find.close()
            return True
        if self.has_class("-sheet"):
            self.action_editor_options()
            return True
        return False

    # --- acts

    def job_name(self) -> str:
        """Return the job, as it is called now."""
        return self.session.facts.job if self.session.facts else self.opened.name

    def last_run_id(self) -> str:
        """Return nothing: the editor is about no run."""
        return ""

    def may(self) -> Sequence[str] | None:
        """Return None: who may not edit it does not come here."""
        return None

    def facts(self) -> Mapping[str, str]:
        """Return the job for commands."""
        return {"job": self.job_name()}

    def copyable(self) -> str:
        """Return the text."""
        return self.editor.text

    def action_editor_save(self) -> None:
        """Save now."""
        self.desk.hear(Wished(Wish.SAVE))

    def action_editor_find(self) -> None:
        """Find in the text."""
        self.find.open(self.editor)

    def action_editor_next_problem(self) -> None:
        """Put the cursor on the next problem; what is typed is saved, and so checked, before."""
        self.desk.hear(Wished(Wish.PROBLEM))

    def action_editor_options(self) -> None:
        """Open or close the settings sheet."""
        from quarterdeck.tui.widgets.spec_sheet import SpecSheet

        if (facts := self.session.facts) is None:
            return
        if self.has_class("-sheet"):
            self.remove_class("-sheet")
            self.editor.focus()
            return
        spec = self.session.doc.written()
        if self.sheet is None:
            self.sheet = SpecSheet(spec, facts.choices)
            self.query_one("#sheet-box").mount(self.sheet)
        else:
            self.sheet.load(spec)
        self.add_class("-sheet")
        self.call_after_refresh(self.sheet.focus)
        self.call_after_refresh(self._show_troubles)

    def action_editor_pane(self) -> None:
        """Show the other pane: SQL or Python."""
        self.desk.hear(Turned())
        self.editor.focus()

    def action_editor_take(self) -> None:
        """Take the text that lies elsewhere, or the other pane's, into this job."""
        self.desk.hear(Took())
        self.editor.focus()

    def action_editor_run(self) -> None:
        """Save, then run the draft."""
        self.desk.hear(Wished(Wish.RUN))

    def action_editor_plan(self) -> None:
        """Save, then show what a run of the draft would be; where there is no draft it is live's."""
        self.desk.hear(Wished(Wish.PLAN))

    def action_editor_publish(self) -> None:
        """Save, show what goes live, and ask."""
        self.desk.hear(Wished(Wish.PUBLISH))

    def action_draft_discard(self) -> None:
        """Save, so that it can be brought back, and discard the draft."""
        self.desk.hear(Wished(Wish.DISCARD))

    def action_draft_reset(self) -> None:
        """Save, so that it can be brought back, and make the draft equal to live."""
        self.desk.hear(Wished(Wish.RESET))

    def action_editor_external(self) -> None:
        """Open the text in `$VISUAL` or `$EDITOR`."""
        from quarterdeck.tui.screens.draft import external

        external.edit_text(self, self.editor, ".sql" if self.session.doc.pane == "SQL" else ".py")

    def action_editor_write(self) -> None:
        """Write the text to a file."""
        from quarterdeck.tui.screens.draft import external

        external.ask_for_file(self, self.job_name(), self.editor.text)
