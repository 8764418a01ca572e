"""Settings to ports to services: the only place that names concrete stores, executors, the clock and ids."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import PrerequisiteError
from quarterdeck.model.ids import make_id
from quarterdeck.service.bundle import Services

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from quarterdeck.config import Settings
    from quarterdeck.model.clock import Mark, Uptime, Uptimes
    from quarterdeck.model.ids import RunId
    from quarterdeck.model.instants import Clock
    from quarterdeck.model.job import Definition
    from quarterdeck.ports.executor import Executor
    from quarterdeck.ports.files import Files
    from quarterdeck.ports.runlog import RunLogs
    from quarterdeck.ports.store import Backend, Store, ToRestore


def clock() -> datetime:
    """Return the real time, aware, in UTC."""
    return datetime.now(UTC)


def uptime() -> Uptime:
    """Return how long this machine has been up in this boot.

    From the kernel's file: what shows a process another time than there is stands before the C library, and moves
    both clocks of the difference alike.
    """
    from quarterdeck.model.clock import Uptime

    up_s = float(Path("/proc/uptime").read_text().split()[0])
    awake_s = time.clock_gettime(time.CLOCK_MONOTONIC)
    asleep_s = time.clock_gettime(time.CLOCK_BOOTTIME) - awake_s
    return Uptime(_boot_id(), up_s, max(0.0, asleep_s))


def _mark() -> Mark:
    from quarterdeck.model.clock import Mark

    return Mark(clock(), uptime())


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def new_id(prefix: str) -> str:
    """Return a new id that sorts by time."""
    epoch_ms = int(clock().timestamp() * 1000)
    return make_id(prefix, epoch_ms, int.from_bytes(os.urandom(5), "big"))


def open_services(settings: Settings, tell: Callable[[str], object] = lambda _: None) -> Services:
    """Open the workspace that is there; StoreRefusedError says why not and what to do.

    `tell` is told what will take a while.
    """
    from quarterdeck.store.open import open_store

    store = open_store(settings.store, clock, read_only=settings.read_only, tell=tell)
    return _services(settings, store)


def create_services(settings: Settings, *, shared: bool = False) -> Services:
    """Make a store where there is none (ConflictError otherwise); `service.setup.init` fills it."""
    from quarterdeck.store.open import create_store

    return _services(settings, create_store(settings.store, clock, shared=shared))


def to_restore(settings: Settings, file: Path) -> ToRestore:
    """Return what a restore rests on, to be shown; see `store.restore.to_restore`."""
    from quarterdeck.store.restore import to_restore as look

    return look(settings.store, file)


def restore(
    settings: Settings, file: Path, *, confirmed: bool, shown: ToRestore | None = None
) -> dict[str, Any]:
    """Put a backup in place of the store; see `store.restore.restore`.

    Adds `runs_ended`: those that were waiting for a start when the backup was made, and may have run since.
    """
    from quarterdeck.service.repairing import settle_runs
    from quarterdeck.store.documents import DocumentStore
    from quarterdeck.store.restore import restore as put_back

    ended: list[str] = []
    here = _mark()

    def settle(backend: Backend, folder: Path) -> None:
        why = "restored from a backup: whether the run was started since is not known"
        store = DocumentStore(backend, folder, clock)
        ended.extend(settle_runs(store, settings.actor, here, why))

    done = put_back(settings.store, file, clock, confirmed=confirmed, shown=shown, settle=settle)
    return {**done, "runs_ended": ended}


def findings(settings: Settings) -> list[dict[str, str]]:
    """Return what is wrong with the store and its logs, also where it cannot be opened; empty if nothing is."""
    from quarterdeck.model.errors import StoreRefusedError

    try:
        services = open_services(settings._replace(read_only=True))
    except StoreRefusedError as error:
        if "damage" not in error.facts:
            raise
        return [{"where": "database", "what": error.facts["damage"]}]
    try:
        found: list[dict[str, str]] = services.upkeep.verify()["findings"]
        return found
    finally:
        services.close()


def repair(
    settings: Settings, *, only_look: bool, shown: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Save what can be saved of a damaged store, or only say what could be; see `service.repairing.carry_out`."""
    from quarterdeck.logs import FolderRunLogs
    from quarterdeck.service.repairing import carry_out
    from quarterdeck.store.repair import begin

    logs = FolderRunLogs(settings.store / "logs", clock)
    with begin(settings.store, clock, by=settings.actor, only_look=only_look) as work:
        return carry_out(work, logs, _mark(), settings.actor, shown)


class RealPorts:
    """The ports around a store in a folder; what a command does not touch is never loaded."""

    def __init__(self, store: Store, folder: Path, clock: Clock, uptime: Uptimes) -> None:
        self.store = store
        self.clock = clock
        self.uptime = uptime
        self.new_id = new_id
        self.folder = folder
        self._executors: dict[str, tuple[object, Executor]] = {}

    @cached_property
    def logs(self) -> RunLogs:
        """The logs below the store's folder."""
        from quarterdeck.logs import FolderRunLogs

        return FolderRunLogs(self.folder / "logs", self.clock, self._archived_lines)

    def _archived_lines(self, run: RunId) -> int:
        kept = self.store.runs.find(run)
        return kept.value.log.lines if kept is not None and kept.value.log is not None else 0

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
        parts = "name", "level", "evidence"
        seen = tuple(tuple(one.get(part) for part in parts) for one in cluster.checks)
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
        RealPorts(store, settings.store, clock, uptime),
        settings.actor,
        as_team=settings.as_team,
        read_only=settings.read_only,
    )


def _local(ports: RealPorts, _: Definition) -> Executor:
    from quarterdeck.executors.local import LocalExecutor

    return LocalExecutor(ports.folder / "work", ports.clock, ports.uptime)


def _kubernetes(ports: RealPorts, cluster: Definition) -> Executor:
    from hashlib import sha256  # not at the top: it brings OpenSSL

    from quarterdeck.executors.kubernetes import KubernetesExecutor
    from quarterdeck.ports.store import Where
    from quarterdeck.service.context import ALL, WORKSPACE_ID

    # A run's own place was kept with it: a team that cannot be read is only not looked through for leftovers.
    teams, _ = ports.store.definitions.readable(Where("kind", "=", "team"), limit=ALL)
    places = [team.value.body.get("clusters", {}).get(cluster.name) or {} for team in teams]
    # The workspace's name may change; when it was made never does.
    made = ports.store.workspace.get(WORKSPACE_ID).value.created_at.isoformat()
    return KubernetesExecutor(
        cluster.body,
        f"w{sha256(made.encode()).hexdigest()[:20]}",
        ports.clock,
        ports.uptime,
        places=[(place.get("namespace"), place.get("service_account")) for place in places],
        known=cluster.checks,
    )


EXECUTORS: dict[str, Callable[[RealPorts, Definition], Executor]] = {
    "local": _local, "kubernetes": _kubernetes,
}  # fmt: skip
