"""Who may do what, as one table; a refusal says the rule and who may."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from quarterdeck.model.actor import ALLOWED, Actor, Verdict
from quarterdeck.model.errors import NotAllowedError
from quarterdeck.model.ids import TeamId


class Role(StrEnum):
    """What an actor is to a subject."""

    ORG_ADMIN = "org_admin"
    OWNER = "owner"
    SHARED = "shared"
    NONE = "none"


SHARED_ACTIONS: Final = frozenset({"view", "log", "run", "retry", "export"})
OWNER_ACTIONS: Final = SHARED_ACTIONS | {
    "run_draft", "cancel", "edit", "publish", "activate", "schedule", "pause", "share", "delete",
}  # fmt: skip
"""Everything may be done by owning team and org admins; a shared team triggers and looks."""


def role(actor: Actor, team: TeamId | None, shared: Sequence[TeamId] = ()) -> Role:
    """Return what the actor is to something that `team` owns and that is shared to `shared`.

    What no team owns (cluster, catalog, team, workspace) is seen by every actor of a team.
    """
    if actor.is_org_admin:
        return Role.ORG_ADMIN
    if team is None:
        return Role.SHARED if actor.teams else Role.NONE
    if team in actor.teams:
        return Role.OWNER
    return Role.SHARED if set(shared) & set(actor.teams) else Role.NONE


def may(actor: Actor, action: str, team: TeamId | None, shared: Sequence[TeamId] = ()) -> Verdict:
    """Return whether the actor may do `action`; `why_not` holds the rule without a team's name."""
    if action not in OWNER_ACTIONS:
        raise AssertionError(f"{action} is not in the table of actions")
    found = role(actor, team, shared)
    if found in (Role.ORG_ADMIN, Role.OWNER):
        return ALLOWED
    if found is Role.SHARED and action in SHARED_ACTIONS:
        return ALLOWED
    if team is None:
        return Verdict(allowed=False, why_not="only org admins may do this")
    return Verdict(
        allowed=False, why_not=f"only members of the owning team and org admins may {action}"
    )


def actions(actor: Actor, team: TeamId | None, shared: Sequence[TeamId] = ()) -> frozenset[str]:
    """Return all that the actor may do."""
    found = role(actor, team, shared)
    if found in (Role.ORG_ADMIN, Role.OWNER):
        return OWNER_ACTIONS
    return SHARED_ACTIONS if found is Role.SHARED else frozenset()


def is_visible(actor: Actor, team: TeamId | None, shared: Sequence[TeamId] = ()) -> bool:
    """Whether it exists for this actor at all."""
    return role(actor, team, shared) is not Role.NONE


def demand(
    actor: Actor,
    action: str,
    what: str,
    team: TeamId | None,
    shared: Sequence[TeamId] = (),
    *,
    names: Callable[[TeamId], str] = str,
) -> None:
    """Raise NotAllowedError with the rule, the actor's own teams and who may; `names` shows a team."""
    verdict = may(actor, action, team, shared)
    if verdict.allowed:
        return
    verb = action.replace("_", " ")
    allowed = [f"team {names(team)}"] if team is not None else []
    allowed.append("org admins")
    rule = f"only {'members of ' + names(team) + ' and ' if team is not None else ''}org admins may {verb}"
    yours = [names(t) for t in actor.teams]
    raise NotAllowedError(
        f"{actor.name} may not {verb} {what}: {rule}.",
        advice=f"Your teams: {', '.join(yours) or 'none'}. Ask {' or '.join(allowed)}.",
        allowed=allowed,
        rule=rule,
        your_teams=yours,
    )
