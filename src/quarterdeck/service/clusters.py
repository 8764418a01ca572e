"""A cluster's checks and the status that follows from them: `active` only while all pass."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quarterdeck.model.codec import to_document
from quarterdeck.model.errors import PrerequisiteError, UnreachableError
from quarterdeck.ports.executor import Check
from quarterdeck.service import views
from quarterdeck.service.references import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quarterdeck.model.job import Definition
    from quarterdeck.service.context import Context


def status_of(checks: Sequence[Check]) -> str:
    """Return `active`, `inactive` or `unreachable`."""
    failed = [check.code for check in checks if check.level == "failed"]
    if not failed:
        return "active"
    return "unreachable" if "unreachable" in failed else "inactive"


def other_status(cluster: Definition, checks: Sequence[Check]) -> list[Check]:
    """Return that a cluster is kept with another status than its checks give now; runs go by what is kept."""
    status = status_of(checks)
    if cluster.status == status:
        return []
    text = f"{cluster.name} is kept as {cluster.status}; by these checks it is {status}"
    advice = f"`quarterdeck cluster check {cluster.name}` keeps what they say."
    return [Check("status", "warning", text, advice)]


class Clusters:
    """Use cases on a cluster beyond those of every definition."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def look(self, name: str) -> list[Check]:
        """Run the checks and return them; nothing is written."""
        return self.look_at(self._context.get_definition("cluster", name).value)

    def look_at(self, cluster: Definition) -> list[Check]:
        """Run the checks of a cluster that need not be kept yet."""
        try:
            return self._context.ports.executor(cluster).check(None)
        except (UnreachableError, PrerequisiteError) as error:
            name = "reachable" if isinstance(error, UnreachableError) else "usable"
            return [Check(name, "failed", error.message, error.advice, code=error.code)]

    def rights(self, name: str, *, full: bool) -> list[dict[str, Any]]:
        """Return the documents that give people and runs what they need on the cluster, and no more."""
        cluster = self._context.get_definition("cluster", name).value
        return [dict(one) for one in self._context.ports.executor(cluster).rights(full=full)]

    def check(self, name: str) -> dict[str, Any]:
        """Run the checks, keep status and time, and return the cluster."""
        context = self._context
        context.demand_writable(f"checking cluster {name}")
        checks = self.look(name)
        status = status_of(checks)
        with context.transaction(f"checking cluster {name}") as tx:
            kept = context.get_definition("cluster", name)
            documents = tuple(to_document(check) for check in checks)
            after = replace(kept.value, status=status, checked_at=context.now(), checks=documents)
            tx.definitions.put(after, seen=kept.rev)
            if kept.value.status != status:
                tx.audit.append(
                    "cluster.status", f"cluster/{after.id}", name=name,
                    before=kept.value.status, after=status,
                )  # fmt: skip
        return views.definition(World(context), context.get_definition("cluster", name))
