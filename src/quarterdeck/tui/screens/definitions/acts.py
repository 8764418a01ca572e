"""Acts on the definition that a page is about or that is under the cursor: edit, delete, impact, check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.errors import ConflictError
from quarterdeck.present import ages, inert
from quarterdeck.present.table import Cell
from quarterdeck.tui.asked import Question, Several
from quarterdeck.tui.page import Page

if TYPE_CHECKING:
    from quarterdeck.model.shown import Deletion
    from quarterdeck.present.table import Line
    from quarterdeck.tui.actions import Action
    from quarterdeck.tui.place import Place
    from quarterdeck.tui.widgets.dialog import Answer, Dialog

Row = Mapping[str, Any]
OWNED: Final = ("profile", "query")  # by a team; the others are the org admins'


class ItemActs(Page):
    """A page gives `item`: kind and row of the definition, None for none."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.gone: set[str] = set()  # what was deleted here

    def item(self) -> tuple[str, Row] | None:
        """Return kind and row of the definition that an act on one takes."""
        raise NotImplementedError

    def items(self) -> Sequence[tuple[str, Row]]:
        """Return kind and row of each definition that the next act takes."""
        found = self.item()
        return [] if found is None else [found]

    def _named(self) -> tuple[str, str] | None:
        """Return kind and name (of a query: its id), or say that there is none."""
        found = self.item()
        if found is None:
            self.say("nothing is under the cursor", "dim", keep=False)
            return None
        return found[0], called(*found)

    def verdict(self, action: Action) -> bool | None:
        """Dim what the actor may not do; a check is a cluster's alone."""
        found = self.items()
        if not found:
            return True
        if action.id == "item.check":
            return any(kind == "cluster" for kind, _ in found)
        if action.id == "item.duplicate":
            return found[0][0] == "query"
        if action.id not in ("item.edit", "item.delete", "item.external") or not self.shell.header:
            return True
        return True if all(self._may(*one) for one in found) else None

    def _may(self, kind: str, row: Row) -> bool:
        header = self.shell.header
        return header["org_admin"] or (kind in OWNED and row.get("team") in header["teams"])

    def refused(self, action: Action) -> None:
        """Say the rule, the actor's teams and who may."""
        found = next((one for one in self.items() if not self._may(*one)), self.item())
        if found is not None:
            kind, name = found[0], called(*found)
            verb = "delete" if action.id == "item.delete" else "edit"
            self.ask(
                "the rule",
                lambda: self.services.definitions.why_not(kind, name, verb),
                lambda why: self.shell.panel("Not allowed", [(Cell(inert.line(why or "")),)]),
            )

    def facts(self) -> Mapping[str, str]:
        """Return kind and name for the commands."""
        found = self.item()
        return {} if found is None else {"kind": found[0], "name": called(*found)}

    def copyable(self) -> str:
        """Return the name; of a query its id."""
        found = self.item()
        return "" if found is None else called(*found)

    def action_item_edit(self) -> None:
        """Open the form of the definition; of a query its text."""
        if found := self._named():
            kind, name = found
            self.open("query" if kind == "query" else "new", name, kind)

    def action_item_external(self) -> None:
        """Open it as a file in the user's own editor."""
        if found := self._named():
            from quarterdeck.tui.screens.definitions import outside

            outside.edit(self, *found)

    def action_item_duplicate(self) -> None:
        """Open a new query with the text of this one."""
        found = self.item()
        if found is not None and found[0] == "query":
            row = found[1]
            typed = {"name": f"{row['name']} copy", "team": row["team"], "text": row["text"]}
            self.open("query", "", typed=typed)

    def action_item_history(self) -> None:
        """Open its revisions."""
        if found := self._named():
            self.open("item", found[1], found[0], pane="revisions")

    def action_item_impact(self) -> None:
        """Open the jobs that use it."""
        if found := self._named():
            self.open("item", found[1], found[0], pane="jobs")

    def action_item_check(self) -> None:
        """Run the checks of the marked clusters, or of this one, and keep what they say."""
        taken = self.items()
        names = [called(kind, row) for kind, row in taken if kind == "cluster"]
        others = [called(kind, row) for kind, row in taken if kind != "cluster"]
        if others or not names:
            told = f"{', '.join(others)}: " if others else ""
            self.say(f"{told}only clusters have checks", "dim", keep=False)
        else:
            self.ask(
                f"the checks of {', '.join(names)}",
                lambda: [self.services.clusters.check(name) for name in names],
                self._checked,
                group="check",
            )

    def _checked(self, clusters: Sequence[Row]) -> None:
        bad = [one for one in clusters if one["status"] != "active"]
        if len(clusters) > 1:
            told = ", ".join(f"{one['name']} is {one['status']}" for one in clusters)
            self.say(told, "bad" if bad else "good")
        else:
            self._say_checks(clusters[0])
        self.acted([one["id"] for one in clusters])
        self.load()

    def _say_checks(self, cluster: Row) -> None:
        failed = [one["name"] for one in cluster["checks"] if one["level"] == "failed"]
        text = f"cluster {cluster['name']} is {cluster['status']}"
        if failed:
            self.say(f"{text}: {', '.join(failed)} failed; Enter shows what to do", "bad")
        else:
            self.say(f"{text}; {ages.count(len(cluster['checks']), 'check')} passed", "good")

    # --- delete

    def action_item_delete(self) -> None:
        """List what uses it; where nothing does, ask for its name, with several for their number."""
        taken = self.items()
        if len(taken) > 1:
            self._delete_several(taken)
        elif found := self._named():
            self._delete(*found)

    def _delete(self, kind: str, name: str) -> None:
        def dialog(facts: Deletion, before: Answer | None) -> Dialog | None:
            from quarterdeck.tui.widgets.dialog import Choice, Dialog

            if facts.used_by or facts.hidden:
                self._in_use(kind, name, facts.used_by, facts.hidden)
                return None
            lines = [
                (Cell("Nothing uses it: no live version, no draft, no version to go back to."),),
                (Cell(f"It is at revision {facts.revision}."),),
                (Cell("Runs that took it keep what they took.", "dim"),),
            ]
            made = Dialog(
                f"Delete {kind} {name}?", lines, [Choice("delete", "Delete")],
                harmful=True, opened_by="X", typed=name,
            )  # fmt: skip
            made.fill(before.fields if before else {})
            return made

        def act(facts: Deletion, _: Answer) -> object:
            return self.services.definitions.delete(kind, name, shown=facts)

        Question(
            self, f"{kind} {name}", lambda: self.services.definitions.deletion(kind, name), dialog,
            act, lambda _: self.deleted(kind, name),
            failed=lambda error: self._not_deleted(kind, name, error),
        ).ask()  # fmt: skip

    def _delete_several(self, taken: Sequence[tuple[str, Row]]) -> None:
        known = {row["id"]: (kind, called(kind, row)) for kind, row in taken}

        def read(key: str) -> Deletion:
            facts = self.services.definitions.deletion(*known[key])
            if used := [*facts.used_by, *(["what you may not see"] if facts.hidden else [])]:
                raise ConflictError(f"{facts.kind} {facts.name} is in use by {', '.join(used)}.")
            return facts

        def line(facts: Deletion) -> Line:
            return (
                Cell(inert.line(f"{facts.kind} {facts.name}")),
                Cell(f"  revision {facts.revision}; nothing uses it", "dim"),
            )

        def dialog(many: int, lines: list[Line], typed: str) -> Dialog:
            from quarterdeck.tui.widgets.dialog import Choice, Dialog

            return Dialog(
                f"Delete {many}?", lines, [Choice("delete", "Delete")], harmful=True,
                opened_by="X", typed=typed,
            )  # fmt: skip

        def act(facts: Deletion) -> None:
            self.services.definitions.delete(facts.kind, facts.name, shown=facts)
            self.gone.add(facts.name)

        Several(
            self, f"{len(known)} definitions", list(known), read, line, act, dialog,
            lambda many: f"{many} deleted", typed_from=1,
        ).ask()  # fmt: skip

    def _not_deleted(self, kind: str, name: str, error: BaseException) -> None:
        if isinstance(error, ConflictError) and "used_by" in error.facts:
            self._in_use(kind, name, error.facts["used_by"], error.facts["hidden"])
        else:
            self.fail(error)

    def _in_use(self, kind: str, name: str, used: Sequence[str], hidden: int) -> None:
        """Say that it stays, and offer each use to be opened."""
        from quarterdeck.tui.widgets.dialog import Choice
        from quarterdeck.tui.widgets.menu import Menu

        lines = [
            (
                Cell(
                    f"In use by {len(used) + hidden}; it stays. Change or delete those first.",
                    "bad",
                ),
            )
        ]
        if hidden:
            lines.append((Cell(f"{hidden} of them you may not see.", "wait"),))
        if used:
            lines.append((Cell("Enter opens one; Esc closes.", "dim"),))
        choices = [Choice(one, inert.line(one)) for one in used]
        self.shell.note(
            f"{kind} {name} is in use by {', '.join(used) or 'what you may not see'}", "bad"
        )

        def chosen(one: str | None) -> None:
            if one:
                self._open_use(one, of_team=kind == "team")

        self.app.push_screen(Menu(f"{kind} {name} is not deleted", choices, lines), chosen)

    def _open_use(self, one: str, *, of_team: bool) -> None:
        kind, _, name = one.partition(" ")
        if of_team and kind in OWNED:
            self.open("item", name, kind)
        else:
            self.open("job", one, "versions")

    def deleted(self, kind: str, name: str) -> None:
        """Say that it is gone."""
        self.gone.add(name)
        self.say(f"{kind} {name} is deleted")
        self.load()


def called(kind: str, row: Row) -> str:
    """Return what files call it: its name; a query's id."""
    return str(row["id"] if kind == "query" else row["name"])
