"""The list of ports that the service is handed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from quarterdeck.model.clock import Uptimes
    from quarterdeck.model.instants import Clock
    from quarterdeck.model.job import Definition
    from quarterdeck.ports.executor import Executor
    from quarterdeck.ports.files import Files
    from quarterdeck.ports.runlog import RunLogs
    from quarterdeck.ports.store import NewId, Store


class Ports(Protocol):
    """What touches the world; an implementation may make each at its first use."""

    @property
    def store(self) -> Store:
        """The workspace's documents and artifacts."""
        ...

    @property
    def logs(self) -> RunLogs:
        """The durable logs of its runs."""
        ...

    @property
    def files(self) -> Files:
        """What lies outside."""
        ...

    @property
    def clock(self) -> Clock:
        """The time, aware, in UTC."""
        ...

    @property
    def uptime(self) -> Uptimes:
        """How long this machine has been up, which no setting of the clock changes."""
        ...

    @property
    def new_id(self) -> NewId:
        """A new id behind a prefix."""
        ...

    def executor(self, cluster: Definition) -> Executor:
        """Return the executor of a cluster, made at its first use and kept."""
        ...
