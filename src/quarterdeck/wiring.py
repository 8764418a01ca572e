"""Settings to ports to services: the only place that names concrete stores, executors, the clock and ids."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import PrerequisiteError
from quarterdeck.model.ids import make_id
from quarterdeck.service.bundle import Services

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from quarterdeck.config import Settings
    from quarterdeck.model.job import Definition
    from quarterdeck.ports.executor import Executor
    from quarterdeck.ports.files import Files
    from quarterdeck.ports.runlog import RunLogs
    from quarterdeck.ports.store import Store, ToRestore


def clock() -> datetime:
    """Return the real time, aware, in UTC."""
    return datetime.now(UTC)


def new_id(prefix: str) -> str:
    """Return a new id that sorts by time."""
    epoch_ms = int(clock().timestamp() * 1000)
    return make_id(prefix, epoch_ms, int.from_bytes(os.urandom(5), "big"))


def open_services(settings: Settings) -> Services:
    """Open the workspace that is there; StoreRefusedError says why not and what to do."""
    from quarterdeck.store.open import open_store

    store = open_store(settings.store, clock, read_only=settings.read_only)
    return _services(settings, store)


def create_services(settings: Settings, *, shared: bool = False) -> Services:
    """Make a store where there is none (ConflictError otherwise); `service.setup.init` fills it."""
    from quarterdeck.store.open import create_store

    return _services(settings, create_store(settings.store, clock, shared=shared))


def to_restore(settings: Settings, file: Path) -> ToRestore:
    """Return what a restore rests on, to be shown; see `store.backup.to_restore`."""
    from quarterdeck.store.backup import to_restore as look

    return look(settings.store, file)


def restore(
    settings: Settings, file: Path, *, confirmed: bool, shown: ToRestore | None = None
) -> dict[str, Any]:
    """Put a backup in place of the store; see `store.backup.restore`."""
    from quarterdeck.store.backup import restore as put_back

    return dict(put_back(settings.store, file, clock, confirmed=confirmed, shown=shown))


class RealPorts:
    """The ports around a store in a folder; what a command does not touch is never loaded."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.clock = clock
        self.new_id = new_id
        self.folder = folder
        self._executors: dict[str, tuple[object, Executor]] = {}

    @cached_property
    def logs(self) -> RunLogs:
        """The logs below the store's folder."""
        from quarterdeck.logs import FolderRunLogs

        return FolderRunLogs(self.folder / "logs", clock)

    @cached_property
    def files(self) -> Files:
        """The files of this machine."""
        from quarterdeck.sources import LocalFiles

        return LocalFiles()

    def executor(self, cluster: Definition) -> Executor:
        """Return the executor of the cluster; PrerequisiteError for a kind that cannot run jobs."""
        kind = cluster.body["kind"]
        if kind not in EXECUTORS:
            raise PrerequisiteError(
                f"Cluster {cluster.name} is of kind {kind}, which cannot run jobs yet.",
                advice=f"Use a cluster of kind {', '.join(EXECUTORS)}.",
            )
        # An edit of the cluster, or other things that its checks saw, are a reason to make another.
        seen = tuple(one.get("evidence") for one in cluster.checks)
        stamp = (cluster.revision, seen) if kind == "kubernetes" else None
        known, executor = self._executors.get(cluster.id, (None, None))
        if executor is None or known != stamp:
            if executor is not None:
                executor.close()
            executor = EXECUTORS[kind](self, cluster)
            self._executors[cluster.id] = (stamp, executor)
        return executor


def _services(settings: Settings, store: Store) -> Services:
    return Services(
        RealPorts(store, settings.store),
        settings.actor,
        as_team=settings.as_team,
        read_only=settings.read_only,
    )


def _local(ports: RealPorts, _: Definition) -> Executor:
    from quarterdeck.executors.local import LocalExecutor

    return LocalExecutor(ports.folder / "work", clock)


def _kubernetes(ports: RealPorts, cluster: Definition) -> Executor:
    from hashlib import sha256  # not at the top: it brings OpenSSL

    from quarterdeck.executors.kubernetes import KubernetesExecutor
    from quarterdeck.ports.store import Where
    from quarterdeck.service.context import ALL, WORKSPACE_ID

    teams = ports.store.definitions.page(Where("kind", "=", "team"), limit=ALL)
    places = [team.value.body.get("clusters", {}).get(cluster.name) or {} for team in teams]
    # The workspace's name may change; when it was made never does.
    made = ports.store.workspace.get(WORKSPACE_ID).value.created_at.isoformat()
    return KubernetesExecutor(
        cluster.body,
        f"w{sha256(made.encode()).hexdigest()[:20]}",
        clock,
        namespaces=filter(None, (place.get("namespace") for place in places)),
        known=cluster.checks,
    )


EXECUTORS: dict[str, Callable[[RealPorts, Definition], Executor]] = {
    "local": _local, "kubernetes": _kubernetes,
}  # fmt: skip
