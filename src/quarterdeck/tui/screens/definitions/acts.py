"""Acts on the definition that a page is about or that is under the cursor: edit, delete, impact, check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.errors import ConflictError
from quarterdeck.present import ages, inert
from quarterdeck.present.table import Cell
from quarterdeck.tui.page import Page

if TYPE_CHECKING:
    from quarterdeck.tui.actions import Action
    from quarterdeck.tui.widgets.dialog import Answer

Row = Mapping[str, Any]
OWNED: Final = ("profile", "query")  # by a team; the others are the org admins'


class ItemActs(Page):
    """A page gives `item`: kind and row of the definition, None for none."""

    def item(self) -> tuple[str, Row] | None:
        """Return kind and row of the definition that the next act takes."""
        raise NotImplementedError

    def _named(self) -> tuple[str, str] | None:
        """Return kind and name (of a query: its id), or say that there is none."""
        found = self.item()
        if found is None:
            self.say("nothing is under the cursor", "dim", keep=False)
            return None
        return found[0], called(*found)

    def verdict(self, action: Action) -> bool | None:
        """Dim what the actor may not do; a check is a cluster's alone."""
        found = self.item()
        if found is None:
            return True
        if action.id == "item.check":
            return found[0] == "cluster"
        if action.id == "item.duplicate":
            return found[0] == "query"
        if action.id not in ("item.edit", "item.delete", "item.external") or not self.shell.header:
            return True
        header, team = self.shell.header, found[1].get("team")
        may = header["org_admin"] or (found[0] in OWNED and team in header["teams"])
        return True if may else None

    def refused(self, action: Action) -> None:
        """Say the rule, the actor's teams and who may."""
        found = self._named()
        if found is not None:
            verb = "delete" if action.id == "item.delete" else "edit"
            self.ask(
                "the rule",
                lambda: self.services.definitions.why_not(*found, verb),
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
        """Run the checks of the cluster, and keep what they say."""
        if found := self._named():
            kind, name = found
            if kind != "cluster":
                self.say(f"a {kind} has no checks", "dim", keep=False)
                return
            self.ask(
                f"the checks of cluster {name}",
                lambda: self.services.clusters.check(name),
                self._checked,
                group="check",
            )

    def _checked(self, cluster: Row) -> None:
        failed = [one["name"] for one in cluster["checks"] if one["level"] == "failed"]
        text = f"cluster {cluster['name']} is {cluster['status']}"
        if failed:
            self.say(f"{text}: {', '.join(failed)} failed; Enter shows what to do", "bad")
        else:
            self.say(f"{text}; {ages.count(len(cluster['checks']), 'check')} passed", "good")
        self.load()

    # --- delete

    def action_item_delete(self) -> None:
        """List what uses it; where nothing does, ask for its name."""
        if found := self._named():
            kind, name = found
            self.ask(
                f"what uses {kind} {name}",
                lambda: self.services.definitions.used_by(kind, name),
                partial(self._ask_delete, kind, name),
            )

    def _ask_delete(self, kind: str, name: str, used: Row) -> None:
        from quarterdeck.tui.widgets.dialog import Choice, Dialog

        if not self.is_in_front:
            return
        if used["used_by"] or used["hidden"]:
            self._in_use(kind, name, used["used_by"], used["hidden"])
            return
        lines = [
            (Cell("Nothing uses it: no live version, no draft, no version to go back to."),),
            (Cell("Runs that took it keep what they took.", "dim"),),
        ]
        dialog = Dialog(
            f"Delete {kind} {name}?", lines, [Choice("delete", "Delete")],
            harmful=True, opened_by="X", typed=name,
        )  # fmt: skip

        def done(answer: Answer | None) -> None:
            if answer is not None:
                self.ask(
                    f"{kind} {name}",
                    lambda: self.services.definitions.delete(kind, name),
                    lambda _: self.deleted(kind, name),
                    failed=partial(self._not_deleted, kind, name),
                )

        self.app.push_screen(dialog, done)

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
        self.say(f"{kind} {name} is deleted")
        self.load()


def called(kind: str, row: Row) -> str:
    """Return what files call it: its name; a query's id."""
    return str(row["id"] if kind == "query" else row["name"])
