"""Who is here and may do what, in words: the header's line and the reason of a refusal. Nothing is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import NotAllowedError, NotFoundError
from quarterdeck.model.instants import format_instant
from quarterdeck.policy import access
from quarterdeck.service.context import Context
from quarterdeck.service.leases import Leases

if TYPE_CHECKING:
    from quarterdeck.service.clocks import Clocks


class Rights:
    """What a screen says about its caller."""

    def __init__(self, context: Context, clocks: Clocks) -> None:
        self._context = context
        self._clocks = clocks

    def header(self) -> dict[str, Any]:
        """Return workspace, actor, teams, rights, who fires schedules (None: nobody), as they are now.

        `clusters` are those that take no runs, with their status; `clock_step_s` says how far the clock was set.
        """
        context = self._context
        actor = context.actor()
        names = context.team_names()
        return {
            "workspace": context.ports.store.workspace.rows(limit=1)[0].body["name"],
            "actor": actor.name,
            "teams": [names.get(team, team) for team in actor.teams],
            "acting_as": names.get(actor.acting_as) if actor.acting_as else None,
            "org_admin": actor.is_org_admin,
            "read_only": context.read_only,
            "damage": context.ports.store.damage,
            "notices": list(context.ports.store.notices),
            "scheduler": self._scheduler(),
            "clock_step_s": self._clocks.document()["step_s"],
            "clusters": self._clusters(),
        }

    def _clusters(self) -> list[dict[str, Any]]:
        """Return name and status of each cluster that cannot take runs."""
        found = self._context.readable_definitions("cluster")
        return [
            {"name": one.value.name, "status": one.value.status}
            for one in found
            if one.value.status != "active"
        ]

    def _scheduler(self) -> dict[str, Any] | None:
        leases = Leases(self._context)
        lease = leases.held()
        heard_at = leases.heard_at(lease) if lease is not None else None
        if lease is None or heard_at is None:
            return None
        holder = lease.holder
        return {
            "host": holder.host, "pid": holder.pid, "actor": holder.actor,
            "heard_at": format_instant(heard_at),
        }  # fmt: skip

    def why(self, action: str, name: str) -> str | None:
        """Return the words with which `action` on the job of that name is refused; None if it is allowed."""
        context = self._context
        actor = context.actor()
        try:
            job = context.get_job(actor, name).value
            names = context.team_names()
            access.demand(
                actor, action, f"job {name}", job.team, job.shared_teams,
                names=lambda team: names.get(team, team),
            )  # fmt: skip
        except (NotAllowedError, NotFoundError) as error:
            return f"{error.message} {error.advice}".strip()
        return None
