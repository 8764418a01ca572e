"""What an executor sets on the engine: by mode, workers and catalogs."""

from __future__ import annotations

from typing import Any

import pytest

from quarterdeck.executors.sail import PARALLELISM, PRODUCT_OPTIONS, engine_options
from quarterdeck.model.errors import PrerequisiteError


def a_frozen(profile: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"profile": profile or {"mode": "standalone"}, "catalogs": [], **more}


def test_standalone_is_one_process_without_workers() -> None:
    assert engine_options(a_frozen(), executor_kind="local") == {"mode": "local"}


@pytest.mark.parametrize(
    ("worker", "limits", "count"),
    [
        ({"max_nodes": 3}, None, 3),
        ({"max_nodes": 3, "cpu": 2.5}, {"max_workers": None}, 3),
        ({"max_nodes": 3, "cpu": 0.5}, {"max_workers": 2}, 2),
        ({"max_nodes": 1}, {"max_workers": 9}, 1),
    ],
)
def test_workers_are_the_profiles_within_the_jobs_limit(
    worker: dict[str, Any], limits: dict[str, Any] | None, count: int
) -> None:
    frozen = a_frozen({"mode": "cluster", "worker": worker}, limits=limits)
    found = engine_options(frozen, executor_kind="local")
    assert found["mode"] == "local-cluster"
    assert found["cluster.worker_initial_count"] == found["cluster.worker_max_count"] == count
    assert engine_options(frozen, executor_kind="kubernetes")["mode"] == "kubernetes-cluster"
    assert set(found) <= PRODUCT_OPTIONS | {PARALLELISM}


@pytest.mark.parametrize(
    ("worker", "asked", "slots", "parallelism"),
    [
        ({"max_nodes": 2}, None, 100, 200),
        ({"max_nodes": 2, "cpu": 0.3}, None, 100, 200),
        ({"max_nodes": 3}, None, 67, 201),  # every slot of the last worker, too
        ({"max_nodes": 40}, None, 8, 320),
        ({"max_nodes": 40, "cpu": 16.5}, None, 16, 640),
        ({"max_nodes": 2}, 16, 8, 16),
        ({"max_nodes": 2, "cpu": 0.3}, 3, 8, 3),
        ({"max_nodes": 2}, 500, 250, 500),
        ({"max_nodes": 2}, 0, 100, 200),  # the engine would take the driver's processors
    ],
)
def test_a_stage_never_has_more_partitions_than_there_are_slots_and_uses_all_workers(
    worker: dict[str, Any], asked: int | None, slots: int, parallelism: int
) -> None:
    settings = [] if asked is None else [{"option": PARALLELISM, "value": asked, "from": "job"}]
    frozen = a_frozen({"mode": "cluster", "worker": worker}, settings=settings)
    for kind in ("local", "kubernetes"):
        found = engine_options(frozen, executor_kind=kind)
        assert (found["cluster.worker_task_slots"], found[PARALLELISM]) == (slots, parallelism)
        assert found[PARALLELISM] <= slots * worker["max_nodes"]


def test_catalogs_stand_beside_the_engines_own() -> None:
    frozen = a_frozen(catalogs=[{"name": "lake", "kind": "memory", "initial_database": ["a"]}])
    found = engine_options(frozen, executor_kind="local")
    assert found["catalog.list"] == [
        {"name": "sail", "type": "memory", "initial_database": ["default"]},
        {"name": "lake", "type": "memory", "initial_database": ["a"]},
    ]
    assert found["catalog.default_catalog"] == "sail"
    own = engine_options(
        a_frozen(catalogs=[{"name": "sail", "kind": "memory"}]), executor_kind="local"
    )
    assert [catalog["name"] for catalog in own["catalog.list"]] == ["sail"]


def test_a_catalog_that_no_run_can_use_is_named() -> None:
    frozen = a_frozen(catalogs=[{"name": "ice", "kind": "iceberg-rest"}])
    with pytest.raises(PrerequisiteError, match="Catalog ice is of kind iceberg-rest"):
        engine_options(frozen, executor_kind="local")
