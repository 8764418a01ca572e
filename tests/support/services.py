"""Services over a store, in memory or on disk, and a scripted executor: use cases without processes."""

from copy import copy
from itertools import count
from pathlib import Path

from quarterdeck.logs import FolderRunLogs
from quarterdeck.model.clock import Uptime
from quarterdeck.model.job import Definition
from quarterdeck.ports.executor import Executor
from quarterdeck.service.bundle import Services
from quarterdeck.service.setup import init
from quarterdeck.sources import LocalFiles
from quarterdeck.store.documents import DocumentStore
from quarterdeck.store.indexes import INDEXES
from quarterdeck.store.memory import MemoryBackend
from quarterdeck.store.open import create_store
from tests.support.fakes import FakeClock, FakeExecutor
from tests.support.quarterdeck import job


class FakePorts:
    """Everything real but the store's backend, the executor and the clock."""

    def __init__(self, folder: Path, *, on_disk: bool = False) -> None:
        self.clock = FakeClock()
        self.fake = FakeExecutor(self.clock, auto=True)
        self.others: dict[str, FakeExecutor] = {}  # of further clusters, by name
        if on_disk:
            self.store = create_store(folder / "store", self.clock)
        else:
            self.store = DocumentStore(MemoryBackend(INDEXES), folder, self.clock)
        self.logs = FolderRunLogs(folder / "logs", self.clock)
        self.files = LocalFiles()
        self._numbers = count(1)

    def uptime(self) -> Uptime:
        return self.clock.uptime()

    def ahead(self, seconds: float) -> "FakePorts":
        """Return the ports of another process on the same machine, which is shown another time."""
        found = copy(self)
        found.clock = self.clock.ahead(seconds)
        found.fake = self.fake.seen_by(found.clock)
        found.others = {name: one.seen_by(found.clock) for name, one in self.others.items()}
        return found

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{next(self._numbers):016d}"

    def executor(self, cluster: Definition) -> Executor:
        return self.others.get(cluster.name, self.fake)


def workspace(
    folder: Path, actor: str = "ana", *, on_disk: bool = False
) -> tuple[Services, FakePorts]:
    """Return services over a workspace that `init` made, with one job, `daily`."""
    for name in ("artifacts", "logs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    ports = FakePorts(folder, on_disk=on_disk)
    services = Services(ports, actor)
    init(services.context, "fake")
    services.jobs.create([job("daily")])
    return services, ports
