"""The editor of a saved query: name, team and text, its characters counted; whom a save reaches is shown first."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual.containers import Horizontal
from textual.widgets import Input

from quarterdeck.model.errors import InvalidInputError, StaleError
from quarterdeck.model.limits import QUERY_LENGTH
from quarterdeck.present import glyphs, inert
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions, header
from quarterdeck.tui.impact import ask_impact
from quarterdeck.tui.page import Page
from quarterdeck.tui.place import Place
from quarterdeck.tui.screens.definitions.clash import FIELDS, clash, keep_if_lost
from quarterdeck.tui.widgets.editor import CodeEditor
from quarterdeck.tui.widgets.frame import LineBox
from quarterdeck.tui.widgets.problem_strip import ProblemStrip, Trouble

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.widgets import TextArea

    from quarterdeck.model.errors import Problem
    from quarterdeck.tui.widgets.dialog import Answer

Row = Mapping[str, Any]


class QueryPage(Page):
    """A saved query by its id, or a new one where the place has no name.

    What was typed and not saved is kept when the page is left, and is there when it is opened again.
    """

    BINDINGS = actions.bindings("form.save", "form.next_problem", "editor.external")
    FOOTER: ClassVar = ("app.help", "form.save", "form.next_problem", "app.back", "app.palette")
    WATCHES: ClassVar = frozenset({"definitions"})
    ARRIVES_AT_ONCE: ClassVar = False
    DEFAULT_CSS = """
    QueryPage #fields { height: 1; }
    QueryPage #fields LineBox { width: 7; height: 1; }
    QueryPage #fields Input { width: 1fr; height: 1; border: none; background: $panel; padding: 0 1; }
    QueryPage #fields Input:focus { border: none; }
    QueryPage #text { height: 1fr; }
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.row: Row | None = None
        self._problems: list[Problem] = []
        self._at = 0
        self._is_filled = False
        self._is_saving = False  # from the key until it is saved, refused, or not confirmed
        self._began: int | None = None  # the revision that what stands here began from
        self._locked_by = ""
        self._owner = ""  # the team that has it now

    # --- frame

    def body(self) -> ComposeResult:
        """Yield name, team, text and the strip of problems."""
        with Horizontal(id="fields"):
            for one in FIELDS[:2]:
                label = LineBox()
                label.show([Cell(f" {one.capitalize()}", "dim")])
                yield label
                field = Input(id=one, select_on_focus=False)
                field.cursor_blink = False
                yield field
        self.editor = CodeEditor(language="sql", id="text")
        yield self.editor
        yield ProblemStrip(id="problems")

    def on_mount(self) -> None:
        """Begin at the text; a new one begins at its name."""
        if self.opened.name:
            self.editor.focus()
        else:
            header = self.shell.header
            teams = header.get("teams", ())
            team = header.get("acting_as") or (teams[0] if len(teams) == 1 else "")
            self._fill({"name": "", "team": team or "", "text": ""})
            self.query_one("#name", Input).focus()
            self.arrive()

    def crumb(self) -> tuple[list[Cell], list[Cell]]:
        """Return the query, its revision, and whether there is something to save."""
        name = inert.line(self.opened.name or "new query")
        left = [Cell(f"Queries {glyphs.CRUMB} ", "dim"), Cell(name, "head")]
        if self.row is not None:
            by = inert.line(self.row["author"])
            left.append(Cell(f"  revision {self.row['revision']} by {by}", "dim"))
        found, is_dirty = len(self._problems), self.is_dirty
        right = [Cell(f"{found} problem{'' if found == 1 else 's'}  ", "bad")] if found else []
        word = "not saved " if is_dirty else "saved " if self.row else ""
        return left, [*right, Cell(word, "wait" if is_dirty else "dim")]

    @property
    def typed(self) -> dict[str, str]:
        """What stands in the fields."""
        name, team = (self.query_one(f"#{one}", Input).value for one in FIELDS[:2])
        return {"name": name, "team": team, "text": self.editor.text}

    @property
    def is_dirty(self) -> bool:
        """Whether something else was typed than what is saved."""
        return self._is_filled and self.typed != self._saved

    @property
    def _saved(self) -> dict[str, str]:
        row = self.row or {}
        return {one: str(row.get(one, "")) for one in FIELDS}

    def place(self) -> Place:
        """Return the query with what was typed and not saved."""
        more = {"typed": self._kept} if self.is_dirty else self.opened.more
        return Place("query", self.opened.name, "", more)

    @property
    def _kept(self) -> dict[str, Any]:
        """What is kept for whoever comes back: what stands here, and the revision that it began from."""
        return {**self.typed, "began": self._began}

    # --- reading

    def load(self) -> None:
        """Read the query."""
        if name := self.opened.name:
            self.ask(
                f"query {name}",
                lambda: self.services.definitions.show("query", name),
                self._take,
                failed=self._not_read,
                is_left=self._is_filled,
            )

    def _not_read(self, error: BaseException) -> None:
        self.fail(error)
        if not self._is_filled:
            self.arrive()

    def _take(self, row: Row) -> None:
        self._owner = str(row["team"])
        if not self._is_filled:
            self.row, self._began = row, int(row["rev"])
            self._fill(self._saved)
            more = self.opened.more
            self.editor.go_to(int(more.get("line", 1)), int(more.get("column", 1)))
            self.arrive()
        elif self._is_saving:
            return  # its answer says what is there
        elif self.is_dirty:
            if row["rev"] != self._began:
                self._say_who(row)
        elif self.row is None or row["rev"] != self.row["rev"]:
            self.row, self._began = row, int(row["rev"])
            self._show(self._saved)
        self.draw_frame()

    def _say_who(self, row: Row) -> None:
        """Say who saved another revision than the one that what stands here began from."""
        words = f"{row['author']} saved revision {row['revision']} meanwhile"
        self.say(f"{words}; {self.shell.key_of('form.save')} shows both", "bad")

    def _fill(self, document: Mapping[str, str]) -> None:
        """Show what is saved, and over it what was typed before; C-z takes that back."""
        self.editor.text = document["text"]
        self._show(document)
        self._is_filled = True
        self._lock()
        kept = self.opened.more.get("typed") or self.shell.typed.get(self._key)
        self.opened = self.opened._replace(more={})
        if kept and not self._locked_by:
            self._show(kept)
            began = kept.get("began", self._began)
            if self.row is not None and began != self._began:
                self._began = began
                self._say_who(self.row)
            else:
                words = "what you typed last is here again; ^z takes the text back"
                self.say(words, "wait", keep=False)
        elif self.editor.notice:
            self.say(self.editor.notice, "wait", keep=False)
        self._count()

    def _show(self, document: Mapping[str, str]) -> None:
        """Put a document into the fields; the text as one step to undo."""
        for one in FIELDS[:2]:
            self.query_one(f"#{one}", Input).value = document[one]
        self.editor.replace_all(document["text"])

    def _lock(self) -> None:
        """Let nothing be typed by whoever may not; what stands here stays."""
        locked = self._locked_by = self._why_locked()
        for one in FIELDS[:2]:
            self.query_one(f"#{one}", Input).disabled = bool(locked)
        place = self.editor.place
        self.editor.hold(self.editor.text, language="sql", locked=locked)
        self.editor.go_to(*place)
        if locked:
            self.say(locked, "wait", keep=False)

    def _why_locked(self) -> str:
        """Return why nothing may be typed; empty while it may, or while it is not known who is here."""
        shell = self.shell
        return header.why_locked(shell.header, self._owner, read_only=shell.read_only)

    def draw_frame(self) -> None:
        """Draw the frame; who is here and may type may have changed."""
        if self._is_filled and self._why_locked() != self._locked_by:
            self._lock()
        super().draw_frame()

    @property
    def _key(self) -> tuple[str, str]:
        return ("query", self.opened.name)

    def leaving(self) -> None:
        """Keep what was typed in a file if there is no way back to it."""
        if self.is_dirty and self.opened.name:
            keep_if_lost(self.shell, self._key, self.editor.text)

    # --- typing

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Count."""
        event.stop()
        self._count()

    def on_text_area_selection_changed(self, event: TextArea.SelectionChanged) -> None:
        """Say where the cursor is."""
        event.stop()
        self._count()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say that there is something to save."""
        event.stop()
        self._count()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on to the next field."""
        event.stop()
        self.query_one("#team" if event.input.id == "name" else "#text").focus()

    def on_code_editor_noticed(self, message: CodeEditor.Noticed) -> None:
        """Say it."""
        self.say(message.text, message.tone, keep=False)

    def on_key(self, event: events.Key) -> None:
        """Let go of a message with the next key; what is typed is nothing that a page answers."""
        self.unsay()
        if self.focused is not None and event.is_printable:
            event.prevent_default()

    def _count(self) -> None:
        count = len(self.editor.text)
        over = count - QUERY_LENGTH
        told = f"{count:,} of {QUERY_LENGTH:,} characters"
        number = Cell(f"{told}: {over:,} too many", "bad") if over > 0 else Cell(told, "dim")
        self.rest(number, Cell(f"   {self.editor.place_text}", "dim"))
        if self._is_filled:
            if self.is_dirty:
                self.shell.typed[self._key] = self._kept
            elif not self._locked_by:
                self.shell.typed.pop(self._key, None)
            left, right = self.crumb()
            self._box("crumb").show(left, right=right)

    # --- saving

    def action_form_save(self) -> None:
        """Check it, show whom it reaches, save it."""
        document, name = self.typed, self.opened.name
        if self.editor.read_only:
            self.say(self.editor.notice, "bad")
        elif self._is_saving:
            self.say("it is being saved", "dim", keep=False)
        elif not self.is_dirty:
            self.say("nothing was changed", "dim", keep=False)
        elif name:
            self._is_saving = True
            save = partial(self._save, document, self._began)
            ask_impact(
                self, "query", name, document, save, failed=self._refused, left=self._not_confirmed
            )
        else:
            self._save(document, None)

    def _not_confirmed(self) -> None:
        self._is_saving = False
        self.say("not saved; what you typed is here")

    def action_editor_external(self) -> None:
        """Edit the text in the user's own editor."""
        from quarterdeck.tui import external

        if self.editor.read_only:
            self.say(self.editor.notice, "bad")
            return
        text, told = external.edit(self.shell, self.editor.text, ".sql")
        if text is not None:
            self.editor.replace_all(text)
        self.say(told, "" if text is not None else "bad", keep=False)

    def _save(
        self, document: Mapping[str, str], rev: int | None, reach: frozenset[str] | None = None
    ) -> None:
        name, definitions = self.opened.name, self.services.definitions
        self._is_saving = True

        def call() -> Row:
            if not name:
                return definitions.create("query", document)
            return definitions.edit("query", name, document, expect_rev=rev, reach=reach)

        done = partial(self._done, document)
        refused = partial(self._refused, reach=reach)
        self.ask("the save of the query", call, done, failed=refused, is_left=False)

    def _done(self, document: Mapping[str, str], row: Row) -> None:
        """Take note of what is saved; what was typed behind it stays, and is not saved yet."""
        self._is_saving = False
        self.shell.typed.pop(self._key, None)
        self.row, self._began = row, int(row["rev"])
        self.opened = Place("query", row["id"])
        self._show_problems([])
        warned = "".join(f"; {one['message']}" for one in row.get("warnings", ()))
        more = "" if self.typed == document else "; what you typed since is not"
        words = f"query {row['id']} is saved as revision {row['revision']}; the next runs take it"
        self.say(f"{words}{warned}{more}", "good")
        self._count()
        self.draw_frame()
        pages = self.shell.pages
        if self in pages[1:]:
            pages[pages.index(self) - 1].made("query", row["id"])

    def _refused(self, error: BaseException, reach: frozenset[str] | None = None) -> None:
        self._is_saving = False
        if isinstance(error, InvalidInputError):
            self._show_problems(error.problems)
            self.action_form_next_problem()
        elif isinstance(error, StaleError):
            name, mine = self.opened.name, self.typed

            def read() -> tuple[Row, Row]:
                definitions = self.services.definitions
                return definitions.show("query", name), definitions.impact("query", name, mine)

            self.ask(
                f"query {name}", read, lambda found: self._ask_which(error, mine, reach, *found)
            )
        else:
            self.fail(error)

    def _ask_which(
        self, error: StaleError, mine: Mapping[str, str], reach: frozenset[str] | None,
        theirs: Row, edit: Row,
    ) -> None:  # fmt: skip
        """Show their revision beside what was typed; nothing is overwritten unseen."""

        def done(answer: Answer | None) -> None:
            if answer is None:
                self.say("not saved; what you typed is here")
            elif answer.choice == "mine":
                self._save(mine, theirs["rev"], reach)
            else:
                self.row, self._began = theirs, int(theirs["rev"])
                self._show(self._saved)
                self._count()
                self.say("theirs is here; ^z brings your text back", keep=False)
                self.draw_frame()

        self.app.push_screen(clash(self.opened.name, error, mine, theirs, edit), done)

    # --- problems

    def _show_problems(self, found: list[Problem]) -> None:
        self._problems, self._at = found, 0
        shown = [Trouble(one.path, one.message) for one in found]
        self.query_one(ProblemStrip).show_troubles(shown)
        self.draw_frame()

    def action_form_next_problem(self) -> None:
        """Go to the next field with a problem."""
        if not self._problems:
            self.say("no problems", "dim", keep=False)
            return
        one = self._problems[self._at % len(self._problems)]
        self._at += 1
        self.query_one(f"#{one.path}" if one.path in FIELDS else "#text").focus()
