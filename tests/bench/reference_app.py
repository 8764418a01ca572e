"""The smallest Textual applications beside which ours is measured; started by path: they import nothing else.

python reference_app.py table ROWS | editor sql|python ROWS | tabs | clock
"""

import sys
import time
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding

COLUMNS = ("id", "name", "state", "owner", "last run", "next run")
STATEMENTS = {
    "sql": (
        "-- items of the day, with what they cost",
        "SELECT i.item_id, p.title, sum(i.price * (1 - i.rebate)) AS total",
        "FROM shop.items i JOIN shop.products p ON p.id = i.product_id",
        "WHERE i.day BETWEEN DATE '2026-01-01' AND DATE '2026-12-31' AND p.title LIKE '%y%'",
        "GROUP BY i.item_id, p.title HAVING sum(i.price) > 100 ORDER BY total DESC LIMIT 20;",
        "INSERT INTO report.totals SELECT * FROM staged.totals WHERE day = '2026-12-01';",
        "",
    ),
    "python": (
        'def totals(spark, day: str = "2026-12-01") -> int:',
        '    """Count the items of one day."""',
        '    items = spark.table("shop.items").where(f"day = \'{day}\'")',
        '    for name, factor in [("net", 1), ("gross", 2)]:',
        '        items = items.withColumn(name, items["price"] * factor + 0.5)  # cents',
        "    if items.count() > 100_000:",
        '        raise ValueError(f"too many on {day}")',
        "    return items.count()",
        "",
    ),
}


def text(language: str, lines: int) -> str:
    """Return so many lines of SQL or Python."""
    some = STATEMENTS[language]
    return "\n".join(some[number % len(some)] for number in range(lines))


def row(number: int) -> tuple[str, ...]:
    return (
        f"job-{number:05d}", f"nightly load {number}", "SUCCEEDED", "ops", "2026-12-01 18:00", "2026-12-02 18:00",
    )  # fmt: skip


class Reference(App[None]):
    """One widget, nothing else."""

    ENABLE_COMMAND_PALETTE = False
    CSS = "DataTable, TextArea { height: 1fr; } #clock { width: 8; height: 1; dock: right; }"
    BINDINGS: ClassVar = [Binding("t", "next_tab")]

    def __init__(self, kind: str, *rest: str) -> None:
        super().__init__()
        self.kind = kind
        self.rest = rest

    def compose(self) -> ComposeResult:
        if self.kind == "editor":
            from textual.widgets import TextArea

            language, lines = self.rest
            yield TextArea.code_editor(text(language, int(lines)), language=language)
            return
        from textual.widgets import DataTable, Static

        if self.kind == "clock":
            yield Static("00:00:00", id="clock")
        if self.kind == "tabs":
            from textual.widgets import TabbedContent, TabPane

            with TabbedContent():
                for name in ("Jobs", "Versions", "Runs"):
                    with TabPane(name, id=name.lower()):
                        yield DataTable(cursor_type="row")
            return
        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        if self.kind == "editor":
            from textual.widgets import TextArea

            editor = self.query_one(TextArea)
            editor.focus()
            editor.move_cursor((int(self.rest[1]) // 2, 0))
            return
        from textual.widgets import DataTable

        tables = list(self.query(DataTable))
        rows = int(self.rest[0]) if self.rest else 100
        for number, table in enumerate(tables):
            table.add_columns(*COLUMNS)
            table.add_rows([row(place) for place in range(number * rows, (number + 1) * rows)])
        tables[0].focus()
        if self.kind == "clock":
            self.set_interval(1, self.tick)

    def tick(self) -> None:
        from textual.widgets import Static

        self.query_one("#clock", Static).update(time.strftime("%H:%M:%S"), layout=False)

    def action_next_tab(self) -> None:
        from textual.widgets import TabbedContent

        tabs = self.query_one(TabbedContent)
        names = ("jobs", "versions", "runs")
        tabs.active = names[(names.index(tabs.active) + 1) % len(names)]


if __name__ == "__main__":
    Reference(*sys.argv[1:]).run()
