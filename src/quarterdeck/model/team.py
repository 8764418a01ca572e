"""A team: its members, and where its runs go on each cluster."""

from pydantic import Field

from quarterdeck.model.base import Frozen, Label, Name, Reference, Subdomain


class Place(Frozen):
    """Namespace and service account of the team on one cluster; left out: the cluster's own."""

    namespace: Label | None = None
    service_account: Subdomain | None = None


class TeamFile(Frozen):
    """A team; members are operating-system user names, `clusters` is by the cluster's name."""

    name: Name
    members: list[Name] = Field(default_factory=list)
    clusters: dict[Reference, Place] = Field(default_factory=dict)
