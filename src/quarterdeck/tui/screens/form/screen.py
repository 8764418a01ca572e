"""The page of a form: what is typed, checked, saved, and what is opened from inside. What each asks: `kinds`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from quarterdeck.model.errors import Problem, StaleError
from quarterdeck.model.form import LENGTHS
from quarterdeck.present import ages, glyphs, inert
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions, problems
from quarterdeck.tui.page import Page
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.form.kinds import Checked, Known, Saved, kind_of, problems_of
from quarterdeck.tui.screens.form.meanwhile import differences, further, kept_under
from quarterdeck.tui.widgets.entries import Sheet
from quarterdeck.tui.widgets.form import Form

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.timer import Timer

    from quarterdeck.tui.widgets.dialog import Answer

IDLE_S: Final = 0.4  # after the last key what was typed is checked


class FormPage(Page):
    """A form over the service. Esc leaves it; what was typed is there when it is opened again."""

    BINDINGS = actions.bindings("form.save", "form.next_problem", "form.reset")
    FOOTER: ClassVar = (
        "form.save", "form.next_problem", "form.reset", "app.back", "app.help", "app.palette",
    )  # fmt: skip
    WATCHES: ClassVar = frozenset({"definitions", "workspace"})
    ARRIVES_AT_ONCE: ClassVar = False

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.kind = kind_of(place.tab or "job", place.name)
        self.sheet = Sheet(self.kind.entries())
        self.known: Known | None = None
        self._tried = False  # problems are shown from the first Save on
        self._is_stale = False  # what was typed began from something else than what is there now
        self._saving: Mapping[str, str] | None = (
            None  # what stood in each field when Save was pressed
        )
        self._aside: Mapping[str, str] = {}
        self._idle: Timer | None = None

    # --- frame

    def body(self) -> ComposeResult:
        """Yield the form."""
        self.form = Form(self.sheet, id="body")
        yield self.form

    def on_mount(self) -> None:
        """Give the keys to the form; one over something that is there waits for it."""
        self.form.display = not self.opened.name
        self.form.focus()
        if not self.opened.name:
            self.arrive()

    def crumb(self) -> tuple[list[Cell], list[Cell]]:
        """Return what it is about; how much is wrong and whether something is to be saved."""
        found = len(self.sheet.problems)
        right = [Cell(f"{ages.count(found, 'problem')}  ", "bad")] if found else []
        right.append(Cell("not saved " if self.typed else "", "wait"))
        return [Cell(self.kind.title, "head")], right

    @property
    def typed(self) -> Mapping[str, str]:
        """What was typed and is not saved."""
        return self.sheet.typed()

    @property
    def _key(self) -> tuple[str, str]:
        return f"new {self.opened.tab or 'job'}", self.opened.name

    def place(self) -> Place:
        """Return the form with what was typed."""
        if self.known is None:
            return self.opened
        kept = self._kept()
        return Place("new", self.opened.name, self.opened.tab, {"typed": kept} if kept else {})

    def _kept(self) -> dict[str, Any]:
        """Return what is kept for whoever comes back: what was typed, and over what; empty: nothing."""
        before = self.known.document if self.known is not None else None
        return {"fields": dict(self.typed), "before": before} if self.typed else {}

    def _keep(self) -> None:
        self.shell.typed[self._key] = self._kept()

    def facts(self) -> Mapping[str, str]:
        """Return what it is about, for the commands."""
        return {"kind": self.kind.kind, "name": self.opened.name, "job": self.opened.name}

    def verdict(self, action: actions.Action) -> bool | None:
        """Dim the save of who may not."""
        if action.id == "form.save" and self.known is not None and self.known.why_not:
            return None
        return True

    def refused(self, action: actions.Action) -> None:
        """Say who may."""
        if self.known is not None and self.known.why_not:
            self.shell.panel("Not allowed", [(Cell(inert.line(self.known.why_not)),)])
        else:
            super().refused(action)

    # --- reading

    def load(self) -> None:
        """Read names to choose from, and what is edited."""
        self.ask(
            f"what {self.kind.title} needs",
            lambda: self.kind.read(self.services),
            self._take,
            group="form",
            failed=self._not_read,
        )

    def _not_read(self, error: BaseException) -> None:
        self.fail(error)
        if self.known is None:
            self.arrive()

    def _take(self, known: Known) -> None:
        is_first, self.known = self.known is None, self._newest(known)
        if known.document is not None and (is_first or not self.typed):
            self.sheet.load(known.document)
        self.sheet.preset(known.presets)
        if is_first:
            self._bring_back()
        self.form.display = True
        self.form.choose_from(known.names)
        if is_first:
            self.form.focus()
            self.form.lines.go_to(self.form.lines.current)
            self.arrive()
        if known.why_not:
            self.say(known.why_not, "bad")
        self._check()
        self.draw_frame()

    def _newest(self, known: Known) -> Known:
        """Return what was read, but over what was typed the document as it was seen then."""
        old = self.known
        if old is None or not self.typed:
            return known
        if known.rev != old.rev:
            self.say(f"{self.kind.title} was changed meanwhile; Save shows both", "bad")
        return known._replace(document=old.document, rev=old.rev)

    def _bring_back(self) -> None:
        """Put back what was typed before; over something else than it was typed over, Save asks first."""
        kept = self.opened.more.get("typed") or self.shell.typed.get(self._key) or {}
        fields = kept.get("fields", {})
        if not fields:
            return
        self.sheet.retype(fields)
        before, known = kept.get("before"), self.known
        self._is_stale = before is not None and known is not None and before != known.document
        if self._is_stale:
            self.say(f"{self.kind.title} was changed meanwhile; Save shows both", "bad")
        else:
            key = self.shell.key_of("form.reset")
            self.say(f"what you typed before is here again; {key} starts over", keep=False)

    # --- checking

    def on_form_changed(self, _: Form.Changed) -> None:
        """Keep what was typed; say what is wrong with it when nothing more comes for a moment."""
        self._keep()
        self.unsay()
        current = self.form.lines.current
        notes = getattr(current, "notes", [])
        if notes:
            self.form.show_problems([one for one in self.sheet.problems if one not in notes])
        if self._idle is not None:
            self._idle.stop()
        self._idle = self.set_timer(IDLE_S, self._check)
        self.draw_frame()

    def _check(self) -> None:
        if self.kind.checks:
            document = self.sheet.document()
            self.ask(
                "the check", lambda: self.kind.check(self.services, document), self._checked, group="check",
                failed=lambda error: self.say(problems.brief(error), "bad", keep=False),
            )  # fmt: skip

    def _checked(self, found: Checked) -> None:
        self.form.show_fixes(found.fixes)
        told = [*self.sheet.flaws(), *found.problems] if self._tried else []
        self.form.show_problems([*told, *found.warnings])
        self.draw_frame()

    # --- acts

    def action_form_next_problem(self) -> None:
        """Put the cursor on the next field with a problem."""
        if not self.form.next_problem():
            key = self.shell.key_of("form.save")
            self.say(f"no problem is known; {key} checks everything and saves", "dim", keep=False)

    def action_form_reset(self) -> None:
        """Drop what was typed, or bring it back."""
        typed = self.typed
        for one in self.sheet.entries:
            one.text = one.written
        self.sheet.retype(self._aside)
        key = self.shell.key_of("form.reset")
        if typed:
            self.say(f"what you typed is out of sight; {key} brings it back", keep=False)
        self._aside = typed
        self._tried = False
        self.form.show_problems([])
        self._keep()
        self._check()
        self.draw_frame()

    def action_form_save(self) -> None:
        """Check everything and save."""
        if self.known is None:
            return
        if self._saving is not None:
            self.say("it is being saved", "dim", keep=False)
            return
        self._tried = True
        document = self.sheet.document()
        if self.sheet.flaws():
            self._tell_flaws(document)
            return
        if self._is_stale:
            self._ask_how_it_is("It was changed after this was typed.")
            return
        self._saving = {one.key: one.text for one in self.sheet.entries}
        save = partial(self._save, document, self.known)
        if not self.kind.asks_impact:
            save()
            return
        from quarterdeck.tui.impact import ask_impact
        from quarterdeck.tui.screens.form.kinds import changed

        edit = changed(self.kind.kind, self.known.document or {}, document)
        ask_impact(
            self, self.kind.kind, self.opened.name, edit, save, failed=self._failed,
            left=self._not_confirmed,
        )  # fmt: skip

    def _not_confirmed(self) -> None:
        self._saving = None
        self.say("not saved; what you typed is here")

    def _tell_flaws(self, document: Mapping[str, Any]) -> None:
        """Say what cannot be read, together with what is wrong with the rest."""
        self.ask(
            "the check",
            lambda: self.kind.check(self.services, document),
            lambda found: self._show([*self.sheet.flaws(), *found.problems]),
            group="check",
        )

    def _save(
        self, document: Mapping[str, Any], known: Known, reach: frozenset[str] | None = None
    ) -> None:
        """Save over what was known when it was asked, whatever the page has read since."""
        bound = known._replace(reach=reach)
        self.ask(
            f"the save of {self.kind.title}",
            lambda: self.kind.save(self.services, document, bound),
            self._saved,
            failed=self._failed,
            is_left=False,
        )

    def _saved(self, saved: Saved) -> None:
        """Go where the form leads; what was typed behind the save is taken up there."""
        texts, self._saving = self._saving or {}, None
        place = further(self.kind, self.opened.tab, saved, self.sheet, texts)
        self.shell.typed.pop(self._key, None)
        self.shell.note(saved.words, "good")
        if self.shell.page is not self:
            if place is not None:
                self.shell.typed[kept_under(place)] = place.more["typed"]
            return
        place = place or saved.place
        below = self.shell.pages[-2]
        self.shell.back()
        below.made(self.kind.kind, saved.name)
        if place is not None:
            self.shell.open(place)  # which holds keys until it is there
        else:
            below.say(saved.words, "good", keep=False)

    def _failed(self, error: BaseException) -> None:
        """Show each problem beside its field; a conflict as a question; anything else as everywhere."""
        self._saving = None
        if isinstance(error, StaleError):
            self._ask_how_it_is(error.message)
            return
        try:
            found = problems_of(error)
        except BaseException:  # noqa: BLE001  # a defect of ours is shown as one
            found = []
        if found:
            self._show(found)
            if any(one.code == "denied" for one in found):
                self.shell.panel(problems.title(error), list(problems.lines(error)))
        else:
            self.fail(error)

    def _show(self, found: list[Problem]) -> None:
        self.form.show_problems(found, jump=True)
        count = ages.count(len(found), "thing")
        key = self.shell.key_of("form.next_problem")
        more = f"; {key} goes to the next" if len(found) > 1 else ""
        self.say(f"not saved, {count} to fix{more}", "bad")
        self.draw_frame()

    def _ask_how_it_is(self, what: str) -> None:
        read = partial(self.kind.read, self.services)
        self.ask("how it is now", read, partial(self._ask_which, what))

    def _ask_which(self, what: str, now: Known) -> None:
        """Show what somebody else saved meanwhile beside what was typed."""
        from quarterdeck.tui.widgets.dialog import Choice, Dialog

        theirs = Sheet(self.kind.entries())
        theirs.load(now.document or {})
        lines = differences(what, self.sheet, theirs)
        choices = [Choice("mine", "Put mine on top", "m"), Choice("theirs", "Take theirs", "t")]

        def done(answer: Answer | None) -> None:
            if answer is None:
                return
            typed, self._is_stale = self.typed, False
            self.known = now
            self.sheet.load(now.document or {})
            if answer.choice == "mine":
                self.sheet.retype(typed)
            else:
                self._aside = typed
                key = self.shell.key_of("form.reset")
                self.say(f"theirs is here; {key} brings back what you typed", keep=False)
            self._keep()
            self.form.lines.redraw()
            if self.typed:
                self.action_form_save()
            self.draw_frame()

        self.app.push_screen(
            Dialog(f"{self.kind.title}: changed meanwhile", lines, choices, harmful=True), done
        )

    # --- from inside the form

    def on_form_make(self, message: Form.Make) -> None:
        """Make a new profile or query on top; it is chosen here when it is saved."""
        self.open("new", "", message.kind)

    def made(self, kind: str, name: str) -> None:
        """Choose what was made on top, where one of its kind is asked for."""
        for one in self.sheet.there():
            if one.named == kind and kind != "team":
                one.words = [*one.words, name]
                self.form.choose(one.path, name)
        self.form.lines.redraw()

    def on_form_mend(self, message: Form.Mend) -> None:
        """Go where it is mended; the form stays below."""
        fix = message.fix
        if fix.where == "team" and not self.shell.header.get("org_admin"):
            self.shell.panel("Something is missing", [(Cell(inert.line(fix.text)),)])
        elif fix.name:
            self.open("item", fix.name, fix.where)
        else:
            self.open("new", "", fix.where)

    def on_form_open_text(self, message: Form.OpenText) -> None:
        """Edit a text of several lines; it is in the form as it is typed."""
        from quarterdeck.tui.widgets.text_sheet import TextSheet

        one = message.entry
        title = f"{self.kind.title} {glyphs.CRUMB} {one.label}"
        self.app.push_screen(
            TextSheet(
                title, one.text, language="python" if one.label == "Script" else "sql",
                most=LENGTHS.get(one.path, 0), notes=[note.message for note in one.notes],
                told=lambda text: self.form.lines.put(one, text),
            )
        )  # fmt: skip
