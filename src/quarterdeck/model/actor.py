"""Who acts, and the verdict on an act."""

from typing import NamedTuple

from quarterdeck.model.ids import TeamId


class Actor(NamedTuple):
    """A person or machine: operating-system user name, teams as the workspace maps them.

    `acting_as` is the team that new objects belong to (`--as`); it never widens rights.
    """

    name: str
    teams: tuple[TeamId, ...] = ()
    is_org_admin: bool = False
    acting_as: TeamId | None = None


class Verdict(NamedTuple):
    """May it be done; if not: the rule, and who may."""

    allowed: bool
    why_not: str = ""
    allowed_to: tuple[str, ...] = ()


ALLOWED = Verdict(allowed=True)
