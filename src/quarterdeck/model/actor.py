"""Who acts, and the verdict on an act."""

from dataclasses import dataclass, field

from quarterdeck.model.ids import TeamId


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or machine: operating-system user name, teams as the workspace maps them.

    `acting_as` is the team that new objects belong to (`--as`); it never widens rights.
    """

    name: str
    teams: tuple[TeamId, ...] = ()
    is_org_admin: bool = False
    acting_as: TeamId | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """May it be done; if not: the rule, and who may."""

    allowed: bool
    why_not: str = ""
    allowed_to: tuple[str, ...] = field(default=())


ALLOWED = Verdict(allowed=True)
