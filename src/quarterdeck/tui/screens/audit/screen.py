"""The audit trail: who did what when, newest first, read on as one scrolls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from quarterdeck.present import ages, inert, lists, tree
from quarterdeck.present.table import Cell
from quarterdeck.tui.listing import ListPage, Reading
from quarterdeck.tui.widgets.rows import WINDOW, RowList

if TYPE_CHECKING:
    from quarterdeck.service.upkeep import Trail
    from quarterdeck.tui.place import Place

Row = Mapping[str, Any]
PLACES = {"job": ("versions",), "run": ("log",)}
DEFINITIONS = ("profile", "query", "cluster", "catalog", "team")


class AuditPage(ListPage):
    """One row per record; the last line stands for what was not read yet."""

    FOOTER: ClassVar = (
        "app.help", "list.filter", "list.problems", "list.open", "list.reverse", "app.refresh", "app.palette",
    )  # fmt: skip
    WATCHES: ClassVar = frozenset({"audit"})
    COLUMNS: ClassVar = lists.AUDIT
    ORDERS: ClassVar = ("newest",)
    EMPTY: ClassVar = ("Nothing was done yet that you may see.",)

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.records: list[Row] = []
        self._next: str | None = None

    def crumb(self) -> tuple[list[Cell], list[Cell]]:
        """Return how many were read, filter and order."""
        many = f"Audit {len(self.records):,}{'+' if self._next else ''}"
        left = [
            Cell(many, "head"),
            Cell(f"   filter: {inert.line(self.text) or '-'}", "key" if self.text else "dim"),
        ]
        if self.only_problems:
            left.append(Cell("   ! refused only", "bad"))
        if self.rows.marks:
            left.append(Cell(f"   {len(self.rows.marks)} marked", "key"))
        if self.news:
            left.append(Cell(f"   {self.news} new: R", "key"))
        return left, [Cell("oldest first " if self.is_reversed else "newest first ", "dim")]

    # --- reading

    def _look(self, after: str | None, limit: int) -> Trail:
        from quarterdeck.service.upkeep import TrailShown

        shown = TrailShown(self.text, refused=self.only_problems, oldest_first=self.is_reversed)
        return self.services.upkeep.trail(shown, after, limit)

    def load(self) -> None:
        """Read from the beginning, as far as the cursor was."""
        row = self.rows.current
        here = row["id"] if row is not None and self.rows.is_touched else self._cursor_id
        limit = self.rows.cursor + WINDOW
        self.ask(
            "the audit trail",
            lambda: self._look(None, limit),
            partial(self._take_trail, here),
            group="list",
        )

    def _take_trail(self, here: str | None, found: Trail) -> None:
        self.records, self._next, self.news = list(found.rows), found.next, 0
        self._cursor_id = None
        places = {row["id"]: place for place, row in enumerate(self.records)}
        self._show(places.get(here) if here else 0)

    def _show(self, cursor: int | None) -> None:
        total = len(self.records) + (self._next is not None)
        self.counts = Reading(total, total, 0, 0, (), None)
        what = "refused record" if self.only_problems else "record"
        self.rows.empty = (
            (f'no {what} holds "{inert.line(self.text)}". Esc clears.',)
            if self.text
            else (f"no {what} that you may see",)
        )
        self.rows.replace(total, 0, self.records, cursor)
        self.draw_frame()

    def on_row_list_wanted(self, message: RowList.Wanted) -> None:
        """Read on: the last line came into sight."""
        message.prevent_default()  # there are no windows in the middle of a trail
        after = self._next
        if after is not None:
            self.ask("older records", lambda: self._look(after, WINDOW), self._go_on, group="list")

    def _go_on(self, found: Trail) -> None:
        self.records += found.rows
        self._next = found.next
        self._show(self.rows.cursor)

    def changed(self, changes: list[tuple[str, str, str]]) -> None:
        """Read again while nobody moved the cursor; else count what is new."""
        if not self.rows.is_touched:
            self.load()
            return
        known = {row["id"] for row in self.records}
        self.news += len({one for _, one, _ in changes} - known)
        self.draw_frame()

    def detail(self, row: Row) -> list[Cell]:
        """Return subject, team and time to the second."""
        team = f" of {inert.line(row['team'])}" if row["team"] else ""
        times = f"{row['times']} times, last " if row["times"] > 1 else ""
        told = f"{times}{ages.moment(row['at'], self.shell.now())}  {inert.line(row['subject'])}{team}"
        return [Cell(told, "dim")]

    # --- acts

    def facts(self) -> Mapping[str, str]:
        """Return the subject for the commands."""
        row = self.rows.subject
        return {} if row is None else {"name": row["subject"]}

    def copied(self, row: Row) -> str:
        """Return the record in one line."""
        return f"{row['at']} {row['actor']} {row['action']} {row['subject']} {row['outcome']}"

    def action_list_open(self) -> None:
        """Show the record whole, and offer its subject."""
        from quarterdeck.tui.widgets.dialog import Choice
        from quarterdeck.tui.widgets.menu import Menu

        row = self.rows.current
        if row is None:
            return
        kind, _, known = row["subject"].partition("/")
        choices = [Choice("", "Close")]
        if kind in PLACES or kind in DEFINITIONS:
            choices.insert(
                0, Choice("open", f"Open {kind} {inert.line(row['subject_name'])}", "o")
            )

        def chosen(answer: str | None) -> None:
            if answer and kind in PLACES:
                self.open(kind, known, *PLACES[kind])
            elif answer:
                self.open("item", known, kind)

        title = f"Record {row['seq']:,}"
        first = {key: row[key] for key in ("actor", "action", "outcome", "subject", "at")}
        told = first | {key: value for key, value in row.items() if key not in ("id", "seq")}
        self.app.push_screen(Menu(title, choices, list(tree.lines(told))), chosen)
