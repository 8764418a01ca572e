"""What an executor itself sets on the engine for a frozen spec: mode, workers, catalogs.

What a user may set comes with the spec's settings; what only the runner knows, it adds itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from quarterdeck.model.errors import PrerequisiteError

# Set by the product for every run; a job or profile that sets one is refused.
PRODUCT_OPTIONS: Final = frozenset(
    {
        "mode",
        "cluster.worker_initial_count",
        "cluster.worker_max_count",
        "cluster.worker_task_slots",
        "catalog.list",
        "catalog.default_catalog",
        "runtime.temporary_files.paths",
        "spark.session_timeout_secs",
    }
)
DEFAULT_CATALOG: Final = "sail"  # the engine's own name for it
LEAST_SLOTS: Final = 8  # of one worker; a slot is a place for a task, not a processor
ALL_SLOTS: Final = (
    200  # of all workers at least: as many partitions as a shuffle of Spark has by default
)
PARALLELISM: Final = "execution.default_parallelism"

_CLUSTER_MODES: Final = {"local": "local-cluster", "kubernetes": "kubernetes-cluster"}


def engine_options(frozen: Mapping[str, Any], *, executor_kind: str) -> dict[str, Any]:
    """Return option -> value, laid over the spec's settings; PrerequisiteError names what cannot be.

    A cluster's workers are the profile's `worker.max_nodes`, all from the start, bounded by the
    job's `max_workers`.
    """
    return {**_mode(frozen, executor_kind), **_catalogs(frozen.get("catalogs", ()))}


def workers(frozen: Mapping[str, Any]) -> int:
    """Return how many workers the engine starts in mode cluster."""
    most = int(frozen["profile"]["worker"]["max_nodes"])
    return min(most, (frozen.get("limits") or {}).get("max_workers") or most)


def _mode(frozen: Mapping[str, Any], executor_kind: str) -> dict[str, Any]:
    """Return the mode, with as many task slots as a stage of the run may have partitions.

    The engine refuses a stage with more partitions than slots, and fills one worker's slots before it uses the
    next. So a stage has as many partitions as there are slots, unless the user says how many; then there are at
    least as many slots.
    """
    profile = frozen["profile"]
    if profile["mode"] == "standalone":
        return {"mode": "local"}
    count = workers(frozen)
    asked = _asked_parallelism(frozen)
    cores = math.floor(profile["worker"].get("cpu") or 0)
    slots = max(LEAST_SLOTS, cores, math.ceil((asked or ALL_SLOTS) / count))
    return {
        "mode": _CLUSTER_MODES[executor_kind],
        "cluster.worker_initial_count": count,
        "cluster.worker_max_count": count,
        "cluster.worker_task_slots": slots,
        PARALLELISM: asked or slots * count,
    }


def _asked_parallelism(frozen: Mapping[str, Any]) -> int:
    """Return how many partitions the user's settings ask for; 0, which is the engine's word for any, if none."""
    for one in frozen.get("settings") or ():
        if one["option"] == PARALLELISM and isinstance(one["value"], int):
            return max(0, one["value"])
    return 0


def _catalogs(catalogs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the list of catalogs; tables without a catalog's name go to the engine's own."""
    if not catalogs:
        return {}
    found = [_catalog(catalog) for catalog in catalogs]
    if DEFAULT_CATALOG not in {catalog["name"] for catalog in found}:
        found.insert(0, _memory(DEFAULT_CATALOG, ["default"]))
    return {"catalog.list": found, "catalog.default_catalog": DEFAULT_CATALOG}


def _catalog(catalog: Mapping[str, Any]) -> dict[str, Any]:
    if catalog["kind"] != "memory":
        raise PrerequisiteError(
            f"Catalog {catalog['name']} is of kind {catalog['kind']}, which no run can use yet.",
            advice="Use a catalog of kind memory, or paths.",
        )
    return _memory(catalog["name"], catalog.get("initial_database") or ["default"])


def _memory(name: str, database: Sequence[str]) -> dict[str, Any]:
    return {"name": name, "type": "memory", "initial_database": list(database)}
