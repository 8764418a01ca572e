"""Sessions of the draft editor over one store, in any order of answers: nothing lost, doubled, or replaced unseen.

The sessions are the pure machine; the store is the real service over memory. What somebody typed is told by marks,
each typed once: a mark that is nowhere any more was lost, unless somebody who had seen it replaced it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from quarterdeck.model import draft
from quarterdeck.model.errors import QuarterdeckError
from quarterdeck.service.bundle import Services
from quarterdeck.tui.screens.draft import editing, keeping, session
from quarterdeck.tui.screens.draft.desk import perform
from quarterdeck.tui.screens.draft.protocol import (
    Answer,
    Around,
    AskClash,
    AskPublish,
    Call,
    Clash,
    ClashAnswered,
    Effect,
    Elsewhere,
    Event,
    Failed,
    Keep,
    KeepFiles,
    Leave,
    Left,
    OfferUndo,
    Publish,
    PublishAnswered,
    Published,
    Set,
    Show,
    Ticked,
    Took,
    Turned,
    Typed,
    Unsaved,
    Wish,
    Wished,
)
from tests.support.services import workspace

MARK = re.compile(r"<\d+>")
WHO = ("ana", "ben")
NAME = "daily"
SESSIONS = int(os.environ.get("QUARTERDECK_TEST_SESSIONS", "1000"))  # of the long count
FILES = ("own", "seen", "replace")
COMMANDS = ("publish", "activate", "discard", "reset", "bring back", "describe", "share")


def marks(*texts: str) -> set[str]:
    return {mark for text in texts for mark in MARK.findall(text)}


class Process:
    """What outlives a session: what it keeps, what was written to files, what was seen."""

    def __init__(self, who: str, services: Services) -> None:
        self.who = who
        self.services = services
        self.kept: dict[str, Any] = {}
        self.remembered: Unsaved | None = None  # of the place, after the process was killed
        self.files: list[str] = []
        self.seen: set[str] = set()
        self.undo: Any = None
        self.look: Unsaved | None = None
        self.editor: Editor | None = None
        self.left: list[Editor] = []

    @property
    def editors(self) -> list[Editor]:
        return [*([self.editor] if self.editor else []), *self.left]


class Editor:
    """A page and its desk without screen and threads: its call is made and answered when the test says."""

    def __init__(self, process: Process, typed: Unsaved | None) -> None:
        self.process = process
        self.session: session.Session = session.Session(NAME, typed)
        self.now = 0.0
        self.text, self.locked = "", True
        self.before: str | None = None  # what undo shows
        self.call: Call | None = None
        self.answer: Answer | None = None
        self.clash: Clash | None = None
        self.publish: draft.Opened | None = None
        self.shown: draft.Opened | None = None  # by the last dialog of a publish
        self.said: list[str] = []
        self.has_shown = False
        self.heard: list[Event] = []
        self.hear(Ticked())

    @property
    def is_covered(self) -> bool:
        """Whether a dialog or another page has the keys."""
        return bool(self.clash or self.publish or not self.session.is_in_front)

    def hear(self, event: Event) -> None:
        self.heard.append(event)
        if len(self.heard) > 1:
            return  # it comes after what is heard just now
        while self.heard:
            self.session, effects = editing.edit(self.session, self.heard[0], self.now)
            for effect in effects:
                self.obey(effect)
            self.has_shown |= any(isinstance(effect, Show) for effect in effects)
            self.heard.pop(0)
        if not self.is_covered:
            self.process.seen |= marks(self.text)

    def obey(self, effect: Effect) -> None:
        process = self.process
        if isinstance(effect, Call):
            assert self.call is None, "two calls on their way"
            assert self.answer is None
            self.call = effect
        elif isinstance(effect, Show):
            assert not self.session.is_left
            assert self.session.is_in_front or not self.has_shown, "what is covered is replaced"
            queries = self.session.facts.queries if self.session.facts else {}
            self.before = self.text if effect.has_undo and not self.locked else None
            self.text, _, why = effect.doc.shown(queries)
            self.locked = bool(why)
        elif isinstance(effect, AskClash | AskPublish):
            self._ask(effect)
        elif isinstance(effect, OfferUndo):
            undo, name = effect, self.session.read.id
            process.undo = lambda: process.services.drafts.bring_back(
                name, undo.number, expect_draft=undo.left
            )
        elif isinstance(effect, Keep):
            if effect.unsaved is None:
                process.kept.pop(effect.id, None)
            else:
                process.kept[effect.id] = json.loads(
                    json.dumps(keeping.to_document(effect.unsaved))
                )
        elif isinstance(effect, KeepFiles):
            process.kept.pop(effect.id, None)
            process.files += effect.texts.values()
        elif isinstance(effect, Leave):
            self.said.append(effect.words)

    def _ask(self, effect: AskClash | AskPublish) -> None:
        assert not self.session.is_left
        assert self.clash is None
        assert self.publish is None
        if not self.session.is_in_front:
            self.hear(
                ClashAnswered(None) if isinstance(effect, AskClash) else PublishAnswered(None)
            )
        elif isinstance(effect, AskClash):
            self.clash = effect.clash
            theirs = effect.clash.theirs
            self.process.seen |= marks(*theirs.texts.values())
        else:
            self.publish = self.shown = effect.draft
            self.process.seen |= marks(json.dumps(dict(effect.draft.spec)))

    def marks(self) -> set[str]:
        """Return what stands here, shown or not."""
        typed = self.session.typed
        held = marks(self.text, *self.session.doc.texts.values())
        return held | (marks(json.dumps(dict(typed.spec)), typed.aside) if typed else set())


class Sessions(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        services, self.ports = workspace(Path(self.folder.name))
        services.definitions.edit("team", "ana", {"members": list(WHO)})
        services.definitions.create("team", {"name": "others", "members": ["carl"]})
        services.definitions.create("query", {"id": "q", "name": "q", "text": "SELECT 'q'"})
        self.admin = services
        self.id = services.jobs.show(NAME)["id"]
        self.spec = services.jobs.document(NAME)["spec"]
        self.processes = [Process(who, Services(self.ports, who)) for who in WHO]
        self.count = 0
        self.typed: set[str] = set()
        self.excused: set[str] = (
            set()
        )  # replaced by somebody who had seen it, or given up by who typed it
        self.is_deleted = False
        for who in (0, 1):
            self.open(who)
            self.all_goes_well(who, 0)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            try:
                self.come_to_rest()
            finally:
                self.folder.cleanup()

    # --- looking

    def stored(self) -> list[str]:
        """Return every text of the job in the store: draft, versions, dropped drafts."""
        store = self.ports.store
        found = store.drafts.find(self.id)
        texts = [json.dumps(dict(found.value.spec)), found.value.aside] if found else []
        texts += [json.dumps(dict(one.value.spec)) for one in store.versions.page(limit=1000)]
        job = store.jobs.find(self.id)
        for one in job.value.dropped if job else ():
            for sha256 in (one.spec_sha256, one.aside_sha256):
                if sha256:
                    texts.append(str(store.frozen.get(sha256).value["spec"]))
        return texts

    def everywhere(self) -> Iterable[str]:
        yield from self.stored()
        for process in self.processes:
            for editor in process.editors:
                yield editor.text
                yield from editor.session.doc.texts.values()
            for kept in process.kept.values():
                yield from (json.dumps(kept["spec"]), kept["aside"])
            yield from process.files
            for typed in (process.remembered, *(one.session.typed for one in process.editors)):
                if typed is not None:
                    yield from (json.dumps(dict(typed.spec)), typed.aside)

    def writing(self, who: Process, act: Any) -> Any:
        """Let somebody write; what is nowhere in the store any more was seen by who replaced it."""
        before = marks(*self.stored())
        done = act()
        gone = before - marks(*self.stored())
        unseen = gone - who.seen
        assert not unseen, f"{who.who} replaced {unseen} unseen"
        self.excused |= gone
        return done

    @invariant()
    def nothing_is_doubled(self) -> None:
        for text in self.everywhere() if hasattr(self, "folder") else ():
            found = MARK.findall(text)
            assert len(found) == len(set(found)), text

    @invariant()
    def nothing_is_lost(self) -> None:
        if hasattr(self, "folder"):
            lost = self.typed - self.excused - marks(*self.everywhere())
            assert not lost, f"{lost} is nowhere"

    # --- somebody at the keys

    def at(self, who: int) -> Editor | None:
        return self.processes[who].editor

    @rule(who=st.integers(0, 1))
    def open(self, who: int) -> None:
        process = self.processes[who]
        if process.editor is None:
            typed, process.remembered = process.remembered, None
            process.editor = Editor(process, typed)

    @rule(who=st.integers(0, 1), at=st.floats(0, 1))
    def type(self, who: int, at: float) -> None:
        editor = self.at(who)
        if editor is None or editor.locked or editor.is_covered:
            return
        self.count += 1
        mark = f"<{self.count}>"
        place = round(at * len(editor.text))
        while place < len(editor.text) and re.match(r"\d*>", editor.text[place:]):
            place += 1  # not into another mark
        editor.text = editor.text[:place] + mark + editor.text[place:]
        self.typed.add(mark)
        editor.process.seen.add(mark)
        editor.before = None
        editor.hear(Typed(editor.text))

    @rule(who=st.integers(0, 1))
    def undo_in_the_editor(self, who: int) -> None:
        editor = self.at(who)
        if (
            editor is not None
            and editor.before is not None
            and not (editor.clash or editor.publish)
        ):
            editor.text, editor.before = editor.before, editor.text
            self.excused |= marks(editor.before) - marks(editor.text)  # taken back by who typed it
            editor.hear(Typed(editor.text))

    @rule(who=st.integers(0, 1), what=st.sampled_from(["turn", "take", "set", "query"]))
    def change(self, who: int, what: str) -> None:
        editor = self.at(who)
        if editor is None or editor.session.facts is None or editor.is_covered:
            return
        if what == "turn":
            editor.hear(Turned())
        elif what == "take":
            self._give_up_own_of_pane(editor)
            editor.hear(Took())
        elif what == "set":
            self.count += 1
            spec = {**editor.session.doc.written(), "timeout": f"{self.count}m"}
            editor.hear(Set(spec))

    def _give_up_own_of_pane(self, editor: Editor) -> None:
        """A text that is taken comes in the place of what the same pane had before."""
        doc = editor.session.doc
        if doc.pane == doc.own and doc.is_elsewhere:
            self.excused |= marks(doc.texts[doc.pane])

    @rule(who=st.integers(0, 1), wish=st.sampled_from(list(Wish)))
    def wish(self, who: int, wish: Wish) -> None:
        editor = self.at(who)
        if editor is not None and not editor.is_covered:
            editor.hear(Wished(wish))

    def answer_a_clash(self, who: int, choice: str | None) -> None:
        editor = self.at(who)
        if editor is None or editor.clash is None:
            return
        before, editor.clash = editor.marks(), None
        editor.hear(ClashAnswered(choice))
        self.excused |= before - editor.marks()  # given up, having seen both

    def answer_a_publish(self, who: int, note: str | None) -> None:
        editor = self.at(who)
        if editor is not None and editor.publish is not None:
            editor.publish = None
            editor.hear(PublishAnswered(note))

    @rule(who=st.integers(0, 1), seconds=st.sampled_from([0.1, 0.5, 4.0]))
    def tick(self, who: int, seconds: float) -> None:
        for editor in self.processes[who].editors:
            editor.now += seconds
            editor.hear(Ticked())

    @rule(who=st.integers(0, 1))
    def hear_of_changes(self, who: int) -> None:
        if (editor := self.at(who)) is not None:
            editor.hear(Elsewhere())

    @rule(who=st.integers(0, 1), what=st.sampled_from(["read-only", "covered"]))
    def stand_around(self, who: int, what: str) -> None:
        if (editor := self.at(who)) is not None and not (editor.clash or editor.publish):
            editor.hear(Around("read-only" if what == "read-only" else "", what != "covered"))

    @rule(who=st.integers(0, 1), seconds=st.sampled_from([0, 1]))
    def all_goes_well(self, who: int, seconds: int) -> None:
        """Nothing lies over the page, time passes, and calls are made and answered."""
        for editor in self.processes[who].editors:
            if not editor.session.is_left:
                editor.hear(Around(read_only="", is_in_front=True))
            for _ in range(4):
                editor.now += seconds
                editor.hear(Ticked())
                self.make(editor)
                self.deliver(editor)

    @rule(who=st.integers(0, 1), wish=st.sampled_from(list(Wish)))
    def wish_and_all_goes_well(self, who: int, wish: Wish) -> None:
        self.wish(who, wish)
        self.all_goes_well(who, 0)

    @rule(who=st.integers(0, 1), at=st.floats(0, 1))
    def type_and_all_goes_well(self, who: int, at: float) -> None:
        self.open(who)
        self.all_goes_well(who, 0)
        self.type(who, at)
        self.all_goes_well(who, 1)

    @rule(who=st.integers(0, 1), choice=st.sampled_from(["mine", "keep", "theirs", None]))
    def answer(self, who: int, choice: str | None) -> None:
        self.answer_a_publish(who, "" if choice else None)
        self.answer_a_clash(who, choice)

    @rule(
        who=st.integers(0, 1), what=st.sampled_from([*FILES, *COMMANDS, "type"]), is_told=st.booleans()
    )  # fmt: skip
    def publish_while_the_other_acts(self, who: int, what: str, *, is_told: bool) -> None:
        """The dialog of a publish is open, the other one does something, then it is confirmed."""
        self.type_and_all_goes_well(who, 1)
        self.wish_and_all_goes_well(who, Wish.PUBLISH)
        if what == "type":
            self.type_and_all_goes_well(1 - who, 0)
        elif what in FILES:
            self.edit_by_file(1 - who, what)
        else:
            self.act_by_command(1 - who, what)
        if is_told:
            self.hear_of_changes(who)
            self.all_goes_well(who, 1)
        self.answer_a_publish(who, "")
        self.all_goes_well(who, 0)

    @rule(who=st.integers(0, 1), what=st.sampled_from([*FILES, *COMMANDS]), is_typed=st.booleans())
    def lie_over_it_while_the_other_acts(self, who: int, what: str, *, is_typed: bool) -> None:
        """A dialog or another page lies over the editor when the other one does something."""
        if is_typed:
            self.type(who, 0.5)
        self.stand_around(who, "covered")
        if what in FILES:
            self.edit_by_file(1 - who, what)
        else:
            self.act_by_command(1 - who, what)
        self.hear_of_changes(who)
        for _ in range(3):
            self.tick(who, 0.5)
            self.an_answer_comes(who, 0)

    @rule(who=st.integers(0, 1), then=st.sampled_from(["answer", "leave", "kill", "take", "fail"]))
    def type_behind_a_save(self, who: int, then: str) -> None:
        """A save is on its way when more is typed."""
        self.type(who, 0.5)
        self.tick(who, 0.5)
        if (editor := self.at(who)) is None:
            return
        if then != "fail":
            self.make(editor)
        self.type(who, 0.5)
        if then == "leave":
            self.leave(who)
        elif then == "kill":
            self.look_where_somebody_is(who)
            self.kill(who, is_made=False)
        elif then == "take":
            self.change(who, "turn")
            self.change(who, "take")
        self.all_goes_well(who, 1)

    @rule(who=st.integers(0, 1), what=st.sampled_from([*FILES, *COMMANDS, "nothing"]))
    def come_back_to_what_was_not_saved(self, who: int, what: str) -> None:
        """Something is typed and not saved, the process is killed or the page left, and the other one acts."""
        self.type(who, 0)
        self.look_where_somebody_is(who)
        self.kill(who, is_made=True)
        if what in FILES:
            self.edit_by_file(1 - who, what)
        elif what != "nothing":
            self.act_by_command(1 - who, what)
        self.open(who)
        self.all_goes_well(who, 0)

    @rule(who=st.integers(0, 1))
    def undo_what_was_dropped(self, who: int) -> None:
        process = self.processes[who]
        undo, process.undo = process.undo, None
        if undo is not None:
            self.allowed(process, undo)

    # --- calls

    def make(self, editor: Editor) -> None:
        """Let the call on its way be made; its answer waits."""
        call, process = editor.call, editor.process
        if call is None:
            return
        answer = self.writing(process, lambda: self._made(process, call))
        if isinstance(answer, Published):
            assert isinstance(call, Publish)
            self._was_shown(editor, call, answer)
        editor.call, editor.answer = None, answer

    def _made(self, process: Process, call: Call) -> Answer:
        def kept(found: draft.Opened) -> Unsaved | None:
            return keeping.from_document(process.kept.get(found.id) or process.kept.get(NAME))

        answer = perform(process.services, call, kept)
        assert not (isinstance(answer, Failed) and answer.is_defect), answer
        return answer

    def _was_shown(self, editor: Editor, call: Publish, answer: Published) -> None:
        """What went live, and what it replaced, is what the dialog showed."""
        shown = editor.shown
        assert shown is not None
        assert shown.bound == call.shown
        assert answer.previous == shown.live_version
        assert answer.live_version == shown.number
        live = self.admin.drafting.open(self.id)
        assert live is not None
        assert live.live == shown.spec

    def deliver(self, editor: Editor) -> None:
        if editor.answer is not None:
            answer, editor.answer = editor.answer, None
            editor.hear(answer)
            editor.process.left = [one for one in editor.process.left if not one.session.is_done]

    def pick(self, who: int, which: int) -> Editor | None:
        editors = self.processes[who].editors
        return editors[which % len(editors)] if editors else None

    @rule(who=st.integers(0, 1), which=st.integers(0, 3))
    def a_call_is_made(self, who: int, which: int) -> None:
        if (editor := self.pick(who, which)) is not None:
            self.make(editor)

    @rule(who=st.integers(0, 1), which=st.integers(0, 3))
    def an_answer_comes(self, who: int, which: int) -> None:
        if (editor := self.pick(who, which)) is not None:
            self.make(editor)
            self.deliver(editor)

    @rule(who=st.integers(0, 1), which=st.integers(0, 3), is_made=st.booleans())
    def a_call_fails(self, who: int, which: int, *, is_made: bool) -> None:
        editor = self.pick(who, which)
        if editor is not None and editor.call is not None:
            if is_made:
                self.make(editor)
            editor.call, editor.answer = None, Failed("the disk is full")
            self.deliver(editor)

    # --- leaving and coming back

    @rule(who=st.integers(0, 1))
    def leave(self, who: int) -> None:
        process = self.processes[who]
        editor = process.editor
        if editor is not None:
            process.editor = process.remembered = process.look = None
            editor.clash = editor.publish = None
            self.deliver(editor)
            editor.hear(Left())
            if not editor.session.is_done:
                process.left.append(editor)

    @rule(who=st.integers(0, 1))
    def look_where_somebody_is(self, who: int) -> None:
        process = self.processes[who]
        if process.editor is not None and process.editor.session.facts is not None:
            process.look = session.unsaved(process.editor.session)

    @rule(who=st.integers(0, 1), is_made=st.booleans())
    def kill(self, who: int, *, is_made: bool) -> None:
        """End the process: what was typed since the last look may be lost, nothing else."""
        process = self.processes[who]
        for editor in process.editors:
            if is_made:
                self.make(editor)
        since = process.editor.marks() if process.editor else set()
        if self.is_deleted:  # those that were left were about to keep in files what the store had
            since |= {mark for editor in process.left for mark in editor.marks()}
        process.remembered = process.look or (
            process.editor.session.typed if process.editor else process.remembered
        )
        process.editor, process.left, process.look, process.undo = None, [], None, None
        self.excused |= since - marks(*self.everywhere())

    # --- others, and the command line

    @rule(who=st.integers(0, 1), how=st.sampled_from(FILES))
    def edit_by_file(self, who: int, how: str) -> None:
        process = self.processes[who]
        self.count += 1
        mark = f"<{self.count}>"
        document = {
            "spec": {**self.spec, "source": {"kind": "snapshot", "text": f"SELECT {mark}"}}
        }
        more: dict[str, Any] = {"replace_draft": how == "replace"}

        def act() -> None:
            if how == "seen":
                found = process.services.drafting.open(self.id)
                assert found is not None
                process.seen |= marks(json.dumps(dict(found.spec)), found.aside)
                more["expect_rev"] = found.rev
            process.services.jobs.edit(self.id, document, **more)
            self.typed.add(mark)
            process.seen.add(mark)

        self.allowed(process, act)

    @rule(who=st.integers(0, 1), what=st.sampled_from(COMMANDS))
    def act_by_command(self, who: int, what: str) -> None:
        process, services = self.processes[who], self.processes[who].services
        acts = {
            "publish": lambda: services.publishing.publish(self.id),
            "activate": lambda: services.publishing.activate(NAME, 1),
            "discard": lambda: services.drafts.discard(self.id),
            "reset": lambda: services.drafts.reset(self.id),
            "bring back": lambda: services.drafts.bring_back(NAME, 1),
            "describe": lambda: services.jobs.edit(self.id, {"description": f"no. {self.count}"}),
            "share": lambda: services.jobs.edit(self.id, {"shared_teams": ["others"]}),
        }
        self.allowed(process, acts[what])

    def allowed(self, process: Process, act: Any) -> None:
        """Let somebody act; a refusal changes nothing."""
        try:
            self.writing(process, act)
        except QuarterdeckError:
            return

    @rule(has_right=st.booleans())
    def right_is_lost_or_given(self, *, has_right: bool) -> None:
        members = list(WHO) if has_right else ["ana"]
        self.admin.definitions.edit("team", "ana", {"members": members})

    @precondition(lambda self: self.count > 12)
    @rule()
    def job_is_deleted(self) -> None:
        """What the store had goes with it; what stands in an editor does not."""
        if not self.is_deleted:
            self.is_deleted = True
            standing = {
                mark for one in self.processes for editor in one.editors for mark in editor.marks()
            }
            kept = {
                mark for one in self.processes for kept in one.kept.values()
                for mark in marks(json.dumps(kept))
            }  # fmt: skip
            self.excused |= marks(*self.stored()) - standing - kept
            self.admin.jobs.delete(NAME)

    # --- the end

    def come_to_rest(self) -> None:
        """With all rights back and all questions answered everything is saved, or kept; nothing hangs."""
        if not self.is_deleted:
            self.admin.definitions.edit("team", "ana", {"members": list(WHO)})
        for number in range(40):
            self.answer_all(is_first=number == 0)
            self.go_on()
        for process in self.processes:
            assert not process.left, "a session that was left does not end"
            if process.editor is not None and not self.is_deleted:
                session = process.editor.session
                assert session.facts is not None
                assert not session.is_dirty, session
                assert process.editor.call is None
                assert session.text[0] == process.editor.text
        for who in (0, 1):
            self.leave(who)
        for _ in range(12):
            self.go_on()
        self.nothing_is_lost()
        self.nothing_is_doubled()

    def answer_all(self, *, is_first: bool) -> None:
        for who, process in enumerate(self.processes):
            if process.editor is not None:
                self.answer_a_clash(who, "mine")
                self.answer_a_publish(who, None)
                process.editor.hear(Around(read_only="", is_in_front=True))
                if process.editor.session.block is session.Block.CLASH:
                    process.editor.hear(Wished(Wish.SAVE))
                elif is_first or process.editor.session.facts is None:
                    process.editor.hear(Elsewhere())

    def go_on(self) -> None:
        for process in self.processes:
            for editor in process.editors:
                editor.now += 5
                editor.hear(Ticked())
                self.make(editor)
                self.deliver(editor)


def check(count: int, steps: int) -> None:
    run_state_machine_as_test(
        Sessions, settings=settings(max_examples=count, stateful_step_count=steps, deadline=None)
    )


@pytest.mark.row("T4")
@pytest.mark.row("B4")
@pytest.mark.row("B7")
@pytest.mark.parametrize(
    ("count", "steps"), [(60, 40), pytest.param(SESSIONS, 60, marks=pytest.mark.long)]
)
def test_nothing_is_lost_doubled_or_replaced_unseen(count: int, steps: int) -> None:
    check(count, steps)
