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

_CLUSTER_MODES: Final = {"local": "local-cluster", "kubernetes": "kubernetes-cluster"}


def engine_options(frozen: Mapping[str, Any], *, executor_kind: str) -> dict[str, Any]:
    """Return option -> value, laid over the spec's settings; PrerequisiteError names what cannot be.

    A cluster's workers are the profile's `worker.max_nodes`, all from the start, bounded by the
    job's `max_workers`.
    """
    return {**_mode(frozen, executor_kind), **_catalogs(frozen.get("catalogs", ()))}


def _mode(frozen: Mapping[str, Any], executor_kind: str) -> dict[str, Any]:
    profile = frozen["profile"]
    if profile["mode"] == "standalone":
        return {"mode": "local"}
    worker = profile["worker"]
    most = (frozen.get("limits") or {}).get("max_workers")
    count = min(worker["max_nodes"], most or worker["max_nodes"])
    found = {
        "mode": _CLUSTER_MODES[executor_kind],
        "cluster.worker_initial_count": count,
        "cluster.worker_max_count": count,
    }
    if worker.get("cpu"):
        found["cluster.worker_task_slots"] = max(1, math.floor(worker["cpu"]))
    return found


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
