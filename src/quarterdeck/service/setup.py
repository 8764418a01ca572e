"""`init`: a workspace that can run at once. Making the store itself: `wiring`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarterdeck.model import limits
from quarterdeck.model.codec import to_document
from quarterdeck.model.job import Workspace
from quarterdeck.service.clusters import Clusters
from quarterdeck.service.context import WORKSPACE_ID, Context
from quarterdeck.service.definitions import Definitions
from quarterdeck.service.references import World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

CEILINGS = {
    "timeout": limits.TIMEOUT_CEILING.total_seconds(),
    "max_workers": limits.WORKERS_CEILING,
    "max_driver_memory": limits.MEMORY_CEILING_BYTES,
    "max_concurrent_runs": limits.CONCURRENT_RUNS_CEILING,
}
STANDALONE = {
    "mode": "standalone", "driver": {"disk_gib": 10}, "libraries": [], "sail_config": {}, "env": {},
}  # fmt: skip


def init(context: Context, name: str) -> dict[str, Any]:
    """Fill a new store: workspace with its first org admin, team, cluster, catalog and profile."""
    who = context.who
    workspace = new_workspace(name, who, context.now())
    with context.transaction("making a workspace") as tx:
        tx.workspace.put(workspace, seen=None)
        tx.audit.append("workspace.create", "workspace/workspace", name=name, after=workspace)
        world = World(context)
        documents: list[tuple[str, Mapping[str, Any]]] = [
            ("team", {"name": who, "members": [who]}),
            ("cluster", {"name": "local", "kind": "local"}),
            ("catalog", {"name": "main", "kind": "memory"}),
            ("profile", {"name": "small", "team": who, **STANDALONE}),
        ]
        for kind, document in documents:
            value, found, _ = Definitions(context).validate(kind, document, world)
            if found:
                raise AssertionError(f"{kind} of init: {found}")
            Definitions(context).make(tx, world, kind, value or {})
    cluster = Clusters(context).check("local")
    return {
        "workspace": name, "team": who, "cluster": "local", "cluster_status": cluster["status"],
        "catalog": "main", "profile": "small", "store": str(context.ports.store.folder),
    }  # fmt: skip


def new_workspace(name: str, org_admin: str, now: datetime) -> Workspace:
    """Return a workspace as a new one is set."""
    return Workspace(
        id=WORKSPACE_ID, name=name, org_admins=(org_admin,), created_at=now, ceilings=CEILINGS,
        queue_deadline_s=limits.QUEUE_DEADLINE.total_seconds(),
        start_deadline_s=limits.START_DEADLINE.total_seconds(),
        evidence_kept_s=limits.EVIDENCE_KEPT.total_seconds(), kept_s=limits.KEPT.total_seconds(),
    )  # fmt: skip


class Workspaces:
    """Show and edit the workspace."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def show(self) -> dict[str, Any]:
        """Return name, org admins, ceilings and deadlines."""
        kept = self._context.workspace()
        document: dict[str, Any] = to_document(kept.value)
        document.pop("id")
        shown = {name.removesuffix("_s"): value for name, value in document.items()}
        return {**shown, "rev": kept.rev}

    def document(self) -> dict[str, Any]:
        """Return the settings as their file would say them: for `$EDITOR`."""
        from quarterdeck.model import problems as checks  # pydantic

        shown = self.show()
        kept = {name: value for name, value in shown.items() if name not in ("rev", "created_at")}
        return checks.dump("workspace", kept)

    def edit(
        self, document: Mapping[str, Any], *, expect_rev: int | None = None
    ) -> dict[str, Any]:
        """Lay `document` over the workspace's settings; only org admins may, and one must remain."""
        from dataclasses import replace

        from quarterdeck.model import problems as checks
        from quarterdeck.model.errors import ConflictError, NotAllowedError, raise_problems
        from quarterdeck.service.context import expect

        context = self._context
        kept = context.workspace()
        before = kept.value
        with context.recording(
            "workspace.edit", "workspace/workspace", name=before.name, team=None
        ):
            if not context.actor().is_org_admin:
                raise NotAllowedError(
                    f"{context.who} may not edit the workspace: only org admins may.",
                    advice=f"Ask {', '.join(before.org_admins)}.",
                    allowed=["org admins"],
                    rule="only org admins may edit the workspace",
                    your_teams=[context.team_name(team) for team in context.actor().teams],
                )
        parsed = checks.parse("workspace", document, partial=True)
        raise_problems(parsed.problems)
        value = dict(parsed.value or {})
        ceilings = {**before.ceilings, **value.get("ceilings", {})}
        after = replace(
            before,
            name=value.get("name", before.name),
            org_admins=tuple(value.get("org_admins", before.org_admins)),
            ceilings=ceilings,
            queue_deadline_s=value.get("queue_deadline", before.queue_deadline_s),
            start_deadline_s=value.get("start_deadline", before.start_deadline_s),
            evidence_kept_s=value.get("evidence_kept", before.evidence_kept_s),
            kept_s=value.get("kept", before.kept_s),
            file_roots=tuple(value.get("file_roots", before.file_roots)),
        )
        if not after.org_admins:
            raise ConflictError(
                "The last org admin cannot be removed.", advice="Name another one first."
            )
        with context.transaction("editing the workspace") as tx:
            tx.workspace.put(after, seen=expect("the workspace", kept, expect_rev))
            tx.audit.append(
                "workspace.edit",
                "workspace/workspace",
                name=after.name,
                before=before,
                after=after,
            )
        return self.show()
