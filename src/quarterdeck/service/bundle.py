"""All use cases by name; each is imported when it is first touched, so that a start stays fast."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarterdeck.service.context import Context

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quarterdeck.model.run import Run
    from quarterdeck.ports.bundle import Ports
    from quarterdeck.service.clocks import Clocks
    from quarterdeck.service.clusters import Clusters
    from quarterdeck.service.definitions import Definitions
    from quarterdeck.service.drafting import Drafting
    from quarterdeck.service.drafts import Drafts
    from quarterdeck.service.feed import Changes
    from quarterdeck.service.jobs import Jobs
    from quarterdeck.service.leases import Leases
    from quarterdeck.service.listing import Lists
    from quarterdeck.service.logs import Logs
    from quarterdeck.service.moving import Mover
    from quarterdeck.service.pages import Pages
    from quarterdeck.service.parts import RunParts
    from quarterdeck.service.planning import Planning
    from quarterdeck.service.publishing import Publishing
    from quarterdeck.service.rights import Rights
    from quarterdeck.service.runs import Runs
    from quarterdeck.service.setup import Workspaces
    from quarterdeck.service.upkeep import Upkeep
    from quarterdeck.service.windows import Windows


class Services:
    """What a screen, a command and the scheduler call."""

    def __init__(
        self, ports: Ports, who: str, *, as_team: str | None = None, read_only: bool = False
    ) -> None:
        self.context = Context(ports, who, as_team=as_team, read_only=read_only)
        self.ports = ports

    @cached_property
    def lists(self) -> Lists:
        """The lists of jobs and runs."""
        from quarterdeck.service.listing import Lists

        def unfinished(runs: list[str]) -> list[dict[str, Any]]:
            return self.runs.reconcile(runs)  # its rooms load only if there are any

        return Lists(self.context, unfinished)

    @cached_property
    def windows(self) -> Windows:
        """Windows of the lists on screens."""
        from quarterdeck.service.windows import Windows

        return Windows(self.context)

    @cached_property
    def moving(self) -> Mover:
        """Unfinished runs as a whole."""
        from quarterdeck.service.moving import Mover

        def reconcile(runs: Iterable[Run]) -> list[Run]:
            return self.runs.advancing.reconcile(runs)  # its rooms load only if there are any

        return Mover(self.context, reconcile)

    @cached_property
    def rights(self) -> Rights:
        """Who is here and may do what."""
        from quarterdeck.service.rights import Rights

        return Rights(self.context, self.clocks)

    @cached_property
    def jobs(self) -> Jobs:
        """Jobs as a whole."""
        from quarterdeck.service.jobs import Jobs

        return Jobs(self.context)

    @cached_property
    def pages(self) -> Pages:
        """What the page of a job shows."""
        from quarterdeck.service.pages import Pages

        return Pages(self.context, self.jobs, self.windows)

    @cached_property
    def drafts(self) -> Drafts:
        """Drafts of jobs."""
        from quarterdeck.service.drafts import Drafts

        return Drafts(self.context)

    @cached_property
    def drafting(self) -> Drafting:
        """What the draft editor asks."""
        from quarterdeck.service.drafting import Drafting

        return Drafting(self.context, self.jobs)

    @cached_property
    def publishing(self) -> Publishing:
        """Versions of jobs."""
        from quarterdeck.service.publishing import Publishing

        return Publishing(self.context)

    @cached_property
    def runs(self) -> Runs:
        """Runs."""
        from quarterdeck.service.runs import Runs

        return Runs(self.context, lambda path: Path(path).read_bytes())

    @cached_property
    def planning(self) -> Planning:
        """What a run would be."""
        from quarterdeck.service.planning import Planning

        return Planning(self.context, self.runs)

    @cached_property
    def logs(self) -> Logs:
        """Logs of runs."""
        from quarterdeck.service.logs import Logs

        return Logs(self.context, self.runs)

    @cached_property
    def parts(self) -> RunParts:
        """Pods of runs."""
        from quarterdeck.service.parts import RunParts

        return RunParts(self.context, self.runs)

    @cached_property
    def definitions(self) -> Definitions:
        """Teams, clusters, catalogs, profiles, queries."""
        from quarterdeck.service.definitions import Definitions

        return Definitions(self.context)

    @cached_property
    def clusters(self) -> Clusters:
        """Checks of clusters."""
        from quarterdeck.service.clusters import Clusters

        return Clusters(self.context)

    @cached_property
    def workspaces(self) -> Workspaces:
        """The workspace itself."""
        from quarterdeck.service.setup import Workspaces

        return Workspaces(self.context)

    @cached_property
    def upkeep(self) -> Upkeep:
        """Reconcile, doctor, audit, store."""
        from quarterdeck.service.upkeep import Upkeep

        return Upkeep(self.context, self.runs, self.clocks)

    @cached_property
    def leases(self) -> Leases:
        """The scheduler's lease."""
        from quarterdeck.service.leases import Leases

        return Leases(self.context)

    @cached_property
    def clocks(self) -> Clocks:
        """This machine's clock."""
        from quarterdeck.service.clocks import Clocks

        return Clocks(self.context)

    @cached_property
    def changes(self) -> Changes:
        """The change feed, from now on."""
        from quarterdeck.service.feed import Changes

        return Changes(self.context)

    def close(self) -> None:
        """Release what the ports hold."""
        self.ports.store.close()
