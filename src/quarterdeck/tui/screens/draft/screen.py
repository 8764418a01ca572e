"""The draft of a job: its text, its settings, what is wrong with it; saved while one types, then published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.containers import Horizontal

from quarterdeck.model.errors import ConflictError
from quarterdeck.present import ages, inert, job_page
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.draft.saving import Saving, Shown
from quarterdeck.tui.screens.draft.source import OTHER
from quarterdeck.tui.widgets.editor import CodeEditor
from quarterdeck.tui.widgets.find_bar import FindBar
from quarterdeck.tui.widgets.frame import LineBox
from quarterdeck.tui.widgets.problem_strip import ProblemStrip

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from quarterdeck.present.table import Line
    from quarterdeck.tui.actions import Action
    from quarterdeck.tui.widgets.dialog import Answer

QUIET_S: Final = 0.4  # after the last key
LONGEST_S: Final = 0.8  # after the first key that is not saved
SIDE_FROM: Final = 100  # columns of the terminal: then the sheet takes the right half


class DraftPage(Saving):
    """The place's name is the job's name; `more` holds line, column, and what was typed and not yet saved."""

    BINDINGS = actions.bindings(
        "editor.save", "editor.run", "editor.pane", "editor.options", "editor.next_problem", "editor.find",
        "editor.publish", "editor.external", "editor.plan",
    )  # fmt: skip
    FOOTER: ClassVar = (
        "editor.save", "editor.run", "editor.next_problem", "editor.options", "editor.pane", "editor.publish",
    )  # fmt: skip
    WATCHES: ClassVar = frozenset({"jobs", "drafts"})
    DEFAULT_CSS = """
    DraftPage #panes { height: 1fr; }
    DraftPage CodeEditor { width: 1fr; height: 1fr; }
    DraftPage #sheet-box { width: 1fr; height: 1fr; display: none; }
    DraftPage.-sheet #sheet-box { display: block; }
    DraftPage.-sheet.-narrow CodeEditor { display: none; }
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._next = -1

    # --- frame

    def body(self) -> ComposeResult:
        """Yield the banner, the tabs of texts, the panes, find and problems."""
        yield LineBox(id="banner")
        yield LineBox(id="texts", classes="line")
        self.editor = CodeEditor(id="editor")
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
        self.set_interval(0.1, self.look_about)

    def crumb(self) -> tuple[list[Cell], list[Cell]]:
        """Return job, base, when it was saved, and how much is wrong."""
        left = [Cell(inert.line(self.opened.name), "head"), Cell(" > Draft", "dim")]
        shown = self.shown
        if shown is None:
            return left, []
        base = f"   based on v{shown['based_on']}"
        stale = shown["based_on"] != shown["live_version"]
        left.append(
            Cell(
                f"{base}, live is v{shown['live_version']}" if stale else base,
                "bad" if stale else "dim",
            )
        )
        if self.dirty_since is not None or self.is_saving:
            left.append(Cell("   not saved yet", "busy"))
        elif self.saved_at:
            left.append(Cell(f"   saved {self.saved_at} as draft, not live", "dim"))
        elif shown["is_draft"]:
            at = ages.age(shown["at"], self.shell.now())
            left.append(Cell(f"   draft by {inert.line(shown['author'])}, {at}", "dim"))
        wrong = sum(not one.is_warning for one in self.troubles)
        right = [Cell(f"{ages.count(wrong, 'problem')} ", "bad")] if wrong else []
        return left, right

    def draw_frame(self) -> None:
        """Draw the frame and the line of texts."""
        super().draw_frame()
        if not self.is_mounted:
            return
        self.set_class(self.size.width < SIDE_FROM, "-narrow")
        box = self.query_one("#banner", LineBox)
        box.display = bool(self.banner)
        box.show([Cell(self.banner, "bad")])
        self._draw_texts()

    def on_cursor_moved(self) -> None:
        """Say where the cursor is and that something is typed, in the same drawing as the key's own."""
        if self.is_mounted:
            self._look_at_text()
            self._draw_texts()

    def _draw_texts(self) -> None:
        """Draw the line of texts: which is in front, and where the cursor is in it."""
        cells = []
        for name in ("SQL", "Python"):
            here = name == self.texts.pane
            mark = " *" if name == self.texts.own(self.spec) else ""
            cells.append(
                Cell(f"[{name}{mark}] " if here else f" {name}{mark}  ", "head" if here else "dim")
            )
        cells.append(Cell(self.texts.says(self.spec), "wait"))
        right = [Cell(f"{self.editor.place_text}  ", "dim")]
        if self.shown is not None:
            right.append(Cell(f"profile {inert.line(self.shown['profile'])} ", "dim"))
        self.query_one("#texts", LineBox).show(cells, right=right)

    def place(self) -> Place:
        """Return the job's draft with the cursor, and what is not saved yet."""
        line, column = self.editor.place
        more: dict[str, Any] = {"line": line, "column": column}
        if self.dirty_since is not None and self.shown is not None:
            more["typed"] = {"spec": self.document(), "rev": self.rev}
        return Place("draft", self.opened.name, "", more)

    def verdict(self, action: Action) -> bool | None:
        """Offer to take a text only where it lies elsewhere."""
        if action.id == "editor.take":
            return self.texts.is_elsewhere(self.spec)
        return super().verdict(action)

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
        """Return the job."""
        return self.opened.name

    def last_run_id(self) -> str:
        """Return nothing: the editor is about no run."""
        return ""

    def may(self) -> Sequence[str] | None:
        """Return None: who may not edit it does not come here."""
        return None

    def facts(self) -> Mapping[str, str]:
        """Return the job for commands."""
        return {"job": self.opened.name}

    def copyable(self) -> str:
        """Return the text."""
        return self.editor.text

    def action_editor_save(self) -> None:
        """Save now."""
        self.save(then=lambda: self.say("saved as draft, not live", "good", keep=False))

    def action_editor_find(self) -> None:
        """Find in the text."""
        self.find.open(self.editor)

    def action_editor_next_problem(self) -> None:
        """Put the cursor on the next problem; what is typed is saved, and so checked, before."""
        if self.dirty_since is not None and not self.is_saving:
            self.save(then=self._to_next_problem)
        else:
            self._to_next_problem()

    def _to_next_problem(self) -> None:
        there = [one for one in self.troubles if not one.is_warning] or list(self.troubles)
        if not there:
            self.say("no problems", "good", keep=False)
            return
        self._next = (self._next + 1) % len(there)
        one = there[self._next]
        if one.line:
            self.editor.go_to(one.line, one.column)
            self.editor.focus()
        else:
            if not self.has_class("-sheet"):
                self.action_editor_options()
            self.call_after_refresh(self._go_to_field, one.path)
        self.say(f"{one.path}: {one.message}", "bad", keep=False)

    def _go_to_field(self, path: str) -> None:
        if self.sheet is not None:
            self.sheet.go_to(path)
            self.sheet.focus()

    def action_editor_options(self) -> None:
        """Open or close the settings sheet."""
        from quarterdeck.tui.widgets.spec_sheet import SpecSheet

        if self.shown is None:
            self.early = self.action_editor_options
            return
        if self.has_class("-sheet"):
            self.remove_class("-sheet")
            self.editor.focus()
            self._hold_if_other()
            return
        if self.sheet is None:
            self.sheet = SpecSheet(self.document(), self.shown["choices"])
            self.query_one("#sheet-box").mount(self.sheet)
        else:
            self.sheet.load(self.document())
        self.add_class("-sheet")
        self.call_after_refresh(self.sheet.focus)

    def on_form_changed(self) -> None:
        """Take note that a setting is another."""
        if self.sheet is not None:
            self.spec = self.texts.document(self.sheet.document())
            self.dirty()

    def _hold_if_other(self) -> None:
        text, language, locked = self.texts.shown(self.spec)
        if text != self.editor.text or bool(locked) != self.editor.read_only:
            self.editor.hold(text, language=language, locked=locked)
        self.draw_frame()

    def action_editor_pane(self) -> None:
        """Show the other pane: SQL or Python."""
        self.texts.turn()
        self._hold_if_other()
        self.editor.focus()
        own = self.texts.own(self.spec)
        if own and own != self.texts.pane:
            self.say(
                f"this draft is {own}; the palette makes it {self.texts.pane}: take it",
                "wait",
                keep=False,
            )

    def action_editor_take(self) -> None:
        """Take the text that lies elsewhere, or the other pane's, into this job."""
        self.spec = self.texts.adopt(self.spec)
        if self.sheet is not None:
            self.sheet.load(self.spec)
        self._hold_if_other()
        self.dirty()
        self.editor.focus()
        self.say(
            f"the text is kept with this job now, as {OTHER[self.texts.pane]}", "good", keep=False
        )

    def action_editor_run(self) -> None:
        """Save, then run the draft."""
        self.save(then=self._run_draft)

    def _run_draft(self) -> None:
        if self.shown is not None and not self.shown["is_draft"]:
            self.say("nothing differs from live; Esc, then r runs that", "wait", keep=False)
        else:
            self.start_run(self.opened.name, draft=True)

    def action_editor_plan(self) -> None:
        """Save, then show what a run of the draft would be; where there is no draft it is live's."""

        def show() -> None:
            is_draft = self.shown is not None and bool(self.shown["is_draft"])
            self.show_plan(self.opened.name, draft=is_draft)

        if self.shown is None and not self.shell.read_only:
            self.early = self.action_editor_plan
        elif self.dirty_since is not None and not self.shell.read_only:
            self.save(then=show)
        else:
            show()

    def action_editor_publish(self) -> None:
        """Save, show what goes live, and ask."""
        name = self.opened.name

        def ask() -> None:
            if self.shown and self.shown["based_on"] != self.shown["live_version"]:
                self.conflict_with_live()
                return
            self.ask(
                "what would go live", lambda: self.services.drafting.diff(name), self._ask_publish
            )

        self.save(then=ask)

    def _ask_publish(self, differences: Sequence[Any]) -> None:
        from quarterdeck.tui.widgets.dialog import Choice, Dialog, Field

        if not self.is_in_front or self.shown is None:
            return
        if not differences:
            self.say("nothing to publish: the draft equals live", "dim", keep=False)
            return
        wrong = [one for one in self.troubles if not one.is_warning]
        lines: list[Line] = [
            (
                Cell(
                    "Runs made from now on take it; schedule, sharing and running runs stay.",
                    "dim",
                ),
            )
        ]
        lines += [
            (Cell(f"! {inert.line(one.path)}: {inert.line(one.message)}", "bad"),) for one in wrong
        ]
        lines += list(job_page.differences(differences))
        dialog = Dialog(
            f"Make the draft of {self.opened.name} live as v{self.shown['number']}?", lines,
            [Choice("publish", "Go live", "y")], harmful=True, opened_by="ctrl+g",
            fields=[Field("note", "Note (what and why)")],
        )  # fmt: skip
        self.app.push_screen(dialog, self._publish)

    def _publish(self, answer: Answer | None) -> None:
        if answer is None:
            return
        name, rev, note = self.opened.name, self.rev, answer.fields["note"]
        self.ask(
            "publishing",
            lambda: self.services.publishing.publish(name, note=note, expect_rev=rev),
            self._published,
            failed=self._not_published,
        )

    def _not_published(self, error: BaseException) -> None:
        if isinstance(error, ConflictError):
            self.meanwhile()
        else:
            self.fail(error)

    def _published(self, job: Shown) -> None:
        old = job["runs_on_previous"]
        more = (
            f"; {ages.count(len(old), 'run')} under way stay on v{job['previous']}" if old else ""
        )
        self.shown = None
        self.saved_at = ""
        self.load()
        self.say(f"version {job['live_version']} is live{more}", "good")

    def action_editor_external(self) -> None:
        """Open the text in `$VISUAL` or `$EDITOR`."""
        from quarterdeck.tui.screens.draft import external

        if self.editor.read_only or not self.editor.exact:
            self.say(self.editor.notice, "bad", keep=False)
            return
        suffix = ".sql" if self.texts.pane == "SQL" else ".py"
        text, told = external.edit(self.shell, self.editor.text, suffix)
        if text is not None and text != self.editor.text:
            self.editor.replace_all(text)
        self.say(told, "bad" if text is None else "", keep=False)

    def action_editor_write(self) -> None:
        """Write the text to a file."""
        from quarterdeck.tui.screens.draft import external

        external.ask_for_file(self, self.opened.name, self.editor.text)
