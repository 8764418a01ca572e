"""`profile`, `query`, `cluster`, `catalog`, `team`: the same verbs over every kind of definition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from quarterdeck.cli.base import Group, Whole, expect_rev_option, pass_session
from quarterdeck.cli.session import Session
from quarterdeck.cli.values import one_document
from quarterdeck.model.errors import NotFoundError
from quarterdeck.present import columns, tree
from quarterdeck.present import impact as impacts
from quarterdeck.present.file_text import to_yaml
from quarterdeck.present.table import Line, text

_HELP: Final = {
    "profile": "Compute profiles: mode, driver, workers, libraries, engine settings.",
    "query": "Saved queries: shared SQL text, by id.",
    "cluster": "Clusters, where jobs run.",
    "catalog": "Catalogs, where table names resolve.",
    "team": "Teams and their members.",
}
_SAMPLE: Final = {
    "profile": "small", "query": "daily-sales", "cluster": "local", "catalog": "main", "team": "data-eng",
}  # fmt: skip
_PLURAL: Final = {"query": "queries"}


def _group(kind: str) -> Group:
    group = Group(kind, help=_HELP[kind], example=f"quarterdeck {kind} list")
    sample = _SAMPLE[kind]
    word = "ID" if kind == "query" else "NAME"
    name = click.argument("name", metavar=word)
    plural = _PLURAL.get(kind, f"{kind}s")

    @group.command("list", help=f"List the {plural}.", example=f"quarterdeck {kind} list")
    @pass_session
    def list_(session: Session) -> None:
        rows = session.services.definitions.page(kind)
        hint = f"No {plural} here; `quarterdeck {kind} create -f FILE` makes one."
        session.listing(rows, columns.DEFINITIONS[kind], hint)

    @group.command("show", help=f"Show one {kind}.", example=f"quarterdeck {kind} show {sample}")
    @name
    @pass_session
    def show(session: Session, name: str) -> None:
        _answer(session, session.services.definitions.show(kind, name))

    @group.command(
        "create",
        help=f"Create a {kind} from a file.",
        example=f"quarterdeck {kind} create -f {kind}.yaml",
    )
    @click.option(
        "-f", "--file", required=True, metavar="FILE", help="YAML or JSON; `-` is standard input."
    )
    @pass_session
    def create(session: Session, file: str) -> None:
        document, _ = one_document(session, file, kind)
        made = session.services.definitions.create(kind, document)
        session.words(
            made, f"{kind} {made['id' if kind == 'query' else 'name']} was created{_status(made)}"
        )

    @group.command(
        "edit",
        help=f"Change a {kind}; keys left out stay. Without -f, $EDITOR opens.",
        example=f"quarterdeck {kind} edit {sample} -f {kind}.yaml",
    )
    @name
    @click.option(
        "-f", "--file", metavar="FILE", help="What changes, as a file; `-` is standard input."
    )
    @expect_rev_option()
    @pass_session
    def edit(session: Session, name: str, file: str | None, expect_rev: int | None) -> None:
        definitions = session.services.definitions
        if file is not None:
            document, _ = one_document(session, file, kind)
            changed = definitions.edit(kind, name, document, expect_rev=expect_rev)
        else:
            found = _by_hand(session, kind, name, expect_rev)
            if found is None:
                return
            changed = found
        session.words(
            changed, f"{kind} {name} is at revision {changed['revision']}{_status(changed)}"
        )

    @group.command(
        "delete",
        help=f"Delete a {kind} that nothing uses. Asks on a terminal.",
        example=f"quarterdeck {kind} delete {sample} --yes",
    )
    @name
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @expect_rev_option()
    @pass_session
    def delete(session: Session, name: str, yes: bool, expect_rev: int | None) -> int:
        definitions = session.services.definitions
        shown = None if yes else definitions.deletion(kind, name)

        def effect() -> Iterator[Line]:
            gone = definitions.delete(kind, name, shown=shown, expect_rev=expect_rev, dry_run=True)
            yield from tree.lines(definitions.show(kind, name))
            yield (text(f"Nothing uses {kind} {gone['deleted']}."),)

        if not session.confirm(f"deleting {kind} {name}", effect(), yes=yes):
            return 1
        gone = definitions.delete(kind, name, shown=shown, expect_rev=expect_rev)
        session.words(gone, f"{kind} {name} was deleted")
        return 0

    return group


def _add_history(group: Group, kind: str) -> None:
    sample = _SAMPLE[kind]

    @group.command(
        "history",
        help="List its revisions, newest first.",
        example=f"quarterdeck {kind} history {sample}",
    )
    @click.argument("name", metavar="NAME")
    @click.option(
        "--revision",
        type=Whole(1, 10**9, "--revision 3"),
        metavar="N",
        help="Show this one whole.",
    )
    @pass_session
    def history(session: Session, name: str, revision: int | None) -> None:
        rows = session.services.definitions.history(kind, name)
        if revision is None:
            session.listing(rows, columns.HISTORY, "No revisions.")
            return
        found = next((row for row in rows if row["revision"] == revision), None)
        if found is None:
            raise NotFoundError(
                f"{kind} {name} has no revision {revision}.",
                advice=f"`quarterdeck {kind} history {name}` lists them.",
            )
        _answer(session, found)

    @group.command(
        "impact",
        help="Which jobs use it; with -f, what an edit with this file would change in each.",
        example=f"quarterdeck {kind} impact {sample} -f {kind}.yaml",
    )
    @click.argument("name", metavar="NAME")
    @click.option("-f", "--file", metavar="FILE", help="What would change; `-` is standard input.")
    @pass_session
    def impact(session: Session, name: str, file: str | None) -> None:
        document = None if file is None else one_document(session, file, kind)[0]
        found = session.services.definitions.impact(kind, name, document)
        if session.out.as_json:
            session.out.document(found)
            return
        if found["changed"]:
            session.out.lines(impacts.lines(kind, found))
            return
        session.listing(found["jobs"], columns.USERS, f"No job that you see uses {name}.")
        if found["hidden"]:
            session.out.say(f"and {found['hidden']} that you may not see")


def _by_hand(
    session: Session, kind: str, name: str, expect_rev: int | None
) -> dict[str, Any] | None:
    from quarterdeck.cli.editor import edit
    from quarterdeck.service import views
    from quarterdeck.service.references import World

    services = session.services
    kept = services.context.get_definition(kind, name)

    def save(document: Mapping[str, Any]) -> dict[str, Any]:
        return services.definitions.edit(
            kind, name, document, expect_rev=expect_rev, revision=kept.value.revision
        )

    return edit(
        session, kind, name, lambda: views.file_form(World(services.context), kept.value), save
    )


def _status(one: Mapping[str, Any]) -> str:
    return f" and is {one['status']}" if "status" in one else ""


def _answer(session: Session, one: Mapping[str, Any]) -> None:
    session.answer(one, lambda: tree.lines(one))


profile = _group("profile")
query = _group("query")
cluster = _group("cluster")
catalog = _group("catalog")
team = _group("team")
_add_history(profile, "profile")
_add_history(query, "query")


@cluster.command(example="quarterdeck cluster check local")
@click.argument("name", metavar="NAME")
@pass_session
def check(session: Session, name: str) -> int:
    """Run a cluster's checks; it is active only while all pass. Exit 6 if not, 7 if it does not answer."""
    found = session.services.clusters.check(name)
    if session.out.as_json:
        session.out.document(found)
    else:
        session.out.table(columns.CHECKS, found["checks"], session.look())
        advice = [
            f"{one['message']} {one['advice']}" for one in found["checks"] if one.get("advice")
        ]
        session.out.lines([(), *((text("→ " + one),) for one in advice)] if advice else [])
        session.out.say(f"cluster {name} is {found['status']}")
    return {"active": 0, "unreachable": 7}.get(found["status"], 6)


@cluster.command(example="quarterdeck cluster rbac prod | kubectl apply -f -")
@click.argument("name", metavar="NAME")
@click.option("--full", is_flag=True, help="With nodes and Secrets, for better checks.")
@pass_session
def rbac(session: Session, name: str, full: bool) -> int:
    """Print the least rights that people (group quarterdeck-users) and drivers need on a cluster."""
    found = session.services.clusters.rights(name, full=full)
    if session.out.as_json:
        session.out.document(found)
    else:
        for one in found:
            session.out.say("---", *to_yaml(one).rstrip("\n").split("\n"))
    return 0
