"""The lists of profiles, queries, clusters with catalogs, and teams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from quarterdeck.present import ages, inert, lists
from quarterdeck.present.table import Cell
from quarterdeck.tui import actions
from quarterdeck.tui.listing import WholeList
from quarterdeck.tui.screens.definitions.acts import ItemActs, called

Row = Mapping[str, Any]


class DefinitionsPage(WholeList, ItemActs):
    """One row per definition of the kinds that the list holds."""

    BINDINGS = actions.bindings(
        "item.edit", "item.external", "item.delete", "item.history", "item.impact"
    )
    FOOTER: ClassVar = (
        "app.help", "list.filter", "list.new", "item.edit", "item.history", "item.impact", "item.delete",
        "app.palette",
    )  # fmt: skip
    WATCHES: ClassVar = frozenset({"definitions"})
    KINDS: ClassVar[tuple[str, ...]]

    def all_rows(self) -> Sequence[Row]:
        """Return all of the kinds, each with what it is."""
        page = self.services.definitions.page
        return [{**row, "what": kind} for kind in self.KINDS for row in page(kind)]

    def haystack(self, row: Row) -> str:
        """Return words, members and authors."""
        return " ".join([super().haystack(row), *row.get("members", ())])

    def detail(self, row: Row) -> list[Cell]:
        """Return who edited it when, and what it is in a few words."""
        told = f"{row['what']} at revision {row['revision']}, by {inert.line(row['author'])}"
        return [Cell(f"{told} · {lists.when(row['at'], self.look())}", "dim")]

    def item(self) -> tuple[str, Row] | None:
        """Return the definition that is marked, if one is, or the one under the cursor."""
        row = self.rows.subject
        return None if row is None else (row["what"], row)

    def items(self) -> Sequence[tuple[str, Row]]:
        """Return the marked definitions, or the one under the cursor."""
        return [(row["what"], row) for row in self.rows.chosen]

    def copied(self, row: Row) -> str:
        """Return its name; of a query its id."""
        return called(row["what"], row)

    def made(self, kind: str, name: str) -> None:
        """Show it at once."""
        self.load()

    def went_away(self, row: Row) -> None:
        """Say which row somebody else took away."""
        if called(row["what"], row) not in self.gone:
            super().went_away(row)

    def action_list_open(self) -> None:
        """Open the one under the cursor."""
        row = self.rows.current
        if row is not None:
            self.open("item", called(row["what"], row), row["what"])

    def action_list_new(self) -> None:
        """Open the form of a new one."""
        self.open("new", "", self.KINDS[0])


class ProfilesPage(DefinitionsPage):
    """Compute profiles."""

    KINDS: ClassVar = ("profile",)
    COLUMNS: ClassVar = lists.PROFILES
    ORDERS: ClassVar = ("name", "mode", "team", "at")
    EMPTY: ClassVar = (
        "No profiles yet. A profile says how large the engine is: mode, driver, workers, settings.",
        "i makes one  ·  quarterdeck profile create -f FILE",
    )

    def detail(self, row: Row) -> list[Cell]:
        """Return nodes and settings in a few words."""
        nodes = [_node(name, row[name]) for name in ("driver", "worker") if row.get(name)]
        options = len(row["sail_config"]) + len(row["env"])
        settings = f"{options} settings" if options else ""
        return [Cell(inert.line(" · ".join(filter(None, [*nodes, settings]))), "dim")]


def _node(name: str, node: Row) -> str:
    parts = [node.get("instance_type"), f"disk {node['disk_gib']} GiB", node.get("capacity_type")]
    most = f"up to {node['max_nodes']} nodes" if node.get("max_nodes") else None
    return f"{name}: " + ", ".join(str(one) for one in [*parts, most] if one)


class QueriesPage(DefinitionsPage):
    """Saved queries."""

    KINDS: ClassVar = ("query",)
    COLUMNS: ClassVar = lists.QUERIES
    ORDERS: ClassVar = ("id", "name", "team", "at")
    EMPTY: ClassVar = (
        "No saved queries yet. A saved query is SQL under an id that several jobs may share.",
        "i makes one  ·  quarterdeck query create -f FILE",
    )

    def detail(self, row: Row) -> list[Cell]:
        """Return how long it is and how it begins."""
        begin = " ".join(row["text"][:200].split())
        return [Cell(f"{len(row['text']):,} characters: "), Cell(inert.line(begin), "dim")]

    def action_list_new(self) -> None:
        """Open an empty text."""
        self.open("query")


class ClustersPage(DefinitionsPage):
    """Clusters, where jobs run, and catalogs, where their tables are."""

    BINDINGS = actions.bindings("item.check")
    FOOTER: ClassVar = (
        "app.help", "list.filter", "list.problems", "list.new", "item.edit", "item.check", "item.delete",
        "app.palette",
    )  # fmt: skip
    KINDS: ClassVar = ("cluster", "catalog")
    COLUMNS: ClassVar = lists.CLUSTERS
    ORDERS: ClassVar = ("what", "name", "kind", "status", "checked_at")
    EMPTY: ClassVar = (
        "No clusters and no catalogs yet: jobs have nowhere to run and no tables.",
        "i makes one  ·  quarterdeck cluster create -f FILE  ·  quarterdeck catalog create -f FILE",
    )

    def sort_key(self, row: Row) -> Any:
        """Clusters come before catalogs, the rest by name."""
        if self.order == "what":
            return (row["what"] != "cluster", row["name"].casefold())
        return super().sort_key(row)

    def needs_attention(self, row: Row) -> bool:
        """Whether it is a cluster that cannot take runs."""
        return bool(row["what"] == "cluster" and row["status"] != "active")

    def title_word(self) -> str:
        """Return what is listed."""
        return "Clusters+catalogs"

    def detail(self, row: Row) -> list[Cell]:
        """Return the first failed check of a cluster and what to do; where a catalog is."""
        failed = [one for one in row.get("checks", ()) if one["level"] == "failed"]
        if failed:
            first = failed[0]
            what = f"{first['name']}: {first['message']}"
            return [Cell(inert.line(what) + " ", "bad"), Cell(inert.line(first["advice"]))]
        where = row.get("uri") or row.get("url") or row.get("namespace") or ""
        return [*super().detail(row), Cell(f" · {inert.line(str(where))}" if where else "", "dim")]

    def action_list_new(self) -> None:
        """Ask which, then open its form."""
        from quarterdeck.tui.widgets.dialog import Choice
        from quarterdeck.tui.widgets.menu import Menu

        choices = [
            Choice("cluster", "Cluster: where jobs run", "c"),
            Choice("catalog", "Catalog: where their tables are", "k"),
        ]

        def chosen(kind: str | None) -> None:
            if kind:
                self.open("new", "", kind)

        self.app.push_screen(Menu("New", choices), chosen)


class TeamsPage(DefinitionsPage):
    """Teams and their members."""

    KINDS: ClassVar = ("team",)
    COLUMNS: ClassVar = lists.TEAMS
    ORDERS: ClassVar = ("name", "at")
    EMPTY: ClassVar = (
        "No teams yet. Jobs, profiles and queries belong to teams.",
        "i makes one  ·  quarterdeck team create -f FILE",
    )

    def detail(self, row: Row) -> list[Cell]:
        """Return what it is called on the clusters."""
        places = [f"{name}: {_place(one)}" for name, one in (row.get("clusters") or {}).items()]
        count = ages.count(len(row["members"]), "member")
        return [Cell(inert.line(" · ".join([count, *places])), "dim")]


def _place(one: Row) -> str:
    return "/".join(str(value) for value in one.values() if value)
